"""How a statistic is written: decimals by name, rounded once, half away from zero, from the raw double.

Rounding is that of :mod:`alsbench.stats.rounding`; a percentage is the double nearest to the quotient of its counts
(:func:`alsbench.stats.proportions.percent`), which is rounded as the counts are. A p-value is ``0.024`` or ``<0.001``, never
``p<0.024``. What is missing is ``-``; what could not be estimated is ``NE``.
"""

from __future__ import annotations

import math

from alsbench.stats.rounding import round_half_away

MISSING = "-"
NOT_ESTIMABLE = "NE"
MASKED = "masked"

# Decimals of each statistic; a count has none, and limits take the decimals of what they bound.
DECIMALS: dict[str, int] = {
    "mean": 2, "sd": 2, "median": 2, "q1": 2, "q3": 2, "min": 2, "max": 2,
    "ls_mean": 2, "se": 3, "slope": 2, "df": 1, "conf": 2, "difference": 2, "t": 2,
    "percent": 1, "total": 1, "rate": 2, "percent_slowing": 1,
    "gmr": 3, "ratio": 3, "percent_difference": 1,
    "hazard_ratio": 2, "hr": 2, "rmst": 1, "rmst_difference": 1, "survival": 3,
    "gehan_w": 0, "gehan_var": 2, "gehan_z": 3,
    "win_ratio": 2, "win_odds": 2, "net_benefit": 3, "win_probability": 3,
    "smd": 2, "risk_difference": 1,
    "leverage": 2, "cook": 3, "residual": 2, "f": 2, "den_df": 1, "tipping_delta": 2, "tipping_sd": 2, "tipping_per_month": 3,
    "log_likelihood": 2, "aic": 2, "bic": 2, "sigma": 3,
    "cut": 4, "rank": 1, "score": 0, "horizon": 0,
    "first_lasting_visit": 0, "first_visit": 0,
    "null_percent": 1, "missing_percent": 1, "kept_percent": 0, "power_percent": 1, "type_s_percent": 1, "type_m": 1,
    "assumed": 2, "replication_percent": 0, "same_side_percent": 0, "share_percent": 0, "spearman": 2, "correlation": 2,
    "carry_over": 2, "dose_slope": 2, "before": 2, "on_study": 2,
}  # fmt: skip
COUNTS = frozenset(
    {
        "n",
        "count",
        "events",
        "wins",
        "losses",
        "ties",
        "pairs",
        "n_subjects",
        "n_observations",
        "iterations",
        "visits_tested",
        "num_df",
        "tests",
    }
)
SCIENTIFIC = frozenset({"gradient"})
P_NAMES = frozenset({"p_value", "p_adjusted", "interaction_p", "log_rank_p", "ph_p", "gehan_p"})
DEFAULT_DECIMALS = 3
# Whole values of these are written without decimals, others with as many as they carry, up to DECIMALS.
AS_CARRIED = frozenset({"cut", "gehan_w", "rank", "score", "first_lasting_visit", "first_visit", "horizon"})


def absent(error: str | None) -> str:
    """What stands in the place of a statistic that is not there: ``NE``, ``-``, ``masked`` or ``<5``."""
    if error and error.startswith(MASKED):
        return error.removeprefix(f"{MASKED}: ")
    return NOT_ESTIMABLE if error else MISSING


def is_p_value(stat_name: str) -> bool:
    """Whether the statistic is a probability of the null kind, by its name."""
    return stat_name in P_NAMES or stat_name.endswith("_p") or stat_name == "p"


def decimals(stat_name: str) -> int:
    """Decimals shown for a statistic; a limit (``ratio_low``) has those of what it bounds, a standard error one more."""
    if stat_name in DECIMALS:
        return DECIMALS[stat_name]
    for suffix, more in (("_low", 0), ("_high", 0), ("_se", 1)):
        base = stat_name.removesuffix(suffix)
        if base != stat_name and base in DECIMALS:
            return DECIMALS[base] + more
    return 0 if stat_name in COUNTS or stat_name.startswith("n_") else DEFAULT_DECIMALS


def format_p(value: float) -> str:
    """A p-value: three decimals, ``<0.001`` below that, ``>0.999`` where rounding would say 1 and it is not."""
    if value < 0.001:
        return "<0.001"
    if 0.9995 <= value < 1.0:
        return ">0.999"
    return round_half_away(value, 3)


def format_stat(stat_name: str, value: float | int | str | None) -> str:
    """A statistic as printed. Text passes through; None is ``-``; NaN and infinities are ``NE``."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if not is_p_value(stat_name) else format_p(value)
    if not math.isfinite(value):
        return NOT_ESTIMABLE
    if is_p_value(stat_name):
        return format_p(value)
    if stat_name in SCIENTIFIC:
        return f"{value:.1e}"
    if stat_name in AS_CARRIED:
        return format_number(value, max(decimals(stat_name), 2))
    if abs(value) >= 1e15:
        return f"{value:.6e}"
    return round_half_away(value, decimals(stat_name))


def format_number(value: float | int, places: int = 4) -> str:
    """A data value as it would be written by hand: no trailing zeros, at most ``places`` decimals."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if abs(value) >= 1e15 or 0 < abs(value) < 0.5 * 10.0**-places:
        return repr(value)
    text = round_half_away(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_stored(value: float | int) -> str:
    """A stored number with every digit that a decimal keeps in a double (15), none of them rounded away; whole ones whole."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    return f"{value:.15g}" if abs(value) < 1e15 else repr(value)
