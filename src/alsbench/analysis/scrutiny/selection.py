"""How often would a trial without any effect offer a result as good, to somebody who looks wherever we could look?

Arms are dealt again over the whole trial, within strata, and the declared search is repeated in each: every definition of a
subgroup, endpoint, comparison and visit of the study file. The adjusted p is the share of trials whose smallest p is at most
the finding's, (1 + count) / (draws + 1) (min-p: Westfall and Young 1993; Phipson and Smyth 2010, doi 10.2202/1544-6115.1585).
Searches are nested, from this result alone to all of it, so that a reader can take the one believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.p_text import p_text
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import ALPHA, CheckAnswer, Finding, each_comparison
from alsbench.analysis.scrutiny.outcomes import (
    SEARCHED,
    STAND_INS,
    Measured,
    data_fault,
    measured,
    own_visit,
    place,
    searched_visits,
)
from alsbench.analysis.source import BoolArray
from alsbench.analysis.strata import strata_codes
from alsbench.analysis.subgroups import members
from alsbench.stats.permuted_trials import permute_arms
from alsbench.stats.proportions import percent
from alsbench.stats.rounding import round_half_away
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison, Endpoint

SLACK = 1e-9


@dataclass(frozen=True)
class Test:
    """One place of the search."""

    definition: str
    endpoint: Endpoint
    comparison: Comparison
    visit: float | None
    at_horizon: bool


@dataclass(frozen=True)
class Search:
    """``p`` (draws + 1, tests): row 0 the arms as they were; ``favourable`` of the same shape: the better side, p < 0.05."""

    tests: tuple[Test, ...]
    p: NDArray[np.float64]
    favourable: NDArray[np.bool_]
    left_out: tuple[str, ...]
    strata: tuple[str, ...]

    def among(self, wanted: Callable[[Test], bool]) -> NDArray[np.int64]:
        """Tests that are wanted and that the arms as they were could be tested at."""
        return np.array([i for i, t in enumerate(self.tests) if wanted(t) and np.isfinite(self.p[0, i])], dtype=np.int64)


def selection(finding: Finding) -> CheckAnswer:
    """Check 7: for each comparison the adjusted p of the finding in ever wider searches."""
    found = search(finding)
    rows, said = each_comparison(finding, lambda c: _adjusted(finding, found, c))
    lines = [
        ("Search", f"{len(found.tests)} tests: {_size(found)}"),
        (
            "Null",
            f"{finding.draws} trials with arms dealt again{_within(found.strata)}; seed {finding.endpoint.seed}",
        ),
        ("Statistic", "smallest two-sided p of the search; every trial is ranked, fitted and searched anew"),
    ]
    stand_ins = dict.fromkeys(t.endpoint.method for t in found.tests if t.endpoint.method in STAND_INS)
    lines += [("In the search", f"{m.replace('_', ' ')}: {STAND_INS[m]}") for m in stand_ins]
    warnings = tuple(f"not in the search: {name}" for name in found.left_out)
    return CheckAnswer(rows, said, tuple(lines), warnings)


def search(finding: Finding, wanted: Callable[[Test], bool] | None = None) -> Search:
    """Every test of the study file that is ``wanted``, in the trial as it was and in re-randomised ones."""
    source = finding.source
    endpoints = [e for e in evidence_endpoints(source) if e.name != finding.endpoint.name]
    endpoints = [finding.endpoint, *endpoints]
    faults = {e.name: data_fault(source, e) for e in endpoints}
    out = {e.name: faults[e.name] for e in endpoints if e.method not in SEARCHED or e.weights or faults[e.name] is not None}
    left_out = tuple(name if fault is None else f"{name} ({fault.what})" for name, fault in out.items())
    endpoints = [e for e in endpoints if e.name not in out]
    definitions = tuple(dict.fromkeys([finding.subgroup, *(s.name for s in source.study.subgroups)]))
    strata, arms = rearranged(finding, endpoints)
    order = source.study.arms.order
    tests: list[Test] = []
    p: list[NDArray[np.float64]] = []
    good: list[NDArray[np.bool_]] = []
    with one_blas_thread():
        for test, part in _tests(finding, endpoints, definitions):
            if wanted is not None and not wanted(test):
                continue
            drawn = part.tests(arms, order.index(test.comparison.treatment), order.index(test.comparison.reference))
            two_sided = drawn.p
            tests.append(test)
            p.append(two_sided)
            good.append((two_sided < ALPHA) & (drawn.t * (1.0 if higher_is_better(test.endpoint) else -1.0) > 0))
    return Search(tuple(tests), np.array(p).T, np.array(good).T, left_out, strata)


def rearranged(finding: Finding, endpoints: list[Endpoint]) -> tuple[tuple[str, ...], NDArray[np.int8]]:
    """The stratification columns, and arms (draws + 1, subjects): as they were, then dealt again among the randomised.

    Whoever is in a population of an endpoint takes part; the others keep -1. The columns are those of the first endpoint that
    names strata.
    """
    source = finding.source
    strata = next((e.strata for e in [finding.endpoint, *endpoints] if e.strata), ())
    inside = np.zeros(source.planned_arm.size, dtype=bool)
    for endpoint in endpoints:
        inside |= source.population(_population(finding, endpoint))
    inside &= source.planned_arm >= 0
    who = np.flatnonzero(inside).astype(np.int64)
    arms = np.full((finding.draws + 1, inside.size), -1, dtype=np.int8)
    arms[0, who] = source.planned_arm[who]
    arms[1:, who] = permute_arms(arms[0, who], strata_codes(source, strata, who), finding.draws, seed=finding.endpoint.seed)
    return strata, arms


def _tests(finding: Finding, endpoints: list[Endpoint], definitions: tuple[str, ...]) -> Iterator[tuple[Test, Measured]]:
    source = finding.source
    for endpoint in endpoints:
        population = _population(finding, endpoint)
        everybody = members(source, "overall", population)
        masks: dict[str, BoolArray] = {d: members(source, d, population).mask for d in definitions}
        horizons = {c.name: own_visit(source, endpoint, c) for c in source.study.comparisons}
        visits = dict.fromkeys([*searched_visits(source, endpoint), *horizons.values()])
        for visit in visits:
            whole = measured(source, endpoint, source.study.comparisons[0], visit, everybody)
            for definition in definitions:
                part = whole.take(masks[definition])
                if not part.subject.size:
                    continue
                for comparison in source.study.comparisons:
                    yield Test(definition, endpoint, comparison, visit, visit == horizons[comparison.name]), part


def _adjusted(finding: Finding, found: Search, comparison: Comparison) -> tuple[list[Row], str]:
    def own(t: Test) -> bool:
        return t.endpoint == finding.endpoint and t.at_horizon and t.comparison == comparison

    def same_pair(t: Test) -> bool:
        return (t.comparison.treatment, t.comparison.reference) == (comparison.treatment, comparison.reference)

    nested: tuple[tuple[str, Callable[[Test], bool]], ...] = (
        ("this result alone", lambda t: own(t) and t.definition == finding.subgroup),
        ("every visit of it", lambda t: t.endpoint == finding.endpoint and same_pair(t) and t.definition == finding.subgroup),
        ("all of this subgroup", lambda t: t.definition == finding.subgroup),
        ("every definition", own),
        ("and comparison", lambda t: t.endpoint == finding.endpoint and t.at_horizon),
        ("and endpoint", lambda t: t.at_horizon),
        ("and visit: everything", lambda _: True),
    )
    here = found.among(nested[0][1])
    rows: list[Row] = []
    at = place(finding.source, finding.endpoint, comparison)
    if not here.size:
        reason = "the finding itself cannot be tested: an arm or a degree of freedom is missing"
        names = ("p_value", "selection_p")
        rows = [finding.row(n, None, comparison, variable="search", level=nested[0][0], error=reason, **at) for n in names]
        return rows, f"not estimable: {reason}"
    observed = float(found.p[0, here[0]])
    adjusted: dict[str, float] = {}
    for name, wanted in nested:
        places = found.among(wanted)
        null = np.where(np.isnan(found.p[1:, places]), 1.0, found.p[1:, places]).min(axis=1)
        adjusted[name] = float(1 + (null <= observed * (1 + SLACK)).sum()) / (null.size + 1)
        offers = found.favourable[1:, places].any(axis=1)
        values = {
            "tests": int(places.size),
            "p_value": observed,
            "smallest_p": float(found.p[0, places].min()),
            "selection_p": adjusted[name],
            "null_percent": percent(int(offers.sum()), offers.size),
        }
        rows += [finding.row(n, v, comparison, variable="search", level=name, **at) for n, v in values.items()]
    share = rows[-1].number()
    text = f"p {p_text(observed)} alone, {p_text(adjusted['every definition'])} over the definitions"
    text += f", {p_text(adjusted['and visit: everything'])} over all {len(found.among(lambda _: True))} tests"
    chance = f"{round_half_away(share, 0)} % of trials without effect offer a favourable p < {ALPHA:g}"
    return rows, f"{_judged(observed, adjusted)}: {text}, {chance}"


def _judged(observed: float, adjusted: dict[str, float]) -> str:
    """Which is the widest search that the finding survives at 0.05."""
    if observed >= ALPHA:
        return "nothing to adjust"
    if adjusted["and visit: everything"] < ALPHA:
        return "survives the whole search"
    if adjusted["and endpoint"] < ALPHA:
        return "survives all but the visits"
    if adjusted["every definition"] < ALPHA:
        return "survives the choice of the definition only"
    return "does not survive the choice of the definition"


def _population(finding: Finding, endpoint: Endpoint) -> str:
    return finding.population if endpoint.name == finding.endpoint.name else finding.source.default_population(endpoint)


def _size(found: Search) -> str:
    definitions, endpoints, comparisons = (
        len(set(values))
        for values in zip(*((t.definition, t.endpoint.name, t.comparison.name) for t in found.tests), strict=True)
    )
    return f"{definitions} definitions, {endpoints} endpoints, {comparisons} comparisons, every analysed visit"


def _within(strata: tuple[str, ...]) -> str:
    return f" within strata of {', '.join(strata)}" if strata else ""
