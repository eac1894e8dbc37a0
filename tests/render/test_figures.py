"""Figures show the numbers of their tables: every mark stands where its number belongs, gaps stay gaps, text stays text."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from alsbench.analysis.contrast import EvidenceCell
from alsbench.analysis.result import Result, Row
from alsbench.render.document import page_document
from alsbench.render.figures import forest_figures, survival_figures, visit_figures
from alsbench.render.html import document_html
from alsbench.render.tables import endpoint_page
from alsbench.stats.survival import kaplan_meier

NS = "{http://www.w3.org/2000/svg}"
MEANS = {"Placebo": {3.0: -1.5, 6.0: -4.0, 12.0: -9.0}, "Group 1": {3.0: -1.0, 6.0: -2.0}}


def row(stat_name: str, stat: float | int | None, **more: Any) -> Row:
    about: dict[str, Any] = {"endpoint": "alsfrs", "method": "mmrm", "population": "FAS", "subgroup": "slow", "context": "arm"}
    return Row(**(about | more), stat_name=stat_name, stat=stat)  # type: ignore[arg-type]


def rows(means: dict[str, dict[float, float]], stats: Sequence[str] = ("ls_mean", "conf_low", "conf_high")) -> list[Row]:
    """Means with limits 1 below and 1 above; Group 1 has no number at month 12."""
    out: list[Row] = []
    for arm, by in means.items():
        for visit in (3.0, 6.0, 12.0):
            at = {"arm": arm, "visit": f"Month {visit:g}", "visit_number": visit}
            mean = by.get(visit)
            out.append(row("n", 20, **at))
            for name, add in zip(stats, (0.0, -1.0, 1.0), strict=True):
                out.append(row(name, None if mean is None else mean + add, **at))
    return out


def drawn(found: Any) -> ET.Element:
    (figure,) = found
    return ET.fromstring(figure.draw())


def texts(svg: ET.Element) -> list[tuple[float, float, str]]:
    return [(float(t.get("x", "nan")), float(t.get("y", "nan")), t.text or "") for t in svg.iter(f"{NS}text")]


def scale(svg: ET.Element, x: float) -> np.ndarray:
    """The axis of numbers at ``x``: what a height means, from two of its ticks (slope, intercept)."""
    ticks = [
        (y - 4.0, float(text)) for at, y, text in texts(svg) if at == x and text.replace("-", "").replace(".", "").isdigit()
    ]
    (y1, v1), (y2, v2) = ticks[0], ticks[-1]
    slope = (v2 - v1) / (y2 - y1)
    return np.array([slope, v1 - slope * y1])


def test_every_mean_stands_at_its_value(standing: Any) -> None:
    svg = drawn(visit_figures(standing(rows(MEANS)), "slow", "A title"))
    slope, start = scale(svg, 57.0)  # numbers of the vertical axis end seven pixels before it
    circles = [c for c in svg.iter(f"{NS}circle") if 64.0 < float(c.get("cx", 0)) < 630.0 and float(c.get("cy", 0)) < 240.0]
    values = sorted(slope * float(c.get("cy", 0)) + start for c in circles)
    assert values == pytest.approx(sorted(MEANS["Placebo"].values()), abs=0.02), "tenths of a pixel"
    triangles = list(svg.iter(f"{NS}polygon"))
    assert len(triangles) == 2 + 1 + 1, "two means, the legend, the line of n: month 12 is a gap"
    assert sum(text == "20" for *_, text in texts(svg)) == 6
    assert any(text == "Month" for *_, text in texts(svg))


def test_a_hidden_number_of_subjects_stands_under_the_axis_as_in_the_table(standing: Any) -> None:
    """A masked count has no number: its place says ``<5``, and the figure is drawn."""
    found = [
        replace(r, stat=None, error="masked: <5") if r.stat_name == "n" and r.visit_number == 6.0 else r for r in rows(MEANS)
    ]
    svg = drawn(visit_figures(standing(found), "slow", "A title"))
    assert sum(text == "<5" for *_, text in texts(svg)) == 2, "both arms at month 6"
    assert sum(text == "20" for *_, text in texts(svg)) == 4


def test_ratios_are_drawn_on_a_log_scale(standing: Any) -> None:
    means = {"Placebo": {3.0: 2.0, 6.0: 4.0}}
    found = rows(means, ("gmr", "gmr_low", "gmr_high"))
    svg = drawn(visit_figures(standing([*found, *rows(means)]), "slow", "A title"))
    heights = {text: y for x, y, text in texts(svg) if x == 57.0}
    assert {"1", "2", "5"} <= set(heights)
    steps = [(heights[a] - heights[b]) / math.log(float(b) / float(a)) for a, b in (("1", "2"), ("2", "5"))]
    assert steps[0] == pytest.approx(steps[1], rel=0.01)


@pytest.mark.parametrize("drop", ["one visit", "no limits", "ranks"])
def test_what_is_no_course_over_visits_is_not_drawn(standing: Any, drop: str) -> None:
    found = rows({"Placebo": {3.0: 1.0}}) if drop == "one visit" else rows(MEANS)
    if drop == "no limits":
        found = [r for r in found if r.stat_name != "conf_low"]
    if drop == "ranks":
        found = [replace(r, method="joint_rank") for r in found]
    assert list(visit_figures(standing(found), "slow", "A title")) == []


def test_survival_steps_ticks_and_numbers_at_risk() -> None:
    """Ten subjects: events on days 10 and 20, censored on 15 and 30: by hand S = 0.9, 0.9 * 7/8 = 0.7875."""
    days = np.array([10, 15, 20, 30, 30, 30, 30, 30, 30, 30], dtype=float)
    event = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 0], dtype=bool)
    svg = drawn(survival_figures({"Placebo": kaplan_meier(days, event)}, "A title"))
    slope, start = scale(svg, 57.0)
    path = next(p.get("d", "") for p in svg.iter(f"{NS}path") if p.get("stroke-width") == "1.8")
    heights = [float(point.split()[1]) for point in path.replace("M", "L").split("L")[1:]]
    shares = sorted({round(slope * y + start, 2) for y in heights}, reverse=True)
    assert shares == pytest.approx([1.0, 0.9, 0.79], abs=0.006)
    ticks = [p for p in svg.iter(f"{NS}path") if p.get("stroke-width") == "1.2"]
    assert len(ticks) == 2, "somebody was censored on days 15 and 30"
    last = max(y for *_, y, text in texts(svg) if text == "10")
    at_risk = [int(text) for x, y, text in texts(svg) if y == last and text.isdigit()]
    assert at_risk == [int((days >= d).sum()) for d in range(0, 31, 5)][: len(at_risk)]


def cell(subgroup: str, estimate: float | None, **more: Any) -> EvidenceCell:
    values: dict[str, Any] = {
        **{"endpoint": "nfl", "title": "NfL", "method": "mmrm", "level": "secondary", "primary": False, "subgroup": subgroup},
        **{"comparison": "G", "treatment": "Group 1", "reference": "Placebo", "visit": "Month 4", "post_hoc": False, "n": 20},
        **{
            "estimate": estimate,
            "low": None if estimate is None else estimate - 1,
        },
        **{"high": None if estimate is None else estimate + 1, "p": None if estimate is None else 0.5},
    }
    return EvidenceCell(**(values | more))


def test_a_forest_has_a_square_for_every_estimate_and_arrows_where_an_interval_goes_on() -> None:
    cells = [cell("overall", 1.0), cell("slow", 3.0, high=9.0, post_hoc=True), cell("fast", None)]
    svg = drawn(forest_figures(cells, (-2.0, 5.0), ["one", "three", "NE"], "A title"))
    squares = list(svg.iter(f"{NS}polygon"))
    assert len(squares) == 2
    centre = [np.mean([float(p.split(",")[0]) for p in s.get("points", "").split()]) for s in squares]
    zero, two = (next(x for x, _, text in texts(svg) if text == t) for t in ("0", "2"))
    assert [(c - zero) / (two - zero) * 2 for c in centre] == pytest.approx([1.0, 3.0], abs=0.01)
    arrows = [p for p in svg.iter(f"{NS}path") if p.get("d", "").count("L") == 2]
    assert len(arrows) == 1
    words = [text for *_, text in texts(svg)]
    assert {"slow *", "NE", "three"} <= set(words)
    assert forest_figures([cell("fast", None)], (-1, 1), ["NE"], "t") == ()


def test_text_of_the_data_stays_text_and_the_page_is_self_contained(standing: Any) -> None:
    hostile = '<script>"&\x1b[31m'
    page = endpoint_page(standing(rows({hostile: MEANS["Placebo"]})))
    (figure,) = page.figures
    svg = ET.fromstring(figure.draw())
    assert any("<script>" in text and "\\x1b" in text for *_, text in texts(svg))
    html = document_html(page_document(page))
    assert "<figure>" in html
    assert "<script" not in html
    assert "\x1b" not in html
    assert html.count("://") == html.count("http://www.w3.org/2000/svg") == 1, "the name of the drawing language alone"


@pytest.fixture
def standing(mmrm: Result) -> Any:
    """A result of these rows with the title and facts of a real one."""
    from dataclasses import replace

    return lambda found: replace(mmrm, rows=tuple(found))
