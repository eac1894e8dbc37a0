"""Shares and rates with intervals that hold in small samples: exact binomial, Newcombe's risk difference, exact Poisson.

Clopper and Pearson (1934, doi 10.1093/biomet/26.4.404); Wilson (1927); the hybrid score interval for a difference is
method 10 of Newcombe (1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I); Poisson limits by
Garwood (1936). Where nothing happened in n subjects the one-sided 95 % bound 1 - 0.05^(1/n), about 3/n (Hanley and
Lippman-Hand 1983), is smaller than the upper limit of the two-sided interval, about 3.7/n: both are given, and named.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alsbench.stats.errors import StatsError

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided limits."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class ZeroBound:
    """What zero events in ``n`` exclude: the one-sided upper bound, and the upper limit of the two-sided interval."""

    n: int
    one_sided: float
    two_sided: float


def clopper_pearson(count: int, n: int, *, level: float = 0.95) -> Interval:
    """The exact two-sided interval of a share; StatsError unless 0 <= count <= n and n > 0."""
    from scipy.special import betaincinv  # waits: scipy

    _check_share(count, n)
    tail = (1.0 - level) / 2
    low = float(betaincinv(count, n - count + 1, tail)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return Interval(count / n, low, high)


def wilson(count: int, n: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share, without continuity correction."""
    from scipy.special import ndtri  # waits: scipy

    _check_share(count, n)
    z = float(ndtri(0.5 + level / 2))
    p = count / n
    centre, half = 2 * n * p + z * z, z * math.sqrt(z * z + 4 * n * p * (1 - p))
    low = 0.0 if count == 0 else (centre - half) / (2 * (n + z * z))
    high = 1.0 if count == n else (centre + half) / (2 * (n + z * z))
    return Interval(p, low, high)


def percent(count: int, n: int) -> float:
    """100 count / n: the double nearest to the quotient of whole numbers, so that a tie (28.75) is seen as one."""
    return 100 * int(count) / int(n)  # not 100 * (count / n), which rounds twice


def percentage_points(treated: int, n_treated: int, reference: int, n_reference: int, *, level: float = 0.95) -> Interval:
    """:func:`risk_difference` times 100, the estimate from the whole numbers."""
    found = risk_difference(treated, n_treated, reference, n_reference, level=level)
    exact = 100 * (int(treated) * int(n_reference) - int(reference) * int(n_treated)) / (int(n_treated) * int(n_reference))
    return Interval(exact, 100.0 * found.low, 100.0 * found.high)


def risk_difference(treated: int, n_treated: int, reference: int, n_reference: int, *, level: float = 0.95) -> Interval:
    """Share of treated minus share of reference, with Newcombe's hybrid score interval."""
    a, b = wilson(treated, n_treated, level=level), wilson(reference, n_reference, level=level)
    d = a.estimate - b.estimate
    low = d - math.hypot(a.estimate - a.low, b.high - b.estimate)
    high = d + math.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(d, low, high)


def fisher_exact(treated: int, n_treated: int, reference: int, n_reference: int) -> float:
    """Two-sided p of Fisher's exact test: the probability of the tables with these margins that are no likelier, as in R."""
    from scipy.special import gammaln  # waits: scipy

    _check_share(treated, n_treated)
    _check_share(reference, n_reference)
    total = treated + reference
    counts = range(max(0, total - n_reference), min(n_treated, total) + 1)

    def log_choose(n: int, k: int) -> float:
        return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    whole = log_choose(n_treated + n_reference, total)
    chance = {k: math.exp(log_choose(n_treated, k) + log_choose(n_reference, total - k) - whole) for k in counts}
    return min(1.0, math.fsum(c for c in chance.values() if c <= chance[treated] * (1 + 1e-7)))


def zero_events(n: int, *, level: float = 0.95) -> ZeroBound:
    """Upper bounds of the risk after no event in ``n`` subjects."""
    _check_share(0, n)
    # expm1 and log keep the digits of a bound near 3/n when n is large
    one_sided = -math.expm1(math.log(1 - level) / n)
    two_sided = -math.expm1(math.log((1 - level) / 2) / n)
    return ZeroBound(n, one_sided, two_sided)


def poisson_rate(count: int, exposure: float, *, per: float = 100.0, level: float = 0.95) -> Interval:
    """``count`` events in ``exposure`` (patient-years) as a rate per ``per`` of it, with the exact Poisson interval."""
    from scipy.special import gammaincinv  # waits: scipy

    if count < 0:
        raise StatsError(f"a count cannot be negative: {count}")
    if not (exposure > 0 and math.isfinite(exposure)):
        raise StatsError(f"no rate: exposure is {exposure:g}")
    tail = (1.0 - level) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    high = float(gammaincinv(count + 1, 1 - tail))
    return Interval(per * count / exposure, per * low / exposure, per * high / exposure)


def rate_per_100_years(count: int, days: float, *, level: float = 0.95) -> Interval:
    """``count`` events in ``days`` of exposure per 100 years of 365.25 days, the estimate from the whole numbers."""
    found = poisson_rate(count, days / DAYS_PER_YEAR, level=level)
    return Interval(100 * DAYS_PER_YEAR * count / days, found.low, found.high)


def _check_share(count: int, n: int) -> None:
    if n <= 0:
        raise StatsError("no share: there are no subjects")
    if not 0 <= count <= n:
        raise StatsError(f"no share: {count} of {n}")
