"""Random draws that stay the same from machine to machine: everything is made of uniform doubles of PCG64.

Each topic has its own stream, so that changing one (the treatment effect, say) leaves the draws of the others as they were:
trials that differ only in their effects hold the same people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]


class Stream:
    """A stream of draws for one ``topic`` of the trial with ``seed``."""

    def __init__(self, seed: int, topic: int) -> None:
        self._random = np.random.Generator(np.random.PCG64([seed, topic]))

    def uniform(self, *shape: int) -> Array:
        """In [0, 1)."""
        return self._random.random(shape)

    def normal(self, *shape: int) -> Array:
        """Standard normal, by inversion."""
        drawn: Array = ndtri((np.floor(self._random.random(shape) * 2.0**40) + 0.5) / 2.0**40)
        return drawn

    def normal_within(self, mean: float, sd: float, low: float, high: float, n: int) -> Array:
        """Normal truncated to [low, high], by inversion."""
        a, b = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
        drawn: Array = np.clip(mean + sd * ndtri(a + (b - a) * self.uniform(n)), low, high)
        return drawn

    def order(self, n: int) -> NDArray[np.int64]:
        """A random permutation of 0..n-1."""
        return np.argsort(self.uniform(n), kind="stable")

    def count(self, mean: float) -> int:
        """Poisson, by counting exponential waiting times."""
        total, n = 0.0, -1
        while total < mean:
            total -= float(np.log1p(-self._random.random()))
            n += 1
        return max(n, 0)

    def choice(self, weights: Array) -> int:
        """An index drawn with ``weights``."""
        edges = np.cumsum(weights)
        return int(np.searchsorted(edges, self._random.random() * edges[-1], side="right"))


def correlated(z: Array, fresh: Array, correlation: float) -> Array:
    """Standard normals with the given correlation with ``z``."""
    drawn: Array = correlation * z + np.sqrt(1.0 - correlation**2) * fresh
    return drawn
