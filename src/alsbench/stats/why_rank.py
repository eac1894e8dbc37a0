"""Why this rank: every pair of one subject, who won it and what decided it.

The rules are those of ``joint_rank.score_pairs``; the results add up to the subject's U, the counts by outcome to its tally.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.joint_rank import OUTCOMES, SIGNS, FollowUp, Outcome, Rules, prepare

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
DecidedBy = Literal["event", "function", "tied", "no common visit"]


@dataclass(frozen=True)
class ComparedPair:
    """One comparison as the subject sees it, ties made equal. ``visit`` and values are NaN if none was used."""

    opponent: int
    result: int
    decided_by: DecidedBy
    outcome: Outcome
    visit: float
    own_value: float
    opponent_value: float
    own_day: float
    opponent_day: float


@dataclass(frozen=True)
class WhyRank:
    """All pairs of one subject, arrays (m,): opponents in input order.

    ``result`` is +1 won, 0 tied, -1 lost; ``outcome`` indexes ``OUTCOMES``; ``visit`` is where function was compared, with the
    two changes in ``own_value`` and ``opponent_value``; days are event days, or last contacts without an event.
    """

    subject: int
    opponent: IntArray
    result: IntArray
    outcome: IntArray
    visit: Array
    own_value: Array
    opponent_value: Array
    own_day: float
    opponent_day: Array

    @property
    def score(self) -> int:
        """U of the subject."""
        return int(self.result.sum())

    def __len__(self) -> int:
        return int(self.opponent.size)

    def __iter__(self) -> Iterator[ComparedPair]:
        for k in range(len(self)):
            outcome = OUTCOMES[int(self.outcome[k])]
            yield ComparedPair(
                int(self.opponent[k]), int(self.result[k]), decided_by(outcome), outcome, float(self.visit[k]),
                float(self.own_value[k]), float(self.opponent_value[k]), self.own_day, float(self.opponent_day[k]),
            )  # fmt: skip


def decided_by(outcome: Outcome) -> DecidedBy:
    """The evidence an outcome rests on; a tie of events or of changes is "tied"."""
    if outcome == "no common visit":
        return outcome
    if outcome.endswith("tie"):
        return "tied"
    return "event" if outcome.startswith("event") else "function"


def why_rank(
    subject: int,
    followup: FollowUp,
    *,
    rules: Rules | None = None,
    strata: ArrayLike | None = None,
) -> WhyRank:
    """The pairs of the subject at position ``subject`` with every other ranked subject (of its stratum).

    Pass the same ``followup``, ``rules`` and ``strata`` as to ``score_pairs``. Raises StatsError for a position out of range or
    a subject that was not ranked.
    """
    rules, followup = rules or Rules(), followup.with_ties()
    n = followup.event_day.size
    if not 0 <= subject < n:
        raise StatsError(f"there is no subject at position {subject}: there are {n}")
    included = followup.has_event | np.isfinite(followup.changes).any(axis=1)
    if not included[subject]:
        raise StatsError("this subject was not ranked: neither an event nor a post-baseline value by the horizon")
    if strata is not None:
        included &= np.asarray(strata) == np.asarray(strata)[subject]
    members = np.flatnonzero(included)
    mine = int(np.flatnonzero(members == subject)[0])
    p = prepare(followup.take(members), rules)
    others = np.arange(members.size) != mine
    event, time = p.event[others], p.time[others].astype(np.int64)
    own_event, own_time = bool(p.event[mine]), int(p.time[mine])
    shared = p.observed[:, others] & p.observed[:, [mine]]
    column = shared.shape[0] - 1 - np.argmax(shared[::-1], axis=0)
    own_code, their_code = p.codes[column, mine].astype(np.int64), p.codes[column, np.flatnonzero(others)].astype(np.int64)
    order = np.sign(own_code - their_code)
    outcome = np.select(
        [
            event & (own_time > time),
            own_event & (own_time < time),
            event & (own_event & (own_time == time) & p.events_tie),
            ~shared.any(axis=0),
            order > 0,
            order < 0,
        ],
        [
            OUTCOMES.index(o)
            for o in ("event win", "event loss", "event tie", "no common visit", "function win", "function loss")
        ],
        OUTCOMES.index("function tie"),
    )
    by_function = np.isin(outcome, [OUTCOMES.index(o) for o in ("function win", "function loss", "function tie")])
    visits = followup.visits if rules.function == "last_common" else followup.visits[-1:]
    values = p.values if rules.better == "higher" else -p.values
    day = np.where(followup.has_event, followup.event_day, followup.contact_day)
    return WhyRank(
        subject=subject,
        opponent=members[others],
        result=SIGNS[outcome].astype(np.int64),
        outcome=outcome.astype(np.int64),
        visit=np.where(by_function, visits[column], np.nan),
        own_value=np.where(by_function, values[mine, column], np.nan),
        opponent_value=np.where(by_function, values[np.flatnonzero(others), column], np.nan),
        own_day=float(day[subject]),
        opponent_day=day[members[others]],
    )
