"""Whether a check speaks for a finding, by its own rule: hand-made rows on both sides of every threshold of METHODS.

The thresholds are the bottom line's: 0.05 holds up, 0.15 is worth a new trial, 0.05 is nominal (docs/methods.md).
"""

from __future__ import annotations

from typing import Any

import pytest

from alsbench.analysis.judgement import Thresholds
from alsbench.analysis.result import Facts, Provenance, Result, Row
from alsbench.analysis.scrutiny import CHECKS, find_check
from alsbench.analysis.scrutiny.speaks import GROUPS, RULES, speaks
from alsbench.study.model import Comparison

MINE = Comparison(name="mine", treatment="T", reference="R", horizon=6.0)


def row(name: str, stat: float | None, **more: Any) -> Row:
    at = {"subgroup": "slow", "context": "contrast", "treatment": "T", "reference": "R", "visit_number": 6.0}
    return Row(endpoint="e", method="mmrm", population="FAS", stat_name=name, stat=stat, **(at | more))


def said(check: str, *rows: Row, limits: Thresholds | None = None) -> str:
    about = Provenance(snapshot="", study="", engine="", post_hoc=True, synthetic=True)
    result = Result({"subgroups": ["slow"]}, about, rows, Facts("", ()))
    return speaks(find_check(check), result, MINE, limits or Thresholds())


def test_every_check_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(c.id for c in CHECKS)
    assert set(RULES) <= {c.id for c in CHECKS}


@pytest.mark.parametrize(
    ("p", "found"), [(0.05, "for"), (0.0501, "doubt"), (0.15, "doubt"), (0.1501, "against"), (None, "neither")]
)
@pytest.mark.parametrize(
    ("check", "name", "more"),
    [
        ("interaction", "interaction_permutation_p", {"context": "subgroup"}),
        ("sweep", "sup_interaction_p", {"variable": "LEADRATE"}),
        ("stepp", "sup_interaction_p", {"variable": "LEADRATE"}),
        ("selection", "selection_p", {"variable": "search", "level": "everything"}),
        ("rerandomisation", "permutation_p", {}),
    ],
)
def test_a_p_over_what_was_searched(check: str, name: str, more: dict[str, Any], p: float | None, found: str) -> None:
    assert said(check, row(name, p, **more)) == found


def test_a_study_may_set_the_thresholds() -> None:
    assert said("rerandomisation", row("permutation_p", 0.04), limits=Thresholds(holds_up=0.01)) == "doubt"


def test_of_a_search_the_whole_counts_and_of_an_interaction_the_subgroups() -> None:
    alone, whole = (row("selection_p", p, variable="search", level=x) for p, x in ((0.001, "alone"), (0.4, "whole")))
    assert said("selection", alone, whole) == "against"
    uncut = row("interaction_permutation_p", 0.001, context="subgroup", variable="by LEADRATE, uncut")
    assert said("interaction", row("interaction_permutation_p", 0.3, context="subgroup"), uncut) == "against"


def test_another_comparison_says_nothing() -> None:
    assert said("rerandomisation", row("permutation_p", 0.001, treatment="other")) == "neither"


@pytest.mark.parametrize(
    ("overall", "p", "found"), [(1.0, 0.05, "for"), (1.0, 0.06, "doubt"), (-1.0, 0.01, "against"), (-1.0, 0.9, "against")]
)
def test_the_whole_trial(overall: float, p: float, found: str) -> None:
    everybody = {"subgroup": "overall"}
    rows = (row("difference", 3.0), row("difference", overall, **everybody), row("p_value", p, **everybody))
    assert said("overall", *rows) == found


@pytest.mark.parametrize(
    ("unit", "mine", "rest", "found"),
    [
        ("difference", 3.0, 1.0, "for"),
        ("difference", 3.0, 3.5, "against"),
        ("difference", -3.0, -1.0, "for"),
        ("difference", -3.0, 1.0, "for"),
        ("hazard_ratio", 0.5, 0.8, "for"),
        ("hazard_ratio", 0.5, 0.4, "against"),
        ("ratio", 1.5, 0.9, "for"),
    ],
)
def test_larger_than_in_the_complement(unit: str, mine: float, rest: float, found: str) -> None:
    assert said("complement", row(unit, mine), row(unit, rest, subgroup="not slow")) == found


@pytest.mark.parametrize(
    ("check", "own", "variant"),
    [
        ("controls", {"variable": "left out", "level": "nobody"}, {"variable": "left out", "level": "S-1"}),
        ("missingness", {"variable": "imputed", "level": "as analysed"}, {"variable": "imputed", "level": "jump-to-reference"}),
    ],
)
def test_the_sign_must_hold_in_every_variant(check: str, own: dict[str, Any], variant: dict[str, Any]) -> None:
    first, other = row("difference", 2.0, **own), {**variant, "level": "completers" if check == "missingness" else "S-2"}
    assert said(check, first, row("difference", 0.1, **variant), row("difference", 5.0, **other)) == "for"
    assert said(check, first, row("difference", -0.1, **variant), row("difference", 5.0, **other)) == "against"
    assert said(check, first, row("difference", None, **variant)) == "against"  # what is not known counts against
    assert said(check, first) == "neither"


def test_the_tipping_grid_turns_nothing() -> None:
    own = row("difference", 2.0, variable="imputed", level="as analysed")
    kept = row("difference", 1.0, variable="imputed", level="mar")
    tip = row("difference", -1.0, variable="imputed", level="delta -8")
    assert said("missingness", own, kept, tip) == "for"


def test_visits_count_up_to_the_horizon_by_their_sign() -> None:
    rows = [row("difference", v, visit_number=float(k)) for k, v in ((1, 0.2), (3, 0.5), (6, 2.0))]
    assert said("visits", *rows, row("difference", -4.0, visit_number=12.0)) == "for"
    assert said("visits", row("difference", -0.2, visit_number=2.0), *rows) == "doubt"


def test_alternatives_by_how_many_are_small() -> None:
    small, large = (row("p_value", p, variable="model", level=x) for p, x in ((0.05, "adjusted"), (0.06, "unadjusted")))
    assert [said("alternatives", *rows) for rows in ((small,), (small, large), (large,), ())] == [
        "for", "doubt", "against", "neither",
    ]  # fmt: skip


def test_balance_is_in_doubt_from_a_quarter_of_a_standard_deviation() -> None:
    smd = [row("smd", v, visit_number=None, variable=x) for v, x in ((0.1, "AGE"), (-0.24, "SEX"))]
    assert said("balance", *smd) == "for"
    assert said("balance", *smd, row("smd", -0.25, visit_number=None, variable="BLNFL")) == "doubt"


def test_a_check_without_a_rule_weighs_neither_way() -> None:
    assert said("iceman", row("p_value", 0.001)) == "neither"
