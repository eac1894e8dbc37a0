"""Analysis of covariance: ordinary and weighted least squares, contrasts, F tests, robust standard errors.

The model is y = X b + e with independent normal errors of one variance (divided by the row's weight). It answers "how do the
arms' means differ at equal baseline", and is not for repeated measures: fit one visit at a time or use an MMRM. Aliased columns
are handled as R's ``lm`` does: earlier columns win, the coefficient is NaN. LS means are those of ``stats.lsmeans``, type 2 and
3 tests R's ``car::Anova`` with sum-to-zero contrasts (Fox and Weisberg 2019), robust covariances HC0-HC3 MacKinnon and White
(1985, doi 10.1016/0304-4076(85)90158-7) as in R's sandwich.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtrc

from alsbench.stats.contrasts import Contrasts, FTest, t_contrasts
from alsbench.stats.design import Array, Design, Factor, Term, aliased_columns
from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread

Robust = Literal["HC0", "HC1", "HC2", "HC3"]
FTestType = Literal[2, 3]

EXACT_FIT = 1e-13  # residuals below this share of the response are rounding


@dataclass(frozen=True)
class AnovaRow:
    """Test that all coefficients of ``term`` are zero; NaN where the term has no degrees of freedom or the model none left."""

    term: str
    sum_sq: float
    df: int
    f: float
    p: float


@dataclass(frozen=True)
class OLSFit:
    """A least-squares fit. ``coef`` (p,) is NaN and ``cov`` (p, p) NaN in rows and columns that are aliased.

    ``sigma`` is the residual standard deviation, NaN without residual degrees of freedom; ``residuals`` are y minus fitted
    (not weighted); ``log_likelihood`` is the normal one at the maximum-likelihood variance, as R's ``logLik``. An exact fit (a
    constant response, say) has ``sigma`` 0, no t and no p, and its log-likelihood is NaN.
    """

    design: Design
    y: Array
    weights: Array | None
    coef: Array
    cov: Array
    sigma: float
    df_residual: int
    rank: int
    rss: float
    log_likelihood: float
    residuals: Array
    R: Array  # triangular factor of the estimable (weighted) columns, (rank, rank)
    Q: Array  # its orthonormal basis, (n, rank)

    @property
    def n(self) -> int:
        return int(self.y.size)

    @property
    def aliased(self) -> tuple[str, ...]:
        """Names of the coefficients the data do not determine."""
        return tuple(n for n, a in zip(self.design.names, self.design.aliased, strict=True) if a)

    @property
    def leverage(self) -> Array:
        """Diagonal of the hat matrix, (n,)."""
        h: Array = (self.Q**2).sum(axis=1)
        return h

    def contrast(self, L: ArrayLike, *, level: float = 0.95) -> Contrasts:
        """Estimate, SE, t test and interval of each row of ``L`` (k, p) or (p,).

        Raises NotEstimable for a row the data do not determine.
        """
        rows = np.atleast_2d(np.asarray(L, dtype=np.float64))
        if rows.shape[1] != self.coef.size:
            raise StatsError(f"a contrast has {rows.shape[1]} entries, the model {self.coef.size} coefficients")
        for row in rows:
            self.design.check_estimable(row)
        keep = ~self.design.aliased
        half = np.linalg.solve(self.R.T, rows[:, keep].T)
        estimate = rows[:, keep] @ self.coef[keep]
        return self._inference(estimate, self.sigma * np.sqrt((half**2).sum(axis=0)), level)

    def joint_test(self, L: ArrayLike) -> FTest:
        """F test that all rows of ``L`` (m, p) are zero; rows that repeat each other count once. Raises as ``contrast``."""
        rows = np.atleast_2d(np.asarray(L, dtype=np.float64))
        for row in rows:
            self.design.check_estimable(row)
        self.check_inference()
        kept = rows[:, ~self.design.aliased]
        half = np.linalg.solve(self.R.T, kept.T)
        values, vectors = np.linalg.eigh(half.T @ half)
        used = values > 1e-10 * values.max(initial=0.0)
        q = int(used.sum())
        if q == 0:
            return FTest(math.nan, 0, float(self.df_residual), math.nan)
        turned = vectors[:, used].T @ (kept @ self.coef[~self.design.aliased])
        f = float((turned**2 / values[used]).sum()) / q / self.sigma**2
        return FTest(f, q, float(self.df_residual), float(fdtrc(q, self.df_residual, f)))

    def coefficients(self, *, level: float = 0.95) -> Contrasts:
        """The coefficient table; aliased coefficients are rows of NaN."""
        return self._inference(self.coef, np.sqrt(np.diag(self.cov)), level)

    def robust_cov(self, kind: Robust = "HC3") -> Array:
        """Heteroscedasticity-consistent covariance of the coefficients (p, p), NaN where aliased."""
        u = self.residuals if self.weights is None else self.residuals * np.sqrt(self.weights)
        h = self.leverage
        if kind == "HC0":
            scale = np.ones(self.n)
        elif kind == "HC1":
            scale = np.full(self.n, self.n / self.df_residual if self.df_residual else np.nan)
        else:
            scale = 1.0 / (1.0 - h) ** (1 if kind == "HC2" else 2)
        bread = np.linalg.solve(self.R, self.Q.T)
        return _spread((bread * (u**2 * scale)) @ bread.T, self.design.aliased)

    def robust_se(self, kind: Robust = "HC3") -> Array:
        """Square roots of the diagonal of ``robust_cov``, (p,)."""
        se: Array = np.sqrt(np.diag(self.robust_cov(kind)))
        return se

    def _inference(self, estimate: Array, se: Array, level: float) -> Contrasts:
        if not 0.0 < level < 1.0:
            raise StatsError(f"a confidence level lies between 0 and 1, not {level:g}")
        return t_contrasts(estimate, se, np.full(estimate.shape, float(self.df_residual)), level=level)

    def check_inference(self) -> None:
        """Raise StatsError where there is no residual variance: as many coefficients as rows, or an exact fit."""
        if self.df_residual == 0:
            raise StatsError(f"no standard error: {self.n} rows for {self.rank} coefficients leave no degrees of freedom")
        if self.sigma == 0.0:
            raise StatsError("no standard error: the model fits every value exactly")

    @property
    def r_squared(self) -> float:
        """Share of the sum of squares about the mean that the model explains; NaN for a constant response."""
        total = _total_ss(self)
        return 1.0 - self.rss / total if total > 0 else math.nan

    @property
    def adj_r_squared(self) -> float:
        """``r_squared`` adjusted for the number of coefficients."""
        free = self.n - int(() in self.design.terms)
        return 1.0 - (1.0 - self.r_squared) * free / self.df_residual if self.df_residual else math.nan


def fit_ols(y: ArrayLike, design: Design, *, weights: ArrayLike | None = None) -> OLSFit:
    """Least squares of ``y`` (n,) on ``design``; ``weights`` (n,) are positive inverse-variance weights.

    Raises StatsError for missing values, lengths that differ, weights not positive, or no rows.
    """
    response = np.array(y, dtype=np.float64)
    if response.shape != (design.n,):
        raise StatsError(f"the response has {response.size} values, the model matrix {design.n} rows")
    if response.size == 0:
        raise StatsError("no rows to fit")
    if not np.all(np.isfinite(response)):
        raise StatsError("the response has missing or infinite values")
    w = None
    root = np.ones(design.n)
    if weights is not None:
        w = np.array(weights, dtype=np.float64)
        if w.shape != response.shape or not np.all(np.isfinite(w) & (w > 0)):
            raise StatsError("weights must be positive numbers, one per row")
        root = np.sqrt(w)
    with one_blas_thread():
        return _fit(response, design, w, root)


def f_tests(fit: OLSFit, kind: FTestType = 3) -> tuple[AnovaRow, ...]:
    """One F test per term, in model order; type 3 includes the intercept.

    Type 3 tests each term's sum-to-zero coefficients given all others; type 2 compares the models with and without the term
    among those terms that do not contain it. Both use the full model's residual variance. With empty cells type 3 depends on
    the parametrisation, as in R.
    """
    terms = fit.design.terms
    X = _sum_coded(fit.design)
    owner = fit.design.column_terms
    tests = []
    with one_blas_thread():
        for index, term in enumerate(terms):
            if kind == 2 and term == ():
                continue
            inside = [i for i, other in enumerate(terms) if kind == 3 or i == index or not set(term) <= set(other)]
            small = np.isin(owner, [i for i in inside if i != index])
            large = np.isin(owner, inside)
            rss_small, rank_small = _rss(fit, X[:, small])
            rss_large, rank_large = _rss(fit, X[:, large])
            tests.append(_f_test(fit, term, rss_small - rss_large, rank_large - rank_small))
    return tuple(tests)


def _fit(y: Array, design: Design, w: Array | None, root: Array) -> OLSFit:
    X = design.estimable
    Q, R = np.linalg.qr(X * root[:, None])
    beta = np.linalg.solve(R, Q.T @ (y * root))
    # one step of refinement: the residual of a nearly exact fit is what sigma is made of
    beta = beta + np.linalg.solve(R, Q.T @ ((y - X @ beta) * root))
    residuals = y - X @ beta
    if np.linalg.norm(residuals * root) <= EXACT_FIT * np.linalg.norm(y * root):
        residuals = np.zeros(design.n)  # what is left is rounding, and a t made of it would be noise
    rank = X.shape[1]
    df = design.n - rank
    rss = float((residuals * root) @ (residuals * root))
    sigma = math.sqrt(rss / df) if df > 0 else math.nan
    inverse = np.linalg.solve(R, np.eye(rank))
    coef = np.full(design.X.shape[1], np.nan)
    coef[~design.aliased] = beta
    log_w = 0.0 if w is None else float(np.log(w).sum())
    n = design.n
    loglik = 0.5 * (log_w - n * (math.log(2 * math.pi) + 1 - math.log(n) + math.log(rss))) if rss > 0 else math.nan
    cov = _spread(inverse @ inverse.T * sigma**2, design.aliased)
    return OLSFit(design, y, w, coef, cov, sigma, df, rank, rss, loglik, residuals, R, Q)


def _total_ss(fit: OLSFit) -> float:
    w = np.ones(fit.n) if fit.weights is None else fit.weights
    centre = float(w @ fit.y) / float(w.sum()) if () in fit.design.terms else 0.0
    return float(w @ (fit.y - centre) ** 2)


def _spread(small: Array, aliased: NDArray[np.bool_]) -> Array:
    full = np.full((aliased.size, aliased.size), np.nan)
    full[np.ix_(~aliased, ~aliased)] = small
    return full


def _sum_coded(design: Design) -> Array:
    """The model matrix with sum-to-zero contrasts, its columns in the order of ``design.column_terms``."""
    known = {v.name: v for v in design.variables}
    blocks = []
    for term in design.terms:
        block = np.ones((design.n, 1))
        for name in term:
            v = known[name]
            if isinstance(v, Factor):
                last = len(v.levels) - 1
                main = np.vstack([np.eye(last), -np.ones((1, last))])[v.codes]
            else:
                main = v.values[:, None]
            block = (block[:, None, :] * main[:, :, None]).reshape(design.n, -1)
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def _rss(fit: OLSFit, X: Array) -> tuple[float, int]:
    root = np.ones(fit.n) if fit.weights is None else np.sqrt(fit.weights)
    X = X[:, ~aliased_columns(X)]
    Q = np.linalg.qr(X * root[:, None])[0]
    z = fit.y * root
    rest = z - Q @ (Q.T @ z)
    rest -= Q @ (Q.T @ rest)
    return float(rest @ rest), X.shape[1]


def _f_test(fit: OLSFit, term: Term, sum_sq: float, df: int) -> AnovaRow:
    name = ":".join(term) if term else "(Intercept)"
    if df == 0 or fit.df_residual == 0 or not fit.sigma > 0:
        return AnovaRow(name, max(sum_sq, 0.0), df, math.nan, math.nan)
    f = max(sum_sq, 0.0) / df / fit.sigma**2
    return AnovaRow(name, max(sum_sq, 0.0), df, f, float(fdtrc(df, fit.df_residual, f)))
