"""Names longer than the room: what tells things apart stays legible, what is cut says so, nothing pushes the rest away."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from alsbench.tui.canvas import Series, plot
from alsbench.tui.cell_text import fit_middle, without_shared
from alsbench.tui.table_models import GridModel, GridRow, grid
from alsbench.tui.theme import Appearance, appearance
from alsbench.tui.widgets.bars import Bar, chips
from alsbench.tui.widgets.pane import folded
from alsbench.tui.widgets.table import _given_way

DARK: Appearance = appearance("dark", ascii=False)
ARMS = ("Placebo", *(f"Compound XYZ-{k}00 modified release {k}0 mg twice daily" for k in range(1, 10)))


def test_the_end_of_a_name_cut_in_its_middle_stays() -> None:
    assert fit_middle("subgroup_with_a_long_name_07", 15) == "subgroup_w…e_07"
    assert fit_middle("slow", 15) == "slow"
    assert cell_len(fit_middle("治験薬高用量四十ミリグラム一日二回", 15)) <= 15


def test_shared_words_go_first_and_two_names_never_become_one() -> None:
    assert without_shared(("Placebo", "Drug X 10 mg", "Drug X 20 mg"), 8) == ("Placebo", "10 mg", "20 mg")
    assert without_shared(("Drug X", "Drug X Drug X"), 4) == ("Drug X", "Drug X Drug X")


def test_a_legend_names_every_arm_by_a_marker_of_its_own() -> None:
    series = [Series(name, k, [0.0, 1.0], [0.0, float(k)]) for k, name in enumerate(ARMS)]
    lines = plot(series, width=80, height=20, look=DARK, x_ticks=[(0.0, "0"), (1.0, "1")])
    legend = " ".join(line.plain for line in lines[:10])
    assert all(f"XYZ-{k}00" in legend for k in range(1, 10))
    assert len({DARK.marker(k) for k in range(len(ARMS))}) == len(ARMS)
    assert all(line.cell_len <= 80 for line in lines)
    assert sum("│" in line.plain for line in lines) >= 8, "the curves keep room"


def test_an_arm_does_not_push_the_difference_off_the_screen() -> None:
    row = GridRow(tuple((t, "") for t in ("Month 1", "40", "-1.00 (0.500)", "41", "-2.00 (0.500)", "1.00 (0.10, 1.90)")))
    made = grid(
        ["visit", "n", "mean", "n", "mean", "difference"], [row], groups=["", ARMS[1], ARMS[1], "Placebo", "Placebo", ""]
    )
    assert sum(c.width + 2 for c in made.cols) <= 80
    assert made.cols[1].group == ARMS[1], "whole for whoever takes the table away"
    assert len(GridModel((made,)).blocks()) == 1


def test_columns_that_stay_leave_room_for_the_next_one() -> None:
    assert _given_way([61], 80 - 22) == [56]
    assert _given_way([16], 58) == [16]
    assert _given_way([7, 54], 55) == [7, 44]


def test_chips_that_do_not_fit_are_counted_and_stay_post_hoc() -> None:
    texts = [t for t, _ in chips(("slow", "bulbar", "older"), {"slow", "older"}, 80, "…") if t.strip()]
    assert texts == [" slow post hoc ", " bulbar ", " older post hoc "]
    texts = [t for t, _ in chips(("slow", "bulbar", "older"), {"slow", "older"}, 34, "…") if t.strip()]
    assert texts == [" slow post hoc ", " +2 post hoc "]
    texts = [t for t, _ in chips(("a_subgroup_of_a_very_long_name",), {"a_subgroup_of_a_very_long_name"}, 30, "…") if t.strip()]
    assert texts == [" a_subgroup_of_a_v… post hoc "]


def test_a_title_gives_way_piece_by_piece() -> None:
    bar = Bar(DARK, elastic=True)
    bar.show(
        [("A title of an endpoint that is long " * 2, ""), ("  " + ARMS[1] + " vs Placebo", "bold"), ("  mmrm  [table]", "")]
    )
    shown = [t for t, _ in bar._fitted(80)]
    assert sum(map(cell_len, shown)) == 80
    assert shown[0] == "A title of …"
    assert shown[1].startswith("  Compound XYZ-100")
    assert shown[2] == "  mmrm  [table]"


def test_a_fact_is_folded_by_cells_and_loses_nothing() -> None:
    value = "n = 9 (治験薬 高用量 四十ミリグラム 一日二回 42, " + "x" * 100 + ")"
    lines: list[Text] = folded("Subgroup", value, DARK, 60)
    assert all(line.cell_len <= 60 for line in lines)
    assert "".join(line.plain[22:] for line in lines).replace(" ", "") == value.replace(" ", "")
