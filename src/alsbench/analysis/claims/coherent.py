"""Does a claim agree with itself, and with the other claims about the same subjects? No data are needed for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alsbench.stats import coherence as check
from alsbench.study.claims import Claim, Printed

RATIOS = {
    "ratio": ("ratio_low", "ratio_high"),
    "hazard_ratio": ("hr_low", "hr_high"),
    "win_ratio": ("win_ratio_low", "win_ratio_high"),
    "win_odds": ("win_odds_low", "win_odds_high"),
}
Interval = check.Interval


@dataclass(frozen=True)
class Relation:
    """One relation between published numbers: ``published`` and what the others ``implied``, as intervals."""

    claim: str
    what: str
    published: Interval
    implied: Interval

    @property
    def coherent(self) -> bool:
        return check.overlap(self.published, self.implied)


@dataclass(frozen=True)
class SizeRange:
    """The sizes of the arms of a subgroup that published mean ranks imply, (best, low, high) by arm, and for each claim the win
    probability likewise. Empty ``sizes``: no sizes agree with the numbers."""

    claims: tuple[str, ...]
    sizes: dict[str, tuple[int, int, int]]
    win_probability: dict[str, tuple[float, float, float]]

    @property
    def coherent(self) -> bool:
        return bool(self.sizes)


def coherence(claim: Claim, *, rank: bool = False) -> list[Relation]:
    """Every relation that the numbers of a claim allow to be checked; ``rank`` where they are of a joint rank."""
    return [Relation(claim.name, what, published, implied) for what, published, implied in _relations(claim, rank)]


def implied_sizes(claims: Sequence[tuple[Claim, str, str]], arms: dict[str, int]) -> SizeRange | None:
    """What the mean ranks of one subgroup, in one or two (claim, treatment, reference) that share the control, say of its arms.

    ``arms`` are the subjects of each arm overall. None where the claims lack mean ranks or do not share their control."""
    used: list[tuple[Claim, str, check.RankPair]] = []
    for claim, treatment, reference in claims:
        pair = _rank_pair(claim)
        fits = not used or (reference == claims[0][2] and treatment not in {t for _, t, _ in used})
        if pair is not None and fits and len(used) < 2 and arms.get(treatment, 0) and arms.get(reference, 0):
            used.append((claim, treatment, pair))
    if not used:
        return None
    control = next(r for c, _, r in claims if c is used[0][0])
    names = [t for _, t, _ in used] + [control]
    found = check.rank_sizes([pair for _, _, pair in used], [arms[name] for name in names])
    labels = tuple(claim.name for claim, _, _ in used)
    if not found.any:
        return SizeRange(labels, {}, {})
    sizes = dict(zip(names, zip(found.best, found.low, found.high, strict=True), strict=True))
    return SizeRange(labels, sizes, dict(zip(labels, found.win_probability, strict=True)))


def _rank_pair(claim: Claim) -> check.RankPair | None:
    treatment, reference = claim.number("treatment", "ls_mean"), claim.number("reference", "ls_mean")
    if treatment is None or reference is None:
        return None
    p = claim.number("contrast", "p_value")
    exact = p.value if p is not None and p.relation == "=" else None
    return check.RankPair(treatment.value, reference.value, exact)


def _relations(claim: Claim, rank: bool) -> Iterator[tuple[str, Interval, Interval]]:
    means = claim.number("treatment", "ls_mean"), claim.number("reference", "ls_mean")
    difference = claim.number("contrast", "difference")
    if difference is not None and means[0] is not None and means[1] is not None:
        yield "difference of the LS means", _span(difference), check.difference_of(_span(means[0]), _span(means[1]))
    yield from _of_interval(claim, difference, ("conf_low", "conf_high"), ratio=False)
    for name, limits in RATIOS.items():
        yield from _of_interval(claim, claim.number("contrast", name), limits, ratio=True)
    error, p = claim.number("contrast", "se"), claim.number("contrast", "p_value")
    estimate = _span(difference) if difference is not None else _difference(means)
    if error is not None and p is not None and estimate is not None:
        yield "p of estimate and standard error", _p(p), check.p_of_error(estimate, _span(error), dfs=_dfs(claim))
    if rank:
        yield from _of_ranks(claim, means)


def _of_interval(
    claim: Claim, estimate: Printed | None, names: tuple[str, str], *, ratio: bool
) -> Iterator[tuple[str, Interval, Interval]]:
    low, high = (claim.number("contrast", name) for name in names)
    if low is None or high is None:
        return
    limits = _span(low), _span(high)
    if estimate is not None:
        yield "estimate and its interval", _span(estimate), check.centre_of(*limits, ratio=ratio)
    error, p = claim.number("contrast", "se"), claim.number("contrast", "p_value")
    if error is not None and not ratio:
        yield "standard error and interval", _span(error), check.standard_errors_of(*limits, dfs=_dfs(claim))
    if p is None or (ratio and min(limits[0][0], limits[1][0]) <= 0.0):
        return
    middle = _span(estimate) if estimate is not None else check.centre_of(*limits, ratio=ratio)
    if ratio:
        middle, limits = _log(middle), (_log(limits[0]), _log(limits[1]))
    normal = "hr_low" in names and claim.number("contrast", "df") is None
    dfs = check.NORMAL if normal else _dfs(claim)
    yield "p of estimate and interval", _p(p), check.p_of_limits(middle, *limits, dfs=dfs)


def _of_ranks(claim: Claim, means: tuple[Printed | None, Printed | None]) -> Iterator[tuple[str, Interval, Interval]]:
    sizes = claim.number("treatment", "n"), claim.number("reference", "n")
    if means[0] is None or means[1] is None or sizes[0] is None or sizes[1] is None:
        return
    n = round(sizes[0].value), round(sizes[1].value)
    if min(n) < 1:
        return
    implied = check.mean_rank_total(_span(means[0]), n[0], _span(means[1]), n[1])
    total = float(sum(n))
    yield "N of the mean ranks", (total * (1 - check.SLACK), total * (1 + check.SLACK)), implied
    win = claim.number("contrast", "win_probability")
    if win is not None:
        low, high = check.difference_of(_span(means[0]), _span(means[1]))
        ends = [0.5 + d / (total * (1 + s)) for d in (low, high) for s in (-check.SLACK, check.SLACK)]
        yield "win probability of the mean ranks", _span(win), (min(ends), max(ends))


def _difference(means: tuple[Printed | None, Printed | None]) -> Interval | None:
    return None if means[0] is None or means[1] is None else check.difference_of(_span(means[0]), _span(means[1]))


def _dfs(claim: Claim) -> tuple[float, ...]:
    """Degrees of freedom as published, else none below what two arms of their size leave to a dozen coefficients."""
    df = claim.number("contrast", "df")
    if df is not None:
        return (df.value,)
    sizes = claim.number("treatment", "n"), claim.number("reference", "n")
    if sizes[0] is not None and sizes[1] is not None:
        return check.degrees(max(2.0, sizes[0].value + sizes[1].value - 12.0))
    return check.degrees()


def _span(number: Printed) -> Interval:
    return number.low, number.high


def _p(number: Printed) -> Interval:
    return max(number.low, 0.0), min(number.high, 1.0)


def _log(interval: Interval) -> Interval:
    return math.log(max(interval[0], 1e-300)), math.log(interval[1])
