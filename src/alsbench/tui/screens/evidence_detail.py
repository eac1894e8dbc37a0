"""Beside the Evidence table: one cell in full, the effect in every subgroup shown, and its plot by visit or over time.

The numbers are the cell's; the plot needs the endpoint's answer at every visit, or its curves, and is drawn once these are
known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from alsbench.analysis.contrast import BY_VISIT, EvidenceCell
from alsbench.analysis.result import Result
from alsbench.errors import AlsbenchError
from alsbench.render.formats import format_number, format_p
from alsbench.render.marks import style
from alsbench.tui.answers import AnswerKey, CurveKey, Curves
from alsbench.tui.canvas import LEAST_ROWS
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.contrast_text import estimate_texts, finite, visit_text
from alsbench.tui.screens.plots import BY_VISIT as DRAWN_BY_VISIT
from alsbench.tui.screens.plots import axis_floor, interval, interval_range, survival_plot, visit_plot
from alsbench.tui.table_models import ROLES
from alsbench.tui.widgets.pane import folded

if TYPE_CHECKING:
    from alsbench.study.model import Comparison
    from alsbench.tui.screens.evidence import EvidenceView, FoundCell

NAMES = 12  # cells of a fact's name
LEAST_PLOT = LEAST_ROWS + 7  # lines: title, legend, axis, numbers under it


def plot_keys(view: EvidenceView, endpoint: str, phrase: str) -> tuple[AnswerKey, ...]:
    """What the plot of a cell is drawn from."""
    question = view.question(endpoint, phrase)
    method = view.study.endpoints[endpoint].method
    if method == "time_to_event":
        return (CurveKey(question),)
    return (question,) if method in DRAWN_BY_VISIT else ()


def cell_lines(
    view: EvidenceView, endpoint: str, comparison: Comparison, phrase: str, cell: FoundCell, width: int, height: int
) -> list[Text]:
    """The detail of a cell in ``height`` lines, more where its plot needs them."""
    look, study, ascii = view.bench.look, view.study, view.ascii
    mark = look.glyphs.primary
    found = study.endpoints[endpoint]
    level = f"{mark} " if found.level == "primary" else ""
    lines = [Text(t, look["bold"]) for t in wrapped(safe(level + (found.title or endpoint), ascii=ascii), width)]
    lines += [Text(t, look["text"]) for t in wrapped(view.comparison_title(comparison), width)]
    if not isinstance(cell, EvidenceCell):
        said = "being computed ..." if cell is None else cell.what
        return [*lines, *(Text(t, look["warn" if cell else "dim"]) for t in wrapped(safe(said, ascii=ascii), width))]
    planned = "POST HOC" if cell.post_hoc else "planned" if phrase != "overall" else ""
    about = safe(f"{phrase}, n = {cell.n}", ascii=ascii)
    lines.append(Text.assemble((about, look["text"]), (f"  {planned}", look["warn" if cell.post_hoc else "dim"])))
    for name, value, role in facts(view, cell):
        lines += [line if not role else Text(line.plain, look[role]) for line in folded(name, value, look, width, names=NAMES)]
    lines += [Text(), *effects(view, endpoint, comparison, phrase, width)]
    room = max(height - len(lines) - 1, LEAST_PLOT)
    return [*lines, Text(), *drawn(view, endpoint, comparison, phrase, width, room)]


def facts(view: EvidenceView, cell: EvidenceCell) -> Iterator[tuple[str, str, str]]:
    """(name, value, role) of what is known of a cell."""
    glyphs = view.bench.look.glyphs
    if cell.estimate is None:
        yield cell.unit.replace("_", " "), safe(f"NE: {cell.error or ''}", ascii=view.ascii), "warn"
        return
    estimate, low, high = estimate_texts(cell)
    yield cell.unit.replace("_", " "), f"{estimate} (95% CI {low}, {high})", ""
    side = {True: f" {glyphs.favours} favours treatment", False: f" {glyphs.against} favours reference", None: ""}
    p = "NE" if cell.p is None else format_p(cell.p)
    yield "p", f"{p}{side[cell.favourable]}", ROLES[style(cell)]
    if said := view.bottom_line_words(cell):
        yield "bottom line", said, "warn"
    if cell.verdict:
        adjusted = "" if cell.p_adjusted is None else f", adjusted p {format_p(cell.p_adjusted)}"
        yield "plan", f"{cell.verdict}{adjusted}", ""
    if visit := visit_text(cell):
        yield "at", safe(visit, ascii=view.ascii), ""
    if cell.method in BY_VISIT:
        unit, lasting = view.study.visits.unit, cell.first_lasting_visit
        never = "never: p is not below 0.05 at the last visit"
        yield "from", never if lasting is None else f"{unit} {format_number(lasting)}: p below 0.05 at every visit on", ""
    if cell.interaction_p is not None:
        yield "interaction", f"p {format_p(cell.interaction_p)}", ""
    yield "method", cell.method.replace("_", " "), ""
    for text in (cell.warning, cell.plan):
        if text:
            yield "!", safe(text, ascii=view.ascii), "warn"


def effects(view: EvidenceView, endpoint: str, comparison: Comparison, phrase: str, width: int) -> list[Text]:
    """The effect in every subgroup shown, as intervals on one scale; the cell's own subgroup in bold."""
    look = view.bench.look
    found = {p: view.found(endpoint, comparison, p) for p in view.session.phrases}
    cells = {p: c for p, c in found.items() if isinstance(c, EvidenceCell) and finite(c)}
    if not cells:
        return []
    log_scale = next(iter(cells.values())).ratio
    low, high = interval_range(list(cells.values()), log_scale)
    label = min(max(len(p) for p in cells), max(width // 3, 8))
    lines = []
    for name, cell in cells.items():
        head = fit(safe(name, ascii=view.ascii), label, mark=look.glyphs.ellipsis)
        drawn_as = ROLES[style(cell)] or ("bold" if name == phrase else "text")
        line = Text(f"{head} ", look["bold" if name == phrase else "text"])
        lines.append(line + interval(cell, look, width - label - 1, low, high, log_scale, role=drawn_as))
    return lines


def drawn(view: EvidenceView, endpoint: str, comparison: Comparison, phrase: str, width: int, height: int) -> Sequence[Text]:
    """The plot of a cell, both arms of its comparison; why there is none yet."""
    look, order = view.bench.look, view.study.arms.order
    arms = [a for a in order if a in (comparison.treatment, comparison.reference)]
    for key in plot_keys(view, endpoint, phrase):
        found = view.known(key)
        if isinstance(found, AlsbenchError):
            return [Text(t, look["dim"]) for t in wrapped(safe(found.what, ascii=view.ascii), width)]
        if isinstance(found, Curves):
            pair = Curves({a: c for a, c in found.by_arm.items() if a in arms})
            return survival_plot(pair, order, "", look, width, height, axis_floor([pair]))
        if isinstance(found, Result):
            return visit_plot(found, arms, order, "", look, width, height, lasting=lasting(view, endpoint, comparison, phrase))
        return [Text("plot: being computed ...", look["dim"])]
    return []


def lasting(view: EvidenceView, endpoint: str, comparison: Comparison, phrase: str) -> float:
    """The visit from which the difference lasts; NaN for none."""
    cell = view.found(endpoint, comparison, phrase)
    found = cell.first_lasting_visit if isinstance(cell, EvidenceCell) else None
    return math.nan if found is None else found


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most ``width`` cells."""
    return wrap(text, width) or [""]
