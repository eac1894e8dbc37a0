"""Errors of the statistics room in the words and the class of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alsbench.errors import DataError
from alsbench.stats.errors import NotConverged, StatsError


@contextmanager
def as_data_error(where: str, unconverged: str = "") -> Iterator[None]:
    """A number that these data do not determine is a DataError: what it was, where, and what may help a fit to converge."""
    try:
        yield
    except StatsError as error:
        raise DataError(str(error), where=where, hint=unconverged if isinstance(error, NotConverged) else "") from error
