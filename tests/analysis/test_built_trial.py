"""Every count and many statistics of the built trial against a second way of making them: loops over its rows as METHODS says,
statsmodels for least squares, a dense likelihood. Nothing of the program's own is used but its answers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from tests.built import trial as built
from tests.built.counted import ADSL, FAS, PAIRS, PARTS, TIMES, TOTAL, change, near, number, of

from alsbench.analysis.result import Result
from alsbench.analysis.source import Source

Asked = Callable[[str], Result]


# -- who is where ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_members(asked: Asked, part: str) -> None:
    result = asked("baseline")
    for arm in built.ARMS:
        assert number(result, "n", context="arm", arm=arm, subgroup=part, variable=None) == len(of(part, arm))


def test_a_missing_value_is_in_neither_part_and_counted(built_trial: Source) -> None:
    """BLNFL is missing for three subjects, one of them outside the analysis set; LEADRATE for one."""
    from alsbench.analysis.subgroups import members

    for name, missing in (("nfl_low", "BLNFL"), ("slow", "LEADRATE")):
        gone = sum(pd.isna(ADSL[missing][s]) for s in FAS)
        assert gone >= 1 and members(built_trial, name).n_undecided == members(built_trial, f"not {name}").n_undecided == gone
        assert members(built_trial, name).n + members(built_trial, f"not {name}").n == len(FAS) - gone
    assert members(built_trial, "slow").cuts == (("mean(LEADRATE)", 1.0),)


def test_baseline(asked: Asked) -> None:
    """Numeric summaries by pandas (quantiles of type 2: averaged at ties), classes by counting; SMD over the pooled SD."""
    result = asked("baseline")
    for part, arm in itertools.product(PARTS, ("Placebo", "Low", "High")):
        who = of(part, arm)
        for column in ("AGE", "LEADRATE", "BLALSFR", "BLNFL"):
            values = ADSL.loc[who, column].dropna().astype(float).to_numpy()
            at = {"context": "arm", "subgroup": part, "arm": arm, "variable": column}
            assert number(result, "n", **at) == values.size
            assert number(result, "mean", **at) == near(values.mean())
            assert number(result, "sd", **at) == near(values.std(ddof=1))
            assert (number(result, "min", **at), number(result, "max", **at)) == (values.min(), values.max())
            for name, q in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
                assert number(result, name, **at) == near(float(np.quantile(values, q, method="averaged_inverted_cdf")))
        for column in ("SEX", "ONSETSIT", "RILUFL"):
            values = ADSL.loc[who, column].dropna()
            at = {"context": "arm", "subgroup": part, "arm": arm, "variable": column}
            assert number(result, "n", **at) == len(values)
            for level, n in values.value_counts().items():
                assert number(result, "count", level=level, **at) == n
                assert number(result, "percent", level=level, **at) == near(100 * n / len(values))
    for part, treatment in itertools.product(PARTS, ("Low", "High")):
        a, b = (ADSL.loc[of(part, arm), "AGE"].dropna().astype(float) for arm in (treatment, "Placebo"))
        pooled = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        at = {"context": "contrast", "subgroup": part, "treatment": treatment, "variable": "AGE"}
        assert number(result, "smd", **at) == near((a.mean() - b.mean()) / pooled)


# -- least squares --------------------------------------------------------------------------------------------------------


def design(frame: pd.DataFrame, treatment: str, covariates: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Constant, arm, and covariates, classes as 0/1; what does not vary is left out."""
    X = pd.DataFrame({"const": 1.0, "arm": (treatment == frame.TRT01P).astype(float)}, index=frame.index)
    for name in covariates:
        if frame[name].nunique() < 2:
            continue
        if not pd.api.types.is_numeric_dtype(frame[name]):
            for level in sorted(frame[name].unique())[1:]:
                X[f"{name}{level}"] = (frame[name] == level).astype(float)
        else:
            X[name] = frame[name].astype(float)
    return X, list(X.columns)


def full_rank(X: pd.DataFrame) -> bool:
    return bool(np.linalg.matrix_rank(X.to_numpy(dtype=float)) == X.shape[1])


@pytest.mark.parametrize("part", PARTS)
def test_ancova(asked: Asked, part: str) -> None:
    """statsmodels OLS of CHG on arm, baseline, rate and onset among those with all of them."""
    import statsmodels.api as sm

    result, fitted = asked("alsfrs_ancova"), 0
    for (treatment, _), visit in itertools.product(PAIRS, built.VISITS):
        who = of(part, "Placebo", treatment)
        frame = ADSL.loc[who].assign(CHG=[change(s, visit) for s in who], BASE=ADSL.loc[who, "BLALSFR"])
        rows = frame.dropna(subset=["CHG", "BASE", "LEADRATE", "ONSETSIT"])
        at = {"subgroup": part, "treatment": treatment, "visit_number": float(visit)}
        for arm in ("Placebo", treatment):
            assert number(result, "n", context="arm", arm=arm, **at) == int((arm == rows.TRT01P).sum())
        X, _ = design(rows, treatment, ["BASE", "LEADRATE", "ONSETSIT"])
        if rows.TRT01P.nunique() < 2 or len(rows) <= X.shape[1] or not full_rank(X):
            continue
        fit = sm.OLS(rows.CHG.astype(float), X).fit()
        if fit.ssr < 1e-20:  # no residual, no error
            continue
        fitted += 1
        assert number(result, "difference", context="contrast", level=None, **at) == near(fit.params["arm"])
        assert number(result, "se", context="contrast", level=None, **at) == near(fit.bse["arm"])
        assert number(result, "df", context="contrast", level=None, **at) == fit.df_resid
        assert number(result, "p_value", context="contrast", level=None, **at) == near(fit.pvalues["arm"])
        low, high = fit.conf_int().loc["arm"]
        assert number(result, "conf_low", context="contrast", level=None, **at) == near(low)
        assert number(result, "conf_high", context="contrast", level=None, **at) == near(high)
    assert fitted >= 4


def test_nfl_ratios(asked: Asked) -> None:
    """Values below 10 count as 5, at 10 as 10, zero is below 10; ln of the ratio to a baseline treated alike."""
    import statsmodels.api as sm

    result = asked("nfl")
    halved = lambda v: built.LLOQ / 2 if v < built.LLOQ else v  # noqa: E731
    rows = [
        (str(r["USUBJID"]), int(str(r["AVISITN"])), halved(float(str(r["AVAL"]))), halved(float(str(r["BASE"]))), r["AVAL"])
        for r in built.adlb()
        if r["AVAL"] != "" and r["BASE"] != "" and r["AVISITN"] != 0
    ]
    for (treatment, _), visit in itertools.product(PAIRS[:2], (3, 6, 12)):
        at = {"subgroup": "overall", "treatment": treatment, "visit_number": float(visit)}
        mine = [r for r in rows if r[1] == visit and r[0] in of("overall", "Placebo", treatment) and r[0] != built.MISSING_RATE]
        frame = ADSL.loc[[r[0] for r in mine]].assign(Y=[math.log(r[2] / r[3]) for r in mine], B=[math.log(r[3]) for r in mine])
        X, _ = design(frame, treatment, ["B", "LEADRATE"])
        fit = sm.OLS(frame.Y, X).fit()
        assert number(result, "difference", context="contrast", **at) == near(fit.params["arm"])
        assert number(result, "ratio", context="contrast", **at) == near(math.exp(fit.params["arm"]))
        assert number(result, "ratio_low", context="contrast", **at) == near(math.exp(fit.conf_int().loc["arm"][0]))
        for arm in ("Placebo", treatment):
            own = [r for r in mine if ADSL.TRT01P[r[0]] == arm]
            assert number(result, "n", context="arm", arm=arm, **at) == len(own)
            below = sum(float(str(r[4])) < built.LLOQ for r in own)
            assert number(result, "n_below_lloq", context="arm", arm=arm, **at) == below


def test_mmrm_counts_and_estimates(asked: Asked) -> None:
    """Compound symmetry by the dense restricted likelihood, maximised over the correlation."""
    result = asked("alsfrs")
    rows = TOTAL[TOTAL.CHG.notna() & TOTAL.BASE.notna() & (TOTAL.AVISITN > 0) & TOTAL.USUBJID.isin(FAS)]
    rows = rows.assign(ARM=ADSL.TRT01P[rows.USUBJID].to_numpy(), RATE=ADSL.LEADRATE[rows.USUBJID].to_numpy(dtype=float))
    rows = rows[rows.RATE.notna()]
    for arm, visit in itertools.product(built.ARMS, built.VISITS):
        n = int(((arm == rows.ARM) & (visit == rows.AVISITN)).sum())
        assert number(result, "n", context="arm", arm=arm, subgroup="overall", visit_number=float(visit)) == n
    visits = pd.Categorical(rows.AVISITN.astype(int))
    cells = pd.get_dummies(rows.ARM + " " + visits.astype(str)).astype(float)
    slopes = pd.get_dummies(visits).astype(float).mul(rows.BASE.to_numpy(), axis=0)
    X = np.column_stack([cells, slopes, rows.RATE])
    y, subject = rows.CHG.to_numpy(), rows.USUBJID.to_numpy()
    same = subject[:, None] == subject[None, :]

    def minus_twice_reml(theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Dense restricted likelihood, the variance profiled out; theta: the logit of the correlation over (-1/3, 1)."""
        rho = -1 / 3 + (4 / 3) / (1 + math.exp(-theta[0]))
        V = np.where(same, rho, 0.0) + np.eye(len(y)) * (1 - rho)
        W = np.linalg.inv(V)
        XWX = X.T @ W @ X
        beta = np.linalg.solve(XWX, X.T @ W @ y)
        r = y - X @ beta
        n, p = X.shape
        return (n - p) * math.log(r @ W @ r) + np.linalg.slogdet(V)[1] + np.linalg.slogdet(XWX)[1], beta

    best = optimize.minimize_scalar(lambda t: minus_twice_reml(np.array([t]))[0], bounds=(-8, 8), method="bounded",
                                    options={"xatol": 1e-10})  # fmt: skip
    coefficients = dict(zip(cells.columns, minus_twice_reml(np.array([best.x]))[1], strict=False))
    for treatment in ("Low", "High"):
        at = {"context": "contrast", "subgroup": "overall", "treatment": treatment, "visit_number": 12.0, "level": None}
        expected = coefficients[f"{treatment} 12"] - coefficients["Placebo 12"]
        assert number(result, "difference", **at) == pytest.approx(expected, rel=1e-6)


# -- the joint rank -------------------------------------------------------------------------------------------------------


def followed(subject: str, horizon: int) -> tuple[float | None, float, dict[int, float]]:
    """Event day (None without one by the horizon day), day of last contact, changes at the visits up to the horizon."""
    day, censored = TIMES.get(subject, ("", ""))
    end = built.DAY[horizon]
    event = float(day) if day != "" and censored == 0 and float(day) <= end else None
    contact = -math.inf if day == "" or censored == "" else min(float(day), end)
    return event, contact, {v: change(subject, v) for v in built.VISITS if v <= horizon and not math.isnan(change(subject, v))}


def score(a: tuple[float | None, float, dict[int, float]], b: tuple[float | None, float, dict[int, float]]) -> int:
    """METHODS 3: 1 where a wins, -1 where b does, 0 for a tie."""
    (event_a, contact_a, change_a), (event_b, contact_b, change_b) = a, b
    if event_a is not None and event_b is not None:
        return (event_a > event_b) - (event_a < event_b)
    if event_b is not None and contact_a >= event_b:
        return 1
    if event_a is not None and contact_b >= event_a:
        return -1
    common = max(set(change_a) & set(change_b), default=None)
    return 0 if common is None else (change_a[common] > change_b[common]) - (change_a[common] < change_b[common])


def ranked(part: str, treatment: str, horizon: int) -> dict[str, tuple[float | None, float, dict[int, float]]]:
    found = {s: followed(s, horizon) for s in of(part, "Placebo", treatment)}
    return {s: f for s, f in found.items() if f[0] is not None or f[2]}


def mid_ranks(sums: dict[str, int]) -> dict[str, float]:
    values = sorted(sums.values())
    return {s: np.mean([i + 1 for i, v in enumerate(values) if v == u]) for s, u in sums.items()}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("treatment", "horizon"), PAIRS)
def test_joint_rank(asked: Asked, part: str, treatment: str, horizon: int) -> None:
    import statsmodels.api as sm

    result = asked("cafs")
    at = {"subgroup": part, "treatment": treatment, "visit_number": float(horizon)}
    who = ranked(part, treatment, horizon)
    arm = {s: ADSL.TRT01P[s] for s in who}
    for name in ("Placebo", treatment):
        assert number(result, "n", context="arm", arm=name, **at) == sum(a == name for a in arm.values())
        events = sum(f[0] is not None for s, f in who.items() if arm[s] == name)
        assert number(result, "events", context="arm", arm=name, **at) == events
    if not {"Placebo", treatment} <= set(arm.values()):
        return
    sums = {s: sum(score(who[s], who[t]) for t in who if t != s) for s in who}
    ranks = mid_ranks(sums)
    told = {r.level: r.number() for r in result.select(context="subject", stat_name="score", **at)}
    assert told == sums
    assert {r.level: r.number() for r in result.select(context="subject", stat_name="rank", **at)} == ranks
    pairs = [score(who[s], who[t]) for s in who if arm[s] == treatment for t in who if arm[t] == "Placebo"]
    wins, losses = pairs.count(1), pairs.count(-1)
    where = {"context": "contrast", **at}
    assert number(result, "wins", **where) == wins
    assert number(result, "losses", **where) == losses
    assert number(result, "ties", **where) == pairs.count(0)
    assert number(result, "net_benefit", **where) == near((wins - losses) / len(pairs))
    onset = {s: str(ADSL.ONSETSIT[s]) for s in who}
    W = variance = 0.0
    for stratum in sorted(set(onset.values())):
        mine = [s for s in who if onset[s] == stratum]
        U = {s: sum(score(who[s], who[t]) for t in mine) for s in mine}
        n, n1 = len(mine), sum(arm[s] == treatment for s in mine)
        W += sum(u for s, u in U.items() if arm[s] == treatment)
        variance += n1 * (n - n1) / (n * (n - 1)) * sum(u * u for u in U.values()) if n > 1 else 0.0
    assert number(result, "gehan_w", **where) == W
    assert number(result, "gehan_var", **where) == near(variance)
    frame = ADSL.loc[list(who)].assign(RANK=list(ranks.values())).dropna(subset=["LEADRATE", "ONSETSIT"])
    X, _ = design(frame, treatment, ["LEADRATE", "ONSETSIT"])
    if frame.TRT01P.nunique() == 2 and full_rank(X) and len(frame) > X.shape[1]:
        fit = sm.OLS(frame.RANK, X).fit()
        assert number(result, "difference", **where) == near(fit.params["arm"])
        assert number(result, "se", **where) == near(fit.bse["arm"])


def test_ties_and_boundaries_of_the_joint_rank_really_decide_pairs() -> None:
    """Two events on one day tie; an event on the very horizon day counts; who leaves on the day of another's event wins."""
    assert followed("B-05", 6)[0] == 183.0 and followed("B-06", 6)[0] is None
    assert followed("B-17", 12)[0] == 365.0 and followed("B-18", 12)[0] is None
    assert score(followed("B-12", 6), followed("B-16", 6)) == 0
    assert score(followed("B-23", 6), followed("B-22", 6)) == 1
    assert score(followed("B-09", 6), followed("B-05", 6)) == 1
