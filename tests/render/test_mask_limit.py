"""The limit of a mask: a count of exactly K is shown, one below it is not, wherever a count stands alone or in a check."""

from __future__ import annotations

import pytest

from alsbench.analysis.result import Facts, Provenance, Result, Row
from alsbench.render.mask import _few_by_day, _key, _Touched
from alsbench.render.mask_counts import masked_check, small
from alsbench.render.mask_words import hide_in_line, hide_warnings


@pytest.mark.parametrize(
    ("count", "k", "shown"), [(5, 5, 5), (4, 5, "<5"), (1, 5, "<5"), (0, 5, "<5"), (6, 5, 6), (None, 5, None), (3, 0, 3)]
)
def test_a_count_that_stands_alone(count: int | None, k: int, shown: object) -> None:
    assert small(count, k) == shown


def test_a_count_of_a_check() -> None:
    rows = tuple(Row("e", "mmrm", "FAS", "overall", "arm", "n", n, arm=f"arm {n}") for n in (4, 5, 6))
    result = Result({}, Provenance("s", "s", "e", post_hoc=False, synthetic=True), rows, Facts("t"))
    sizes = [Row("", "mmrm", "FAS", "overall", "subgroup", "n", n, arm=arm) for n, arm in ((40, None), (20, "A"), (20, "B"))]
    found = masked_check("overall", result, 5, sizes, {"overall"})
    assert [r.stat for r in found.rows] == [None, 5, 6]


@pytest.mark.parametrize(("n", "survival", "few"), [(40, 0.9, True), (40, 0.875, False), (40, 0.1, True), (40, 0.125, False)])
def test_a_survival_tells_how_many_had_the_event(n: int, survival: float, few: bool) -> None:
    """Of 40 subjects 0.9 leaves 4 with the event, 0.875 leaves 5, and so of those who are left: below 5 it is hidden."""
    at = {"arm": "A", "variable": None}
    rows = [Row("e", "time_to_event", "FAS", "overall", "arm", "n", n, **at)]
    rows += [Row("e", "time_to_event", "FAS", "overall", "arm", "survival", survival, level="day 183", **at)]
    assert bool(_few_by_day(rows, 5)) == few


def test_facts_of_a_fit_that_tell_a_hidden_count_are_hidden() -> None:
    """Subjects, observations and the BIC (which holds their number) of a fit with a hidden arm; its likelihood stays."""
    arm = Row("e", "mmrm", "FAS", "overall", "arm", "n", 3, arm="A", visit="Month 6", visit_number=6.0)
    model = [Row("e", "mmrm", "FAS", "overall", "model", name, 7.0) for name in ("n_subjects", "n_observations", "bic", "aic")]
    touched = _Touched([arm, *model], {(_key(arm), "overall")}, 5)
    assert [touched(row) for row in model] == [True, True, True, False]


@pytest.mark.parametrize("hidden", ["A", "P"])
def test_a_contrast_rests_on_both_of_its_arms(hidden: str) -> None:
    """Whichever arm of a pair is hidden, as members of a subgroup or at a visit, the contrast tells it."""
    at = {"visit": "Month 6", "visit_number": 6.0}
    contrast = Row("e", "mmrm", "FAS", "overall", "contrast", "difference", 1.0, treatment="A", reference="P", **at)
    other = Row("e", "mmrm", "FAS", "overall", "contrast", "difference", 1.0, treatment="B", reference="C", **at)
    for count in (
        Row("e", "mmrm", "FAS", "overall", "subgroup", "n", 3, arm=hidden),
        Row("e", "mmrm", "FAS", "overall", "arm", "n", 3, arm=hidden, **at),
    ):
        touched = _Touched([count, contrast, other], {(_key(count), "overall")}, 5)
        assert touched(contrast) and not touched(other)


def test_words_of_facts_and_warnings_tell_no_count() -> None:
    """The size of a population goes, and a warning that names an arm whose count is hidden goes whole."""
    assert hide_in_line("Population", "FAS (FASFL = 'Y'), N = 112") == "FAS (FASFL = 'Y')"
    assert "; 3 undecided" not in hide_in_line(
        "Subgroup", "slow: LEADRATE <= 1; n = 4 (A 3, P 1); 3 undecided: a value is missing"
    )
    warnings = ("Low against Placebo: a covariate is missing", "High: the model did not converge")
    assert hide_warnings(warnings, ["Low"]) == ("High: the model did not converge",)
    assert len(hide_warnings(warnings, [])) == 2
