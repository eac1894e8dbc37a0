"""Which method of the second program answers an endpoint, and what it covers."""

from __future__ import annotations

import pandas as pd

from alsbench.second import ancova, joint_rank, survival
from alsbench.second.numbers import NotCovered, Number
from alsbench.second.trial import TrialTables
from alsbench.study.model import Endpoint

METHODS = {"ancova": ancova, "joint_rank": joint_rank, "time_to_event": survival}
FITTED = frozenset({"mmrm", "slope"})  # methods whose every estimate comes of a fit that iterates


def answer(trial: TrialTables, endpoint: Endpoint, phrase: str = "overall") -> list[Number]:
    """Every number the second program makes of an endpoint in one subgroup phrase.

    Raises NotCovered for a method or option that it does not have."""
    if endpoint.method not in METHODS:
        raise NotCovered(f"the method {endpoint.method}")
    members: pd.DataFrame = trial.members(phrase, endpoint.population)
    return list(METHODS[endpoint.method].numbers(trial, endpoint, members))


def covers(endpoint: Endpoint, context: str, stat_name: str) -> bool:
    """Whether the second program makes this kind of statistic for the endpoint's method."""
    method = METHODS.get(endpoint.method)
    return method is not None and stat_name in method.COVERED.get(context, set())


def fitted(endpoint: Endpoint) -> bool:
    """Whether the endpoint's numbers come of a fit that iterates, to be held to its tolerances."""
    return endpoint.method in FITTED
