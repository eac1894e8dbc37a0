"""MMRM and ANCOVA in print: visits down, arms and comparisons across; ratios where the scale is logarithmic."""

from __future__ import annotations

from collections.abc import Sequence

from alsbench.render.formats import MASKED, format_stat
from alsbench.render.lookup import NO_PAIR, Pair, Place, Rows, Stats, Visit, interval_cell, shown, spread_cell, value_cell
from alsbench.render.page import Block, Cell, Column, Line, label
from alsbench.render.standing import CI


def visit_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """MMRM and ANCOVA: LS means by arm, then differences by comparison; ratios where the scale is logarithmic.

    A per-comparison model (two-arm ANCOVA) has its own LS means for each comparison: a block each.
    """
    arm_places = rows.places("arm", subgroup, lambda p: p.variable is None)
    contrasts = rows.places("contrast", subgroup, lambda p: p.variable is None and "difference" in rows.at[p])
    blocks = []
    for pair in dict.fromkeys(p.pair for p in arm_places):
        mine = contrasts if pair == NO_PAIR else [p for p in contrasts if p.pair == pair]
        blocks.append(_visit_block(rows, subgroup, [p for p in arm_places if p.pair == pair], mine, pair))
    if not arm_places and contrasts:
        blocks.append(_visit_block(rows, subgroup, [], contrasts, NO_PAIR))
    summary = first_visit_block(rows, subgroup)
    return [*blocks, *([summary] if summary else [])]


def _visit_block(rows: Rows, subgroup: str, arm_places: list[Place], contrasts: list[Place], pair: Pair) -> Block:
    times = _times([*arm_places, *contrasts])
    arms = list(dict.fromkeys(p.arm for p in arm_places))
    pairs = list(dict.fromkeys(p.pair for p in contrasts))
    log_scale = any("gmr" in rows.at[p] for p in arm_places) or any("ratio" in rows.at[p] for p in contrasts)
    columns = [label("Visit")]
    for arm in arms:
        columns += [Column("n", arm or ""), Column(f"GMR {CI}" if log_scale else "LS mean (SE)", arm or "")]
    adjusted = {p.pair for p in contrasts if "p_adjusted" in rows.at[p]}
    for treatment, reference in pairs:
        name = f"{treatment} vs {reference}"
        columns += [Column(f"{'Ratio' if log_scale else 'Difference'} {CI}", name), Column("p", name)]
        columns += [Column("adj. p", name)] if (treatment, reference) in adjusted else []
    lines = []
    for visit, level in times:
        cells = [Cell(visit_name(visit) or level or "")]
        for arm in arms:
            stats = rows.get("arm", subgroup, arm=arm, pair=pair, visit=visit, level=level)
            mean = interval_cell(stats, "gmr", "gmr_low", "gmr_high") if log_scale else spread_cell(stats, "ls_mean", "se")
            cells += [value_cell(stats, "n"), mean]
        for each in pairs:
            stats = rows.get("contrast", subgroup, pair=each, visit=visit, level=level)
            cells += [_contrast(stats, log_scale), value_cell(stats, "p_value")]
            cells += [value_cell(stats, "p_adjusted")] if each in adjusted else []
        lines.append(Line(tuple(cells)))
    title = f"{pair[0]} vs {pair[1]}" if pair != NO_PAIR and pair[0] else ""
    return Block(title, tuple(columns), tuple(lines), below_limit_notes(rows, subgroup, pair))


def below_limit_notes(rows: Rows, subgroup: str, pair: Pair = NO_PAIR) -> tuple[str, ...]:
    """How many values of each arm were below the limit of quantification, by visit where there are visits."""
    found: dict[str, list[str]] = {}
    for p in rows.places("arm", subgroup, lambda p: p.pair == pair and "n_below_lloq" in rows.at[p]):
        row = rows.at[p]["n_below_lloq"]
        counts = found.setdefault(p.arm or "", [])
        if row.stat != 0:
            counts.append(" ".join(t for t in (visit_name(p.visit), shown(row)) if t))
    arms = "; ".join(f"{arm} {', '.join(counts) or 'none'}" for arm, counts in found.items())
    return (f"Values below the limit of quantification: {arms if any(found.values()) else 'none'}",) if found else ()


def _contrast(stats: Stats, log_scale: bool) -> Cell:
    if log_scale:
        return interval_cell(stats, "ratio", "ratio_low", "ratio_high")
    return interval_cell(stats, "difference", "conf_low", "conf_high")


def first_visit_block(rows: Rows, subgroup: str) -> Block | None:
    """From which visit p stays below 0.05, beside the first visit of any significance and the visits tested."""
    places = [p for p in rows.places("contrast", subgroup) if "first_lasting_visit" in rows.at[p]]
    if not places:
        return None
    adjusted = {(p.pair, p.visit[1]): rows.at[p] for p in rows.places("contrast", subgroup) if "p_adjusted" in rows.at[p]}
    columns = [label("p < 0.05")]
    named = (("first_lasting_visit", "at every visit from"), ("first_visit", "first at"))
    for _, words in named:
        columns += [Column(words), *([Column("adj. p")] if adjusted else [])]
    lines = []
    notes = {"adj. p: max-t over the visits tested": None} if adjusted else {}
    for p in places:
        cells = [Cell(f"{p.pair[0]} vs {p.pair[1]}")]
        for name, words in named:
            row = rows.at[p].get(name)
            if row is not None and row.warning and row.stat is not None:
                notes[f"{p.pair[0]} vs {p.pair[1]}: {words} {shown(row)}, but {row.warning}"] = None
            cell = value_cell(rows.at[p], name)
            cells.append(_never(cell, name))
            visit = cell.rows[0].stat if cell.rows else None
            if adjusted:
                at = adjusted.get((p.pair, visit)) if isinstance(visit, int | float) else None
                cells.append(value_cell(at, "p_adjusted") if at else Cell(""))
        lines.append(Line((*cells, value_cell(rows.at[p], "visits_tested"))))
    return Block("", (*columns, Column("visits tested")), tuple(lines), tuple(notes))


def _never(cell: Cell, name: str) -> Cell:
    missing = cell.rows and cell.rows[0].stat is None and cell.text != MASKED
    return Cell("never", cell.rows) if missing and name != "visits_tested" else cell


def _times(places: Sequence[Place]) -> list[tuple[Visit, str | None]]:
    """Visits in their order, then what belongs to no visit: an average over visits."""
    found = dict.fromkeys((p.visit, p.level) for p in places)
    return sorted(found, key=lambda at: (at[0][1] is None, at[0][1] if at[0][1] is not None else 0.0))


def visit_name(visit: Visit) -> str:
    """The label, else the number, else nothing."""
    if visit[0]:
        return visit[0]
    return "" if visit[1] is None else format_stat("horizon", visit[1])
