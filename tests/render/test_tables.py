"""Tables stand alone, cut nothing, and say the same in a pipe and on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from alsbench.analysis.result import Result
from alsbench.render.layout import page_lines, page_text
from alsbench.render.page import Page
from alsbench.render.result_rows import ResultRows
from alsbench.render.tables import endpoint_page, model_block


def show(console: Console, result: Result) -> None:
    for line in page_lines(endpoint_page(result), width=console.width):
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _console(width: int, *, terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, force_terminal=terminal, color_system=None, legacy_windows=False), out


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_every_number_is_there_at_any_width(mmrm: Result, width: int) -> None:
    console, out = _console(width, terminal=False)
    show(console, mmrm)
    for shown in ("-4.12 (0.513)", "-10.50 (0.513)", "1.12 (-1.23, 3.46)", "3.25", "0.024", "<0.001", ">0.999", "NE"):
        assert shown in out.getvalue()
    assert "…" not in out.getvalue()


def test_lines_fit_eighty_columns(mmrm: Result) -> None:
    assert max(len(line) for line in page_text(endpoint_page(mmrm)).splitlines()) <= 80


def test_a_terminal_gets_the_same_text_as_a_pipe(mmrm: Result) -> None:
    shown = []
    for terminal in (True, False):
        console, out = _console(80, terminal=terminal)
        show(console, mmrm)
        shown.append([line.rstrip() for line in out.getvalue().splitlines()])
    assert [line.replace("\x1b[0m", "") for line in shown[0]] == shown[1]


def test_the_title_says_post_hoc_and_synthetic_once(mmrm: Result, result_of) -> None:
    title = page_text(endpoint_page(mmrm)).splitlines()[0]
    assert title.endswith("· Post hoc · SYNTHETIC DATA")
    already = endpoint_page(result_of([], title="Post hoc: ALSFRS-R, SYNTHETIC DATA")).title
    assert already == "Post hoc: ALSFRS-R, SYNTHETIC DATA"
    neither = endpoint_page(result_of([], title="ALSFRS-R", post_hoc=False, synthetic=False)).title
    assert neither == "ALSFRS-R"


def test_a_table_names_population_subgroup_cut_and_sources(mmrm: Result) -> None:
    text = page_text(endpoint_page(mmrm))
    for part in (
        "FAS",
        "mean(LEADRATE) = 1.0123",
        "n = 58",
        "ADSL, ADQS",
        "snapshot aaaaaaaaaaaa",
        "95% intervals",
        "alsbench 0.1.0",
    ):
        assert part in text


def test_what_is_not_estimable_is_explained_below(mmrm: Result) -> None:
    assert "NE: no rows of Group 1 at Month 12 [Group 1, Month 12" in page_text(endpoint_page(mmrm))


def test_hostile_labels_are_shown_escaped(row, result_of) -> None:
    hostile = "\x1b[2J[red]A[/red]"
    rows = [row("arm", "ls_mean", 1.0, arm=hostile, visit="V\u202e1", visit_number=1.0)]
    console, out = _console(80, terminal=False)
    show(console, result_of(rows))
    assert "\\x1b[2J[red]A[/red]" in out.getvalue()
    assert "V\\u202e1" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_cells_know_the_rows_behind_them(mmrm: Result) -> None:
    block = endpoint_page(mmrm).blocks[0]
    behind = block.lines[0].cells[2].rows
    assert [r.stat_name for r in behind] == ["ls_mean", "se"]
    assert behind[0].stat == -4.123456789


def test_a_log_scale_shows_ratios_with_their_limits(row, result_of) -> None:
    at = {"endpoint": "nfl", "visit": "Month 4", "visit_number": 4.0}
    rows = [
        row("arm", n, v, arm="Placebo", **at)
        for n, v in (("ls_mean", -0.1), ("se", 0.02), ("gmr", 0.9048), ("gmr_low", 0.87), ("gmr_high", 0.941))
    ]
    rows += [
        row("contrast", n, v, treatment="Group 1", reference="Placebo", **at)
        for n, v in (("difference", -0.2), ("ratio", 0.8187), ("ratio_low", 0.7), ("ratio_high", 0.957), ("p_value", 0.013))
    ]
    text = page_text(endpoint_page(result_of(rows)))
    assert "0.905 (0.870, 0.941)" in text
    assert "0.819 (0.700, 0.957)  0.013" in text


def test_two_arm_models_get_a_block_each(row, result_of) -> None:
    rows = []
    for treatment, reference_mean in (("Group 1", 13.66), ("Group 2", 17.92)):
        pair = {"treatment": treatment, "reference": "Placebo", "visit": "Month 6", "visit_number": 6.0, "method": "ancova"}
        rows += [row("arm", "ls_mean", m, arm=a, **pair) for a, m in (("Placebo", reference_mean), (treatment, 20.0))]
        rows += [row("arm", "se", 2.0, arm=a, **pair) for a in ("Placebo", treatment)]
        rows += [
            row("contrast", n, v, **pair)
            for n, v in (("difference", 7.0), ("conf_low", 1.0), ("conf_high", 13.0), ("p_value", 0.024))
        ]
    page = endpoint_page(result_of(rows))
    assert [b.title for b in page.blocks] == ["slow · Group 1 vs Placebo", "Group 2 vs Placebo"]
    assert "13.66 (2.000)" in page_text(page)
    assert "17.92 (2.000)" in page_text(page)


def test_joint_rank_shows_ranks_tests_and_pairs(row, result_of) -> None:
    # METHODS 3, worked check: W = 2, Var = 4.8, z = 0.913, p = 0.361, win ratio 2, P = 0.667
    at = {"method": "joint_rank", "visit": "Month 6", "visit_number": 6.0}
    pair = at | {"treatment": "T", "reference": "C"}
    rows = [row("arm", n, v, arm=a, **pair) for a in ("T", "C") for n, v in (("n", 3), ("ls_mean", 3.75), ("se", 0.7))]
    stats = {
        "difference": 1.25,
        "conf_low": -1.0,
        "conf_high": 3.5,
        "p_value": 0.2,
        "gehan_w": 2.0,
        "gehan_var": 4.8,
        "gehan_z": 0.91287,
        "gehan_p": 0.36131,
        "win_probability": 2 / 3,
        "win_probability_low": 0.2,
        "win_probability_high": 0.9,
        "win_ratio": 2.0,
        "win_ratio_low": 0.4,
        "win_ratio_high": 9.9,
        "wins": 4,
        "losses": 2,
        "ties": 0,
    }
    rows += [row("contrast", n, v, **pair) for n, v in stats.items()]
    rows += [row("subject", n, v, level="S01", **pair) for n, v in (("score", -2.0), ("rank", 1.5))]
    text = page_text(endpoint_page(result_of(rows)))
    for part in (
        "T vs C, Month 6",
        "3.75 (0.700)",
        "1.25 (-1.00, 3.50)",
        "0.913",
        "0.361",
        "0.667 (0.200, 0.900)",
        "2.00 (0.40, 9.90)",
        "4 / 2 / 0",
        "S01",
        "1.5",
    ):
        assert part in text


def test_table_one(row, result_of) -> None:
    rows = [row("arm", "n", n, arm=a, method="baseline") for a, n in (("Placebo", 46), ("Group 1", 23))]
    for arm in ("Placebo", "Group 1"):
        for name, value in (
            ("n", 23),
            ("mean", 39.125),
            ("sd", 3.8),
            ("median", 39.0),
            ("q1", 37.0),
            ("q3", 42.0),
            ("min", 31.0),
            ("max", 46.0),
        ):
            rows.append(row("arm", name, value, arm=arm, method="baseline", variable="BLALSFR"))
        rows.append(row("arm", "count", 12, arm=arm, method="baseline", variable="ONSETSIT", level="LIMB"))
        rows.append(row("arm", "percent", 52.17391, arm=arm, method="baseline", variable="ONSETSIT", level="LIMB"))
    rows.append(row("contrast", "smd", -0.125, treatment="Group 1", reference="Placebo", method="baseline", variable="BLALSFR"))
    text = page_text(endpoint_page(result_of(rows)))
    for part in ("(N = 46)", "BLALSFR", "39.13 (3.80)", "39.00 (37.00, 42.00)", "31.00, 46.00", "12 (52.2%)", "-0.13"):
        assert part in text


def test_time_to_event(row, result_of) -> None:
    arm = {"n": 46, "events": 9, "median": None}
    rows = [row("arm", n, v, arm="Placebo", method="time_to_event") for n, v in arm.items()]
    at = {"survival": 0.9135, "survival_low": 0.7856, "survival_high": 0.9666, "rmst": 331.25, "rmst_se": 8.1}
    rows += [row("arm", n, v, arm="Placebo", method="time_to_event", level="day 365") for n, v in at.items()]
    contrast = {"hazard_ratio": 0.6125, "hr_low": 0.3, "hr_high": 1.2, "p_value": 0.2, "log_rank_p": 0.19}
    pair = {"treatment": "Group 1", "reference": "Placebo", "method": "time_to_event"}
    rows += [row("contrast", n, v, **pair) for n, v in contrast.items()]
    text = page_text(endpoint_page(result_of(rows)))
    for part in ("day 365", "0.914 (0.786, 0.967)", "331.3 (8.10)", "0.61 (0.30, 1.20)", "0.190"):
        assert part in text


def test_slopes(row, result_of) -> None:
    stats = {"slope": -1.05, "se": 0.1, "conf_low": -1.25, "conf_high": -0.85}
    slopes = [row("arm", n, v, arm="Placebo", method="slope") for n, v in stats.items()]
    assert "-1.05 (0.100)  -1.25 to -0.85" in page_text(endpoint_page(result_of(slopes)))


def test_slopes_of_logs_are_ratios(row, result_of) -> None:
    at = {"endpoint": "nfl", "method": "slope"}
    stats = {"n": 46, "n_below_lloq": 3, "slope": -0.011, "se": 0.003, "gmr": 0.98906, "gmr_low": 0.984, "gmr_high": 0.995}
    rows = [row("arm", n, v, arm="Placebo", **at) for n, v in stats.items()]
    pair = at | {"treatment": "Group 1", "reference": "Placebo"}
    contrast = {"difference": -0.004, "ratio": 0.996, "ratio_low": 0.985, "ratio_high": 1.008, "p_value": 0.523}
    rows += [row("contrast", n, v, **pair) for n, v in contrast.items()]
    text = page_text(endpoint_page(result_of(rows)))
    for part in ("0.989 (0.984, 0.995)", "0.996 (0.985, 1.008)", "limit of quantification: Placebo 3"):
        assert part in text
    assert "-0.01 (" not in text


def test_values_below_the_limit_are_counted_under_the_table(row, result_of) -> None:
    at = {"endpoint": "nfl", "arm": "Placebo"}
    rows = [
        row("arm", n, v, visit=f"Month {m}", visit_number=float(m), **at)
        for m, below in ((6, 2), (12, 0))
        for n, v in (("n", 20), ("n_below_lloq", below), ("gmr", 0.9))
    ]
    assert "limit of quantification: Placebo Month 6 2\n" in page_text(endpoint_page(result_of(rows)))
    none = [r for r in rows if r.visit == "Month 12"]
    assert "limit of quantification: none\n" in page_text(endpoint_page(result_of(none)))


def test_incidence(row, result_of) -> None:
    rows = [row("arm", "total", 36.28, arm="Placebo", method="incidence", variable="Exposure", level="patient-years")]
    for variable, level in (
        ("Overview", "serious"),
        ("Nervous system disorders", None),
        ("Nervous system disorders", "Headache"),
    ):
        at = {"method": "incidence", "variable": variable, "level": level}
        rows += [row("arm", n, v, arm="Placebo", **at) for n, v in (("count", 4), ("percent", 8.51))]
        if variable == "Overview":
            rows.append(row("arm", "rate", 11.018, arm="Placebo", **at))
        limits = (("risk_difference", 0.62), ("risk_difference_low", -12.6), ("risk_difference_high", 20.0))
        rows += [row("contrast", n, v, treatment="Group 1", reference="Placebo", **at) for n, v in limits]
    text = page_text(endpoint_page(result_of(rows)))
    for part in ("patient-years", "36.3", "4 (8.5%)", "11.02", "0.6 (-12.6, 20.0)", "\n  Headache"):
        assert part in text


def test_model_facts(row, result_of) -> None:
    made = result_of([row("model", "log_likelihood", -1234.5678), row("model", "covariance", "us", level="us")])
    assert [[c.text for c in line.cells] for line in model_block(made, "slow").lines] == [
        ["log likelihood", "", "-1234.57"],
        ["covariance", "", "us"],
    ]


def test_rows_are_found_by_place(mmrm: Result) -> None:
    rows = ResultRows.of(mmrm)
    assert rows.subgroups() == ["slow"]
    assert rows.get("arm", "slow", arm="Placebo", visit=("Month 6", 6.0))["ls_mean"].stat == -4.123456789
    assert rows.get("arm", "slow", arm="nobody") == {}


def test_facts_break_between_clauses_and_show_where_each_begins() -> None:
    facts = (
        ("Subgroup", "early: DURDIS <= median(DURDIS) [median(DURDIS) = 14.775]; n = 56 (Placebo 17, Group 1 8); POST HOC"),
        ("Subgroup", "not early: not (DURDIS <= median(DURDIS)); n = 56"),
    )
    assert page_text(Page("T", (), facts), width=60).splitlines()[1:] == [
        "Subgroup  early: DURDIS <= median(DURDIS)",
        "            [median(DURDIS) = 14.775];",
        "            n = 56 (Placebo 17, Group 1 8); POST HOC",
        "          not early: not (DURDIS <= median(DURDIS)); n = 56",
    ]
