"""Covariance of one subject's visits: nine structures, each a map from parameters theta to Sigma with its derivatives.

Unstructured (us) takes the variances and covariances themselves as parameters, so Sigma is linear in theta. Every other
structure is Sigma = D R D: standard deviations (one per visit for the heterogeneous forms toeph, ar1h, csh, adh, one in all
for toep, ar1, cs, ad) on the log scale, and correlations as they are: compound symmetric, first-order autoregressive,
Toeplitz, or ante-dependent (Gabriel 1962, doi 10.1214/aoms/1177704724). A theta is valid where Sigma is
positive definite; the optimiser stays there by halving its steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]
CovarianceName = Literal["us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "ad", "adh"]
COVARIANCES: tuple[CovarianceName, ...] = get_args(CovarianceName)
MAX_LOG_SD = 30.0
MOST_PARAMETERS = 2000  # an unstructured covariance of 62 visits: beyond that a fit takes hours
MOST_VISITS = 100  # the information is summed over pairs of pairs of visits, 8 T^4 bytes: 0.8 gigabytes
FALLBACK: tuple[CovarianceName, ...] = ("us", "toeph", "ar1h", "csh", "ar1", "cs")


def check_size(name: str, n_visits: int, n_groups: int = 1) -> None:
    """StatsError for a covariance of more parameters or visits than can be fitted; asked before anything is computed."""
    n_theta = structure(name, n_visits).n_theta * n_groups
    if n_theta > MOST_PARAMETERS or n_visits > MOST_VISITS:
        arms = f", one for each of {n_groups} arms," if n_groups > 1 else ""
        raise StatsError(
            f"a covariance {name} over {n_visits} visits{arms} has {n_theta:,} parameters: at most {MOST_PARAMETERS:,} of them "
            f"and {MOST_VISITS} visits are fitted; list fewer visits, or choose another covariance such as ar1h"
        )


@dataclass(frozen=True)
class Structure:
    """A covariance structure over ``n_visits`` visits."""

    name: CovarianceName
    n_visits: int

    @property
    def linear(self) -> bool:
        """True where Sigma is linear in theta, so that its second derivatives vanish."""
        return self.name == "us"

    @property
    def n_theta(self) -> int:
        T = self.n_visits
        return T * (T + 1) // 2 if self.linear else self.n_sd + self.n_rho

    @property
    def n_sd(self) -> int:
        return self.n_visits if self.name.endswith("h") else 1

    @property
    def n_rho(self) -> int:
        if self.n_visits == 1:
            return 0
        return 1 if self.name in ("cs", "csh", "ar1", "ar1h") else self.n_visits - 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name per parameter, visits counted from 1."""
        T = self.n_visits
        if self.linear:
            return tuple(f"sigma[{a + 1},{b + 1}]" for a, b in zip(*_pairs(T), strict=True))
        sds = [f"log_sd[{j + 1}]" for j in range(T)] if self.n_sd > 1 else ["log_sd"]
        rhos = [f"rho[{j + 1}]" for j in range(self.n_rho)] if self.n_rho > 1 else ["rho"] * self.n_rho
        return (*sds, *rhos)

    def inside(self, theta: Array) -> bool:
        """False where ``theta`` is certainly invalid: a correlation of 1 or more, or a standard deviation out of all reason
        (for responses scaled to unit variance). Sigma may still not be positive definite."""
        if self.linear:
            return bool(np.all(np.isfinite(theta)) and np.abs(theta).max() < 1e30)
        return bool(np.abs(theta[: self.n_sd]).max() < MAX_LOG_SD and np.all(np.abs(theta[self.n_sd :]) < 1.0))

    def sigma(self, theta: Array) -> Array:
        """Sigma (T, T) at ``theta`` (k,)."""
        if self.linear:
            S = np.empty((self.n_visits, self.n_visits))
            a, b = _pairs(self.n_visits)
            S[a, b] = theta
            S[b, a] = theta
            return S
        return _scale(self, theta) * _correlation(self, theta[self.n_sd :])

    def jacobian(self, theta: Array) -> Array:
        """First derivatives of Sigma, (k, T, T)."""
        if self.linear:
            return _unit_pairs(self.n_visits)
        rho = theta[self.n_sd :]
        S = self.sigma(theta)
        by_sd = _exponents(self.n_visits, self.n_sd) * S
        by_rho = _scale(self, theta) * _correlation_first(self, rho)
        return np.concatenate([by_sd, by_rho])

    def second(self, theta: Array) -> Array:
        """Second derivatives of Sigma, (k, k, T, T)."""
        k, T, m = self.n_theta, self.n_visits, self.n_sd
        out = np.zeros((k, k, T, T))
        if self.linear:
            return out
        rho = theta[m:]
        U = _exponents(T, m)
        scale = _scale(self, theta)
        out[:m, :m] = U[:, None] * U[None, :] * self.sigma(theta)
        cross = U[:, None] * (scale * _correlation_first(self, rho))[None, :]
        out[:m, m:] = cross
        out[m:, :m] = cross.transpose(1, 0, 2, 3)
        out[m:, m:] = scale * _correlation_second(self, rho)
        return out

    def start(self, S: Array) -> Array:
        """A valid theta near the covariance matrix ``S`` (T, T): variances as they stand, correlations averaged and shrunk."""
        if self.linear:
            return np.array(S[_pairs(self.n_visits)])
        variances = np.diag(S)
        sds = np.log(variances) / 2 if self.n_sd > 1 else np.array([np.log(variances.mean()) / 2])
        R = S / np.sqrt(np.outer(variances, variances))
        rho = self._start_rho(R)
        theta = np.concatenate([sds, rho])
        for _ in range(60):
            if np.linalg.eigvalsh(_correlation(self, theta[self.n_sd :])).min() > 0.01:
                break
            theta[self.n_sd :] *= 0.9
        return theta

    def _start_rho(self, R: Array) -> Array:
        T = self.n_visits
        if T == 1:
            return np.zeros(0)
        if self.name in ("cs", "csh"):
            return np.array([R[np.triu_indices(T, 1)].mean()])
        if self.name in ("toep", "toeph"):
            return np.array([np.diag(R, lag).mean() for lag in range(1, T)])
        neighbours = np.diag(R, 1)
        return np.array([neighbours.mean()]) if self.n_rho == 1 else neighbours.copy()


def structure(name: str, n_visits: int) -> Structure:
    """The structure of that name; StatsError for an unknown one."""
    if name not in COVARIANCES:
        raise StatsError(f"unknown covariance structure {name!r}; there are {', '.join(COVARIANCES)}")
    return Structure(name, n_visits)


@lru_cache(maxsize=32)
def _pairs(T: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each unique entry: (1,1), (1,2), ..., (T,T)."""
    a, b = np.triu_indices(T)
    return a, b


@lru_cache(maxsize=8)
def _unit_pairs(T: int) -> Array:
    a, b = _pairs(T)
    out = np.zeros((a.size, T, T))
    out[np.arange(a.size), a, b] = 1.0
    out[np.arange(a.size), b, a] = 1.0
    out.flags.writeable = False
    return out


@lru_cache(maxsize=32)
def _exponents(T: int, n_sd: int) -> Array:
    """How often the standard deviation j enters entry (a, b): (n_sd, T, T)."""
    U = np.eye(T) if n_sd > 1 else np.ones((1, T))
    return U[:, :, None] + U[:, None, :]


def _scale(s: Structure, theta: Array) -> Array:
    sd: Array = np.exp(np.broadcast_to(theta[: s.n_sd], (s.n_visits,)))
    return np.outer(sd, sd)


@lru_cache(maxsize=32)
def _lags(T: int) -> NDArray[np.int64]:
    index = np.arange(T)
    lags: NDArray[np.int64] = np.abs(index[:, None] - index[None, :])
    return lags


def _correlation(s: Structure, rho: Array) -> Array:
    T, lag = s.n_visits, _lags(s.n_visits)
    match s.name:
        case "cs" | "csh":
            return np.where(lag == 0, 1.0, rho[0] if T > 1 else 1.0)
        case "ar1" | "ar1h":
            return np.asarray((rho[0] if T > 1 else 1.0) ** lag, dtype=np.float64)
        case "toep" | "toeph":
            return np.concatenate([[1.0], rho])[lag]
        case _:
            return _chain(rho, T)


def _correlation_first(s: Structure, rho: Array) -> Array:
    """d R / d rho, (n_rho, T, T)."""
    T, lag = s.n_visits, _lags(s.n_visits)
    if T == 1:
        return np.zeros((0, 1, 1))
    first: Array
    match s.name:
        case "cs" | "csh":
            return np.where(lag == 0, 0.0, 1.0)[None]
        case "ar1" | "ar1h":
            first = (lag * rho[0] ** np.maximum(lag - 1, 0))[None]
            return first
        case "toep" | "toeph":
            first = (lag[None] == np.arange(1, T)[:, None, None]).astype(np.float64)
            return first
        case _:
            return _chain_first(_chain(rho, T))


def _correlation_second(s: Structure, rho: Array) -> Array:
    """d2 R / d rho d rho, (n_rho, n_rho, T, T)."""
    T, m, lag = s.n_visits, s.n_rho, _lags(s.n_visits)
    out = np.zeros((m, m, T, T))
    if s.name in ("ar1", "ar1h") and T > 1:
        out[0, 0] = lag * (lag - 1) * rho[0] ** np.maximum(lag - 2, 0)
    elif s.name in ("ad", "adh"):
        _chain_second(_chain(rho, T), out)
    return out


def _chain(rho: Array, T: int) -> Array:
    """Ante-dependence: the correlation of two visits is the product of the neighbouring correlations between them."""
    R = np.eye(T)
    for a in range(T - 1):
        R[a, a + 1 :] = R[a + 1 :, a] = np.cumprod(rho[a:])
    return R


def _chain_first(R: Array) -> Array:
    """d R / d rho[j]: the product without its factor j is that up to visit j times that from visit j + 1 on."""
    T = R.shape[0]
    out = np.zeros((T - 1, T, T))
    for j in range(T - 1):
        block = np.outer(R[: j + 1, j], R[j + 1, j + 1 :])
        out[j, : j + 1, j + 1 :] = block
        out[j, j + 1 :, : j + 1] = block.T
    return out


def _chain_second(R: Array, out: Array) -> None:
    """Fills ``out`` (T-1, T-1, T, T) with d2 R / d rho[i] d rho[j]; a factor enters once, so the diagonal stays zero."""
    for j in range(R.shape[0] - 1):
        for i in range(j):
            block = np.outer(R[: i + 1, i], R[j + 1, j + 1 :]) * R[i + 1, j]
            for first, second in ((i, j), (j, i)):
                out[first, second, : i + 1, j + 1 :] = block
                out[first, second, j + 1 :, : i + 1] = block.T
