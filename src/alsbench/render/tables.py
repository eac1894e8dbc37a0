"""The page of a result: one generic shape for each method, made from its rows and facts and nothing else.

Visits (or arms) run down, arms and comparisons across; an estimate never stands without its standard error or interval.
"""

from __future__ import annotations

from dataclasses import replace

from alsbench.analysis.result import Result
from alsbench.render.figures import visit_figures
from alsbench.render.imputed import imputation_blocks
from alsbench.render.joint_rank import joint_rank_blocks
from alsbench.render.lookup import Rows, problems, shown
from alsbench.render.model_facts import model_block, subject_blocks
from alsbench.render.page import Block, Page, label
from alsbench.render.responder import responder_blocks, staging_blocks
from alsbench.render.slopes import slope_blocks
from alsbench.render.standing import marked_title, page_facts, page_footnotes
from alsbench.render.survival import survival_blocks, timed_blocks
from alsbench.render.table_one import baseline_blocks, incidence_blocks
from alsbench.render.visits import visit_blocks


def endpoint_page(result: Result, *, model: bool = False) -> Page:
    """Title, facts, one block or more for each subgroup, and footnotes; with ``model`` the facts of each fit too."""
    rows = Rows.of(result)
    blocks: list[Block] = []
    for subgroup in rows.subgroups():
        found = subgroup_blocks(result, rows, subgroup)
        fitted = model_block(result, subgroup)
        if model and fitted.lines:
            found = [*found, fitted]
        heading = subgroup_heading(rows, subgroup)
        notes = problems(r for r in result.rows if r.subgroup == subgroup)
        if not found:
            found = [Block("", (label("Nothing could be estimated"),), ())]
        first, *rest = found
        found = [replace(first, title=" · ".join(t for t in (heading, first.title) if t)), *rest]
        last = found[-1]
        found[-1] = replace(last, notes=(*last.notes, *notes))
        blocks += found
    title = marked_title(result.facts.title, result.provenance)
    figures = tuple(f for s in rows.subgroups() for f in visit_figures(result, s, f"{title} · {subgroup_heading(rows, s)}"))
    return Page(title, tuple(blocks), page_facts(result), page_footnotes(result), figures)


def subgroup_blocks(result: Result, rows: Rows, subgroup: str) -> list[Block]:
    """The blocks of one subgroup, by the shape of the result's method."""
    method = next((r.method for r in result.rows if r.subgroup == subgroup), "")
    if method in {"mmrm", "ancova"}:
        blocks = [*visit_blocks(rows, subgroup), *imputation_blocks(rows, subgroup)]
    elif method == "joint_rank":
        blocks = joint_rank_blocks(rows, subgroup)
    elif method == "slope":
        blocks = slope_blocks(rows, subgroup)
    elif method == "time_to_event":
        blocks = survival_blocks(rows, subgroup)
    elif method in {"responder", "staging"}:
        counted = responder_blocks if method == "responder" else staging_blocks
        blocks = [*counted(rows, subgroup), *timed_blocks(rows, subgroup)]
    elif method == "baseline":
        blocks = baseline_blocks(rows, subgroup)
    else:
        blocks = incidence_blocks(rows, subgroup)
    return blocks + subject_blocks(rows, subgroup)


def subgroup_heading(rows: Rows, subgroup: str) -> str:
    """``slow, n = 61, cut 1.0123``: the subgroup with its realised cut-offs."""
    parts = [subgroup]
    for where in rows.places("subgroup", subgroup):
        stats = rows.at[where]
        about = where.level or where.variable
        if "n" in stats and where.arm is None and about is None:
            parts.append(f"n = {shown(stats['n'])}")
        if "cut" in stats:
            parts.append(f"cut {about} = {shown(stats['cut'])}" if about else f"cut {shown(stats['cut'])}")
        if "interaction_p" in stats:
            parts.append(f"interaction p ({where.pair[0]}) {shown(stats['interaction_p'])}")
    return ", ".join(parts)
