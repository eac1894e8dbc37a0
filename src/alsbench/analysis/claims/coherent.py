"""Does a claim agree with itself? No data are needed for it: the trial's arms only narrow what mean ranks say of a subgroup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alsbench.analysis.claims.relations import named, relations
from alsbench.stats import coherence as check
from alsbench.stats.proportions import zero_events
from alsbench.study.claims import PARTS, Claim

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
