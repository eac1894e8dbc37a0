"""Random slopes in print: slopes by arm, then their differences and the slowing of decline in percent."""

from __future__ import annotations

from alsbench.render.contrasts import contrast_block
from alsbench.render.lookup import Rows, limits_cell, spread_cell, value_cell
from alsbench.render.page import Block, Cell, Column, Line, label


def slope_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Slopes by arm, and their differences."""
    columns = (label("Arm"), Column("n"), Column("Slope (SE)"), Column("95% CI"))
    lines = [
        Line((Cell(p.arm or ""), value_cell(s, "n"), spread_cell(s, "slope", "se"), limits_cell(s)))
        for p in rows.places("arm", subgroup)
        if "slope" in (s := rows.at[p])
    ]
    contrasts = contrast_block(
        rows,
        subgroup,
        (("Difference", "difference", "conf_low", "conf_high"), ("Slowing %", "percent_slowing", None, None)),
        (("df", "df"), ("p", "p_value")),
    )
    return [Block("", columns, tuple(lines)), *contrasts]
