"""Time to event (METHODS 5): Kaplan-Meier by ``SurvfuncRight``, log-rank by ``survdiff``, Cox by ``PHReg`` at its optimum.

Restricted means are areas under the curve with the variance of Klein and Moeschberger (2003, section 4.5). Proportional
hazards are tested by the score of treatment times one minus the Kaplan-Meier curve of everybody just before (Grambsch and
Therneau 1994; R's cox.zph since survival 3.0), the follow-up of every subject being split at every event.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from alsbench.second.design import Stats, split_covariates
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.trial import TrialTables, covariate, one_where_alike, with_covariates
from alsbench.study.model import Comparison, Endpoint

Floats = NDArray[np.float64]
COVERED = {
    "arm": {
        "n", "events", "median", "median_low", "median_high", "survival", "survival_low", "survival_high", "rmst", "rmst_se",
    },
    "contrast": {
        "log_rank_chisq", "log_rank_z", "log_rank_p", "hazard_ratio", "hr_low", "hr_high", "z", "p_value", "events", "ph_p",
        "rmst_difference", "rmst_difference_low", "rmst_difference_high", "rmst_p",
    },
}  # fmt: skip
Z = float(special.ndtri(0.975))
DETERMINED = 1e-9  # least eigenvalue of an information scaled to a diagonal of ones
LARGEST_LOG_RATIO = 12.0  # beyond it the events do not determine a hazard ratio


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Arms with their curves, comparisons with their tests."""
    made = NumberRows()
    times_to_event(made, trial, endpoint, time_rows(trial, endpoint, members), members)
    return made


def time_rows(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
    """One row a subject with its ``time`` and ``event`` (1, 0), alike times made one."""
    rows = trial.records(endpoint, members)
    rows = rows.assign(time=rows["aval"], event=(rows["CNSR"] == 0).astype(int))
    rows = rows[rows["aval"].notna() & rows["CNSR"].notna() & rows["arm"].notna()]
    if rows["subject"].duplicated().any():
        raise NotCovered("a subject has two times")
    return rows.assign(time=one_where_alike(rows["time"]))


def times_to_event(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    rows: pd.DataFrame,
    members: pd.DataFrame,
    variable: str | None = None,
) -> None:
    """What is said of ``time`` and ``event`` (1, 0) of the subjects of these rows, under the name ``variable``."""
    days: dict[str, dict[int, None]] = {arm: {} for arm in trial.study.arms.order}
    for comparison in trial.study.comparisons:
        for arm in (comparison.reference, comparison.treatment) if comparison.horizon is not None else ():
            days[arm][trial.horizon_day(comparison)] = None
    curves = {}
    for arm in trial.study.arms.order:
        own = rows[rows["arm"] == arm]
        stats: Stats = {"n": len(own), "events": int(own["event"].sum())}
        if not own.empty:
            curves[arm] = KaplanMeierSteps(own, endpoint.intervals)
            stats |= curves[arm].median()
        made.add("arm", stats, arm=arm, variable=variable)
        for day in days[arm] if arm in curves else ():
            made.add("arm", curves[arm].at(day), arm=arm, level=f"day {day}", variable=variable)
    for comparison in trial.study.comparisons:
        if comparison.treatment in curves and comparison.reference in curves:
            place = {"treatment": comparison.treatment, "reference": comparison.reference, "variable": variable}
            own = rows[rows["arm"].isin([comparison.treatment, comparison.reference])]
            made.add("contrast", log_rank(own, endpoint, members, comparison), **place)
            made.add("contrast", cox(own, endpoint, members, comparison), **place)
            if comparison.horizon is None:
                continue
            day = trial.horizon_day(comparison)
            two = [curves[arm].restricted(day) for arm in (comparison.treatment, comparison.reference)]
            made.add("contrast", _rmst_difference(*two), **place, level=f"day {day}")


class KaplanMeierSteps:
    """The Kaplan-Meier curve of some subjects, with its limits at every event time."""

    def __init__(self, rows: pd.DataFrame, intervals: str) -> None:
        time, event = rows["time"].to_numpy(float), rows["event"].to_numpy(int)
        self.first, self.last = float(time.min()), float(time.max())
        self.intervals = intervals
        if event.any():
            made = SurvfuncRight(time, event)
            died = np.asarray(made.n_events) > 0
            self.time = np.asarray(made.surv_times, dtype=float)[died]
            self.surv, self.at_risk, self.died = (
                np.asarray(a, dtype=float)[died] for a in (made.surv_prob, made.n_risk, made.n_events)
            )
        else:
            self.time = self.surv = self.at_risk = self.died = np.zeros(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.hazard_se = np.sqrt(np.cumsum(self.died / (self.at_risk * (self.at_risk - self.died))))

    def limits(self, k: int) -> tuple[float | None, float | None]:
        """The limits from event k on; none where everybody has had the event."""
        s, se = float(self.surv[k]), float(self.hazard_se[k])
        if s <= 0 or not math.isfinite(se):
            return None, None
        if self.intervals == "plain":
            return max(s - Z * s * se, 0.0), min(s + Z * s * se, 1.0)
        if self.intervals == "log":
            return s * math.exp(-Z * se), min(s * math.exp(Z * se), 1.0)
        half = Z * se / abs(math.log(s))
        return s ** math.exp(half), s ** math.exp(-half)

    def median(self) -> Stats:
        """The first time at which at most half are free of the event (where it is exactly half, the middle to the next
        event time), and the like of its limits."""
        both = [self.limits(k) for k in range(len(self.time))]
        return {
            "median": self._reaches([float(s) for s in self.surv]),
            "median_low": self._reaches([low for low, _ in both]),
            "median_high": self._reaches([high for _, high in both]),
        }

    def _reaches(self, values: Sequence[float | None]) -> float | None:
        for k, value in enumerate(values):
            if value is not None and abs(value - 0.5) <= 1e-9:
                later = [t for t, v in zip(self.time[k + 1 :], values[k + 1 :], strict=True) if v is None or v < 0.5 - 1e-9]
                return float((self.time[k] + (later[0] if later else self.last)) / 2)
            if value is not None and value < 0.5:
                return float(self.time[k])
        return None  # not reached

    def unknown(self, day: float) -> bool:
        """Whether follow-up ends before a day with somebody free of the event."""
        return day > self.last and (len(self.surv) == 0 or self.surv[-1] > 0)

    def restricted(self, day: float) -> tuple[float, float] | None:
        """The mean time free of the event up to a day, and its standard error; not past the end of follow-up."""
        if self.unknown(day):
            return None
        steps = np.concatenate([[0.0], self.time[self.time < day], [float(day)]])
        heights = np.concatenate([[1.0], self.surv[self.time < day]])
        areas = np.diff(steps) * heights
        after = np.cumsum(areas[::-1])[::-1][1:]  # from each event time on
        inside = self.time < day
        risk, died = self.at_risk[inside], self.died[inside]
        left = risk > died
        variance = float(np.sum(after[left] ** 2 * died[left] / (risk[left] * (risk[left] - died[left]))))
        return float(areas.sum()), math.sqrt(variance)

    def at(self, day: float) -> Stats:
        """Share free of the event with limits, and restricted mean, at a day."""
        restricted = self.restricted(day)
        if restricted is None:
            return dict.fromkeys(["survival", "survival_low", "survival_high", "rmst", "rmst_se"])
        k = int((self.time <= day).sum()) - 1
        low: float | None
        high: float | None
        share, low, high = 1.0, 1.0, 1.0
        if k >= 0:
            share, (low, high) = float(self.surv[k]), self.limits(k)
        elif day >= self.first and self.intervals == "log-log":
            low = high = None  # as in R: log(-log 1) has no interval between the first record and the first event
        curve: Stats = {"survival": share, "survival_low": low, "survival_high": high}
        return curve | dict(zip(("rmst", "rmst_se"), restricted, strict=True))


def _rmst_difference(one: tuple[float, float] | None, other: tuple[float, float] | None) -> Stats:
    if one is None or other is None:
        return dict.fromkeys(["rmst_difference", "rmst_difference_low", "rmst_difference_high", "rmst_p"])
    difference, se = one[0] - other[0], math.hypot(one[1], other[1])
    if se == 0:  # no event by that day in either arm
        return dict.fromkeys(["rmst_difference", "rmst_difference_low", "rmst_difference_high", "rmst_p"])
    p = float(2 * special.ndtr(-abs(difference / se)))
    low, high = difference - Z * se, difference + Z * se
    return {"rmst_difference": difference, "rmst_difference_low": low, "rmst_difference_high": high, "rmst_p": p}


def strata_of(rows: pd.DataFrame, endpoint: Endpoint, members: pd.DataFrame) -> NDArray[np.int64]:
    """The stratum of every row; a missing factor is a stratum of its own."""
    if not endpoint.strata:
        return np.zeros(len(rows), dtype=np.int64)
    words = members.loc[rows["subject"], list(endpoint.strata)].astype("string").fillna("missing").agg(" | ".join, axis=1)
    return np.asarray(pd.factorize(words)[0], dtype=np.int64)


def log_rank(rows: pd.DataFrame, endpoint: Endpoint, members: pd.DataFrame, comparison: Comparison) -> Stats:
    """The log-rank test within strata; z has the sign of more events than expected under treatment."""
    nothing: Stats = dict.fromkeys(["log_rank_chisq", "log_rank_z", "log_rank_p"])
    treated = (rows["arm"] == comparison.treatment).to_numpy(int)
    time, event, strata = rows["time"].to_numpy(float), rows["event"].to_numpy(int), strata_of(rows, endpoint, members)
    expected, possible = 0.0, False
    for stratum in np.unique(strata):
        t, d, g = time[strata == stratum], event[strata == stratum], treated[strata == stratum]
        for moment in np.unique(t[d == 1]):
            risk = t >= moment
            expected += d[t == moment].sum() * g[risk].mean()
            possible |= 0 < g[risk].mean() < 1
    if not possible:
        return nothing
    if len(np.unique(strata)) > 1:
        chisq, p = survdiff(time, event, treated, strata=strata)
    else:
        chisq, p = survdiff(time, event, treated)
    sign = 1 if event[treated == 1].sum() > expected else -1
    return {"log_rank_chisq": float(chisq), "log_rank_z": sign * math.sqrt(float(chisq)), "log_rank_p": float(p)}


def cox(rows: pd.DataFrame, endpoint: Endpoint, members: pd.DataFrame, comparison: Comparison) -> Stats:
    """The events of a Cox model within strata with covariates; hazard ratio, Wald limits and test where they determine one."""
    names = ("hazard_ratio", "hr_low", "hr_high", "z", "p_value", "ph_p")
    rows = with_covariates(rows, members, endpoint.covariates).dropna(subset=[covariate(c) for c in endpoint.covariates])
    treated = (rows["arm"] == comparison.treatment).to_numpy(float)
    event = rows["event"].to_numpy(int)
    if treated.min(initial=1.0) == treated.max(initial=0.0) or len(rows) == 0:
        return dict.fromkeys((*names, "events"))
    counted: Stats = {"events": int(event.sum())}
    if event[treated == 1].sum() == 0 or event[treated == 0].sum() == 0:
        return counted | dict.fromkeys(names)
    columns = [treated, *_covariate_columns(endpoint, rows)]
    x, time, strata = np.column_stack(columns), rows["time"].to_numpy(float), strata_of(rows, endpoint, members)
    model = PHReg(time, x, event, strata=strata, ties=endpoint.ties)
    beta = _optimum(model, len(columns))
    told = None if beta is None else _told(model, beta, 0)
    if beta is None or told is None:
        return counted | dict.fromkeys(names)
    b, se = told
    values = (math.exp(b), math.exp(b - Z * se), math.exp(b + Z * se), b / se, float(2 * special.ndtr(-abs(b / se))))
    finite = np.abs(beta).max() <= LARGEST_LOG_RATIO  # beside a coefficient that is not, the test is none (cox.zph stops)
    p = proportional(time, x, event, strata, beta, endpoint.ties) if finite else None
    return counted | dict(zip(names, (*values, p), strict=True))


def _covariate_columns(endpoint: Endpoint, rows: pd.DataFrame) -> list[Floats]:
    plain, factors = split_covariates(endpoint, rows, endpoint.covariates)
    columns = [(rows[c] - rows[c].mean()).to_numpy(float) / float(rows[c].std()) for c in plain]
    for factor in factors:
        columns += [(rows[factor] == level).to_numpy(float) for level in sorted(rows[factor].unique())[1:]]
    return columns


def _told(model: PHReg, beta: Floats, k: int) -> tuple[float, float] | None:
    """Coefficient k and its standard error; none where the events do not determine it."""
    variance = float(np.linalg.inv(-np.asarray(model.hessian(beta)))[k, k])
    if abs(beta[k]) > LARGEST_LOG_RATIO or variance > LARGEST_LOG_RATIO**2:
        return None
    return float(beta[k]), math.sqrt(variance)


def interaction_p(
    endpoint: Endpoint, rows: pd.DataFrame, members: pd.DataFrame, treated: Floats, inside: Floats
) -> float | None:
    """Wald p of treatment by part in the Cox model with both and the covariates; columns that others determine are left out."""
    event, time = rows["event"].to_numpy(int), rows["time"].to_numpy(float)
    strata = strata_of(rows, endpoint, members)
    kept: list[Floats] = []
    last = treated * inside
    for column in [treated, *_covariate_columns(endpoint, rows), inside, last]:
        x = np.column_stack([*kept, column])
        information = -np.asarray(PHReg(time, x, event, strata=strata, ties=endpoint.ties).hessian(np.zeros(x.shape[1])))
        scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
        if scale.min() > DETERMINED and np.linalg.matrix_rank(information / np.outer(scale, scale), tol=DETERMINED) == len(
            scale
        ):
            kept.append(column)
    if not kept or kept[-1] is not last:
        return None
    model = PHReg(time, np.column_stack(kept), event, strata=strata, ties=endpoint.ties)
    beta = _optimum(model, len(kept))
    told = None if beta is None else _told(model, beta, len(kept) - 1)
    return None if told is None else float(2 * special.ndtr(-abs(told[0] / told[1])))


def _optimum(model: PHReg, p: int) -> Floats | None:
    """Where the score is zero; none where a coefficient cannot be told from the others.

    A factor level without an event has no finite coefficient: the steps go on until what is left of it has no weight, so that
    the others are those of a fit without its subjects."""
    beta = np.zeros(p)
    for _ in range(200):
        gradient, information = np.asarray(model.score(beta)), -np.asarray(model.hessian(beta))
        scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
        if np.linalg.matrix_rank(information / np.outer(scale, scale), tol=DETERMINED) < p:
            return None
        step = np.linalg.solve(information / np.outer(scale, scale), gradient / scale) / scale
        if np.abs(step).max() < 1e-11 or np.abs(gradient).max() < 1e-11:
            return beta
        beta = beta + step * min(1.0, 2.0 / np.abs(step).max())
    return beta


def proportional(
    time: Floats, x: Floats, event: NDArray[np.int64], strata: NDArray[np.int64], beta: Floats, ties: str
) -> float | None:
    """The p of the score test that the first coefficient does not change with one minus the curve of everybody."""
    moments = np.unique(time[event == 1])
    left = np.array([1 - np.sum((time == t) & (event == 1)) / np.sum(time >= t) for t in moments])
    curve = np.concatenate([[1.0], np.cumprod(left)[:-1]])
    pieces = []
    before = np.concatenate([[moments[0] - 1], moments[:-1]])
    for k, (start, stop) in enumerate(zip((before + moments) / 2, moments, strict=True)):  # a piece begins after the last event
        risk = np.flatnonzero(time >= stop)
        changing = x[risk, 0] * (1 - curve[k])
        own = (time[risk] == stop) & (event[risk] == 1)
        pieces.append(
            np.column_stack([np.full(len(risk), start), np.full(len(risk), stop), own, strata[risk], x[risk], changing])
        )
    split = np.vstack(pieces)
    model = PHReg(split[:, 1], split[:, 4:], split[:, 2], entry=split[:, 0], strata=split[:, 3], ties=ties)
    at = np.append(beta, 0.0)
    score, information = np.asarray(model.score(at)), -np.asarray(model.hessian(at))
    if np.linalg.matrix_rank(information) < len(at):
        return None
    variance = 1 / np.linalg.inv(information)[-1, -1]
    return float(special.chdtrc(1, score[-1] ** 2 / variance))
