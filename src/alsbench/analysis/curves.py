"""The Kaplan-Meier curves behind a time-to-event question: for the plot and for the life table, never part of a kept result.

A curve is aggregate, but its steps are days on which single subjects had an event or were censored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alsbench.errors import UsageError

if TYPE_CHECKING:
    from alsbench.analysis.question import Question
    from alsbench.analysis.source import Source
    from alsbench.stats.survival import SurvivalCurve


def curves_of(question: Question, source: Source) -> dict[str, dict[str, SurvivalCurve]]:
    """The curve of every arm that has subjects, by subgroup phrase and arm, with the overrides of the question.

    Raises AlsbenchError as its answer would, UsageError where the endpoint is no time to event."""
    from alsbench.analysis.ask import Ask
    from alsbench.analysis.endpoints.time_to_event import curves
    from alsbench.analysis.run import apply_overrides
    from alsbench.analysis.subgroups import members

    endpoint = apply_overrides(source.endpoint(question.endpoint), question)
    if endpoint.method != "time_to_event":
        raise UsageError(f"endpoint {endpoint.name} is no time to event: it has no survival curve")
    population = question.population or source.default_population(endpoint)
    comparisons = source.comparisons(question.comparisons)
    found = {}
    for phrase in dict.fromkeys(question.subgroups):
        ask = Ask(source, endpoint, question, population, members(source, phrase, population), comparisons)
        found[phrase] = curves(ask)
    return found
