"""Mixed model for repeated measures: how do the arms' means differ visit by visit, when visits are missing at random?

y_i ~ N(X_i b, Sigma_i(theta)), subjects independent, no random effects: the covariance of a subject's visits is modelled
directly, unstructured unless told otherwise. REML or ML; Satterthwaite or Kenward-Roger degrees of freedom. Not for few
subjects against many visits (an unstructured covariance needs more subjects than visits plus coefficients per visit): a
fit that does not converge moves on to a simpler structure and says so. Mallinckrodt et al. 2008,
doi 10.1177/009286150804200402; the numbers agree with R's mmrm and, for Kenward-Roger, with SAS ``ddfm=kr``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.contrasts import Contrasts, FTest, t_contrasts
from alsbench.stats.covariance import FALLBACK, CovarianceName, Structure, check_size, structure
from alsbench.stats.design import Design
from alsbench.stats.errors import NotConverged, NotEstimable, StatsError
from alsbench.stats.mmrm_inference import DfName, Parameters, Precision, adjustment, joint_rows, single_rows
from alsbench.stats.mmrm_layout import MMRMData, checked_data, codes_of, lay_out
from alsbench.stats.mmrm_likelihood import FitMethod, MMRMLikelihood, Optimum, maximise
from alsbench.stats.mmrm_sums import Sums, build_sums
from alsbench.stats.threads import one_blas_thread

Array = NDArray[np.float64]
FULL: dict[DfName, Parameters] = {"kenward-roger-full": "sas", "kenward-roger-mmrm": "mmrm"}


@dataclass(frozen=True)
class Attempt:
    """One covariance structure tried: whether it converged and, if not, why."""

    covariance: CovarianceName
    converged: bool
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.covariance}: converged" if self.converged else f"{self.covariance}: {self.reason}"


@dataclass(frozen=True)
class MMRMFit:
    """A fitted model over p coefficients and T visits.

    ``beta`` (p,) and ``vcov``, ``vcov_unadjusted`` (p, p) are NaN where ``aliased``; ``vcov`` is adjusted with Kenward-Roger.
    ``sigma`` is (T, T), or (groups, T, T) with a covariance per group, in the order of ``groups``. ``theta`` (k,) are the
    covariance parameters named by ``theta_names`` (variances and covariances for us, else log standard deviations and
    correlations), ``theta_cov`` (k, k) the inverse of their observed information. ``gradient`` is the largest component of the
    gradient at the optimum in units of its parameter's standard error, ``condition`` the condition number of the information
    scaled to unit diagonal, ``iterations`` the optimiser's steps.
    """

    beta: Array
    vcov: Array
    vcov_unadjusted: Array
    aliased: NDArray[np.bool_]
    names: tuple[str, ...]
    theta: Array
    theta_names: tuple[str, ...]
    theta_cov: Array
    sigma: Array
    groups: tuple[str, ...]
    covariance: CovarianceName
    method: FitMethod
    df: DfName
    log_likelihood: float
    n_subjects: int
    n_observations: int
    n_patterns: int
    iterations: int
    gradient: float
    condition: float
    attempts: tuple[Attempt, ...]
    precision: Precision = field(repr=False)
    dependence: Array = field(repr=False)  # aliased columns as combinations of the others, (rank, aliased)

    @property
    def n_theta(self) -> int:
        return int(self.theta.size)

    @property
    def deviance(self) -> float:
        """Minus twice the (restricted) log-likelihood."""
        return -2.0 * self.log_likelihood

    @property
    def aic(self) -> float:
        """Deviance + 2 per covariance parameter, as R's mmrm."""
        return self.deviance + 2.0 * self.n_theta

    @property
    def bic(self) -> float:
        """Deviance + log(subjects) per covariance parameter, as R's mmrm and SAS."""
        return self.deviance + float(np.log(self.n_subjects)) * self.n_theta

    def contrast(self, L: ArrayLike, *, level: float = 0.95) -> Contrasts:
        """Estimate, SE, df, t, p and interval for each row of ``L`` (m, p) or (p,).

        Raises NotEstimable for a row the data do not determine.
        """
        return single_rows(self.precision, self._kept(L), level=level)

    def joint_test(self, L: ArrayLike) -> FTest:
        """F test that all rows of ``L`` (m, p) are zero. Raises NotEstimable as ``contrast`` does."""
        return joint_rows(self.precision, self._kept(L))

    def coefficients(self, *, level: float = 0.95) -> Contrasts:
        """The coefficient table; aliased coefficients are rows of NaN."""
        found = single_rows(self.precision, np.eye(int((~self.aliased).sum())), level=level)
        if not self.aliased.any():
            return found
        filled = {}
        for name in ("estimate", "se", "df"):
            filled[name] = np.full(self.aliased.size, np.nan)
            filled[name][~self.aliased] = getattr(found, name)
        return t_contrasts(filled["estimate"], filled["se"], filled["df"], level=level)

    def _kept(self, L: ArrayLike) -> Array:
        rows = np.atleast_2d(np.asarray(L, dtype=np.float64))
        if rows.shape[1] != self.aliased.size:
            raise StatsError(f"a contrast has {rows.shape[1]} entries, the model {self.aliased.size} coefficients")
        if not self.aliased.any():
            return rows
        kept, rest = rows[:, ~self.aliased], rows[:, self.aliased]
        size = 1.0 + np.abs(rows).max(axis=1)
        gap = np.abs(kept @ self.dependence - rest).max(axis=1)
        if np.any(gap > 1e-7 * size * (1.0 + np.abs(self.dependence).max())):
            names = ", ".join(n for n, a in zip(self.names, self.aliased, strict=True) if a)
            raise NotEstimable(f"not estimable: the combination rests on aliased coefficients ({names})")
        return kept


def fit_mmrm(
    y: ArrayLike,
    X: ArrayLike | Design,
    subject: ArrayLike,
    visit: ArrayLike,
    *,
    n_visits: int,
    covariance: str = "us",
    method: str = "reml",
    df: str = "kenward-roger",
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
    fallback: bool = True,
) -> MMRMFit:
    """Fit ``y`` (n,) on ``X`` (n, p), one row per subject and visit.

    ``subject`` (n,) are labels of any kind; ``visit`` (n,) whole numbers from 0 to ``n_visits`` - 1 in order of time;
    ``df`` "kenward-roger" is the linear form, "-full" the full one in SAS's parameters, "-mmrm" that of R's mmrm (not for us).
    ``weights`` (n,) are positive and divide the variance; ``group`` (n,) gives each of its levels a covariance of its own.
    With ``fallback`` a structure that does not converge is followed by simpler ones, us -> toeph -> ar1h -> csh -> ar1 -> cs,
    all recorded in ``attempts``; without it NotConverged is raised. StatsError for data no such model can be fitted to.
    """
    check_size(covariance, n_visits, 1 if group is None else np.unique(np.asarray(group)).size)
    data = checked_data(y, X, subject, visit, n_visits, weights, group)
    method, df = _options(method, df, covariance)
    chain = _chain(structure(covariance, n_visits), fallback=fallback)
    with one_blas_thread():
        sums = build_sums(data.y, data.kept, lay_out(data.subject, data.visit, n_visits, data.group), data.weights)
        attempts: list[Attempt] = []
        for candidate in chain:
            model = MMRMLikelihood(sums, candidate, method)
            try:
                _check_determined(model)
                optimum = maximise(model)
            except NotConverged as error:
                attempts.append(Attempt(candidate.name, False, str(error) + _scarce(model)))
                continue
            attempts.append(Attempt(candidate.name, True))
            return _fitted(model, optimum, data, df, tuple(attempts))
    raise NotConverged("no covariance structure could be fitted: " + "; ".join(str(a) for a in attempts))


def _options(method: str, df: str, covariance: str) -> tuple[FitMethod, DfName]:
    if method not in get_args(FitMethod):
        raise StatsError(f"unknown method {method!r}; there are reml and ml")
    if df not in get_args(DfName):
        raise StatsError(f"unknown df {df!r}; there are {', '.join(get_args(DfName))}")
    if method == "ml" and df != "satterthwaite":
        raise StatsError("Kenward-Roger needs REML; with ML use Satterthwaite")
    if df == "kenward-roger-mmrm" and covariance == "us":
        raise StatsError("R mmrm's full Kenward-Roger form for us rests on a Cholesky parametrisation and is not offered")
    return method, df  # type: ignore[return-value]


def _chain(first: Structure, *, fallback: bool) -> Sequence[Structure]:
    T = first.n_visits
    if not fallback or T == 1:
        return (first,)
    if first.name in FALLBACK:
        later = FALLBACK[FALLBACK.index(first.name) + 1 :]
    else:
        later = tuple(name for name in FALLBACK if structure(name, T).n_theta < first.n_theta)
    return (first, *(structure(name, T) for name in later))


def _check_determined(model: MMRMLikelihood) -> None:
    """NotConverged where an unstructured covariance has more parameters than the data have rows to spare, or an entry no
    subject says anything about."""
    if not model.structure.linear:
        return
    n_theta, sums = model.structure.n_theta * len(model.sums.groups), model.sums
    if n_theta > sums.n_observations - sums.p:
        raise NotConverged(f"{n_theta} covariance parameters for {sums.n_observations} rows and {sums.p} coefficients")
    for patterns in model.sums.groups:
        together = (patterns.masks * patterns.counts[:, None]).T @ patterns.masks
        a, b = np.nonzero(np.triu(together == 0))
        if a.size and a[0] == b[0]:
            raise NotConverged(f"visit {a[0] + 1} is not observed in one of the covariance groups")
        if a.size:
            raise NotConverged(f"visits {a[0] + 1} and {b[0] + 1} are never observed in the same subject")


def _scarce(model: MMRMLikelihood) -> str:
    """Names the visits whose rows the coefficients fit exactly, if each visit has a variance of its own: the usual reason."""
    if model.structure.n_theta == 1 or not (model.structure.linear or model.structure.n_sd > 1):
        return ""
    sums, T, p = model.sums, model.sums.n_visits, model.sums.p
    gram = sum(g.weigh(g.masks[:, :, None] * np.eye(T)) for g in sums.groups)
    C = sums.C[:, :p].reshape(T, -1, p)
    r = C.shape[1]
    found = []
    for v in range(T):
        block = np.asarray(gram)[v * r : (v + 1) * r, v * r : (v + 1) * r]
        values = np.linalg.eigvalsh(C[v].T @ block @ C[v])
        rank = int((values > 1e-9 * values[-1]).sum())
        if sums.visit_counts[v] <= rank:
            found.append(f"visit {v + 1} has {sums.visit_counts[v]} rows for {rank} coefficients")
    return f" ({'; '.join(found)})" if found else ""


def _fitted(model: MMRMLikelihood, optimum: Optimum, data: MMRMData, df: DfName, attempts: tuple[Attempt, ...]) -> MMRMFit:
    sums = model.sums
    inverse = np.asarray(np.linalg.inv(optimum.information.hessian), dtype=np.float64)
    theta_cov: Array = inverse + inverse.T
    extra = None if df == "satterthwaite" else adjustment(model, optimum, theta_cov, full=FULL.get(df))
    A = sums.scale * (sums.back @ optimum.point.A)
    kept_beta = sums.beta_ols + sums.scale * (sums.back @ optimum.point.b)
    precision = Precision(kept_beta, A, optimum.information.P, theta_cov, extra)
    sigmas: Array = np.stack([model.structure.sigma(part) for part in model.split(optimum.point.theta)]) * sums.scale**2
    theta, stretch = _natural(model, optimum.point.theta)
    return MMRMFit(
        beta=_widen(kept_beta, data.aliased),
        vcov=_widen(precision.adjusted(), data.aliased),
        vcov_unadjusted=_widen(precision.covariance(), data.aliased),
        aliased=data.aliased,
        names=data.names,
        theta=theta,
        theta_names=_theta_names(model, data),
        theta_cov=theta_cov * np.outer(stretch, stretch),
        sigma=sigmas[0] if data.group is None else sigmas,
        groups=() if data.group is None else tuple(str(x) for x in codes_of(data.group)[1]),
        covariance=model.structure.name,
        method=model.method,
        df=df,
        log_likelihood=_log_likelihood(sums, optimum.point.value, model.method),
        n_subjects=sums.n_subjects,
        n_observations=sums.n_observations,
        n_patterns=sums.n_patterns,
        iterations=optimum.iterations,
        gradient=optimum.gradient,
        condition=optimum.condition,
        attempts=attempts,
        precision=precision,
        dependence=_dependence(data),
    )


def _log_likelihood(sums: Sums, value: float, method: FitMethod) -> float:
    """With all constants, in the response's own units and for the model matrix as it was given (R's mmrm, SAS)."""
    df = sums.n_observations - (sums.p if method == "reml" else 0)
    deviance = value + df * (np.log(2.0 * np.pi) + 2.0 * np.log(sums.scale)) - sums.sum_log_weights
    if method == "reml":
        deviance -= 2.0 * sums.log_det_back
    return float(-0.5 * deviance)


def _natural(model: MMRMLikelihood, theta: Array) -> tuple[Array, Array]:
    """theta in the response's units, and the derivative of each parameter with respect to its scaled one."""
    scale = model.sums.scale
    if model.structure.linear:
        return theta * scale**2, np.full(theta.size, scale**2)
    shift = np.zeros(model.structure.n_theta)
    shift[: model.structure.n_sd] = np.log(scale)
    return theta + np.tile(shift, len(model.sums.groups)), np.ones(theta.size)


def _theta_names(model: MMRMLikelihood, data: MMRMData) -> tuple[str, ...]:
    if data.group is None:
        return model.structure.names
    return tuple(f"{g}: {n}" for g in codes_of(data.group)[1] for n in model.structure.names)


def _widen(values: Array, aliased: NDArray[np.bool_]) -> Array:
    """A vector or square matrix over all coefficients, NaN where aliased."""
    if not aliased.any():
        return values
    out: Array = np.full((aliased.size,) * values.ndim, np.nan)
    out[np.ix_(*([np.flatnonzero(~aliased)] * values.ndim))] = values
    return out


def _dependence(data: MMRMData) -> Array:
    if not data.aliased.any():
        return np.zeros((data.aliased.size, 0))
    return np.asarray(np.linalg.lstsq(data.kept, data.X[:, data.aliased], rcond=None)[0], dtype=np.float64)
