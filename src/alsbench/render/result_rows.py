"""Rows of a result found by what they are about, and turned into the cells of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from alsbench.analysis.result import Result, Row
from alsbench.render.formats import MASKED, NOT_ESTIMABLE, absent, format_stat
from alsbench.render.page import EMPTY, TextCell

Visit = tuple[str | None, float | None]
Pair = tuple[str | None, str | None]
Stats = dict[str, Row]
NO_VISIT: Visit = (None, None)
NO_PAIR: Pair = (None, None)


@dataclass(frozen=True)
class RowKey:
    """What a group of statistics is about; two rows of one place differ in ``stat_name`` only."""

    context: str
    subgroup: str
    arm: str | None = None
    pair: Pair = NO_PAIR
    visit: Visit = NO_VISIT
    variable: str | None = None
    level: str | None = None


def place(row: Row) -> RowKey:
    return RowKey(
        row.context,
        row.subgroup,
        row.arm,
        (row.treatment, row.reference),
        (row.visit, row.visit_number),
        row.variable,
        row.level,
    )


@dataclass(frozen=True)
class ResultRows:
    """The rows of a result by place, in their order of first appearance."""

    at: dict[RowKey, Stats] = field(default_factory=dict)

    @classmethod
    def of(cls, result: Result | Iterable[Row]) -> ResultRows:
        found = cls()
        for row in result.rows if isinstance(result, Result) else result:
            found.at.setdefault(place(row), {})[row.stat_name] = row
        return found

    def get(self, context: str, subgroup: str, **where: object) -> Stats:
        """The statistics of one place; empty where there are none."""
        return self.at.get(RowKey(context, subgroup, **where), {})  # type: ignore[arg-type]

    def places(self, context: str, subgroup: str, keep: Callable[[RowKey], bool] = lambda _: True) -> list[RowKey]:
        return [p for p in self.at if p.context == context and p.subgroup == subgroup and keep(p)]

    def subgroups(self) -> list[str]:
        return list(dict.fromkeys(p.subgroup for p in self.at))


def value_cell(stats: Stats, name: str) -> TextCell:
    """One statistic as printed: ``NE`` where it could not be estimated, empty where it was not asked."""
    row = stats.get(name)
    return EMPTY if row is None else TextCell(shown(row), (row,))


def shown(row: Row) -> str:
    if row.stat is None:
        return absent(row.error)
    return format_stat(row.stat_name, row.stat)


def spread_cell(stats: Stats, name: str, beside: str) -> TextCell:
    """``-4.12 (0.512)``: an estimate with one measure of its uncertainty or spread."""
    return _joined(stats, name, (beside,))


def interval_cell(stats: Stats, name: str, low: str, high: str) -> TextCell:
    """``0.15 (-0.58, 0.88)``: an estimate with its limits, written with the estimate's decimals."""
    return _joined(stats, name, (low, high))


def limits_cell(stats: Stats) -> TextCell:
    """``-5.12 to -3.12``: limits by themselves."""
    low, high = stats.get("conf_low"), stats.get("conf_high")
    if low is None or high is None or low.stat is None or high.stat is None:
        return EMPTY
    return TextCell(f"{shown(low)} to {shown(high)}", (low, high))


def _joined(stats: Stats, name: str, beside: tuple[str, ...]) -> TextCell:
    row = stats.get(name)
    if row is None:
        return EMPTY
    if row.stat is None:
        return TextCell(shown(row), (row,))
    more = [stats[b] for b in beside if b in stats]
    inner = ", ".join(_limit(name, b) for b in more)
    return TextCell(f"{shown(row)} ({inner})" if inner else shown(row), (row, *more))


def _limit(name: str, row: Row) -> str:
    """A limit takes the decimals of its estimate, a standard error its own."""
    bound = row.stat_name.endswith(("_low", "_high")) or row.stat_name in {"q1", "q3"}
    return format_stat(name, row.stat) if bound and row.stat is not None else shown(row)


UNEXPLAINED = frozenset({"first_lasting_visit", "first_visit", "df"})


def problems(rows: Iterable[Row]) -> tuple[str, ...]:
    """Why statistics are missing, each reason once with what it concerns: the footnotes of ``NE``.

    A first visit that never came is printed as ``never`` and needs no footnote; degrees of freedom are not printed.
    """
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.error and not row.error.startswith(MASKED) and row.stat_name not in UNEXPLAINED:
            about = ", ".join(
                part
                for part in (row.arm or (f"{row.treatment} vs {row.reference}" if row.treatment else ""), row.visit)
                if part
            )
            found.setdefault(row.error, [])
            if about and about not in found[row.error]:
                found[row.error].append(about)
    return tuple(
        f"{NOT_ESTIMABLE}: {error}" + (f" [{'; '.join(_some(about))}]" if about else "") for error, about in found.items()
    )


def _some(items: list[str], most: int = 6) -> list[str]:
    return items if len(items) <= most else [*items[:most], f"and {len(items) - most} more"]
