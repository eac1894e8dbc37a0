"""Which module answers which method; imported when first asked for, since some bring heavy libraries."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from alsbench.analysis.context import ARM_STATS, CONTRAST_STATS, AnalysisContext, MethodResult
from alsbench.analysis.contrast import BY_VISIT, CONTRASTED, STATISTICS, Names
from alsbench.analysis.result import Row
from alsbench.analysis.source import BoolArray, Source
from alsbench.errors import UsageError
from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Endpoint

Analyse = Callable[[AnalysisContext], MethodResult]
Interaction = Callable[[AnalysisContext, BoolArray, tuple[float, ...]], MethodResult]


@dataclass(frozen=True)
class MethodInfo:
    """A method: its module under ``endpoints`` is of the same ``name``, its name in words is its ``title``."""

    name: str
    title: str

    @property
    def summary(self) -> Names | None:
        """The statistics that sum it up in one cell of evidence; None where a method has no single contrast."""
        return STATISTICS[CONTRASTED[self.name]] if self.name in CONTRASTED else None

    @property
    def by_visit(self) -> bool:
        """Whether its contrast is one of a visit."""
        return self.name in BY_VISIT


METHODS: dict[str, MethodInfo] = {
    name: MethodInfo(name, title)
    for name, title in {
        "mmrm": "mixed model for repeated measures",
        "ancova": "analysis of covariance by visit",
        "joint_rank": "joint rank of function and survival (CAFS)",
        "slope": "random slopes, units per month",
        "time_to_event": "time to event",
        "responder": "responders, and time to a threshold",
        "staging": "King's and MiToS stages",
        "incidence": "incidence of adverse events",
        "baseline": "baseline characteristics",
    }.items()
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


def analysed(analysis: AnalysisContext) -> MethodResult:
    """What the endpoint's method answers; a subgroup whose model cannot be fitted is answered with rows that say why."""
    import numpy as np  # waits: numpy

    analyse = analyse_with(analysis.endpoint.method)
    try:
        with one_blas_thread():
            return analyse(analysis)
    except (StatsError, np.linalg.LinAlgError) as error:
        rows: list[Row] = []
        for arm in analysis.arms:
            rows += analysis.failed("arm", ARM_STATS, str(error), arm=arm)
        for treatment, reference in analysis.pairs:
            rows += analysis.failed("contrast", CONTRAST_STATS, str(error), treatment=treatment, reference=reference)
        return MethodResult(rows, warnings=(f"{analysis.member.phrase}: {error}",))


def interaction_with(name: str) -> Interaction | None:
    """The function that gives the subgroup-by-arm interaction p of a method, None where it has none."""
    function: Interaction | None = getattr(_module(name), "interaction", None)
    return function


def _module(name: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"alsbench.analysis.endpoints.{method_info(name).name}")
