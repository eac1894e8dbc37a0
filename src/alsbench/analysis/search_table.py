"""A whole search, done and tabulated: what is kept of it, and what is read off it. It tells of no subject.

What is computed stands in :mod:`alsbench.analysis.search`. Interactions where comparisons are read belong to the table;
those at every visit (LateInteractions) and ever wider searches (Nested) are made when a finding asks for them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsbench.analysis.scrutiny.outcomes import searched_visits
from alsbench.analysis.search import Floats, Interactions, Share, WholeSearch, interactions, share

# Bounds of the classes in which the smallest p of permuted trials are counted: 1, 2 and 5 of every power of ten
EDGES = (0.0, *(float(f"{digit}e-{power}") for power in range(9, 0, -1) for digit in (1, 2, 5)), 1.0)
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class SearchPlace:
    """What was found at one place: ``t`` (None where it cannot be tested, ``p`` is then 1), and in how many of the permuted
    trials the smallest p of the whole search was as small (``hits``)."""

    definition: str
    endpoint: str
    method: str
    comparison: str
    visit: float | None
    at_horizon: bool
    t: float | None
    p: float
    hits: int


@dataclass(frozen=True)
class SearchTable:
    """The whole search of a trial, done: every place with its p over the search, and every declared definition's
    interaction.

    ``interactions`` are (endpoint, comparison, definition, size of t, hits among the definitions, hits in the search), of
    ``interaction_draws`` permutations. The smallest p of each permuted trial: ``counts`` in the classes between
    :data:`EDGES`, and its ``quantiles`` (:data:`QUANTILES`). It tells of no subject.
    """

    draws: int
    interaction_draws: int
    strata: tuple[str, ...]
    left_out: tuple[str, ...]
    places: tuple[SearchPlace, ...]
    interactions: tuple[tuple[str, str, str, float, int, int], ...]
    counts: tuple[int, ...]
    quantiles: tuple[float, ...]

    @property
    def size(self) -> str:
        """``11 definitions, 7 endpoints, 2 comparisons, every analysed visit``."""
        counts = [len({getattr(p, name) for p in self.places}) for name in ("definition", "endpoint", "comparison")]
        return "{} definitions, {} endpoints, {} comparisons, every analysed visit".format(*counts)

    def place(self, definition: str, endpoint: str, comparison: str, visit: float | None = None) -> SearchPlace | None:
        """A place at a visit or (None) where the comparison is read; None where it was not searched."""
        for p in self.places:
            if (p.definition, p.endpoint, p.comparison) == (definition, endpoint, comparison) and (
                p.at_horizon if visit is None else p.visit == visit
            ):
                return p
        return None

    def share(self, place: SearchPlace) -> Share:
        """How often a trial without any effect offers something as small, somewhere."""
        return Share(place.hits, self.draws)

    def interaction(self, endpoint: str, comparison: str, definition: str) -> tuple[Share, Share] | None:
        """p of the interaction among the definitions, and in the whole search; None where there is none."""
        for e, c, d, _, among, everywhere in self.interactions:
            if (e, c, d) == (endpoint, comparison, definition):
                return Share(among, self.interaction_draws), Share(everywhere, self.interaction_draws)
        return None


@dataclass(frozen=True)
class Nested:
    """A finding in ever wider searches: ``scopes`` are, by name, the number of tests, the smallest p, the permuted trials
    with one as small as the finding's ``p``, and the percentage that offers a favourable p below 0.05."""

    p: float
    testable: bool
    draws: int
    scopes: Mapping[str, tuple[int, float, int, float]]

    def share(self, scope: str) -> Share:
        """The adjusted p in a scope."""
        return Share(self.scopes[scope][2], self.draws)


def table_from(body: Mapping[str, Any]) -> SearchTable:
    """A table as it was kept."""
    return SearchTable(
        draws=body["draws"],
        interaction_draws=body["interaction_draws"],
        strata=tuple(body["strata"]),
        left_out=tuple(body["left_out"]),
        places=tuple(SearchPlace(**place) for place in body["places"]),
        interactions=tuple((e, c, d, size, among, everywhere) for e, c, d, size, among, everywhere in body["interactions"]),
        counts=tuple(body["counts"]),
        quantiles=tuple(body["quantiles"]),
    )


def late_from(body: Mapping[str, Any]) -> LateInteractions:
    """Late interactions as they were kept."""
    return LateInteractions(body["draws"], tuple((e, c, v, d, *rest) for e, c, v, d, *rest in body["found"]))


def nested_from(body: Mapping[str, Any]) -> Nested:
    """Nested searches as they were kept."""
    scopes = {name: (tests, smallest, hits, offers) for name, (tests, smallest, hits, offers) in body["scopes"].items()}
    return Nested(body["p"], body["testable"], body["draws"], scopes)


def tabulated(search: WholeSearch, smallest: Floats, crossed: Interactions) -> SearchTable:
    """A search with the ``smallest`` p (draws,) of its permuted trials."""
    t, p = search.observed
    places = tuple(
        SearchPlace(
            place.definition,
            place.endpoint.name,
            place.endpoint.method,
            place.comparison.name,
            place.visit,
            place.at_horizon,
            float(t[i]) if np.isfinite(t[i]) else None,
            float(p[i]),
            share(smallest, float(p[i])).hits,
        )
        for i, place in enumerate(search.places)
    )
    found = []
    draws = 0
    for endpoint, comparison, visit in crossed.observed:
        for part, size in crossed.observed[endpoint, comparison, visit].items():
            shares = crossed.shares((endpoint, comparison, visit), part)
            if shares is not None:
                draws = shares[0].draws
                found.append((endpoint, comparison, part, size, shares[0].hits, shares[1].hits))
    at = tuple(float(value) for value in np.quantile(smallest, QUANTILES))
    return SearchTable(smallest.size, draws, search.strata, search.left_out, places, tuple(found), counted(smallest), at)


def counted(smallest: Floats) -> tuple[int, ...]:
    """How many of the smallest p (draws,) lie in each class of :data:`EDGES`; a bound belongs to the class below it."""
    return tuple(np.bincount([class_of(p) for p in smallest.tolist()], minlength=len(EDGES) - 1).tolist())


def class_of(p: float) -> int:
    """The class of :data:`EDGES` that a p lies in."""
    return max(bisect_left(EDGES, p) - 1, 0)


@dataclass(frozen=True)
class LateInteractions:
    """Every declared definition's interaction at every visit: what is read off the comparisons' horizons is compared with the
    largest over visits too.

    ``found`` are (endpoint, comparison, visit, definition, size of t, hits among definitions and visits, hits in the search).
    """

    draws: int
    found: tuple[tuple[str, str, float | None, str, float, int, int], ...]

    def interaction(self, endpoint: str, comparison: str, definition: str, visit: float | None) -> tuple[Share, Share] | None:
        """As that of a :class:`SearchTable`, at a visit."""
        for e, c, v, d, _, among, everywhere in self.found:
            if (e, c, v, d) == (endpoint, comparison, visit, definition):
                return Share(among, self.draws), Share(everywhere, self.draws)
        return None


def late_interactions(search: WholeSearch, draws: int) -> LateInteractions:
    """The interactions at every visit of every endpoint, in one set of permutations."""
    visits = sorted({v for e in search.endpoints for v in searched_visits(search.source, e) if v is not None})
    crossed = interactions(search, draws, visits)
    found = []
    for key, parts in crossed.observed.items():
        for part, size in parts.items():
            shares = crossed.shares(key, part, over_visits=True)
            if shares is not None:
                found.append((*key, part, size, shares[0].hits, shares[1].hits))
    return LateInteractions(draws, tuple(found))
