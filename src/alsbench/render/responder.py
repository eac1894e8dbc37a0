"""Tables of responders and of disease stages: counts by visit, arms beside each other or one below the other."""

from __future__ import annotations

from alsbench.render.formats import format_stat
from alsbench.render.lookup import Place, Rows, Stats, Visit, interval_cell, value_cell
from alsbench.render.page import Block, Cell, Column, Line, label
from alsbench.render.table_one import count_cell


def responder_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Visits down; responders of each arm and the differences between arms across."""
    found = rows.places("arm", subgroup, _at_visit)
    pairs = list(dict.fromkeys(p.pair for p in rows.places("contrast", subgroup, _at_visit)))
    arms = list(dict.fromkeys(p.arm for p in found))
    columns = [label("Visit")]
    for arm in arms:
        columns += [Column("n", arm or ""), Column("responders (%)", arm or "")]
    columns += [Column("Difference, % points (95% CI)", f"{t} vs {r}") for t, r in pairs]
    lines = []
    for visit in dict.fromkeys(p.visit for p in found):
        cells = [Cell(_name(visit))]
        for arm in arms:
            stats = rows.get("arm", subgroup, arm=arm, visit=visit)
            cells += [value_cell(stats, "n"), count_cell(stats)]
        for pair in pairs:
            stats = rows.get("contrast", subgroup, pair=pair, visit=visit)
            cells.append(interval_cell(stats, "risk_difference", "risk_difference_low", "risk_difference_high"))
        lines.append(Line(tuple(cells)))
    return [Block("", tuple(columns), tuple(lines))] if lines else []


def staging_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """For each staging system and arm: visits down, subjects in each stage across."""
    found = rows.places("arm", subgroup, lambda p: p.visit != (None, None) and p.variable is not None)
    blocks = []
    for system, arm in dict.fromkeys((p.variable, p.arm) for p in found):
        mine = [p for p in found if (p.variable, p.arm) == (system, arm)]
        levels = list(dict.fromkeys(p.level for p in mine if p.level is not None))
        columns = (label("Visit"), Column("known"), *(Column(level, "stage, n (%)") for level in levels))
        lines = []
        for visit in dict.fromkeys(p.visit for p in mine):
            whole = rows.get("arm", subgroup, arm=arm, visit=visit, variable=system)
            cells = [_share(rows.get("arm", subgroup, arm=arm, visit=visit, variable=system, level=v)) for v in levels]
            lines.append(Line((Cell(_name(visit)), _known(whole), *cells)))
        blocks.append(Block(f"{system}, {arm}", columns, tuple(lines)))
    return blocks


def _share(stats: Stats) -> Cell:
    """``12 (52.2)``: a count with its percentage under a heading that says so."""
    cell = count_cell(stats)
    return Cell(cell.text.replace("%", ""), cell.rows)


def _known(stats: Stats) -> Cell:
    """``44/47``: subjects whose stage is known, of all."""
    n, missing = stats.get("n"), stats.get("n_missing")
    if n is None or missing is None or not isinstance(n.stat, int) or not isinstance(missing.stat, int):
        return value_cell(stats, "n")
    return Cell(f"{n.stat}/{n.stat + missing.stat}", (n, missing))


def _at_visit(where: Place) -> bool:
    return where.visit != (None, None) and where.variable is None


def _name(visit: Visit) -> str:
    return visit[0] or ("" if visit[1] is None else format_stat("horizon", visit[1]))
