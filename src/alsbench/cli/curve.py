"""``alsbench endpoint NAME --curve``: the life table of a time to event, by subgroup and arm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.cli.common import Common, Format

if TYPE_CHECKING:
    from alsbench.analysis.question import Question
    from alsbench.analysis.source import Source
    from alsbench.render.page import Page
    from alsbench.render.sheet import Value
    from alsbench.stats.survival import SurvivalCurve

NUMBERS = {
    "day": "Day",
    "at_risk": "At risk",
    "events": "Events",
    "censored": "Censored",
    "event_free": "Event-free",
    "conf_low": "CI low",
    "conf_high": "CI high",
}


def show_curve(common: Common, source: Source, question: Question) -> None:
    """A line for every day with an event or a censoring: what is at risk just before it, and the share free of events after."""
    from alsbench.analysis.command import endpoint_command
    from alsbench.analysis.curves import curves_of
    from alsbench.analysis.kept import cached_answer
    from alsbench.cli.output import emit_sheets
    from alsbench.render.sheet import Field, Sheet
    from alsbench.render.standing import marked_title
    from alsbench.service.about import about
    from alsbench.service.trail import looked

    found = curves_of(question, source)
    result = cached_answer(question, source).with_command(common.repeat(f"{endpoint_command(question)} --curve"))
    looked(common.access, result, source)
    fields = (
        Field("subgroup", "Subgroup"),
        Field("arm", "Arm"),
        *(Field(name, heading, number=True) for name, heading in NUMBERS.items()),
    )
    records = tuple(
        (phrase, arm, *step) for phrase, arms in found.items() for arm, curve in arms.items() for step in _steps(curve)
    )
    told = tuple(line for line in result.facts.lines if line[0] in {"Population", "Kaplan-Meier", "Event", "Subgroup"})
    facts = (*about(source), *told, ("Command", result.provenance.command))
    post_hoc = ("post hoc",) if result.provenance.post_hoc else ()
    notes = (*post_hoc, *(f"Deviation from the locked plan: {text}" for text in result.provenance.deviations))
    title = marked_title(f"{result.facts.title}: life table", result.provenance)
    emit_sheets(common, Sheet("curve", title, fields, records, facts, notes, standing=True))


def with_curves(common: Common, page: Page, question: Question, source: Source, k: int) -> Page:
    """The page of a time to event with its survival curves drawn, where the format shows drawings and nothing is masked: the
    steps of a curve tell of single subjects."""
    from alsbench.analysis.curves import curves_of
    from alsbench.analysis.run import apply_overrides
    from alsbench.render.figures import survival_figures

    endpoint = apply_overrides(source.endpoint(question.endpoint), question)
    if common.format is not Format.HTML or k or endpoint.method != "time_to_event":
        return page
    found = curves_of(question, source).items()
    return replace(page, figures=tuple(f for phrase, arms in found for f in survival_figures(arms, f"{page.title} · {phrase}")))


def _steps(curve: SurvivalCurve) -> Iterator[tuple[Value, ...]]:
    columns = (curve.time, curve.n_risk, curve.n_event, curve.n_censor, curve.survival, curve.low, curve.high)
    for day, at_risk, events, censored, free, low, high in zip(*columns, strict=True):
        yield float(day), int(at_risk), int(events), int(censored), float(free), float(low), float(high)
