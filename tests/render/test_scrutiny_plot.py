"""The plot of a check: bars where the numbers are, no bar for what has no interval, one scale for a comparison."""

from __future__ import annotations

from alsbench.analysis.result import Row
from alsbench.render.page import PageBlock
from alsbench.render.scrutiny import BARS, plot_block

LIMITS = {"difference": ("conf_low", "conf_high"), "hazard_ratio": ("hr_low", "hr_high")}


def stats(estimate: float | None, low: float, high: float, names: tuple[str, str, str]) -> dict[str, Row]:
    values = dict(zip(names, (estimate, low, high), strict=True))
    return {n: Row("e", "m", "FAS", "s", "contrast", n, v) for n, v in values.items()}


def drawn(points: list[tuple[float | None, float, float]], names: tuple[str, str, str]) -> PageBlock | None:
    members = [(f"line {k}", stats(*p, names)) for k, p in enumerate(points)]
    return plot_block({"A vs B": members}, LIMITS)


DIFFERENCE = ("difference", "conf_low", "conf_high")
RATIO = ("hazard_ratio", "hr_low", "hr_high")


def test_bars_by_hand() -> None:
    """Scale -2 to 2 over 37 places: 0 in the middle (place 18), one unit is 9 places."""
    block = drawn([(0, -2, 2), (1, 0, 2), (-1, -2, -0.5)], DIFFERENCE)
    assert block is not None
    bars = [line.cells[1].text for line in block.lines[1:]]
    assert bars[0] == "─" * 18 + "■" + "─" * 18
    assert bars[1] == " " * 18 + "┼" + "─" * 8 + "■" + "─" * 9
    assert bars[2].index("■") == 9
    assert bars[2][18] == "|"
    assert all(len(bar) <= BARS for bar in bars)


def test_ratios_are_drawn_as_logarithms() -> None:
    block = drawn([(1, 0.25, 4), (2, 1, 4), (0.5, 0.25, 1)], RATIO)
    assert block is not None
    assert [line.cells[1].text.index("■") for line in block.lines[1:]] == [18, 27, 9]


def test_a_very_wide_interval_goes_on() -> None:
    block = drawn([(1, 0, 2), (1, 0, 2), (1, -50, 60)], DIFFERENCE)
    assert block is not None
    bar = block.lines[3].cells[1].text
    assert (bar[0], bar[-1], len(bar)) == ("<", ">", BARS)


def test_what_has_no_interval_is_not_drawn() -> None:
    assert drawn([(1, 0, 2), (None, 0, 2), (1, 0, 2)], DIFFERENCE) is None
    assert plot_block({}, LIMITS) is None
