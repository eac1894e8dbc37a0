"""One endpoint asked and answered: its table, the pairs behind one rank, the life table behind a survival curve."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from alsbench.analysis.kept import cached_answer
from alsbench.analysis.question import OVERALL, Question, endpoint_command
from alsbench.analysis.records import resolve_visit
from alsbench.analysis.run import apply_overrides, curves_of
from alsbench.errors import UsageError
from alsbench.render.figures import survival_figures
from alsbench.render.sheet import Field, Sheet
from alsbench.render.tables import endpoint_page
from alsbench.render.titles_footnotes import marked_title
from alsbench.service.access import Access
from alsbench.service.masks import mask_answer
from alsbench.service.output import Output, results_output, sheets_output, source_facts
from alsbench.service.trail import log_result, log_shown

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.analysis.why import PairReason, RankReason, Why
    from alsbench.render.page import Page
    from alsbench.render.sheet import Value
    from alsbench.stats.survival import SurvivalCurve


def endpoint(access: Access, name: str, *, model: bool = False, mask: int = 0, **words: Any) -> Output:
    """An endpoint analysed as study.toml says, in each subgroup asked for; ``words`` as :func:`endpoint_question` takes them.
    ``model`` shows the facts of the fit too. The HTML of a time to event draws its survival curves."""
    with access.opened() as source:
        question = endpoint_question(source, name, **words)
        found = answered(question, source, k := access.mask(mask))
        if model and access.form != "python":  # whose answers have the facts of the fit without being asked for them
            found = found.with_command(f"{found.provenance.command} --model")
        result = log_result(access, found, source.study)
        page = partial(endpoint_page, result, model=model)
        drawn = with_curves(access, page(), question, source, k) if access.form == "html" else None
        return results_output(access, [result], lambda: drawn or page(), source.study)


def safety(access: Access, *, subgroups: Sequence[str] = (), population: str = "", mask: int = 0) -> Output:
    """Exposure, adverse event overview, classes and terms: the study's first incidence endpoint. Raises UsageError where it has
    none."""
    with access.opened() as source:
        name = next((n for n, e in source.study.endpoints.items() if e.method == "incidence"), None)
        if name is None:
            hint = '[endpoints.ae] with method = "incidence" and dataset = "ADAE"'
            raise UsageError("the study has no incidence endpoint", where="study.toml endpoints", hint=hint)
        question = endpoint_question(source, name, subgroups=subgroups, population=population)
        result = log_result(access, answered(question, source, access.mask(mask)), source.study)
        return results_output(access, [result], lambda: endpoint_page(result), source.study)


def rank_reasons(access: Access, name: str, subject: str, *, mask: int = 0, **words: Any) -> Output:
    """Every pair of one subject of a joint rank and what decided it, with their sums. CSV and TSV hold the pairs, JSON both;
    print has the sums first. Raises UsageError where a mask holds: these are single subjects."""
    with access.opened() as source:
        question = endpoint_question(source, name, **words)
        access.refuse_mask(mask, "the pairs of one subject")
        from alsbench.analysis.why import why_rank_of  # waits: scipy

        why = why_rank_of(source, question, subject)
        command = access.repeat(f"{endpoint_command(question)} --why {shlex.quote(subject)}")
        log_shown(access, "subject", {"asked": command, "snapshot": source.snapshot.digest})
        facts = (*source_facts(source), *why.facts, ("Command", command))

    def headed(first: Sheet, *rest: Sheet) -> tuple[Sheet, ...]:
        return (replace(first, title=why.title, facts=facts, titled=True), *rest)

    printed = headed(_rank_sums(why), *(_ranking_pairs(ranking) for ranking in why.rankings if ranking.pairs))
    return sheets_output(access, *headed(_rank_pairs(why), _rank_sums(why)), printed=printed)


def life_table(access: Access, name: str, *, mask: int = 0, **words: Any) -> Output:
    """The life table of a time to event by subgroup and arm: a line for every day with an event or a censoring, with what is at
    risk just before it and the share free of events after. Raises UsageError where a mask holds."""
    with access.opened() as source:
        question = endpoint_question(source, name, **words)
        access.refuse_mask(mask, "the days of a survival curve")
        found = curves_of(question, source)
        result = cached_answer(question, source).with_command(f"{endpoint_command(question)} --curve")
        result = log_result(access, result, source.study)
        facts = source_facts(source)
    headings = {"day": "Day", "at_risk": "At risk", "events": "Events", "censored": "Censored", "event_free": "Event-free"}
    headings |= {"conf_low": "CI low", "conf_high": "CI high"}
    numbers = (Field(key, heading, number=True) for key, heading in headings.items())
    fields = (Field("subgroup", "Subgroup"), Field("arm", "Arm"), *numbers)
    records = tuple(
        (phrase, arm, *day) for phrase, arms in found.items() for arm, curve in arms.items() for day in _days(curve)
    )
    told = tuple(line for line in result.facts.lines if line[0] in {"Population", "Kaplan-Meier", "Event", "Subgroup"})
    post_hoc = ("post hoc",) if result.provenance.post_hoc else ()
    notes = (*post_hoc, *(f"Deviation from the locked plan: {text}" for text in result.provenance.deviations))
    title = marked_title(f"{result.facts.title}: life table", result.provenance)
    facts = (*facts, *told, ("Command", result.provenance.command))
    return sheets_output(access, Sheet("curve", title, fields, records, facts, notes, titled=True))


# ---- the question and its answer


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
    """The answer, kept or computed, with counts below ``k`` masked; not yet logged."""
    return mask_answer(cached_answer(question, source), question, source, k)


def with_curves(access: Access, page: Page, question: Question, source: Source, k: int) -> Page:
    """The page of a time to event with its survival curves drawn, where the form shows drawings and nothing is masked: steps of
    a curve tell of single subjects."""
    if access.form != "html" or k or apply_overrides(source.endpoint(question.endpoint), question).method != "time_to_event":
        return page
    found = curves_of(question, source).items()
    return replace(page, figures=tuple(f for phrase, arms in found for f in survival_figures(arms, f"{page.title} · {phrase}")))


def _days(curve: SurvivalCurve) -> Iterator[tuple[Value, ...]]:
    columns = (curve.time, curve.n_risk, curve.n_event, curve.n_censor, curve.survival, curve.low, curve.high)
    for day, at_risk, events, censored, free, low, high in zip(*columns, strict=True):
        yield float(day), int(at_risk), int(events), int(censored), float(free), float(low), float(high)


# ---- the pairs of a joint rank

TEXTS = ("opponent", "arm", "result", "decided_by", "compared_at")
NUMBERS = ("own_change", "opponent_change", "own_day", "opponent_day")


def _rank_pairs(why: Why) -> Sheet:
    records = [(ranking.title, *_pair(p)) for ranking in why.rankings for p in ranking.pairs]
    return _sheet("pairs", "Pairs", ("ranking", *TEXTS), NUMBERS, records)


def _ranking_pairs(ranking: RankReason) -> Sheet:
    """The pairs of one ranking under its name."""
    notes = ("Changes where function was compared; days are those of the event, or of last contact up to the horizon.",)
    return replace(_sheet("pairs", ranking.title, TEXTS, NUMBERS, map(_pair, ranking.pairs)), notes=notes)


def _pair(p: PairReason) -> tuple[Value, ...]:
    return (p.opponent, p.arm, p.result, p.decided_by, p.visit, p.own_change, p.opponent_change, p.own_day, p.opponent_day)


def _rank_sums(why: Why) -> Sheet:
    numbers = ("score", "rank", "ranked", "won", "lost", "tied", "won_by_event", "lost_by_event")
    records = []
    for r in why.rankings:
        counts = tuple(r.count(result) for result in ("won", "lost", "tied"))
        records.append(
            (r.title, r.arm, r.score, r.rank, r.n_ranked, *counts, r.count("won", "event"), r.count("lost", "event"))
        )
    notes = tuple(f"{r.title}: {r.error}" for r in why.rankings if r.error)
    sheet = _sheet("ranks", "Score (pairs won less pairs lost) and rank", ("ranking", "arm"), numbers, records)
    return replace(sheet, notes=notes)


def _sheet(name: str, title: str, texts: Sequence[str], numbers: Sequence[str], records: Iterable[tuple[Value, ...]]) -> Sheet:
    named = [(key, False) for key in texts] + [(key, True) for key in numbers]
    fields = tuple(Field(key, key.replace("_", " ").capitalize(), number=number) for key, number in named)
    return Sheet(name, title, fields, tuple(records))
