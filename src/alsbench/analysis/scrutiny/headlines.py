"""One place of a search as a press release would put it: who, on what, how much better, with the p beside it.

The estimate is that of the search: an adjusted difference (of a joint rank in places, of slopes per month), a ratio where
logarithms are analysed, the hazard ratio of a Cox model of the two arms within strata, without covariates (Cox 1972, doi
10.1111/j.2517-6161.1972.tb00899.x). Nothing is added to it: no adjective, no claim.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.contrast import STATISTICS, Unit, higher_is_better, p_text
from alsbench.analysis.question import OVERALL
from alsbench.analysis.records import endpoint_records, visit_label
from alsbench.analysis.scrutiny.outcomes import Measured
from alsbench.analysis.search import Place
from alsbench.analysis.source import Source
from alsbench.stats.cox import fit_cox
from alsbench.stats.design import Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.rounding import round_half_away
from alsbench.study.model import Endpoint, Study
from alsbench.study.phrase import parse_phrase, subgroup_names

ARM = "treated"


@dataclass(frozen=True)
class Effect:
    """Treatment against reference as ``unit`` says; None where it cannot be estimated."""

    value: float | None
    unit: Unit

    @property
    def name(self) -> str:
        """The name of the statistic."""
        return STATISTICS[self.unit][0]


def effect_in(found: Measured, endpoint: Endpoint, arms: NDArray[np.int8], treated: int, reference: int) -> Effect:
    """The effect of a measured outcome where the arms are ``arms`` (subjects of the source,)."""
    if found.day is not None:
        return Effect(_hazard_ratio(found, arms[found.subject], treated, reference), "hazard_ratio")
    value = float(found.tests(arms[None, :], treated, reference).estimate[0])
    if not math.isfinite(value):
        return Effect(None, "ratio" if endpoint.scale == "log" else "difference")
    return Effect(math.exp(value), "ratio") if endpoint.scale == "log" else Effect(value, "difference")


def _hazard_ratio(found: Measured, arm: NDArray[np.int8], treated: int, reference: int) -> float | None:
    if found.day is None or found.event is None or found.strata is None:
        raise ValueError("times, events and strata belong together")
    two = np.isin(arm, (treated, reference))
    factor = Factor(ARM, (arm[two] == treated).astype(np.int64), ("no", "yes"))
    try:
        fit = fit_cox(found.day[two], found.event[two], build_design([factor], [(ARM,)]), strata=found.strata[two])
    except StatsError:  # no event in the two arms
        return None
    value = float(np.exp(fit.beta[0]))
    return value if math.isfinite(value) else None  # every event in one arm


def headline(source: Source, place: Place, effect: Effect, p: float) -> str:
    """``Slow progressors: five doses kept 3.1 points more of ALSFRS-R total score than Placebo at Month 10 (p = 0.0008)``."""
    labels = source.study.arms.labels
    treated, reference = (labels.get(a) or a for a in (place.comparison.treatment, place.comparison.reference))
    said = _said(place.endpoint, effect, treated, reference)
    at = f" at {visit_words(source, place.endpoint, place.visit)}" if place.visit is not None else ""
    return f"{who(source.study, place.definition)}: {said}{at} ({release_p(p)})"


def visit_words(source: Source, endpoint: Endpoint, visit: float) -> str:
    """The label of a visit of an endpoint; a joint rank has those of its function."""
    carrier = source.endpoint(endpoint.function) if endpoint.method == "joint_rank" else endpoint
    return visit_label(source, endpoint_records(source, carrier), visit)


def who(study: Study, definition: str) -> str:
    """A definition in the words of the study file: ``Slow progressors``, ``All but slow progressors``, ``All patients``; one
    that is in the file no more as its expression."""
    names = subgroup_names(study)
    words = definition.split(" and ")
    if definition == OVERALL:
        return "All patients"
    if any(w.removeprefix("not ") not in names for w in words):
        return definition
    said: list[str] = []
    for name, negated in parse_phrase(definition, names).parts:
        subgroup = study.subgroup(name)
        label = (subgroup.label if subgroup is not None else "") or name
        said.append(f"all but {_inside(label)}" if negated else label if not said else _inside(label))
    text = ", ".join(said)
    return text[0].upper() + text[1:]


def release_p(p: float) -> str:
    """``p = 0.0008``: as a release prints it, with four decimals where three are zero."""
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {round_half_away(p, 4) if p < 0.001 else p_text(p)}"


def _said(endpoint: Endpoint, effect: Effect, treated: str, reference: str) -> str:
    title = _inside(endpoint.title or endpoint.name)
    upward = higher_is_better(endpoint)
    if effect.value is None:
        return f"{treated} differed from {reference} in {title}, by how much cannot be estimated"
    value = effect.value
    if effect.unit == "hazard_ratio":
        word = "cut" if value < 1.0 else "raised"
        return f"{treated} {word} the risk of {title} by {_percent(value)} against {reference}"
    more = value > (1.0 if effect.unit == "ratio" else 0.0)
    better = more == upward
    if endpoint.method == "joint_rank":
        size = f"{_percent(1.0 + value)} of all places" if endpoint.rank_scale == "unit" else f"{_size(value)} places"
        return f"{treated} ranked {size} {'better' if better else 'worse'} than {reference} in {title}"
    size = _percent(value) if effect.unit == "ratio" else _amount(endpoint, value)
    if endpoint.method == "slope":
        change = "decline" if upward else "rise"
        return f"{treated} {'slowed' if better else 'sped up'} the {change} by {size} a month against {reference} in {title}"
    if upward:
        return f"{treated} {'kept' if more else 'lost'} {size} more of {title} than {reference}"
    return f"{treated} had {size} {'more' if more else 'less'} {title} than {reference}"


def _amount(endpoint: Endpoint, value: float) -> str:
    """``3.1 points`` of a score; a number alone where the study file does not tell the unit."""
    unit = " points" if endpoint.paramcd.upper().startswith("ALSFR") else " percentage points" if "%" in endpoint.title else ""
    return f"{_size(value)}{unit}"


def _inside(label: str) -> str:
    """A label within a sentence: ``slow progressors``, but ``NfL below 52`` and ``FVC``."""
    word = label.split(" ")[0].rstrip(",;:")
    return label[:1].lower() + label[1:] if word[1:].islower() else label


def _size(value: float) -> str:
    return round_half_away(abs(value), 1 if abs(value) >= 1.0 else 2)


def _percent(ratio: float) -> str:
    """``18 %``: by how much a ratio lies off one."""
    return f"{round_half_away(abs(ratio - 1.0) * 100.0, 0)} %"


__all__ = ["Effect", "effect_in", "headline", "release_p", "visit_words", "who"]
