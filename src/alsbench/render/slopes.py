"""Random slopes in print: slopes by arm, then their differences and the slowing of decline in percent.

On a logarithmic scale a slope of 0.003 says little: the ratio of one month to the month before is printed instead.
"""

from __future__ import annotations

from alsbench.render.contrasts import contrast_block
from alsbench.render.lookup import Rows, interval_cell, limits_cell, spread_cell, value_cell
from alsbench.render.page import Block, Cell, Column, Line, label
from alsbench.render.standing import CI
from alsbench.render.visits import below_limit_notes


def slope_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Slopes by arm, and their differences."""
    places = [p for p in rows.places("arm", subgroup) if "slope" in rows.at[p]]
    log_scale = any("gmr" in rows.at[p] for p in places)
    lines = []
    for p in places:
        s = rows.at[p]
        slope = (
            [interval_cell(s, "gmr", "gmr_low", "gmr_high")] if log_scale else [spread_cell(s, "slope", "se"), limits_cell(s)]
        )
        lines.append(Line((Cell(p.arm or ""), value_cell(s, "n"), *slope)))
    heads = (f"Ratio per month {CI}",) if log_scale else ("Slope (SE)", "95% CI")
    columns = (label("Arm"), Column("n"), *(Column(head) for head in heads))
    difference = (
        ("Ratio of ratios", "ratio", "ratio_low", "ratio_high")
        if log_scale
        else ("Difference", "difference", "conf_low", "conf_high")
    )
    contrasts = contrast_block(
        rows,
        subgroup,
        (difference, ("Slowing %", "percent_slowing", None, None)),
        (("df", "df"), ("p", "p_value")),
    )
    return [Block("", columns, tuple(lines), below_limit_notes(rows, subgroup)), *contrasts]
