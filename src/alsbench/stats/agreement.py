"""Whether two programs agree on a statistic: what each kind may differ by, against the larger of its size and standard error.

Counts, pair scores and wins are equal; closed forms (least squares, Kaplan-Meier, log-rank) agree to 1e-9, fits that iterate to
1e-6, p-values and log-likelihoods to 1e-6 absolutely, degrees of freedom to 1e-4. A p that is an integral over many dimensions
is held to what both programs say of its error.
"""

from __future__ import annotations

import math

COUNTS = frozenset(
    {"n", "n_subjects", "n_observations", "n_below_lloq", "num_df", "events", "pairs", "wins", "losses", "ties", "gehan_w"}
    | {"visits_tested", "first_visit", "first_lasting_visit"}
)
ITERATED = frozenset({"hazard_ratio", "hr_low", "hr_high", "z"})
LIKELIHOODS = {"log_likelihood": 1, "aic": 2, "bic": 2}  # and how often the log-likelihood is in them
TESTS = frozenset({"t", "z", "f"})  # in units of their own standard error
CLOSED_FORM, FITTED, DF, INTEGRATED = 1e-9, 1e-6, 1e-4, 5e-5


def tolerance(stat_name: str, value: float, se: float = 0.0, *, fitted: bool = False, error: float = 0.0) -> float:
    """The absolute deviation that a statistic of this name may have, ``value`` being the first program's.

    ``fitted``: it comes of a fit that iterates (an MMRM, random slopes). ``error``: the Monte Carlo standard error of the
    other one, where it has one: four of them are added (METHODS 14), and what docs/methods.md says of a multivariate-t p."""
    if stat_name in COUNTS:
        return 0.0
    if error:
        return INTEGRATED + 4 * error
    if stat_name in LIKELIHOODS:
        return LIKELIHOODS[stat_name] * FITTED
    if stat_name in ("df", "den_df"):
        return DF * abs(value)
    if stat_name.endswith(("_p", "p_value")):
        return FITTED
    size = max(abs(value), 1.0) if fitted and stat_name in TESTS else max(abs(value), se)
    return (FITTED if fitted or stat_name in ITERATED else CLOSED_FORM) * size


def agree(
    stat_name: str,
    one: float | str | None,
    other: float | str | None,
    se: float = 0.0,
    *,
    fitted: bool = False,
    error: float = 0.0,
) -> tuple[bool, float]:
    """Whether two values agree, and the deviation relative to the larger of value and SE (infinite where one has none).

    ``fitted`` and ``error`` as in :func:`tolerance`."""
    if one == other:
        return True, 0.0
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False, math.inf
    deviation = abs(one - other)
    size = max(abs(one), se)
    return deviation <= tolerance(stat_name, one, se, fitted=fitted, error=error), deviation / size if size else math.inf
