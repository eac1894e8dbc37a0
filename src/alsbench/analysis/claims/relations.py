"""Which published numbers determine each other? Every relation within one claim, by the names that results have.

Each number stands for all values that are printed so, and what the others imply is an interval as well. Estimates of one
treatment less or over those of the other: LS means, slopes, restricted means and percentages differ, geometric means
divide; of medians and hazard ratios nothing follows. Limits lie about a difference evenly, about a ratio evenly in its
logarithm; those of proportions, medians, rates and Fieller sets only contain it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from alsbench.stats import coherence as check
from alsbench.stats.coherence import Interval
from alsbench.stats.proportions import percent as percent_of
from alsbench.stats.proportions import zero_events
from alsbench.study.claims import PARTS, Claim, Printed

Shape = Literal["even", "even in logarithm", "within"]
Found = tuple[str, Interval, Interval]
NORMAL_ESTIMATES = frozenset({"hazard_ratio"})  # of a partial likelihood: no degrees of freedom
WORDS = {
    "ls_mean": "LS mean",
    "gmr": "geometric mean ratio",
    "se": "standard error",
    "p_value": "p",
}


@dataclass(frozen=True)
class Limits:
    """An estimate with the names of its limits, and how they lie about it; with ``p`` if that tests it."""

    estimate: str
    low: str
    high: str
    shape: Shape
    p: str = ""


LIMITS = (
    Limits("ls_mean", "conf_low", "conf_high", "even"),
    Limits("slope", "conf_low", "conf_high", "even"),
    Limits("mean", "conf_low", "conf_high", "even"),
    Limits("difference", "conf_low", "conf_high", "even", "p_value"),
    Limits("rmst_difference", "rmst_difference_low", "rmst_difference_high", "even", "rmst_p"),
    Limits("ratio", "ratio_low", "ratio_high", "even in logarithm", "p_value"),
    Limits("hazard_ratio", "hr_low", "hr_high", "even in logarithm", "p_value"),
    Limits("gmr", "gmr_low", "gmr_high", "even in logarithm"),
    Limits("win_ratio", "win_ratio_low", "win_ratio_high", "even in logarithm"),
    Limits("win_odds", "win_odds_low", "win_odds_high", "even in logarithm"),
    *(
        Limits(name, f"{name}_low", f"{name}_high", "within")
        for name in (
            *("net_benefit", "win_probability", "risk_difference", "percent", "percent_slowing", "median", "survival", "rate"),
            *("odds_ratio", "risk_ratio"),
        )
    ),
)
DIFFERENCES = {  # of the contrast: of what in the two arms
    "difference": ("ls_mean", "slope"),
    "rmst_difference": ("rmst",),
    "risk_difference": ("percent",),
}
RANGES = {
    **dict.fromkeys(("p_value", "p_adjusted", "log_rank_p", "gehan_p", "rmst_p", "ph_p", "win_probability"), (0.0, 1.0)),
    **dict.fromkeys(("percent", "upper_one_sided", "survival"), (0.0, 100.0)),
    **dict.fromkeys(("risk_difference",), (-100.0, 100.0)),
    "net_benefit": (-1.0, 1.0),
    **dict.fromkeys(
        ("se", "sd", "rmst_se", "df", "rate", "ratio", "gmr", "hazard_ratio", "win_ratio", "win_odds"), (0.0, math.inf)
    ),
}
STRATIFIED = 0.05  # what counting pairs within strata only may do to a win probability
WHOLE = frozenset({"n", "count", "events", "wins", "losses", "ties", "n_below_lloq", "visits_tested"})
AT_MOST_N = ("count", "n_below_lloq")


class Numbers:
    """The printed numbers of a claim as intervals."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.level = claim.confidence

    def get(self, part: str, stat: str) -> Interval | None:
        number = self.claim.number(part, stat)
        return None if number is None else span_of(stat, number)

    def all(self, part: str, *stats: str) -> tuple[Interval, ...] | None:
        """The intervals of these statistics, None unless the claim has every one."""
        found = [self.get(part, stat) for stat in stats]
        return None if None in found else tuple(found)  # type: ignore[arg-type]

    def p(self, part: str, stat: str) -> Interval | None:
        """A p-value as a two-sided one."""
        found = self.get(part, stat)
        if found is None:
            return None
        low, high = max(found[0], 0.0), min(found[1], 1.0)
        if self.claim.sides == 2:
            return low, high
        ends = check.corners(lambda p: 2.0 * min(p, 1.0 - p), (low, high))
        return (ends[0], 1.0) if low <= 0.5 <= high else ends

    def dfs(self, part: str) -> tuple[float, ...]:
        """Degrees of freedom as published, else none below what two arms of their size leave to a dozen coefficients."""
        df = self.claim.number(part, "df")
        if df is not None:
            return tuple({min(max(bound, 0.5), check.NORMAL[0]) for bound in (df.low, df.high)})
        sizes = self.claim.number("treatment", "n"), self.claim.number("reference", "n")
        if sizes[0] is not None and sizes[1] is not None:
            return check.degrees(max(2.0, sizes[0].value + sizes[1].value - 12.0))
        return check.degrees()


def relations(claim: Claim, *, rank: bool = False) -> Iterator[Found]:
    """Every relation that the numbers of a claim allow to be checked; ``rank`` where they are of a joint rank. Of what a
    single number cannot be (a p of 1.2, half a subject) only those that it is."""
    numbers = Numbers(claim)
    for part in PARTS:
        yield from _possible(numbers, part)
        yield from _counted(numbers, part)
        for limits in LIMITS:
            yield from _of_limits(numbers, part, limits)
        yield from _tested(numbers, part)
        yield from _logarithms(numbers, part)
    yield from _of_arms(numbers)
    yield from _wins(numbers)
    if rank:
        yield from _of_ranks(numbers)


def span_of(stat: str, number: Printed) -> Interval:
    """The values that are printed so; a count printed whole is that count."""
    whole = stat in WHOLE and number.relation == "=" and number.half >= 0.5
    return (number.value, number.value) if whole else (number.low, number.high)


def named(part: str, what: str) -> str:
    """A relation of an arm says of which."""
    return {"treatment": f"treated {what}", "reference": f"control {what}", "group": f"all {what}"}.get(part, what)


def _possible(numbers: Numbers, part: str) -> Iterator[Found]:
    """Numbers that none of their kind can be, alone."""
    for stat in getattr(numbers.claim, part):
        number = numbers.claim.number(part, stat)
        span, low = numbers.get(part, stat), stat.removesuffix("_low").removesuffix("_high")
        lowest, highest = RANGES.get(stat) or RANGES.get(low) or (-math.inf, math.inf)
        if span is not None and not check.overlap(span, (lowest, highest)):
            yield named(part, f"{stat} within its range"), span, (lowest, highest)
        if (
            number is not None
            and stat in WHOLE
            and number.relation == "="
            and (number.value < 0 or not number.value.is_integer())
        ):
            yield named(part, f"{stat} is a count"), (number.value, number.value), (math.floor(max(number.value, 0.0)),) * 2
    for limits in LIMITS:
        pair = numbers.all(part, limits.low, limits.high)
        if pair is not None and pair[0][0] > pair[1][1]:
            yield named(part, f"{limits.low} below {limits.high}"), pair[0], (-math.inf, pair[1][1])


def _counted(numbers: Numbers, part: str) -> Iterator[Found]:
    """Counts, how many they are of, and percentages."""
    n, count, percent = (numbers.claim.number(part, stat) for stat in ("n", "count", "percent"))
    for stat in AT_MOST_N:
        if (number := numbers.get(part, stat)) is not None and n is not None:
            yield named(part, f"{stat} at most n"), number, (0.0, span_of("n", n)[1])
    if (events := numbers.get(part, "events")) is not None and count is not None:
        yield named(part, "events at least count"), events, (span_of("count", count)[0], math.inf)
    if percent is not None:
        yield from _percent(part, percent, n, count)
    bound = numbers.get(part, "upper_one_sided")
    if bound is not None and n is not None and count is not None and count.value == 0.0 and n.value >= 1:
        exact = 100.0 * zero_events(round(n.value)).one_sided
        yield named(part, "upper bound of none in n"), bound, (exact, exact)


def _percent(part: str, percent: Printed, n: Printed | None, count: Printed | None) -> Iterator[Found]:
    span = percent.low, percent.high
    if n is not None and count is not None and n.value >= 1:
        share = percent_of(round(count.value), round(n.value))
        yield named(part, "percent of count and n"), span, (share, share)
    elif n is not None and n.value >= 1:
        of = max(span[0], 0.0) * n.value / 100.0, min(span[1], 100.0) * n.value / 100.0
        if check.whole_within(of) is None:
            nearest = percent_of(round(sum(of) / 2.0), round(n.value))
            yield named(part, "percent of a whole number of n"), span, (nearest, nearest)
        else:
            yield named(part, "percent of a whole number of n"), span, span
    elif count is not None and count.value >= 1 and span[0] > 0:
        of = count.value / (span[1] / 100.0), count.value / (span[0] / 100.0)
        if check.whole_within(of) is None:
            nearest = percent_of(round(count.value), max(round(sum(of) / 2.0), 1))
            yield named(part, "percent of count in a whole number"), span, (nearest, nearest)


def _of_limits(numbers: Numbers, part: str, limits: Limits) -> Iterator[Found]:
    """An estimate, its limits, its standard error and its p."""
    pair, estimate = numbers.all(part, limits.low, limits.high), numbers.get(part, limits.estimate)
    if pair is None or not _belongs(numbers, part, limits) or (estimate is None and limits.shape == "within"):
        return
    low, high = pair
    ratio, word = limits.shape == "even in logarithm", WORDS.get(limits.estimate, limits.estimate)
    if ratio and high[1] <= 0.0:
        return
    if estimate is not None:
        around = low[0], high[1]
        if limits.shape == "within" or not check.overlap(estimate, around):
            yield named(part, f"{word} within its interval"), estimate, around
        if limits.shape != "within":
            what = "estimate and its interval" if part == "contrast" else f"{word} and its interval"
            yield named(part, what), estimate, check.centre_of(low, high, ratio=ratio)
    if limits.shape == "within":
        return
    error = numbers.get(part, "se")
    if error is not None and limits.low == "conf_low":
        implied = check.standard_errors_of(low, high, dfs=numbers.dfs(part), level=numbers.level)
        yield named(part, "standard error and interval"), error, implied
    if limits.p and (p := numbers.p(part, limits.p)) is not None and not (ratio and low[0] <= 0.0):
        middle = estimate if estimate is not None else check.centre_of(low, high, ratio=ratio)
        logs = [_log(x) if ratio else x for x in (middle, low, high)]
        normal = limits.estimate in NORMAL_ESTIMATES and numbers.claim.number(part, "df") is None
        dfs = check.NORMAL if normal else numbers.dfs(part)
        yield _p_relation(numbers, "p of estimate and interval", p, check.p_of_limits(*logs, dfs=dfs, level=numbers.level))


def _belongs(numbers: Numbers, part: str, limits: Limits) -> bool:
    """Whether the limits are of this estimate: ``conf_low`` and ``conf_high`` are of a contrast's difference, of an arm's LS
    mean, slope or mean. An interval without its estimate is of use for a contrast only."""
    if limits.low != "conf_low":
        return part == "contrast" or numbers.get(part, limits.estimate) is not None
    if part == "contrast" or limits.estimate == "difference":
        return part == "contrast" and limits.estimate == "difference"
    given = [e for e in ("ls_mean", "slope", "mean") if numbers.get(part, e) is not None]
    return limits.estimate in given[:1]


def _tested(numbers: Numbers, part: str) -> Iterator[Found]:
    """Estimate, standard error, t and p."""
    error, p, t = numbers.get(part, "se"), numbers.p(part, "p_value"), numbers.get(part, "t")
    estimate = numbers.get(part, "difference")
    if estimate is None and part == "contrast":
        arms = numbers.get("treatment", "ls_mean"), numbers.get("reference", "ls_mean")
        estimate = check.difference_of(arms[0], arms[1]) if arms[0] is not None and arms[1] is not None else None
    if error is not None and estimate is not None and t is not None and error[0] > 0:
        yield named(part, "t of estimate and standard error"), t, check.corners(lambda d, s: d / s, estimate, error)
    if error is not None and estimate is not None and p is not None:
        yield _p_relation(
            numbers, "p of estimate and standard error", p, check.p_of_error(estimate, error, dfs=numbers.dfs(part))
        )
    one = 1.0, 1.0
    if t is not None and p is not None:
        yield _p_relation(numbers, "p of t", p, check.p_of_error(t, one, dfs=numbers.dfs(part)))
    for statistic, tested in (("z", "p_value"), ("log_rank_z", "log_rank_p"), ("gehan_z", "gehan_p")):
        z, its = numbers.get(part, statistic), numbers.p(part, tested)
        if z is not None and its is not None:
            yield _p_relation(numbers, f"{tested} of {statistic}", its, check.p_of_error(z, one, dfs=check.NORMAL))
    square, z = numbers.get(part, "log_rank_chisq"), numbers.get(part, "log_rank_z")
    if square is not None and z is not None:
        size = check.p_of_error(z, one, dfs=check.NORMAL)
        root = math.sqrt(max(square[0], 0.0)), math.sqrt(max(square[1], 0.0))
        yield named(part, "log_rank_chisq of log_rank_z"), check.p_of_error(root, one, dfs=check.NORMAL), size
    if square is not None and (its := numbers.p(part, "log_rank_p")) is not None:
        root = math.sqrt(max(square[0], 0.0)), math.sqrt(max(square[1], 0.0))
        yield _p_relation(numbers, "log_rank_p of log_rank_chisq", its, check.p_of_error(root, one, dfs=check.NORMAL))


def _p_relation(numbers: Numbers, what: str, p: Interval, implied: Interval) -> Found:
    """A p beside what it should be; if half of that would agree, that it may be of a one-sided test."""
    half = implied[0] / 2.0, implied[1] / 2.0
    if numbers.claim.sides == 2 and not check.overlap(p, implied) and check.overlap(p, half):
        what = f"{what} (one-sided it would agree: sides = 1)"
    return what, p, implied


def _logarithms(numbers: Numbers, part: str) -> Iterator[Found]:
    """Differences of logarithms and the ratios they are of, where a claim has both."""
    pairs = (("difference", "ratio"), ("ls_mean", "gmr"))
    for logarithm, ratio in pairs:
        for log_name, name in ((logarithm, ratio), ("conf_low", f"{ratio}_low"), ("conf_high", f"{ratio}_high")):
            both = numbers.all(part, logarithm, ratio) and numbers.all(part, log_name, name)
            if both:
                yield named(part, f"{name} of the logarithm"), both[1], check.corners(math.exp, both[0])


def _of_arms(numbers: Numbers) -> Iterator[Found]:
    """What the numbers of the two arms say of their contrast."""
    for name, parts in DIFFERENCES.items():
        for of in parts:
            arms = _both(numbers, of)
            contrast = numbers.get("contrast", name)
            if arms is not None and contrast is not None:
                yield f"{name} of the {WORDS.get(of, of)}s", contrast, check.difference_of(*arms)
    ratio, means = numbers.get("contrast", "ratio"), _both(numbers, "gmr")
    if ratio is not None and means is not None and means[1][0] > 0.0:
        yield "ratio of the geometric mean ratios", ratio, check.corners(lambda a, b: a / b, *means)
    error, errors = numbers.get("contrast", "se"), _both(numbers, "se")
    if error is not None and errors is not None:
        yield "standard error of the difference and of its parts", error, check.error_of_difference(*errors)
    slowing, slopes = numbers.get("contrast", "percent_slowing"), _both(numbers, "slope")
    if slowing is not None and slopes is not None and slopes[1][0] * slopes[1][1] > 0.0:
        yield "percent_slowing of the slopes", slowing, check.corners(lambda a, b: 100.0 * (1.0 - a / b), *slopes)
    counts = numbers.all("contrast", "events"), _both(numbers, "events")
    if counts[0] is not None and counts[1] is not None and numbers.get("contrast", "hazard_ratio") is not None:
        total = counts[1][0][0] + counts[1][1][0], counts[1][0][1] + counts[1][1][1]
        yield "events of both arms", counts[0][0], total


def _both(numbers: Numbers, stat: str) -> tuple[Interval, Interval] | None:
    treatment, reference = numbers.get("treatment", stat), numbers.get("reference", stat)
    return None if treatment is None or reference is None else (treatment, reference)


def _wins(numbers: Numbers) -> Iterator[Found]:
    """Wins, losses and ties, and the four measures that follow from them; each of the last three from the others."""
    counts = [numbers.get("contrast", stat) for stat in ("wins", "losses", "ties")]
    won, lost, tied = counts
    if won is not None and lost is not None:
        ratio = numbers.get("contrast", "win_ratio")
        if ratio is not None and lost[0] > 0:
            yield "win_ratio of wins and losses", ratio, check.corners(lambda w, b: w / b, won, lost)
        benefit = numbers.get("contrast", "net_benefit")
        if benefit is not None and tied is not None:
            implied = check.corners(lambda w, b, t: (w - b) / (w + b + t), won, lost, tied)
            yield "net_benefit of wins, losses and ties", benefit, implied
        sizes = _both(numbers, "n")
        if tied is not None and sizes is not None:
            pairs = check.corners(lambda w, b, t: w + b + t, won, lost, tied)
            yield "pairs at most n times n", pairs, (0.0, sizes[0][1] * sizes[1][1])
    probability, odds, benefit = (numbers.get("contrast", stat) for stat in ("win_probability", "win_odds", "net_benefit"))
    if probability is not None and odds is not None and probability[1] < 1.0:
        yield "win_odds of win_probability", odds, check.corners(lambda p: p / (1.0 - p), probability)
    if probability is not None and benefit is not None:
        yield "net_benefit of win_probability", benefit, check.corners(lambda p: 2.0 * p - 1.0, probability)
    elif odds is not None and benefit is not None and odds[0] > -1.0:
        yield "net_benefit of win_odds", benefit, check.corners(lambda o: (o - 1.0) / (o + 1.0), odds)


def _of_ranks(numbers: Numbers) -> Iterator[Found]:
    """Mean ranks, how many were ranked, and the win probability (it may be of pairs within strata); room for adjusted ones."""
    sizes = numbers.claim.number("treatment", "n"), numbers.claim.number("reference", "n")
    if sizes[0] is None or sizes[1] is None:
        return
    n = round(sizes[0].value), round(sizes[1].value)
    if min(n) < 1:
        return
    total, win = float(sum(n)), numbers.get("contrast", "win_probability")
    for stat, slack, room in (("mean", 0.0, STRATIFIED), ("ls_mean", check.MOST_SLACK, check.MOST_WIN)):
        means = _both(numbers, stat)
        if means is None:
            continue
        word = "mean ranks" if stat == "mean" else "LS mean ranks"
        implied = check.mean_rank_total(means[0], n[0], means[1], n[1])
        yield f"N of the {word}", (total * (1 - slack), total * (1 + slack)), implied
        if win is not None:
            low, high = check.difference_of(*means)
            yield f"win probability of the {word}", win, (0.5 + low / total - room, 0.5 + high / total + room)


def _log(interval: Interval) -> Interval:
    return math.log(max(interval[0], 1e-300)), math.log(max(interval[1], 1e-300))
