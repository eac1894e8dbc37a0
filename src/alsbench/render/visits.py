"""MMRM and ANCOVA in print: visits down, arms and comparisons across; ratios where the scale is logarithmic. Beside the model
of the observed values stand the analyses of imputed ones, and the delta at which the conclusion tips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alsbench.render.formats import MASKED, format_stat
from alsbench.render.page import EMPTY, Column, Line, PageBlock, TextCell, label
from alsbench.render.result_rows import (
    NO_PAIR,
    Pair,
    ResultRows,
    RowKey,
    Stats,
    Visit,
    interval_cell,
    shown,
    spread_cell,
    value_cell,
)
from alsbench.render.titles_footnotes import CI

IMPUTED, TIPPING = "imputed", "tipping point"


def visit_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
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


def _visit_block(rows: ResultRows, subgroup: str, arm_places: list[RowKey], contrasts: list[RowKey], pair: Pair) -> PageBlock:
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
        cells = [TextCell(visit_name(visit) or level or "")]
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
    return PageBlock(title, tuple(columns), tuple(lines), below_limit_notes(rows, subgroup, pair))


def below_limit_notes(rows: ResultRows, subgroup: str, pair: Pair = NO_PAIR) -> tuple[str, ...]:
    """How many values of each arm were below the limit of quantification, by visit where there are visits."""
    found: dict[str, list[str]] = {}
    for p in rows.places("arm", subgroup, lambda p: p.pair == pair and "n_below_lloq" in rows.at[p]):
        row = rows.at[p]["n_below_lloq"]
        counts = found.setdefault(p.arm or "", [])
        if row.stat != 0:
            counts.append(" ".join(t for t in (visit_name(p.visit), shown(row)) if t))
    arms = "; ".join(f"{arm} {', '.join(counts) or 'none'}" for arm, counts in found.items())
    return (f"Values below the limit of quantification: {arms if any(found.values()) else 'none'}",) if found else ()


def _contrast(stats: Stats, log_scale: bool) -> TextCell:
    if log_scale:
        return interval_cell(stats, "ratio", "ratio_low", "ratio_high")
    return interval_cell(stats, "difference", "conf_low", "conf_high")


def first_visit_block(rows: ResultRows, subgroup: str) -> PageBlock | None:
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
        cells = [TextCell(f"{p.pair[0]} vs {p.pair[1]}")]
        for name, words in named:
            row = rows.at[p].get(name)
            if row is not None and row.warning and row.stat is not None:
                notes[f"{p.pair[0]} vs {p.pair[1]}: {words} {shown(row)}, but {row.warning}"] = None
            cell = value_cell(rows.at[p], name)
            cells.append(_never(cell, name))
            visit = cell.rows[0].stat if cell.rows else None
            if adjusted:
                at = adjusted.get((p.pair, visit)) if isinstance(visit, int | float) else None
                cells.append(value_cell(at, "p_adjusted") if at else TextCell(""))
        lines.append(Line((*cells, value_cell(rows.at[p], "visits_tested"))))
    return PageBlock("", (*columns, Column("visits tested")), tuple(lines), tuple(notes))


def _never(cell: TextCell, name: str) -> TextCell:
    missing = cell.rows and cell.rows[0].stat is None and cell.text != MASKED
    return TextCell("never", cell.rows) if missing and name != "visits_tested" else cell


def _times(places: Sequence[RowKey]) -> list[tuple[Visit, str | None]]:
    """Visits in their order, then what belongs to no visit: an average over visits."""
    found = dict.fromkeys((p.visit, p.level) for p in places)
    return sorted(found, key=lambda at: (at[0][1] is None, at[0][1] if at[0][1] is not None else 0.0))


def visit_name(visit: Visit) -> str:
    """The label, else the number, else nothing."""
    if visit[0]:
        return visit[0]
    return "" if visit[1] is None else format_stat("horizon", visit[1])


def imputation_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
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
        lines.append(Line((TextCell(about),), heading=True))
        lines += [_line(rows, p, False, log_scale), _line(rows, p, True, log_scale)]
    return [
        PageBlock("Missing values imputed", columns, tuple(_filled(line, len(columns)) for line in lines)),
        _tipping(rows, subgroup, log_scale),
        *_grids(rows, subgroup, log_scale),
    ]


def _filled(line: Line, size: int) -> Line:
    return Line((*line.cells, *(EMPTY for _ in range(size - len(line.cells)))), line.heading)


def _line(rows: ResultRows, where: RowKey, imputed: bool, log_scale: bool) -> Line:
    """The comparison as the observed values have it, or with the missing ones imputed."""
    at: dict[str, Any] = {"variable": IMPUTED, "level": where.level} if imputed else {}
    own: dict[str, Any] = at | {"pair": where.pair} if imputed else {}
    means = [rows.get("arm", where.subgroup, arm=arm, visit=where.visit, **own) for arm in where.pair]
    stats = rows.get("contrast", where.subgroup, pair=where.pair, visit=where.visit, **at)
    counts = [m["n_imputed"] for m in means if "n_imputed" in m]
    cells = [
        TextCell(f"  {where.level if imputed else 'observed, MMRM'}"),
        TextCell(", ".join(shown(r) for r in counts), tuple(counts)),
    ]
    for m in means:
        cells.append(interval_cell(m, "gmr", "gmr_low", "gmr_high") if log_scale else spread_cell(m, "ls_mean", "se"))
    return Line((*cells, _contrast(stats, log_scale), value_cell(stats, "p_value")))


def _tipping(rows: ResultRows, subgroup: str, log_scale: bool) -> PageBlock:
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
            Line((TextCell(f"{p.pair[0]} vs {p.pair[1]}"), TextCell(p.visit[0] or ""), *(value_cell(stats, n) for n in names)))
        )
        if stats[names[0]].warning:
            notes[f"{p.pair[0]} vs {p.pair[1]}: {stats[names[0]].warning}"] = None
    return PageBlock("Tipping point: shift of the treatment arm's imputed values", columns, tuple(lines), tuple(notes))


def _grids(rows: ResultRows, subgroup: str, log_scale: bool) -> list[PageBlock]:
    """The grid of each comparison that has something to tip."""
    found = rows.places("contrast", subgroup, lambda p: p.variable == TIPPING)
    tips = {(p.pair, p.visit): rows.at[p]["tipping_delta"] for p in found if "tipping_delta" in rows.at[p]}
    idle = {at for at, row in tips.items() if row.error and not row.warning}  # a warning: it does not tip within the grid
    steps = [p for p in found if (p.level or "").startswith("delta ") and (p.pair, p.visit) not in idle]
    blocks = []
    for pair, visit in dict.fromkeys((p.pair, p.visit) for p in steps):
        lines = tuple(
            Line(
                (
                    TextCell((p.level or "").removeprefix("delta ")),
                    _contrast(rows.at[p], False),
                    value_cell(rows.at[p], "p_value"),
                )
            )
            for p in steps
            if (p.pair, p.visit) == (pair, visit)
        )
        title = f"{pair[0]} vs {pair[1]}, {visit[0]}: by delta"
        measure = "Log difference" if log_scale else "Difference"
        blocks.append(PageBlock(title, (label("Delta"), Column(f"{measure} {CI}"), Column("p")), lines))
    return blocks
