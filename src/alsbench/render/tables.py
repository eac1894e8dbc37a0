"""Result tables: one generic shape for each method, made from the rows and facts of a result and nothing else.

Visits (or arms) run down, arms and comparisons across; an estimate never stands without its standard error or interval;
the title says "Post hoc" and "SYNTHETIC DATA" where they apply, and the facts say what a reader needs to judge the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alsbench.analysis.result import Provenance, Result, Row
from alsbench.render.formats import MASKED, format_stat
from alsbench.render.imputed import imputation_blocks
from alsbench.render.layout import PageView
from alsbench.render.lookup import (
    NO_PAIR,
    Pair,
    Place,
    Rows,
    Stats,
    Visit,
    interval_cell,
    problems,
    shown,
    spread_cell,
    value_cell,
)
from alsbench.render.page import EMPTY, Block, Cell, Column, Line, Page, label
from alsbench.render.responder import responder_blocks, staging_blocks
from alsbench.render.table_one import baseline_blocks, incidence_blocks

POST_HOC = "Post hoc"
DEVIATION = "Deviation from the locked plan"
BLINDED = "BLINDED"
SYNTHETIC = "SYNTHETIC DATA"
CI = "(95% CI)"
SUBJECT_STATS = {
    "score": "Score",
    "rank": "Rank",
    "leverage": "Leverage",
    "cook": "Cook's distance",
    "residual": "Largest residual",
}


def endpoint_table(result: Result, *, width: int | None = None, ascii_only: bool = False) -> PageView:
    """The result as a Rich renderable that stands alone; ``width`` None takes the console's."""
    return PageView(endpoint_page(result), width=width, ascii_only=ascii_only)


def endpoint_page(result: Result) -> Page:
    """Title, facts, one block or more for each subgroup, and footnotes."""
    rows = Rows.of(result)
    blocks: list[Block] = []
    for subgroup in rows.subgroups():
        found = subgroup_blocks(result, rows, subgroup)
        heading = subgroup_heading(rows, subgroup)
        notes = problems(r for r in result.rows if r.subgroup == subgroup)
        if not found:
            found = [Block("", (label("Nothing could be estimated"),), ())]
        first, *rest = found
        found = [replace(first, title=" · ".join(t for t in (heading, first.title) if t)), *rest]
        last = found[-1]
        found[-1] = replace(last, notes=(*last.notes, *notes))
        blocks += found
    return Page(marked_title(result.facts.title, result.provenance), tuple(blocks), page_facts(result), page_footnotes(result))


def subgroup_blocks(result: Result, rows: Rows, subgroup: str) -> list[Block]:
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


def marked_title(title: str, provenance: Provenance) -> str:
    """The title with "Post hoc" and "SYNTHETIC DATA" where they apply and do not stand there yet."""
    parts = [title]
    if provenance.post_hoc and POST_HOC.lower() not in title.lower():
        parts.append(POST_HOC)
    if provenance.deviations:
        parts.append(DEVIATION)
    if provenance.blinded:
        parts.append(BLINDED)
    if provenance.synthetic and "synthetic" not in title.lower():
        parts.append(SYNTHETIC)
    return " · ".join(parts)


def page_facts(result: Result) -> tuple[tuple[str, str], ...]:
    p = result.provenance
    source = [", ".join(p.sources)] if p.sources else []
    if p.data_cut:
        source.append(f"data cut {p.data_cut}")
    source.append(f"snapshot {p.snapshot[:12]}")
    known = {name.lower() for name, _ in result.facts.lines}
    return (*result.facts.lines, *(() if "source" in known else (("Source", "; ".join(source)),)))


def page_footnotes(result: Result) -> tuple[str, ...]:
    attempts = result.facts.attempts if len(result.facts.attempts) > 1 else ()
    return (
        *result.facts.footnotes,
        *(f"Fit tried: {a}" for a in attempts),
        *(f"Warning: {w}" for w in result.warnings),
        f"alsbench {result.provenance.engine}, study {result.provenance.study[:12]}",
    )


def subgroup_heading(rows: Rows, subgroup: str) -> str:
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


# -- visits down, arms and comparisons across -------------------------------------------------------------------------


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
    return Block(title, tuple(columns), tuple(lines))


def _contrast(stats: Stats, log_scale: bool) -> Cell:
    if log_scale:
        return interval_cell(stats, "ratio", "ratio_low", "ratio_high")
    return interval_cell(stats, "difference", "conf_low", "conf_high")


def first_visit_block(rows: Rows, subgroup: str) -> Block | None:
    """From which visit p stays below 0.05, beside the first visit of any significance and the visits tested."""
    places = [p for p in rows.places("contrast", subgroup) if "first_lasting_visit" in rows.at[p]]
    if not places:
        return None
    columns = (label("p < 0.05"), Column("at every visit from"), Column("first at"), Column("visits tested"))
    names = ("first_lasting_visit", "first_visit", "visits_tested")
    lines = [
        Line((Cell(f"{p.pair[0]} vs {p.pair[1]}"), *(_never(value_cell(rows.at[p], n), n) for n in names))) for p in places
    ]
    return Block("", columns, tuple(lines))


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


# -- joint rank -------------------------------------------------------------------------------------------------------


def joint_rank_blocks(rows: Rows, subgroup: str) -> list[Block]:
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


def _rank_block(rows: Rows, subgroup: str, where: Place, title: str) -> Block:
    lines = []
    for arm in where.pair:
        stats = rows.get("arm", subgroup, arm=arm, pair=where.pair, visit=where.visit) or rows.get(
            "arm", subgroup, arm=arm, visit=where.visit
        )
        cells = (value_cell(stats, "n"), value_cell(stats, "mean"), spread_cell(stats, "ls_mean", "se"), limits_cell(stats))
        lines.append(Line((Cell(arm or ""), *cells)))
    columns = (label("Arm"), Column("n"), Column("Mean rank"), Column("LS mean rank (SE)"), Column("95% CI"))
    return Block(title, columns, tuple(lines))


def limits_cell(stats: Stats) -> Cell:
    """``-5.12 to -3.12``: limits by themselves."""
    low, high = stats.get("conf_low"), stats.get("conf_high")
    if low is None or high is None or low.stat is None or high.stat is None:
        return EMPTY
    return Cell(f"{shown(low)} to {shown(high)}", (low, high))


def _tests_block(stats: Stats, by_level: dict[str | None, Stats]) -> Block:
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
        Line((Cell("Pairs won / lost / tied"), _counts(stats, ("wins", "losses", "ties")), EMPTY)),
        *(Line((Cell(f"  {level}"), value_cell(s, "pairs"), EMPTY)) for level, s in by_level.items() if level),
    ]
    kept = tuple(line for line in lines if line.cells[1].text)
    return Block("", (label("Test"), Column(f"Estimate {CI}"), Column("p")), kept, aligned=False)


def _rerandomised(stats: Stats) -> list[Line]:
    """Re-randomisation tests, where they were asked for; the estimate column says how many arrangements."""
    if "permutations" not in stats:
        return []
    count = value_cell(stats, "permutations")
    return [
        _test("Re-randomised ANCOVA t, arrangements", count, stats, "permutation_p"),
        _test("Re-randomised Gehan-Wilcoxon W", count, stats, "permutation_gehan_p"),
    ]


def _test(name: str, estimate: Cell, stats: Stats, p: str) -> Line:
    return Line((Cell(name), estimate, value_cell(stats, p)))


def _counts(stats: Stats, names: Sequence[str]) -> Cell:
    found = [stats[n] for n in names if n in stats]
    return Cell(" / ".join(shown(r) for r in found), tuple(found))


# -- slopes and times to event ----------------------------------------------------------------------------------------


def slope_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Slopes by arm, and their differences."""
    columns = (label("Arm"), Column("n"), Column("Slope (SE)"), Column("95% CI"))
    lines = [
        Line((Cell(p.arm or ""), value_cell(s, "n"), spread_cell(s, "slope", "se"), limits_cell(s)))
        for p in rows.places("arm", subgroup)
        if "slope" in (s := rows.at[p])
    ]
    contrasts = _contrast_block(
        rows,
        subgroup,
        (("Difference", "difference", "conf_low", "conf_high"), ("Slowing %", "percent_slowing", None, None)),
        (("df", "df"), ("p", "p_value")),
    )
    return [Block("", columns, tuple(lines)), *contrasts]


def survival_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Events and medians by arm; survival and restricted means at the days asked for; hazard ratios and log-rank tests."""
    places = [p for p in rows.places("arm", subgroup) if p.visit == (None, None) and p.level is None]
    columns = (label("Arm"), Column("n"), Column("Events"), Column(f"Median days {CI}"))
    lines = []
    for p in places:
        s = rows.at[p]
        median = interval_cell(s, "median", *_around(s, "median"))
        lines.append(Line((_arm(p), value_cell(s, "n"), value_cell(s, "events"), median)))
    contrasts = _contrast_block(
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


def _contrast_block(
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


# -- the model and the subjects ---------------------------------------------------------------------------------------


def model_block(result: Result, subgroup: str) -> Block:
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
        lines.append(Line((Cell(row.stat_name.replace("_", " ")), Cell(about), Cell(str(value), (row,)))))
    return Block("Model", (label("Fact"), label("About"), Column("Value")), tuple(lines))


def _term_line(f: Row, facts: Sequence[Row]) -> Line:
    """``F(2, 104.2) = 1.36, p = 0.262``: the type 3 test of one term."""
    mine = {r.stat_name: r for r in facts if r.level == f.level}
    test = tuple(mine[name] for name in ("num_df", "den_df", "f", "p_value") if name in mine)
    num, den, value, p = (shown(r) for r in test)
    equals = "" if p.startswith(("<", ">")) else "= "
    text = f"F({num}, {den}) = {value}, p {equals}{p}" if f.stat is not None else shown(f)
    return Line((Cell("type 3 test"), Cell(f.level or ""), Cell(text, test)))


def subject_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Score and rank of each subject, by comparison, or its influence on an MMRM, where they were asked for."""
    places = rows.places("subject", subgroup)
    blocks = []
    for pair in dict.fromkeys((p.pair, p.visit) for p in places):
        mine = [p for p in places if (p.pair, p.visit) == pair]
        names = [name for name in SUBJECT_STATS if any(name in rows.at[p] for p in mine)]
        columns = (label("Subject"), label("Arm"), *(Column(SUBJECT_STATS[name]) for name in names))
        lines = tuple(
            Line((Cell(p.level or ""), Cell(p.arm or ""), *(value_cell(rows.at[p], name) for name in names))) for p in mine
        )
        (treatment, reference), visit = pair
        named = f"{treatment} vs {reference}" if treatment else ""
        blocks.append(Block(", ".join(t for t in ("Subjects", named, visit_name(visit)) if t), columns, lines))
    return blocks
