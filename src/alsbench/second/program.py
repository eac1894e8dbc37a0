"""Which method of the second program answers an endpoint, and what it covers."""

from __future__ import annotations

import pandas as pd

from alsbench.second import ancova, baseline, incidence, joint_rank, mmrm, responder, slope, staging, subgroup, survival
from alsbench.second.numbers import NotCovered, Number
from alsbench.second.trial import TrialTables
from alsbench.study.model import Endpoint, Study

METHODS = {
    "ancova": ancova,
    "baseline": baseline,
    "incidence": incidence,
    "joint_rank": joint_rank,
    "mmrm": mmrm,
    "responder": responder,
    "slope": slope,
    "staging": staging,
    "time_to_event": survival,
}
FITTED = frozenset({"mmrm", "slope"})  # methods whose every estimate comes of a fit that iterates


def answer(trial: TrialTables, endpoint: Endpoint, phrase: str = "overall") -> list[Number]:
    """Every number the second program makes of an endpoint in one subgroup phrase.

    Raises NotCovered for a method or option that it does not have."""
    if endpoint.method not in METHODS:
        raise NotCovered(f"the method {endpoint.method}")
    members: pd.DataFrame = trial.members(phrase, population_of(trial.study, endpoint))
    arm_column = trial.study.arms.actual if endpoint.method == "incidence" else ""
    rows = subgroup.subgroup_rows(trial, phrase, members, arm_column)
    return [*rows, *METHODS[endpoint.method].numbers(trial, endpoint, members)]


def population_of(study: Study, endpoint: Endpoint) -> str:
    """The analysis set of an endpoint: adverse events are of the one flagged by SAFFL unless another is named."""
    if endpoint.population or endpoint.method != "incidence":
        return endpoint.population
    return next((name for name, flag in study.populations.flags.items() if flag == "SAFFL"), "")


def covers(endpoint: Endpoint, context: str, stat_name: str) -> bool:
    """Whether the second program makes this kind of statistic for the endpoint's method."""
    method = METHODS.get(endpoint.method)
    if context == "subgroup":
        return method is not None and stat_name in subgroup.COVERED
    return method is not None and stat_name in method.COVERED.get(context, set())


def fitted(endpoint: Endpoint) -> bool:
    """Whether the endpoint's numbers come of a fit that iterates, to be held to its tolerances."""
    return endpoint.method in FITTED
