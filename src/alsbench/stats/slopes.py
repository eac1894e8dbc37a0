"""How fast each arm declines: a linear mixed model with a random intercept and slope per subject.

AVAL ~ time * arm + covariates + (time | subject), fitted by REML or ML; slopes per arm, their differences, and the
slowing of decline in percent with Fieller (1954, doi 10.1111/j.2517-6161.1954.tb00159.x) and delta-method intervals. The
numbers are those of R's lme4 (Bates et al. 2015, doi 10.18637/jss.v067.i01) at its optimum, with lmerTest's Satterthwaite
or pbkrtest's Kenward-Roger inference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from alsbench.stats.contrasts import Contrasts, FTest, t_contrasts
from alsbench.stats.design import Covariate, Design, Factor, Term, Variable, build_design
from alsbench.stats.errors import NotEstimable, StatsError
from alsbench.stats.slope_likelihood import (
    KenwardRoger,
    Satterthwaite,
    f_p_value,
    kenward_roger,
    kenward_roger_df,
    maximise,
    reduce,
    satterthwaite,
    satterthwaite_df,
    satterthwaite_f,
)
from alsbench.stats.threads import one_blas_thread

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
DfMethod = Literal["kenward-roger", "satterthwaite"]
FiellerShape = Literal["interval", "two rays", "unbounded"]

TIME, ARM = "TIME", "ARM"


@dataclass(frozen=True)
class SlopeFit:
    """A fitted random slopes model.

    ``beta`` (p,) and ``vcov`` (p, p) follow ``design.names``, NaN where a column is aliased. ``G`` (2, 2) is the covariance of
    intercept and slope in the units of ``time`` as given. ``gradient`` (largest component) and ``condition`` of the information
    are those of the optimiser's scaled parameters. ``notes`` are warnings a table must carry.
    """

    design: Design
    time_name: str
    beta: Array
    vcov: Array
    G: Array
    residual_variance: float
    log_likelihood: float
    reml: bool
    n_observations: int
    n_subjects: int
    steps: int
    gradient: float
    condition: float
    singular: bool
    notes: tuple[str, ...]
    _to_scaled: Array  # rows of contrasts over the estimable columns -> rows over the scaled coefficients
    _beta_scaled: Array
    _satterthwaite: Satterthwaite
    _kenward_roger: KenwardRoger

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return math.sqrt(self.residual_variance)

    @property
    def n_parameters(self) -> int:
        return int((~self.design.aliased).sum()) + 4

    @property
    def aic(self) -> float:
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def bic(self) -> float:
        """With the number of observations, as lme4."""
        return -2 * self.log_likelihood + math.log(self.n_observations) * self.n_parameters

    @property
    def vcov_adjusted(self) -> Array:
        """Kenward-Roger covariance of ``beta`` (p, p), NaN where aliased; for REML fits."""
        return _fill(self.design, self._to_scaled @ self._kr().adjusted @ self._to_scaled.T)

    def contrast(self, L: Array, *, df: DfMethod = "kenward-roger", level: float = 0.95) -> Contrasts:
        """Inference for the rows of ``L`` (k, p) or a single row (p,). Raises NotEstimable."""
        rows = self._rows(L)
        estimate = rows @ self._beta_scaled
        if df == "satterthwaite":
            Phi, nu = self._satterthwaite.Phi, satterthwaite_df(self._satterthwaite, rows)
        else:
            kr = self._kr()
            Phi, nu = kr.adjusted, np.array([kenward_roger_df(kr, row[None, :])[0] for row in rows])
        variance = np.einsum("ki,ij,kj->k", rows, Phi, rows)
        if np.any(variance < 0):
            raise StatsError("the Kenward-Roger adjustment leaves a negative variance: use Satterthwaite")
        return t_contrasts(estimate, np.sqrt(variance), nu, level=level)

    def f_test(self, L: Array, *, df: DfMethod = "kenward-roger") -> FTest:
        """H0: L b = 0 for the rows of ``L`` (q, p); dependent rows are reduced to a basis."""
        rows = _basis(self._rows(L))
        estimate = rows @ self._beta_scaled
        q = rows.shape[0]
        if df == "satterthwaite":
            f, nu = satterthwaite_f(self._satterthwaite, rows, estimate)
        else:
            kr = self._kr()
            nu, scale = kenward_roger_df(kr, rows)
            f = scale / q * float(estimate @ np.linalg.solve(rows @ kr.adjusted @ rows.T, estimate))
        return FTest(f, q, nu, f_p_value(f, q, nu))

    def type3(self, term: Term, *, df: DfMethod = "kenward-roger") -> FTest:
        """Type 3 test of a term (SAS's hypothesis: other factors at equal weights, covariates at zero)."""
        return self.f_test(_type3_rows(self.design, term), df=df)

    def _kr(self) -> KenwardRoger:
        if not self.reml:
            raise StatsError("Kenward-Roger inference needs a REML fit; use Satterthwaite with ML")
        return self._kenward_roger

    def _rows(self, L: Array) -> Array:
        rows = np.atleast_2d(np.asarray(L, dtype=np.float64))
        for row in rows:
            self.design.check_estimable(row)
        return np.asarray(rows[:, ~self.design.aliased] @ self._to_scaled)


@dataclass(frozen=True)
class Slowing:
    """Percent slowing 100 (1 - slope of treatment / slope of reference), positive = slower decline.

    The Fieller set is an interval only where the reference slope is clearly not zero. Where it is ``two rays`` the set is
    everything outside (fieller_low, fieller_high); where it is ``unbounded`` the limits are NaN. The delta interval is
    symmetric.
    """

    percent: float
    se: float
    df: float
    fieller_low: float
    fieller_high: float
    fieller_shape: FiellerShape
    delta_low: float
    delta_high: float


def fit_slopes(
    y: Array, design: Design, subject: IntArray, time: Array, *, reml: bool = True, time_name: str = TIME
) -> SlopeFit:
    """Fit y (n,) on ``design`` with a random intercept and slope over ``time`` (n,) for each code in ``subject`` (n,).

    Raises StatsError where the model is not determined (one distinct time, more coefficients than records, a perfect fit) and
    NotConverged where the likelihood has no identified maximum.
    """
    X = design.estimable
    n, p = X.shape
    _check(y, subject, time, n, p)
    centre, unit = float(time.mean()), float(time.std())
    scale = float(np.std(y)) or 1.0
    with one_blas_thread():
        basis, triangle = np.linalg.qr(X)
        data = reduce(y / scale, basis, subject, (time - centre) / unit)
        best = maximise(data, reml=reml)
        to_scaled = np.linalg.solve(triangle, np.eye(p)) * scale
        at = best.at
        A = np.array([[1.0, -centre / unit], [0.0, 1.0 / unit]])
        loglik = at.loglik - n * math.log(scale)
        if reml:
            loglik += p * math.log(scale) - float(np.log(np.abs(np.diag(triangle))).sum())
        beta = np.full(design.X.shape[1], np.nan)
        beta[~design.aliased] = to_scaled @ at.beta
        notes = []
        if best.singular:
            notes.append("singular fit: a variance is zero or intercept and slope are perfectly correlated")
        if design.aliased.any():
            names = ", ".join(name for name, out in zip(design.names, design.aliased, strict=True) if out)
            notes.append(f"aliased coefficients left out: {names}")
        return SlopeFit(
            design=design,
            time_name=time_name,
            beta=beta,
            vcov=_fill(design, to_scaled @ at.Phi @ to_scaled.T),
            G=scale**2 * A @ best.random_effects @ A.T,
            residual_variance=scale**2 * float(at.theta[3]),
            log_likelihood=loglik,
            reml=reml,
            n_observations=n,
            n_subjects=int(data.R.shape[0]),
            steps=best.steps,
            gradient=best.gradient,
            condition=best.condition,
            singular=best.singular,
            notes=tuple(notes),
            _to_scaled=to_scaled,
            _beta_scaled=at.beta,
            _satterthwaite=satterthwaite(best),
            _kenward_roger=kenward_roger(best),
        )


def random_slopes(
    y: Array,
    time: Array,
    arm: Factor,
    subject: IntArray,
    *,
    covariates: Sequence[Variable] = (),
    shared_baseline: bool = False,
    reml: bool = True,
) -> SlopeFit:
    """AVAL ~ TIME * ARM + covariates + (TIME | subject); all arrays (n,), one row per record, baseline included.

    ``shared_baseline`` leaves out the arm's main effect: randomised arms start from one mean at time 0 (constrained
    longitudinal analysis, Liang and Zeger 2000). The first level of ``arm`` is the reference. ``time`` is in the unit
    slopes are wanted in.
    """
    main = [(TIME,)] if shared_baseline else [(TIME,), (ARM,)]
    variables = [Covariate(TIME, np.asarray(time, dtype=np.float64)), Factor(ARM, arm.codes, arm.levels), *covariates]
    design = build_design(variables, [*main, *((v.name,) for v in covariates), (TIME, ARM)])
    return fit_slopes(y, design, subject, time, reml=reml)


def slope_rows(fit: SlopeFit, factor: str = ARM) -> Array:
    """Rows (levels, p) whose products with beta are the slopes per level, other factors averaged with equal weights.

    A slope may be estimable where the means it leads from and to are not: covariates that do not cross time fall out of it.
    """
    at = [fit.design.ls_mean_row({factor: a}, at={fit.time_name: 1.0}) for a in fit.design.factor(factor).levels]
    zero = [fit.design.ls_mean_row({factor: a}, at={fit.time_name: 0.0}) for a in fit.design.factor(factor).levels]
    return np.array(at) - np.array(zero)


def arm_slopes(fit: SlopeFit, *, factor: str = ARM, df: DfMethod = "kenward-roger", level: float = 0.95) -> Contrasts:
    """Slope per level of ``factor``, in its order."""
    return fit.contrast(slope_rows(fit, factor), df=df, level=level)


def slope_differences(
    fit: SlopeFit, *, factor: str = ARM, reference: str | None = None, df: DfMethod = "kenward-roger", level: float = 0.95
) -> Contrasts:
    """Slope minus the slope of ``reference`` (default: the first level) for every other level, in order."""
    levels = fit.design.factor(factor).levels
    base = levels.index(reference) if reference is not None else 0
    rows = slope_rows(fit, factor)
    return fit.contrast(np.delete(rows, base, axis=0) - rows[base], df=df, level=level)


def percent_slowing(
    fit: SlopeFit,
    treatment: str,
    reference: str,
    *,
    factor: str = ARM,
    df: DfMethod = "kenward-roger",
    level: float = 0.95,
) -> Slowing:
    """Slowing of decline under ``treatment`` against ``reference``, on the degrees of freedom of treatment - ratio x reference.

    Raises StatsError where the reference slope is exactly zero.
    """
    levels = fit.design.factor(factor).levels
    rows = slope_rows(fit, factor)
    one, zero = rows[levels.index(treatment)], rows[levels.index(reference)]
    pair = fit.contrast(np.array([one, zero]), df=df)
    b1, b0 = (float(b) for b in pair.estimate)
    if b0 == 0.0:
        raise StatsError(f"no percent slowing: the slope of {reference} is zero")
    ratio = b1 / b0
    off = fit.contrast(one - ratio * zero, df=df)
    nu, se = float(off.df[0]), float(off.se[0]) / abs(b0)
    t = float(stdtrit(nu, 0.5 + level / 2))
    v11, v00 = (float(s) ** 2 for s in pair.se)
    both = float(fit.contrast(one + zero, df=df).se[0]) ** 2
    low, high, shape = _fieller(b1, b0, v11, v00, (both - v11 - v00) / 2, t)
    percent = 100 * (1 - ratio)
    return Slowing(
        percent, 100 * se, nu, 100 * (1 - high), 100 * (1 - low), shape, percent - 100 * t * se, percent + 100 * t * se
    )


def _type3_rows(design: Design, term: Term) -> Array:
    """Rows (k, p) over the columns of ``design``: differences from the first level, other factors averaged with equal weights.

    The span is SAS's type 3; the basis is lmerTest's, on which its Satterthwaite degrees of freedom of several rows depend.
    """
    if term not in design.terms:
        raise StatsError(f"the model has no term {':'.join(term)}")
    if design.aliased.any():
        raise NotEstimable("type 3 tests need a model without aliased coefficients")
    with one_blas_thread():
        to_centred = np.linalg.lstsq(_centred(design), design.X, rcond=None)[0]
    to_centred[np.abs(to_centred) < 1e-10] = 0.0
    return np.asarray(to_centred[design.column_terms == design.terms.index(term)])


def _centred(design: Design) -> Array:
    """The model matrix with centred treatment coding: differences from the first level, averaged over the rest."""
    blocks: dict[str, Array] = {}
    for v in design.variables:
        if isinstance(v, Factor):
            k = len(v.levels)
            blocks[v.name] = (np.eye(k)[:, 1:] - 1.0 / k)[v.codes]
        else:
            blocks[v.name] = v.values[:, None]
    columns: list[Array] = []
    for term in design.terms:
        block = np.ones((design.n, 1))
        for name in term:
            more = blocks[name]
            block = (block[:, None, :] * more[:, :, None]).reshape(design.n, -1)
        columns.append(block)
    return np.concatenate(columns, axis=1)


def _fieller(b1: float, b0: float, v11: float, v00: float, v10: float, t: float) -> tuple[float, float, FiellerShape]:
    """Limits of b1 / b0: the roots of (b1 - r b0)^2 = t^2 (v11 - 2 r v10 + r^2 v00)."""
    a, b, c = b0 * b0 - t * t * v00, b1 * b0 - t * t * v10, b1 * b1 - t * t * v11
    discriminant = b * b - a * c
    if discriminant < 0 or a == 0.0:
        return math.nan, math.nan, "unbounded"
    root = math.sqrt(discriminant)
    low, high = sorted(((b - root) / a, (b + root) / a))
    return low, high, "interval" if a > 0 else "two rays"


def _check(y: Array, subject: IntArray, time: Array, n: int, p: int) -> None:
    if not (y.shape == subject.shape == time.shape == (n,)):
        raise StatsError("response, subject, time and design differ in length")
    if not (np.all(np.isfinite(y)) and np.all(np.isfinite(time))):
        raise StatsError("response or time has missing or infinite values")
    if n == 0 or np.ptp(time) == 0:
        raise StatsError("no slope: time does not vary")
    if n <= p:
        raise StatsError(f"no slope: {n} records for {p} coefficients")
    if np.ptp(y) == 0:
        raise StatsError("no slope: the response is constant")
    if np.unique(subject).size < 3:
        raise StatsError("no random slopes: fewer than three subjects")


def _basis(rows: Array) -> Array:
    _, s, Vt = np.linalg.svd(rows, full_matrices=False)
    rank = int((s > 1e-9 * s[0]).sum()) if s.size and s[0] > 0 else 0
    if rank == 0:
        raise StatsError("a hypothesis of zero rows cannot be tested")
    return rows if rank == rows.shape[0] else np.asarray(Vt[:rank])


def _fill(design: Design, inner: Array) -> Array:
    keep = ~design.aliased
    full = np.full((keep.size, keep.size), np.nan)
    full[np.ix_(keep, keep)] = (inner + inner.T) / 2
    return full
