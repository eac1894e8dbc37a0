"""The rule of the bottom line, put to trials whose truth is known: how often does it say what?

Each trial is simulated, loaded into a workspace of its own as a user's would be, and searched whole; the rule is put to every
finding of the search, and the highest level reached counts. Findings of the plan (everybody, where the comparison is read)
stand apart. It saves only what cannot change the answer: permuted trials are drawn, tile by tile, until the smallest p can no
longer be "worth a new trial" (the curtailed test has the same outcome as the whole one), and a finding is judged in full only
where its p of the search and of the interaction leave it a level above the one already reached.

What is to be reached stands in :mod:`alsbench.analysis.calibration_marks`, set before any trial was run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.judgement import METHODS, Inputs, Judgement, judge
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.arms import rerandomisation
from alsbench.analysis.scrutiny.bottom_line import Chance, Gatherer, judged
from alsbench.analysis.scrutiny.finding import Finding, asked
from alsbench.analysis.scrutiny.outcomes import searched_visits
from alsbench.analysis.scrutiny.variants import specification
from alsbench.analysis.search import Interactions, Place, WholeSearch, interactions, share
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.simulate.parameters import Parameters, read_parameters
from alsbench.simulate.trial import study_text, write_trial
from alsbench.stats.permutation_search import TILE
from alsbench.study.model import Comparison

DRAWS = 999
DEFINITIONS = """
[[subgroups]]
name = "men"
where = "SEX == 'M'"

[[subgroups]]
name = "riluzole"
where = "RILUFL == 'Y'"

[[subgroups]]
name = "strong"
where = "BLSVC >= median(BLSVC)"
"""
SLOW = "LEADRATE <= mean(LEADRATE)"
HOLDS, IN_THIS, OPEN, NOTHING = 3, 2, 1, 0  # levels from the highest; all below "worth a new trial" are one


@dataclass(frozen=True)
class Truth:
    """What is true in the trials simulated: a name, the same in words, and what is set over the default parameters.

    The same effect in everybody has the power that its name says at the primary endpoint, five doses (100 trials at each of two
    sizes; a straight line between)."""

    name: str
    words: str
    changed: tuple[str, ...] = ()

    @property
    def parameters(self) -> Parameters:
        """What such a trial is drawn from."""
        return read_parameters(None, self.changed)


def _effects(*arms: str) -> str:
    return f"effects = [{', '.join(f'{{{arm}}}' for arm in arms)}]"


def _everybody(effect: str) -> tuple[str, ...]:
    return (_effects(*(f'arm = "Group {k}", {effect}' for k in (1, 2))),)


def _slow(*effects: str) -> str:
    return _effects(*(f'arm = "Group {k}", where = "{SLOW}", {effect}' for k, effect in enumerate(effects, start=1)))


STRONG = "slope_ratio = 0.4, svc_ratio = 0.5, nfl_ratio = 0.6, hazard_ratio = 0.3"
TRUTHS: Mapping[str, Truth] = {
    t.name: t
    for t in (
        Truth("none", "no effect"),
        Truth(
            "even-50",
            "the same absolute effect in everybody, power 50 % overall",
            _everybody("slope_difference = 0.285, svc_difference = 0.98, nfl_ratio = 0.891"),
        ),
        Truth(
            "even-90",
            "the same absolute effect in everybody, power 90 % overall",
            _everybody("slope_difference = 0.5, svc_difference = 1.66, nfl_ratio = 0.824"),
        ),
        Truth(
            "ratios",
            "equal ratios in everybody",
            _everybody("slope_ratio = 0.7, svc_ratio = 0.8, nfl_ratio = 0.75, hazard_ratio = 0.7"),
        ),
        Truth("slow-150", "slow only, large, 150 per arm", (_slow(STRONG, STRONG), *(f"arms.{k}.n=150" for k in range(3)))),
        Truth(
            "slow",
            "slow only, of the size of the sample trial",
            (
                _slow(
                    "slope_ratio = 0.75, svc_ratio = 0.85, nfl_ratio = 0.85, hazard_ratio = 0.7",
                    "slope_ratio = 0.7, svc_ratio = 0.8, nfl_ratio = 0.75, hazard_ratio = 0.7",
                ),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Reached:
    """The highest level that findings reached, and by which of them."""

    level: int
    p_search: float
    definition: str
    comparison: str
    visit: float | None


@dataclass(frozen=True)
class CalibrationTrial:
    """One trial: the ``tests`` of its search, how many permuted trials were ``drawn`` until the answer was known, in how many
    of them the smallest p was as small (``hits``), the primary endpoint's p in everybody by comparison (``planned``), and what
    was ``reached``: by endpoint in subgroups, and as ``overall`` in everybody off the horizon, where that could be more. What
    is not there reached nothing."""

    seed: int
    tests: int
    drawn: int
    hits: int
    planned: Mapping[str, float]
    reached: Mapping[str, Reached]

    @property
    def level(self) -> int:
        """The highest level of any finding."""
        return max((r.level for r in self.reached.values()), default=NOTHING)

    def of_subgroups(self, endpoints: Sequence[str] = ()) -> int:
        """The highest level of any subgroup, of these or (default) of all endpoints."""
        mine = [r.level for name, r in self.reached.items() if name != OVERALL and (not endpoints or name in endpoints)]
        return max(mine, default=NOTHING)


class _Drawn(Gatherer):
    """The inputs of judgements from one trial's own draws, and nothing kept."""

    def __init__(self, search: WholeSearch, smallest: np.ndarray[Any, np.dtype[np.float64]], draws: int) -> None:
        self.search, self.smallest, self.draws = search, smallest, draws

    @cached_property
    def at_horizon(self) -> Interactions:
        return interactions(self.search, self.draws)

    @cached_property
    def at_every_visit(self) -> Interactions:
        visits = {v for e in self.search.endpoints for v in searched_visits(self.search.source, e) if v is not None}
        return interactions(self.search, self.draws, sorted(visits))

    def chance(self, finding: Finding, comparison: Comparison, visit: float | None) -> Chance:
        """As from the kept search, from this trial's."""
        place = self.search.at(finding.subgroup, finding.endpoint.name, comparison.name, visit)
        return self.at(self.search.places[place], place)

    def at(self, place: Place, number: int) -> Chance:
        """What chance says of a place."""
        found = share(self.smallest, float(self.search.observed[1][number]))
        crossed = None
        if place.definition != OVERALL:
            among = self.at_horizon if place.at_horizon else self.at_every_visit
            key = place.endpoint.name, place.comparison.name, place.visit
            crossed = among.shares(key, place.definition.removeprefix("not "), over_visits=not place.at_horizon)
        return Chance(found, len(self.search.places), *(crossed or (None, None)))

    def check(self, finding: Finding, name: str, comparison: Comparison) -> Iterable[Row]:
        """A check, made with this trial's number of draws."""
        check = {"rerandomisation": rerandomisation, "specification": specification}[name]
        return check(replace(finding, comparisons=(comparison,), draws=self.draws)).rows


def simulated(truth: Truth, seed: int, folder: Path) -> Source:
    """A trial of a truth, written and loaded into ``folder`` as a user's would be, with the study file's five definitions and
    three more. No answer is kept."""
    params = truth.parameters
    write_trial(folder / "data", params, seed)
    workspace = Workspace(folder / "workspace")
    workspace.create()
    workspace.study_path.write_text(study_text(params) + DEFINITIONS)
    load([folder / "data"], workspace, study=workspace.read_study())
    return replace(open_source(workspace.path), results_dir=None)


def calibration_trial(truth: Truth, seed: int, draws: int = DRAWS) -> CalibrationTrial:
    """Simulate one trial and put the rule to every finding of its search. Equal arguments give equal answers."""
    with tempfile.TemporaryDirectory(prefix="alsbench-") as folder:
        source = simulated(truth, seed, Path(folder))
        try:
            return judged_trial(source, seed, draws)
        finally:
            source.snapshot.close()


def judged_trial(source: Source, seed: int, draws: int = DRAWS) -> CalibrationTrial:
    """The highest levels that the findings of a trial's whole search reach."""
    search = WholeSearch(source, seed=seed)
    t, p = search.observed
    upward = np.array([1.0 if higher_is_better(place.endpoint) else -1.0 for place in search.places])
    good = np.flatnonzero((p <= METHODS.nominal) & (np.nan_to_num(t) * upward > 0))
    smallest = np.zeros(0)
    hits = 0
    if good.size:
        smallest, hits = _drawn(search, float(p[good].min()), draws)
    primary = [i for i, place in enumerate(search.places) if place.definition == OVERALL and place.at_horizon]
    primary = [i for i in primary if search.places[i].endpoint.level == "primary"]
    planned = {search.places[i].comparison.name: float(p[i]) for i in primary}
    if smallest.size < draws:
        return CalibrationTrial(seed, len(search.places), smallest.size, hits, planned, {})
    gatherer = _Drawn(search, smallest, draws)
    parts: dict[str, list[int]] = {}
    for number in good.tolist():
        place = search.places[number]
        if place.definition != OVERALL:
            parts.setdefault(place.endpoint.name, []).append(number)
        elif not place.at_horizon:
            parts.setdefault(OVERALL, []).append(number)
    reached: dict[str, Reached] = {}
    for part in sorted(parts, key=lambda name: name == OVERALL):  # everybody last: only where no subgroup holds up
        if part != OVERALL or HOLDS not in {r.level for r in reached.values()}:
            found = _highest(gatherer, parts[part])
            reached |= {part: found} if found is not None else {}
    return CalibrationTrial(seed, len(search.places), draws, hits, planned, reached)


def _drawn(search: WholeSearch, observed: float, draws: int) -> tuple[np.ndarray[Any, np.dtype[np.float64]], int]:
    """The smallest p (draws,) of permuted trials; fewer where the observed one is known to be above every threshold: then all
    ``draws`` together could not bring it below."""
    found: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    enough = METHODS.new_trial * (1 + draws)
    hits = made = 0
    for tile in range(-(-draws // TILE)):
        found.append(search.smallest([tile])[: draws - made])
        made += found[-1].size
        hits += share(found[-1], observed).hits
        if made < draws and 1 + hits > enough:
            break
    return np.concatenate(found), hits


def _highest(gatherer: _Drawn, places: Sequence[int]) -> Reached | None:
    """The highest level among places: those that could reach more are judged first, and none that cannot reach more than
    another did."""
    search = gatherer.search
    could: list[tuple[int, float, int]] = []
    for number in places:
        place, p = search.places[number], float(search.observed[1][number])
        if share(gatherer.smallest, p).p <= METHODS.new_trial:
            chance = gatherer.at(place, number)
            could.append((-_rank(_best(place, p, chance)), p, number))
    best: Reached | None = None
    for rank, p, number in sorted(could):
        if -rank <= (NOTHING if best is None else best.level):
            break
        place = search.places[number]
        finding = asked(search.source, place.definition, endpoint=place.endpoint.name, comparisons=(place.comparison.name,))
        found = judged(finding, finding.comparisons[0], None if place.at_horizon else place.visit, gatherer, whole=False)
        level = _rank(found)
        if level > (NOTHING if best is None else best.level):
            best = Reached(level, share(gatherer.smallest, p).p, place.definition, place.comparison.name, place.visit)
    return best


def _best(place: Place, p: float, chance: Chance) -> Judgement:
    """The highest level a place can reach with its p of the search and of the interaction, all else in its favour."""
    inputs = Inputs(
        subgroup=place.definition != OVERALL,
        p=p,
        favourable=True,
        overall_p=None,
        overall_favourable=None,
        p_search=chance.search,
        tests=chance.tests,
        p_int_definitions=chance.among_definitions,
        p_int_search=chance.everywhere,
        p_rerandomised=0.0,
        larger=True,
    )
    return judge(inputs)


def _rank(found: Judgement) -> int:
    if found.level == "holds up, post hoc":
        return HOLDS
    if found.level == "worth a new trial":
        return IN_THIS if found.where == "in this subgroup" else OPEN
    return NOTHING


def calibration_block(shared: tuple[Truth, int], seeds: Sequence[int]) -> list[CalibrationTrial]:
    """The trials of some seeds: what a worker computes."""
    truth, draws = shared
    return [calibration_trial(truth, seed, draws) for seed in seeds]
