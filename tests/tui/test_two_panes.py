"""The room of a screen and what matters in it: widths of list and detail, which columns stay, marks and colours, what follows
the cursor and when."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.contrast import Contrast, EvidenceCell
from alsbench.render.marks import sign, style
from alsbench.tui.screens.evidence import Layout, column_width, layout, parts
from alsbench.tui.screens.plots import LASTS, interval
from alsbench.tui.screens.two_panes import BESIDE, LIST, widths
from alsbench.tui.theme import ASCII, UNICODE, appearance

PHRASES = ("overall", "slow", "not slow")
NAMES, TITLES = 15, 27  # cells of the sample's labels


@pytest.mark.parametrize(
    ("width", "found"), [(80, (80, 0)), (119, (119, 0)), (120, (80, 40)), (128, (80, 48)), (160, (100, 60)), (200, (125, 75))]
)
def test_two_panes_from_120_columns_and_the_list_keeps_80(width: int, found: tuple[int, int]) -> None:
    assert widths(width) == found
    assert sum(widths(width)) == width


@pytest.mark.parametrize("width", range(BESIDE, 400))
def test_the_list_never_loses_what_80_columns_show(width: int) -> None:
    left, right = widths(width)
    assert left >= LIST
    assert 0 < right <= left


def test_what_matters_stays_at_80_columns_and_the_complement_is_said() -> None:
    """15 + (2 + 20 + 5) + (2 + 20 + 5 + 6) = 75 of 80; the complement's 22 more have no room."""
    found = layout(80, PHRASES, NAMES, TITLES)
    assert found == Layout(("overall", "slow", "not slow"), away=("not slow",))
    assert sum(column_width(p, found) for p in PHRASES[:2]) == 60


@pytest.mark.parametrize(
    ("width", "titles", "limits", "further", "away"),
    [
        (75, False, False, False, ("not slow",)),  # not even the first subgroup with from and p int: 75 and the sign for more
        (76, False, False, True, ("not slow",)),
        (96, False, False, True, ("not slow",)),
        (97, False, False, True, ()),  # 75 + 22
        (109, True, False, True, ()),  # titles: 27 + 82; before limits of three columns
        (132, True, False, True, ()),
        (133, True, True, True, ()),  # and limits of three columns, 3 x 8 more
    ],
)
def test_columns_go_by_rule(width: int, titles: bool, limits: bool, further: bool, away: tuple[str, ...]) -> None:
    found = layout(width, PHRASES, NAMES, TITLES)
    assert (found.titles, found.limits, found.further, found.away) == (titles, limits, further, away)


def test_limits_stand_with_names_where_titles_are_too_long() -> None:
    """Names 15 + 106 of three columns with limits; titles of 45 need 127 with the SE."""
    assert layout(121, PHRASES, NAMES, 45) == Layout(PHRASES, titles=False, limits=True)


def test_of_several_subgroups_the_complements_stand_last() -> None:
    phrases = ("overall", "slow", "not slow", "bulbar", "not bulbar")
    assert layout(110, phrases, NAMES, TITLES).phrases == ("overall", "slow", "bulbar", "not slow", "not bulbar")
    assert layout(110, phrases, NAMES, TITLES).away == ("not slow", "not bulbar")
    assert layout(200, phrases, NAMES, TITLES).phrases == phrases


def test_from_stands_on_no_complement_and_p_int_on_subgroups_only() -> None:
    assert [parts(p) for p in PHRASES] == [(True, False), (True, True), (False, False)]


def cell(**values: Any) -> EvidenceCell:
    about = {"treatment": "T", "reference": "R", "estimate": 2.0, "low": 1.0, "high": 3.0, "p": 0.01, "endpoint": "e"}
    more = {
        "title": "E",
        "method": "mmrm",
        "level": "primary",
        "comparison": "T",
        "primary": True,
        "subgroup": "overall",
        "n": 50,
    }
    return EvidenceCell(**(about | more | {"post_hoc": False} | values))


def test_green_is_what_was_planned_and_a_post_hoc_p_is_amber_with_a_dagger() -> None:
    planned, found = cell(bottom_line=""), cell(subgroup="slow", post_hoc=True)
    assert (style(planned), sign(planned)) == ("good", "")
    assert (style(found), sign(found)) == ("doubt", "†")
    assert style(cell(bottom_line="what chance offers")) == ""
    assert style(cell(p=0.06, bottom_line="")) == ""


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_twelve_arms_have_twelve_marks(glyphs: Any) -> None:
    assert len(set(glyphs.markers)) == len(glyphs.markers) == 12
    drawn = {glyphs.lasts, glyphs.ellipsis, glyphs.v, glyphs.h, glyphs.tick, glyphs.corner, "+", "."}  # beside them in a plot
    assert not set(glyphs.markers) & drawn
    assert glyphs is UNICODE or all(m.isascii() for m in glyphs.markers)


@pytest.mark.parametrize("room", [12, 40, 120, 300])
@pytest.mark.parametrize("ascii", [False, True])
def test_a_point_is_a_point_at_any_width(room: int, ascii: bool) -> None:
    look = appearance("dark", ascii=ascii)
    effect = Contrast(treatment="T", reference="R", estimate=1.5, low=0.5, high=2.5, p=0.01)
    drawn = interval(effect, look, room, -1.0, 3.0, False).plain
    assert drawn.count(look.glyphs.square) == 1
    assert drawn.index(look.glyphs.square) == round((1.5 + 1.0) / 4.0 * (room - 1))


async def test_beside_the_table_stands_the_cell_under_the_cursor(tui: Any, workspace: Path) -> None:
    async with tui.run(workspace, size=(160, 45)) as pilot:
        text = await tui.press(pilot, "j", "l", "l")
        beside = "\n".join(line[100:] for line in text.splitlines())
        assert "ALSFRS-R total score" in beside
        assert "Group 1 (two doses) vs Placebo, month 6 ★ primary" in beside
        assert "slow, n = 56  POST HOC" in beside
        assert "interaction   p" in beside
        assert "LS mean change (95% CI)" in beside
        text = await tui.press(pilot, "j", "j")
        assert "no event by day" in text


async def test_a_narrow_screen_has_one_pane(tui: Any, workspace: Path) -> None:
    async with tui.run(workspace, size=(119, 40)) as pilot:
        text = await tui.press(pilot, "j", "l", "l")
        view = pilot.app.view
        assert not view.aside.display
        assert view.resting is None
        assert "LS mean change" not in text


async def test_the_detail_waits_until_the_cursor_rests(tui: Any, workspace: Path) -> None:
    """Ten keys in a row draw the detail once."""
    async with tui.run(workspace, size=(120, 40)) as pilot:
        await tui.press(pilot, "j")
        view, drawn = pilot.app.view, []
        shown = view.aside.show
        view.aside.show = lambda lines, **more: (drawn.append(len(lines)), shown(lines, **more))
        for key in "jjjkkljjhl":
            tui.strike(pilot.app, key)
        await tui.settle(pilot)
        assert 1 <= len(drawn) <= 2  # a second time where its plot had to be computed


async def test_the_chosen_comparison_stands_first_and_the_cursor_goes_with_it(tui: Any, workspace: Path) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "j", "l")
        assert text.index("Group 1 (two doses) vs Placebo") < text.index("Group 2 (five doses) vs Placebo")
        text = await tui.press(pilot, ":comparison G2-M12")
        assert text.index("Group 2 (five doses) vs Placebo") < text.index("Group 1 (two doses) vs Placebo")
        endpoint, comparison, phrase, _ = pilot.app.view.source()
        assert (endpoint, comparison.treatment, phrase) == ("alsfrs", "Group 2", "overall")


async def test_the_visit_from_which_a_difference_lasts_is_marked_in_table_and_plot(tui: Any, workspace: Path) -> None:
    async with tui.run(workspace, size=(160, 45)) as pilot:
        await tui.press(pilot, "4", ":endpoint alsfrs", ":comparison G2-M12", "t", "G")
        view = pilot.app.view
        lasting = [view.lasting(r, r.question["subgroups"][0]) for r in view.results]
        expected = [r.get("first_lasting_visit", context="contrast", treatment="Group 2", level=None) for r in view.results]
        assert [None if math.isnan(v) else v for v in lasting] == [e.stat if e else None for e in expected]
        assert any(map(math.isfinite, lasting))
        marked = [view.full.text(k, 0) for k in range(len(view.full)) if view.full.text(k, 0).endswith(UNICODE.lasts)]
        assert marked == [f"Month {v:g} {UNICODE.lasts}" for v in lasting if math.isfinite(v)]
        text = await tui.press(pilot, "d")
        assert LASTS in text
        assert "Group 2 (five doses) against Placebo" in text
        assert "Group 1" not in "\n".join(text.splitlines()[3:-2])


async def test_a_click_on_a_tab_goes_to_its_screen(tui: Any, workspace: Path) -> None:
    async with tui.run(workspace, size=(120, 40)) as pilot:
        text = await tui.settle(pilot)
        line = text.splitlines()[1]
        shown = "1 Evidence 2 Arms 3 Subgroups 4 Endpoint 5 Forest 6 Scrutiny 7 Safety 8 Data 9 Log 0 Claims"
        assert " ".join(line.split()) == shown
        await pilot.click("#tabs", offset=(line.index("Forest") + 1, 0))
        await tui.settle(pilot)
        assert pilot.app.session.screen == "forest"
        await pilot.resize_terminal(80, 24)
        await tui.settle(pilot)
        assert not pilot.app.tabs.display
