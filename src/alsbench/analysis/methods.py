"""Which module answers which method; imported when first asked for, since some bring heavy libraries."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from alsbench.analysis.ask import Ask, Block
from alsbench.analysis.source import BoolArray, Source
from alsbench.errors import UsageError
from alsbench.study.model import Endpoint

Analyse = Callable[[Ask], Block]
Interaction = Callable[[Ask, BoolArray, tuple[float, ...]], Block]


@dataclass(frozen=True)
class MethodInfo:
    """A method: its module, its name in words, and the statistics that sum it up in one cell of evidence.

    ``summary`` is (estimate, low, high, p); empty where a method has no single contrast. ``by_visit``: a cell needs a visit.
    """

    module: str
    title: str
    summary: tuple[str, str, str, str] | None = None
    by_visit: bool = False


DIFFERENCE = ("difference", "conf_low", "conf_high", "p_value")
METHODS: dict[str, MethodInfo] = {
    "mmrm": MethodInfo("mmrm", "mixed model for repeated measures", DIFFERENCE, by_visit=True),
    "ancova": MethodInfo("ancova", "analysis of covariance by visit", DIFFERENCE, by_visit=True),
    "joint_rank": MethodInfo("joint_rank", "joint rank of function and survival (CAFS)", DIFFERENCE, by_visit=True),
    "slope": MethodInfo("slope", "random slopes, units per month", DIFFERENCE),
    "time_to_event": MethodInfo("time_to_event", "time to event", ("hazard_ratio", "hr_low", "hr_high", "p_value")),
    "responder": MethodInfo("responder", "responders, and time to a threshold"),
    "staging": MethodInfo("staging", "King's and MiToS stages"),
    "incidence": MethodInfo("incidence", "incidence of adverse events"),
    "baseline": MethodInfo("baseline", "baseline characteristics"),
}


def method_info(name: str) -> MethodInfo:
    """What is known of a method. Raises UsageError for one that this version does not have."""
    if name not in METHODS:
        raise UsageError(f"the method {name} is not available in this version", hint=f"available: {', '.join(METHODS)}")
    return METHODS[name]


def evidence_endpoints(source: Source) -> tuple[Endpoint, ...]:
    """Endpoints whose method gives a contrast: primary first, then as in the study."""
    order = {"primary": 0, "secondary": 1, "exploratory": 2}
    found = [e for e in source.study.endpoints.values() if e.method in METHODS and METHODS[e.method].summary is not None]
    return tuple(sorted(found, key=lambda e: order[e.level]))


def analyse_with(name: str) -> Analyse:
    """The function that answers a method for one subgroup."""
    function: Analyse = _module(name).analyse
    return function


def interaction_with(name: str) -> Interaction | None:
    """The function that gives the subgroup-by-arm interaction p of a method, None where it has none."""
    function: Interaction | None = getattr(_module(name), "interaction", None)
    return function


def _module(name: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"alsbench.analysis.endpoints.{method_info(name).module}")
