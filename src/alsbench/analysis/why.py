"""Why a subject has its rank: every pair it was scored in by a joint rank, who won, and what decided it.

The pairs, rules and ranked sets are those of the endpoint's own analysis, so that wins less losses are the subject's U and the
counts by what decided them its part of the components (METHODS 3).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.endpoints.joint_rank import Ranked, ranked_set, rankings, rule_words
from alsbench.analysis.model_data import strata_codes
from alsbench.analysis.plan import departure_lines, departures
from alsbench.analysis.question import Question
from alsbench.analysis.records import endpoint_records, visit_label
from alsbench.analysis.run import apply_overrides
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members, subgroup_line
from alsbench.errors import UsageError
from alsbench.stats.errors import StatsError
from alsbench.stats.why_rank import ComparedPair, why_rank
from alsbench.study.names import nearest

RESULTS = {1: "won", 0: "tied", -1: "lost"}


@dataclass(frozen=True)
class PairReason:
    """One pair as the subject sees it: ``result`` is won, tied or lost. ``visit`` and the changes are None unless function was
    compared; days are event days, or of last contact without an event."""

    opponent: str
    arm: str
    result: str
    decided_by: str
    outcome: str
    visit: str | None
    visit_number: float | None
    own_change: float | None
    opponent_change: float | None
    own_day: float | None
    opponent_day: float | None


@dataclass(frozen=True)
class RankReason:
    """The subject in one ranking: U (``score``), what is analysed (``rank``), the number ranked, and all its pairs.

    ``reference`` and ``treatment`` are None where all arms were ranked together. ``error`` says why there is no rank.
    """

    subject: str
    arm: str
    subgroup: str
    treatment: str | None
    reference: str | None
    visit: str
    visit_number: float
    score: int | None
    rank: float | None
    n_ranked: int
    pairs: tuple[PairReason, ...]
    error: str | None = None

    @property
    def title(self) -> str:
        """``Group 2 vs Placebo, Month 12``, with the subgroup unless it is everybody."""
        arms = f"{self.treatment} vs {self.reference}" if self.treatment else "all arms"
        return ", ".join(part for part in (arms, self.visit, "" if self.subgroup == "overall" else self.subgroup) if part)

    def count(self, result: str, decided_by: str | None = None) -> int:
        """Pairs with a result, or of those the ones decided by ``event`` or ``function``."""
        tally = Counter((p.result, p.decided_by) for p in self.pairs)
        return sum(n for (r, by), n in tally.items() if r == result and decided_by in (None, by))


@dataclass(frozen=True)
class Why:
    """A subject's rankings, and in words what a reader needs: the endpoint, the rules of a pair, the sets ranked."""

    title: str
    facts: tuple[tuple[str, str], ...]
    rankings: tuple[RankReason, ...]


def why_rank_of(source: Source, question: Question, subject: str) -> Why:
    """Every ranking of a joint rank question that holds the subject, with all its pairs.

    Raises UsageError for another method, an unknown subject, or one that is in none of the sets ranked.
    """
    endpoint = apply_overrides(source.endpoint(question.endpoint), question)
    if endpoint.method != "joint_rank":
        ranks = [n for n, e in source.study.endpoints.items() if e.method == "joint_rank"]
        hint = f"joint ranks of this study: {', '.join(ranks) or 'none'}"
        raise UsageError(f"{endpoint.name} is a {endpoint.method} endpoint and has no ranks", where="--why", hint=hint)
    if subject not in source.subject_index:
        raise UsageError(f"no subject is named {subject}", where="--why", hint=nearest(subject, source.subject_ids))
    index = source.subject_index[subject]
    population = question.population or source.default_population(endpoint)
    comparisons = source.comparisons(question.comparisons)
    found: list[RankReason] = []
    lines: list[tuple[str, str]] = []
    parts = []
    for phrase in dict.fromkeys(question.subgroups):
        member = members(source, phrase, population)
        analysis = AnalysisContext(source, endpoint, question, population, member, comparisons)
        parts.append(member)
        lines.append(("Subgroup", subgroup_line(source, member)))
        if member.mask[index]:
            found += _rankings(analysis, index)
        lines.append(("Pairs", rule_words(analysis)))
    if not found:
        raise UsageError(
            f"{subject} is in none of the ranked sets",
            where="--why",
            why=f"its arm is {_arm(source, index)}, and the sets are those of the subgroups and comparisons asked for",
            hint="ask for another --comparison, --subgroup or --population",
        )
    post_hoc, deviations = departures(
        source,
        endpoints=[endpoint],
        comparisons=comparisons,
        parts=parts,
        question=question,
        planned_population=source.default_population(endpoint),
    )
    facts = (*departure_lines(post_hoc, deviations), ("Population", population), *dict.fromkeys(lines))
    return Why(f"Why this rank: {subject}, {endpoint.title or endpoint.name}", facts, tuple(found))


def _rankings(analysis: AnalysisContext, index: int) -> list[RankReason]:
    found = []
    everyone = analysis.endpoint.arms == "all"
    for horizon, pairs in rankings(analysis):
        treatment, reference = (None, None) if everyone else pairs[0]
        arms = analysis.arms if everyone else (pairs[0][1], pairs[0][0])
        if _arm(analysis.source, index) in arms:
            ranked = ranked_set(analysis, horizon, analysis.member.mask, arms)
            found.append(_reason(analysis, ranked, index, horizon, (treatment, reference)))
    return found


def _reason(
    analysis: AnalysisContext, ranked: Ranked, index: int, horizon: float, pair: tuple[str | None, str | None]
) -> RankReason:
    source = analysis.source
    records = endpoint_records(source, source.endpoint(analysis.endpoint.function))
    at = int(np.flatnonzero(ranked.subject == index)[0])
    strata = strata_codes(source, analysis.endpoint.strata, ranked.subject) if analysis.endpoint.rank_within_strata else None
    mine = RankReason(
        subject=source.subject_ids[index],
        arm=_arm(source, index),
        subgroup=analysis.member.phrase,
        treatment=pair[0],
        reference=pair[1],
        visit=visit_label(source, records, horizon),
        visit_number=horizon,
        score=None,
        rank=None,
        n_ranked=ranked.rank.n,
        pairs=(),
    )
    try:
        why = why_rank(at, ranked.followup, rules=ranked.rules, strata=strata)
    except StatsError as error:
        return replace(mine, error=str(error))
    pairs = tuple(_pair(source, ranked, p, visit_label(source, records, p.visit)) for p in why)
    return replace(mine, score=why.score, rank=float(ranked.ranks[at]), pairs=pairs)


def _pair(source: Source, ranked: Ranked, pair: ComparedPair, label: str) -> PairReason:
    opponent = int(ranked.subject[pair.opponent])
    compared = math.isfinite(pair.visit)
    return PairReason(
        opponent=source.subject_ids[opponent],
        arm=_arm(source, opponent),
        result=RESULTS[pair.result],
        decided_by=pair.decided_by,
        outcome=pair.outcome,
        visit=label if compared else None,
        visit_number=pair.visit if compared else None,
        own_change=_number(pair.own_value),
        opponent_change=_number(pair.opponent_value),
        own_day=_number(pair.own_day),
        opponent_day=_number(pair.opponent_day),
    )


def _number(value: float) -> float | None:
    """None for a value that is not there, or stands for worse than any."""
    return value if math.isfinite(value) else None


def _arm(source: Source, index: int) -> str:
    code = int(source.planned_arm[index])
    return source.study.arms.order[code] if code >= 0 else "none of the study's"
