"""Tables of imputed analyses: beside the model of the observed values, and the delta at which the conclusion tips."""

from __future__ import annotations

from typing import Any

from alsbench.render.lookup import Place, Rows, Stats, interval_cell, shown, spread_cell, value_cell
from alsbench.render.page import EMPTY, Block, Cell, Column, Line, label

IMPUTED, TIPPING = "imputed", "tipping point"
CI = "(95% CI)"


def imputation_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Observed and imputed differences under each other, then tipping points, then the delta grid of each comparison."""
    found = rows.places("contrast", subgroup, lambda p: p.variable == IMPUTED)
    if not found:
        return []
    log_scale = any("ratio" in rows.at[p] for p in found)
    mean, effect = (f"GMR {CI}", f"Ratio {CI}") if log_scale else ("LS mean (SE)", f"Difference {CI}")
    columns = (
        label("Missing values"),
        Column("imputed in\ntreatment, reference"),
        Column(f"{mean}\ntreatment"),
        Column(f"{mean}\nreference"),
        Column(effect),
        Column("p"),
    )
    lines = []
    for p in found:
        about = ", ".join(part for part in (f"{p.pair[0]} vs {p.pair[1]}", p.visit[0]) if part)
        lines.append(Line((Cell(about),), heading=True))
        lines += [_line(rows, p, False, log_scale), _line(rows, p, True, log_scale)]
    return [
        Block("Missing values imputed", columns, tuple(_filled(line, len(columns)) for line in lines)),
        _tipping(rows, subgroup, log_scale),
        *_grids(rows, subgroup, log_scale),
    ]


def _filled(line: Line, size: int) -> Line:
    return Line((*line.cells, *(EMPTY for _ in range(size - len(line.cells)))), line.heading)


def _line(rows: Rows, where: Place, imputed: bool, log_scale: bool) -> Line:
    """The comparison as the observed values have it, or with the missing ones imputed."""
    at: dict[str, Any] = {"variable": IMPUTED, "level": where.level} if imputed else {}
    own: dict[str, Any] = at | {"pair": where.pair} if imputed else {}
    means = [rows.get("arm", where.subgroup, arm=arm, visit=where.visit, **own) for arm in where.pair]
    stats = rows.get("contrast", where.subgroup, pair=where.pair, visit=where.visit, **at)
    counts = [m["n_imputed"] for m in means if "n_imputed" in m]
    cells = [
        Cell(f"  {where.level if imputed else 'observed, MMRM'}"),
        Cell(", ".join(shown(r) for r in counts), tuple(counts)),
    ]
    for m in means:
        cells.append(interval_cell(m, "gmr", "gmr_low", "gmr_high") if log_scale else spread_cell(m, "ls_mean", "se"))
    return Line((*cells, _effect(stats, log_scale), value_cell(stats, "p_value")))


def _effect(stats: Stats, log_scale: bool) -> Cell:
    if log_scale:
        return interval_cell(stats, "ratio", "ratio_low", "ratio_high")
    return interval_cell(stats, "difference", "conf_low", "conf_high")


def _tipping(rows: Rows, subgroup: str, log_scale: bool) -> Block:
    names = ("tipping_delta", "tipping_sd", "tipping_per_month")
    points = "log points" if log_scale else "points"
    columns = (label("Comparison"), label("Visit"), Column(points), Column("SDs observed"), Column(f"{points} per month"))
    lines = []
    notes: dict[str, None] = {}
    for p in rows.places("contrast", subgroup, lambda p: p.variable == TIPPING):
        stats = rows.at[p]
        if names[0] not in stats:
            continue
        lines.append(
            Line((Cell(f"{p.pair[0]} vs {p.pair[1]}"), Cell(p.visit[0] or ""), *(value_cell(stats, n) for n in names)))
        )
        if stats[names[0]].warning:
            notes[f"{p.pair[0]} vs {p.pair[1]}: {stats[names[0]].warning}"] = None
    return Block("Tipping point: shift of the treatment arm's imputed values", columns, tuple(lines), tuple(notes))


def _grids(rows: Rows, subgroup: str, log_scale: bool) -> list[Block]:
    """The grid of each comparison that has something to tip."""
    found = rows.places("contrast", subgroup, lambda p: p.variable == TIPPING)
    tips = {(p.pair, p.visit): rows.at[p]["tipping_delta"] for p in found if "tipping_delta" in rows.at[p]}
    idle = {at for at, row in tips.items() if row.error and not row.warning}  # a warning: it does not tip within the grid
    steps = [p for p in found if (p.level or "").startswith("delta ") and (p.pair, p.visit) not in idle]
    blocks = []
    for pair, visit in dict.fromkeys((p.pair, p.visit) for p in steps):
        lines = tuple(
            Line((Cell((p.level or "").removeprefix("delta ")), _effect(rows.at[p], False), value_cell(rows.at[p], "p_value")))
            for p in steps
            if (p.pair, p.visit) == (pair, visit)
        )
        title = f"{pair[0]} vs {pair[1]}, {visit[0]}: by delta"
        measure = "Log difference" if log_scale else "Difference"
        blocks.append(Block(title, (label("Delta"), Column(f"{measure} {CI}"), Column("p")), lines))
    return blocks
