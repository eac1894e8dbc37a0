"""One endpoint asked and answered: the question made of words, the answer masked, not yet logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.errors import UsageError

if TYPE_CHECKING:
    from alsbench.analysis.question import Question
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source


def endpoint_question(
    source: Source,
    name: str,
    *,
    subgroups: Sequence[str] = (),
    comparisons: Sequence[str] = (),
    visits: Sequence[str] = (),
    population: str = "",
    method: str = "",
    covariance: str = "",
    df: str = "",
    subjects: bool = False,
    options: Mapping[str, str] | None = None,
) -> Question:
    """The question of an endpoint. ``visits`` are numbers or labels; ``options`` keys of study.toml with their values as TOML.

    Raises UsageError for a visit or option that is not there; what else cannot be meant is said when it is answered.
    """
    from alsbench.analysis.question import OVERALL, Question
    from alsbench.analysis.records import resolve_visit
    from alsbench.analysis.run import apply_overrides

    question = Question(
        endpoint=name,
        subgroups=tuple(dict.fromkeys(subgroups or (OVERALL,))),
        comparisons=tuple(dict.fromkeys(comparisons)),
        population=population,
        method=method,
        covariance=covariance,
        df=df,
        subjects=subjects,
        options=tuple(sorted((options or {}).items())),
    )
    if visits:
        asked = apply_overrides(source.endpoint(name), question)
        question = replace(question, visits=tuple(dict.fromkeys(resolve_visit(source, asked, v) for v in visits)))
    return question


def answered(question: Question, source: Source, k: int) -> Result:
    """The answer, kept or computed, with counts below ``k`` masked."""
    from alsbench.analysis.kept import cached_answer
    from alsbench.service.masks import mask_answer

    return mask_answer(cached_answer(question, source), question, source, k)


def safety_endpoint(source: Source) -> str:
    """The study's first incidence endpoint. Raises UsageError where it has none."""
    name = next((n for n, e in source.study.endpoints.items() if e.method == "incidence"), None)
    if name is None:
        hint = '[endpoints.ae] with method = "incidence" and dataset = "ADAE"'
        raise UsageError("the study has no incidence endpoint", where="study.toml endpoints", hint=hint)
    return name
