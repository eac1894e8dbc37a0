"""The whole search: every place where somebody with this trial and this study file could look for an effect.

A place is a definition (overall, every declared subgroup and its complement), an endpoint, a comparison and a visit. Two
questions are asked of all of them at once. How often does a trial without any effect offer a p as small, somewhere (arms
dealt again within strata, every place tested anew)? And does a part gain more than the rest (residuals of the null model
permuted within arm, every interaction fitted anew)? A test that cannot be made counts as p = 1, in the trial as it was as
in the copies.

An MMRM's visit, a slope and a time to event are tested by stand-ins (:mod:`alsbench.analysis.scrutiny.outcomes`), and
compared with stand-ins. Arms are dealt within the cross-classification of all stratification factors that the endpoints
name: finer strata than those of the randomisation keep the test valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.looks import Looked
from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.model_data import strata_codes
from alsbench.analysis.question import OVERALL
from alsbench.analysis.scrutiny.outcomes import SEARCHED, Measured, data_fault, measured, own_visit, searched_visits
from alsbench.analysis.source import BoolArray, Source
from alsbench.analysis.subgroups import describe, members
from alsbench.errors import AlsbenchError
from alsbench.stats.interaction_search import InteractionOutcome, InteractionSearch, PermutedInteractions, largest_sizes
from alsbench.stats.mid_ranks import mid_ranks
from alsbench.stats.permutation_search import (
    TILE,
    DealtSearch,
    LinearOutcome,
    PermutationSearch,
    RankOutcome,
    SearchOutcome,
    SearchTest,
    TimeOutcome,
    dealt_extremes,
    dealt_p_values,
    permuted_arms,
)
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison, Endpoint

Floats = NDArray[np.float64]

SLACK = 1e-9  # two p-values are the same within this, relatively: machines differ in the last bits
AT_ONCE, MOST_AT_ONCE = 1, 16  # tiles in a block
BLOCKS = 1000  # from so many on, blocks are made larger
ALPHA = 0.05
NO_INTERACTION = ("time_to_event",)


@dataclass(frozen=True)
class Place:
    """One place of the search; ``visit`` is None where the endpoint has none."""

    definition: str
    endpoint: Endpoint
    comparison: Comparison
    visit: float | None
    at_horizon: bool


@dataclass(frozen=True)
class Share:
    """A resampled p: (1 + ``hits``) / (1 + ``draws``), with its Monte Carlo error."""

    hits: int
    draws: int

    @property
    def p(self) -> float:
        """Never 0 (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585)."""
        return (1 + self.hits) / (1 + self.draws)

    @property
    def error(self) -> float:
        """The Monte Carlo standard error."""
        return float(np.sqrt(self.p * (1.0 - self.p) / self.draws))

    def near(self, threshold: float) -> bool:
        """Whether the threshold lies within two Monte Carlo errors."""
        return abs(self.p - threshold) <= 2.0 * self.error


class WholeSearch:
    """Every place of a study's search, ready to be asked in permuted copies of the trial."""

    def __init__(
        self,
        source: Source,
        *,
        populations: Mapping[str, str] | None = None,
        phrases: Sequence[str] = (),
        looked: Looked | None = None,
        wanted: Callable[[Place], bool] | None = None,
        seed: int = 1,
    ) -> None:
        """``populations`` replace those of endpoints, by name; ``phrases`` are looked at beside the declared definitions.

        An endpoint whose data cannot be analysed, one without a test in permuted trials, and an expression that can no
        longer be read stand in ``left_out`` with the reason.
        """
        self.source, self.seed = source, seed
        looked = looked or Looked()
        asked = [*evidence_endpoints(source), *looked.endpoints]
        faults = [data_fault(source, e) for e in asked]
        left_out = [
            e.name if fault is None else f"{e.name} ({fault.what})"
            for e, fault in zip(asked, faults, strict=True)
            if e.method not in SEARCHED or e.weights or fault is not None
        ]
        self.endpoints = [
            e for e, fault in zip(asked, faults, strict=True) if e.method in SEARCHED and not e.weights and fault is None
        ]
        self.comparisons = (*source.study.comparisons, *looked.comparisons)
        given = populations or {}
        self.populations = {e.name: given.get(e.name) or source.default_population(e) for e in self.endpoints}
        names = [s.name for s in source.study.subgroups]
        self.definitions = tuple(
            dict.fromkeys([OVERALL, *(phrase for name in names for phrase in (name, f"not {name}")), *phrases])
        )
        self.expressions = tuple(text for text in looked.definitions if _readable(source, text))
        left_out += [f"{text} (it can no longer be read)" for text in looked.definitions if text not in self.expressions]
        self.left_out = tuple(left_out)
        self._wanted = wanted
        self._whole: dict[tuple[int, float | None], Measured] = {}
        self.strata = tuple(dict.fromkeys(column for e in self.endpoints for column in e.strata))
        self.arm = self._dealt_among()
        self.codes = strata_codes(source, self.strata, np.arange(self.arm.size, dtype=np.int64))
        self.places, self._search = self._made_ready()

    def _dealt_among(self) -> NDArray[np.int8]:
        """Arm codes (subjects,) of whoever is in a population of an endpoint, else -1."""
        inside = np.zeros(self.source.planned_arm.size, dtype=bool)
        for population in dict.fromkeys(self.populations.values()):
            inside |= self.source.population(population)
        return np.where(inside, self.source.planned_arm, -1).astype(np.int8)

    def whole(self, endpoint: Endpoint, visit: float | None) -> Measured:
        """The endpoint at a visit in everybody of its population."""
        key = (self.endpoints.index(endpoint), visit)
        if key not in self._whole:
            everybody = members(self.source, OVERALL, self.populations[endpoint.name])
            self._whole[key] = measured(self.source, endpoint, self.comparisons[0], visit, everybody)
        return self._whole[key]

    @cached_property
    def upward(self) -> Floats:
        """(places,) 1 where a larger t is the better one for the treatment, else -1."""
        return np.array([1.0 if higher_is_better(place.endpoint) else -1.0 for place in self.places])

    def measured_at(self, place: Place) -> Measured:
        """What is compared at a place."""
        return self.whole(place.endpoint, place.visit).take(self._masks(place.endpoint)[place.definition])

    def _masks(self, endpoint: Endpoint) -> dict[str, BoolArray]:
        """Who is in each definition (subjects,), those that are looked at no more and their complements included."""
        population = self.populations[endpoint.name]
        masks = {d: members(self.source, d, population).mask for d in self.definitions}
        inside = self.source.population(population)
        for text in self.expressions:
            found = describe(self.source, text)
            masks[text] = found.mask & inside
            masks[f"not ({text})"] = found.decided & ~found.mask & inside
        return masks

    def _made_ready(self) -> tuple[tuple[Place, ...], PermutationSearch]:
        order = self.source.study.arms.order
        places: list[Place] = []
        tests: list[SearchTest] = []
        outcomes: list[SearchOutcome] = []
        for endpoint in self.endpoints:
            masks = self._masks(endpoint)
            horizons = {c.name: own_visit(self.source, endpoint, c) for c in self.comparisons}
            for visit in dict.fromkeys([*searched_visits(self.source, endpoint), *horizons.values()]):
                for definition, mask in masks.items():
                    here = [Place(definition, endpoint, c, visit, visit == horizons[c.name]) for c in self.comparisons]
                    here = [p for p in here if self._wanted is None or self._wanted(p)]
                    if here:
                        outcomes.append(_searched(self.whole(endpoint, visit).take(mask)))
                    for one in here:
                        places.append(one)
                        comparison = one.comparison
                        treated, reference = order.index(comparison.treatment), order.index(comparison.reference)
                        tests.append(SearchTest(len(outcomes) - 1, treated, reference))
        return tuple(places), PermutationSearch(outcomes, tests, self.arm.size)

    def at(self, definition: str, endpoint: str, comparison: str, visit: float | None = None) -> int:
        """The position of a place, at a visit or (None) where the comparison is read. Raises KeyError where it is not
        searched."""
        for i, place in enumerate(self.places):
            if (place.definition, place.endpoint.name, place.comparison.name) == (definition, endpoint, comparison) and (
                place.at_horizon if visit is None else place.visit == visit
            ):
                return i
        raise KeyError((definition, endpoint, comparison, visit))

    def _dealt(self, scopes: Sequence[NDArray[np.int64]] = ()) -> DealtSearch:
        """The search as it is sent to whoever computes tiles of it."""
        return DealtSearch(self._search, self.arm, self.codes, self.seed, tuple(scopes), self.upward, ALPHA)

    def tile(self, number: int) -> tuple[NDArray[np.int8], Floats, Floats]:
        """A tile of permuted trials: arms (256, subjects), t and degrees of freedom (256, places)."""
        t, df = self._dealt().tested([number])
        return permuted_arms(self.arm, self.codes, [number], seed=self.seed), t, df

    @cached_property
    def observed(self) -> tuple[Floats, Floats]:
        """t and p (places,) of the trial as it was; p = 1 and t = NaN where a test cannot be made."""
        from scipy.special import stdtr  # waits: scipy

        with one_blas_thread():
            t, df = (values[0] for values in self._search.run(self.arm[None, :]))
        p = 2.0 * stdtr(np.where(np.isnan(df), 1.0, df), -np.abs(t))
        return t, np.where(np.isnan(t), 1.0, p)

    def p_values(self, draws: int) -> Floats:
        """p (draws + 1, places): of the trial as it was, then of permuted ones; 1 where a test cannot be made."""
        found = self.source.compute.submit(dealt_p_values, self._dealt(), tile_blocks(draws), title="permuted trials")
        return np.concatenate([self.observed[1][None, :], *found])[: draws + 1]

    def run(self, scopes: Sequence[NDArray[np.int64]], draws: int) -> tuple[Floats, NDArray[np.bool_]]:
        """(draws, scopes) over permuted trials: the smallest p among the places of each scope, and whether any of them has
        p < 0.05 in favour of the treatment."""
        blocks = self.source.compute.submit(dealt_extremes, self._dealt(scopes), tile_blocks(draws), title="permuted trials")
        found, offers = zip(*blocks, strict=True)
        return np.concatenate(found)[:draws], np.concatenate(offers)[:draws]

    def smallest(self, tiles: Sequence[int]) -> Floats:
        """The smallest p of all (256 a tile,) in the permuted trials of these tiles, computed here and now."""
        return dealt_extremes(self._dealt([np.arange(len(self.places))]), tiles)[0][:, 0]

    def interactions(self, endpoint: Endpoint, comparison: Comparison, visit: float | None) -> InteractionSearch | None:
        """The interactions of every declared definition with treatment at a visit; None where the endpoint has no such test."""
        if endpoint.method in NO_INTERACTION:
            return None
        order = self.source.study.arms.order
        treated, reference = order.index(comparison.treatment), order.index(comparison.reference)
        whole = self.whole(endpoint, visit)
        arm = self.arm[whole.subject]
        if not whole.outcome.whole:
            whole = whole.at(np.flatnonzero(np.isin(arm, (treated, reference))))
            arm = self.arm[whole.subject]
        outcome = whole.outcome
        response = outcome.response
        if outcome.scores is not None:
            everybody = np.ones((1, whole.subject.size))
            response = mid_ranks(outcome.scores, everybody, outcome.strata, unit=outcome.unit)[0]
        if response is None:
            return None
        parts = np.array([part[whole.subject] for part in self._parts(endpoint)]).reshape(len(self.parts), -1)
        ready = InteractionOutcome(whole.subject, arm, response, outcome.covariates, parts)
        return InteractionSearch(ready, treated, reference, self.arm)

    @property
    def parts(self) -> tuple[str, ...]:
        """The definitions whose interactions are tested: those of the study file and those looked at before, without
        complements: an interaction is of both."""
        return (*(s.name for s in self.source.study.subgroups), *self.expressions)

    def _parts(self, endpoint: Endpoint) -> list[Floats]:
        population = self.populations[endpoint.name]
        found = [members(self.source, s.name, population) for s in self.source.study.subgroups]
        found += [describe(self.source, text) for text in self.expressions]
        return [np.where(m.decided, m.mask.astype(np.float64), np.nan) for m in found]


@dataclass(frozen=True)
class Interactions:
    """Permuted interactions of several (endpoint, comparison, visit): ``observed`` size of t by definition, ``largest``
    (draws,) of each over the definitions, NaN where nothing is estimable."""

    observed: Mapping[tuple[str, str, float | None], Mapping[str, float]]
    largest: Mapping[tuple[str, str, float | None], Floats]

    @cached_property
    def everything(self) -> Floats:
        """The largest of all (draws,)."""
        return np.asarray(np.fmax.reduce(list(self.largest.values())))

    @cached_property
    def every_visit(self) -> Mapping[tuple[str, str], Floats]:
        """The largest (draws,) of an endpoint and comparison over definitions and visits."""
        pairs = dict.fromkeys(key[:2] for key in self.largest)
        return {pair: np.fmax.reduce([v for key, v in self.largest.items() if key[:2] == pair]) for pair in pairs}

    def shares(self, key: tuple[str, str, float | None], part: str, *, over_visits: bool = False) -> tuple[Share, Share] | None:
        """The p of a definition's interaction among the definitions (``over_visits``: and visits), and over all that was
        looked at; None where it has none."""
        size = self.observed.get(key, {}).get(part, float("nan"))
        if not np.isfinite(size):
            return None
        among = self.every_visit[key[:2]] if over_visits else self.largest[key]
        return _as_large(among, size), _as_large(self.everything, size)


def interactions(search: WholeSearch, draws: int, visits: Sequence[float] = ()) -> Interactions:
    """The interactions of every endpoint and comparison where they are read, and at ``visits``, in one set of permutations."""
    ready: dict[tuple[str, str, float | None], InteractionSearch] = {}
    for endpoint in search.endpoints:
        for comparison in search.comparisons:
            own = own_visit(search.source, endpoint, comparison)
            analysed = searched_visits(search.source, endpoint)
            for visit in dict.fromkeys([own, *(v for v in visits if v in analysed)]):
                found = search.interactions(endpoint, comparison, visit)
                if found is not None:
                    ready[endpoint.name, comparison.name, visit] = found
    permuted = PermutedInteractions(tuple(ready.values()), search.arm, search.seed)
    blocks = search.source.compute.submit(largest_sizes, permuted, tile_blocks(draws), title="permuted interactions")
    largest = np.concatenate(list(blocks))[:draws]
    with one_blas_thread():
        observed = {key: dict(zip(search.parts, one.observed().tolist(), strict=True)) for key, one in ready.items()}
    return Interactions(observed, {key: largest[:, i] for i, key in enumerate(ready)})


def tile_blocks(draws: int) -> list[range]:
    """The tiles of so many draws, in blocks that are computed one at a time: a tile each, and more where there are many, since
    every block passes through the hands of whoever deals them out."""
    last = -(-draws // TILE)
    size = max(AT_ONCE, min(MOST_AT_ONCE, -(-last // BLOCKS)))
    return [range(start, min(start + size, last)) for start in range(0, last, size)]


def _as_large(null: Floats, size: float) -> Share:
    return Share(int((null >= size * (1.0 - SLACK)).sum()), null.size)


def _readable(source: Source, text: str) -> bool:
    try:
        describe(source, text)
    except AlsbenchError:
        return False
    return True


def rearranged(source: Source, endpoint: Endpoint, population: str, draws: int) -> NDArray[np.int8]:
    """Arms (draws + 1, subjects): as they were, then dealt again within the endpoint's strata among its population; -1
    elsewhere."""
    inside = source.population(population) & (source.planned_arm >= 0)
    arm = np.where(inside, source.planned_arm, -1).astype(np.int8)
    codes = strata_codes(source, endpoint.strata, np.arange(arm.size, dtype=np.int64))
    dealt = permuted_arms(arm, codes, range(-(-draws // TILE)), seed=endpoint.seed)
    return np.concatenate([arm[None, :], dealt[:draws]])


def share(null: Floats, observed: float) -> Share:
    """How many of the smallest p (draws,) are as small as the observed one."""
    return Share(int((null <= observed * (1.0 + SLACK)).sum()), null.size)


def _searched(part: Measured) -> SearchOutcome:
    outcome = part.outcome
    if part.day is not None and part.event is not None and part.strata is not None:
        return TimeOutcome(part.subject, part.day, part.event, part.strata)
    if outcome.scores is not None:
        return RankOutcome(part.subject, outcome.covariates, outcome.scores, outcome.strata, outcome.unit, outcome.whole)
    if outcome.response is None:
        raise ValueError("an outcome has a response, scores or times")
    return LinearOutcome(part.subject, outcome.covariates, outcome.response, outcome.whole)
