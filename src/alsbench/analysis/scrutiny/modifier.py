"""Tests that look at many groups of one column at once, and pay for it: the largest of their statistics under permutation.

``sup_effect``: is there an effect in any group? Arms are dealt again within strata, the smallest p over the groups
compared. ``sup_difference``: does the effect differ between groups? Who is in which group is permuted within arm,
covariates and outcome staying with the subject (Bonetti, Zahrieh, Cole and Gelber 2009, doi 10.1002/sim.3524).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.scrutiny.finding import Finding
from alsbench.analysis.scrutiny.outcomes import Measured, measured, own_visit
from alsbench.analysis.search import rearranged
from alsbench.analysis.source import BoolArray
from alsbench.analysis.subgroups import members
from alsbench.stats.errors import StatsError
from alsbench.stats.mid_ranks import mid_ranks
from alsbench.stats.permuted_trials import arm_tests
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """A comparison's outcome over the whole population: codes of its arms, and the arms of the outcome's subjects."""

    whole: Measured
    treated: int
    reference: int
    arm: NDArray[np.int8]


def pair_of(finding: Finding, comparison: Comparison) -> Pair:
    """The finding's endpoint in everybody, of one comparison at its visit."""
    source, order = finding.source, finding.source.study.arms.order
    everybody = members(source, "overall", finding.population)
    whole = measured(source, finding.endpoint, comparison, own_visit(source, finding.endpoint, comparison), everybody)
    codes = source.planned_arm[whole.subject].astype(np.int8)
    treated, reference = order.index(comparison.treatment), order.index(comparison.reference)
    if not whole.outcome.whole:  # a third arm has no part in a comparison of two
        whole = whole.at(np.flatnonzero(np.isin(codes, (treated, reference))))
        codes = source.planned_arm[whole.subject].astype(np.int8)
    return Pair(whole, treated, reference, codes)


def sup_effect(finding: Finding, comparison: Comparison, groups: list[BoolArray]) -> float:
    """P that re-randomised arms give as small a p in any of ``groups`` (masks over the subjects of the source)."""
    source, order = finding.source, finding.source.study.arms.order
    everybody = members(source, "overall", finding.population)
    whole = measured(source, finding.endpoint, comparison, own_visit(source, finding.endpoint, comparison), everybody)
    arms = rearranged(source, finding.endpoint, finding.population, finding.draws)
    smallest = np.ones(arms.shape[0])
    with one_blas_thread():
        for mask in groups:
            part = whole.take(mask)
            if part.subject.size:
                p = part.tests(arms, order.index(comparison.treatment), order.index(comparison.reference)).p
                smallest = np.fmin(smallest, p)
    return (1 + int((smallest[1:] <= smallest[0] * (1 + 1e-9)).sum())) / (finding.draws + 1)


def sup_difference(finding: Finding, comparison: Comparison, groups: list[BoolArray], *, against: str) -> float:
    """P that groups dealt again within arm differ as much in effect from the ``rest``, or from ``all``, as the most
    different of ``groups`` does.

    Each group's difference is in units of its own spread over the permutations. Raises StatsError for time to event, and
    where no group can be compared.
    """
    pair = pair_of(finding, comparison)
    if pair.whole.day is not None:
        raise StatsError("there is no permutation test of the difference for time to event")
    outcome = replace(pair.whole.outcome, unit=True)  # rank differences grow with the number ranked: per subject ranked
    whole = replace(pair.whole, outcome=outcome)
    inside = np.array([mask[whole.subject] for mask in groups])
    everyone = float(_estimates(pair, whole, np.ones((1, whole.subject.size)))[0])
    shuffled = _shuffled(pair.arm, finding.draws, seed=finding.endpoint.seed)
    largest = np.zeros(finding.draws + 1)
    compared = 0
    with one_blas_thread():
        for mask in inside:
            member = mask[shuffled].astype(np.float64)
            found = _estimates(pair, whole, member)
            other = _estimates(pair, whole, 1.0 - member) if against == "rest" else np.full(found.size, everyone)
            apart = found - other
            spread = float(np.nanstd(apart[1:])) if np.isfinite(apart[1:]).any() else 0.0
            if spread > 0 and np.isfinite(apart[0]):
                compared += 1
                largest = np.fmax(largest, np.abs(apart) / spread)
    if not compared:
        raise StatsError("in no group can the effect be estimated")
    return (1 + int((largest[1:] >= largest[0] * (1 - 1e-9)).sum())) / (finding.draws + 1)


def interaction_parts(finding: Finding, comparison: Comparison, modifier: Floats) -> tuple[Floats, Floats, Floats]:
    """(response (n,), other terms (n, k), arm by modifier (n,)) of the endpoint's model with a subject-level ``modifier``.

    Arms, covariates and the modifier are the other terms; subjects without a modifier are left out. A joint rank is of both
    parts together. Raises StatsError for time to event.
    """
    pair = pair_of(finding, comparison)
    if pair.whole.day is not None:
        raise StatsError("there is no permutation test of the interaction for time to event")
    value = modifier[pair.whole.subject]
    whole = pair.whole.at(np.flatnonzero(np.isfinite(value)))
    arm = pair.arm[np.isfinite(value)]
    value = value[np.isfinite(value)]
    if value.size == 0:
        raise StatsError("nobody has a value of the modifier")
    value = value - value.mean()
    o = whole.outcome
    y = o.response if o.scores is None else mid_ranks(o.scores, np.ones((1, value.size)), o.strata, unit=o.unit)[0]
    if y is None:
        raise StatsError("the outcome has neither response nor scores")
    dummies = np.array([arm == c for c in np.unique(arm) if c != pair.reference], dtype=np.float64)
    if pair.treated not in arm or pair.reference not in arm:
        raise StatsError("an arm is missing")
    crossed = dummies * value
    own = [int(c) for c in np.unique(arm) if c != pair.reference].index(pair.treated)
    rest = np.delete(crossed, own, axis=0)
    others = np.column_stack([*dummies, value, o.covariates, *rest])
    return y, others, crossed[own]


def _estimates(pair: Pair, whole: Measured, member: Floats) -> Floats:
    return arm_tests(whole.outcome, pair.arm[None, :], pair.treated, pair.reference, weights=member).estimate


def _shuffled(arm: NDArray[np.int8], draws: int, *, seed: int) -> NDArray[np.int64]:
    """(draws + 1, n): the subject whose value each takes: first everyone's own, then somebody's of the same arm."""
    rng = np.random.default_rng(seed)
    index = np.tile(np.arange(arm.size), (draws + 1, 1))
    for code in np.unique(arm):
        same = np.flatnonzero(arm == code)
        index[1:, same] = rng.permuted(np.tile(same, (draws, 1)), axis=1)
    return index
