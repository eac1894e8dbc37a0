"""Every endpoint computed again by a second program, and both answers held against each other."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsbench.analysis.kept import cached_answer
from alsbench.analysis.question import Question
from alsbench.errors import AlsbenchError
from alsbench.render.mask import is_masked
from alsbench.render.sheet import Field, Sheet
from alsbench.second.numbers import NotCovered, Number
from alsbench.second.program import answer, covers, fitted
from alsbench.second.trial import TrialTables, read_tables
from alsbench.service.access import Access
from alsbench.service.masks import mask_answer
from alsbench.service.output import Output, sheets_output, source_facts
from alsbench.service.trail import log_look
from alsbench.stats.agreement import agree

if TYPE_CHECKING:
    from alsbench.analysis.result import Row
    from alsbench.analysis.source import Source


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


def verify(access: Access, endpoints: Sequence[str] = (), *, subgroups: Sequence[str] = (), mask: int = 0) -> Output:
    """The endpoints named (default: all) in the subgroups named (default: overall), by both programs. A number on which they
    differ is a negative verdict; what the second program does not compute is listed and no agreement. Numbers that a mask hides
    are not compared. Raises UsageError for an endpoint or subgroup that is not there."""
    phrases = tuple(dict.fromkeys(subgroups or ("overall",)))
    with access.opened() as source:
        names = [source.endpoint(n).name for n in endpoints] or list(source.study.endpoints)
        command = access.repeat(
            shlex.join(["alsbench", "verify", *endpoints, *(w for p in subgroups for w in ("--subgroup", p))])
        )
        trial = TrialTables(source.study, read_tables(source.snapshot.path))
        compared: list[Compared] = []
        left: dict[tuple[str, str, str], int] = {}
        for name, phrase in access.steps([(n, p) for n in names for p in phrases], len(names) * len(phrases), "verifying"):
            _one(access, source, trial, name, phrase, access.mask(mask), command, compared, left)
        facts = (*source_facts(source), ("Command", command))
    return _output(access, compared, left, facts)


def _one(
    access: Access,
    source: Source,
    trial: TrialTables,
    name: str,
    phrase: str,
    k: int,
    command: str,
    compared: list[Compared],
    left: dict[tuple[str, str, str], int],
) -> None:
    """One endpoint in one subgroup: what was compared, and how many numbers were not, and why."""
    question = Question(endpoint=name, subgroups=(phrase,))
    endpoint = source.endpoint(name)
    try:
        result = mask_answer(cached_answer(question, source), question, source, k)
    except AlsbenchError as fault:
        left[name, phrase, f"the first program has no answer: {fault.what}"] = 0
        return
    log_look(access, result.with_command(command), source.study)
    shown = [r for r in result.rows if not is_masked(r)]
    try:
        second = {n.place(): n for n in answer(trial, endpoint, phrase)}
    except NotCovered as fault:
        left[name, phrase, f"not covered: {fault}"] = sum(r.stat is not None for r in shown)
        return
    hidden = {_place(r) for r in result.rows if is_masked(r)}
    errors = {(p[:-1]): float(r.stat) for r in shown if (p := _place(r))[-1] == "se" and isinstance(r.stat, int | float)}
    seen = set(hidden)
    for row in shown:
        place = _place(row)
        seen.add(place)
        if not covers(endpoint, row.context, row.stat_name):
            if row.stat is not None:
                key = (name, phrase, f"not covered: {row.context} {row.stat_name}")
                left[key] = left.get(key, 0) + 1
            continue
        other = second[place].stat if place in second else None
        if row.stat is None and row.error and other is not None:
            key = (name, phrase, f"the first program has none: {row.error}")
            left[key] = left.get(key, 0) + 1
        elif row.stat is not None or other is not None:
            error = second[place].error if place in second else 0.0
            se = errors.get(place[:-1], 0.0)
            good, deviation = agree(row.stat_name, row.stat, other, se, fitted=fitted(endpoint), error=error)
            compared.append(Compared(name, phrase, row, row.stat, other, good, deviation))
    if hidden:
        left[name, phrase, "hidden by the mask"] = len(hidden)
        return  # a number of the second program only might be of what is hidden
    for place, number in second.items():
        if place not in seen and number.stat is not None:
            compared.append(Compared(name, phrase, number, None, number.stat, agrees=False, deviation=math.inf))


def _place(row: Row) -> tuple[object, ...]:
    """As :meth:`Number.place`."""
    return (row.context, row.arm, row.treatment, row.reference, row.visit_number, row.variable, row.level, row.stat_name)


def _output(
    access: Access, compared: list[Compared], left: dict[tuple[str, str, str], int], facts: tuple[tuple[str, str], ...]
) -> Output:
    bad = sorted((c for c in compared if not c.agrees), key=lambda c: -c.deviation)
    largest = max((c.deviation for c in compared if c.agrees), default=0.0)
    good = f"{len(compared) - len(bad)} of {len(compared)} numbers agree with a second program"
    said = f"{good} (largest relative deviation {largest:.0e})" if compared else "No number was compared"
    out = sum(left.values())
    notes = (said, f"{out} numbers were not compared." if out else "Nothing was left out.")
    texts = ("endpoint", "subgroup", "verdict", "context", "place", "statistic")
    fields = [Field(key, key.capitalize()) for key in texts]
    fields += [Field(key, key.capitalize(), number=True) for key in ("first", "second", "deviation")]
    differing = Sheet(
        "differences", "Numbers on which the two programs differ", tuple(fields), tuple(_records(bad)), facts, notes
    )
    agreeing = sorted((c for c in compared if c.agrees), key=lambda c: -c.deviation)
    everything = Sheet("numbers", "Numbers of both programs", tuple(fields), tuple(_records([*bad, *agreeing])), facts, notes)
    kinds = (
        Field("endpoint", "Endpoint"),
        Field("subgroup", "Subgroup"),
        Field("why", "Why"),
        Field("numbers", "Numbers", number=True),
    )
    omitted = Sheet("not_compared", "Not compared", kinds, tuple((*key, count) for key, count in left.items()))
    printed = (differing, *((omitted,) if left else ()))
    return sheets_output(access, everything, omitted, printed=printed, failed=bool(bad))


def _records(found: Sequence[Compared]) -> Iterator[tuple[str | float | int | None, ...]]:
    for c in found:
        visit = c.row.visit if isinstance(c.row, Number) else c.row.visit_number
        sides = f"{c.row.treatment} vs {c.row.reference}" if c.row.treatment else ""
        words = (c.row.arm, sides, f"visit {visit:g}" if visit is not None else "", c.row.variable, c.row.level)
        place = ", ".join(w for w in words if w)
        numbers = (v if isinstance(v, int | float) else None for v in (c.first, c.second))
        deviation = c.deviation if math.isfinite(c.deviation) else None
        verdict = "agrees" if c.agrees else "differs"
        yield (c.endpoint, c.subgroup, verdict, c.row.context, place, c.row.stat_name, *numbers, deviation)
