"""The page of a result: one generic shape for each method, made from its rows and facts and nothing else.

Visits (or arms) run down, arms and comparisons across; an estimate never stands without its standard error or interval. On a
logarithmic scale a slope of 0.003 says little: the ratio of one month to the month before is printed instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alsbench.analysis.result import Result, Row
from alsbench.render.figures import visit_figures
from alsbench.render.page import EMPTY, Column, Line, Page, PageBlock, TextCell, label
from alsbench.render.result_rows import (
    NO_PAIR,
    ResultRows,
    RowKey,
    Stats,
    interval_cell,
    limits_cell,
    problems,
    shown,
    spread_cell,
    value_cell,
)
from alsbench.render.table_one import baseline_blocks, count_cell, incidence_blocks
from alsbench.render.titles_footnotes import CI, marked_title, page_facts, page_footnotes
from alsbench.render.visits import below_limit_notes, imputation_blocks, visit_blocks, visit_name

SUBJECT_STATS = {
    "score": "Score",
    "rank": "Rank",
    "leverage": "Leverage",
    "cook": "Cook's distance",
    "residual": "Largest residual",
}


def endpoint_page(result: Result, *, model: bool = False) -> Page:
    """Title, facts, one block or more for each subgroup, and footnotes; with ``model`` the facts of each fit too."""
    rows = ResultRows.of(result)
    blocks: list[PageBlock] = []
    for subgroup in rows.subgroups():
        found = subgroup_blocks(result, rows, subgroup)
        fitted = model_block(result, subgroup)
        if model and fitted.lines:
            found = [*found, fitted]
        heading = subgroup_heading(rows, subgroup)
        notes = problems(r for r in result.rows if r.subgroup == subgroup)
        if not found:
            found = [PageBlock("", (label("Nothing could be estimated"),), ())]
        first, *rest = found
        found = [replace(first, title=" · ".join(t for t in (heading, first.title) if t)), *rest]
        last = found[-1]
        found[-1] = replace(last, notes=(*last.notes, *notes))
        blocks += found
    title = marked_title(result.facts.title, result.provenance)
    figures = tuple(f for s in rows.subgroups() for f in visit_figures(result, s, f"{title} · {subgroup_heading(rows, s)}"))
    return Page(title, tuple(blocks), page_facts(result), page_footnotes(result), figures)


def subgroup_blocks(result: Result, rows: ResultRows, subgroup: str) -> list[PageBlock]:
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


def subgroup_heading(rows: ResultRows, subgroup: str) -> str:
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


def contrast_block(
    rows: ResultRows,
    subgroup: str,
    estimates: Sequence[tuple[str, str, str | None, str | None]],
    values: Sequence[tuple[str, str]],
) -> list[PageBlock]:
    """Comparisons down; each estimate with its limits, then plain values; columns nobody filled are left out."""
    places = [p for p in rows.places("contrast", subgroup) if p.level is None]
    columns = [label("Comparison")]
    cells: list[list[TextCell]] = [[TextCell(f"{p.pair[0]} vs {p.pair[1]}") for p in places]]
    for title, name, low, high in estimates:
        bounds = (low or f"{name}_low", high or f"{name}_high")
        cells.append([interval_cell(rows.at[p], name, *bounds) for p in places])
        columns.append(Column(f"{title} {CI}"))
    for title, name in values:
        cells.append([value_cell(rows.at[p], name) for p in places])
        columns.append(Column(title))
    kept = [0, *(j for j in range(1, len(columns)) if any(c.text for c in cells[j]))]
    lines = tuple(Line(tuple(cells[j][i] for j in kept)) for i in range(len(places)))
    return [PageBlock("", tuple(columns[j] for j in kept), lines)] if places else []


def slope_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
    """Slopes by arm, and their differences."""
    places = [p for p in rows.places("arm", subgroup) if "slope" in rows.at[p]]
    log_scale = any("gmr" in rows.at[p] for p in places)
    lines = []
    for p in places:
        s = rows.at[p]
        slope = (
            [interval_cell(s, "gmr", "gmr_low", "gmr_high")] if log_scale else [spread_cell(s, "slope", "se"), limits_cell(s)]
        )
        lines.append(Line((TextCell(p.arm or ""), value_cell(s, "n"), *slope)))
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
    return [PageBlock("", columns, tuple(lines), below_limit_notes(rows, subgroup)), *contrasts]


def survival_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
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
    return [PageBlock("", columns, tuple(lines)), *contrasts, *_at_days(rows, subgroup)]


def timed_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
    """Times derived from visits, each under its own name: events, medians, hazard ratios, restricted means."""
    places = rows.places("arm", subgroup, lambda p: p.variable is not None and "events" in rows.at[p])
    blocks: list[PageBlock] = []
    for variable in dict.fromkeys(p.variable for p in places):
        mine = ResultRows.of(
            replace(r, variable=None) for p, stats in rows.at.items() if p.variable == variable for r in stats.values()
        )
        first, *rest = survival_blocks(mine, subgroup)
        name = variable or ""
        blocks += [replace(first, title=name[:1].upper() + name[1:]), *rest]
    return blocks


def _at_days(rows: ResultRows, subgroup: str) -> list[PageBlock]:
    """Survival and restricted mean at each day, by arm, and differences of restricted means."""
    found = rows.places("arm", subgroup, lambda p: p.level is not None)
    lines = []
    for p in found:
        s = rows.at[p]
        survival = interval_cell(s, "survival", "survival_low", "survival_high")
        lines.append(Line((TextCell(p.level or ""), _arm(p), survival, spread_cell(s, "rmst", "rmst_se"))))
    lines.sort(key=lambda line: line.cells[0].text)
    columns = (label("At"), label("Arm"), Column(f"Event-free {CI}"), Column("Restricted mean (SE)"))
    blocks = [PageBlock("", columns, tuple(lines))] if lines else []
    differences = []
    for p in rows.places("contrast", subgroup, lambda p: p.level is not None):
        s = rows.at[p]
        cell = interval_cell(s, "rmst_difference", "rmst_difference_low", "rmst_difference_high")
        differences.append(
            Line((TextCell(p.level or ""), TextCell(f"{p.pair[0]} vs {p.pair[1]}"), cell, value_cell(s, "rmst_p")))
        )
    heads = (label("At"), label("Comparison"), Column(f"RMST difference {CI}"), Column("p"))
    return [*blocks, *([PageBlock("", heads, tuple(differences))] if differences else [])]


def _arm(where: RowKey) -> TextCell:
    beside = f" (vs {where.pair[1]})" if where.pair[1] and where.pair[0] == where.arm else ""
    return TextCell(f"{where.arm}{beside}")


def _around(stats: Stats, name: str) -> tuple[str, str]:
    return (f"{name}_low", f"{name}_high") if f"{name}_low" in stats else ("conf_low", "conf_high")


def responder_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
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
        cells = [TextCell(visit_name(visit))]
        for arm in arms:
            stats = rows.get("arm", subgroup, arm=arm, visit=visit)
            cells += [value_cell(stats, "n"), count_cell(stats)]
        for pair in pairs:
            stats = rows.get("contrast", subgroup, pair=pair, visit=visit)
            cells.append(interval_cell(stats, "risk_difference", "risk_difference_low", "risk_difference_high"))
        lines.append(Line(tuple(cells)))
    return [PageBlock("", tuple(columns), tuple(lines))] if lines else []


def staging_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
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
            lines.append(Line((TextCell(visit_name(visit)), _known(whole), *cells)))
        blocks.append(PageBlock(f"{system}, {arm}", columns, tuple(lines)))
    return blocks


def _share(stats: Stats) -> TextCell:
    """``12 (52.2)``: a count with its percentage under a heading that says so."""
    cell = count_cell(stats)
    return TextCell(cell.text.replace("%", ""), cell.rows)


def _known(stats: Stats) -> TextCell:
    """``44/47``: subjects whose stage is known, of all."""
    n, missing = stats.get("n"), stats.get("n_missing")
    if n is None or missing is None or not isinstance(n.stat, int) or not isinstance(missing.stat, int):
        return value_cell(stats, "n")
    return TextCell(f"{n.stat}/{n.stat + missing.stat}", (n, missing))


def _at_visit(where: RowKey) -> bool:
    return where.visit != (None, None) and where.variable is None


def joint_rank_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
    """A block for each comparison: ranks by arm, and the tests of the same pairs beside each other."""
    blocks = []
    for where in rows.places("contrast", subgroup):
        if where.pair == NO_PAIR or where.level:
            continue
        stats = rows.at[where]
        treatment, reference = where.pair
        at = visit_name(where.visit)
        blocks.append(_rank_block(rows, subgroup, where, f"{treatment} vs {reference}" + (f", {at}" if at else "")))
        by_level = {
            p.level: rows.at[p] for p in rows.places("contrast", subgroup) if (p.pair, p.visit) == (where.pair, where.visit)
        }
        blocks.append(_tests_block(stats, by_level))
    return blocks


def _rank_block(rows: ResultRows, subgroup: str, where: RowKey, title: str) -> PageBlock:
    lines = []
    for arm in where.pair:
        stats = rows.get("arm", subgroup, arm=arm, pair=where.pair, visit=where.visit) or rows.get(
            "arm", subgroup, arm=arm, visit=where.visit
        )
        cells = (value_cell(stats, "n"), value_cell(stats, "mean"), spread_cell(stats, "ls_mean", "se"), limits_cell(stats))
        lines.append(Line((TextCell(arm or ""), *cells)))
    columns = (label("Arm"), Column("n"), Column("Mean rank"), Column("LS mean rank (SE)"), Column("95% CI"))
    return PageBlock(title, columns, tuple(lines))


def _tests_block(stats: Stats, by_level: dict[str | None, Stats]) -> PageBlock:
    """Every test of the same pairs; ``by_level`` holds how pairs were decided."""
    lines = [
        _test("Difference in LS mean rank", interval_cell(stats, "difference", "conf_low", "conf_high"), stats, "p_value"),
        _test("Generalised Gehan-Wilcoxon z", value_cell(stats, "gehan_z"), stats, "gehan_p"),
        *_rerandomised(stats),
        *(
            _test(name, interval_cell(stats, key, f"{key}_low", f"{key}_high"), stats, "")
            for name, key in (
                ("Win probability", "win_probability"),
                ("Win odds", "win_odds"),
                ("Win ratio", "win_ratio"),
                ("Net benefit", "net_benefit"),
            )
        ),
        Line((TextCell("Pairs won / lost / tied"), _counts(stats, ("wins", "losses", "ties")), EMPTY)),
        *(Line((TextCell(f"  {level}"), value_cell(s, "pairs"), EMPTY)) for level, s in by_level.items() if level),
    ]
    kept = tuple(line for line in lines if line.cells[1].text)
    return PageBlock("", (label("Test"), Column(f"Estimate {CI}"), Column("p")), kept, aligned=False)


def _rerandomised(stats: Stats) -> list[Line]:
    """Re-randomisation tests, where they were asked for; the estimate column says how many arrangements."""
    if "permutations" not in stats:
        return []
    count = value_cell(stats, "permutations")
    return [
        _test("Re-randomised ANCOVA t, arrangements", count, stats, "permutation_p"),
        _test("Re-randomised Gehan-Wilcoxon W", count, stats, "permutation_gehan_p"),
    ]


def _test(name: str, estimate: TextCell, stats: Stats, p: str) -> Line:
    return Line((TextCell(name), estimate, value_cell(stats, p)))


def _counts(stats: Stats, names: Sequence[str]) -> TextCell:
    found = [stats[n] for n in names if n in stats]
    return TextCell(" / ".join(shown(r) for r in found), tuple(found))


def model_block(result: Result, subgroup: str) -> PageBlock:
    """Every model fact of a subgroup as name and value: likelihood, iterations, covariance used."""
    found: list[Row] = [r for r in result.rows if r.context == "model" and r.subgroup == subgroup]
    lines = []
    for row in found:
        if row.stat_name in {"num_df", "den_df", "p_value"}:
            continue
        if row.stat_name == "f":
            lines.append(_term_line(row, found))
            continue
        about = " · ".join(
            part
            for part in (row.arm, f"{row.treatment} vs {row.reference}" if row.treatment else None, row.visit, row.variable)
            if part
        )
        value = row.level if row.stat_name == "covariance" and row.level else shown(row)
        lines.append(Line((TextCell(row.stat_name.replace("_", " ")), TextCell(about), TextCell(str(value), (row,)))))
    return PageBlock("Model", (label("Fact"), label("About"), Column("Value")), tuple(lines))


def _term_line(f: Row, facts: Sequence[Row]) -> Line:
    """``F(2, 104.2) = 1.36, p = 0.262``: the type 3 test of one term."""
    mine = {r.stat_name: r for r in facts if r.level == f.level}
    test = tuple(mine[name] for name in ("num_df", "den_df", "f", "p_value") if name in mine)
    num, den, value, p = (shown(r) for r in test)
    equals = "" if p.startswith(("<", ">")) else "= "
    text = f"F({num}, {den}) = {value}, p {equals}{p}" if f.stat is not None else shown(f)
    return Line((TextCell("type 3 test"), TextCell(f.level or ""), TextCell(text, test)))


def subject_blocks(rows: ResultRows, subgroup: str) -> list[PageBlock]:
    """Score and rank of each subject, by comparison, or its influence on an MMRM, where they were asked for."""
    places = rows.places("subject", subgroup)
    blocks = []
    for pair in dict.fromkeys((p.pair, p.visit) for p in places):
        mine = [p for p in places if (p.pair, p.visit) == pair]
        names = [name for name in SUBJECT_STATS if any(name in rows.at[p] for p in mine)]
        columns = (label("Subject"), label("Arm"), *(Column(SUBJECT_STATS[name]) for name in names))
        lines = tuple(
            Line((TextCell(p.level or ""), TextCell(p.arm or ""), *(value_cell(rows.at[p], name) for name in names)))
            for p in mine
        )
        (treatment, reference), visit = pair
        named = f"{treatment} vs {reference}" if treatment else ""
        blocks.append(PageBlock(", ".join(t for t in ("Subjects", named, visit_name(visit)) if t), columns, lines))
    return blocks
