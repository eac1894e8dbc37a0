"""The likelihood of a Gaussian model of independent subjects, as dense matrices, maximised directly by SciPy.

y_i ~ N(X_i b, V_i), V_i being the rows and columns, at the visits of a subject, of one covariance matrix over visits. The
restricted likelihood is Harville's (1977, doi 10.1080/01621459.1977.10480998). Its gradient is its derivative by V times that
of V by the parameters, the latter by complex steps; the observed information is the numerical derivative of the gradient.
Subjects with the same visits share V and its inverse, nothing else.

Inference: Satterthwaite's degrees of freedom (Fai and Cornelius 1996 for several contrasts) and those of Kenward and Roger
(1997, doi 10.2307/2533558) in their linear form. Directions are taken in which the information is the identity, so that a sum
over pairs of parameters weighted by their covariance is a sum over directions. At the optimum the gradient is zero, and
nothing of this depends on how the covariance is parametrised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import numdiff

from alsbench.second.numbers import NotCovered

Array = NDArray[np.float64]
Sigma = Callable[[Array], Array]  # (..., parameters) -> covariance matrices over visits (..., groups, visits, visits)
STATIONARY = 1e-6  # of the gradient, before a difference counts
REACHED = 1e-9
SINGULAR = 1e-7  # of the smallest eigenvalue of a correlation matrix
VANISHING = 1e-4  # of the smallest standard deviation of a visit against the largest: the residuals of a visit are all zero
NOT_IN_ROW_SPACE = 1e-7
TINY = 1e-30  # a complex step: nothing is subtracted, so that it may be as small as one likes
FEW = 2.0 + 1e-9  # degrees of freedom at which a mean of F no longer exists


class Singular(Exception):
    """The likelihood has no maximum among positive definite covariance matrices."""


@dataclass(frozen=True)
class Block:
    """Subjects (their codes) of one group with the same visits: ``x`` (subjects, visits, coefficients), ``y`` (subjects,
    visits)."""

    visits: NDArray[np.int64]
    group: int
    x: Array
    y: Array
    subjects: NDArray[np.int64]


def blocks_of(
    subjects: NDArray[np.int64], visits: NDArray[np.int64], groups: NDArray[np.int64], x: Array, y: Array
) -> tuple[Block, ...]:
    """Rows in any order, one a subject and visit, as blocks. ``subjects`` are their codes, ``visits`` places from 0."""
    order = np.lexsort((visits, subjects))
    starts = np.flatnonzero(np.diff(subjects[order], prepend=-1))
    members: dict[tuple[int, tuple[int, ...]], list[NDArray[np.int64]]] = {}
    for rows in np.split(order, starts[1:]):
        members.setdefault((int(groups[rows[0]]), tuple(visits[rows])), []).append(rows)
    return tuple(
        Block(np.array(pattern), group, x[np.array(found)], y[np.array(found)], subjects[np.array(found)[:, 0]])
        for (group, pattern), found in sorted(members.items(), key=lambda item: item[0])
    )


@dataclass(frozen=True)
class Evaluated:
    """The log-likelihood at one point, its derivative by V (groups, visits, visits), coefficients, and X' V^-1 X."""

    log_likelihood: float
    by_v: Array
    beta: Array
    information: Array


@dataclass(frozen=True)
class Likelihood:
    """What is maximised: the blocks, how parameters make a covariance matrix, restricted or not."""

    blocks: tuple[Block, ...]
    sigma: Sigma
    restricted: bool = True

    @property
    def n(self) -> int:
        """Observations."""
        return sum(b.y.size for b in self.blocks)

    @property
    def p(self) -> int:
        """Coefficients."""
        return int(self.blocks[0].x.shape[2])

    def of_block(self, block: Block, sigma: Array) -> Array:
        """V of a block's subjects."""
        return np.asarray(sigma[block.group][np.ix_(block.visits, block.visits)])

    def evaluate(self, theta: Array) -> Evaluated:
        """Raises LinAlgError where a covariance matrix is not positive definite."""
        sigma = self.sigma(theta)
        inverses, log_det = [], 0.0
        information, along = np.zeros((self.p, self.p)), np.zeros(self.p)
        for b in self.blocks:
            root = np.linalg.cholesky(self.of_block(b, sigma))
            inverse = np.linalg.inv(root)
            inverses.append(inverse.T @ inverse)
            log_det += 2 * len(b.y) * float(np.log(np.diagonal(root)).sum())
            white = (inverse @ b.x).reshape(-1, self.p)
            information += white.T @ white
            along += white.T @ (b.y @ inverse.T).ravel()
        root = np.linalg.cholesky(information)
        beta = np.linalg.solve(information, along)
        spread = np.linalg.inv(root).T  # its square is the inverse of the information
        by_v, squares = np.zeros_like(sigma), 0.0
        for b, inverse in zip(self.blocks, inverses, strict=True):
            residual = b.y - b.x @ beta
            scaled = residual @ inverse
            squares += float((residual * scaled).sum())
            part = len(b.y) * inverse - scaled.T @ scaled
            if self.restricted:
                fitted = (inverse @ b.x @ spread).transpose(1, 0, 2).reshape(len(inverse), -1)
                part = part - fitted @ fitted.T
            by_v[b.group][np.ix_(b.visits, b.visits)] -= part / 2
        total = log_det + squares + (self.n - self.p if self.restricted else self.n) * math.log(2 * math.pi)
        if self.restricted:
            total += 2 * float(np.log(np.diagonal(root)).sum())
        return Evaluated(-total / 2, by_v, np.asarray(beta, dtype=np.float64), information)

    def directions(self, theta: Array) -> Array:
        """dSigma/dtheta (parameters, groups, visits, visits), by complex steps."""
        return np.asarray(self.sigma(theta + 1j * TINY * np.eye(len(theta))).imag / TINY)

    def gradient(self, theta: Array) -> Array:
        """Of the log-likelihood."""
        return np.asarray(np.einsum("gab,kgab->k", self.evaluate(theta).by_v, self.directions(theta)))

    def hessian(self, theta: Array, *, centred: bool = True) -> Array:
        """Of the log-likelihood: the numerical derivative of its gradient, made symmetric. Not ``centred`` it takes half the
        time, and is good enough to step by."""
        made = np.asarray(numdiff.approx_fprime(theta, self.gradient, centered=centred)).reshape(len(theta), len(theta))
        return np.asarray((made + made.T) / 2)

    def _negative(self, theta: Array) -> tuple[float, Array]:
        try:
            at = self.evaluate(theta)
        except (np.linalg.LinAlgError, FloatingPointError):
            return math.inf, np.zeros_like(theta)
        return -at.log_likelihood, -np.einsum("gab,kgab->k", at.by_v, self.directions(theta))

    def maximise(self, start: Array) -> tuple[Array, Array]:
        """The optimum and the Hessian there: BFGS, then Newton steps until the gradient is nil.

        Raises Singular where the covariance matrix goes singular, NotCovered where the optimum is not reached."""
        with np.errstate(over="ignore", invalid="ignore"):
            theta = np.asarray(
                optimize.minimize(self._negative, start, jac=True, method="BFGS", options={"maxiter": 1000, "gtol": 1e-3}).x
            )
        for turn in range(8):
            self._is_regular(theta)
            hessian = self.hessian(theta, centred=turn > 2)
            if np.linalg.eigvalsh(hessian).max() >= 0:
                theta = self._uphill(theta, hessian)
                continue
            theta, size = self._chord(theta, hessian)
            if size < REACHED:
                break
        size = float(np.linalg.norm(self.gradient(theta)))
        self._is_regular(theta)
        if not size < STATIONARY:
            raise NotCovered(f"the second program does not reach the optimum (gradient {size:.0e})")
        return theta, self.hessian(theta)

    def refined(self, theta: Array, hessian: Array) -> Array:
        """The optimum from one close by, with the Hessian there."""
        near, size = self._chord(theta, hessian)
        return near if size < REACHED else self.maximise(near)[0]

    def _chord(self, theta: Array, hessian: Array) -> tuple[Array, float]:
        """Newton steps with one Hessian while they make the gradient smaller."""
        slope = self.gradient(theta)
        for _ in range(20):
            step = np.linalg.solve(hessian, slope)
            there = theta - step * min(1.0, 1.0 / float(np.abs(step).max()))
            try:
                next_slope = self.gradient(there)
            except np.linalg.LinAlgError:
                break
            if np.linalg.norm(next_slope) >= 0.7 * np.linalg.norm(slope):
                break
            theta, slope = there, next_slope
            if np.linalg.norm(slope) < REACHED:
                break
        return theta, float(np.linalg.norm(slope))

    def _uphill(self, theta: Array, hessian: Array) -> Array:
        """A step along the gradient, longer where the likelihood is flat, from where it is no hill."""
        values, vectors = np.linalg.eigh(hessian)
        slope = vectors.T @ self.gradient(theta)
        step = vectors @ (slope / np.maximum(np.abs(values), 1e-3))
        here, length = self._negative(theta)[0], min(1.0, 1.0 / float(np.abs(step).max()))
        while length > 1e-6 and not self._negative(theta + length * step)[0] < here:
            length /= 2
        return np.asarray(theta + length * step)

    def _is_regular(self, theta: Array) -> None:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for matrix in self.sigma(theta):
                sd = np.sqrt(np.diagonal(matrix))
                correlation = matrix / np.outer(sd, sd)
                if not np.isfinite(correlation).all() or np.linalg.eigvalsh(correlation)[0] < SINGULAR:
                    raise Singular
                if sd.min() < VANISHING * sd.max():
                    raise Singular


DfMethod = Literal["kenward-roger", "satterthwaite"]


@dataclass(frozen=True)
class Tested:
    """A Wald test of one or several contrasts: F, its degrees of freedom and p."""

    f: float
    num_df: int
    den_df: float
    p: float


@dataclass(frozen=True)
class MixedFit:
    """A likelihood at its optimum. ``information`` is that of the covariance parameters whose inverse is their variance."""

    likelihood: Likelihood
    theta: Array
    information: Array
    df_method: DfMethod

    @cached_property
    def at(self) -> Evaluated:
        """The optimum."""
        return self.likelihood.evaluate(self.theta)

    @cached_property
    def sigma(self) -> Array:
        """Covariance over visits (groups, visits, visits)."""
        return self.likelihood.sigma(self.theta)

    @cached_property
    def beta(self) -> Array:
        """Generalised least squares by statsmodels: least squares of rows that V has been taken out of."""
        x, y = [], []
        for b in self.likelihood.blocks:
            inverse = np.linalg.inv(np.linalg.cholesky(self.likelihood.of_block(b, self.sigma)))
            x.append((inverse @ b.x).reshape(-1, self.likelihood.p))
            y.append((b.y @ inverse.T).ravel())
        return np.asarray(OLS(np.concatenate(y), np.vstack(x)).fit().params)

    @cached_property
    def phi(self) -> Array:
        """(X' V^-1 X)^-1."""
        return np.asarray(np.linalg.inv(self.at.information), dtype=np.float64)

    @cached_property
    def _sensitive(self) -> tuple[Array, Array]:
        """X' V^-1 D V^-1 X for every direction D in which the information is one, and the sum of X' V^-1 D V^-1 D V^-1 X."""
        values, vectors = np.linalg.eigh(self.information)
        if values[0] <= 0:
            raise NotCovered("the information of the covariance parameters is not positive definite")
        along = np.einsum("jk,jgab->kgab", vectors / np.sqrt(values), self.likelihood.directions(self.theta))
        p = self.likelihood.p
        once, twice = np.zeros((len(along), p, p)), np.zeros((p, p))
        for b in self.likelihood.blocks:
            inverse = np.linalg.inv(self.likelihood.of_block(b, self.sigma))
            scaled = inverse @ b.x
            flat = scaled.reshape(-1, p)
            moved = along[:, b.group][:, b.visits][:, :, b.visits]
            for k, each in enumerate(moved):
                once[k] += flat.T @ (each @ scaled).reshape(-1, p)
            twice += flat.T @ ((moved @ inverse @ moved).sum(axis=0) @ scaled).reshape(-1, p)
        return once, twice

    @cached_property
    def covariance(self) -> Array:
        """Of the coefficients: Kenward and Roger's adjusted one, or as it is."""
        if self.df_method == "satterthwaite":
            return self.phi
        once, twice = self._sensitive
        squares = np.einsum("kab,bc,kcd->ad", once, self.phi, once, optimize=True)
        return np.asarray(self.phi + 2 * self.phi @ (twice - squares) @ self.phi)

    def df(self, combination: Array) -> float:
        """Of one contrast. Both methods: 2 (c' Phi c)^2 over the variance of c' Phi c."""
        along = self.phi @ combination
        moved = np.einsum("a,kab,b->k", along, self._sensitive[0], along)
        spread = float(moved @ moved)
        return 2 * float(combination @ along) ** 2 / spread if spread else math.inf

    def says(self, combination: Array) -> tuple[float, float, float]:
        """Estimate, standard error and degrees of freedom."""
        return (
            float(combination @ self.beta),
            math.sqrt(float(combination @ self.covariance @ combination)),
            self.df(combination),
        )

    def influence(self, combination: Array) -> Array:
        """By code what each subject adds to the error of a combination: c' Phi X_i' V_i^-1 (y_i - X_i b)."""
        along = self.phi @ combination
        made = np.zeros(1 + max(int(b.subjects.max()) for b in self.likelihood.blocks))
        for b in self.likelihood.blocks:
            weighted = np.linalg.solve(self.likelihood.of_block(b, self.sigma), (b.y - b.x @ self.beta).T)
            made[b.subjects] = ((b.x @ along) * weighted.T).sum(axis=1)
        return made

    def test(self, contrasts: Array) -> Tested:
        """That all of ``contrasts`` (contrasts, coefficients), which are linearly independent, are zero."""
        q = len(contrasts)
        values = contrasts @ self.beta
        f = float(values @ np.linalg.solve(contrasts @ self.covariance @ contrasts.T, values)) / q
        scale, den_df = (1.0, self._fai_cornelius(contrasts)) if self.df_method == "satterthwaite" else self._scale(contrasts)
        f *= scale
        return Tested(f, q, den_df, float(special.fdtrc(q, den_df, f)))

    def _fai_cornelius(self, contrasts: Array) -> float:
        _, vectors = np.linalg.eigh(contrasts @ self.phi @ contrasts.T)
        each = np.array([self.df(row) for row in vectors.T @ contrasts])
        q = len(each)
        if q == 1 or np.ptp(each) < 1e-8 * each.mean():
            return float(each.mean())
        if each.min() <= FEW:
            return 2.0
        expected = float((each / (each - 2)).sum())
        return 2 * expected / (expected - q)

    def _scale(self, contrasts: Array) -> tuple[float, float]:
        """The factor of F and its denominator degrees of freedom: Kenward and Roger (1997), section 4; NaN where no F has the
        moments of the statistic."""
        q = len(contrasts)
        theta = contrasts.T @ np.linalg.solve(contrasts @ self.phi @ contrasts.T, contrasts)
        a1 = a2 = 0.0
        for each in self._sensitive[0]:
            turned = theta @ self.phi @ each @ self.phi
            a1 += float(np.trace(turned)) ** 2
            a2 += float((turned * turned.T).sum())
        if q == 1:  # whatever the moments: F is the square of t, and its degrees of freedom are those of t
            return 1.0, 2 / a2
        b = (a1 + 6 * a2) / (2 * q)
        g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
        c1, c2, c3 = (v / (3 * q + 2 * (1 - g)) for v in (g, q - g, q + 2 - g))
        if a2 >= q or c3 * b >= 1:
            return math.nan, math.nan  # the statistic has no mean or no variance to be matched
        mean = 1 / (1 - a2 / q)
        variance = (2 / q) * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
        rho = variance / (2 * mean**2)
        den_df = 4 + (q + 2) / (q * rho - 1)
        return (den_df / (mean * (den_df - 2)), den_df) if den_df > 2 else (math.nan, math.nan)


def independent_columns(x: Array) -> tuple[NDArray[np.int64], Array]:
    """Columns that span those of ``x``, the first ones preferred, and ``x``'s columns as combinations of them."""
    scale = np.sqrt((x * x).sum(axis=0))
    kept: list[int] = []
    basis = np.zeros((len(x), 0))
    for k in np.flatnonzero(scale > 0):
        left = x[:, k] / scale[k]
        for _ in range(2):  # twice is enough (Parlett 1998, section 6.9)
            left = left - basis @ (basis.T @ left)
        size = float(np.linalg.norm(left))
        if size > 1e-8:
            kept.append(int(k))
            basis = np.column_stack([basis, left / size])
    chosen = np.array(kept, dtype=np.int64)
    return chosen, np.asarray(np.linalg.lstsq(x[:, chosen], x, rcond=None)[0], dtype=np.float64)


def reduced(combination: Array, kept: NDArray[np.int64], made_of: Array) -> Array | None:
    """A combination of all columns in terms of those that :func:`independent_columns` keeps; None where it is not in the row
    space: the data do not determine it."""
    left = np.abs(combination[kept] @ made_of - combination).max()
    return combination[kept] if left <= NOT_IN_ROW_SPACE * max(1.0, np.abs(combination).max()) else None


def stationary_information(hessian: Array) -> Array:
    """The observed information of a Hessian. Raises NotCovered where the optimum is none."""
    if np.linalg.eigvalsh(hessian).max() >= 0:
        raise NotCovered("the second program's optimum is no maximum")
    return -hessian


def places_of(labels: Sequence[object], order: Sequence[object]) -> NDArray[np.int64]:
    """The place of each label in ``order``."""
    place = {label: k for k, label in enumerate(order)}
    return np.array([place[label] for label in labels], dtype=np.int64)
