"""Real data that nobody here wrote: the CDISC pilot trial, from files to results.

Expected numbers: the trial's study report (CDISC SDTM/ADaM pilot project, final report of 27 June 2006, Table 14-3.01; the same
numbers stand in the R Consortium's submission pilot 1, ``tlf-primary``), statsmodels 0.15 ``ols``, and for the mixed model a
REML likelihood written out densely in this file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import counts_by_arm, members
from alsbench.study.propose import columns_to_read, profile_table, propose
from alsbench.study.study_file import parse_study

LOW, HIGH = "Xanomeline Low Dose", "Xanomeline High Dose"


def test_the_same_trial_from_every_format(opened: Callable[[str], Source]) -> None:
    parquet, csv, xpt = (opened(form) for form in ("parquet", "csv", "xpt"))
    assert parquet.snapshot.digest == xpt.snapshot.digest
    question = Question("adas", subgroups=("overall", "women"))
    rows = [answer(question, source).rows for source in (parquet, csv, xpt)]
    assert rows[0] == rows[1] == rows[2]


def test_arms_populations_and_subgroups(trial: Source) -> None:
    """Study report, Table 14-1.01: 86, 84, 84 randomised; efficacy population 79, 81, 74."""
    everybody = trial.population("ITT")
    assert counts_by_arm(trial, everybody) == {"Placebo": 86, LOW: 84, HIGH: 84}
    assert counts_by_arm(trial, trial.population()) == {"Placebo": 79, LOW: 81, HIGH: 74}
    women, men = members(trial, "women", "ITT"), members(trial, "men", "ITT")
    assert (women.n, men.n) == (143, 111)
    mild = members(trial, "mild")
    assert "median(MMSETOT)" in mild.cut_text()
    assert mild.post_hoc


def test_ancova_is_the_study_reports_table_14_3_01(trial: Source) -> None:
    result = answer(Question("adas_locf"), trial)
    printed = {LOW: (-0.5, 0.82, -2.1, 1.1, 0.569), HIGH: (-1.0, 0.84, -2.7, 0.7, 0.233)}
    for arm, (difference, se, low, high, p) in printed.items():
        got = {r.stat_name: r.number() for r in result.select(context="contrast", treatment=arm, reference="Placebo")}
        assert round(got["difference"], 1) == difference
        assert round(got["se"], 2) == se
        assert (round(got["conf_low"], 1), round(got["conf_high"], 1)) == (low, high)
        assert round(got["p_value"], 3) == p
        assert got["df"] == 220
    for arm, n in (("Placebo", 79), (LOW, 81), (HIGH, 74)):
        assert result.get("n", context="arm", arm=arm).stat == n


@pytest.mark.parametrize("part", ["overall", "women", "not women", "old", "mild"])
def test_ancova_against_statsmodels(trial: Source, adas: pd.DataFrame, part: str) -> None:
    import statsmodels.formula.api as smf

    mask = members(trial, part).mask
    inside = {s for s, m in zip(trial.subject_ids, mask, strict=True) if m}
    week = adas[(adas.AVISITN == 24) & adas.USUBJID.isin(inside)]
    fit = smf.ols("CHG ~ C(TRTP, Treatment('Placebo')) + BASE + C(SITEGR1)", week).fit()
    result = answer(Question("adas_locf", subgroups=(part,)), trial)
    for arm in (LOW, HIGH):
        term = f"C(TRTP, Treatment('Placebo'))[T.{arm}]"
        got = {r.stat_name: r.number() for r in result.select(context="contrast", treatment=arm)}
        assert got["difference"] == pytest.approx(fit.params[term], rel=1e-9, abs=1e-9)
        assert got["se"] == pytest.approx(fit.bse[term], rel=1e-9)
        assert got["p_value"] == pytest.approx(fit.pvalues[term], abs=1e-9)
        assert got["df"] == fit.df_resid


def dense_reml(rows: pd.DataFrame) -> tuple[float, pd.DataFrame, pd.DataFrame]:
    """CHG ~ arm*visit + BASE*visit + site, unstructured over visits: (log-likelihood, coefficients, their covariance).

    Those seen at the same visits have the same covariance: its inverse is taken once for all of them.
    """
    import patsy

    X = patsy.dmatrix(
        "C(TRTP, Treatment('Placebo')) * C(AVISITN) + BASE * C(AVISITN) + C(SITEGR1)", rows, return_type="dataframe"
    )
    visits = sorted(rows.AVISITN.unique())
    where = rows.AVISITN.map({v: i for i, v in enumerate(visits)}).to_numpy()
    people = [np.flatnonzero((u == rows.USUBJID).to_numpy()) for u in rows.USUBJID.unique()]
    x, y = X.to_numpy(), rows.CHG.to_numpy()
    lower = np.tril_indices(len(visits))
    alike = {seen: np.array([p for p in people if tuple(where[p]) == seen]) for seen in {tuple(where[p]) for p in people}}
    assert sum(len(group) for group in alike.values()) == len(people)

    def parts(theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        factor = np.zeros((len(visits), len(visits)))
        factor[lower] = theta
        np.fill_diagonal(factor, np.exp(np.diag(factor)))
        sigma = factor @ factor.T
        information, score, square, determinant = np.zeros((x.shape[1],) * 2), np.zeros(x.shape[1]), 0.0, 0.0
        for seen, group in sorted(alike.items()):
            block = sigma[np.ix_(seen, seen)]
            weight = np.linalg.inv(block)
            theirs, weighted = x[group], y[group] @ weight  # (subjects, visits, coefficients), (subjects, visits)
            information += np.tensordot(theirs, weight @ theirs, axes=([0, 1], [0, 1]))
            score += np.tensordot(theirs, weighted, axes=([0, 1], [0, 1]))
            square += float((weighted * y[group]).sum())
            determinant += len(group) * np.linalg.slogdet(block)[1]
        beta = np.linalg.solve(information, score)
        deviance = determinant + np.linalg.slogdet(information)[1] + square - score @ beta
        deviance += (len(y) - x.shape[1]) * np.log(2 * np.pi)
        return deviance, beta, np.linalg.inv(information)

    start = np.where(np.equal(*lower), np.log(rows.CHG.std()), 0.0)
    best = minimize(lambda t: parts(t)[0], start, method="BFGS", options={"gtol": 1e-7})
    deviance, beta, covariance = parts(best.x)
    names = list(X.columns)
    return -deviance / 2, pd.DataFrame({"beta": beta}, index=names), pd.DataFrame(covariance, names, names)


def test_mmrm_against_a_dense_likelihood(trial: Source, adas: pd.DataFrame) -> None:
    """Differences by visit to 1e-4 of their SE, log-likelihood to 1e-5: BFGS by finite differences stops about there. The
    model is that of Table 14-3.11 (observed cases); its own numbers average over visits, and so do not enter here."""
    rows = adas[adas.DTYPE.isna() & (adas.AVISITN > 0) & adas.CHG.notna()].reset_index(drop=True)
    loglik, beta, covariance = dense_reml(rows)
    result = answer(Question("adas", df="satterthwaite"), trial)
    assert result.get("n_observations", context="model").stat == len(rows) == 234 + 150 + 155
    assert result.get("log_likelihood", context="model").stat == pytest.approx(loglik, abs=1e-5)
    for arm in (LOW, HIGH):
        main = f"C(TRTP, Treatment('Placebo'))[T.{arm}]"
        for visit in (8.0, 16.0, 24.0):
            terms = [main] + ([f"{main}:C(AVISITN)[T.{visit}]"] if visit > 8 else [])
            difference, variance = beta.beta[terms].sum(), covariance.loc[terms, terms].to_numpy().sum()
            got = {r.stat_name: r.number() for r in result.select(context="contrast", treatment=arm, visit_number=visit)}
            assert got["difference"] == pytest.approx(difference, abs=1e-4 * variance**0.5)
            assert got["se"] == pytest.approx(variance**0.5, rel=1e-4)
    kr = answer(Question("adas"), trial)
    for row in kr.select(context="contrast", stat_name="se", visit_number=24.0):
        plain = result.get("se", context="contrast", treatment=row.treatment, visit_number=24.0)
        assert row.number() >= plain.number()


def test_locf_rows_are_left_out_only_by_where(trial: Source) -> None:
    observed = answer(Question("adas"), trial).get("n_subjects", context="model")
    carried = answer(Question("adas_locf"), trial).get("n", context="arm", arm="Placebo")
    assert (observed.stat, carried.stat) == (234, 79)


def test_dermatologic_events_against_statsmodels(trial: Source, pilot: Callable[[str], pd.DataFrame]) -> None:
    """Cox with Efron's ties and the log-rank test, statsmodels 0.15 ``PHReg`` and ``survdiff``."""
    from statsmodels.duration.hazard_regression import PHReg
    from statsmodels.duration.survfunc import survdiff

    frame = pilot("adtte")
    result = answer(Question("dermatologic"), trial)
    for arm, events in (("Placebo", 29), (LOW, 62), (HIGH, 61)):
        assert result.get("events", context="arm", arm=arm).stat == events == (frame[arm == frame.TRTP].CNSR == 0).sum()
    for arm in (LOW, HIGH):
        two = frame[frame.TRTP.isin(["Placebo", arm])]
        x, event = (arm == two.TRTP).to_numpy(dtype=float), (two.CNSR == 0).to_numpy(dtype=float)
        cox = PHReg(two.AVAL.to_numpy(), x[:, None], status=event, ties="efron").fit()
        chi_square, _ = survdiff(two.AVAL.to_numpy(), event, x)
        got = {r.stat_name: r.number() for r in result.select(context="contrast", treatment=arm)}
        assert np.log(got["hazard_ratio"]) == pytest.approx(cox.params[0], rel=1e-6)
        assert np.log(got["hr_high"] / got["hr_low"]) / (2 * 1.959963985) == pytest.approx(cox.bse[0], rel=1e-6)
        assert got["log_rank_chisq"] == pytest.approx(chi_square, rel=1e-9)


def test_adverse_events_against_a_plain_count(trial: Source, pilot: Callable[[str], pd.DataFrame]) -> None:
    """Every preferred term: subjects with at least one treatment-emergent event, by actual arm, counted with pandas."""
    frame = pilot("adae")
    frame = frame[frame.TRTEMFL == "Y"]
    expected = frame.groupby(["AEBODSYS", "AEDECOD", "TRTA"]).USUBJID.nunique()
    result = answer(Question("ae"), trial)
    counted = {
        (r.variable, r.level, r.arm): r.stat for r in result.select(stat_name="count", context="arm") if r.stat and r.level
    }
    assert len(expected) > 300
    assert {key: counted.get(key) for key in expected.index} == dict(expected)
    # no data set of this trial holds doses given, and AEACN is delivered without a value
    assert {r.error for r in result.rows if r.error} <= {"no values", "unknown: AEACN is blank throughout"}


def test_baseline_table(trial: Source) -> None:
    """Study report, Table 14-2.01: age 75.2 (8.59), 75.7 (8.29), 74.4 (7.89); the same as the delivered ADSL gives."""
    result = answer(Question("baseline"), trial)
    for arm, mean, sd in (("Placebo", 75.2, 8.59), (LOW, 75.7, 8.29), (HIGH, 74.4, 7.89)):
        got = {r.stat_name: r.number() for r in result.select(context="arm", arm=arm, variable="AGE")}
        assert (round(got["mean"], 1), round(got["sd"], 2)) == (mean, sd)
    assert not [r for r in result.rows if r.error]


def test_the_study_file_proposed_for_it(pilot: Callable[[str], pd.DataFrame]) -> None:
    tables = []
    for name in ("adsl", "adae", "adtte", "adadas"):
        frame = pilot(name)
        frame = frame[columns_to_read(name, list(frame.columns))]
        tables.append(
            profile_table(name, {c: frame[c].astype(object).where(frame[c].notna(), None).tolist() for c in frame.columns})
        )
    study = parse_study(propose(tables).text)
    assert study.arms.order == ("Placebo", LOW, HIGH)
    assert study.endpoints["actot"].where == "ANL01FL == 'Y' and missing(DTYPE)"
    assert study.endpoints["actot"].better == "lower"
    assert (study.visits.unit, study.visits.baseline) == ("week", 0)
