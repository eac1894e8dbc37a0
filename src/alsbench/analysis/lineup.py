"""A lineup: a view of the trial hidden among copies without any effect (Buja and others 2009, doi 10.1098/rsta.2009.0120).

Who has not seen the data points at the panel that looks different. Without any effect that is the trial once in as many times
as there are panels, since it is then one of the copies: arms are dealt again over the whole trial, within the cross-
classification of all stratification factors that the endpoints name, and of the part that is shown, so that each panel has as
many of each arm. Every panel is made by the same code from nothing but its arms, the trial's too.

Months and curves are those of the endpoint's own model, fitted in every panel; forest and evidence are of the stand-ins of the
search (:mod:`alsbench.analysis.scrutiny.outcomes`), since they hold hundreds of fits. Nothing that is kept is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.model_data import strata_codes
from alsbench.analysis.plan import marked, provenance, synthetic_line
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Facts, Result, Row
from alsbench.analysis.run import answer, curves_of
from alsbench.analysis.scrutiny.headlines import visit_words
from alsbench.analysis.scrutiny.outcomes import STAND_INS, Measured
from alsbench.analysis.search import Place, WholeSearch
from alsbench.analysis.source import BoolArray, Source
from alsbench.analysis.subgroups import Membership, members, subgroup_line
from alsbench.audit.lineup_key import place_of
from alsbench.errors import UsageError
from alsbench.stats.cox import fit_cox
from alsbench.stats.design import Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison, Endpoint

View = Literal["months", "km", "forest", "evidence"]
VIEWS: tuple[View, ...] = ("months", "km", "forest", "evidence")
TITLES = {"months": "means by visit", "km": "Kaplan-Meier", "forest": "forest", "evidence": "evidence"}
METHODS = {"months": ("mmrm", "ancova"), "km": ("time_to_event",)}
MEANS = (("ls_mean", "conf_low", "conf_high"), ("gmr", "gmr_low", "gmr_high"))
PANELS, FEWEST, MOST = 20, 2, 100
NAN = math.nan


@dataclass(frozen=True)
class PanelMark:
    """An estimate with its limits, NaN where there is none: of the series ``name`` (an arm; a subgroup; an endpoint) at ``at``
    (a visit; the position of its line)."""

    name: str
    at: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """A survival curve of the arm ``name``: steps (k,) from time 0."""

    name: str
    time: tuple[float, ...]
    survival: tuple[float, ...]


@dataclass(frozen=True)
class LineupPanel:
    """One panel, drawn from nothing else."""

    marks: tuple[PanelMark, ...] = ()
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Lineup:
    """The panels of a view in the order in which they are shown, and what is common to all: the ``series`` (arms in the order
    of the study, or the lines from the top), the name of the ``axis``, whether estimates are logs of ratios (``logs``), and
    whether higher is better (``upward``)."""

    view: View
    panels: tuple[LineupPanel, ...]
    series: tuple[str, ...]
    axis: str
    logs: bool
    upward: bool
    result: Result


@dataclass(frozen=True)
class Asked:
    """What a lineup is to show."""

    source: Source
    view: View
    endpoint: Endpoint | None
    member: Membership
    comparisons: tuple[Comparison, ...]
    population: str
    command: str

    @property
    def what(self) -> str:
        """``months of alsfrs in slow``, for the key and the log."""
        of = f" of {self.endpoint.name}" if self.endpoint is not None else ""
        return f"{self.view}{of} in {self.member.phrase}"


def asked(
    source: Source,
    view: str,
    endpoint: str = "",
    *,
    subgroup: str = "",
    comparison: str = "",
    population: str = "",
    command: str = "",
) -> Asked:
    """What names mean. The endpoint is the study's first that has such a view; the comparison its first.

    Raises UsageError for a view, endpoint, comparison or subgroup that is not there, or cannot be shown so."""
    if view not in VIEWS:
        raise UsageError(f"there is no view {view}", where="--view", hint=f"one of {', '.join(VIEWS)}")
    known = view
    fitting = [e for e in evidence_endpoints(source) if known not in METHODS or e.method in METHODS[known]]
    if known == "evidence":
        chosen = None
        if endpoint:
            raise UsageError("the evidence is of every endpoint", where="--endpoint", hint="leave it out, or --view forest")
    elif endpoint:
        chosen = source.endpoint(endpoint)
        if chosen.name not in {e.name for e in fitting}:
            hint = f"there are: {', '.join(e.name for e in fitting)}" if fitting else ""
            raise UsageError(f"endpoint {endpoint} has no view {view}", where="--endpoint", hint=hint)
    elif fitting:
        chosen = fitting[0]
    else:
        raise UsageError(f"no endpoint of the study has a view {view}", where="--view")
    if known == "forest" and subgroup:
        raise UsageError("a forest is of every subgroup", where="--subgroup", hint="leave it out, or --view months")
    compared = source.comparisons((comparison,) if comparison else ())
    member = members(source, subgroup or OVERALL, population)
    return Asked(source, known, chosen, member, compared if known == "evidence" else compared[:1], population, command)


def dealt_arms(arm: NDArray[np.int8], strata: NDArray[np.int64], panels: int, secret: str) -> NDArray[np.int8]:
    """Arms (panels, n) in the order of the panels: at :func:`place_of` the secret those that ``arm`` (n,) holds, elsewhere
    dealt again within ``strata`` (n,); -1 who takes no part keeps that. All follow from the secret."""
    rng = np.random.default_rng(int(secret, 16))
    dealt = np.tile(arm, (panels, 1))
    for s in np.unique(strata):
        members = np.flatnonzero((strata == s) & (arm >= 0))
        dealt[:, members] = rng.permuted(dealt[:, members], axis=1)
    dealt[place_of(secret, panels) - 1] = arm
    return dealt


def lineup(setup: Asked, panels: int, secret: str, *, each: Callable[[Iterable[int]], Iterator[int]] = iter) -> Lineup:
    """The panels. ``each`` goes through their numbers, and may show how far it is.

    Raises UsageError for fewer than two panels or more than a hundred."""
    if not FEWEST <= panels <= MOST:
        raise UsageError(f"{panels} panels are no lineup", where="--panels", hint=f"{FEWEST} to {MOST}")
    search = _search(setup)
    arm, strata = _dealt_among(setup, search)
    arms = dealt_arms(arm, strata, panels, secret)
    draw = {"months": _months, "km": _km}.get(setup.view)
    with one_blas_thread():
        if draw is not None:
            made = [draw(setup, with_arms(setup.source, arms[k])) for k in each(range(panels))]
        else:
            lines = list(_lines(setup, search))
            made = [
                LineupPanel(tuple(_mark(setup, line, at, arms[k]) for at, line in enumerate(lines)))
                for k in each(range(panels))
            ]
    series = setup.source.study.arms.order if draw is not None else tuple(name for name, _, _ in lines)
    shown = {m.name for p in made for m in p.marks} | {c.name for p in made for c in p.curves}
    series = tuple(name for name in series if name in shown) if draw is not None else series
    axis, logs = _axis(setup)
    upward = setup.endpoint is None or higher_is_better(setup.endpoint)
    return Lineup(setup.view, tuple(made), series, axis, logs, upward, _result(setup, search, made, panels))


def with_arms(source: Source, arms: NDArray[np.int8]) -> Source:
    """The trial with other arms (subjects,): nothing that was answered for the real ones, and nothing kept, is taken along."""
    made = replace(source, results_dir=None)
    shared = ("records_read", "flags_read", "times_read", "truth_read", "covariates_read")  # they hold no arm
    made.__dict__.update({name: getattr(source, name) for name in shared})
    made.__dict__.update(subjects=source.subjects, planned_arm=arms.astype(np.int64), actual_arm=arms.astype(np.int64))
    return made


def _search(setup: Asked) -> WholeSearch:
    """The places of the view among those of the search, and how its arms are dealt."""
    populations = {e.name: setup.population for e in evidence_endpoints(setup.source) if setup.population}

    def wanted(place: Place) -> bool:
        mine = setup.endpoint is None or place.endpoint.name == setup.endpoint.name
        return setup.view in ("forest", "evidence") and mine and place.at_horizon and place.comparison in setup.comparisons

    phrases = () if setup.view == "forest" else (setup.member.phrase,)
    return WholeSearch(setup.source, populations=populations, phrases=phrases, wanted=wanted)


def _dealt_among(setup: Asked, search: WholeSearch) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Arm codes (subjects,) of whoever is dealt, and the strata within which: those of the study, crossed with who is shown."""
    source = setup.source
    arm = search.arm
    if setup.endpoint is not None:
        name = setup.population or source.default_population(setup.endpoint)
        arm = np.where(source.population(name), source.planned_arm, -1).astype(np.int8)
    everybody = np.arange(arm.size, dtype=np.int64)
    codes = strata_codes(source, search.strata, everybody)
    return arm, codes * 2 + _inside(setup).astype(np.int64)


def _inside(setup: Asked) -> BoolArray:
    return setup.member.mask


# ---- one panel


def _months(setup: Asked, source: Source) -> LineupPanel:
    """Means by visit of each arm, with limits; logs of ratios."""
    if setup.endpoint is None:
        raise ValueError("months are of an endpoint")
    names = tuple(c.name for c in setup.comparisons)
    question = Question(setup.endpoint.name, subgroups=(setup.member.phrase,), comparisons=names, population=setup.population)
    rows = [r for r in answer(question, source).select(context="arm") if r.visit_number is not None and r.level is None]
    means, low, high = MEANS[setup.endpoint.scale == "log"]
    scale = math.log if setup.endpoint.scale == "log" else float
    found: dict[tuple[str, float], dict[str, float]] = {}
    for row in rows:
        if row.stat_name in (means, low, high) and row.stat is not None and row.arm and row.visit_number is not None:
            found.setdefault((row.arm, row.visit_number), {})[row.stat_name] = scale(row.number())
    marks = [PanelMark(arm, visit, *(s.get(n, NAN) for n in (means, low, high))) for (arm, visit), s in found.items()]
    return LineupPanel(tuple(sorted(marks, key=lambda m: (source.study.arms.order.index(m.name), m.at))))


def _km(setup: Asked, source: Source) -> LineupPanel:
    if setup.endpoint is None:
        raise ValueError("curves are of an endpoint")
    question = Question(setup.endpoint.name, subgroups=(setup.member.phrase,), population=setup.population)
    found = next(iter(curves_of(question, source).values()))
    made = [(arm, found[arm]) for arm in source.study.arms.order if arm in found]
    return LineupPanel(curves=tuple(Curve(arm, (0.0, *map(float, c.time)), (1.0, *map(float, c.survival))) for arm, c in made))


def _lines(setup: Asked, search: WholeSearch) -> Iterator[tuple[str, Place, Measured]]:
    """The lines of a forest or of the evidence: what they are called, where they lie, what is compared there."""
    for place in search.places:
        if setup.view == "forest":
            yield place.definition, place, search.measured_at(place)
        elif place.definition == setup.member.phrase:
            yield f"{place.endpoint.name}, {place.comparison.name}", place, search.measured_at(place)


def _lined(setup: Asked, lines: Sequence[tuple[str, Place, Measured]], arms: NDArray[np.int8]) -> LineupPanel:
    return LineupPanel(tuple(_mark(setup, line, at, arms) for at, line in enumerate(lines)))


def _mark(setup: Asked, line: tuple[str, Place, Measured], at: int, arms: NDArray[np.int8]) -> PanelMark:
    """The estimate of a line with 95 % limits; in the evidence in standard deviations of the outcome (a hazard ratio by its
    logarithm), turned so that more is better."""
    from scipy.special import stdtrit  # waits: scipy

    name, place, found = line
    order = setup.source.study.arms.order
    treated, reference = order.index(place.comparison.treatment), order.index(place.comparison.reference)
    estimate, se, df = _contrast(found, arms, treated, reference)
    if not math.isfinite(se):
        return PanelMark(name, float(at), NAN, NAN, NAN)
    half = float(stdtrit(df, 0.975)) * se if math.isfinite(df) else 1.959963984540054 * se
    scale = 1.0
    if setup.view == "evidence":
        scale = (1.0 if higher_is_better(place.endpoint) else -1.0) / _spread(found)
    low, high = sorted(((estimate - half) * scale, (estimate + half) * scale))
    return PanelMark(name, float(at), estimate * scale, low, high)


def _contrast(found: Measured, arms: NDArray[np.int8], treated: int, reference: int) -> tuple[float, float, float]:
    """Estimate, standard error and degrees of freedom of a measured outcome under these arms; NaN where there is none."""
    if found.day is None or found.event is None or found.strata is None:
        test = found.tests(arms[None, :], treated, reference)
        return float(test.estimate[0]), float(test.se[0]), float(test.df[0])
    mine = arms[found.subject]
    two = np.isin(mine, (treated, reference))
    factor = Factor("treated", (mine[two] == treated).astype(np.int64), ("no", "yes"))
    try:
        fit = fit_cox(found.day[two], found.event[two], build_design([factor], [("treated",)]), strata=found.strata[two])
    except StatsError:
        return NAN, NAN, NAN
    return float(fit.beta[0]), float(np.sqrt(fit.vcov[0, 0])), math.inf


def _spread(found: Measured) -> float:
    """The standard deviation of an outcome over everybody measured, whatever the arms; of ranks that of 1 ... n."""
    if found.day is not None:
        return 1.0
    if found.outcome.response is not None:
        return float(np.std(found.outcome.response, ddof=1)) or 1.0
    n = found.subject.size
    return math.sqrt((n * n - 1) / 12.0) / ((n + 1.0) if found.outcome.unit else 1.0) or 1.0


# ---- what a lineup says


def _axis(setup: Asked) -> tuple[str, bool]:
    if setup.view == "evidence":
        return "standard deviations, log hazard ratio; right is better", False
    endpoint = setup.endpoint
    if endpoint is None:
        raise ValueError("all but the evidence is of an endpoint")
    if setup.view == "km":
        return "days", False
    logs = endpoint.scale == "log" or endpoint.method == "time_to_event"
    return (endpoint.title or endpoint.name), logs


def _result(setup: Asked, search: WholeSearch, made: Sequence[LineupPanel], panels: int) -> Result:
    source, endpoint = setup.source, setup.endpoint
    about = endpoint.title or endpoint.name if endpoint is not None else "Evidence"
    name = endpoint.name if endpoint is not None else "evidence"
    within = [*search.strata, *([setup.member.phrase] if setup.member.phrase != OVERALL else [])]
    lines = [("Panels", f"{panels}: one is the trial, the others are copies with arms dealt again, without any effect")]
    lines += [("Dealt", f"within strata of {', '.join(within)}" if within else "over the whole trial")]
    if endpoint is not None:
        population = setup.population or source.default_population(endpoint)
        lines += [("Population", f"{population} ({source.population_words(population)})")]
    lines += [("Subgroup", subgroup_line(source, setup.member))] if setup.view != "forest" else []
    if setup.view in ("forest", "evidence"):
        lines += [("Comparison", "; ".join(f"{c.treatment} vs {c.reference}" for c in setup.comparisons))]
        lines += [("Analysed", "every panel as in the search: " + _stand_ins(search))]
    else:
        lines += [("Analysed", "every panel by the endpoint's own model")]
    lines += synthetic_line(source.study)
    used = [endpoint] if endpoint is not None else list(evidence_endpoints(source))
    question: dict[str, Any] = {
        "check": "lineup",
        "view": setup.view,
        "endpoint": name,
        "method": "lineup",
        "population": setup.population,
        "subgroups": [setup.member.phrase],
        "comparisons": [c.name for c in setup.comparisons],
        "panels": panels,
    }
    rows = [row for k, panel in enumerate(made, start=1) for row in _panel_rows(setup, k, panel)]
    title = f"Lineup of {panels}: {TITLES[setup.view]}" + (f", {about}" if endpoint is not None else "")
    origin = provenance(source, [setup.member], setup.command, *used)
    result = Result(question, origin, tuple(rows), Facts(title, tuple(lines)))
    other = setup.population if endpoint and setup.population != source.default_population(endpoint) else ""
    return marked(result, source, endpoints=used, comparisons=setup.comparisons, parts=[setup.member], population=other)


def _stand_ins(search: WholeSearch) -> str:
    methods = dict.fromkeys(p.endpoint.method for p in search.places)
    found = [f"{m.replace('_', ' ')} as {STAND_INS.get(m, 'in the endpoint')}" for m in methods]
    return "; ".join(found).replace("stratified log-rank test", "Cox model of the two arms within strata")


def _panel_rows(setup: Asked, number: int, panel: LineupPanel) -> Iterator[Row]:
    """The numbers of a panel; no name of a statistic is one of a real contrast."""
    endpoint = setup.endpoint
    name, method = (endpoint.name, endpoint.method) if endpoint is not None else ("evidence", "lineup")
    population = setup.population or (setup.source.default_population(endpoint) if endpoint is not None else "")
    common: dict[str, Any] = {"population": population, "subgroup": setup.member.phrase, "variable": f"panel {number}"}
    for mark in panel.marks:
        where: dict[str, Any] = {"context": "model", "level": mark.name}
        if setup.view == "months" and endpoint is not None:
            visit = visit_words(setup.source, endpoint, mark.at)
            where = {"context": "arm", "arm": mark.name, "visit": visit, "visit_number": mark.at}
        for stat_name, value in (("estimate", mark.value), ("estimate_low", mark.low), ("estimate_high", mark.high)):
            known = {"stat": value} if math.isfinite(value) else {"stat": None, "error": "not estimable"}
            yield Row(name, method, stat_name=stat_name, **known, **common, **where)
    for curve in panel.curves:
        for day, alive in zip(curve.time, curve.survival, strict=True):
            at: dict[str, Any] = {"context": "arm", "arm": curve.name, "level": f"day {day:g}"}
            yield Row(name, method, stat_name="event_free", stat=alive, **common, **at)


__all__ = [
    "PANELS",
    "VIEWS",
    "Asked",
    "Curve",
    "Lineup",
    "LineupPanel",
    "PanelMark",
    "asked",
    "dealt_arms",
    "lineup",
    "with_arms",
]
