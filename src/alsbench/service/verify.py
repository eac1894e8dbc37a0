"""Every endpoint computed again by a second program, and both answers held against each other."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from alsbench.analysis.cells import piece_or_fault
from alsbench.analysis.gates import gates
from alsbench.analysis.methods import method_info
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.run import apply_overrides
from alsbench.errors import AlsbenchError
from alsbench.render.mask import is_masked
from alsbench.render.sheet import Field, Sheet
from alsbench.second.interaction import interactions
from alsbench.second.numbers import NotCovered, Number
from alsbench.second.program import adjusted_number, answer, covers, plan_numbers
from alsbench.second.trial import TrialTables, read_tables
from alsbench.service.access import Access
from alsbench.service.endpoint import answered, endpoint_question
from alsbench.service.output import Output, sheets_output, source_facts
from alsbench.service.trail import log_look
from alsbench.stats.agreement import FITTED_METHODS, WORST_FIRST, Agreement, SaidValue, ValueRule, agree, classify
from alsbench.stats.threads import one_blas_thread

if TYPE_CHECKING:
    from alsbench.analysis.result import Result, Row
    from alsbench.analysis.source import Source
    from alsbench.study.model import Endpoint


@dataclass(frozen=True)
class Compared:
    """One statistic of both programs, each None where it has none."""

    endpoint: str
    subgroup: str
    row: Row | Number
    first: float | int | str | None
    second: float | int | str | None
    agrees: bool
    deviation: float

    @property
    def agreement(self) -> Agreement:
        """The class in which they differ (METHODS 15); noise is what the tolerance of their kind allows (METHODS 14)."""
        if self.agrees:
            return "identical" if self.first == self.second else "noise"
        ours, theirs = SaidValue(self.first), SaidValue(self.second)
        found = classify(ours, theirs, ValueRule("closed form", self.row.stat_name, self.row.context))
        return found if found in ("changes a conclusion", "only ours", "only theirs") else "different"


@dataclass(frozen=True)
class Uncompared:
    """Numbers of an endpoint in a subgroup that were not compared: how many, and why."""

    endpoint: str
    subgroup: str
    why: str
    numbers: int


@dataclass(frozen=True)
class BothPrograms:
    """What was compared, and what was not; ``tables`` are the endpoints and subgroup phrases asked for, in order."""

    tables: tuple[tuple[str, str], ...] = ()
    compared: tuple[Compared, ...] = ()
    uncompared: tuple[Uncompared, ...] = ()

    def __add__(self, other: BothPrograms) -> BothPrograms:
        return BothPrograms(self.tables + other.tables, self.compared + other.compared, self.uncompared + other.uncompared)

    @property
    def differing(self) -> list[Compared]:
        """The numbers on which the programs differ, worst first."""
        found = [c for c in self.compared if not c.agrees]
        return sorted(found, key=lambda c: (WORST_FIRST.index(c.agreement), -c.deviation))

    @property
    def sentence(self) -> str:
        """``412 of 412 numbers agree with a second program (largest relative deviation 3e-09)``."""
        if not self.compared:
            return "No number was compared"
        good = [c.deviation for c in self.compared if c.agrees]
        largest = f" (largest relative deviation {max(good):.0e})" if good else ""
        return f"{len(good)} of {len(self.compared)} numbers agree with a second program{largest}"

    @property
    def summary(self) -> str:
        """The sentence, and how many numbers it does not speak of."""
        out = sum(u.numbers for u in self.uncompared)
        return f"{self.sentence}; {f'{out} numbers were not compared' if out else 'nothing was left out'}."


class SecondProgram:
    """The second program beside the first, of one source: it reads the snapshot when it is first asked."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @cached_property
    def _trial(self) -> TrialTables:
        return TrialTables(self._source.study, read_tables(self._source.snapshot.path))

    def beside(self, result: Result, endpoint: Endpoint, phrase: str) -> BothPrograms:
        """The numbers of a result of one subgroup phrase held against those of the second program. ``endpoint`` is as it was
        analysed, with what the question asked otherwise. Rows that a mask hides are not compared."""
        shown = [r for r in result.rows if not is_masked(r)]
        try:
            with one_blas_thread():
                second = {n.place(): n for n in answer(self._trial, endpoint, phrase)}
        except NotCovered as fault:
            return _nothing(endpoint, phrase, f"not covered: {fault}", sum(r.stat is not None for r in shown))
        return held_against(endpoint, phrase, shown, second, {row_place(r) for r in result.rows if is_masked(r)})

    def interactions(self, endpoint: Endpoint, phrase: str) -> BothPrograms:
        """The interaction p of a subgroup of the study with the treatment, as the evidence has it."""
        source = self._source
        piece = piece_or_fault(source, endpoint.name, phrase, source.study.comparisons, endpoint.population)
        rows = [r for r in piece.rows if r.stat_name == "interaction_p"]
        try:
            with one_blas_thread():
                second = {n.place(): n for n in interactions(self._trial, endpoint, phrase)}
        except NotCovered as fault:
            return _nothing(endpoint, phrase, f"not covered: {fault}", sum(r.stat is not None for r in rows))
        return _each(endpoint, phrase, rows, second)

    def plan(self, population: str = "") -> BothPrograms:
        """The adjusted p of every hypothesis of the study's plan for multiplicity; nothing without a plan."""
        study, found = self._source.study, BothPrograms()
        try:
            with one_blas_thread():
                second = {n.place(): n for n in plan_numbers(self._trial, population)}
            first = gates(self._source, population)
        except (NotCovered, AlsbenchError) as fault:
            why = f"not covered: {fault}" if isinstance(fault, NotCovered) else f"the first program has no answer: {fault.what}"
            left = Uncompared("plan", OVERALL, why, len(study.multiplicity.hypotheses) if study.multiplicity else 0)
            return BothPrograms((("plan", OVERALL),), (), (left,))
        for gate in first:
            number = adjusted_number(study, (gate.endpoint, gate.comparison), gate.p_adjusted)
            endpoint = study.endpoints[gate.endpoint]
            found += _each(endpoint, OVERALL, [number], {k: v for k, v in second.items() if k == number.place()})
        return found


def _each(
    endpoint: Endpoint, phrase: str, first: Sequence[Row | Number], second: Mapping[tuple[object, ...], Number]
) -> BothPrograms:
    """Numbers of the first program and those of the second at the same places; those without a value on both sides are none."""
    rows = {_place(r): r for r in first}
    compared = []
    for place in dict.fromkeys([*rows, *second]):
        row, other = rows.get(place), second.get(place)
        one, two = row.stat if row is not None else None, other.stat if other is not None else None
        if one is None and two is None:
            continue
        error = other.error if other is not None else 0.0
        good, deviation = agree(str(place[-1]), one, two, fitted=endpoint.method in FITTED_METHODS, error=error)
        shown = row if row is not None else second[place]
        compared.append(Compared(endpoint.name, phrase, shown, one, two, good, deviation))
    return BothPrograms(((endpoint.name, phrase),), tuple(compared))


def _place(row: Row | Number) -> tuple[object, ...]:
    return row.place() if isinstance(row, Number) else row_place(row)


def _nothing(endpoint: Endpoint, phrase: str, why: str, numbers: int) -> BothPrograms:
    """Of a table nothing was compared."""
    return BothPrograms(((endpoint.name, phrase),), (), (_left(endpoint, phrase, why, numbers),))


def _left(endpoint: Endpoint, phrase: str, why: str, numbers: int) -> Uncompared:
    return Uncompared(endpoint.name, phrase, why, numbers)


def held_against(
    endpoint: Endpoint,
    phrase: str,
    shown: Sequence[Row],
    second: dict[tuple[object, ...], Number],
    hidden: set[tuple[object, ...]] | frozenset[tuple[object, ...]] = frozenset(),
) -> BothPrograms:
    """The rows of the first program that are ``shown`` against the numbers of the ``second``, by place; ``hidden`` are the
    places of rows that are not shown."""
    errors = {p[:-1]: float(r.stat) for r in shown if (p := row_place(r))[-1] == "se" and isinstance(r.stat, int | float)}
    compared: list[Compared] = []
    left: Counter[str] = Counter()
    fitted = endpoint.method in FITTED_METHODS
    unreached = _unreached(shown) if fitted else ""
    for row in shown:
        place = row_place(row)
        other = second[place].stat if place in second else None
        if not covers(endpoint, row.context, row.stat_name):
            if row.stat is not None:
                left[f"not covered: {row.context} {row.stat_name}"] += 1
        elif row.stat is not None or other is not None:
            error = second[place].error if place in second else 0.0
            se = errors.get(place[:-1], 0.0)
            good, deviation = agree(row.stat_name, row.stat, other, se, fitted=fitted, error=error)
            if unreached and not good:
                left[unreached] += 1
                continue
            compared.append(Compared(endpoint.name, phrase, row, row.stat, other, good, deviation))
    if hidden:  # a number of the second program only might be of what is hidden
        left["hidden by the mask"] = len(hidden)
    else:
        seen = {row_place(r) for r in shown}
        only = [n for place, n in second.items() if place not in seen and n.stat is not None]
        compared += [Compared(endpoint.name, phrase, n, None, n.stat, agrees=False, deviation=math.inf) for n in only]
    omitted = tuple(_left(endpoint, phrase, why, n) for why, n in left.items())
    return BothPrograms(((endpoint.name, phrase),), tuple(compared), omitted)


def _unreached(shown: Sequence[Row]) -> str:
    """Why a difference does not count: the first program's optimum is not reached, by the gradient that it prints."""
    found = [r.stat for r in shown if (r.context, r.stat_name) == ("model", "gradient") and isinstance(r.stat, int | float)]
    return f"the first program does not reach its optimum (gradient {max(found):.0e})" if max(found, default=0) > 1e-6 else ""


PRINTED = ("differences", "tables", "not_compared")  # of the sheets, in the order in which they are read


def verify(
    access: Access,
    endpoints: Sequence[str] = (),
    *,
    subgroups: Sequence[str] = (),
    population: str = "",
    method: str = "",
    covariance: str = "",
    df: str = "",
    options: Mapping[str, str] | None = None,
    mask: int = 0,
) -> Output:
    """The endpoints named (default: all) in the subgroups named (default: overall), by both programs; the rest as
    :func:`alsbench.service.endpoint.endpoint_question` takes it. A number on which they differ, or that one of them has alone,
    is a negative verdict; what the second program does not compute is listed and no agreement. Numbers that a mask hides are
    not compared. Raises UsageError for an endpoint, subgroup or option that is not there."""
    phrases = tuple(dict.fromkeys(subgroups or (OVERALL,)))
    words: dict[str, Any] = {"population": population, "method": method, "covariance": covariance, "df": df}
    with access.opened() as source:
        names = [source.endpoint(n).name for n in endpoints] or list(source.study.endpoints)
        source.population(population)  # a name that does not exist is the asker's error, not a table without an answer
        asked = [endpoint_question(source, n, subgroups=(p,), options=options, **words) for n in names for p in phrases]
        more = [w for p in subgroups for w in ("--subgroup", p)]
        more += [w for name, value in words.items() if value for w in (f"--{name}", value)]
        more += [w for name, value in sorted((options or {}).items()) for w in ("--option", f"{name}={value}")]
        command = access.repeat(shlex.join(["alsbench", "verify", *endpoints, *more]), k := access.mask(mask))
        program, found = SecondProgram(source), BothPrograms()
        for question in access.steps(asked, len(asked), "verifying"):
            found += verified(access, source, program, question, k, command)
        if not any((*words.values(), options)) and not k:
            found += of_evidence(program, source, names, phrases)
        sheets = verification_sheets(found, (*source_facts(source), ("Command", command)))
    printed = [sheets[name] for name in PRINTED if sheets[name].records or name == "tables"]
    kept = [sheets[name] for name in ("numbers", "not_compared", "tables")]
    return sheets_output(access, *kept, printed=printed, failed=bool(found.differing))


def of_evidence(program: SecondProgram, source: Source, names: Sequence[str], phrases: Sequence[str]) -> BothPrograms:
    """What the evidence has beside the tables of endpoints: interactions of the subgroups among the phrases, and, where every
    endpoint of the plan for multiplicity is asked for, its adjusted p. Both rest on more than one cell: a mask hides them."""
    found = BothPrograms()
    subgroups = {s.name for s in source.study.subgroups}
    for name in names:
        if method_info(source.endpoint(name).method).summary is not None:
            for phrase in (p for p in phrases if p in subgroups):
                found += program.interactions(source.endpoint(name), phrase)
    plan = source.study.multiplicity
    if plan is not None and OVERALL in phrases and {h.endpoint for h in plan.hypotheses} <= set(names):
        found += program.plan()
    return found


def verified(
    access: Access, source: Source, program: SecondProgram, question: Question, k: int = 0, command: str = ""
) -> BothPrograms:
    """A question of one subgroup phrase answered by both programs, counts below ``k`` hidden; entered in the log as a look."""
    endpoint, (phrase,) = apply_overrides(source.endpoint(question.endpoint), question), question.subgroups
    try:
        result = answered(question, source, k)
    except AlsbenchError as fault:
        return _nothing(endpoint, phrase, f"the first program has no answer: {fault.what}", 0)
    log_look(access, result.with_command(command) if command else result, source.study)
    return program.beside(result, endpoint.model_copy(update={"population": result.question["population"]}), phrase)


def row_place(row: Row) -> tuple[object, ...]:
    """As :meth:`Number.place`."""
    return (row.context, row.arm, row.treatment, row.reference, row.visit_number, row.variable, row.level, row.stat_name)


def verification_sheets(found: BothPrograms, facts: tuple[tuple[str, str], ...] = ()) -> dict[str, Sheet]:
    """What both programs say: ``tables``, by endpoint and subgroup; ``differences``, the numbers on which they differ, and
    ``numbers``, all of both, each worst first; ``not_compared``, how many were not, and why."""
    bad, notes = found.differing, (found.summary,)
    texts = ("endpoint", "subgroup", "verdict", "class", "context", "place", "statistic")
    fields = [Field(key, key.capitalize()) for key in texts]
    fields += [Field(key, key.capitalize(), number=True) for key in ("first", "second", "deviation")]
    agreeing = sorted((c for c in found.compared if c.agrees), key=lambda c: -c.deviation)
    kinds = (
        *(Field(key, key.capitalize()) for key in ("endpoint", "subgroup", "why")),
        Field("numbers", "Numbers", number=True),
    )
    omitted = tuple((u.endpoint, u.subgroup, u.why, u.numbers) for u in found.uncompared)
    counts = [Field("endpoint", "Endpoint"), Field("subgroup", "Subgroup")]
    headings = {"compared": "Compared", "differ": "Differ", "not_compared": "Not compared", "deviation": "Largest deviation"}
    counts += [Field(key, heading, number=True) for key, heading in headings.items()]
    sheets = (
        Sheet("tables", "Two programs, by endpoint and subgroup", tuple(counts), tuple(_tables(found)), facts, notes),
        Sheet("differences", "Numbers on which the two programs differ", tuple(fields), tuple(_records(bad))),
        Sheet("not_compared", "Not compared", kinds, omitted),
        Sheet("numbers", "Numbers of both programs", tuple(fields), tuple(_records([*bad, *agreeing])), facts, notes),
    )
    return {sheet.name: sheet for sheet in sheets}


def _tables(found: BothPrograms) -> Iterator[tuple[str | float | int | None, ...]]:
    """How many numbers of each table were compared, differ and were not compared; the largest deviation of those that agree."""
    for endpoint, phrase in dict.fromkeys(found.tables):
        own = [c for c in found.compared if (c.endpoint, c.subgroup) == (endpoint, phrase)]
        good = [c.deviation for c in own if c.agrees]
        left = sum(u.numbers for u in found.uncompared if (u.endpoint, u.subgroup) == (endpoint, phrase))
        yield endpoint, phrase, len(own), len(own) - len(good), left, _two_digits(max(good)) if good else None


def _records(found: Sequence[Compared]) -> Iterator[tuple[str | float | int | None, ...]]:
    for c in found:
        visit = c.row.visit if isinstance(c.row, Number) else c.row.visit_number
        sides = f"{c.row.treatment} vs {c.row.reference}" if c.row.treatment else ""
        words = (c.row.arm, sides, f"visit {visit:g}" if visit is not None else "", c.row.variable, c.row.level)
        place = ", ".join(w for w in words if w)
        numbers = (v if isinstance(v, int | float) else None for v in (c.first, c.second))
        deviation = _two_digits(c.deviation) if math.isfinite(c.deviation) else None
        verdict = "agrees" if c.agrees else "differs"
        yield (c.endpoint, c.subgroup, verdict, c.agreement, c.row.context, place, c.row.stat_name, *numbers, deviation)


def _two_digits(deviation: float) -> float:
    return float(f"{deviation:.1e}")
