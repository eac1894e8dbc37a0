"""Proportional hazards: Cox regression with Efron or Breslow ties, strata, and the test of proportionality.

Cox (1972, doi 10.1111/j.2517-6161.1972.tb00899.x), ties by Efron (1977, doi 10.1080/01621459.1977.10480613), proportional
hazards by the score test of a time-varying coefficient (Grambsch and Therneau 1994, doi 10.1093/biomet/81.3.515, in the
exact form of cox.zph since survival 3.0). Where the likelihood rises for ever along a coefficient (all events in one arm)
that coefficient is reported as infinite with its reason and has no estimate; likelihood-ratio and score tests still
stand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.design import Design, Term, aliased_columns
from alsbench.stats.errors import NotConverged, StatsError
from alsbench.stats.survival import check_times, kaplan_meier
from alsbench.stats.threads import one_blas_thread
from alsbench.stats.ties import merge_ties

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Ties = Literal["efron", "breslow"]

MAX_STEPS = 200
DECREMENT = 1e-9  # what the log-likelihood could still gain, about, when a fit is declared done or divergent
SILENT = 1e-9  # information per squared SD, in events, below which a column is not determined
FLAT = 1e-5  # information per squared SD below which (a standard error above 300) the maximum lies at infinity
UNDERFLOW = 500.0  # range of the linear predictor beyond which one scale for all risk sets loses digits
LARGEST_LOG_HAZARD = 700.0  # exp() of more overflows a double


@dataclass(frozen=True)
class ChiSquare:
    """A chi-square test: statistic, degrees of freedom, p."""

    chisq: float
    df: int
    p: float


@dataclass(frozen=True)
class HazardRatio:
    """One coefficient as a hazard ratio with Wald interval and p."""

    name: str
    hr: float
    low: float
    high: float
    z: float
    p: float


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model.

    ``names``, ``beta`` (p,) and ``vcov`` (p, p) leave the intercept out; NaN where a coefficient is aliased or infinite
    (``infinite`` (p,)). ``wald`` covers the finite coefficients. ``notes`` are warnings a table must carry.
    """

    names: tuple[str, ...]
    beta: Array
    vcov: Array
    infinite: BoolArray
    aliased: BoolArray
    log_likelihood: float
    log_likelihood_null: float
    likelihood_ratio: ChiSquare
    wald: ChiSquare
    score: ChiSquare
    ties: Ties
    n: int
    events: int
    steps: int
    notes: tuple[str, ...]
    _problem: _Problem
    _terms: tuple[Term, ...]
    _column_terms: IntArray

    @property
    def se(self) -> Array:
        return np.asarray(np.sqrt(np.diag(self.vcov)))

    def hazard_ratio(self, name: str, *, level: float = 0.95) -> HazardRatio:
        """exp(coefficient) with Wald limits. Raises StatsError, saying why, where it is infinite or aliased."""
        from scipy.special import ndtr, ndtri  # waits: scipy

        i = self.names.index(name)
        if self.infinite[i]:
            raise StatsError(f"no finite hazard ratio for {name}: events happen on one side of it only")
        if self.aliased[i]:
            raise StatsError(f"no hazard ratio for {name}: it is determined by other covariates, the strata or the risk sets")
        b, se = float(self.beta[i]), float(self.se[i])
        half = float(ndtri(0.5 + level / 2)) * se
        if abs(b) + half > LARGEST_LOG_HAZARD:
            raise StatsError(f"no usable hazard ratio for {name}: the events do not bound it")
        return HazardRatio(name, math.exp(b), math.exp(b - half), math.exp(b + half), b / se, 2 * float(ndtr(-abs(b / se))))

    def proportional_hazards(self) -> dict[str, ChiSquare]:
        """Score tests that a coefficient does not change with 1 - S(t), by term and as ``GLOBAL``; S is all subjects' curve.

        Raises StatsError where a coefficient is infinite: there is nothing whose constancy could be tested.
        """
        if self.infinite.any():
            raise StatsError("no test of proportional hazards: a hazard ratio is infinite")
        keep = ~self.aliased
        with one_blas_thread():
            U, information = _time_interaction(self._problem, self.beta[keep])
        owner = self._column_terms[keep]
        p = owner.size
        tests = {
            ":".join(self._terms[t]): _score_test(U, information, np.r_[np.arange(p), p + np.flatnonzero(owner == t)], p)
            for t in dict.fromkeys(owner.tolist())
        }
        return tests | {"GLOBAL": _score_test(U, information, np.arange(2 * p), p)}


@dataclass(frozen=True)
class _Stratum:
    """One stratum sorted by time.

    ``X`` (n, p) covariates; per event (d,): the row where its risk set starts, its group of tied deaths, the share of that
    group Efron has already taken out, its row, and its time.
    """

    X: Array
    risk_start: IntArray
    tie: IntArray
    share: Array
    dead: IntArray
    time: Array


@dataclass(frozen=True)
class _Problem:
    strata: tuple[_Stratum, ...]
    sd: Array
    time: Array
    event: BoolArray


def fit_cox(time: Array, event: BoolArray, design: Design, *, strata: IntArray | None = None, ties: Ties = "efron") -> CoxFit:
    """Fit the hazard of times (n,) on the columns of ``design`` but its intercept, each code of ``strata`` its own baseline.

    Raises StatsError where there are no events, or no column varies within strata.
    """
    with one_blas_thread():
        return _fit(time, event, design, np.zeros(time.size, dtype=np.int64) if strata is None else strata, ties)


def _fit(time: Array, event: BoolArray, design: Design, codes: IntArray, ties: Ties) -> CoxFit:
    check_times(time, event)
    time = merge_ties(time)
    if not event.any():
        raise StatsError("no Cox model: there are no events")
    if design.n != time.size:
        raise StatsError("times and design differ in length")
    if ties not in ("efron", "breslow"):
        raise StatsError(f"unknown handling of ties {ties}; there are efron, breslow")
    columns = np.flatnonzero(design.column_terms != design.terms.index(()))
    dummies = (codes[:, None] == np.unique(codes)[None, :]).astype(np.float64)
    aliased = aliased_columns(np.column_stack([dummies, design.X[:, columns]]))[dummies.shape[1] :]
    if aliased.all():
        raise StatsError("no Cox model: no covariate varies within strata")
    problem = _problem(time, event, design.X[:, columns[~aliased]], codes, ties)
    silent = _silent(problem)
    if silent.all():
        raise StatsError("no Cox model: no covariate varies among those at risk when events happen")
    if silent.any():
        aliased[np.flatnonzero(~aliased)[silent]] = True
        problem = _problem(time, event, design.X[:, columns[~aliased]], codes, ties)
    beta, steps, infinite = _maximise(problem)
    null, at = _evaluate(problem, np.zeros(beta.size)), _evaluate(problem, beta)
    names = tuple(design.names[i] for i in columns)
    full_infinite, full_beta = np.zeros(columns.size, dtype=bool), np.full(columns.size, np.nan)
    full_infinite[~aliased] = infinite
    finite = np.flatnonzero(~aliased)[~infinite]
    full_beta[finite] = beta[~infinite]
    vcov = np.full((columns.size, columns.size), np.nan)
    inner = at[2][np.ix_(~infinite, ~infinite)]
    if finite.size:
        vcov[np.ix_(finite, finite)] = np.linalg.inv(inner)
    notes = [
        f"no finite hazard ratio for {names[i]}: events happen on one side of it only" for i in np.flatnonzero(full_infinite)
    ]
    if aliased.any():
        notes.append("aliased coefficients left out: " + ", ".join(names[i] for i in np.flatnonzero(aliased)))
    b = beta[~infinite]
    wald = _chi_square(float(b @ inner @ b), b.size) if b.size else ChiSquare(math.nan, 0, math.nan)
    return CoxFit(
        names=names,
        beta=full_beta,
        vcov=vcov,
        infinite=full_infinite,
        aliased=aliased,
        log_likelihood=at[0],
        log_likelihood_null=null[0],
        likelihood_ratio=_chi_square(2 * (at[0] - null[0]), beta.size),
        wald=wald,
        score=_chi_square(float(null[1] @ np.linalg.solve(null[2], null[1])), beta.size),
        ties=ties,
        n=int(time.size),
        events=int(event.sum()),
        steps=steps,
        notes=tuple(notes),
        _problem=problem,
        _terms=design.terms,
        _column_terms=design.column_terms[columns],
    )


def _problem(time: Array, event: BoolArray, X: Array, codes: IntArray, ties: Ties) -> _Problem:
    centred = X - X.mean(axis=0)
    parts = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        rows = rows[np.argsort(time[rows], kind="stable")]
        t, dead = time[rows], np.flatnonzero(event[rows])
        if dead.size == 0:
            continue
        at, tie, count = np.unique(t[dead], return_inverse=True, return_counts=True)
        place = np.arange(dead.size) - np.r_[0, np.cumsum(count)[:-1]][tie]
        share = place / count[tie] if ties == "efron" else np.zeros(dead.size)
        parts.append(_Stratum(centred[rows], np.searchsorted(t, at)[tie], tie, share, dead, t[dead]))
    sd = X.std(axis=0)
    return _Problem(tuple(parts), np.where(sd > 0, sd, 1.0), time, event)


def _event_moments(s: _Stratum, beta: Array) -> tuple[Array, Array, Array, Array]:
    """Per event: log of the risk sum, mean (d, p) and covariance (d, p, p) of X over its risk set, and eta of the dead."""
    eta = s.X @ beta
    if np.ptp(eta) > UNDERFLOW:
        return _event_moments_one_by_one(s, eta)
    shift = float(eta.max())
    w = np.exp(eta - shift)
    wx = w[:, None] * s.X
    wxx = wx[:, :, None] * s.X[:, None, :]
    sums = []
    for part in (w, wx, wxx):
        at_risk = np.cumsum(part[::-1], axis=0)[::-1][s.risk_start]
        tied = np.zeros((int(s.tie.max()) + 1, *part.shape[1:]))
        np.add.at(tied, s.tie, part[s.dead])
        share = s.share.reshape(-1, *([1] * (part.ndim - 1)))
        sums.append(at_risk - share * tied[s.tie])
    mean = sums[1] / sums[0][:, None]
    spread = sums[2] / sums[0][:, None, None] - mean[:, :, None] * mean[:, None, :]
    return np.log(sums[0]) + shift, mean, spread, eta[s.dead]


def _event_moments_one_by_one(s: _Stratum, eta: Array) -> tuple[Array, Array, Array, Array]:
    """The same with every risk set scaled by its own largest hazard: for coefficients on their way to infinity."""
    n, found = s.X.shape[0], []
    for start, tie, share in zip(s.risk_start, s.tie, s.share, strict=True):
        rows = np.arange(start, n)
        w = np.exp(eta[rows] - eta[rows].max())
        w[s.dead[s.tie == tie] - start] *= 1.0 - share
        total = float(w.sum())
        mean = w @ s.X[rows] / total
        centred = s.X[rows] - mean
        found.append((math.log(total) + float(eta[rows].max()), mean, (w[:, None] * centred).T @ centred / total))
    log_risk, mean, spread = (np.array(part) for part in zip(*found, strict=True))
    return log_risk, mean, spread, eta[s.dead]


def _evaluate(problem: _Problem, beta: Array) -> tuple[float, Array, Array]:
    """Log partial likelihood, score (p,), information (p, p)."""
    p = beta.size
    loglik, score, information = 0.0, np.zeros(p), np.zeros((p, p))
    for s in problem.strata:
        log_risk, mean, spread, eta = _event_moments(s, beta)
        loglik += float((eta - log_risk).sum())
        score += (s.X[s.dead] - mean).sum(axis=0)
        information += spread.sum(axis=0)
    return loglik, score, information


def _maximise(problem: _Problem) -> tuple[Array, int, BoolArray]:
    """(coefficients, Newton steps, which of them are infinite)."""
    beta = np.zeros(problem.sd.size)
    loglik, score, information = _evaluate(problem, beta)
    for step in range(1, MAX_STEPS + 1):
        move = _solve(information, score)
        decrement = float(score @ move)
        if decrement < DECREMENT:
            infinite = _divergent(information, problem.sd)
            return np.where(infinite, beta, beta + move), step, infinite
        # no further than 5 on the log hazard per SD, or a quarter of the way already gone
        reach = max(5.0, 0.25 * float((np.abs(beta) * problem.sd).max()))
        share = min(1.0, reach / float((np.abs(move) * problem.sd).max()))
        while True:
            trial = _evaluate(problem, beta + share * move)
            if trial[0] >= loglik - 1e-12 * abs(loglik):
                break
            share /= 2
            if share < 1e-10:
                raise NotConverged("Cox model: no step increases the likelihood")
        beta = beta + share * move
        loglik, score, information = trial
    raise NotConverged(f"Cox model: no maximum after {MAX_STEPS} steps")


def _silent(problem: _Problem) -> BoolArray:
    """Columns about which the risk sets say nothing that the columns before them do not: pivots of the null information."""
    S = _evaluate(problem, np.zeros(problem.sd.size))[2] / np.outer(problem.sd, problem.sd)
    silent = np.zeros(S.shape[0], dtype=bool)
    for j in range(S.shape[0]):
        pivot = float(S[j, j])
        silent[j] = pivot < SILENT
        if not silent[j]:
            S = S - np.outer(S[:, j], S[j]) / pivot
    return silent


def _solve(information: Array, score: Array) -> Array:
    """Newton step, each coefficient scaled by its own information, which may be nearly nil."""
    size = np.sqrt(np.maximum(np.diag(information), 1e-300))
    scaled = information / np.outer(size, size)
    return np.asarray(np.linalg.lstsq(scaled, score / size, rcond=1e-12)[0] / size)


def _divergent(information: Array, sd: Array) -> BoolArray:
    """Coefficients along which the likelihood has gone flat at its supremum: no information is left in that direction."""
    values, vectors = np.linalg.eigh(information / np.outer(sd, sd))
    flat = vectors[:, values < FLAT]
    return np.asarray((np.abs(flat) > 0.01).any(axis=1))


def _time_interaction(problem: _Problem, beta: Array) -> tuple[Array, Array]:
    """Score (2p,) and information (2p, 2p) of the model with X and X g(t) at (beta, 0), g = 1 - S(t-) centred at the events."""
    curve = kaplan_meier(problem.time, problem.event)
    before = np.r_[1.0, curve.survival[:-1]]
    p = beta.size
    g = [1.0 - before[np.searchsorted(curve.time, s.time)] for s in problem.strata]
    centre = float(np.concatenate(g).mean())
    U, H = np.zeros(2 * p), np.zeros((2 * p, 2 * p))
    for s, gs in zip(problem.strata, g, strict=True):
        _, mean, spread, _ = _event_moments(s, beta)
        residual = s.X[s.dead] - mean
        h = gs - centre
        U[:p] += residual.sum(axis=0)
        U[p:] += h @ residual
        weighted = np.einsum("d,dij->ij", h, spread)
        H[:p, :p] += spread.sum(axis=0)
        H[:p, p:] += weighted
        H[p:, :p] += weighted
        H[p:, p:] += np.einsum("d,dij->ij", h * h, spread)
    return U, H


def _score_test(U: Array, information: Array, rows: IntArray, p: int) -> ChiSquare:
    u = np.where(rows < p, 0.0, U[rows])  # the score of the fitted coefficients is zero at the maximum
    inner = information[np.ix_(rows, rows)]
    scale = np.sqrt(np.maximum(np.diag(inner), 1e-300))
    if np.linalg.cond(inner / np.outer(scale, scale)) > 1e12:
        return ChiSquare(math.nan, rows.size - p, math.nan)
    return _chi_square(float(u @ np.linalg.solve(inner, u)), rows.size - p)


def _chi_square(statistic: float, df: int) -> ChiSquare:
    from scipy.special import chdtrc  # waits: scipy

    return ChiSquare(statistic, df, float(chdtrc(df, max(statistic, 0.0))))
