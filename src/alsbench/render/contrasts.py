"""Comparisons down, estimates with their limits and plain values across: the shape that slopes and times to event share."""

from __future__ import annotations

from collections.abc import Sequence

from alsbench.render.lookup import Rows, interval_cell, value_cell
from alsbench.render.page import Block, Cell, Column, Line, label
from alsbench.render.standing import CI


def contrast_block(
    rows: Rows,
    subgroup: str,
    estimates: Sequence[tuple[str, str, str | None, str | None]],
    values: Sequence[tuple[str, str]],
) -> list[Block]:
    """Comparisons down; each estimate with its limits, then plain values; columns nobody filled are left out."""
    places = [p for p in rows.places("contrast", subgroup) if p.level is None]
    columns = [label("Comparison")]
    cells: list[list[Cell]] = [[Cell(f"{p.pair[0]} vs {p.pair[1]}") for p in places]]
    for title, name, low, high in estimates:
        bounds = (low or f"{name}_low", high or f"{name}_high")
        cells.append([interval_cell(rows.at[p], name, *bounds) for p in places])
        columns.append(Column(f"{title} {CI}"))
    for title, name in values:
        cells.append([value_cell(rows.at[p], name) for p in places])
        columns.append(Column(title))
    kept = [0, *(j for j in range(1, len(columns)) if any(c.text for c in cells[j]))]
    lines = tuple(Line(tuple(cells[j][i] for j in kept)) for i in range(len(places)))
    return [Block("", tuple(columns[j] for j in kept), lines)] if places else []
