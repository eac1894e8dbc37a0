"""Interactions and max-t of mixed models by the second program: against the evidence of the first, and where there is a closed
form, against that.

The expected numbers are the other program's (docs/methods.md, Subgroups and Multiplicity, states both), p within 1e-6. Closed
forms: an MMRM of one visit is an ANCOVA of all arms there; max-t of one hypothesis is its own p.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from tests.built import trial as built
from tests.second.test_mixed_models import study_of
from tests.second.verifying import Both, disagreements, left_out

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.source import Source
from alsbench.second import mmrm, program
from alsbench.second.interaction import interactions
from alsbench.second.multiplicity import max_t_p
from alsbench.second.trial import TrialTables, read_tables
from alsbench.study.model import Endpoint

Trials = Callable[[str], Both]
Tables = Callable[[str], tuple[Source, TrialTables]]


@pytest.fixture(scope="module")
def tables(both: Trials) -> Tables:
    """A trial as either program reads it."""
    read: dict[str, tuple[Source, TrialTables]] = {}

    def get(name: str) -> tuple[Source, TrialTables]:
        if name not in read:
            source = both(name).source
            read[name] = source, TrialTables(source.study, read_tables(source.snapshot.path))
        return read[name]

    return get


def agree(source: Source, trial: TrialTables, endpoint: Endpoint, part: str) -> list[float | None]:
    """The p of every comparison, the same by both programs; what one has not the other has not either."""
    second = {(n.treatment, n.reference, n.visit): n.stat for n in interactions(trial, endpoint, part)}
    found = []
    for cell in evidence_piece(source, endpoint, part, source.comparisons(())).cells:
        p = second.get((cell.treatment, cell.reference, cell.visit_number))
        assert p == pytest.approx(cell.interaction_p, abs=1e-6), (endpoint.name, part, cell)
        found.append(cell.interaction_p)
    assert sum(p is not None for p in second.values()) <= sum(p is not None for p in found)
    return found


# ---- every endpoint with a mixed model, in every subgroup of the study and its complement

PARTS = [
    ("als-ref-1", "alsfrs", "slow", {}),
    ("als-ref-1", "alsfrs", "nfl_low", {"covariance": "ar1h"}),
    ("als-ref-2", "alsfrs", "slow", {}),
    ("als-ref-2", "alsfrs", "nfl_low", {"covariance": "toeph", "df": "satterthwaite"}),
    *(("als-ref-1", "alsfrs_slope", part, {}) for part in ("slow", "nfl_low")),
    ("als-ref-2", "alsfrs_slope", "nfl_low", {}),
    *((name, "nfl", "fast", {}) for name in ("als-ref-1", "als-ref-2")),
    ("sample", "alsfrs", "slow", {"df": "satterthwaite", "covariance": "csh"}),
    ("sample", "svc", "early", {"covariance": "ar1"}),
    ("sample", "nfl", "nfl_high", {}),
    *(("sample", "nfl", part, {"covariance": "us"}) for part in ("bulbar", "older")),
    *(("sample", "alsfrs_slope", part, {}) for part in ("slow", "limb")),
    *(("built", e, part, {"df": df}) for e in ("alsfrs", "alsfrs_slope") for part in ("slow", "nfl_low", "limb")
      for df in ("kenward-roger", "satterthwaite")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "endpoint", "part", "options"), PARTS)
def test_both_programs_agree(tables: Tables, name: str, endpoint: str, part: str, options: Mapping[str, Any]) -> None:
    source, trial = tables(name)
    found = agree(source, trial, source.study.endpoints[endpoint].model_copy(update=options), part)
    assert sum(p is not None for p in found) == (2 if name == "built" else len(found))  # nobody of Solo outside of a part


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("covariance", ["us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "ad", "adh"])
def test_every_covariance_with_both_degrees_of_freedom(tables: Tables, covariance: str, df: str) -> None:
    source, trial = tables("sample")
    asked = source.study.endpoints["nfl"].model_copy(update={"covariance": covariance, "df": df})
    assert None not in agree(source, trial, asked, "slow")


# ---- where it is read, options, and closed forms

LEAVERS = """
[[subgroups]]
name = "leavers"
where = "USUBJID in ({})"
prespecified = false
"""
UNTIL_MONTH_5 = ("01-1081", "04-1100", "03-1111", "03-1061", "01-1013", "04-1052", "05-1041", "02-1097", "04-1094",
                 "01-1017", "01-1026", "01-1109", "03-1035")  # fmt: skip


def test_it_is_read_where_the_subgroup_is(both: Trials) -> None:
    """Nobody of the subgroup is seen after month 5: there the evidence of months 6 and 12 is read, and the interaction too."""
    subgroup = LEAVERS.format(", ".join(f"'ALSREF01-{s}'" for s in UNTIL_MONTH_5))
    source = both("als-ref-1").with_study(subgroup, study_of("als-ref-1")).source
    trial = TrialTables(source.study, read_tables(source.snapshot.path))
    asked = source.study.endpoints["alsfrs"].model_copy(update={"covariance": "ar1"})
    assert None not in agree(source, trial, asked, "leavers")
    assert {n.visit for n in interactions(trial, asked, "leavers")} == {5.0}


@pytest.mark.parametrize("endpoint", ["alsfrs", "alsfrs_ancova"])
def test_a_subgroup_without_a_result_of_its_own(both: Trials, endpoint: str) -> None:
    """Nine subjects whose own model has no covariance, none of them at month 12: neither program has an interaction there."""
    few = "'B-05', 'B-06', 'B-09', 'B-12', 'B-16', 'B-22', 'B-23', 'B-25', 'B-33'"
    source = both("built").with_study(LEAVERS.format(few)).source
    trial = TrialTables(source.study, read_tables(source.snapshot.path))
    asked = source.study.endpoints[endpoint].model_copy(update={"covariance": "ar1"})
    assert agree(source, trial, asked, "leavers") == [None, None, None]


@pytest.mark.parametrize(
    ("endpoint", "options"),
    [
        ("nfl", {"estimation": "ml", "df": "satterthwaite", "covariance": "toeph"}),
        ("nfl", {"covariance_by_arm": True, "covariance": "ar1"}),
        ("nfl", {"ls_means": "proportional", "at": {"LEADRATE": 1.0}, "covariates": ("LEADRATE", "ONSETSIT", "SEX")}),
        ("nfl", {"weights": "AGE", "covariance": "ar1h"}),
        ("nfl", {"visits": (4.0, 10.0), "covariates": ()}),
        ("alsfrs_slope", {"shared_baseline": True}),
        ("alsfrs_slope", {"shared_baseline": True, "df": "satterthwaite", "estimation": "ml"}),
        ("alsfrs_slope", {"covariates": ("ONSETSIT", "AGE"), "visits": (3.0, 6.0, 9.0, 12.0)}),
        ("alsfrs_slope", {"scale": "log", "df": "satterthwaite"}),
    ],
    ids=str,
)
def test_options(tables: Tables, endpoint: str, options: Mapping[str, Any]) -> None:
    source, trial = tables("sample")
    assert None not in agree(source, trial, source.study.endpoints[endpoint].model_copy(update=options), "bulbar")


def test_the_complement_has_that_of_the_subgroup(tables: Tables) -> None:
    """Which part is called inside turns the sign of the contrast and nothing else."""
    _, trial = tables("als-ref-2")
    for name in ("nfl", "alsfrs_slope"):
        slow, fast = (interactions(trial, trial.study.endpoints[name], part).rows for part in ("slow", "fast"))
        assert [n.stat for n in fast] == [pytest.approx(n.stat, abs=1e-8) for n in slow] and len(slow) == 3


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_of_one_visit_it_is_that_of_an_ancova(tables: Tables, df: str) -> None:
    """One value a subject: the restricted likelihood's estimates are those of least squares, with n - p degrees of freedom."""
    _, trial = tables("sample")
    endpoint = trial.study.endpoints["alsfrs"]
    one = endpoint.model_copy(update={"visits": (6.0,), "df": df})
    closed = interactions(trial, one.model_copy(update={"method": "ancova", "arms": "all"}), "slow").rows
    made = interactions(trial, one, "slow").rows
    assert [(n.treatment, n.visit) for n in made] == [(n.treatment, n.visit) for n in closed] and len(made) >= 2
    assert [n.stat for n in made] == [pytest.approx(n.stat, abs=1e-7) for n in closed]


# ---- max-t over a family with mixed models


def planned(study: str, places: list[tuple[str, str]]) -> str:
    """A study file with a max-t plan over these endpoints and comparisons; it has none of its own."""
    lines = [f'[[multiplicity.hypotheses]]\nendpoint = "{e}"\ncomparison = "{c}"' for e, c in places]
    return "\n".join([study, '[multiplicity]\nmethod = "max_t"\nalpha = 0.05', *lines])


FAMILIES = [
    ("built", "", [("alsfrs", "High-M12"), ("alsfrs_slope", "High-M12"), ("nfl", "High-M12"), ("alsfrs", "Solo-M6")]),
    ("built", "PP", [("alsfrs", "Low-M6"), ("cafs", "Low-M6"), ("alsfrs_slope", "Low-M6")]),
    ("als-ref-2", "", [("nfl", "Drug 10 mg"), ("alsfrs_slope", "Drug 10 mg"), ("alsfrs_slope", "Drug 40 mg")]),
]


@pytest.mark.parametrize(("name", "population", "places"), FAMILIES)
def test_max_t_over_mixed_models(both: Trials, name: str, population: str, places: list[tuple[str, str]]) -> None:
    """Within four standard errors of the integral and what docs/methods.md says of the first program's."""
    study = planned(built.STUDY if name == "built" else study_of(name), places)
    verified = both(name).with_study("", study)
    found = verified.second.plan(population)
    assert disagreements(found) == [] and left_out(found) == []
    adjusted = {(c.endpoint, c.row.treatment): float(c.second or 0) for c in found.compared}
    assert len(adjusted) == len(places) and all(0 < p <= 1 for p in adjusted.values())


def test_max_t_of_one_is_its_own_p(both: Trials) -> None:
    study = planned(built.STUDY, [("alsfrs_slope", "High-M12")])
    source = both("built").with_study("", study).source
    trial = TrialTables(source.study, read_tables(source.snapshot.path))
    ((p, error),) = max_t_p(trial).values()
    own = [n.stat for n in program.answer(trial, trial.study.endpoints["alsfrs_slope"])
           if (n.stat_name, n.treatment) == ("p_value", "High")]  # fmt: skip
    assert [p] == [pytest.approx(own[0], rel=1e-12)] and error == 0


def test_what_one_subject_adds(tables: Tables) -> None:
    """An influence is the derivative of the estimate by the weight of a subject's rows, the covariance held; all of them
    together are nothing, at the estimate."""
    _, trial = tables("built")
    endpoint = trial.study.endpoints["alsfrs"]
    rows = trial.model_rows(endpoint, trial.members("overall", ""))
    arms, visits = list(trial.study.arms.order), [float(v) for v in sorted(rows["visit"].unique())]
    model = mmrm.fitted(endpoint, rows, arms, visits)
    along = model.mean.mean("High", 12) - model.mean.mean("Placebo", 12)
    influence = model.influence(along)
    assert abs(influence.sum()) < 1e-9 * influence.abs().sum()

    def estimate(code: int, weight: float) -> float:
        information, right = np.zeros((2, *model.fit.phi.shape))
        for block in model.fit.likelihood.blocks:
            inverse = np.linalg.inv(model.fit.likelihood.of_block(block, model.fit.sigma))
            for x, y, own in zip(block.x, block.y, block.subjects, strict=True):
                w = weight if own == code else 1.0
                information += w * x.T @ inverse @ x
                right[0] += w * x.T @ inverse @ y
        return float(along[model.kept] @ np.linalg.solve(information, right[0]))

    for code in (0, 7, 20):
        slope = (estimate(code, 1 + 1e-4) - estimate(code, 1 - 1e-4)) / 2e-4
        assert slope == pytest.approx(influence.iloc[code], rel=1e-6) and slope != 0
