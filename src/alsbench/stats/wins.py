"""Win statistics of two arms: win probability, win odds, win ratio and net benefit, with standard errors and components.

Every treated subject is compared with every reference subject (within stratum, if the scoring had strata). Standard errors are
those of a two-sample U-statistic from its projections, sums of squares divided by n1 and n0 rather than n - 1 as in R's WINS
and BuyseTest, carried to the log scale by the delta method: win ratio, Pocock et al. (2012, doi 10.1093/eurheartj/ehr352) and
Bebu and Lachin (2016, doi 10.1093/biostatistics/kxv032); win odds, Dong et al. (2020, doi 10.1080/19466315.2019.1575279);
net benefit, Buyse (2010, doi 10.1002/sim.3923). The win ratio ignores ties: where they are many, read the win odds.

Intervals never leave what the statistic can be. Ratios have theirs on the log scale. Net benefit and win probability have Wald
intervals cut off at the ends of their range (as R's survfit does with its plain one), or, ``transformed``, those of
atanh(net benefit) carried back by tanh, the default of R's BuyseTest (``confint``: atanh for the net benefit,
atanh(2(P - 1/2)) for the probability). As log win odds = 2 atanh(net benefit), they are the win odds' on another scale.

The generalised Gehan-Wilcoxon test of the same scores: W is the sum over the treated of U, each subject's wins minus losses.
Under re-randomisation it has mean 0 and variance n1 n0 / (n (n - 1)) sum U^2; with strata only pairs within a stratum are
scored, and W and its variance are summed over strata. Finkelstein and Schoenfeld (1999,
doi 10.1002/(SICI)1097-0258(19990615)18:11<1341). The p-value is two-sided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from alsbench.stats.errors import StatsError
from alsbench.stats.joint_rank import OUTCOMES, JointRank

Array = NDArray[np.float64]
Intervals = Literal["untransformed", "transformed"]


@dataclass(frozen=True)
class WinEstimate:
    """An estimate with limits. ``se`` and ``z`` are on the scale of the test: the log for ratios, but ``se`` of a net benefit
    or probability is always its own. NaN where undefined."""

    estimate: float
    se: float
    low: float
    high: float
    z: float
    p: float


@dataclass(frozen=True)
class Components:
    """Pairs of the two arms by what decided them, from the treated side."""

    wins_by_event: int
    losses_by_event: int
    wins_by_function: int
    losses_by_function: int
    tied_events: int
    tied_function: int
    no_common_visit: int

    @property
    def pairs(self) -> int:
        return sum(vars(self).values())

    @property
    def by_event(self) -> int:
        """Pairs one side won by an event."""
        return self.wins_by_event + self.losses_by_event

    @property
    def by_function(self) -> int:
        """Pairs one side won by the change in function."""
        return self.wins_by_function + self.losses_by_function

    @property
    def tied(self) -> int:
        """Pairs neither side won: equal events, equal changes, or nothing to compare."""
        return self.tied_events + self.tied_function + self.no_common_visit


@dataclass(frozen=True)
class WinStatistics:
    """``win_probability`` is P(treated better) + half of ties; the others are functions of the same pairs."""

    pairs: int
    wins: int
    losses: int
    ties: int
    win_probability: WinEstimate
    win_odds: WinEstimate
    win_ratio: WinEstimate
    net_benefit: WinEstimate
    components: Components
    level: float


def win_statistics(
    rank: JointRank, treated: int, reference: int, *, level: float = 0.95, intervals: Intervals = "untransformed"
) -> WinStatistics:
    """Win statistics of group ``treated`` against group ``reference`` from scored pairs.

    ``intervals`` are those of net benefit and win probability; a transformed one of a net benefit of 1 or -1 is NaN.
    Ratios without a loss (win ratio) or decided wholly one way (win odds) are NaN. Raises StatsError without a single pair.
    """
    arm1, arm0 = (rank.included & (rank.groups == g) for g in (treated, reference))
    counts = rank.tally[arm1, reference, :].sum(axis=0)
    parts = dict(zip(OUTCOMES, (int(c) for c in counts), strict=True))
    components = Components(
        wins_by_event=parts["event win"],
        losses_by_event=parts["event loss"],
        wins_by_function=parts["function win"],
        losses_by_function=parts["function loss"],
        tied_events=parts["event tie"],
        tied_function=parts["function tie"],
        no_common_visit=parts["no common visit"],
    )
    pairs = components.pairs
    if pairs == 0:
        raise StatsError("no pairs to compare: an arm is empty")
    wins = components.wins_by_event + components.wins_by_function
    losses = components.losses_by_event + components.losses_by_function
    cov = _count_covariance(rank, arm1, reference) + _count_covariance(rank, arm0, treated)[::-1, ::-1]
    quantile = float(ndtri(0.5 + level / 2))
    benefit = (wins - losses) / pairs
    benefit_se = math.sqrt(max(float(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]), 0.0)) / pairs
    nb = _benefit_interval(benefit, benefit_se, quantile, intervals)
    return WinStatistics(
        pairs=pairs,
        wins=wins,
        losses=losses,
        ties=components.tied,
        win_probability=WinEstimate((1 + benefit) / 2, benefit_se / 2, (1 + nb.low) / 2, (1 + nb.high) / 2, nb.z, nb.p),
        win_odds=_log_interval(*_odds(benefit, benefit_se), quantile),
        win_ratio=_log_interval(*_ratio(wins, losses, cov), quantile),
        net_benefit=nb,
        components=components,
        level=level,
    )


def _count_covariance(rank: JointRank, members: NDArray[np.bool_], opponents: int) -> Array:
    """Covariance (2, 2) that ``members`` contribute to the numbers of wins and losses: squares about their stratum's mean."""
    tally = rank.tally[members, opponents, :]
    won = tally[:, OUTCOMES.index("event win")] + tally[:, OUTCOMES.index("function win")]
    lost = tally[:, OUTCOMES.index("event loss")] + tally[:, OUTCOMES.index("function loss")]
    strata = rank.strata[members]
    total = np.zeros((2, 2))
    for s in np.unique(strata):
        own = np.column_stack([won[strata == s], lost[strata == s]]).astype(np.float64)
        own -= own.mean(axis=0)
        total += own.T @ own
    return total


def _odds(benefit: float, se: float) -> tuple[float, float]:
    """Win odds and the standard error of their logarithm."""
    if abs(benefit) == 1:
        return math.nan, math.nan
    return (1 + benefit) / (1 - benefit), 2 * se / (1 - benefit**2)


def _ratio(wins: int, losses: int, cov: Array) -> tuple[float, float]:
    """Win ratio and the standard error of its logarithm."""
    if wins == 0 or losses == 0:
        return (0.0 if losses else math.nan), math.nan
    variance = cov[0, 0] / wins**2 + cov[1, 1] / losses**2 - 2 * cov[0, 1] / (wins * losses)
    return wins / losses, math.sqrt(max(float(variance), 0.0))


def _benefit_interval(benefit: float, se: float, quantile: float, intervals: Intervals) -> WinEstimate:
    """The net benefit, its limits within -1 and 1."""
    if intervals == "untransformed":
        z = benefit / se if se > 0 else math.nan
        low, high = max(benefit - quantile * se, -1.0), min(benefit + quantile * se, 1.0)
        return WinEstimate(benefit, se, low, high, z, _two_sided(z))
    if abs(benefit) == 1:
        return WinEstimate(benefit, se, math.nan, math.nan, math.nan, math.nan)
    middle, spread = math.atanh(benefit), se / (1 - benefit**2)
    z = middle / spread if spread > 0 else math.nan
    low, high = math.tanh(middle - quantile * spread), math.tanh(middle + quantile * spread)
    return WinEstimate(benefit, se, low, high, z, _two_sided(z))


def _log_interval(estimate: float, se: float, quantile: float) -> WinEstimate:
    if not (estimate > 0 and se > 0):
        return WinEstimate(estimate, math.nan, math.nan, math.nan, math.nan, math.nan)
    log = math.log(estimate)
    return WinEstimate(
        estimate, se, math.exp(log - quantile * se), math.exp(log + quantile * se), log / se, _two_sided(log / se)
    )


def _two_sided(z: float) -> float:
    return 2.0 * float(ndtr(-abs(z)))


@dataclass(frozen=True)
class FinkelsteinSchoenfeld:
    """``W``, its permutation variance, z and two-sided p (NaN where no pair was decided)."""

    W: float
    variance: float
    z: float
    p: float
    n_treated: int
    n_reference: int


def finkelstein_schoenfeld(scores: ArrayLike, treated: ArrayLike, *, strata: ArrayLike | None = None) -> FinkelsteinSchoenfeld:
    """The test of ``scores`` (n,) between ``treated`` (n,) boolean and the rest.

    With ``strata`` (n,) codes the scores must come from pairs within stratum. Scores are centred within stratum, which matters
    only where they were made against others besides the two arms. Raises StatsError for an empty arm.
    """
    U, arm = np.asarray(scores), np.asarray(treated, dtype=bool)
    stratum = np.zeros(U.size, dtype=np.int64) if strata is None else np.asarray(strata)
    if arm.shape != U.shape or stratum.shape != U.shape:
        raise StatsError("scores, arms and strata must be of one length")
    n_treated, n_reference = int(arm.sum()), int((~arm).sum())
    if n_treated == 0 or n_reference == 0:
        raise StatsError("a two-arm test needs subjects in both arms")
    W, variance = 0.0, 0.0
    for s in np.unique(stratum):
        u, a = U[stratum == s], arm[stratum == s]
        n, n1 = u.size, int(a.sum())
        if n < 2:
            continue
        total, squares = float(u.sum()), float((u**2).sum())
        W += float(u[a].sum()) - n1 * total / n
        variance += n1 * (n - n1) / (n * (n - 1)) * (squares - total * total / n)
    if variance <= 0:
        return FinkelsteinSchoenfeld(W, 0.0, math.nan, math.nan, n_treated, n_reference)
    z = W / math.sqrt(variance)
    return FinkelsteinSchoenfeld(W, variance, z, 2.0 * float(ndtr(-abs(z))), n_treated, n_reference)
