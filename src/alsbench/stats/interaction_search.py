"""Does a part of a trial gain more than the rest, to somebody who looks at many parts, endpoints and comparisons?

The null model of an endpoint holds arms, covariates and the main effect of every definition of a part; its residuals are
permuted within arm, the same permutation of the subjects for all endpoints, and each definition's full model is fitted again
(Freedman and Lane 1983, doi 10.1080/07350015.1983.10509354). The statistic is the size of the t of treatment by part with
heteroscedasticity-consistent errors (HC2: MacKinnon and White 1985, doi 10.1016/0304-4076(85)90158-7), since parts differ in
spread; its maximum over what was looked at pays for looking (Westfall and Young 1993, ISBN 978-0471557616).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.design import aliased_columns
from alsbench.stats.permutation_search import TILE
from alsbench.stats.threads import one_blas_thread

Floats = NDArray[np.float64]

FULL = 1e-9  # a subject whose leverage is within this of 1 is fitted exactly: its residual tells nothing


@dataclass(frozen=True)
class InteractionOutcome:
    """A response (n,) of the subjects ``subject`` (n,; positions in the permutations) with their ``arm`` codes (n,).

    ``covariates`` (n, q) without intercept; ``parts`` (definitions, n): 1 in the part, 0 in the rest, NaN undecided.
    """

    subject: NDArray[np.int64]
    arm: NDArray[np.int8]
    response: Floats
    covariates: Floats
    parts: Floats


@dataclass(frozen=True)
class _Contrast:
    """Of one definition: weights ``c`` (n,) of the estimate, the base ``Q`` (n, k) of the full model, ``1 / (1 - leverage)``
    (n,)."""

    definition: int
    weights: Floats
    Q: Floats
    inflation: Floats


class InteractionSearch:
    """The interactions of one outcome and comparison with every definition, ready for permutations."""

    def __init__(self, outcome: InteractionOutcome, treated: int, reference: int, everybody: NDArray[np.int8]) -> None:
        """``everybody`` (subjects of the trial,) codes of their arms. Definitions whose interaction is not estimable are
        left out: their statistics are NaN."""
        self.subject = outcome.subject
        self.definitions = outcome.parts.shape[0]
        self.residual = np.zeros(outcome.subject.size)
        codes = np.unique(outcome.arm)
        self.lines = [(np.flatnonzero(everybody == c), np.flatnonzero(outcome.arm == c)) for c in codes]
        self.contrasts: list[_Contrast] = []
        arms = [c for c in np.unique(outcome.arm) if c != reference]
        if treated not in arms or reference not in outcome.arm:
            return
        dummies = [(outcome.arm == c).astype(np.float64) for c in arms]
        mains = [column for part in outcome.parts for column in _main(part)]
        null = _independent(np.column_stack([np.ones(outcome.subject.size), *dummies, outcome.covariates, *mains]))
        self.residual = _outside(np.linalg.qr(null)[0], outcome.response)
        if float(self.residual @ self.residual) <= 1e-20 * float(outcome.response @ outcome.response):
            self.residual = np.zeros(outcome.subject.size)
            return
        own = arms.index(treated)
        for d, part in enumerate(outcome.parts):
            crossed = [dummy * column for dummy in dummies for column in _main(part)]
            first = own * len(_main(part))
            others = _independent(np.column_stack([null, *(c for i, c in enumerate(crossed) if i != first)]))
            Q = np.linalg.qr(others)[0]
            w = _outside(Q, crossed[first])
            size = float(w @ w)
            if size <= 1e-9 * float(crossed[first] @ crossed[first]) or outcome.subject.size - others.shape[1] - 1 < 1:
                continue
            base = np.column_stack([Q, w / np.sqrt(size)])
            left = 1.0 - (base * base).sum(axis=1)
            inflation = np.where(left > FULL, 1.0 / np.where(left > FULL, left, 1.0), 0.0)
            self.contrasts.append(_Contrast(d, w / size, base, inflation))

    def observed(self) -> Floats:
        """The size of t (definitions,) of the trial as it was, NaN where not estimable."""
        sizes: Floats = self._sizes(self.residual[None, :])[0]
        return sizes

    def permuted(self, lines: NDArray[np.int64]) -> Floats:
        """The size of t (copies, definitions) with each subject's residual exchanged for another's of its arm.

        ``lines`` (copies, all subjects) of :func:`permuted_lines`; among the subjects of the outcome a line closes up.
        """
        sizes = np.full((lines.shape[0], self.definitions), np.nan)
        if self.contrasts:
            for start in range(0, lines.shape[0], TILE):
                rows = slice(start, min(start + TILE, lines.shape[0]))
                sizes[rows] = self._sizes(self.residual[self._closed_up(lines[rows])])
        return sizes

    def _closed_up(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """(copies, n): the position within the outcome of the subject that stands where each subject of the outcome stood."""
        position = np.full(lines.shape[1], -1, dtype=np.int64)
        position[self.subject] = np.arange(self.subject.size)
        exchanged = np.empty((lines.shape[0], self.subject.size), dtype=np.int64)
        for members, mine in self.lines:
            line = position[lines[:, members]]
            exchanged[:, mine] = line[line >= 0].reshape(lines.shape[0], mine.size)
        return exchanged

    def _sizes(self, residuals: Floats) -> Floats:
        """The size of t (copies, definitions) of the contrasts in fits of null-model residuals (copies, n)."""
        sizes = np.full((residuals.shape[0], self.definitions), np.nan)
        for contrast in self.contrasts:
            estimate = residuals @ contrast.weights
            left = residuals - (residuals @ contrast.Q) @ contrast.Q.T
            variance = (left * left) @ (contrast.weights**2 * contrast.inflation)
            with np.errstate(divide="ignore", invalid="ignore"):
                sizes[:, contrast.definition] = np.where(variance > 0, np.abs(estimate) / np.sqrt(variance), np.nan)
        return sizes


@dataclass(frozen=True)
class PermutedInteractions:
    """Several interactions of one trial in the same permutations: ``arm`` (n,) codes, tile k from (``seed``, 1, k). It is what
    travels to whoever computes tiles: arrays, no identifiers."""

    searches: tuple[InteractionSearch, ...]
    arm: NDArray[np.int8]
    seed: int


def largest_sizes(permuted: PermutedInteractions, tiles: Sequence[int]) -> Floats:
    """The largest size of t over the definitions (256 copies a tile, searches), NaN where nothing is estimable."""
    lines = permuted_lines(permuted.arm, tiles, seed=permuted.seed)
    with one_blas_thread():
        found = [np.fmax.reduce(one.permuted(lines), axis=1) for one in permuted.searches]
    return np.array(found, dtype=np.float64).reshape(-1, lines.shape[0]).T


def permuted_lines(arm: NDArray[np.int8], tiles: Sequence[int], *, seed: int) -> NDArray[np.int64]:
    """(256 len(tiles), n): the subjects of each arm in a random line, at the places of the arm's members; tile k from the
    seed (seed, 1, k).

    ``arm`` (n,) codes; who is in none (-1) keeps the own place.
    """
    lines = np.tile(np.arange(arm.size, dtype=np.int64), (len(tiles) * TILE, 1))
    for position, tile in enumerate(tiles):
        rng = np.random.default_rng([seed, 1, tile])
        rows = slice(position * TILE, (position + 1) * TILE)
        for code in np.unique(arm[arm >= 0]):
            members = np.flatnonzero(arm == code)
            lines[rows, members] = rng.permuted(np.tile(members, (TILE, 1)), axis=1)
    return lines


def _main(part: Floats) -> list[Floats]:
    """The columns of a part: who is in it and, where somebody is undecided, who that is."""
    undecided = np.isnan(part)
    inside = np.where(undecided, 0.0, part)
    return [inside, undecided.astype(np.float64)] if undecided.any() else [inside]


def _independent(columns: Floats) -> Floats:
    """Without the columns that earlier ones determine."""
    return columns[:, ~aliased_columns(columns)]


def _outside(Q: Floats, v: Floats) -> Floats:
    rest: Floats = v - Q @ (Q.T @ v)
    return rest - Q @ (Q.T @ rest)
