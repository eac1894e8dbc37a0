"""Every count and many statistics of the built trial against a second way of making them: loops over its rows as METHODS says,
statsmodels for least squares, closed forms for curves. Nothing of the program's own is used but its answers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize
from tests.built import trial as built

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source

PARTS = ("overall", "slow", "not slow", "nfl_low", "not nfl_low", "limb")
PAIRS = (("Low", 6), ("High", 12), ("Solo", 6))
TEXTS = {"USUBJID", "SITEID", "TRT01P", "TRT01A", "PARAMCD"}


def frame_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a frame, blanks missing, columns of numbers as numbers."""
    found = pd.DataFrame({c: [None if r[c] == "" else r[c] for r in rows] for c in rows[0]})
    for column in found.columns:
        if column not in TEXTS and all(v is None or isinstance(v, int | float) for v in found[column]):
            found[column] = found[column].astype(float)
    return found


ADSL = frame_of(built.adsl()).set_index("USUBJID")
FAS = [s for s in ADSL.index if ADSL.FASFL[s] == "Y"]
ADQS = frame_of(built.adqs())
TOTAL = ADQS[(ADQS.PARAMCD == "ALSFRSR") & ADQS.AVISITN.notna()]
TIMES = {str(r["USUBJID"]): (r["AVAL"], r["CNSR"]) for r in built.adtte()}


def inside(part: str, subject: str) -> bool:
    """Whether a subject of the analysis set is in a part: decided by the value there, by nothing where it is missing."""
    row = ADSL.loc[subject]
    if part == "overall":
        return True
    column = {"slow": "LEADRATE", "nfl_low": "BLNFL", "limb": "ONSETSIT"}[part.removeprefix("not ")]
    value = row[column]
    if pd.isna(value):
        return False
    yes = {"slow": lambda v: v <= 1.0, "nfl_low": lambda v: v < 52, "limb": lambda v: v == "LIMB"}[part.removeprefix("not ")]
    return bool(yes(value)) != part.startswith("not ")


def of(part: str, *arms: str) -> list[str]:
    return [s for s in FAS if inside(part, s) and ADSL.TRT01P[s] in (arms or built.ARMS)]


def change(subject: str, visit: int) -> float:
    row = TOTAL[(subject == TOTAL.USUBJID) & (visit == TOTAL.AVISITN)]
    return float(row.CHG.iloc[0]) if len(row) else math.nan


@pytest.fixture(scope="module")
def asked(built_trial: Source) -> Callable[[str], Result]:
    kept: dict[str, Result] = {}

    def ask(endpoint: str) -> Result:
        if endpoint not in kept:
            kept[endpoint] = answer(Question(endpoint, subgroups=PARTS, subjects=endpoint == "cafs"), built_trial)
        return kept[endpoint]

    return ask


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def number(result: Result, name: str, **where: object) -> float:
    found = list(result.select(stat_name=name, **where))
    assert len(found) == 1, (name, where, found)
    assert found[0].stat is not None, found[0]
    return found[0].number()


# -- who is where ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_members(asked: Callable[[str], Result], part: str) -> None:
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


def test_baseline(asked: Callable[[str], Result]) -> None:
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
def test_ancova(asked: Callable[[str], Result], part: str) -> None:
    """statsmodels OLS of CHG on arm, baseline, rate and onset among those with all of them."""
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


def test_nfl_ratios(asked: Callable[[str], Result]) -> None:
    """Values below 10 count as 5, at 10 as 10, zero is below 10; ln of the ratio to a baseline treated alike."""
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


def test_mmrm_counts_and_estimates(asked: Callable[[str], Result]) -> None:
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
def test_joint_rank(asked: Callable[[str], Result], part: str, treatment: str, horizon: int) -> None:
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


# -- times ----------------------------------------------------------------------------------------------------------------


def at_risk(part: str, *arms: str) -> list[tuple[str, float, bool]]:
    """Subjects with a day and a censoring code: id, day, event."""
    known = [(s, *TIMES.get(s, ("", ""))) for s in of(part, *arms)]
    return [(s, float(day), censored == 0) for s, day, censored in known if day != "" and censored != ""]


def curve(times: list[tuple[str, float, bool]], until: float) -> float:
    """Kaplan-Meier by its product."""
    alive = 1.0
    for day in sorted({d for _, d, event in times if event and d <= until}):
        alive *= 1 - sum(d == day and event for _, d, event in times) / sum(d >= day for _, d, _ in times)
    return alive


@pytest.mark.parametrize("part", PARTS)
def test_survival(asked: Callable[[str], Result], part: str) -> None:
    """Kaplan-Meier and restricted means by their definitions; the log-rank test stratified by onset, hypergeometric."""
    result = asked("survival")
    for arm, day in itertools.product(("Placebo", "Low", "High"), (183, 365)):
        times = at_risk(part, arm)
        assert number(result, "n", context="arm", arm=arm, subgroup=part) == len(times)
        assert number(result, "events", context="arm", arm=arm, subgroup=part) == sum(e for _, _, e in times)
        if (arm, day) in (("Low", 365), ("High", 183)):  # not a horizon of theirs
            continue
        at = {"context": "arm", "arm": arm, "subgroup": part, "level": f"day {day}"}
        assert number(result, "survival", **at) == near(curve(times, day))
        area = sum(curve(times, t) for t in range(day))
        assert number(result, "rmst", **at) == near(area)
    for treatment in ("Low", "High"):
        times = at_risk(part, "Placebo", treatment)
        observed = expected = variance = 0.0
        strata = {s: str(ADSL.ONSETSIT[s]) for s, _, _ in times}
        for stratum in set(strata.values()):
            mine = [t for t in times if strata[t[0]] == stratum]
            for day in sorted({d for _, d, event in mine if event}):
                risk = [s for s, d, _ in mine if d >= day]
                dead = [s for s, d, event in mine if d == day and event]
                n, d, n1 = len(risk), len(dead), sum(ADSL.TRT01P[s] == treatment for s in risk)
                observed += sum(ADSL.TRT01P[s] == treatment for s in dead)
                expected += d * n1 / n
                variance += d * (n1 / n) * (1 - n1 / n) * (n - d) / (n - 1) if n > 1 else 0.0
        row = next(result.select(stat_name="log_rank_chisq", treatment=treatment, subgroup=part))
        if variance > 0:
            assert row.number() == near((observed - expected) ** 2 / variance)
        else:
            assert row.stat is None and row.error


def test_an_event_on_the_horizon_day_is_inside_it(asked: Callable[[str], Result]) -> None:
    """B-05 (Placebo) has its event on day 183: survival at day 183 counts it."""
    times = at_risk("overall", "Placebo")
    assert curve(times, 183) < curve(times, 182)
    assert number(asked("survival"), "survival", arm="Placebo", subgroup="overall", level="day 183") == near(curve(times, 183))


# -- responders and stages ------------------------------------------------------------------------------------------------


def newcombe(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    """Newcombe (1998), method 10: the square-and-add limits from Wilson's."""
    z = 1.959963984540054

    def wilson(k: int, size: int) -> tuple[float, float]:
        p, centre = k / size, (2 * k + z * z) / (2 * (size + z * z))
        half = z * math.sqrt(z * z + 4 * size * p * (1 - p)) / (2 * (size + z * z))
        return centre - half, centre + half

    p, q, (l1, u1), (l2, u2) = a / n, b / m, wilson(a, n), wilson(b, m)
    return p - q - math.hypot(p - l1, u2 - q), p - q + math.hypot(u1 - p, q - l2)


@pytest.mark.parametrize("part", PARTS)
def test_responders(asked: Callable[[str], Result], part: str) -> None:
    """A change of -3 or better; who has no value, or had the event by the visit's day, does not respond."""
    result = asked("responder")
    for visit in built.VISITS:
        count = {}
        for arm in built.ARMS:
            who = of(part, arm)
            gone = [s for s in who if TIMES.get(s, ("", ""))[1] == 0 and TIMES[s][0] <= built.DAY[visit]]
            yes = [s for s in who if s not in gone and change(s, visit) >= -3]
            missing = [s for s in who if s not in gone and math.isnan(change(s, visit))]
            at = {"context": "arm", "arm": arm, "subgroup": part, "visit_number": float(visit), "variable": None}
            assert number(result, "n", **at) == len(who)
            assert number(result, "count", **at) == len(yes)
            assert number(result, "n_event", **at) == len(gone)
            assert number(result, "n_missing", **at) == len(missing)
            count[arm] = (len(yes), len(who))
        for treatment in ("Low", "High"):
            low, high = newcombe(*count[treatment], *count["Placebo"])
            at = {"context": "contrast", "treatment": treatment, "subgroup": part, "visit_number": float(visit)}
            assert number(result, "risk_difference_low", **at) == near(100 * low)
            assert number(result, "risk_difference_high", **at) == near(100 * high)


@pytest.mark.parametrize("part", PARTS)
def test_time_to_worsening(asked: Callable[[str], Result], part: str) -> None:
    """The first day with a change of -6 or worse (the study day, the nominal one where that is missing), or the event."""
    result = asked("responder")
    for arm in built.ARMS:
        n = reached = 0
        for subject in of(part, arm):
            rows = TOTAL[(subject == TOTAL.USUBJID) & (TOTAL.AVISITN > 0) & TOTAL.CHG.notna()]
            day, censored = TIMES.get(subject, ("", ""))
            event = float(day) if day != "" and censored == 0 else math.nan
            n += bool(len(rows)) or not math.isnan(event)
            reached += bool((rows.CHG <= -6).any()) or not math.isnan(event)
        at = {"context": "arm", "arm": arm, "subgroup": part, "variable": "time to threshold"}
        assert number(result, "n", **at) == n
        assert number(result, "events", **at) == reached


def stage_of(subject: str, visit: int, system: str) -> float:
    """King's (Balendra 2014) and MiToS (Chio 2015) from the items, 5 from the event's day on; NaN where an item decides."""
    rows = ADQS[(subject == ADQS.USUBJID) & (visit == ADQS.AVISITN) & ADQS.PARAMCD.str.match("ALSFR[01]")]
    day, censored = TIMES.get(subject, ("", ""))
    seen = rows.ADY.dropna().iloc[0] if rows.ADY.notna().any() else (1 if visit == 0 else built.DAY[visit])
    nominal = seen if len(rows) else (0 if visit == 0 else built.DAY[visit])
    if censored == 0 and day <= nominal:
        return 5.0
    item = {str(code)[5:7]: float(v) for code, v in zip(rows.PARAMCD, rows.AVAL, strict=True)}
    tube = "ALSFR05B" in set(rows.PARAMCD)
    if len(item) < 12:
        return math.nan
    q = {int(k): v for k, v in item.items()}
    if system == "King's":
        if tube or q[10] == 0 or q[12] < 4:
            return 4.0
        return float((min(q[1], q[2], q[3]) < 4) + (min(q[4], q[5]) < 4) + (q[8] < 4))
    return float((q[8] <= 1 or q[6] <= 1) + (q[3] <= 1) + (q[1] <= 1 and q[4] <= 1) + (q[10] <= 1 or q[12] <= 2))


def partly_known(subject: str, visit: int) -> bool:
    return subject == "B-17" and visit == 6  # item 8 is missing there: the stage may be known all the same


@pytest.mark.parametrize("system", ["King's", "MiToS"])
def test_stages(asked: Callable[[str], Result], system: str) -> None:
    result = asked("stages")
    variable = next(r.variable for r in result.rows if r.variable and r.variable.startswith(system))
    seen = set()
    for arm, visit in itertools.product(("Placebo", "Low", "High"), (0, 6, 12)):
        who = [s for s in of("overall", arm) if not partly_known(s, visit)]
        if len(who) < len(of("overall", arm)):
            continue
        found = [stage_of(s, visit, system) for s in who]
        at = {"context": "arm", "arm": arm, "subgroup": "overall", "visit_number": float(visit), "variable": variable}
        assert number(result, "n", **at) == sum(not math.isnan(v) for v in found)
        for level in range(6):
            assert number(result, "count", level=str(level), **at) == found.count(float(level)), (arm, visit, level)
            seen |= {level} if found.count(float(level)) else set()
    assert len(seen) >= 4


def numbered(result: Result) -> Iterator[str]:
    yield from (r.error for r in result.rows if r.stat is None and r.error)


def test_every_number_that_is_not_there_says_why(asked: Callable[[str], Result], built_trial: Source) -> None:
    for endpoint in built_trial.study.endpoints:
        result = asked(endpoint)
        assert all(r.error for r in result.rows if r.stat is None)
        assert not any("nan" in error.lower().split() for error in numbered(result))


def test_files_are_as_written(tmp_path: Path) -> None:
    """The same files every time."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir(), second.mkdir()
    for a, b in zip(built.write(first), built.write(second), strict=True):
        assert a.read_bytes() == b.read_bytes()
