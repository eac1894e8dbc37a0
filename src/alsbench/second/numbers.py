"""A number of the second program, and the reason where it has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


class NotCovered(Exception):
    """What the second program does not compute, in words: it is listed, and never counts as agreement."""


class Undetermined(NotCovered):
    """A model that the data do not determine."""


@dataclass(frozen=True)
class Number:
    """One statistic, named as a row of the first program is; ``stat`` is None where it cannot be computed from the data.
    ``error`` is its Monte Carlo standard error, where it has one."""

    context: str
    stat_name: str
    stat: float | int | str | None
    arm: str | None = None
    treatment: str | None = None
    reference: str | None = None
    visit: float | None = None
    variable: str | None = None
    level: str | None = None
    error: float = 0.0

    def place(self) -> tuple[object, ...]:
        """What makes it unique within one endpoint and subgroup."""
        return (
            self.context,
            self.arm,
            self.treatment,
            self.reference,
            self.visit,
            self.variable,
            self.level,
            self.stat_name,
        )


@dataclass
class NumberRows:
    """The numbers of one endpoint in one subgroup as they are made. ``places`` fill what is not given."""

    rows: list[Number] = field(default_factory=list)

    def add(self, context: str, stats: dict[str, float | int | str | None], **place: object) -> None:
        """One number for each of ``stats``, all at the same place."""
        self.rows += [Number(context, name, value, **place) for name, value in stats.items()]  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Number]:
        return iter(self.rows)
