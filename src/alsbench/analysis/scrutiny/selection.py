"""How often would a trial without any effect offer a result as good, to somebody who looks wherever we could look?

Arms are dealt again over the whole trial, within strata, and the whole search is repeated in each
(:mod:`alsbench.analysis.search`): overall, every definition of a subgroup and its complement, every endpoint, comparison
and visit. The adjusted p is the share of trials whose smallest p is at most the finding's, (1 + count) / (draws + 1)
(min-p: Westfall and Young 1993; Phipson and Smyth 2010, doi 10.2202/1544-6115.1585). Searches are nested, from this result
alone to all of it, so that a reader can take the one believed. For a finding that is not the best of its search the
adjusted p is conservative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.cache import entry_key, keep, read_entry
from alsbench.analysis.contrast import p_text
from alsbench.analysis.judgement import limits_of
from alsbench.analysis.looks import Looked, looked_at
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import ALPHA, CheckAnswer, Finding, each_comparison
from alsbench.analysis.scrutiny.finding import asked as asked_finding
from alsbench.analysis.scrutiny.outcomes import STAND_INS, place
from alsbench.analysis.search import Place, Share, WholeSearch, interactions, share
from alsbench.analysis.search_table import (
    LateInteractions,
    Nested,
    SearchPlace,
    SearchTable,
    late_from,
    late_interactions,
    nested_from,
    table_from,
    tabulated,
)
from alsbench.analysis.source import Source
from alsbench.stats.proportions import percent
from alsbench.stats.rounding import round_half_away
from alsbench.study.model import Comparison

MORE = 4  # at most so many times the draws, where a threshold lies within two Monte Carlo errors
SCOPES = (
    "this result alone",
    "every visit of it",
    "all of this subgroup",
    "every definition",
    "and comparison",
    "and endpoint",
    "and visit: everything",
)


def selection(finding: Finding) -> CheckAnswer:
    """Check 7: for each comparison the adjusted p of the finding in ever wider searches."""
    table, nested = searched(finding)
    rows, said = each_comparison(finding, lambda c: _adjusted(finding, nested, c))
    within = f" within strata of {', '.join(table.strata)}" if table.strata else ""
    draws = max((one.draws for one in nested.values()), default=table.draws)
    lines = [
        ("Search", f"{len(table.places)} tests: {table.size}"),
        ("Null", f"{draws} trials with arms dealt again{within}; seed {finding.endpoint.seed}"),
        ("Statistic", "smallest two-sided p of the search; what cannot be tested counts as 1, in every trial alike"),
    ]
    methods = dict.fromkeys(p.method for p in table.places if p.method in STAND_INS)
    lines += [("In the search", f"{m.replace('_', ' ')}: {STAND_INS[m]}") for m in methods]
    warnings = tuple(f"not in the search: {name}" for name in table.left_out)
    return CheckAnswer(rows, said, tuple(lines), warnings)


def thresholds(source: Source) -> tuple[float, float]:
    """Where the bottom line's rule cuts the p over the search: there it is worth more draws."""
    limits = limits_of(source.study)
    return limits.holds_up, limits.new_trial


def search_table(finding: Finding) -> SearchTable:
    """The whole search around a finding, read from where answers are kept when it is there."""
    return _kept(finding, around=False)[0]


def search_share(finding: Finding, table: SearchTable, here: SearchPlace, comparison: Comparison) -> Share:
    """The p over the search of a place of the finding, of more draws where a threshold of the bottom line lies near."""
    chance = table.share(here)
    if here.at_horizon and any(chance.near(limit) for limit in thresholds(finding.source)):
        return searched(finding)[1][comparison.name].share(SCOPES[-1])
    return chance


def searched(finding: Finding) -> tuple[SearchTable, dict[str, Nested]]:
    """The search of the finding's study, and, by comparison, the nested searches around the finding."""
    return _kept(finding, around=True)


def _kept(finding: Finding, *, around: bool) -> tuple[SearchTable, dict[str, Nested]]:
    """One run over permuted trials gives both: the table of the study's search, and the searches around the finding."""
    source, endpoint = finding.source, finding.endpoint
    looked = looked_at(source).plain()
    of_study = [*_beside(finding), finding.draws, endpoint.seed, looked]
    of_finding = [*of_study, endpoint.name, finding.subgroup, [c.name for c in finding.comparisons]]
    keys = entry_key(source, "search", of_study), entry_key(source, "nested search", of_finding)
    table, nested = read_entry(source.results_dir, keys[0]), read_entry(source.results_dir, keys[1]) if around else {}
    if table is not None and nested is not None:
        return table_from(table), {name: nested_from(one) for name, one in nested.get("comparisons", {}).items()}
    made, inner = _run(finding)
    keep(source, keys[0], "search", of_study, asdict(made))
    keep(source, keys[1], "nested search", of_finding, {"comparisons": {name: asdict(one) for name, one in inner.items()}})
    return made, inner


def late(finding: Finding) -> LateInteractions:
    """The interactions of the finding's search at every visit, read from where answers are kept when they are there."""
    asked = [*_beside(finding), finding.draws, finding.endpoint.seed, looked_at(finding.source).plain()]
    key = entry_key(finding.source, "interactions", asked)
    body = read_entry(finding.source.results_dir, key)
    if body is not None:
        return late_from(body)
    made = late_interactions(search_of(finding), finding.draws)
    keep(finding.source, key, "interactions", asked, asdict(made))
    return made


def _beside(finding: Finding) -> tuple[list[str], str]:
    """What of the finding the study's own search does not have: another population, an undeclared intersection."""
    source, endpoint = finding.source, finding.endpoint
    declared = {OVERALL, *(p for s in source.study.subgroups for p in (s.name, f"not {s.name}"))}
    population = [] if finding.population == source.default_population(endpoint) else [endpoint.name, finding.population]
    return population, "" if finding.subgroup in declared else finding.subgroup


def _run(finding: Finding, looked: Looked | None = None) -> tuple[SearchTable, dict[str, Nested]]:
    search = search_of(finding, looked)
    scopes = {c.name: _scopes(finding, search, c) for c in finding.comparisons}
    everything = np.arange(len(search.places))
    asked = [everything, *(scope for mine in scopes.values() for scope in mine.values())]
    draws = finding.draws
    smallest, offered = search.run(asked, draws)
    table = tabulated(search, smallest[:, 0], interactions(search, draws))
    observed = search.observed[1]
    if all(e.name != finding.endpoint.name for e in search.endpoints):
        return table, {}  # the finding's endpoint has no test in permuted trials
    mine = {c.name: search.at(finding.subgroup, finding.endpoint.name, c.name) for c in finding.comparisons}
    alone = [share(smallest[:, 0], observed[i]) for i in mine.values()]
    if any(one.near(limit) for one in alone for limit in thresholds(finding.source)):
        draws *= MORE
        smallest, offered = search.run(asked, draws)
    nested: dict[str, Nested] = {}
    column = 1
    for name, own in scopes.items():
        found: dict[str, tuple[int, float, int, float]] = {}
        for scope, places in own.items():
            hits = share(smallest[:, column], observed[mine[name]]).hits
            found[scope] = (places.size, float(observed[places].min()), hits, percent(int(offered[:, column].sum()), draws))
            column += 1
        nested[name] = Nested(float(observed[mine[name]]), bool(np.isfinite(search.observed[0][mine[name]])), draws, found)
    return table, nested


def search_again(source: Source, asked: list[Any]) -> SearchTable:
    """The table that was kept under these words, computed anew."""
    search, draws = _search_asked(source, asked)
    smallest, _ = search.run([np.arange(len(search.places))], draws)
    return tabulated(search, smallest[:, 0], interactions(search, draws))


def late_again(source: Source, asked: list[Any]) -> LateInteractions:
    """The interactions that were kept under these words, computed anew."""
    return late_interactions(*_search_asked(source, asked))


def _search_asked(source: Source, asked: list[Any]) -> tuple[WholeSearch, int]:
    population, phrase, draws, seed, looked = asked
    search = WholeSearch(
        source,
        populations=dict([population]) if population else {},
        phrases=(phrase,) if phrase else (),
        looked=Looked.from_plain(looked),
        seed=seed,
    )
    return search, draws


def search_of(finding: Finding, looked: Looked | None = None) -> WholeSearch:
    """The finding's search: the study's, everything that was ``looked`` at (default: all that the log says now), and the
    finding itself."""
    return WholeSearch(
        finding.source,
        populations={finding.endpoint.name: finding.population},
        phrases=tuple(text for text in [_beside(finding)[1]] if text),
        looked=looked_at(finding.source) if looked is None else looked,
        seed=finding.endpoint.seed,
    )


def nested_again(source: Source, asked: list[Any]) -> dict[str, Any]:
    """The nested searches that were kept under these words, computed anew, as they are kept."""
    population, _, draws, _, looked, endpoint, subgroup, comparisons = asked
    setup = asked_finding(
        source, subgroup, endpoint=endpoint, comparisons=tuple(comparisons), population=population[1] if population else ""
    )
    then = Looked.from_plain(looked)  # not what was looked at since
    return {"comparisons": {name: asdict(one) for name, one in _run(replace(setup, draws=draws), then)[1].items()}}


def _scopes(finding: Finding, search: WholeSearch, comparison: Comparison) -> dict[str, NDArray[np.int64]]:
    def own(p: Place) -> bool:
        return p.endpoint.name == finding.endpoint.name

    def same_pair(p: Place) -> bool:
        return (p.comparison.treatment, p.comparison.reference) == (comparison.treatment, comparison.reference)

    wanted: tuple[Callable[[Place], bool], ...] = (
        lambda p: own(p) and p.at_horizon and p.comparison == comparison and p.definition == finding.subgroup,
        lambda p: own(p) and same_pair(p) and p.definition == finding.subgroup,
        lambda p: p.definition == finding.subgroup,
        lambda p: own(p) and p.at_horizon and p.comparison == comparison,
        lambda p: own(p) and p.at_horizon,
        lambda p: p.at_horizon,
        lambda p: bool(p.definition),
    )
    return {
        name: np.array([i for i, p in enumerate(search.places) if test(p)], dtype=np.int64)
        for name, test in zip(SCOPES, wanted, strict=True)
    }


def _adjusted(finding: Finding, nested: dict[str, Nested], comparison: Comparison) -> tuple[list[Row], str]:
    found = nested.get(comparison.name)
    at = place(finding.source, finding.endpoint, comparison)
    if found is None or not found.testable:
        reason = "the finding itself cannot be tested in permuted trials: an arm or a degree of freedom is missing"
        names = ("p_value", "selection_p")
        rows = [finding.row(n, None, comparison, variable="search", level=SCOPES[0], error=reason, **at) for n in names]
        return rows, f"not estimable: {reason}"
    rows = []
    for name, (tests, smallest, _, offers) in found.scopes.items():
        adjusted = found.share(name)
        values = {
            "tests": tests,
            "p_value": found.p,
            "smallest_p": smallest,
            "selection_p": adjusted.p,
            "selection_error": adjusted.error,
            "null_percent": offers,
        }
        rows += [finding.row(n, v, comparison, variable="search", level=name, **at) for n, v in values.items()]
    everything = found.share(SCOPES[-1])
    text = f"p {p_text(found.p)} alone, {p_text(found.share('every definition').p)} over the definitions"
    text += f", {p_text(everything.p)} (error {everything.error:.4f}) over all {found.scopes[SCOPES[-1]][0]} tests"
    chance = f"{round_half_away(found.scopes[SCOPES[-1]][3], 0)} % of trials without effect offer a favourable p < {ALPHA:g}"
    return rows, f"{_judged(found)}: {text}, {chance}"


def _judged(found: Nested) -> str:
    """Which is the widest search that the finding survives at 0.05."""
    if found.p >= ALPHA:
        return "nothing to adjust"
    if found.share(SCOPES[-1]).p < ALPHA:
        return "survives the whole search"
    if found.share("and endpoint").p < ALPHA:
        return "survives all but the visits"
    if found.share("every definition").p < ALPHA:
        return "survives the choice of the definition only"
    return "does not survive the choice of the definition"
