"""Reference numbers of max-t for unstructured correlations: how often the largest of m correlated statistics passes a bound.

Plain independent draws, no variance reduction and no lattice, so that nothing is shared with ``alsbench.stats.max_t``. The
matrices are those of ``MATRICES``, by formula; each is drawn for 12 and 24 statistics, normal and t with 20 df, from the same
normals. Printed: the share of draws beyond each bound whose share lies between 0.0005 and 0.2, with its Monte Carlo standard
error: for 10^8 draws 3e-5 at a share of 0.1, 1e-5 at 0.01, 3e-6 at 0.001. ``tests/stats/test_max_t_accuracy.py`` keeps them.

    python benchmarks/draws_max_t.py [--draws 100000000] [--seed 20261130]      (about three minutes on one core)
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.threads import one_blas_thread

Array = NDArray[np.float64]
BOUNDS = np.round(np.arange(1.8, 5.01, 0.2), 1)
DF = 20.0
CHUNK = 100_000


def ar_like(m: int) -> Array:
    """Visits whose correlation falls with time, never quite to 1 between neighbours: 0.96 * 0.93^|i - j|, 1 on the diagonal."""
    lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    return np.where(lag == 0, 1.0, 0.96 * 0.93**lag)


def near_singular(m: int) -> Array:
    """A random line of each subject, measured with hardly an error: rank two but for 0.2 % of the variance."""
    time = np.arange(1, m + 1) / m
    covariance = 1.0 + 0.3 * np.add.outer(time, time) + 4.0 * np.outer(time, time)
    return as_correlation(covariance + 0.002 * np.diag(np.diag(covariance)))


def with_negatives(m: int) -> Array:
    """Three periodic factors, so that about half of the correlations are negative."""
    i = np.arange(m)
    loadings = np.column_stack([np.cos(i), np.sin(2.0 * i), 0.7 * np.cos(3.0 * i + 1.0)])
    return as_correlation(loadings @ loadings.T + 0.4 * np.eye(m))


MATRICES: dict[str, Callable[[int], Array]] = {
    "AR-like": ar_like,
    "near-singular": near_singular,
    "negative entries": with_negatives,
}


def as_correlation(covariance: Array) -> Array:
    """A covariance matrix scaled to ones on its diagonal."""
    sd = np.sqrt(np.diag(covariance))
    scaled: Array = covariance / np.outer(sd, sd)
    np.fill_diagonal(scaled, 1.0)
    return scaled


def counts(m: int, draws: int, seed: int) -> dict[tuple[str, float], NDArray[np.int64]]:
    """How many of the draws pass each of ``BOUNDS``, by matrix and degrees of freedom."""
    rng = np.random.default_rng([seed, m])
    roots = {name: np.linalg.cholesky(matrix(m)) for name, matrix in MATRICES.items()}
    found = {(name, df): np.zeros(BOUNDS.size, dtype=np.int64) for name in MATRICES for df in (math.inf, DF)}
    for start in range(0, draws, CHUNK):
        size = min(CHUNK, draws - start)
        z, radius = rng.standard_normal((m, size)), np.sqrt(rng.chisquare(DF, size) / DF)
        for name, L in roots.items():
            x = L @ z
            largest = np.abs(x, out=x).max(axis=0)
            for df, values in ((math.inf, largest), (DF, largest / radius)):
                # searchsorted gives how many bounds are at or below a value: each of those is passed
                passed = np.bincount(np.searchsorted(BOUNDS, values, side="right"), minlength=BOUNDS.size + 1)
                found[name, df] += passed[::-1].cumsum()[::-1][1:]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=100_000_000)
    parser.add_argument("--seed", type=int, default=20261130)
    asked = parser.parse_args()
    print(f"# {asked.draws} draws, seed {asked.seed}: matrix, m, df, bound, share beyond it, Monte Carlo SE")
    with one_blas_thread():
        for m in (12, 24):
            for (name, df), beyond in counts(m, asked.draws, asked.seed).items():
                for bound, share in zip(BOUNDS, beyond / asked.draws, strict=True):
                    if 0.0005 <= share <= 0.2:
                        error = math.sqrt(share * (1.0 - share) / asked.draws)
                        print(f'("{name}", {m}, {df:g}, {bound:.1f}, {share:.8f}, {error:.1e}),', flush=True)


if __name__ == "__main__":
    main()
