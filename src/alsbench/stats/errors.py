"""Named errors of the statistics room: what cannot be computed and why, in words a table can carry."""

from __future__ import annotations


class StatsError(ValueError):
    """The numbers asked for do not exist for these data; the message says why."""


class NotEstimable(StatsError):
    """A linear combination of coefficients that the data do not determine."""


class NotConverged(StatsError):
    """An iterative fit did not reach its optimum, or reached a singular one."""
