"""``alsbench endpoint NAME --why SUBJECT``: every pair of one subject of a joint rank, and what decided it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.cli.common import Common

if TYPE_CHECKING:
    from alsbench.analysis.question import Question
    from alsbench.analysis.source import Source
    from alsbench.analysis.why import PairReason, RankReason, Why
    from alsbench.render.sheet import Field, Sheet, Value


def show_why(common: Common, source: Source, question: Question, subject: str) -> None:
    """The pairs of ``subject`` and their sums. CSV and TSV hold the pairs, JSON both; print has the sums first."""
    import shlex

    from alsbench.analysis.command import endpoint_command
    from alsbench.analysis.why import why_rank_of
    from alsbench.cli.output import emit_sheets
    from alsbench.service.about import about
    from alsbench.service.trail import shown

    why = why_rank_of(source, question, subject)
    command = common.repeat(f"{endpoint_command(question)} --why {shlex.quote(subject)}")
    shown(common.access, "subject", {"asked": command, "snapshot": source.snapshot.digest})
    sheets = [_pairs(why), _sums(why)]
    if common.format.printed:
        sheets = [_sums(why), *(_printed(ranking) for ranking in why.rankings if ranking.pairs)]
    facts = (*about(source), *why.facts, ("Command", command))
    emit_sheets(common, replace(sheets[0], title=why.title, facts=facts, standing=True), *sheets[1:])


TEXTS = ("opponent", "arm", "result", "decided_by", "compared_at")
NUMBERS = ("own_change", "opponent_change", "own_day", "opponent_day")


def _pairs(why: Why) -> Sheet:
    records = [(ranking.title, *_pair(p)) for ranking in why.rankings for p in ranking.pairs]
    return _sheet("pairs", "Pairs", _fields("ranking", *TEXTS, numbers=NUMBERS), records)


def _printed(ranking: RankReason) -> Sheet:
    """The pairs of one ranking under its name."""
    notes = ("Changes where function was compared; days are those of the event, or of last contact up to the horizon.",)
    return replace(_sheet("pairs", ranking.title, _fields(*TEXTS, numbers=NUMBERS), map(_pair, ranking.pairs)), notes=notes)


def _pair(p: PairReason) -> tuple[Value, ...]:
    return (p.opponent, p.arm, p.result, p.decided_by, p.visit, p.own_change, p.opponent_change, p.own_day, p.opponent_day)


def _sums(why: Why) -> Sheet:
    fields = _fields(
        "ranking", "arm", numbers=("score", "rank", "ranked", "won", "lost", "tied", "won_by_event", "lost_by_event")
    )
    records = [_sum(r) for r in why.rankings]
    notes = tuple(f"{r.title}: {r.error}" for r in why.rankings if r.error)
    return replace(_sheet("ranks", "Score (pairs won less pairs lost) and rank", fields, records), notes=notes)


def _sum(r: RankReason) -> tuple[Value, ...]:
    counts = tuple(r.count(result) for result in ("won", "lost", "tied"))
    return (r.title, r.arm, r.score, r.rank, r.n_ranked, *counts, r.count("won", "event"), r.count("lost", "event"))


def _fields(*texts: str, numbers: tuple[str, ...]) -> tuple[Field, ...]:
    from alsbench.render.sheet import Field

    named = [(name, False) for name in texts] + [(name, True) for name in numbers]
    return tuple(Field(name, name.replace("_", " ").capitalize(), number=number) for name, number in named)


def _sheet(name: str, title: str, fields: tuple[Field, ...], records: Iterable[tuple[Value, ...]]) -> Sheet:
    from alsbench.render.sheet import Sheet

    return Sheet(name, title, fields, tuple(records))
