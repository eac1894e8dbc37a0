"""Times to event in print: events and medians by arm, hazard ratios and log-rank tests, what is left at the days asked for."""

from __future__ import annotations

from dataclasses import replace

from alsbench.render.contrasts import contrast_block
from alsbench.render.lookup import Place, Rows, Stats, interval_cell, spread_cell, value_cell
from alsbench.render.page import Block, Cell, Column, Line, label
from alsbench.render.standing import CI


def survival_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Events and medians by arm; survival and restricted means at the days asked for; hazard ratios and log-rank tests."""
    places = [p for p in rows.places("arm", subgroup) if p.visit == (None, None) and p.level is None]
    columns = (label("Arm"), Column("n"), Column("Events"), Column(f"Median days {CI}"))
    lines = []
    for p in places:
        s = rows.at[p]
        median = interval_cell(s, "median", *_around(s, "median"))
        lines.append(Line((_arm(p), value_cell(s, "n"), value_cell(s, "events"), median)))
    contrasts = contrast_block(
        rows,
        subgroup,
        (("Hazard ratio", "hazard_ratio", "hr_low", "hr_high"),),
        (("p (Cox)", "p_value"), ("log-rank p", "log_rank_p"), ("PH p", "ph_p")),
    )
    return [Block("", columns, tuple(lines)), *contrasts, *_at_days(rows, subgroup)]


def timed_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Times derived from visits, each under its own name: events, medians, hazard ratios, restricted means."""
    places = rows.places("arm", subgroup, lambda p: p.variable is not None and "events" in rows.at[p])
    blocks: list[Block] = []
    for variable in dict.fromkeys(p.variable for p in places):
        mine = Rows.of(
            replace(r, variable=None) for p, stats in rows.at.items() if p.variable == variable for r in stats.values()
        )
        first, *rest = survival_blocks(mine, subgroup)
        name = variable or ""
        blocks += [replace(first, title=name[:1].upper() + name[1:]), *rest]
    return blocks


def _at_days(rows: Rows, subgroup: str) -> list[Block]:
    """Survival and restricted mean at each day, by arm, and differences of restricted means."""
    found = rows.places("arm", subgroup, lambda p: p.level is not None)
    lines = []
    for p in found:
        s = rows.at[p]
        survival = interval_cell(s, "survival", "survival_low", "survival_high")
        lines.append(Line((Cell(p.level or ""), _arm(p), survival, spread_cell(s, "rmst", "rmst_se"))))
    lines.sort(key=lambda line: line.cells[0].text)
    columns = (label("At"), label("Arm"), Column(f"Event-free {CI}"), Column("Restricted mean (SE)"))
    blocks = [Block("", columns, tuple(lines))] if lines else []
    differences = []
    for p in rows.places("contrast", subgroup, lambda p: p.level is not None):
        s = rows.at[p]
        cell = interval_cell(s, "rmst_difference", "rmst_difference_low", "rmst_difference_high")
        differences.append(Line((Cell(p.level or ""), Cell(f"{p.pair[0]} vs {p.pair[1]}"), cell, value_cell(s, "rmst_p"))))
    heads = (label("At"), label("Comparison"), Column(f"RMST difference {CI}"), Column("p"))
    return [*blocks, *([Block("", heads, tuple(differences))] if differences else [])]


def _arm(where: Place) -> Cell:
    beside = f" (vs {where.pair[1]})" if where.pair[1] and where.pair[0] == where.arm else ""
    return Cell(f"{where.arm}{beside}")


def _around(stats: Stats, name: str) -> tuple[str, str]:
    return (f"{name}_low", f"{name}_high") if f"{name}_low" in stats else ("conf_low", "conf_high")
