"""Why they differ, by options: which alternative that a study file can declare gives their numbers at their digits?

One option is changed at a time, then two at once; each change is an analysis of our data, and each analysis is also read in the
ways that tables are read otherwise (another visit, one-sided p, sides exchanged, on the log scale). What is given of one table
must be given by one alternative all together, which leaves little to chance: beside the answer stands how many of the
alternatives tried would be expected to give their numbers by accident. That bound is of the most telling of their numbers: the
density of the values tried around it (half of them lie within the median distance) times the width of its last digit, and no
more alternatives give all numbers than give that one.

Pairs are of alternatives that, alone, move one of the numbers, in the order of how well their changes add up to theirs.
Imputation of missing values, which needs many fits, is tried last, alone, and only where nothing else explains.

Nothing is proved by an answer but that this analysis of our data prints their numbers (METHODS 15).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from typing import Any

from alsbench.analysis.endpoints.imputed import IMPUTED
from alsbench.analysis.question import Question
from alsbench.analysis.reconcile.alternatives import Alternative, alternatives
from alsbench.analysis.reconcile.reproduced import (
    ComputedRows,
    RowPlace,
    TheirNumber,
    computed_rows,
    reproduced,
    row_place,
    tables_read,
    without_plan,
)
from alsbench.analysis.reconcile.restated import Restatement, restatements
from alsbench.analysis.run import apply_overrides
from alsbench.analysis.source import READ, Source
from alsbench.data.altered import CopiedTables
from alsbench.errors import AlsbenchError, UsageError
from alsbench.progress import tell
from alsbench.study.checks import option_faults
from alsbench.study.model import Endpoint

BUDGET = 200  # analyses
AFTER = 20  # pairs looked at after one that gives the numbers
SHOWN = 3  # explanations named in the sentence
WORTH_SAYING = 0.05  # chance hits expected


@dataclass(frozen=True)
class OptionHit:
    """What gives their numbers: the changes in words, our ``values`` with them, and how many of theirs those are."""

    words: tuple[str, ...]
    values: tuple[float | None, ...]
    given: int

    def __str__(self) -> str:
        """``with df = satterthwaite and observed margins``, ``without strata``; what is left out last."""
        left_out = [w for w in self.words if w.startswith("without ")]
        done = [w for w in self.words if w not in left_out]
        return " and ".join([*([f"with {' and '.join(done)}"] if done else []), *left_out])


@dataclass(frozen=True)
class ByOptions:
    """The answer of the search: every alternative of the fewest changes that gives all ``numbers`` (``hits``); where none does,
    the one that gives most, if that is more than ours does (``nearest``). ``tried`` alternatives in ``analyses`` analyses,
    ``left`` not tried because the budget ended; ``chance``: an upper bound of how many of those tried would give the numbers by
    accident."""

    numbers: tuple[TheirNumber, ...]
    hits: tuple[OptionHit, ...]
    nearest: OptionHit | None
    tried: int
    left: int
    analyses: int
    budget: int
    chance: float

    @property
    def explained(self) -> bool:
        return bool(self.hits)

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if self.hits and not self.hits[0].words:
            return f"{self._theirs} at the digits given: there is nothing to explain"
        if self.hits:
            return "; ".join([f"{self._theirs} {self.hits[0]}", *self._others(), *self._by_chance()])
        none = f"none of {self.tried} alternatives gives {'it' if len(self.numbers) == 1 else 'them all'}"
        said = [none]
        if self.nearest is not None:
            said.append(f"{self.nearest.given} of {len(self.numbers)} are ours {self.nearest}")
        if self.left:
            said.append(f"{self.left} more were not tried (budget of {self.budget} analyses)")
        return "; ".join(said)

    @property
    def _theirs(self) -> str:
        more = len(self.numbers) - 1
        first = f"their {self.numbers[0].text()}"
        return f"{first} is ours" if not more else f"{first} and {more} more number{'s' * (more > 1)} are ours"

    def _others(self) -> list[str]:
        others = [str(h) for h in self.hits[1:]]
        if not others:
            return []
        shown, more = others[:SHOWN], len(others) - SHOWN
        return [f"or {', or '.join(shown)}" + (f", or by {more} more" if more > 0 else "")]

    def _by_chance(self) -> list[str]:
        if self.chance < WORTH_SAYING:
            return []
        return [f"of {self.tried} alternatives up to {self.chance:.1f} would give it by chance"]


def explain_by_options(
    source: Source, question: Question, numbers: Sequence[TheirNumber], *, budget: int = BUDGET
) -> ByOptions:
    """Search the alternatives of a question for their ``numbers``, which are of one table. At most ``budget`` analyses are
    made, single alternatives first; equal arguments give equal answers. Progress is told by ``alsbench.progress``.

    Raises UsageError where there are no numbers or no budget, and what the analysis of the question itself raises."""
    if not numbers:
        raise UsageError("there is no number to explain")
    if budget < 1:
        raise UsageError(f"{budget} analyses are none", where="--budget", hint="1 or more")
    with ExitStack() as stack:
        return _Search(source, question, tuple(numbers), budget, stack).run()


class _Search:
    """One search: what was asked as it stands, and what was found so far."""

    def __init__(
        self, source: Source, question: Question, numbers: tuple[TheirNumber, ...], budget: int, stack: ExitStack
    ) -> None:
        self.numbers, self.budget, self.stack = numbers, budget, stack
        self.endpoint = apply_overrides(source.endpoint(question.endpoint), question)
        self.population = question.population or source.default_population(self.endpoint)
        endpoints = {**source.study.endpoints, self.endpoint.name: self.endpoint}
        self.source = _sharing(source, source.study.model_copy(update={"endpoints": endpoints}))
        self.question = replace(question, population=self.population, method="", covariance="", df="", options=())
        self.places = [row_place(n.row) for n in numbers]
        self.copies: dict[str, Source] = {}
        self.whole = False
        self.analyses = self.tried = self.left = 0
        self.values: list[list[float]] = [[] for _ in numbers]
        self.found: list[OptionHit] = []
        self.ours: tuple[float | None, ...] = ()

    def run(self) -> ByOptions:
        rows = self._analysed(())
        if rows is None or not rows.has(self.places):
            self.whole = True
            rows = self._analysed(()) or ComputedRows(())
        self.analyses = 0  # the answer as it stands is no alternative
        self.ours = self._values(rows, self.places)
        as_asked = OptionHit((), self.ours, sum(reproduced(self.numbers, dict(enumerate(self.ours)), rows)))
        if as_asked.given == len(self.numbers):
            return self._answer((as_asked,))
        singles = [a for a in alternatives(self.source, self.question, self.endpoint, self.population) if self._concerned(a)]
        readings = restatements(self.source, self.endpoint, self.numbers)
        for reading in readings:
            self._read(rows, (), reading)
        fitted: list[tuple[Alternative, ComputedRows]] = []
        moving: list[Alternative] = []
        quick = [a for a in singles if not a.imputed]
        for i, single in enumerate(quick):
            tell("alternatives", i, len(quick))
            made = self._within((single,))
            if made is not None:
                fitted.append((single, made))
                if self._read(made, (single,), None):
                    moving.append(single)
        if not self._full():
            for single, made in fitted:
                if single in moving:
                    for reading in readings:
                        self._read(made, (single,), reading)
            self._pairs(moving)
        if not self._full():
            for single in (a for a in singles if a.imputed):
                made = self._within((single,))
                if made is not None:
                    self._read(made, (single,), None)
        return self._answer(self._full(), as_asked.given)

    def _pairs(self, moving: Sequence[Alternative]) -> None:
        """Two alternatives at once, those first whose changes add up to their numbers; once a pair gives them, the next few."""
        alone = {h.words[0]: h.values for h in self.found if len(h.words) == 1}
        pairs = [p for p in combinations(moving, 2) if _combined(*p)]
        pairs.sort(key=lambda pair: self._missed(alone[pair[0].words], alone[pair[1].words]))
        more = len(pairs)
        for i, pair in enumerate(pairs):
            if more == 0:
                break
            tell("pairs of alternatives", i, len(pairs))
            made = self._within(pair)
            if made is not None:
                self._read(made, pair, None)
            more = AFTER if more > AFTER and self._full() else more - 1

    def _missed(self, one: Sequence[float | None], other: Sequence[float | None]) -> float:
        """By how much two changes together would miss their numbers if they added up, in units of what there is to explain."""
        missed = []
        for number, ours, a, b in zip(self.numbers, self.ours, one, other, strict=True):
            if ours is None or a is None or b is None:
                return math.inf
            size = abs(number.value - ours) + number.room(ours)
            missed.append(min(abs(a + b - ours - number.value) / size, 1.0) if size else 0.0)
        return sum(missed) / len(missed)

    def _concerned(self, change: Alternative) -> bool:
        """Whether an alternative may have numbers where theirs stand: missing values are imputed at the horizons only."""
        horizons = {c.horizon for c in self.source.comparisons(self.question.comparisons)}
        return not change.imputed or all(n.row.visit_number in horizons for n in self.numbers)

    def _within(self, changes: tuple[Alternative, ...]) -> ComputedRows | None:
        """The rows of an alternative; None where it has none, or the budget has ended."""
        if self.analyses >= self.budget:
            self.left += 1
            return None
        return self._analysed(changes)

    def _analysed(self, changes: tuple[Alternative, ...]) -> ComputedRows | None:
        endpoint, function = self.endpoint, self.source.study.endpoints.get(self.endpoint.function)
        population, visits, arms = self.population, self.question.visits, self.source.study.arms
        source = self.source
        for change in changes:
            endpoint = endpoint.model_copy(update=dict(change.endpoint))
            function = function.model_copy(update=dict(change.function)) if function is not None else None
            population = change.population or population
            visits = (change.visit,) if change.visit is not None else visits
            endpoint = _with_covariates(endpoint, change)
            if change.other_arm:
                other = {"planned": arms.actual} if endpoint.method != "incidence" else {"actual": arms.planned}
                arms = arms.model_copy(update=other)
            if change.table:
                source = self._copied(change)
        if any(option_faults(("endpoints", endpoint.name), endpoint)):
            return None
        endpoints = {**self.source.study.endpoints, endpoint.name: endpoint}
        endpoints |= {function.name: function} if function is not None else {}
        study = self.source.study.model_copy(update={"endpoints": endpoints, "arms": arms})
        asked = replace(self.question, population=population, visits=visits)
        self.analyses += 1
        try:
            return computed_rows(_sharing(source, study), asked, whole=self.whole or any(c.imputed for c in changes))
        except AlsbenchError:  # an alternative that cannot be meant of these data gives no number
            if not changes:
                raise
            return None

    def _copied(self, change: Alternative) -> Source:
        """Our data with the columns of an alternative."""
        if change.words not in self.copies:
            tables = tables_read(self.source, self.endpoint)
            copies = self.stack.enter_context(CopiedTables(self.source.snapshot, tables))
            snapshot = copies.rewrite(change.table, change.rewritten, without=change.without)
            self.copies[change.words] = replace(self.source, snapshot=snapshot)
        return self.copies[change.words]

    def _read(self, rows: ComputedRows, changes: tuple[Alternative, ...], reading: Restatement | None) -> bool:
        """Hold one reading of an analysis against their numbers; whether it has another value than ours for any."""
        places = [self._moved(place, changes) for place in self.places]
        values = self._values(rows, places, reading)
        told = [v for v in values if v is not None]
        if not told:
            return False
        self.tried += 1
        moved = False
        for mine, value, seen in zip(self.ours, values, self.values, strict=True):
            if value is not None and (mine is None or not math.isclose(value, mine, rel_tol=1e-12, abs_tol=0.0)):
                seen.append(value)
                moved = True
        if moved:
            words = (*(c.words for c in changes), *((reading.words,) if reading is not None else ()))
            given = sum(reproduced(self.numbers, dict(enumerate(values)), rows))
            self.found.append(OptionHit(words, values, given))
        return moved

    def _values(
        self, rows: ComputedRows, places: Sequence[RowPlace], reading: Restatement | None = None
    ) -> tuple[float | None, ...]:
        return tuple(rows.number(p) if reading is None else reading.number(rows, p) for p in places)

    def _moved(self, place: RowPlace, changes: tuple[Alternative, ...]) -> RowPlace:
        """Where a statistic stands in the answer to an alternative: at its visit, at its horizon day, among the imputed."""
        subgroup, context, arm, treatment, reference, visit, variable, level, name = place
        for change in changes:
            if change.visit is not None and visit is not None:
                visit = change.visit
            if change.visit is not None and isinstance(level, str) and level.startswith("day "):
                level = f"day {self.source.study.visits.horizon_day(change.visit)}"
            if change.imputed:
                variable = IMPUTED
        return (subgroup, context, arm, treatment, reference, visit, variable, level, name)

    def _full(self) -> tuple[OptionHit, ...]:
        """All that gives every number, of the fewest changes."""
        whole = [h for h in self.found if h.given == len(self.numbers)]
        fewest = min((len(h.words) for h in whole), default=0)
        return tuple(h for h in whole if len(h.words) == fewest)

    def _answer(self, hits: tuple[OptionHit, ...], as_asked: int = 0) -> ByOptions:
        nearest = max(self.found, key=lambda h: (h.given, -len(h.words)), default=None)
        if hits or nearest is None or nearest.given <= as_asked:
            nearest = None
        return ByOptions(self.numbers, hits, nearest, self.tried, self.left, self.analyses, self.budget, self._chance())

    def _chance(self) -> float:
        """An upper bound of how many of the alternatives that move the numbers give them all by accident."""
        expected = []
        for number, values in zip(self.numbers, self.values, strict=True):
            if not values or number.bound:
                continue
            distance = median(abs(v - number.value) for v in values)
            room = number.room(number.value)
            share = min(1.0, room / (2 * distance)) if distance > 0 else 1.0
            expected.append(share * len(values))
        return min(expected, default=0.0)


def _sharing(source: Source, study: Any) -> Source:
    """The trial under another study file: what was read of the data is shared, answers are not."""
    other = without_plan(source, study=study)
    shared = [name for name in READ if name in source.__dict__]
    if (study.arms.planned, study.arms.actual) != (source.study.arms.planned, source.study.arms.actual):
        shared = [name for name in shared if name not in ("planned_arm", "actual_arm")]
    other.__dict__.update({name: source.__dict__[name] for name in shared})
    return other


def _with_covariates(endpoint: Endpoint, change: Alternative) -> Endpoint:
    """The endpoint without the covariate that is left out, with the one that is put in."""
    kept = {k: tuple(c for c in getattr(endpoint, k) if c != change.left_out) for k in ("covariates", "factors")}
    if change.put_in:
        kept["covariates"] = (*kept["covariates"], change.put_in)
    return endpoint.model_copy(update=kept)


def _combined(one: Alternative, other: Alternative) -> bool:
    """Whether two alternatives can be meant together."""
    both = [one, other]
    if any("covariates" in c.endpoint for c in both) and any(c.left_out or c.put_in for c in both):
        return False
    keys = set(one.endpoint) & set(other.endpoint) or set(one.function) & set(other.function)
    return one.kind != other.kind and not keys and not (one.table and other.table)
