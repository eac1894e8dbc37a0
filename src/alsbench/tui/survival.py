"""Kaplan-Meier curves of a time-to-event endpoint for the plot: computed in a worker, never part of a cached result.

A curve is aggregate: steps, numbers at risk and how many were censored when; no subject can be told from it but where a single
one is left at risk, as in the printed figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsbench.analysis.question import Question

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.stats.survival import SurvivalCurve


@dataclass(frozen=True)
class CurveKey:
    """The curves behind a time-to-event question of one subgroup phrase."""

    question: Question


@dataclass(frozen=True)
class Curves:
    """The curve of every arm that has subjects."""

    by_arm: Mapping[str, SurvivalCurve]


def survival_curves(key: CurveKey, source: Source) -> Curves:
    """Curves of the question's members, with the overrides of the question. Raises AlsbenchError as its answer would."""
    from alsbench.analysis.curves import curves_of

    return Curves(curves_of(key.question, source)[key.question.subgroups[0]])
