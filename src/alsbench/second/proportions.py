"""Shares, their differences with Newcombe's interval (1998, method 10), and what zero events of n leave open.

The intervals are those of statsmodels; percentages are 100 count / n (METHODS 5).
"""

from __future__ import annotations

from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from alsbench.second.design import Stats
from alsbench.study.model import Comparison, Study

DIFFERENCE = ("risk_difference", "risk_difference_low", "risk_difference_high")


def pairs_of(study: Study) -> list[tuple[str, str]]:
    """Treatment and reference of every comparison, each pair once."""
    return list(dict.fromkeys((c.treatment, c.reference) for c in study.comparisons))


def horizons_of(study: Study, treatment: str, reference: str) -> list[Comparison]:
    """The comparisons of a pair that have a horizon."""
    return [c for c in study.comparisons if (c.treatment, c.reference) == (treatment, reference) and c.horizon is not None]


def share(count: int | None, n: int) -> Stats:
    """A count with its percentage of n; none of nobody."""
    return {"count": count, "percent": 100 * count / n if n and count is not None else None}


def difference(treated: tuple[int | None, int], reference: tuple[int | None, int]) -> Stats:
    """Percentage points between two (count, n) with Newcombe's 95 % limits."""
    (one, n1), (other, n0) = treated, reference
    if one is None or other is None or not n1 or not n0:
        return dict.fromkeys(DIFFERENCE)
    low, high = confint_proportions_2indep(one, n1, other, n0, method="newcomb", compare="diff", alpha=0.05)
    points = 100 * (one * n0 - other * n1) / (n1 * n0)
    return dict(zip(DIFFERENCE, (points, 100 * float(low), 100 * float(high)), strict=True))


def none_of(n: int) -> float:
    """The one-sided upper 95 % bound of a share of which 0 of n were seen, in percent."""
    return float(100 * (1 - 0.05 ** (1 / n)))


def poisson_limits(events: int) -> tuple[float, float]:
    """Exact two-sided 95 % limits of an expected count (Garwood 1936)."""
    low = float(stats.chi2.ppf(0.025, 2 * events)) / 2 if events else 0.0
    return low, float(stats.chi2.ppf(0.975, 2 * events + 2)) / 2
