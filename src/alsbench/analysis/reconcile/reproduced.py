"""When one of their numbers is reproduced: at the digits it is printed with, or within the tolerance of its kind.

A printed number has a number of decimals, or is a bound (``<0.001``); our value is rounded as it would be printed here, once,
half away from zero. A full double is held to what two programs may differ by (:mod:`alsbench.stats.agreement`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.methods import analysed
from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.run import answer, apply_overrides
from alsbench.analysis.source import SUBJECT_TABLE, Source
from alsbench.analysis.subgroups import members, subgroup_rows
from alsbench.errors import UsageError
from alsbench.stats.agreement import tolerance
from alsbench.stats.rounding import round_half_away
from alsbench.study.model import Endpoint

ITERATING = frozenset({"mmrm", "slope"})
MOST_DECIMALS = 15
LARGE = 1e12
RowPlace = tuple[object, ...]


@dataclass(frozen=True)
class TheirNumber:
    """``value`` is what they have where we have ``row``, printed with so many ``decimals`` (None: a full double). With a
    ``bound`` it is printed as ``<value`` or ``>value``."""

    row: Row
    value: float
    decimals: int | None = None
    bound: Literal["", "<", ">"] = ""

    def __post_init__(self) -> None:
        if self.decimals is not None and not 0 <= self.decimals <= MOST_DECIMALS:
            raise UsageError(f"{self.decimals} is no number of decimals", hint=f"0 to {MOST_DECIMALS}")

    def text(self) -> str:
        """As they print it; a full double in as few digits as tell it from any other."""
        if self.decimals is None or abs(self.value) >= LARGE:
            return f"{self.bound}{self.value!r}"
        return self.bound + round_half_away(self.value, self.decimals)

    def given_by(self, ours: float | None, se: float = 0.0) -> bool:
        """Whether ``ours`` is this number at its digits; ``se`` is the standard error beside it, where there is one."""
        if ours is None or not math.isfinite(ours) or not math.isfinite(self.value):
            return False
        if self.bound:
            return ours < self.value if self.bound == "<" else ours > self.value
        if self.decimals is not None:
            near = abs(ours - self.value) <= 10.0**-self.decimals  # what is far, or not finite, need not be written out
            if not near or abs(ours) >= LARGE:
                return near
            return round_half_away(ours, self.decimals) == round_half_away(self.value, self.decimals)
        return abs(ours - self.value) <= self.room(ours, se)

    def room(self, ours: float, se: float = 0.0) -> float:
        """By how much our value may miss theirs: half a unit of the last decimal, or the tolerance of its kind."""
        if self.decimals is not None:
            return float(10.0**-self.decimals) / 2
        return tolerance(self.row.stat_name, ours, se, fitted=self.row.method in ITERATING)


def row_place(row: Row) -> RowPlace:
    """Where a statistic stands in the answer to one question: all that tells its rows apart but the endpoint."""
    return (
        *(row.subgroup, row.context, row.arm, row.treatment, row.reference),
        *(row.visit_number, row.variable, row.level, row.stat_name),
    )


class ComputedRows:
    """The rows of one analysis by their place. In a fit of all arms the LS mean of an arm belongs to no comparison: it is found
    there where a place names one, and the other way about where there is but one."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {row_place(r): r for r in rows}
        self._arms: dict[RowPlace, list[Row]] = {}
        for place, row in self._rows.items():
            if row.context == "arm":
                self._arms.setdefault((*place[:3], *place[5:]), []).append(row)

    def number(self, place: RowPlace) -> float | None:
        """The statistic at a place; None where it is missing or none of the answer."""
        row = self._rows.get(place)
        if row is None and place[1] == "arm":
            found = self._arms.get((*place[:3], *place[5:]), [])
            row = found[0] if len(found) == 1 else next((r for r in found if r.treatment is None), None)
        return float(row.stat) if row is not None and isinstance(row.stat, int | float) else None

    def beside(self, place: RowPlace, stat_name: str) -> float | None:
        """Another statistic of the same line."""
        return self.number((*place[:-1], stat_name))

    def has(self, places: Iterable[RowPlace]) -> bool:
        """Whether every place is one of this answer, with or without a number."""
        return all(place in self._rows for place in places)


def without_plan(source: Source, **changed: object) -> Source:
    """The source with these fields changed, where no answer is kept and no plan of several endpoints stands beside one."""
    other = replace(source, results_dir=None, **changed)  # type: ignore[arg-type]
    return replace(other, study=other.study.model_copy(update={"multiplicity": None}))


def computed_rows(source: Source, question: Question, *, whole: bool = False) -> ComputedRows:
    """The rows of a question, by its endpoint's method; with ``whole`` also those that stand beside it (imputed values,
    adjusted first visits), which may cost as much again. Raises what ``run.answer`` raises."""
    if whole:
        return ComputedRows(answer(question, source).rows)
    endpoint = apply_overrides(source.endpoint(question.endpoint), question)
    population = question.population or source.default_population(endpoint)
    rows: list[Row] = []
    for phrase in dict.fromkeys(question.subgroups):
        member = members(source, phrase, population)
        analysis = AnalysisContext(source, endpoint, question, population, member, source.comparisons(question.comparisons))
        rows += [*subgroup_rows(analysis), *analysed(analysis).rows]
    return ComputedRows(rows)


def reproduced(numbers: Sequence[TheirNumber], values: Mapping[int, float | None], rows: ComputedRows) -> tuple[bool, ...]:
    """Which of their numbers our ``values`` (by position) are."""
    return tuple(n.given_by(values[i], rows.beside(row_place(n.row), "se") or 0.0) for i, n in enumerate(numbers))


def tables_read(source: Source, endpoint: Endpoint) -> dict[str, frozenset[str] | None]:
    """The tables of the snapshot that an endpoint's analysis reads, and which parameters of each (None: all)."""
    names: dict[str, set[str] | None] = {SUBJECT_TABLE: None}

    def reads(dataset: str, *parameters: str) -> None:
        known = names.setdefault(dataset.upper(), set())
        names[dataset.upper()] = None if known is None or not all(parameters) or not parameters else known | {*parameters}

    if endpoint.method == "staging":
        reads(endpoint.dataset)
    elif endpoint.method == "incidence":
        reads(endpoint.dataset or "ADAE")
        reads("ADEX")
    elif endpoint.method != "baseline" and endpoint.dataset:
        reads(endpoint.dataset, endpoint.paramcd)
    if endpoint.event is not None:
        reads(endpoint.event.dataset, endpoint.event.paramcd)
    if endpoint.function:
        measured = source.endpoint(endpoint.function)
        reads(measured.dataset, measured.paramcd)
    return {n: None if p is None else frozenset(p) for n, p in names.items() if n in source.snapshot.tables}
