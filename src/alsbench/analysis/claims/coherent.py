"""Does a claim agree with itself? No data are needed for it: the trial's arms only narrow what mean ranks say of a subgroup.

Do the claims of one file agree with each other? The same number told twice, a subgroup larger than everybody, a first
month of significance beside the p of another month. No data are needed for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alsbench.analysis.claims.relations import named, relations, span_of
from alsbench.analysis.question import OVERALL
from alsbench.stats import coherence as check
from alsbench.stats.proportions import zero_events
from alsbench.study.claims import PARTS, Claim, Printed

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
    """The sizes of the arms of a subgroup that published mean ranks imply, (best, low, high) by arm, and for each claim the
    win probability likewise. Empty ``sizes``: no sizes agree with the numbers."""

    claims: tuple[str, ...]
    sizes: dict[str, tuple[int, int, int]]
    win_probability: dict[str, tuple[float, float, float]]

    @property
    def coherent(self) -> bool:
        return bool(self.sizes)


@dataclass(frozen=True)
class NoneOf:
    """A published count of nobody: what of ``n`` subjects it leaves open, the one-sided upper 95 % bound in percent."""

    claim: str
    of: str
    n: int
    upper: float


def coherence(claim: Claim, *, rank: bool = False) -> list[Relation]:
    """Every relation that the numbers of a claim allow to be checked; ``rank`` where they are of a joint rank."""
    return [Relation(claim.name, what, published, implied) for what, published, implied in relations(claim, rank=rank)]


def none_of(claim: Claim) -> list[NoneOf]:
    """The counts of a claim that are zero, where it says of how many: about three over n (Hanley and Lippman-Hand 1983)."""
    found = []
    for part in PARTS:
        count, n = claim.number(part, "count"), claim.number(part, "n")
        if count is not None and n is not None and count.relation == n.relation == "=" and count.value == 0.0 and n.value >= 1:
            upper = 100.0 * zero_events(round(n.value)).one_sided
            found.append(NoneOf(claim.name, named(part, claim.line or "count"), round(n.value), upper))
    return found


def implied_sizes(claims: Sequence[tuple[Claim, str, str]], arms: dict[str, int]) -> SizeRange | None:
    """What the mean ranks of one subgroup, in one or two (claim, treatment, reference) that share the control, say of its
    arms.

    Sizes that a claim gives are taken; whether there are any is asked of the claims alone. ``arms``, the subjects of each
    arm overall, narrow the sizes where they agree with the claims: of another, larger trial they say nothing. None where
    the claims lack mean ranks or do not share their control."""
    used: list[tuple[Claim, str, check.RankPair]] = []
    for claim, treatment, reference in claims:
        pair = _rank_pair(claim)
        fits = not used or (reference == claims[0][2] and treatment not in {t for _, t, _ in used})
        if pair is not None and fits and len(used) < 2:
            used.append((claim, treatment, pair))
    if not used:
        return None
    control = next(r for c, _, r in claims if c is used[0][0])
    names, pairs = [t for _, t, _ in used] + [control], [pair for _, _, pair in used]
    labels = tuple(claim.name for claim, _, _ in used)
    possible = check.rank_sizes(pairs, slack=check.MOST_SLACK, variance=check.MOST_VARIANCE)
    if not possible.any:
        return SizeRange(labels, {}, {})
    here = [arms.get(name, 0) for name in names]
    narrow = [check.rank_sizes(pairs, here)] if min(here) > 0 else []
    found = next((sizes for sizes in (*narrow, check.rank_sizes(pairs)) if sizes.any), possible)
    sizes = dict(zip(names, zip(found.best, found.low, found.high, strict=True), strict=True))
    return SizeRange(labels, sizes, dict(zip(labels, found.win_probability, strict=True)))


def _rank_pair(claim: Claim) -> check.RankPair | None:
    treatment, reference = claim.number("treatment", "ls_mean"), claim.number("reference", "ls_mean")
    if treatment is None or reference is None or treatment.value <= 0 or reference.value <= 0:
        return None
    p = claim.number("contrast", "p_value")
    span = None if p is None or claim.sides == 1 else (max(p.low, 0.0), min(p.high, 1.0))
    sizes = claim.number("treatment", "n"), claim.number("reference", "n")
    known = None
    if sizes[0] is not None and sizes[1] is not None and min(sizes[0].value, sizes[1].value) >= 1:
        known = round(sizes[0].value), round(sizes[1].value)
    return check.RankPair(treatment.value, reference.value, span, known)


Found = tuple[str, Printed, tuple[float, float], str]  # what, the number, what the other claim implies, its statistic
ALPHA = 0.05
EDGE = 1e-6  # relative: "<0.05" is not 0.05


def across(claims: Sequence[Claim]) -> dict[str, list[Relation]]:
    """The relations between claims, by the name of the later one of each two."""
    found: dict[str, list[Relation]] = {claim.name: [] for claim in claims}
    for claim in claims:
        for what, number, implied, stat in (*_months(claim, claim), *_first_months(claim, claim)):
            found[claim.name].append(Relation(claim.name, what, span_of(stat, number), implied))
    for first, second in _of_one_analysis(claims):
        for what, number, implied, stat in _between(first, second):
            found[second.name].append(Relation(second.name, f"{what} ({first.name})", span_of(stat, number), implied))
    return {name: list(dict.fromkeys(relations)) for name, relations in found.items()}


def _of_one_analysis(claims: Sequence[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Every two claims about the same analysis, in the order of the file."""
    groups: dict[tuple[object, ...], list[Claim]] = {}
    for claim in claims:
        groups.setdefault(_analysis(claim), []).append(claim)
    for group in groups.values():
        yield from itertools.combinations(group, 2)


def _between(first: Claim, second: Claim) -> Iterator[Found]:
    same = first.subgroup == second.subgroup
    if same and first.visit == second.visit and first.line == second.line and first.arms == second.arms:
        yield from _told_twice(first, second)
    if not same and OVERALL in (first.subgroup, second.subgroup) and first.visit == second.visit:
        yield from _part_of_all(first, second)
    if same and first.comparison == second.comparison:
        yield from _months(first, second)
        if first.line == second.line:
            yield from _first_months(first, second)


def _analysis(claim: Claim) -> tuple[object, ...]:
    """What two claims must share to be about the same analysis, at any visit and in any subgroup."""
    options = tuple(sorted(claim.options.items()))
    return claim.endpoint, claim.population, claim.method, claim.covariance, claim.df, options, claim.level, claim.sides


def _told_twice(first: Claim, second: Claim) -> Iterator[Found]:
    """The same statistic of the same arm or contrast must be the same number."""
    if first.comparison != second.comparison:
        return
    for part, stat, number in second.numbers():
        other = first.number(part, stat)
        if other is not None:
            low, high = span_of(stat, other)
            inside = 1e-3 * other.half if high > low else 0.0  # 0.43 and 0.44 do not meet in 0.435
            yield named(part, f"{stat} as told before"), number, (low + inside, high - inside), stat


def _part_of_all(first: Claim, second: Claim) -> Iterator[Found]:
    """A subgroup has no more subjects, nor counted ones, than everybody."""
    if first.comparison != second.comparison or first.line != second.line or first.arms != second.arms:
        return
    for part, stat, number in second.numbers():
        other = first.number(part, stat)
        if stat not in ("n", "count") or part == "contrast" or other is None:
            continue
        if second.subgroup == OVERALL:
            yield named(part, f"{stat} at least that of the subgroup"), number, (span_of(stat, other)[0], float("inf")), stat
        else:
            yield named(part, f"{stat} at most that of all"), number, (0.0, span_of(stat, other)[1]), stat


def _months(first: Claim, second: Claim) -> Iterator[Found]:
    """The first month of a p below 0.05, the first from which it stays below, and the p of a month."""
    for told, other in ((first, second), (second, first)):
        p, month = other.number("contrast", "p_value"), _month(other)
        if p is None or month is None or other.line or told.sides != other.sides:
            continue
        start = told.number("contrast", "first_visit")
        lasting = told.number("contrast", "first_lasting_visit")
        if start is not None and month < start.value - 0.5:
            yield "p before the first month below 0.05", p, (ALPHA * (1 + EDGE), 1.0), "p_value"
        if (start is not None and month == start.value) or (lasting is not None and month >= lasting.value):
            yield "p from the first month below 0.05", p, (0.0, ALPHA * (1 - EDGE)), "p_value"


def _first_months(first: Claim, second: Claim) -> Iterator[Found]:
    """The first month from which p stays below 0.05 is not before the first in which it is."""
    for once, lasting in ((first, second), (second, first)):
        begun, stays = once.number("contrast", "first_visit"), lasting.number("contrast", "first_lasting_visit")
        if begun is not None and stays is not None:
            yield "first_lasting_visit not before first_visit", stays, (begun.low, float("inf")), "first_lasting_visit"


def _month(claim: Claim) -> float | None:
    try:
        return None if claim.visit is None else float(claim.visit)
    except ValueError:  # the label of a visit
        return None
