"""Chance made visible: ranks by counting, copies asked of the engine itself, headlines word for word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from tests.built.results import SUBGROUPS

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import catalogue, run_check
from alsbench.analysis.scrutiny.chance import best_favourable, chance, copied
from alsbench.analysis.scrutiny.finding import Finding, asked
from alsbench.analysis.scrutiny.headlines import Effect, effect_in, headline, release_p, who
from alsbench.analysis.scrutiny.selection import search_of
from alsbench.analysis.search import Place, WholeSearch
from alsbench.analysis.search_table import EDGES, class_of
from alsbench.analysis.source import Source
from alsbench.errors import UsageError
from alsbench.stats.permutation_search import permuted_arms
from alsbench.study.model import Comparison, Endpoint

DRAWS = 300


def dealt(source: Source, search: WholeSearch, copy: int) -> Source:
    """The trial with the arms of a copy."""
    arms = permuted_arms(search.arm, search.codes, [0], seed=search.seed)[copy]
    made = replace(source)
    planned = np.where(search.arm >= 0, arms, source.planned_arm)
    made.__dict__.update(subjects=source.subjects, planned_arm=planned)
    return made


@pytest.fixture(scope="module")
def finding(built_trial: Source) -> Finding:
    return replace(asked(built_trial, "slow", endpoint="cafs", comparisons=("High-M12",)), draws=DRAWS)


@pytest.fixture(scope="module")
def found(finding: Finding) -> Result:
    return chance(finding)


def value(result: Result, name: str, level: str) -> float:
    row = result.get(name, level=level)
    assert row is not None
    return row.number()


def test_the_rank_counts_copies_whose_best_is_as_small(finding: Finding, found: Result) -> None:
    """Counted from every p of every copy, sorted: 1 + the copies whose smallest p is no larger; p over the search is rank over
    copies and the trial itself (Phipson and Smyth 2010)."""
    search = search_of(finding)
    p = search.p_values(DRAWS)
    best = np.sort(p[1:], axis=1)[:, 0]
    here = p[0, search.at("slow", "cafs", "High-M12")]
    rank = 1 + int(np.sum(best <= here * (1 + 1e-9)))
    assert value(found, "rank", "the finding") == rank
    assert value(found, "search_p", "the finding") == rank / (DRAWS + 1)
    assert value(found, "rank", "the best of the trial") == 1 + int(np.sum(best <= p[0].min() * (1 + 1e-9)))
    assert value(found, "p_value", "the best of the trial") == pytest.approx(p[0].min(), rel=1e-12)


def test_p_over_the_search_is_that_of_scrutiny(built_trial: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of check 7, and of the bottom line wherever that is judged by it."""
    monkeypatch.setattr(catalogue, "DRAWS", DRAWS)
    for subgroup, endpoint in (("slow", "cafs"), ("not slow", "alsfrs"), ("nfl_low", "nfl")):
        asked_for = asked(built_trial, subgroup, endpoint=endpoint, comparisons=("Low-M6",))
        made = chance(replace(asked_for, draws=DRAWS))
        check = run_check("selection", built_trial, subgroup, endpoint=endpoint, comparisons=("Low-M6",))
        whole = check.get("selection_p", level="and visit: everything")
        assert whole is not None
        assert value(made, "search_p", "the finding") == whole.number()
        line = run_check("bottom_line", built_trial, subgroup, endpoint=endpoint, comparisons=("Low-M6",)).get("search_p")
        assert line is None or line.number() == whole.number()


def test_near_a_threshold_the_rank_is_of_four_times_the_copies(built_trial: Source) -> None:
    """0.173 of 300 copies lies within two errors of 0.15: the rank is counted among 1,200, sorted anew."""
    finding = replace(asked(built_trial, "overall", endpoint="nfl", comparisons=("High-M12",)), draws=DRAWS)
    made = chance(finding)
    search = search_of(finding)
    p = search.p_values(4 * DRAWS)
    here = p[0, search.at("overall", "nfl", "High-M12")]
    assert value(made, "copies", "the finding") == 1200
    assert value(made, "rank", "the finding") == 1 + int(np.sum(np.sort(p[1:], axis=1)[:, 0] <= here * (1 + 1e-9)))
    assert value(made, "copies", "the best of the trial") == DRAWS


def test_every_copy_is_counted_once_in_its_class(finding: Finding, found: Result) -> None:
    """Against numpy.histogram of the smallest p of every copy; quantiles against numpy.quantile."""
    best = search_of(finding).p_values(DRAWS)[1:].min(axis=1)
    counts = {r.level: r.number() for r in found.select(variable=catalogue.SMALLEST, stat_name="copies")}
    assert sum(counts.values()) == DRAWS
    wanted, _ = np.histogram(best, EDGES)  # no smallest p lies on a bound but 1, which belongs to the last class in both
    for k, n in enumerate(wanted):
        assert counts.get(f"{EDGES[k]:g} to {EDGES[k + 1]:g}", 0) == n
    for share in (5, 50, 95):
        assert value(found, "smallest_p", f"{share} % of copies") == pytest.approx(np.quantile(best, share / 100), rel=1e-9)


def test_classes_are_one_two_and_five_of_each_power_of_ten() -> None:
    assert EDGES[:4] == (0.0, 1e-9, 2e-9, 5e-9) and EDGES[-4:] == (0.1, 0.2, 0.5, 1.0)
    assert [EDGES[class_of(p)] for p in (0.0, 1e-12, 0.02, 0.0200001, 0.05, 1.0)] == [0.0, 0.0, 0.01, 0.02, 0.02, 0.5]


def test_the_best_of_a_copy_is_what_the_engine_finds_there(built_trial: Source) -> None:
    """Five copies as trials of their own, every subgroup, comparison and visit asked of the endpoints' own analyses (which are
    tested against R): the smallest favourable p, where it is, and its estimate."""
    kept = {k: e for k, e in built_trial.study.endpoints.items() if k in ("cafs", "nfl")}
    function = {"alsfrs": built_trial.study.endpoints["alsfrs"]}
    small = replace(built_trial, study=built_trial.study.model_copy(update={"endpoints": {**kept, **function}}))
    search = WholeSearch(small, wanted=lambda p: p.endpoint.name in kept, seed=5)
    told = {t.name: t for t in copied(search, 5)}
    assert len(told) == 5
    phrases = (*SUBGROUPS, "not limb")
    for copy in range(5):
        again = dealt(small, search, copy)
        best: tuple[float, tuple[object, ...], float] = (2.0, (), 0.0)
        for endpoint in kept.values():
            visits = tuple(sorted({p.visit for p in search.places if p.endpoint.name == endpoint.name and p.visit}))
            for row in answer(Question(endpoint.name, subgroups=phrases, visits=visits), again).select(stat_name="p_value"):
                if row.context != "contrast" or row.stat is None or row.level is not None:
                    continue
                at = (row.subgroup, row.treatment, row.visit_number)
                rows = answer(Question(endpoint.name, subgroups=(row.subgroup,), visits=visits), again)
                name = "ratio" if endpoint.scale == "log" else "difference"
                here = {"context": "contrast", "treatment": row.treatment, "visit_number": row.visit_number, "level": None}
                estimate = rows.get(name, **here)
                assert estimate is not None
                good = estimate.number() < 1.0 if name == "ratio" else estimate.number() > 0.0
                if good and row.number() < best[0]:
                    best = (row.number(), (endpoint.name, *at), estimate.number())
        mine = told[f"copy {copy + 1}"]
        place = mine.place
        assert (place.endpoint.name, place.definition, place.comparison.treatment, place.visit) == best[1]
        assert mine.p == pytest.approx(best[0], rel=1e-6)
        assert mine.effect.value == pytest.approx(best[2], rel=1e-6)


def test_a_hazard_ratio_of_a_copy_maximises_the_partial_likelihood(built_trial: Source) -> None:
    """Cox's partial likelihood with Efron's ties within strata, written out and maximised by SciPy, in three copies."""
    search = WholeSearch(built_trial, wanted=lambda p: p.endpoint.name == "survival", seed=2)
    place = next(p for p in search.places if p.definition == "overall" and p.comparison.name == "High-M12")
    whole = search.measured_at(place)
    assert whole.day is not None and whole.event is not None and whole.strata is not None
    known = 0
    for copy in range(3):
        arms = permuted_arms(search.arm, search.codes, [0], seed=2)[copy]
        mine = np.isin(arms[whole.subject], (0, 2))
        day, event, stratum = whole.day[mine], whole.event[mine], whole.strata[mine]
        x = (arms[whole.subject][mine] == 2).astype(float)

        def minus_log(beta: float, day=day, event=event, stratum=stratum, x=x) -> float:
            total = 0.0
            for s in np.unique(stratum):
                for time in np.unique(day[event & (stratum == s)]):
                    dying = (day == time) & event & (stratum == s)
                    risk = np.exp(beta * x[(day >= time) & (stratum == s)]).sum()
                    tied = np.exp(beta * x[dying]).sum()
                    d = int(dying.sum())
                    total += beta * x[dying].sum() - sum(np.log(risk - k / d * tied) for k in range(d))
            return -total

        effect = effect_in(whole, place.endpoint, arms, 2, 0)
        if effect.value is None:
            continue
        known += 1
        best = minimize_scalar(minus_log, bounds=(-8, 8), method="bounded", options={"xatol": 1e-10})
        assert effect.unit == "hazard_ratio" and effect.value == pytest.approx(np.exp(best.x), rel=1e-4)
    assert known


def test_only_the_better_side_makes_a_headline() -> None:
    """t of 3 against better, 2 for it where lower is better, 1 for it: the second (p of t = -2 on 10 df: 0.0734, R 4.3 pt)."""
    t, df = np.array([-3.0, -2.0, 1.0, np.nan]), np.array([10.0, 10.0, 10.0, np.nan])
    best = best_favourable(t, df, np.array([1.0, -1.0, 1.0, 1.0]))
    assert best is not None and best[0] == 1 and best[1] == pytest.approx(0.07338803, abs=1e-8)
    assert best_favourable(t[[0, 3]], df[[0, 3]], np.ones(2)) is None


G = {"title": "ALSFRS-R total score", "paramcd": "ALSFRSR"}
NFL_SLOPE = Endpoint(method="slope", title="NfL slope", better="lower")
SAID = [
    (NFL_SLOPE, -0.304, "five doses slowed the rise by 0.30 a month against Placebo in NfL slope"),
    (NFL_SLOPE, 0.304, "five doses sped up the rise by 0.30 a month against Placebo in NfL slope"),
    (Endpoint(method="mmrm", **G), 3.14, "five doses kept 3.1 points more of ALSFRS-R total score than Placebo"),
    (Endpoint(method="ancova", **G), -0.456, "five doses lost 0.46 points more of ALSFRS-R total score than Placebo"),
    (Endpoint(method="slope", **G), 0.304, "five doses slowed the decline by 0.30 points a month against Placebo in ALSFRS-R"),
    (
        Endpoint(method="slope", **G),
        -0.304,
        "five doses sped up the decline by 0.30 points a month against Placebo in ALSFRS-R",
    ),
    (
        Endpoint(method="mmrm", title="Serum NfL", scale="log", better="lower"),
        0.667,
        "five doses had 33 % less serum NfL than Placebo",
    ),
    (
        Endpoint(method="mmrm", title="Serum NfL", scale="log", better="lower"),
        1.2,
        "five doses had 20 % more serum NfL than Placebo",
    ),
    (Endpoint(method="mmrm", title="FVC (%)"), 4.0, "five doses kept 4.0 percentage points more of FVC (%) than Placebo"),
    (Endpoint(method="joint_rank", title="CAFS"), 8.95, "five doses ranked 9.0 places better than Placebo in CAFS"),
    (Endpoint(method="joint_rank", title="CAFS"), -2.0, "five doses ranked 2.0 places worse than Placebo in CAFS"),
    (
        Endpoint(method="joint_rank", title="CAFS", rank_scale="unit"),
        0.12,
        "five doses ranked 12 % of all places better than Placebo",
    ),
    (Endpoint(method="time_to_event", title="Death"), 0.59, "five doses cut the risk of death by 41 % against Placebo"),
    (Endpoint(method="time_to_event", title="Death"), 1.3, "five doses raised the risk of death by 30 % against Placebo"),
]


@pytest.mark.parametrize(("endpoint", "value", "said"), SAID)
def test_headlines_word_for_word(built_trial: Source, endpoint: Endpoint, value: float, said: str) -> None:
    unit = "ratio" if endpoint.scale == "log" else "hazard_ratio" if endpoint.method == "time_to_event" else "difference"
    comparison = Comparison(name="h", treatment="High", reference="Placebo")
    text = headline(built_trial, Place("slow", endpoint, comparison, None, True), Effect(value, unit), 0.0316)
    assert text.startswith(f"Slow progressors: {said}") or text.startswith(f"Slow: {said}")
    assert text.endswith("(p = 0.032)")


def test_who_and_p_as_a_release_prints_them(built_trial: Source) -> None:
    study = built_trial.study
    label = study.subgroups[0].label or study.subgroups[0].name
    assert who(study, "overall") == "All patients"
    assert who(study, "not slow") == f"All but {label[0].lower()}{label[1:]}"
    assert who(study, "AGE > 60") == "AGE > 60"
    assert [release_p(p) for p in (0.00002, 0.00084, 0.0016, 0.05, 0.3)] == [
        "p < 0.0001",
        "p = 0.0008",
        "p = 0.002",
        "p = 0.050",
        "p = 0.300",
    ]


def test_what_cannot_be_estimated_says_so(built_trial: Source) -> None:
    comparison = Comparison(name="h", treatment="High", reference="Placebo")
    place = Place("overall", Endpoint(method="time_to_event", title="Death"), comparison, None, True)
    text = headline(built_trial, place, Effect(None, "hazard_ratio"), 0.01)
    assert text == "All patients: five doses differed from Placebo in death, by how much cannot be estimated (p = 0.010)"


def test_another_visit_is_another_finding(finding: Finding, found: Result) -> None:
    other = chance(finding, "6")
    row = other.get("p_value", level="the finding")
    assert row is not None and row.visit_number == 6.0
    search = search_of(finding)
    assert row.number() == pytest.approx(search.observed[1][search.at("slow", "cafs", "High-M12", 6.0)], rel=1e-12)
    assert value(found, "p_value", "the finding") != row.number()


def test_what_cannot_be_compared_is_refused(built_trial: Source, finding: Finding) -> None:
    search = search_of(finding)
    nowhere = next(p for p, t in zip(search.places, search.observed[0], strict=True) if np.isnan(t) and p.at_horizon)
    name, arms = nowhere.endpoint.name, nowhere.comparison.name
    with pytest.raises(UsageError, match="cannot be compared with chance"):
        chance(replace(asked(built_trial, nowhere.definition, endpoint=name, comparisons=(arms,)), draws=DRAWS))
    with pytest.raises(UsageError, match="too few"):
        chance(replace(finding, draws=9))


def test_the_same_question_gives_the_same_answer(finding: Finding, found: Result) -> None:
    assert chance(finding) == found
