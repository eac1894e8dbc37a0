"""The checks of a finding without small cells.

A check that looks at more than the subgroup, its complement and everybody (successive cuts, one subject left out, single pairs,
classes within an arm) shows sets that differ by a few subjects; what it found is not masked but left out. So is every check
where the subgroup or its complement has a small arm: each rests on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from alsbench.analysis.result import Result, Row
from alsbench.render.formats import MASKED
from alsbench.render.mask import COUNTED, check_limit, is_masked, mask_rows
from alsbench.render.mask_audit import Sets
from alsbench.render.mask_words import hide_in_line

WHOLE = frozenset({"overall", "complement", "interaction", "visits", "alternatives", "rerandomisation"})
ABOUT = frozenset({"Endpoint", "Population", "Subgroup", "Arms", "Plan", "POST HOC", "DEVIATION", "Data"})


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
