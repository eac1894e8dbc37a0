"""Small cells hidden before anything is shown or exported (``Access.mask`` says below which K).

What is hidden does not depend on what is asked: complements, overall and the declared subgroups are counted beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from alsbench.analysis.kept import cached_answer
from alsbench.analysis.result import Row
from alsbench.analysis.subgroups import counts_by_arm, members
from alsbench.errors import DataError, ExpressionError
from alsbench.render.mask import masked, masked_evidence, negated
from alsbench.render.mask_counts import Count, masked_check, masked_counts
from alsbench.render.mask_words import hide_gates
from alsbench.study.phrase import parse_phrase, subgroup_names

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence
    from alsbench.analysis.question import Question
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import BoolArray, Source
    from alsbench.analysis.subgroups import Membership

MOST_DECLARED = 12  # subgroups of the study that are counted beside those asked for


def mask_answer(result: Result, question: Question, source: Source, k: int) -> Result:
    """The answer without small cells; complements and overall are answered too, so that no other export tells them."""
    if not k:
        return result

    names = canonical_names(source, dict.fromkeys(row.subgroup for row in result.rows))
    population = question.population or source.endpoint(question.endpoint).population
    sets = membership(source, names.values(), population)
    beside: list[Row] = []
    for phrase in sorted(set(sets) - set(names)):
        beside += cached_answer(replace(question.for_subgroup(phrase), subjects=False), source).rows
    hidden = masked(result, k, beside, names, sets)
    # an adjusted p rests on contrasts that are not in this table: whether they are hidden is not known here
    hidden = replace(hidden, facts=replace(hidden.facts, lines=hide_gates(hidden.facts.lines)))
    return hidden.with_command(f"{hidden.provenance.command} --mask {k}")


def mask_evidence(evidence: Evidence, source: Source, k: int, population: str = "", beside: Iterable[Row] = ()) -> Evidence:
    """The evidence without small cells. ``beside`` are rows of the subgroups of the study that are not among its columns."""
    if not k:
        return evidence

    names = canonical_names(source, evidence.columns)
    sets = membership(source, names.values(), population)
    rows = tuple(beside)
    other = canonical_names(source, dict.fromkeys(row.subgroup for row in rows))
    besides = [replace(row, subgroup=other[row.subgroup]) for row in rows if other[row.subgroup] not in names.values()]
    hidden = masked_evidence(evidence, k, names, sets, besides)
    return replace(hidden, result=hidden.result.with_command(f"{hidden.result.provenance.command} --mask {k}"))


def mask_check(check: str, result: Result, source: Source, subgroup: str, population: str, k: int) -> Result:
    """One check of a finding without small cells."""
    if not k:
        return result

    own = canonical_names(source, [subgroup])[subgroup]
    sets = membership(source, [own], population)
    sizes: list[Row] = []
    for phrase, mask in sets.items():
        counts: list[tuple[str | None, int]] = [(None, int(mask.sum())), *counts_by_arm(source, mask).items()]
        for arm, n in counts:
            sizes.append(Row("", "mmrm", population, phrase, "subgroup", "n", n, arm=arm))
    return masked_check(check, result, k, sizes, {"overall", *around(own)}, sets)


def mask_members(source: Source, parts: Mapping[str, Membership], k: int) -> dict[Count, int | str | None]:
    """Members of subgroups by phrase and arm, and the undecided, as they may be shown."""
    names = canonical_names(source, parts)
    sets = membership(source, names.values(), others=k > 0)
    counts: dict[Count, int | None] = {}
    for phrase, mask in sets.items():
        counts[Count(phrase, None)] = int(mask.sum())
        counts |= {Count(phrase, arm): n for arm, n in counts_by_arm(source, mask).items()}
    shown = masked_counts(counts, k, sets) if k else dict(counts)
    made: dict[Count, int | str | None] = {}
    for phrase, name in names.items():
        made |= {replace(place, subgroup=phrase): value for place, value in shown.items() if place.subgroup == name}
        sizes = [shown[Count(n, None)] for n in ("overall", *around(name))]
        undecided = parts[phrase].n_undecided
        told = f"<{k}" if undecided < k else "masked" if any(isinstance(v, str) for v in sizes) else undecided
        made[Count(phrase, None, "undecided")] = told if k else undecided
    return made


def canonical_names(source: Source, phrases: Iterable[str]) -> dict[str, str]:
    """Each phrase in subgroup names only: a named complement is the complement."""
    known = subgroup_names(source.study)
    return {phrase: parse_phrase(phrase, known).canonical() for phrase in phrases}


def declared(source: Source) -> tuple[str, ...]:
    """The subgroups of the study and their complements: whatever is asked, what is hidden takes account of them."""
    return tuple(p for s in source.study.subgroups[:MOST_DECLARED] for p in (s.name, f"not {s.name}"))


def membership(source: Source, phrases: Iterable[str], population: str = "", *, others: bool = True) -> dict[str, BoolArray]:
    """Who is in overall, in ``phrases`` and their parts; with ``others`` in every declared subgroup and its complement.

    A declared subgroup whose condition cannot be decided in these data can be shown nowhere, and is left out.
    """
    asked = dict.fromkeys(["overall", *(n for phrase in phrases for n in around(phrase))])
    found = {phrase: members(source, phrase, population).mask for phrase in asked}
    for phrase in declared(source) if others else ():
        if phrase not in found:
            with suppress(DataError, ExpressionError):
                found[phrase] = members(source, phrase, population).mask
    return found


def around(phrase: str) -> tuple[str, ...]:
    """The phrase and its complement; for an intersection also every other of its parts and of what they make."""
    parts = [p for p in phrase.split(" and ") if p != "overall"]
    choices = product(*(("", p, negated(p)) for p in parts))
    found = [" and ".join(p for p in chosen if p) for chosen in choices]
    return tuple(dict.fromkeys([phrase, *(f for f in found if f)]))
