"""Whether two values agree, and in which class they differ: of two programs, two deliveries of data, two reports.

What each kind of statistic may differ by is measured against the larger of its size and standard error.
Counts, pair scores and wins are equal; closed forms (least squares, Kaplan-Meier, log-rank) agree to 1e-9, fits that iterate to
1e-6, p-values and log-likelihoods to 1e-6 absolutely, degrees of freedom to 1e-4. A p that is an integral over many dimensions
is held to what both programs say of its error.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from alsbench.stats.rounding import round_half_away

COUNTS = frozenset(
    {
        "n",
        "count",
        "n_missing",
        "n_event",
        "n_subjects",
        "n_observations",
        "n_below_lloq",
        "num_df",
        "events",
        "pairs",
        "wins",
        "losses",
        "ties",
        "gehan_w",
        "permutations",
    }
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
        return INTEGRATED * max(1.0, (value / 0.1) ** 2) + 4 * error
    if stat_name in LIKELIHOODS:
        return LIKELIHOODS[stat_name] * FITTED
    if stat_name in ("df", "den_df"):
        return DF * abs(value)
    if is_p(stat_name):
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
    """Whether two values agree, and the deviation relative to the larger of value and SE (infinite where one has none); that of
    a p or a log-likelihood is absolute, as its tolerance is.

    ``fitted`` and ``error`` as in :func:`tolerance`."""
    if one == other:
        return True, 0.0
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False, math.inf
    deviation = abs(one - other)
    absolute = error or stat_name in LIKELIHOODS or is_p(stat_name)
    size = 1.0 if absolute else max(abs(one), se)
    return deviation <= tolerance(stat_name, one, se, fitted=fitted, error=error), deviation / size if size else math.inf


# ---- the classes in which two values differ

Agreement = Literal[
    "identical",
    "noise",
    "same as printed",
    "within the declared tolerance",
    "different",
    "changes a conclusion",
    "only ours",
    "only theirs",
]
WORST_FIRST: tuple[Agreement, ...] = (
    "changes a conclusion",
    "different",
    "only ours",
    "only theirs",
    "within the declared tolerance",
    "same as printed",
    "noise",
    "identical",
)
GOOD: frozenset[Agreement] = frozenset({"identical", "noise", "same as printed"})  # nothing that anybody has to look at
ACCEPTED: frozenset[Agreement] = GOOD | {"within the declared tolerance"}  # and what somebody said may differ
Origin = Literal["read", "closed form", "fitted"]
Bound = Literal["", "<", ">"]
PlainValue = float | int | str | bool | dt.date | None
UNITS = 4  # in the last place
RELATIVE = 1e-12  # of the column's largest absolute value
WHOLE = 2.0**50  # below it four units in the last place are less than 1: two whole numbers that differ are no noise
LARGE = 1e15  # from here on a double has no decimals
ALPHA = 0.05
FITTED_METHODS = frozenset({"mmrm", "slope"})
FIRST_VISITS = frozenset({"first_visit", "first_lasting_visit"})
LIMITS = ("", "_low", "_high")
NO_EFFECT: dict[str, float] = {  # of an estimate of a contrast and its limits: what a treatment without effect has
    **dict.fromkeys(("difference", "conf_low", "conf_high", "percent_difference", "gehan_z", "gehan_w"), 0.0),
    **{f"{n}{e}": 0.0 for n in ("rmst_difference", "risk_difference", "net_benefit", "percent_slowing") for e in LIMITS},
    **{f"{n}{e}": 1.0 for n in ("hazard_ratio", "hr", "ratio", "win_ratio", "win_odds") for e in LIMITS},
    **{f"win_probability{e}": 0.5 for e in LIMITS},
}


@dataclass(frozen=True)
class SaidValue:
    """What one side says of a number (or text, date, truth value; None is missing).

    ``decimals`` are those that it is printed with, None where nobody printed it; ``rounded`` says that ``value`` is what is
    printed, and no raw number stands behind it. With a ``bound`` all that is said is that it lies below or above the value
    (``<0.001``)."""

    value: PlainValue
    decimals: int | None = None
    rounded: bool = False
    bound: Bound = ""

    @property
    def interval(self) -> tuple[float, float]:
        """The raw numbers that it may stand for, both ends included; NaN where it is no number."""
        v = _number(self.value)
        if self.bound:
            return (-math.inf, math.nextafter(v, -math.inf)) if self.bound == "<" else (math.nextafter(v, math.inf), math.inf)
        half = 0.5 * 10.0**-self.decimals if self.rounded and self.decimals is not None else 0.0
        return v - half, v + half


@dataclass(frozen=True)
class ValueRule:
    """What two values are judged by. ``statistic`` and ``context`` name a statistic (empty for data), ``se`` stands beside it;
    ``largest`` is the largest absolute value of its column; ``absolute`` and ``relative`` are a declared tolerance: one of them
    suffices."""

    origin: Origin = "read"
    statistic: str = ""
    context: str = ""
    se: float = 0.0
    largest: float = 0.0
    absolute: float = 0.0
    relative: float = 0.0


def origin_of(method: str, stat_name: str) -> Origin:
    """How a statistic of a method comes about: counted or solved in closed form, or by a fit that iterates."""
    return "fitted" if method in FITTED_METHODS or stat_name in ITERATED else "closed form"


def classify(ours: SaidValue, theirs: SaidValue, rule: ValueRule) -> Agreement:
    """The class of a pair, the first that holds: equal values are ``identical``; raw numbers within rounding error, or of a fit
    within the tolerance of their kind, are ``noise``; the same digits at the decimals of the coarser side ``same as printed``;
    then the declared tolerance; then ``different``. Whatever is worse than noise and turns a conclusion is ``changes a
    conclusion``. Texts, dates and truth values are equal or not."""
    one, other = ours.value, theirs.value
    if one is None or other is None:
        return _with_one_missing(one, other, rule)
    if not (_is_number(one) and _is_number(other)):
        return "identical" if type(one) is type(other) and one == other else "different"
    if ours.bound == theirs.bound and (one == other or _neither(one, other)):
        return "identical"
    if is_noise(ours, theirs, rule):
        return "noise"
    if conclusion_turned(ours, theirs, rule):
        return "changes a conclusion"
    if same_as_printed(ours, theirs, rule):
        return "same as printed"
    return "within the declared tolerance" if within(ours, theirs, rule) else "different"


def noise_allowed(rule: ValueRule, one: float, other: float) -> float:
    """The absolute deviation of two raw numbers that is noise, but for units in the last place."""
    if rule.statistic in COUNTS:
        return 0.0
    if rule.origin == "fitted":
        return tolerance(rule.statistic, one, rule.se, fitted=True)
    return RELATIVE * max(rule.largest, abs(one), abs(other))


def is_noise(ours: SaidValue, theirs: SaidValue, rule: ValueRule) -> bool:
    """Whether two numbers differ by no more than rounding in the computer, or a fit, makes of them. What was rounded for print
    is not known well enough; whole numbers and counts that differ do not differ by rounding."""
    one, other = _number(ours.value), _number(theirs.value)
    if ours.rounded or theirs.rounded or ours.bound or theirs.bound or not (math.isfinite(one) and math.isfinite(other)):
        return False
    if rule.statistic in COUNTS or (one.is_integer() and other.is_integer() and max(abs(one), abs(other)) < WHOLE):
        return one == other
    if rule.origin != "fitted" and units_apart(one, other, UNITS):
        return True
    return abs(one - other) <= noise_allowed(rule, one, other)


def units_apart(one: float, other: float, most: int) -> bool:
    """Whether no more than ``most`` steps from double to double lead from one to the other; 0 and -0 are one."""
    at = one
    for _ in range(most):
        if at == other:
            return True
        at = math.nextafter(at, other)
    return at == other


def same_as_printed(ours: SaidValue, theirs: SaidValue, rule: ValueRule) -> bool:
    """Whether both are printed alike at the decimals of the coarser side, half away from zero from the raw number. A bound
    (``<0.001``) is printed like whatever lies within it. A raw number so close to a tie that noise decides is printed both
    ways; a tie itself goes away from zero."""
    if ours.bound or theirs.bound:
        return max(ours.interval[0], theirs.interval[0]) <= min(ours.interval[1], theirs.interval[1])
    known = [s.decimals for s in (ours, theirs) if s.decimals is not None]
    if not known or max(abs(_number(ours.value)), abs(_number(theirs.value))) >= LARGE:
        return False
    places = min(known)
    return bool(_prints(ours, places, rule) & _prints(theirs, places, rule))


def _prints(said: SaidValue, places: int, rule: ValueRule) -> set[str]:
    """How a number may be printed with so many decimals."""
    v = _number(said.value)
    if said.rounded:
        ends = (v,) if said.decimals is None or said.decimals <= places else (*said.interval, v)
    else:
        slack = 0.0 if _is_tie(v, places) else noise_allowed(rule, v, v)
        ends = (v - slack, v, v + slack)
    return {round_half_away(e, places) for e in ends}


def _is_tie(value: float, places: int) -> bool:
    """Whether the shortest decimal of a double lies half way between two numbers of so many decimals."""
    return math.isfinite(value) and abs(Decimal(repr(value)).scaleb(places) % 1) == Decimal("0.5")


def within(ours: SaidValue, theirs: SaidValue, rule: ValueRule) -> bool:
    """Whether a declared tolerance covers the deviation: absolutely, or relative to the larger of the two."""
    one, other = _number(ours.value), _number(theirs.value)
    if ours.bound or theirs.bound or not (math.isfinite(one) and math.isfinite(other)):
        return False
    return abs(one - other) <= max(rule.absolute, rule.relative * max(abs(one), abs(other)))


def is_p(stat_name: str) -> bool:
    """Whether a statistic is a p-value, by its name."""
    return stat_name in ("p", "p_value", "p_adjusted") or stat_name.endswith("_p")


def conclusion_turned(ours: SaidValue, theirs: SaidValue, rule: ValueRule) -> bool:
    """Whether what is concluded from the two differs for certain: the side of 0.05 of a p, the side of no effect of a
    contrast's estimate or limits, the first visit. A printed value stands for all numbers that are printed so."""
    if rule.statistic in FIRST_VISITS:
        return ours.value != theirs.value
    if is_p(rule.statistic):
        below = {_below(s.interval, ALPHA) for s in (ours, theirs)}
        return below == {True, False}
    if rule.context != "contrast" or rule.statistic not in NO_EFFECT:
        return False
    return {_side(s.interval, NO_EFFECT[rule.statistic]) for s in (ours, theirs)} == {-1, 1}


def order_turned(ours: Mapping[str, SaidValue], theirs: Mapping[str, SaidValue]) -> frozenset[str]:
    """The arms that stand the other way round in theirs: of each two whose order both sides tell for certain and tell
    differently, both."""
    found: set[str] = set()
    arms = [a for a in ours if a in theirs]
    for i, a in enumerate(arms):
        for b in arms[i + 1 :]:
            if _order(ours[a], ours[b]) * _order(theirs[a], theirs[b]) < 0:
                found |= {a, b}
    return frozenset(found)


def _order(one: SaidValue, other: SaidValue) -> int:
    (low, high), (other_low, other_high) = one.interval, other.interval
    return -1 if high < other_low else 1 if low > other_high else 0


def _below(interval: tuple[float, float], limit: float) -> bool | None:
    low, high = interval
    return True if high < limit else False if low >= limit else None


def _side(interval: tuple[float, float], null: float) -> int:
    low, high = interval
    return 1 if low > null else -1 if high < null else 0


def _with_one_missing(one: PlainValue, other: PlainValue, rule: ValueRule) -> Agreement:
    if one is None and other is None:
        return "identical"
    if rule.statistic in FIRST_VISITS:  # a first visit that is missing is one that never comes
        return "changes a conclusion"
    return "only theirs" if one is None else "only ours"


def _is_number(value: PlainValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _neither(one: PlainValue, other: PlainValue) -> bool:
    return math.isnan(_number(one)) and math.isnan(_number(other))


def _number(value: PlainValue) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
