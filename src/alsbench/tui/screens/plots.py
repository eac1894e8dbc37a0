"""Plots of results: means with intervals by visit, estimates as intervals on a line, survival as steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from alsbench.analysis.contrast import Contrast, contrasts_by_visit
from alsbench.analysis.result import Result, Row
from alsbench.errors import AlsbenchError
from alsbench.render.formats import format_stat
from alsbench.render.ticks import nice_ticks, ratio_ticks, tick_text
from alsbench.study.phrase import is_post_hoc
from alsbench.tui.answers import Curves
from alsbench.tui.canvas import Canvas, Series, Under, plot
from alsbench.tui.cell_text import fit, safe, short_names
from alsbench.tui.contrast_text import finite, interval_text, small_p, visit_text
from alsbench.tui.table_models import align
from alsbench.tui.theme import Appearance, Glyphs

if TYPE_CHECKING:
    from alsbench.tui.screens.endpoint import EndpointView

LEAST_HEIGHT = 18  # lines of one of several plots

BY_VISIT = {"mmrm", "ancova"}  # methods whose means are drawn by visit
EffectItem = tuple[str, Contrast, str, bool]  # name, contrast, note, and whether its p is what the plan asked for
LASTS = "p<0.05 from here"
AT_RISK = 10  # cells for an arm's name before its numbers at risk; the legend has it in full


def endpoint_plot(results: Sequence[tuple[str, Any, Any]], view: EndpointView, width: int, height: int) -> list[Text]:
    """A plot for each subgroup phrase, one under the other; the first two share the screen where it is tall enough."""
    look = view.bench.look
    lines: list[Text] = []
    each = height if height < 2 * LEAST_HEIGHT else max(LEAST_HEIGHT, height // min(max(len(results), 1), 3))
    floor = axis_floor(c for _, _, c in results if isinstance(c, Curves))
    contrasts: list[EffectItem] = []
    for phrase, result, curves in results:
        if not isinstance(result, Result) or (view.method == "time_to_event" and not isinstance(curves, Curves)):
            failed = next((r for r in (result, curves) if isinstance(r, AlsbenchError)), None)
            said = failed.what if failed is not None else view.absent
            lines.append(Text(safe(f"{phrase}: {said}", ascii=view.ascii), look["dim"]))
            continue
        subgroup = next((r.subgroup for r in result.rows), phrase)
        made = one_plot(result, curves, subgroup, view, width, each, floor)
        lines += made
        if not made:
            contrasts += contrast_items(result, view, subgroup)
    if not contrasts:
        return lines
    visits = {visit_text(e) for _, e, _, _ in contrasts} - {""}
    title = ", ".join([*(visits if len(visits) == 1 else ()), "estimate (95% CI)"])
    return [*interval_lines(contrasts, look, width, safe(title, ascii=view.ascii)), *lines]


def axis_floor(curves: Iterable[Curves]) -> float:
    """Where the survival axis of all plots starts: 0, or the tenth below every curve where all stay above a half."""
    lowest = min((float(c.survival.min()) for each in curves for c in each.by_arm.values()), default=0.0)
    return math.floor(lowest * 10 - 1e-9) / 10 if lowest > 0.5 else 0.0


def one_plot(
    result: Result, curves: Curves | None, subgroup: str, view: EndpointView, width: int, height: int, floor: float
) -> list[Text]:
    """The plot of one subgroup: survival curves, or means by visit; none where only contrasts can be drawn."""
    look, study = view.bench.look, view.study
    mark = "  POST HOC" if is_post_hoc(study, subgroup) else ""
    n = result.get("n", context="subgroup", arm=None)
    title = safe(f"{subgroup}, n = {n.stat if n else ''}{mark}", ascii=view.ascii)
    arms = [a for a in study.arms.order if any(r.arm == a for r in result.select(context="arm"))]
    if curves is not None:
        return survival_plot(curves, study.arms.order, title, look, width, height, floor)
    if (
        any(r.visit_number is not None for r in result.select(context="arm", stat_name=("ls_mean", "gmr")))
        and view.method != "joint_rank"
    ):
        lasting = view.lasting(result, subgroup)
        return visit_plot(result, arms, study.arms.order, title, look, width, height, lasting=lasting)
    if view.method in BY_VISIT:
        return [Text(fit(f"{title}: {safe(failure(result), ascii=view.ascii)}", width, mark=look.glyphs.ellipsis), look["dim"])]
    return []


def failure(result: Result) -> str:
    """Why a result has no number: the reason of its first contrast that says one."""
    return next((r.error for r in result.select(context="contrast") if r.error), "nothing could be estimated")


def visit_plot(
    result: Result,
    arms: Sequence[str],
    order: Sequence[str],
    title: str,
    look: Appearance,
    width: int,
    height: int,
    *,
    lasting: float = math.nan,
) -> list[Text]:
    """LS means (geometric mean ratios on a log scale) by visit, with intervals and n under the axis; a line at ``lasting``, the
    visit from which the difference lasts."""
    log_scale = any(True for _ in result.select(context="arm", stat_name="gmr"))
    names = ("gmr", "gmr_low", "gmr_high") if log_scale else ("ls_mean", "conf_low", "conf_high")
    series, under = [], []
    for arm in arms:
        by: dict[float, dict[str, Row]] = {}
        for row in result.select(context="arm", arm=arm):
            if row.visit_number is not None and row.variable is None:
                by.setdefault(row.visit_number, {})[row.stat_name] = row
        xs = [v for v in sorted(by) if names[0] in by[v]]
        columns = [[by[v][name].number() if name in by[v] else math.nan for v in xs] for name in names]
        series.append(Series(safe(arm), order.index(arm), xs, columns[0], columns[1], columns[2]))
        marker = look.marker(order.index(arm))
        under.append(Under(f"n {marker}", [(v, format_stat("n", by[v]["n"].stat)) for v in xs if "n" in by[v]]))
    visits = sorted({x for s in series for x in s.x})
    start = 0.0 if visits and visits[0] > 0 else (visits[0] if visits else 0.0)
    ticks = [(v, f"{v:g}") for v in dict.fromkeys([start, *visits])]
    what = "geometric mean ratio to baseline (95% CI)" if log_scale else "LS mean change (95% CI)"
    return plot(
        series,
        width=width,
        height=height,
        look=look,
        title="   ".join(t for t in (title, what) if t),
        x_ticks=ticks,
        zero=1.0 if log_scale else 0.0,
        under=[*under, *lasting_mark(lasting)],
        verticals=[lasting] if math.isfinite(lasting) else [],
    )


def lasting_mark(lasting: float) -> list[Under]:
    """What the line at the visit from which the difference lasts means, under it."""
    return [Under("", [(lasting, LASTS)], "mark")] if math.isfinite(lasting) else []


def survival_plot(
    curves: Curves, order: Sequence[str], title: str, look: Appearance, width: int, height: int, floor: float
) -> list[Text]:
    """Kaplan-Meier curves as steps, ``+`` where subjects were censored, the number at risk of each arm under the axis.

    The axis starts at ``floor``; where that is not 0 the title says so.
    """
    series, under = [], []
    last = max((float(c.time[-1]) for c in curves.by_arm.values()), default=1.0)
    ticks = [(t, tick_text(t, (0.0, 1.0))) for t in nice_ticks(0.0, last, max(3, width // 13))]
    arms = [a for a in order if a in curves.by_arm]
    names = [safe(a, ascii=not look.glyphs.dots) for a in arms]
    short = short_names(names, AT_RISK, look.glyphs.ellipsis)
    for arm, name, label in zip(arms, names, short, strict=True):
        curve, index = curves.by_arm[arm], order.index(arm)
        times, alive = [0.0, *map(float, curve.time)], [1.0, *map(float, curve.survival)]
        ended = [(float(t), float(s)) for t, s, n in zip(curve.time, curve.survival, curve.n_censor, strict=True) if n]
        series.append(Series(name, index, times, alive, step=True, ticks=ended))
        under.append(Under(f"{look.marker(index)} {label}", [(t, str(curve.at(t).n_risk)) for t, _ in ticks]))
    axis = f"  (axis from {floor:g})" if floor else ""
    ticks = [*ticks, (last, "")]
    said = f"no event by day, + censored, at risk below{axis}"
    return plot(
        series, width=width, height=height, look=look, title="   ".join(t for t in (title, said) if t),
        x_ticks=ticks, y_range=(floor, 1.0), under=under,
    )  # fmt: skip


def difference_plot(results: Sequence[tuple[str, Any]], view: EndpointView, width: int, height: int) -> list[Text]:
    """The difference of the comparison's two arms by visit, a plot for each subgroup phrase; intervals on a line where the
    method has no visits."""
    look, comparison = view.bench.look, view.comparison
    if comparison is None:
        return []
    endpoint = view.study.endpoints[view.session.choice.endpoint].model_copy(update={"method": view.method})
    each = height if height < 2 * LEAST_HEIGHT else max(LEAST_HEIGHT, height // min(max(len(results), 1), 3))
    lines: list[Text] = []
    without: list[EffectItem] = []
    for phrase, result in results:
        if not isinstance(result, Result):
            said = result.what if isinstance(result, AlsbenchError) else "being computed ..."
            lines.append(Text(safe(f"{phrase}: {said}", ascii=view.ascii), look["dim"]))
            continue
        subgroup = next((r.subgroup for r in result.rows), phrase)
        found = contrasts_by_visit((r for r in result.rows if r.subgroup == subgroup), endpoint, comparison)
        by_visit = [c for c in found if c.visit_number is not None and finite(c)]
        if len(by_visit) < 2:
            without += contrast_items(result, view, subgroup)
            continue
        mark = "  POST HOC" if is_post_hoc(view.study, subgroup) else ""
        title = safe(f"{subgroup}{mark}   {by_visit[0].unit.replace('_', ' ')} (95% CI)", ascii=view.ascii)
        lines += contrasts_plot(by_visit, view, title, width, each, view.lasting(result, subgroup))
    return lines if not without else [*interval_lines(without, look, width, "estimate (95% CI)"), *lines]


def contrasts_plot(
    found: Sequence[Contrast], view: EndpointView, title: str, width: int, height: int, lasting: float
) -> list[Text]:
    """One contrast by visit, with its interval, the line of no difference, and the line from which it lasts."""
    first, look, arm = found[0], view.bench.look, view.bench.catalogue.arm
    xs = [c.visit_number or 0.0 for c in found]
    values = [v for c in found if (v := finite(c)) is not None]
    name = safe(f"{arm(first.treatment)} against {arm(first.reference)}", ascii=view.ascii)
    index = view.study.arms.order.index(first.treatment)
    middle, low, high = ([v[k] for v in values] for k in range(3))
    series = Series(name, index, xs, middle, low, high)
    better = Under("", [(xs[-1], f"better: {'up' if first.upward else 'down'}")])
    return plot(
        [series],
        width=width,
        height=height,
        look=look,
        title=title,
        x_ticks=[(v, f"{v:g}") for v in dict.fromkeys([min(0.0, xs[0]), *xs])],
        zero=first.null,
        under=[better, *lasting_mark(lasting)],
        verticals=[lasting] if math.isfinite(lasting) else [],
    )


def contrast_items(result: Result, view: EndpointView, subgroup: str) -> list[EffectItem]:
    """The contrasts of the comparison asked about in one subgroup, as named effects: all subgroups share one scale."""
    study, comparison = view.study, view.comparison
    if comparison is None:
        return []
    mark = "POST HOC" if is_post_hoc(study, subgroup) else ""
    rows = (r for r in view.narrowed(result).rows if r.subgroup == subgroup)
    endpoint = study.endpoints[view.session.choice.endpoint].model_copy(update={"method": view.method})
    effects = contrasts_by_visit(rows, endpoint, comparison)
    n = result.get("n", context="subgroup", arm=None)
    name = f"{subgroup}, n {n.stat}" if n else subgroup
    return [
        (f"{name} {visit_text(e) if len(effects) > 1 else ''}".rstrip(), e, mark, view.planned(subgroup, e.visit_number))
        for e in effects
    ]


def interval_lines(items: Sequence[EffectItem], look: Appearance, width: int, title: str = "") -> list[Text]:
    """``name  |----■----|  estimate (limits) p`` for each effect, on a common scale; clipped ends are arrows."""
    lines = [Text(fit(title, width, mark=look.glyphs.ellipsis), look["bold"])] if title else []
    usable = [e for _, e, _, _ in items if finite(e)]
    if not usable:
        return [*lines, Text("nothing could be estimated", look["dim"])]
    log_scale = usable[0].ratio
    low, high = interval_range(usable, log_scale)
    label = min(max(len("better:"), *(len(name) for name, *_ in items)), 24)
    texts = align(
        [interval_text(e).removeprefix(f"{e.unit.replace('_', ' ')} ").replace("95% CI ", "") for _, e, _, _ in items]
    )
    texts = [f"{text} {note}".rstrip() for text, (_, _, note, _) in zip(texts, items, strict=True)]
    room = max(width - label - max(len(t) for t in texts) - 3, 12)
    for (name, effect, _, planned), text in zip(items, texts, strict=True):
        line = Text(fit(safe(name), label, mark=look.glyphs.ellipsis) + " ", look["text"])
        role = "" if not small_p(effect) else "bold" if planned else "warn"
        drawn = "good" if planned and effect.favourable and small_p(effect) else "text"
        line += interval(effect, look, room, low, high, log_scale, role=drawn)
        line.append(f" {text}", look[role or "text"])
        lines.append(line)
    ticks = ratio_ticks(low, high, 4) if log_scale else [t for t in nice_ticks(low, high, 4) if low <= t <= high]
    axis = Canvas(room, 1, low, high, 0, 1, look)
    row = [" "] * (room + 8)
    for tick in ticks:
        shown = f"{math.exp(tick):g}" if log_scale else tick_text(tick, ticks)
        start = max(0, min(round(axis.column(tick)) - len(shown) // 2, room - len(shown)))
        row[start : start + len(shown)] = list(shown)
    lines.append(Text(" " * (label + 1) + "".join(row), look["axis"]))
    sides = better_line(usable, look.glyphs, round(axis.column(0.0)), room)
    return [*lines, Text(f"{'better:':<{label}} {sides}", look["axis"]), Text()]


def better_side(effects: Sequence[Contrast], glyphs: Glyphs) -> str:
    """The side of the null on which estimates favour the treatment."""
    found = next((e for e in effects if e.favourable is not None), None)
    if found is None:
        return ""
    return f"right {glyphs.more_right}" if found.upward else f"{glyphs.more_left} left"


def better_line(effects: Sequence[Contrast], glyphs: Glyphs, zero: int, room: int) -> str:
    """``treatment`` and ``reference`` on their sides of the null, as far as there is room for them."""
    right = better_side(effects, glyphs).startswith("right")
    before, after = ("reference", "treatment") if right else ("treatment", "reference")
    before, after = f"{glyphs.more_left} {before}", f"{after} {glyphs.more_right}"
    line = before.rjust(max(zero - 1, 0)) if len(before) < zero else " " * zero
    if zero + 2 + len(after) <= room:
        return line.ljust(zero + 2) + after
    return line if line.strip() else fit(better_side(effects, glyphs), room, mark="")


def interval_range(effects: Sequence[Contrast], log_scale: bool) -> tuple[float, float]:
    """The common scale: every estimate and the null inside, intervals clipped past three times their median width."""
    scale = math.log if log_scale else float
    found = [[scale(v) for v in values] for e in effects if (values := finite(e)) is not None]
    widths = sorted(high - low for _, low, high in found)
    most = 1.5 * widths[len(widths) // 2]
    lows = [max(low, estimate - most) for estimate, low, _ in found]
    highs = [min(high, estimate + most) for estimate, _, high in found]
    return min(0.0, *lows), max(0.0, *highs)


def interval(
    effect: Contrast,
    look: Appearance,
    room: int,
    low: float,
    high: float,
    log_scale: bool,
    *,
    role: str = "text",
) -> Text:
    """One interval in ``room`` cells; ends beyond the scale are arrows, a square marks the estimate."""
    glyphs = look.glyphs
    scale = math.log if log_scale else float
    canvas = Canvas(room, 1, low, high, 0, 1, look)
    zero = round(canvas.column(0.0))
    canvas.put(zero, 0, glyphs.v, look["axis"])
    if (values := finite(effect)) is not None:
        middle, start, end = (round(canvas.column(scale(v))) for v in values)
        style = look[role]
        for column in range(max(start, 0), min(end, room - 1) + 1):
            canvas.put(column, 0, glyphs.h if column != zero else "+" if not glyphs.dots else "┼", style)
        if start < 0:
            canvas.put(0, 0, glyphs.more_left, style)
        if end > room - 1:
            canvas.put(room - 1, 0, glyphs.more_right, style)
        canvas.put(middle, 0, glyphs.square, style)
    return canvas.texts()[0]
