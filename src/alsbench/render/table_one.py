"""Tables by variable and level: baseline characteristics ("Table 1") and incidences.

Arms run across with their N in the heading; numbers are summarised as mean (SD), median (Q1, Q3) and range, categories as
count and percent; comparisons add standardised mean differences or risk differences.
"""

from __future__ import annotations

from alsbench.render.page import EMPTY, Column, Line, PageBlock, TextCell, label
from alsbench.render.result_rows import (
    Pair,
    ResultRows,
    RowKey,
    Stats,
    interval_cell,
    shown,
    spread_cell,
    value_cell,
)

SUMMARIES = ("n", "Mean (SD)", "Median (Q1, Q3)", "Min, max")


def baseline_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
    """Variables down, arms across, standardised mean differences on the right."""
    arms, pairs = _arms(rows, subgroup), _pairs(rows, subgroup, "smd")
    columns = [label("Characteristic"), *(Column(_heading(rows, subgroup, a)) for a in arms)]
    columns += [Column(f"SMD\n{t}\nvs {r}") for t, r in pairs]
    lines: list[Line] = []
    for variable in _variables(rows, subgroup):
        levels = _levels(rows, subgroup, variable)
        smd = [value_cell(rows.get("contrast", subgroup, pair=p, variable=variable), "smd") for p in pairs]
        lines.append(Line((TextCell(variable), *(EMPTY for _ in arms), *smd), heading=True))
        numeric = [rows.get("arm", subgroup, arm=a, variable=variable) for a in arms]
        if any("mean" in s for s in numeric):
            for summary in SUMMARIES:
                cells = [_summary(s, summary) for s in numeric]
                lines.append(Line((TextCell(f"  {summary}"), *cells, *(EMPTY for _ in pairs))))
        for level in levels:
            cells = [count_cell(rows.get("arm", subgroup, arm=a, variable=variable, level=level)) for a in arms]
            beside = [value_cell(rows.get("contrast", subgroup, pair=p, variable=variable, level=level), "smd") for p in pairs]
            lines.append(Line((TextCell(f"  {level}"), *cells, *beside)))
    return [PageBlock("", tuple(columns), tuple(lines), aligned=False)] if lines else []


def incidence_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
    """Exposure, then categories down and arms across as n (%), with rates where there are any, and risk differences.

    A block for each kind of variable: those with rates (an overview) and those without (classes and their terms).
    """
    arms, pairs = _arms(rows, subgroup), _pairs(rows, subgroup, "risk_difference")
    variables = _variables(rows, subgroup)
    counted = [v for v in variables if _has(rows, subgroup, v, "count")]
    summed = [v for v in variables if v not in counted]
    rated = [v for v in counted if _has(rows, subgroup, v, "rate")]
    blocks = [_summary_block(rows, subgroup, v, arms) for v in summed]
    for group in (rated, [v for v in counted if v not in rated]):
        if group:
            blocks.append(_count_block(rows, subgroup, group, arms, pairs, with_rate=group is rated))
    return [b for b in blocks if b.lines]


def _has(rows: ResultRows, subgroup: str, variable: str, stat_name: str) -> bool:
    return any(stat_name in rows.at[p] for p in rows.places("arm", subgroup, lambda p: _of(p, variable)))


def _summary_block(rows: ResultRows, subgroup: str, variable: str, arms: list[str]) -> PageBlock:
    """A measured quantity (days of exposure): total, or mean (SD) and range, by arm."""
    columns = [label(variable), *(Column(_heading(rows, subgroup, a)) for a in arms)]
    lines = []
    for level in _levels(rows, subgroup, variable):
        stats = [rows.get("arm", subgroup, arm=a, variable=variable, level=level) for a in arms]
        for name, cells in (
            ("", [value_cell(s, "total") for s in stats]),
            (", mean (SD)", [spread_cell(s, "mean", "sd") for s in stats]),
            (", min, max", [_summary(s, "Min, max") for s in stats]),
        ):
            lost = name == ", min, max" and all(r.error for c in cells for r in c.rows)  # as the mean above says
            if any(c.text for c in cells) and not lost:
                lines.append(Line((TextCell(f"{level}{name}"), *cells)))
    return PageBlock("", tuple(columns), tuple(lines), aligned=False)


def _count_block(
    rows: ResultRows, subgroup: str, variables: list[str], arms: list[str], pairs: list[Pair], *, with_rate: bool
) -> PageBlock:
    columns = [label("Subjects with")]
    for arm in arms:
        name = _heading(rows, subgroup, arm).replace("\n", " ")
        columns += [Column("n (%)", name), *([Column("per 100 PY", name)] if with_rate else [])]
    columns += [Column("Difference, % points (95% CI)", f"{t} vs {r}") for t, r in pairs]
    lines: list[Line] = []
    for variable in variables:
        levels: list[str | None] = list(_levels(rows, subgroup, variable))
        whole = rows.get("arm", subgroup, arm=arms[0], variable=variable) if arms else {}
        if "count" not in whole and not with_rate:
            lines.append(Line((TextCell(variable), *(EMPTY for _ in columns[1:])), heading=True))
        for level in [None, *levels] if "count" in whole else levels:
            cells = []
            for arm in arms:
                stats = rows.get("arm", subgroup, arm=arm, variable=variable, level=level)
                cells += [count_cell(stats), *([value_cell(stats, "rate")] if with_rate else [])]
            for pair in pairs:
                stats = rows.get("contrast", subgroup, pair=pair, variable=variable, level=level)
                cells.append(interval_cell(stats, "risk_difference", "risk_difference_low", "risk_difference_high"))
            name = variable if level is None else level if with_rate else f"  {level}"
            lines.append(Line((TextCell(name), *cells)))
    return PageBlock("", tuple(columns), tuple(lines))


def count_cell(stats: Stats) -> TextCell:
    """``12 (52.2%)``."""
    count, percent = stats.get("count") or stats.get("n"), stats.get("percent")
    if count is None:
        return EMPTY
    if percent is None or percent.stat is None:
        return TextCell(shown(count), (count,))
    return TextCell(f"{shown(count)} ({shown(percent)}%)", (count, percent))


def _summary(stats: Stats, summary: str) -> TextCell:
    if summary == "n":
        return value_cell(stats, "n")
    if summary == "Mean (SD)":
        return spread_cell(stats, "mean", "sd")
    if summary == "Median (Q1, Q3)":
        return interval_cell(stats, "median", "q1", "q3")
    low, high = stats.get("min"), stats.get("max")
    return EMPTY if low is None or high is None else TextCell(f"{shown(low)}, {shown(high)}", (low, high))


def _arms(rows: ResultRows, subgroup: str) -> list[str]:
    return list(dict.fromkeys(p.arm for p in rows.places("arm", subgroup) if p.arm is not None))


def _pairs(rows: ResultRows, subgroup: str, stat_name: str) -> list[Pair]:
    return list(dict.fromkeys(p.pair for p in rows.places("contrast", subgroup) if stat_name in rows.at[p]))


def _heading(rows: ResultRows, subgroup: str, arm: str) -> str:
    total = rows.get("arm", subgroup, arm=arm).get("n")
    return arm if total is None else f"{arm}\n(N = {shown(total)})"


def _of(where: RowKey, variable: str) -> bool:
    return where.variable == variable


def _variables(rows: ResultRows, subgroup: str) -> list[str]:
    return list(dict.fromkeys(p.variable for p in rows.places("arm", subgroup) if p.variable is not None))


def _levels(rows: ResultRows, subgroup: str, variable: str) -> list[str]:
    places = rows.places("arm", subgroup, lambda p: _of(p, variable) and p.level is not None)
    return list(dict.fromkeys(p.level for p in places if p.level is not None))
