"""Scrutiny in print: the list of checks with what each says, then a table for every check that has rows.

A line is one place (subgroup, comparison, visit, variant); its statistics stand beside each other, an estimate with its
interval in one cell. Checks that were not asked for stay in the list and say so.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alsbench.analysis.contrast import place_words
from alsbench.analysis.result import Result, Row
from alsbench.analysis.scrutiny import ALL, BOTTOM_LINE, CHECKS, VERDICT, Check, verdict
from alsbench.render.ard import ROW_KEYS, dump, provenance_dict, row_dict
from alsbench.render.delimited import TITLE_COLUMNS, Dialect, delimited, rows_with_titles
from alsbench.render.forest import Point, interval_bar, interval_scale
from alsbench.render.formats import MISSING, NOT_ESTIMABLE, format_stat
from alsbench.render.page import EMPTY, Column, Line, Page, PageBlock, TextCell, label
from alsbench.render.titles_footnotes import CI, marked_title, page_facts, page_footnotes

SCHEMA = "alsbench.scrutiny/1"
INTERVALS = {
    "difference": ("conf_low", "conf_high"),
    "ratio": ("ratio_low", "ratio_high"),
    "hazard_ratio": ("hr_low", "hr_high"),
    "win_probability": ("win_probability_low", "win_probability_high"),
    "dose_slope": ("dose_slope_low", "dose_slope_high"),
    "ls_mean": ("conf_low", "conf_high"),
    "slope": ("conf_low", "conf_high"),
    "spearman": ("spearman_low", "spearman_high"),
    "share_percent": ("share_percent_low", "share_percent_high"),
    "correlation": ("correlation_low", "correlation_high"),
    "carry_over": ("carry_over_low", "carry_over_high"),
    "risk_difference": ("risk_difference_low", "risk_difference_high"),
}
HEADINGS = {
    "p_value": "p",
    "gehan_p": "p Gehan",
    "interaction_p": "p int",
    "permutation_p": "p re-rand.",
    "permutation_gehan_p": "p Gehan\nre-rand.",
    "permutations": "arrangements",
    "n_treatment": "n trt",
    "n_reference": "n ref",
    "win_probability": "P(win)",
    "smd": "SMD",
    "ls_mean": "LS mean",
    "se": "SE",
    "interaction_permutation_p": "p int\npermuted",
    "sup_p": "p any\neffect",
    "sup_interaction_p": "p any\ndifference",
    "n_missing": "missing",
    "missing_percent": "missing\n(%)",
    "missing_p": "p missing\n(Fisher)",
    "tipping_delta": "tips at",
    "tipping_sd": "in SD",
    "tipping_per_month": "per month",
    "dose_slope": "Per dose",
    "same_side_percent": "same side\n(%)",
    "before": "before",
    "holm_p": "Holm",
    "hochberg_p": "Hochberg",
    "fixed_sequence_p": "in order",
    "westfall_young_p": "Westfall-\nYoung",
    "share_percent": "Share %",
    "on_study": "on study",
    "carry_over": "Carries over",
    "tests": "tests",
    "kept_percent": "own data\n(%)",
    "assumed": "true effect",
    "power_percent": "power\n(%)",
    "type_s_percent": "type S\n(%)",
    "type_m": "type M",
    "subjects_80": "N for\n80 %",
    "subjects_90": "N for\n90 %",
    "replication_percent": "repeats\n(%)",
    "smallest_p": "smallest",
    "selection_p": "p adj.",
    "selection_error": "error",
    "null_percent": "by chance\n(%)",
}
# Variables that head a table of their own, and those that only say what a check varies, as its title does.
FAMILIES = {
    "all": "All of them together",
    "imputed": "Under other assumptions about the missing",
    "concordance": "Pairs of endpoints",
    "mediator": "The mediator with the later slope",
    "ICEMAN": "ICEMAN: credibility is ...",
    "EMA": "EMA checklist",
    "share": "The treatment's effects, and the share that goes with the mediator",
    "better": "Subjects better than the control's median",
}
UNNAMED = frozenset({"specification", "model", "left out", "search", "family", *FAMILIES})
Place = tuple[Any, ...]
# Lines below a level of the bottom line
BELOW = ("Found", "Chance", "For", "Against", "In the search", "Rule")
_HEADS = ("Subgroup", "Comparison", "Arm", "at", "Variable", "Variant")
PAIR, VISIT = 1, 3
BARS = 37
LEAST = 3  # lines worth a plot
RATIOS = frozenset({"ratio", "hazard_ratio"})
LEGEND = "■ estimate, ─ 95 % interval, < > it goes on, | no difference"


def scrutiny_page(found: Sequence[tuple[Check, Result]]) -> Page:
    """The verdicts, then the tables. Raises IndexError for no checks at all."""
    first = found[0][1]
    subgroup = ", ".join(first.question["subgroups"])
    told = {line for check, result in found if check == BOTTOM_LINE for line in bottom_lines(result)}
    facts = tuple(line for line in page_facts(first) if line[0] != VERDICT and line not in told)
    head = [block for check, result in found if check == BOTTOM_LINE for block in check_blocks(check, result)]
    rest = [(check, result) for check, result in found if check != BOTTOM_LINE]
    tables = [block for check, result in rest for block in check_blocks(check, result)]
    blocks = (*head, *([verdicts_block(rest)] if rest else []), *tables)
    plot = check_plot(*found[0]) if len(found) == 1 else None  # among many checks it would hide the tables
    blocks = (*blocks, plot) if plot is not None else blocks
    notes = dict.fromkeys(note for _, result in found for note in page_footnotes(result))
    return Page(marked_title(f"Scrutiny of {subgroup}", first.provenance), blocks, facts, tuple(notes))


def bottom_line_block(result: Result, width: int = 0) -> PageBlock:
    """What to take away of each comparison, for and against, and the rule: lines of text, folded to ``width`` columns (or not),
    and then as wide as headings."""
    lines: list[Line] = []
    for name, text in bottom_lines(result):
        heading = name not in BELOW
        said = f"{name}: {text}" if heading else f"    {name.lower()}: {text}"
        parts = textwrap.wrap(said, width, subsequent_indent="  " if heading else "      ") if width else [said]
        lines += [Line((TextCell(part),), heading or bool(width)) for part in parts]
    return PageBlock(BOTTOM_LINE.title, (label("What to take away"),), tuple(lines))


def bottom_lines(result: Result) -> list[tuple[str, str]]:
    """The lines of facts that the judgement wrote: where a finding lies and its level, and what is said below it."""
    places = {place_words(r.treatment, r.reference, r.visit) for r in result.rows}
    return [line for line in result.facts.lines if line[0] in {*places, *BELOW}]


def verdicts_block(found: Sequence[tuple[Check, Result]]) -> PageBlock:
    """Every check of the list: what it says, or, where several were asked, that it was not."""
    said = {check.id: verdict(result) for check, result in found}
    lines: list[Line] = []
    for check in CHECKS:
        name = f"{check.number:>2}. {check.title}"
        if check.id in said:
            lines.append(Line((TextCell(name),), heading=True))
            lines += [Line((TextCell(f"    {part}"),)) for part in said[check.id].split("; ")]
        elif len(said) > 1:
            lines.append(Line((TextCell(f"{name}: not asked", style="note"),)))
    return PageBlock("", (label("Check"),), tuple(lines))


def check_blocks(check: Check, result: Result) -> tuple[PageBlock, ...]:
    """One check as tables: one for each kind of line it has (arms, contrasts, a named family), the first with the title.

    A table has a section for each comparison, at its horizon where the variants are what is compared.
    """
    if check == BOTTOM_LINE:
        return (bottom_line_block(result),)
    families: dict[tuple[bool, str], list[Row]] = {}
    for row in result.rows:
        name = row.variable if row.variable in FAMILIES else ""
        families.setdefault((row.context == "arm", name or ""), []).append(row)
    made = [
        _block(check, replace(result, rows=tuple(rows)), FAMILIES.get(name) or ("By arm" if by_arm else "Between arms"))
        for (by_arm, name), rows in families.items()
    ]
    return tuple(replace(b, title=result.facts.title if i == 0 else b.title) for i, b in enumerate(made))


def _block(check: Check, result: Result, heading: str) -> PageBlock:
    if any(row.stat_name == "answer" for row in result.rows):
        return _form(result, heading)
    places: dict[Place, dict[str, Row]] = {}
    for row in result.rows:
        places.setdefault(_place(row), {})[row.stat_name] = row
    if check.id == "specification":
        places = dict(sorted(places.items(), key=lambda item: _estimate(item[1])))
    labels = _labels(list(places))
    sections: dict[str, list[Place]] = {}
    for place in places:
        parts = (place[PAIR], "" if VISIT in labels else place[VISIT])
        sections.setdefault(", ".join(p for p in parts if p), []).append(place)
    names = _stat_names(result)
    columns = [
        *(label(_HEADS[i]) for i in labels),
        *(Column(_heading(n, places)) for n in names),
        Column("note", justify="left"),
    ]
    lines: list[Line] = []
    for title, members in sections.items():
        lines += [Line((TextCell(title), *(EMPTY for _ in columns[1:])), heading=True)] if title else []
        for place in members:
            stats = places[place]
            note = next((r.warning for r in stats.values() if r.warning), "") or ""
            named = (place[i] or (place[0] if len(labels) == 1 else "") for i in labels)  # of no variable: the subgroup itself
            cells = (
                *(TextCell(str(text or "")) for text in named),
                *(_cell(stats, n) for n in names),
                TextCell(note, style="note"),
            )
            lines.append(Line(cells))
    if not any(line.cells[-1].text for line in lines if not line.heading):
        columns, lines = columns[:-1], [Line(line.cells[:-1], line.heading) for line in lines]
    errors = dict.fromkeys(f"{NOT_ESTIMABLE}: {r.error}" for r in result.rows if r.error)
    return PageBlock(heading, tuple(columns), tuple(lines), tuple(errors))


def check_plot(check: Check, result: Result) -> PageBlock | None:
    """The check's contrasts drawn to one scale for each comparison; None where there are not three to compare."""
    places: dict[Place, dict[str, Row]] = {}
    for row in result.rows:
        if row.context == "contrast" and row.treatment is not None:
            places.setdefault(_place(row), {})[row.stat_name] = row
    if check.id == "specification":
        places = dict(sorted(places.items(), key=lambda item: _estimate(item[1])))
    labels = _labels(list(places))
    sections: dict[str, list[tuple[str, dict[str, Row]]]] = {}
    for place, stats in places.items():
        title = ", ".join(p for p in (place[PAIR], "" if VISIT in labels else place[VISIT]) if p)
        name = " ".join(str(place[i]) for i in labels if place[i])
        sections.setdefault(title, []).append((name, stats))
    return plot_block(sections, INTERVALS)


def _form(result: Result, heading: str) -> PageBlock:
    """Questions with their answers and reasons, one below the other: sentences do not fit into columns."""
    lines: list[Line] = []
    title = ""
    for row in result.rows:
        pair = f"{row.treatment} vs {row.reference}"
        if pair != title:
            title = pair
            lines.append(Line((TextCell(title),), heading=True))
        if row.stat_name == "answer":
            lines.append(Line((TextCell(str(row.level), (row,)),)))
            lines.append(Line((TextCell(f"    {row.stat}", (row,)),)))
        else:
            lines.append(Line((TextCell(f"    {row.stat}", (row,), style="note"),)))
    return PageBlock(heading, (label("Question, answer, reason"),), tuple(lines))


def _stat_names(result: Result) -> list[str]:
    """The statistics that have a column of their own: counts, estimates, then p-values and the rest."""
    limits = {name for pair in INTERVALS.values() for name in pair}
    names = [n for n in dict.fromkeys(r.stat_name for r in result.rows) if n not in limits]
    order = list(HEADINGS)
    return sorted(
        names, key=lambda n: (not n.startswith("n_"), n not in INTERVALS, order.index(n) if n in order else len(order))
    )


def _labels(places: Sequence[Place]) -> list[int]:
    """The parts of a place that say what a line is: those that vary and do not stand in the heading of a section."""
    varying = [i for i in range(len(_HEADS)) if i not in {PAIR, VISIT} and len({p[i] for p in places}) > 1]
    return varying or [VISIT]


def scrutiny_json(found: Sequence[tuple[Check, Result]]) -> str:
    """Checks with their verdicts and facts, those not asked for included; rows as everywhere, with the check's id."""
    said = {check.id: result for check, result in found}
    checks = []
    for check in ALL:
        about: dict[str, Any] = {"number": check.number, "id": check.id, "title": check.title, "available": check.available}
        result = said.get(check.id)
        if result is not None:
            about |= {
                "verdict": verdict(result),
                "question": result.question,
                "provenance": provenance_dict(result.provenance),
                "facts": [list(line) for line in result.facts.lines],
                "warnings": list(result.warnings),
            }
        checks.append(about)
    rows = [{"check": check.id} | row_dict(row) for check, result in found for row in result.rows]
    return dump({"schema": SCHEMA, "checks": checks, "results": rows})


def scrutiny_delimited(found: Sequence[tuple[Check, Result]], dialect: Dialect) -> str:
    """The long rows of all checks under one heading line."""
    records = (
        [check.id, *row_dict(row).values(), *titles] for check, result in found for row, titles in rows_with_titles(result)
    )
    return delimited(("check", *ROW_KEYS, *TITLE_COLUMNS), records, dialect)


def _place(row: Row) -> Place:
    pair = f"{row.treatment} vs {row.reference}" if row.treatment else ""
    variable = row.variable if row.variable not in UNNAMED else None
    return row.subgroup, pair, row.arm, row.visit, variable, row.level


def _estimate(stats: dict[str, Row]) -> float:
    row = stats.get("difference")
    return row.number() if row is not None and row.stat is not None else float("inf")


def _heading(name: str, places: dict[Place, dict[str, Row]]) -> str:
    words = HEADINGS.get(name, name.replace("_", " ").capitalize())
    limits = INTERVALS.get(name)
    return f"{words} {CI}" if limits and any(limits[0] in stats for stats in places.values()) else words


def _cell(stats: dict[str, Row], name: str) -> TextCell:
    row = stats.get(name)
    if row is None:
        return EMPTY
    if row.stat is None:
        return TextCell(NOT_ESTIMABLE if row.error else MISSING, (row,))
    text = format_stat(name, row.stat)
    limits = [stats[n] for n in INTERVALS.get(name, ()) if n in stats]
    if limits:
        text += f" ({', '.join(format_stat(r.stat_name, r.stat) for r in limits)})"
    return TextCell(text, (row, *limits))


def plot_block(sections: dict[str, list[tuple[str, dict[str, Row]]]], limits: dict[str, tuple[str, str]]) -> PageBlock | None:
    """A block of bars, None where no section has three estimates with intervals.

    ``sections`` hold labelled statistics by name, as the table has them; ``limits`` name the interval of each estimate.
    """
    lines: list[Line] = []
    for title, members in sections.items():
        drawn = [(name, stats, _point(stats, limits)) for name, stats in members]
        points = [p for _, _, p in drawn if p is not None]
        if len(points) < LEAST:
            continue
        scale = interval_scale(points)
        lines.append(Line((TextCell(title), TextCell("")), heading=True))
        lines += [
            Line((TextCell(name), TextCell(interval_bar(p, scale, BARS, "■").rstrip())))
            for name, _, p in drawn
            if p is not None
        ]
    columns = (label("Variant"), Column("estimate and interval", justify="left"))
    return PageBlock("Plot", columns, tuple(lines), (LEGEND,)) if lines else None


def _point(stats: dict[str, Row], limits: dict[str, tuple[str, str]]) -> Point | None:
    for name, (low, high) in limits.items():
        rows = [stats.get(n) for n in (name, low, high)]
        if all(r is not None and r.stat is not None for r in rows):
            values = [r.number() for r in rows if r is not None]
            if name in RATIOS:
                if min(values) <= 0:
                    return None
                values = [math.log(v) for v in values]
            return values[0], values[1], values[2]
    return None
