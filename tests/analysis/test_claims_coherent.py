"""Coherence of claims: true numbers of a trial, however rounded, always agree; errors of many kinds are found, and named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from alsbench.analysis.claims.checked import check_claim, together
from alsbench.analysis.claims.coherent import across, coherence
from alsbench.analysis.kept import cached_answer
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result, Row
from alsbench.analysis.source import Source
from alsbench.study.claims import Claim

COUNTED = frozenset({"n", "count", "events", "wins", "losses", "ties", "n_below_lloq", "visits_tested"})
MONTHS = frozenset({"first_visit", "first_lasting_visit"})
P_VALUES = frozenset({"p_value", "log_rank_p", "gehan_p", "rmst_p", "ph_p"})
# of the model, of the data's spread, of statistics on a scale of their own: nothing is claimed of them
LEFT_OUT = frozenset({"gehan_w", "gehan_var", "pairs", "p_adjusted", "sd", "total", "min", "max"})


def printed(stat: str, value: float, places: int) -> str:
    """A number as a paper prints it."""
    if stat in COUNTED | MONTHS:
        return f"{value:.0f}"
    if stat in P_VALUES:
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    return f"{value:.{places}f}"


@dataclass(frozen=True)
class Told:
    """What one analysis tells of a comparison, at a visit or on a line: values by (part, statistic)."""

    endpoint: str
    subgroup: str
    comparison: str
    method: str
    visit: float | None
    line: str
    values: dict[tuple[str, str], float]

    def claim(self, places: int, name: str) -> Claim:
        parts: dict[str, dict[str, str]] = {"contrast": {}, "treatment": {}, "reference": {}}
        for (part, stat), value in self.values.items():
            parts[part][stat] = printed(stat, value, places)
        where = {"endpoint": self.endpoint, "subgroup": self.subgroup, "comparison": self.comparison, "line": self.line}
        return Claim.model_validate({"name": name, "method": self.method, "visit": self.visit, **where, **parts})


def told(source: Source, endpoint: str, subgroup: str) -> Iterator[Told]:
    result = cached_answer(Question(endpoint, subgroups=(subgroup,)), source)
    for comparison in source.study.comparisons:
        pair = comparison.treatment, comparison.reference
        places = {(r.visit_number, r.level or "") for r in result.rows if r.variable in (None, "Overview")}
        for visit, line in sorted(places, key=str):
            values = {k: v for k, v in _values(result, pair, visit, line).items() if k[1] not in LEFT_OUT}
            if len(values) > 1:
                method = source.study.endpoints[endpoint].method
                yield Told(endpoint, subgroup, comparison.name, method, visit, line, values)


def _values(result: Result, pair: tuple[str, str], visit: float | None, line: str) -> dict[tuple[str, str], float]:
    def here(r: Row) -> bool:
        return r.visit_number == visit and (r.level or "") == line and r.variable in (None, "Overview") and r.stat is not None

    values: dict[tuple[str, str], float] = {}
    for r in filter(here, result.rows):
        if isinstance(r.stat, str):
            continue
        if r.context == "contrast" and (r.treatment, r.reference) == pair:
            values["contrast", r.stat_name] = r.number()
        for part, arm in zip(("treatment", "reference"), pair, strict=True):
            if r.context == "arm" and r.arm == arm and (r.treatment, r.reference) in (pair, (None, None)):
                values[part, r.stat_name] = r.number()
    return values


@pytest.fixture(scope="module")
def truths(trial: Source) -> list[Told]:
    methods = ("joint_rank", "mmrm", "ancova", "slope", "time_to_event", "incidence", "responder")
    names = [n for n, e in trial.study.endpoints.items() if e.method in methods]
    subgroups = ["overall", *(s.name for s in trial.study.subgroups[:1])]
    return [t for name in names for subgroup in subgroups for t in told(trial, name, subgroup)]


def test_true_numbers_are_never_called_incoherent(trial: Source, truths: list[Told]) -> None:
    checked = Counter[str]()
    for places in (1, 2, 3):
        claims = [t.claim(places, f"c{i}") for i, t in enumerate(truths)]
        for claim in claims:
            rank = claim.method == "joint_rank"
            for relation in coherence(claim, rank=rank):
                assert relation.coherent, (claim.endpoint, claim.visit, claim.line, places, relation)
                checked[relation.what] += 1
        for relations in across(claims).values():
            for relation in relations:
                assert relation.coherent, (places, relation)
                checked["across"] += 1
    assert len(truths) * 3 > 300, "hundreds of claims"
    assert sum(checked.values()) > 3000
    assert len(checked) > 25, sorted(checked)


def test_true_claims_are_reproduced_and_their_sizes_agree(trial: Source, truths: list[Told]) -> None:
    chosen = [t for t in truths if t.visit is None and not t.line][:12]
    claims = [t.claim(3, f"c{i}") for i, t in enumerate(chosen)]
    beside = together(claims, trial)
    for claim in claims:
        found = check_claim(claim, trial, beside, lambda question: cached_answer(question, trial))
        assert found.coherent is not False, (claim, [r for r in found.relations if not r.coherent], found.sizes)


def altered(t: Told, key: tuple[str, str], rng: np.random.Generator) -> Told:
    """A number that is another: off by a fifth of itself and three times the standard error or a tenth, either way."""
    value = t.values[key]
    error = t.values.get((key[0], "se"), 0.1 * abs(value))
    shift = (0.2 * abs(value) + 3.0 * error + 0.2) * rng.choice((-1, 1))
    if key[1] in P_VALUES:
        new = min(max(value + (0.3 if value < 0.5 else -0.3), 0.0), 1.0)
    elif key[1] in COUNTED:
        new = value + math.ceil(abs(shift) + 1)
    else:
        new = value + shift
    return Told(t.endpoint, t.subgroup, t.comparison, t.method, t.visit, t.line, {**t.values, key: new})


DETERMINED = {  # numbers that others of the same claim determine, by method
    "mmrm": ("difference", "se", "conf_low", "conf_high", "p_value", "t"),
    "ancova": ("difference", "se", "conf_low", "conf_high", "p_value", "t"),
    "slope": ("difference", "se", "conf_low", "conf_high", "p_value", "percent_slowing"),
    "joint_rank": ("difference", "se", "conf_low", "conf_high", "p_value", "win_ratio", "win_odds", "win_probability"),
    "time_to_event": ("hazard_ratio", "hr_low", "hr_high", "p_value", "log_rank_p", "events"),
    "incidence": ("risk_difference",),
}
OF_AN_ARM = ("ls_mean", "slope", "conf_low", "conf_high", "se", "percent", "count")


def test_altered_numbers_are_found(truths: list[Told]) -> None:
    """One number of a claim is another; every other is true, printed with two decimals. At least 97 of 100 are found."""
    rng = np.random.default_rng(11)
    found, missed = Counter[str](), Counter[str]()
    for t in truths:
        keys = [("contrast", s) for s in DETERMINED.get(t.method, ())] + [("treatment", s) for s in OF_AN_ARM]
        for key in keys:
            if key not in t.values or not any(k[0] == "contrast" for k in t.values):
                continue
            claim = altered(t, key, rng).claim(2, "altered")
            rank = t.method == "joint_rank"
            hit = any(not r.coherent for r in coherence(claim, rank=rank))
            (found if hit else missed)[f"{t.method} {key[0]} {key[1]}"] += 1
    total = sum(found.values()) + sum(missed.values())
    assert total > 300
    assert sum(found.values()) / total >= 0.97, missed


def contradictions(**parts: object) -> list[str]:
    """What of one claim does not agree, with nothing else known of it."""
    rank = parts.pop("rank", False)
    claim = Claim.model_validate({"name": "c", "endpoint": "e", "comparison": "A-B", **parts})
    return [r.what for r in coherence(claim, rank=bool(rank)) if not r.coherent]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        # 0.16 + 0.17 = 0.33: no covariance makes the standard error of the difference larger than their sum
        (
            {"treatment": {"se": "0.16"}, "reference": {"se": "0.17"}, "contrast": {"se": "0.76"}},
            "standard error of the difference and of its parts",
        ),
        # |0.40 - 0.10| = 0.30: nor smaller than their difference
        (
            {"treatment": {"se": "0.40"}, "reference": {"se": "0.10"}, "contrast": {"se": "0.21"}},
            "standard error of the difference and of its parts",
        ),
        # -1.24 + 1.06 = -0.18
        (
            {"treatment": {"slope": "-1.24"}, "reference": {"slope": "-1.06"}, "contrast": {"difference": "0.42"}},
            "difference of the slopes",
        ),
        # the sign alone
        (
            {"treatment": {"ls_mean": "-3.1"}, "reference": {"ls_mean": "-4.6"}, "contrast": {"difference": "-1.5"}},
            "difference of the LS means",
        ),
        # 0.40 / 1.20 = 0.333
        (
            {"treatment": {"gmr": "0.40"}, "reference": {"gmr": "1.20"}, "contrast": {"ratio": "0.43"}},
            "ratio of the geometric mean ratios",
        ),
        ({"treatment": {"ls_mean": "-2.1", "conf_low": "-1.9", "conf_high": "0.3"}}, "treated LS mean within its interval"),
        ({"reference": {"ls_mean": "0.5", "conf_low": "-1.9", "conf_high": "0.3"}}, "control LS mean within its interval"),
        ({"reference": {"slope": "-0.2", "conf_low": "-1.9", "conf_high": "-0.9"}}, "control slope within its interval"),
        ({"treatment": {"median": "9.9", "median_low": "10.1", "median_high": "14"}}, "treated median within its interval"),
        ({"contrast": {"conf_low": "4.2", "conf_high": "-0.4"}}, "conf_low below conf_high"),
        # of 474, 12 are 2.5 %
        ({"treatment": {"n": "474", "count": "12", "percent": "3.5"}}, "treated percent of count and n"),
        # of 17, one is 5.9 %, two are 11.8 %
        ({"reference": {"n": "17", "percent": "8.0"}}, "control percent of a whole number of n"),
        # 4 of 16 are 25 %, 4 of 17 are 23.5 %
        ({"treatment": {"count": "4", "percent": "24.1"}}, "treated percent of count in a whole number"),
        ({"treatment": {"n": "46", "count": "47"}}, "treated count at most n"),
        ({"treatment": {"n": "46.5"}}, "treated n is a count"),
        ({"treatment": {"count": "-1"}}, "treated count is a count"),
        # 1 - 0.05 ** (1 / 190) = 1.56 %
        ({"group": {"count": "0", "n": "190", "upper_one_sided": "2.4"}}, "all upper bound of none in n"),
        # 12.5 % - 10.0 %
        (
            {"treatment": {"percent": "12.5"}, "reference": {"percent": "10.0"}, "contrast": {"risk_difference": "-2.5"}},
            "risk_difference of the percents",
        ),
        # exp(-0.40) = 0.67
        ({"contrast": {"difference": "-0.40", "ratio": "0.76"}}, "ratio of the logarithm"),
        # 1 - 1.0 / 1.6 = 37.5 %
        (
            {"treatment": {"slope": "-1.00"}, "reference": {"slope": "-1.60"}, "contrast": {"percent_slowing": "60"}},
            "percent_slowing of the slopes",
        ),
        # 0.60 / 0.40 = 1.5; 2 x 0.60 - 1 = 0.2
        ({"contrast": {"win_probability": "0.60", "win_odds": "1.25"}}, "win_odds of win_probability"),
        ({"contrast": {"win_probability": "0.60", "net_benefit": "0.10"}}, "net_benefit of win_probability"),
        ({"contrast": {"wins": "300", "losses": "200", "win_ratio": "1.20"}}, "win_ratio of wins and losses"),
        ({"contrast": {"p_value": "1.2"}}, "p_value within its range"),
        ({"contrast": {"hazard_ratio": "-0.4"}}, "hazard_ratio within its range"),
        ({"contrast": {"hazard_ratio": "0.9", "hr_low": "0.4", "hr_high": "1.1"}}, "estimate and its interval"),
        # 1.0 / 0.5 = 2: p 0.046 (normal) to 0.073 (10 df)
        ({"contrast": {"difference": "1.0", "se": "0.50", "p_value": "0.012"}}, "p of estimate and standard error"),
        # two-sided p of z = 1.80 is 0.072, one-sided 0.036
        ({"contrast": {"z": "1.80", "p_value": "0.036"}}, "p_value of z (one-sided it would agree: sides = 1)"),
        ({"contrast": {"first_visit": "9", "first_lasting_visit": "6"}}, ""),
    ],
)
def test_what_does_not_agree_is_named(parts: dict[str, object], reason: str) -> None:
    if reason:
        assert reason in contradictions(**parts)
    else:
        claim = Claim.model_validate({"name": "c", "endpoint": "e", "comparison": "A-B", **parts})
        assert [r.what for r in across([claim])["c"] if not r.coherent] == ["first_lasting_visit not before first_visit"]


@pytest.mark.parametrize(
    "parts",
    [
        # 0.16 and 0.17 correlated by -1 and by 1
        {"treatment": {"se": "0.16"}, "reference": {"se": "0.17"}, "contrast": {"se": "0.33"}},
        {"treatment": {"se": "0.16"}, "reference": {"se": "0.17"}, "contrast": {"se": "0.02"}},
        # medians differ as they like; so do hazard ratios and survival
        {"treatment": {"median": "14.0"}, "reference": {"median": "9.0"}, "contrast": {"difference": "2.0"}},
        # -1.24 and -1.06 may be -1.235 and -1.065
        {"treatment": {"slope": "-1.24"}, "reference": {"slope": "-1.06"}, "contrast": {"difference": "-0.2"}},
        # 28.75 % is printed 28.8 or, half to even, 28.7
        {"treatment": {"n": "80", "count": "23", "percent": "28.8"}},
        {"treatment": {"n": "80", "count": "23", "percent": "28.7"}},
        # a one-sided p that says so: z = 1.80
        {"contrast": {"z": "1.80", "p_value": "0.036"}, "sides": 1},
        # 90 %: 1.645 x 0.50 = 0.82 either side
        {"contrast": {"difference": "1.00", "se": "0.50", "conf_low": "0.18", "conf_high": "1.82", "df": "2000"}, "level": 90},
        {
            "contrast": {"difference": "1.00", "se": "0.50", "conf_low": "0.18", "conf_high": "1.82", "df": "2000"},
            "level": "90 %",
        },
    ],
)
def test_what_may_be_is_not_called_a_contradiction(parts: dict[str, object]) -> None:
    assert contradictions(**parts) == []


def test_an_interval_of_another_level_is_found() -> None:
    contrast = {"difference": "1.00", "se": "0.50", "conf_low": "0.18", "conf_high": "1.82", "df": "2000"}
    assert "standard error and interval" in contradictions(contrast=contrast)


def named_claim(name: str, **parts: object) -> Claim:
    return Claim.model_validate({"name": name, "endpoint": "e", "comparison": "A-B", **parts})


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        # the same number, told twice
        ({"contrast": {"p_value": "0.024"}}, {"contrast": {"p_value": "0.042"}}, "p_value as told before (one)"),
        ({"treatment": {"n": "46"}}, {"treatment": {"n": "47"}}, "treated n as told before (one)"),
        ({"contrast": {"difference": "0.43"}}, {"contrast": {"difference": "0.44"}}, "difference as told before (one)"),
        # more in the subgroup than in all
        ({"treatment": {"n": "46"}}, {"subgroup": "slow", "treatment": {"n": "47"}}, "treated n at most that of all (one)"),
        (
            {"subgroup": "slow", "treatment": {"n": "47"}},
            {"treatment": {"n": "46"}},
            "treated n at least that of the subgroup (one)",
        ),
        # significant from month 9, but not in month 10
        (
            {"contrast": {"first_lasting_visit": "9"}},
            {"visit": 10, "contrast": {"p_value": "0.08"}},
            "p from the first month below 0.05 (one)",
        ),
        # first in month 9, but in month 4 already
        (
            {"visit": 4, "contrast": {"p_value": "<0.05"}},
            {"contrast": {"first_visit": "9"}},
            "p before the first month below 0.05 (one)",
        ),
        (
            {"contrast": {"first_visit": "9"}},
            {"contrast": {"first_lasting_visit": "6"}},
            "first_lasting_visit not before first_visit (one)",
        ),
    ],
)
def test_claims_that_contradict_each_other(first: dict[str, object], second: dict[str, object], reason: str) -> None:
    found = across([named_claim("one", **first), named_claim("two", **second)])
    assert [r.what for r in found["two"] if not r.coherent] == [reason]


def test_claims_about_other_things_do_not_meet() -> None:
    one = named_claim("one", contrast={"p_value": "0.024"})
    for other in ({"endpoint": "f"}, {"comparison": "C-B"}, {"visit": 6}, {"population": "PP"}, {"options": {"ties": "x"}}):
        assert across([one, named_claim("two", contrast={"p_value": "0.9"}, **other)])["two"] == []


def test_a_trial_larger_than_this_one_is_not_checkable_here_but_coherent(trial: Source) -> None:
    """474 and 468 ranked subjects beside a trial of 115. By hand: (474 x 480.1 + 468 x 462.8) / 942 = 471.5 = (942 + 1) / 2."""
    parts = {"treatment": {"ls_mean": "480.1", "n": "474"}, "reference": {"ls_mean": "462.8", "n": "468"}}
    comparison = trial.study.comparisons[0].name
    claim = Claim.model_validate(
        {"name": "big", "endpoint": "cafs", "comparison": comparison, "contrast": {"p_value": "0.33"}, **parts}
    )
    found = check_claim(claim, trial, together([claim], trial), lambda question: cached_answer(question, trial))
    assert found.coherent is True
    assert found.reproduced is None
    assert not found.refuted
    assert {n.outcome for n in found.numbers} == {"not checkable"}
    (sizes,) = found.sizes
    assert list(sizes.sizes.values()) == [(474, 474, 474), (468, 468, 468)]
    wrong = claim.model_copy(update={"reference": {"ls_mean": "250.0", "n": "468"}})
    found = check_claim(wrong, trial, together([wrong], trial), lambda question: cached_answer(question, trial))
    assert found.coherent is False
    assert found.reproduced is None


def test_one_subject_too_many_is_not_reproduced(trial: Source) -> None:
    claim = Claim.model_validate(
        {"name": "n", "endpoint": "cafs", "comparison": trial.study.comparisons[0].name, "treatment": {"n": "24"}}
    )
    found = check_claim(claim, trial, together([claim], trial), lambda question: cached_answer(question, trial))
    assert [n.outcome for n in found.numbers] == ["not reproduced"]


def test_counts_of_all_arms_together(trial: Source) -> None:
    """The sum of the arms' own counts, and 1 - 0.05 ** (1 / n) where nobody is counted."""
    rows = cached_answer(Question("ae"), trial).rows
    line = [r for r in rows if r.variable == "Overview" and r.level == "serious" and r.context == "arm"]
    count = sum(r.number() for r in line if r.stat_name == "count")
    n = sum(r.number() for r in line if r.stat_name == "n")
    group = {"count": f"{count:.0f}", "n": f"{n:.0f}", "percent": f"{100 * count / n:.1f}"}
    for written in ("serious", "SERIOUS", " Serious "):
        claim = Claim.model_validate({"name": "sae", "endpoint": "ae", "line": written, "group": group})
        found = check_claim(claim, trial, together([claim], trial), lambda question: cached_answer(question, trial))
        assert {x.outcome for x in found.numbers} == {"reproduced"}, [x.why for x in found.numbers]
        assert found.coherent is True
    for line_, why in (("", "of which line?"), ("seriously", "there is no line seriously; did you mean serious?")):
        claim = Claim.model_validate({"name": "sae", "endpoint": "ae", "line": line_, "group": group})
        found = check_claim(claim, trial, together([claim], trial), lambda question: cached_answer(question, trial))
        assert why in found.numbers[0].why


def test_nobody_among_190() -> None:
    claim = Claim.model_validate(
        {"name": "sae", "endpoint": "ae", "line": "related serious", "group": {"count": "0", "n": "190"}}
    )
    (found,) = check_claim(claim, None, together([claim], None), pytest.fail).nobody
    assert (found.n, found.of) == (190, "all related serious")
    assert found.upper == pytest.approx(100 * (1 - 0.05 ** (1 / 190)))
