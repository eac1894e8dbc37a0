"""Which method of the second program answers an endpoint, and what it covers."""

from __future__ import annotations

import pandas as pd

from alsbench.second import (
    ancova,
    baseline,
    imputation,
    incidence,
    joint_rank,
    mmrm,
    responder,
    slope,
    staging,
    subgroup,
    survival,
)
from alsbench.second.multiplicity import Place, adjusted_p, max_t_p
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


def answer(trial: TrialTables, endpoint: Endpoint, phrase: str = "overall") -> list[Number]:
    """Every number the second program makes of an endpoint in one subgroup phrase.

    Raises NotCovered for a method or option that it does not have."""
    if endpoint.method not in METHODS:
        raise NotCovered(f"the method {endpoint.method}")
    members: pd.DataFrame = trial.members(phrase, population_of(trial.study, endpoint))
    arm_column = trial.study.arms.actual if endpoint.method == "incidence" else ""
    rows = subgroup.subgroup_rows(trial, phrase, members, arm_column)
    method = imputation if _imputes(endpoint) else METHODS[endpoint.method]
    return [*rows, *method.numbers(trial, endpoint, members)]


def _imputes(endpoint: Endpoint) -> bool:
    return endpoint.method == "mmrm" and endpoint.imputation != "none"


def plan_numbers(trial: TrialTables, population: str = "") -> list[Number]:
    """The adjusted p of every hypothesis of the study's plan for multiplicity, from p-values of its own: of each endpoint
    overall, at the last analysed visit up to the comparison's horizon. Empty without a plan.

    Raises NotCovered as :func:`answer` and :mod:`alsbench.second.multiplicity` do."""
    plan = trial.study.multiplicity
    if plan is None:
        return []
    if plan.method == "max_t":
        return [adjusted_number(trial.study, place, p, error) for place, (p, error) in max_t_p(trial, population).items()]
    p_values: dict[Place, float | None] = {}
    answers: dict[str, list[Number]] = {}
    for name in dict.fromkeys(h.endpoint for h in plan.hypotheses):
        endpoint = trial.study.endpoints[name]
        answers[name] = answer(trial, endpoint.model_copy(update={"population": population or endpoint.population}))
    for hypothesis in plan.hypotheses:
        comparison = next(c for c in trial.study.comparisons if c.name == hypothesis.comparison)
        sides = (comparison.treatment, comparison.reference)
        of_comparison = [n for n in answers[hypothesis.endpoint] if (n.treatment, n.reference) == sides]
        made = [n for n in of_comparison if n.stat_name == "p_value"]
        visits = [v for n in made if (v := n.visit) is not None and (comparison.horizon is None or v <= comparison.horizon)]
        at = max(visits, default=None)
        p = next((n.stat for n in made if n.visit == at and n.level is None), None)
        p_values[hypothesis.endpoint, hypothesis.comparison] = float(p) if isinstance(p, int | float) else None
    return [adjusted_number(trial.study, place, p) for place, p in adjusted_p(trial.study, p_values).items()]


def adjusted_number(study: Study, place: Place, p: float | None, error: float = 0.0) -> Number:
    """An adjusted p as a number; ``place`` is the endpoint and the name of the comparison."""
    endpoint, name = place
    comparison = next(c for c in study.comparisons if c.name == name)
    treatment, reference = comparison.treatment, comparison.reference
    return Number(
        "contrast", "p_adjusted", p, None, treatment, reference, variable=endpoint, level="multiplicity plan", error=error
    )


def population_of(study: Study, endpoint: Endpoint) -> str:
    """The analysis set of an endpoint: adverse events are of the one flagged by SAFFL unless another is named."""
    if endpoint.population or endpoint.method != "incidence":
        return endpoint.population
    return next((name for name, flag in study.populations.flags.items() if flag == "SAFFL"), "")


def covers(endpoint: Endpoint, context: str, stat_name: str) -> bool:
    """Whether the second program makes this kind of statistic for the endpoint's method."""
    method = imputation if _imputes(endpoint) else METHODS.get(endpoint.method)
    if context == "subgroup":
        return method is not None and stat_name in subgroup.COVERED
    return method is not None and stat_name in method.COVERED.get(context, set())
