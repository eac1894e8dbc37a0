"""Win statistics on any DataFrame: every subject of one arm against every subject of the other, by events and then by function.

Scores and their rules are those of the joint rank (``stats.joint_rank``); Finkelstein and Schoenfeld 1999; Pocock et al. 2012,
doi 10.1093/eurheartj/ehr352; Dong et al. 2020, doi 10.1080/19466315.2019.1575279.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from alsbench.errors import UsageError
from alsbench.models.faults import as_data_error
from alsbench.models.follow_up import Names, Subjects, day_of, read_subjects
from alsbench.models.rows import listed
from alsbench.models.summary import SummaryTable, make_summary, number, p_value
from alsbench.stats.finkelstein_schoenfeld import finkelstein_schoenfeld
from alsbench.stats.joint_rank import OUTCOMES, JointRank, Rules, score_pairs
from alsbench.stats.why_rank import decided_by, why_rank
from alsbench.stats.wins import Interval, Intervals, WinStatistics
from alsbench.stats.wins import win_statistics as statistics_of
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

ArmsRanked = Literal["two", "all"]
ESTIMATES = ("win_ratio", "win_odds", "net_benefit", "win_probability")
MONTH = 30.4375  # days


class PairResults:
    """Scored pairs of two arms, as ``win_statistics`` returns them."""

    _title = "Win Statistics"

    def __init__(self, subjects: Subjects, rules: Rules, names: Names, level: float, intervals: Intervals, where: str) -> None:
        self._subjects = subjects
        self._rules = rules
        self._names = names
        self._level = level
        self._intervals = intervals
        self._where = where

    @cached_property
    def _rank(self) -> JointRank:
        return score_pairs(self._subjects.followup, rules=self._rules, groups=self._subjects.arm)

    @cached_property
    def _win_statistics(self) -> WinStatistics:
        with as_data_error(self._where):
            return statistics_of(self._rank, 1, 0, level=self._level, intervals=self._intervals)

    @property
    def comparison(self) -> str:
        """The two arms, such as "Drug - Placebo"."""
        return f"{self._subjects.arms[1]} - {self._subjects.arms[0]}"

    @property
    def nobs(self) -> int:
        """Subjects that are ranked."""
        return self._rank.n

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: subjects left out, not ranked, or without a last contact."""
        found = list(self._subjects.notes)
        for count, why in (
            (self._rank.n_excluded, "not ranked: neither event nor value after baseline"),
            (int(self._rank.contact_unknown.sum()), "without event or last contact: taken as not followed to anybody's event"),
        ):
            if count:
                found.append(f"{count} subject{'s' if count > 1 else ''} {why}")
        return tuple(found)

    @property
    def ranks(self) -> pd.DataFrame:
        """One row for each subject, on its label: arm, event (by the horizon), day (of the event, else of last contact), score
        U (wins minus losses) and rank (mid-rank of U, NaN for who is not ranked)."""
        s, rank = self._subjects, self._rank
        event = s.followup.has_event
        scores = pd.array(rank.scores, dtype="Int64")
        scores[~rank.included] = pd.NA
        columns = {
            self._names.arm: [s.arms[a] for a in s.arm],
            "event": event,
            "day": np.where(event, s.followup.event_day, s.followup.contact_day),
            "score": scores,
            "rank": rank.ranks,
        }
        return pd.DataFrame(columns, index=pd.Index(list(s.labels), name=self._names.subject))

    @property
    def wins(self) -> pd.DataFrame:
        """Win ratio, win odds, net benefit and win probability of the treatment: estimate, se (of the logarithm for the first
        two), low, high, z, p. NaN where a ratio does not exist. DataError where an arm is empty."""
        found: list[Interval] = [getattr(self._win_statistics, name) for name in ESTIMATES]
        columns = {name: [getattr(each, name) for each in found] for name in ("estimate", "se", "low", "high", "z", "p")}
        return pd.DataFrame(columns, index=pd.Index(ESTIMATES, name="statistic"))

    @property
    def counts(self) -> pd.Series:
        """Pairs of the two arms: all, won, lost and tied by the treatment, and by what decided them."""
        w = self._win_statistics
        parts = w.components
        found = {"pairs": w.pairs, "wins": w.wins, "losses": w.losses, "ties": w.ties}
        found |= {"decided by event": parts.by_event, "decided by function": parts.by_function}
        return pd.Series(found, name="pairs", dtype=np.int64)

    @property
    def gehan(self) -> pd.Series:
        """Generalised Gehan-Wilcoxon test (Finkelstein and Schoenfeld 1999): W, variance, z, two-sided p, n_treated,
        n_reference. With strata pairs within a stratum only. DataError where an arm is empty."""
        s = self._subjects
        rank = self._rank
        if s.strata is not None:
            rank = score_pairs(s.followup, rules=self._rules, groups=s.arm, strata=s.strata)
        both = rank.included & np.isin(s.arm, (0, 1))
        with as_data_error(self._where):
            test = finkelstein_schoenfeld(
                rank.scores_between(1, 0)[both], s.arm[both] == 1, strata=None if s.strata is None else s.strata[both]
            )
        return pd.Series(vars(test), name=self.comparison)

    def pairs(self, subject: Any) -> pd.DataFrame:
        """Every pair of one subject, on the label of the other: arm, result (1 won, 0 tied, -1 lost), decided_by, outcome,
        visit and the two values where function was compared, and the two days (of the event, else of last contact).

        The results add up to the subject's score. UsageError for an unknown subject, DataError for one that is not ranked.
        """
        s = self._subjects
        if subject not in s.labels:
            raise UsageError(
                f"there is no subject {subject}", where=self._where, hint=nearest(str(subject), map(str, s.labels))
            )
        with as_data_error(self._where):
            why = why_rank(s.labels.index(subject), s.followup, rules=self._rules)
        outcomes = [OUTCOMES[int(k)] for k in why.outcome]
        columns = {
            self._names.arm: [s.arms[s.arm[i]] for i in why.opponent],
            "result": why.result,
            "decided_by": [decided_by(outcome) for outcome in outcomes],
            "outcome": outcomes,
            "visit": why.visit,
            "own_value": why.own_value,
            "opponent_value": why.opponent_value,
            "own_day": np.full(len(why), why.own_day),
            "opponent_day": why.opponent_day,
        }
        return pd.DataFrame(columns, index=pd.Index([s.labels[i] for i in why.opponent], name=self._names.subject))

    def summary(self) -> Summary:
        """The tables as statsmodels prints them, and ``notes``."""
        return make_summary(self._title, self._facts(), tables=self._tables(), notes=self.notes)

    def _facts(self) -> list[tuple[str, str]]:
        counts, gehan = self.counts, self.gehan
        return [
            ("Comparison", self.comparison),
            ("No. Ranked", f"{self.nobs:,}"),
            ("Pairs", f"{counts['pairs']:,}"),
            ("Won / lost / tied", " / ".join(f"{counts[k]:,}" for k in ("wins", "losses", "ties"))),
            ("Gehan-Wilcoxon W", number(gehan["W"], 0 if float(gehan["W"]).is_integer() else 4)),
            ("z", number(gehan["z"], 3)),
            ("P>|z|", p_value(gehan["p"])),
            ("Strata", ", ".join(self._names.strata) or "none"),
        ]

    def _tables(self) -> list[SummaryTable]:
        wins = self.wins
        cells = [[*(number(v) for v in row[:4]), number(row[4], 3), p_value(row[5])] for row in wins.to_numpy()]
        ends = [f"[{(1 - self._level) / 2:.3g}", f"{(1 + self._level) / 2:.3g}]"]
        return [
            SummaryTable("Pairs", ["estimate", "std err", *ends, "z", "P>|z|"], [s.replace("_", " ") for s in ESTIMATES], cells)
        ]

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())


def read_pairs(
    data: Any,
    names: Names,
    *,
    horizon: float,
    reference: Any,
    treatment: Any,
    arms: str,
    days_per_visit: float,
    horizon_day: float | None,
    rules: dict[str, Any],
    level: float,
    win_intervals: str,
    where: str,
) -> tuple[Subjects, Rules]:
    """Options checked, and the subjects of a frame by the horizon."""
    known = {name: get_args(kind) for name, kind in _CHOICES.items()}
    for name, value in {**rules, "arms": arms, "win_intervals": win_intervals}.items():
        if value not in known[name]:
            listed = ", ".join(map(str, known[name]))
            raise UsageError(f"unknown {name}={value!r}", where=where, hint=f"known: {listed}")
    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level lies between 0 and 1, not {level:g}", where=where)
    subjects = read_subjects(
        data,
        names,
        horizon=horizon,
        horizon_day=day_of(horizon, days_per_visit, horizon_day, where),
        reference=reference,
        treatment=treatment,
        all_arms=arms == "all",
        where=where,
    )
    return subjects, Rules(**rules)


_CHOICES: dict[str, Any] = {
    "arms": ArmsRanked,
    "win_intervals": Intervals,
    "better": Literal["higher", "lower"],
    "death_always_loses": Literal[False, True],
    "event_ties": Literal["tie", "function"],
    "function": Literal["last_common", "horizon"],
    "missing": Literal["none", "locf", "worst"],
}


def win_statistics(
    data: Any,
    *,
    subject: str,
    arm: str,
    visit: str,
    value: str,
    event_time: str,
    event: str,
    horizon: float,
    reference: Any,
    last_contact: str | None = None,
    strata: str | Sequence[str] | None = None,
    treatment: Any = None,
    days_per_visit: float = MONTH,
    horizon_day: float | None = None,
    better: str = "higher",
    death_always_loses: bool = False,
    event_ties: str = "tie",
    function: str = "last_common",
    missing: str = "none",
    level: float = 0.95,
    win_intervals: str = "untransformed",
) -> PairResults:
    """Win ratio, win odds, net benefit and win probability of two arms, and the Gehan-Wilcoxon test of the same pairs.

    The frame and its columns, and how a pair is decided, are those of ``cafs``. ``strata`` are for the Gehan-Wilcoxon test; win
    statistics are of all pairs. Intervals of ratios are on the log scale; those of net benefit and probability are Wald's, cut
    off at their range, or with ``win_intervals="transformed"`` by atanh of the net benefit. Not for more than two arms: name
    the ``treatment``.

    Raises UsageError for what cannot be meant (an unknown column or arm, with the nearest) and DataError for data that do not
    allow it (a subject in two arms, an event without a day, an empty arm).

    Source: Finkelstein and Schoenfeld 1999; R's WINS and BuyseTest (standard errors with divisor n), to which they agree.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"ID": list("ABCDDEE"), "ARM": ["Placebo"] * 2 + ["Drug"] * 3 + ["Placebo"] * 2,
    ...     "MONTH": [3, 3, 3, 3, 6, 3, 6], "CHG": [-2.0, -6, -4, -3, -9, -5, -6],
    ...     "DAY": [100, 150, 90, 183, 183, 183, 183], "DEATH": [True, True] + [False] * 5})
    >>> w = als.win_statistics(df, subject="ID", arm="ARM", visit="MONTH", value="CHG", event_time="DAY", event="DEATH",
    ...     horizon=6, reference="Placebo")
    >>> w.wins.estimate.round(3).to_dict()
    {'win_ratio': 2.0, 'win_odds': 2.0, 'net_benefit': 0.333, 'win_probability': 0.667}
    >>> w.gehan[["W", "variance", "z", "p"]].round(3).tolist()
    [2.0, 4.8, 0.913, 0.361]
    """
    where = "win_statistics"
    names = Names(subject, arm, visit, value, event_time, event, last_contact, (), listed(strata))
    rules = {
        "better": better,
        "death_always_loses": death_always_loses,
        "event_ties": event_ties,
        "function": function,
        "missing": missing,
    }
    subjects, decided = read_pairs(
        data,
        names,
        horizon=horizon,
        reference=reference,
        treatment=treatment,
        arms="two",
        days_per_visit=days_per_visit,
        horizon_day=horizon_day,
        rules=rules,
        level=level,
        win_intervals=win_intervals,
        where=where,
    )
    return PairResults(subjects, decided, names, level, win_intervals, where)  # type: ignore[arg-type]
