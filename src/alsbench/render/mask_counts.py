"""Counts of a plain table, and the checks of a finding, without small cells.

Counts are subjects by subgroup and arm, under what column they stand. The sums are those of a result: subgroup and complement
make overall, arms make the total.

A check that looks at more than the subgroup, its complement and everybody (successive cuts, one subject left out, single pairs,
classes within an arm) shows sets that differ by a few subjects; what it found is not masked but left out. So is every check
where the subgroup or its complement has a small arm: each rests on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from alsbench.analysis.result import Result, Row
from alsbench.render.formats import MASKED, absent
from alsbench.render.mask import COUNTED, check_limit, is_masked, mask_rows
from alsbench.render.mask_audit import Sets
from alsbench.render.mask_words import hide_in_line

WHOLE = frozenset(
    {"bottom_line", "overall", "complement", "interaction", "visits", "alternatives", "rerandomisation", "chance"}
)
ABOUT = frozenset({"Endpoint", "Population", "Subgroup", "Arms", "Plan", "POST HOC", "DEVIATION", "Data"})


@dataclass(frozen=True)
class Count:
    """Where a count stands: the subgroup phrase, the arm (None: all of them), the column."""

    subgroup: str
    arm: str | None
    column: str = "n"


def masked_counts(counts: Mapping[Count, int | None], k: int, sets: Sets | None = None) -> dict[Count, int | str | None]:
    """Every count as it may be shown: the number, ``<k`` or ``masked``. What is no count (None) stays so.

    Give the counts of complement and overall too, so that what is hidden does not depend on what is asked for.
    """
    check_limit(k)
    known = {place: n for place, n in counts.items() if n is not None}
    rows = mask_rows([_row(place, n) for place, n in known.items()], k, sets)
    shown = {place: absent(r.error) if is_masked(r) else n for (place, n), r in zip(known.items(), rows, strict=True)}
    return {place: shown.get(place) for place in counts}


def small(count: int | None, k: int) -> int | str | None:
    """A count that stands alone."""
    return f"<{k}" if k and count is not None and count < k else count


def _row(place: Count, n: int) -> Row:
    return Row("", "mmrm", "", place.subgroup, "subgroup", "n", n, arm=place.arm, variable=place.column)


def masked_check(
    check: str, result: Result, k: int, sizes: Iterable[Row], own: Collection[str], sets: Sets | None = None
) -> Result:
    """One check as it may be shown. ``sizes`` are the counts by arm of subgroups, ``own`` those that the finding rests on."""
    check_limit(k)
    small = any(is_masked(row) and row.subgroup in own for row in mask_rows(tuple(dict.fromkeys(sizes)), k, sets))
    lines = [(name, hide_in_line(name, text)) for name, text in result.facts.lines]
    rows = tuple(
        replace(r, stat=None, error=f"{MASKED}: <{k}") if r.stat_name in COUNTED and r.number() < k else r for r in result.rows
    )
    if check not in WHOLE or small:
        why = "an arm of the subgroup or of its complement is small" if small else "it tells of single subjects"
        rows, lines = (), [("Verdict", f"{MASKED}: {why}"), *(line for line in lines if line[0] in ABOUT)]
    made = replace(result, rows=rows, warnings=(), facts=replace(result.facts, lines=tuple(lines)))
    return made.with_command(f"{result.provenance.command} --mask {k}")
