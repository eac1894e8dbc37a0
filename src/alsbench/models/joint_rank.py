"""The joint rank of function and survival on any DataFrame: ``cafs`` and ``win_statistics``.

Every subject against every other: by events where the data allow it, by the change in function at the last common visit
otherwise. CAFS: ranks of the sums, and an analysis of covariance of the ranks. Berry et al. 2013,
doi 10.3109/21678421.2012.762930. Win statistics are of the pairs of two arms; Finkelstein and Schoenfeld 1999; Pocock et al.
2012, doi 10.1093/eurheartj/ehr352; Dong et al. 2020, doi 10.1080/19466315.2019.1575279. The arithmetic is ``stats.joint_rank``,
``stats.wins`` and ``stats.ancova``.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np
import pandas as pd

from alsbench.errors import DataError, UsageError
from alsbench.models.factors import FUNCTIONS
from alsbench.models.follow_up import ColumnNames, ComparedSubjects, day_of, read_subjects
from alsbench.models.frames import as_data_error
from alsbench.models.linear import ANCOVAResults, ancova
from alsbench.models.rows import listed
from alsbench.models.summary import PrintableResults, SummaryTable, make_summary, number, p_value
from alsbench.stats.joint_rank import OUTCOMES, JointRank, Rules, score_pairs
from alsbench.stats.why_rank import decided_by, why_rank
from alsbench.stats.wins import Intervals, WinEstimate, WinStatistics, finkelstein_schoenfeld
from alsbench.stats.wins import win_statistics as statistics_of
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary


ArmsRanked = Literal["two", "all"]
ESTIMATES = ("win_ratio", "win_odds", "net_benefit", "win_probability")
MONTH = 30.4375  # days
_CHOICES: dict[str, Any] = {
    "arms": ArmsRanked,
    "win_intervals": Intervals,
    "better": Literal["higher", "lower"],
    "death_always_loses": Literal[False, True],
    "event_ties": Literal["tie", "function"],
    "function": Literal["last_common", "horizon"],
    "missing": Literal["none", "locf", "worst"],
}
WHERE = "cafs"


class PairResults(PrintableResults):
    """Scored pairs of two arms, as ``win_statistics`` returns them."""

    _title = "Win Statistics"

    def __init__(
        self, subjects: ComparedSubjects, rules: Rules, names: ColumnNames, level: float, intervals: Intervals, where: str
    ) -> None:
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
        found: list[WinEstimate] = [getattr(self._win_statistics, name) for name in ESTIMATES]
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


R = TypeVar("R", bound=PairResults)


def _compared(
    kind: type[R],
    where: str,
    data: Any,
    names: ColumnNames,
    rules: Mapping[str, Any],
    horizon: tuple[float, float, float | None],
    arms: tuple[Any, Any, str],
    level: float,
    win_intervals: Any,
) -> R:
    """Options checked, and the subjects of a frame by the horizon: ``horizon`` is (visit, days of its unit, day), ``arms``
    (reference, treatment, "two" or "all")."""
    known = {name: get_args(choice) for name, choice in _CHOICES.items()}
    for name, value in {**rules, "arms": arms[2], "win_intervals": win_intervals}.items():
        if value not in known[name]:
            hint = f"known: {', '.join(map(str, known[name]))}"
            raise UsageError(f"unknown {name}={value!r}", where=where, hint=hint)
    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level lies between 0 and 1, not {level:g}", where=where)
    day = day_of(*horizon, where)
    reference, treatment, ranked = arms
    subjects = read_subjects(
        data,
        names,
        horizon=horizon[0],
        horizon_day=day,
        reference=reference,
        treatment=treatment,
        all_arms=ranked == "all",
        where=where,
    )
    return kind(subjects, Rules(**rules), names, level, win_intervals, where)


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
    names = ColumnNames(subject, arm, visit, value, event_time, event, last_contact, (), listed(strata))
    rules = {"better": better, "death_always_loses": death_always_loses, "event_ties": event_ties}
    rules |= {"function": function, "missing": missing}
    until, compared = (horizon, days_per_visit, horizon_day), (reference, treatment, "two")
    return _compared(PairResults, "win_statistics", data, names, rules, until, compared, level, win_intervals)


class CAFSResults(PairResults):
    """A joint rank with its analysis of covariance, as ``cafs`` returns it."""

    _title = "Joint Rank (CAFS) Results"

    @cached_property
    def ancova(self) -> ANCOVAResults:
        """The analysis of covariance of the ranks: ``.ls_means(arm)``, ``.contrasts(arm)``, ``.anova()``. Ranked subjects with
        a missing covariate are left out of it, and counted in its ``notes``. DataError where no such model can be fitted."""
        s = self._subjects
        ranked = self._rank.included
        response = "rank"
        while response in s.covariates or response == self._names.arm:
            response += "_"
        arms = [s.arms[a] for a in s.arm]
        frame = s.covariates.assign(
            **{self._names.arm: pd.Categorical(arms, categories=list(s.arms)), response: self._rank.ranks}
        )
        empty = [str(a) for i, a in enumerate(s.arms) if not (ranked & (s.arm == i)).any()]
        if empty:
            raise DataError(f"no ranked subjects of {' or '.join(empty)}", where=WHERE)
        terms = [_name(c) for c in dict.fromkeys((self._names.arm, *self._names.covariates))]
        return ancova(f"{response} ~ {' + '.join(terms)}", frame[ranked])

    def _tables(self) -> list[SummaryTable]:
        means, contrasts = self.ancova.ls_means(self._names.arm), self.ancova.contrasts(self._names.arm)
        cells = [[number(r.estimate), number(r.se), "", "", number(r.low), number(r.high)] for r in means.itertuples()]
        cells += [
            [number(r.difference), number(r.se), number(r.t, 3), p_value(r.p), number(r.low), number(r.high)]
            for r in contrasts.itertuples()
        ]
        stubs = [*(str(arm) for arm in means.index), *contrasts.index]
        heads = ["LS mean", "std err", "t", "P>|t|", "[0.025", "0.975]"]
        return [SummaryTable(f"ANCOVA of the ranks: {self.ancova.formula}", heads, stubs, cells), *super()._tables()]


def _name(column: str) -> str:
    """A column as a formula names it."""
    plain = column.isidentifier() and not keyword.iskeyword(column) and column not in {*FUNCTIONS, "C", "Q"}
    return column if plain else f"Q({column!r})"


def cafs(
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
    covariates: str | Sequence[str] | None = None,
    strata: str | Sequence[str] | None = None,
    treatment: Any = None,
    arms: str = "two",
    days_per_visit: float = MONTH,
    horizon_day: float | None = None,
    better: str = "higher",
    death_always_loses: bool = False,
    event_ties: str = "tie",
    function: str = "last_common",
    missing: str = "none",
    level: float = 0.95,
    win_intervals: str = "untransformed",
) -> CAFSResults:
    """Rank the subjects of two arms by survival and function, and compare the ranks.

    ``data`` has a row for each subject and visit; what belongs to the subject (arm, event, covariates, strata) stands on each
    of them, and a subject without a visit has one row with a missing value. ``visit`` is a number in the units of ``horizon``
    (months, of ``days_per_visit`` days each, unless told otherwise); ``value`` is what is compared, a change from baseline;
    visits after 0 count. ``event_time`` is the day of the event, ``event`` True or 1 where there was one, ``last_contact`` the
    last day known free of it (``event_time`` itself unless given, as AVAL of ADTTE).

    A pair is decided by events: the later one wins, and a subject followed to the other's event wins; else by the values at the
    last common visit; equal is a tie. ``death_always_loses``: an event loses to any subject without one. ``event_ties``: two
    events on one day are a "tie", or "function" is compared. ``function``: compared at the "last_common" visit, or at the
    "horizon" only, with ``missing`` values left ("none"), carried forward ("locf") or below every other ("worst"). ``better``:
    the "higher" value wins, or the "lower". A subject with neither event nor value is not ranked, and counted.

    ``arms="all"`` ranks all arms together; wins and the Gehan-Wilcoxon test are of ``treatment`` against ``reference``.
    ``covariates`` are for the ANCOVA of the ranks, ``strata`` for the Gehan-Wilcoxon test.

    Raises UsageError for what cannot be meant (an unknown column or arm, with the nearest) and DataError for data that do not
    allow it (a subject in two arms, an event without a day, two values at a visit).

    Source: Berry et al. 2013, doi 10.3109/21678421.2012.762930; R's WINS, BuyseTest and emmeans, to which all numbers agree.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"ID": list("ABCDDEE"), "ARM": ["Placebo"] * 2 + ["Drug"] * 3 + ["Placebo"] * 2,
    ...     "MONTH": [3, 3, 3, 3, 6, 3, 6], "CHG": [-2.0, -6, -4, -3, -9, -5, -6],
    ...     "DAY": [100, 150, 90, 183, 183, 183, 183], "DEATH": [True, True] + [False] * 5})
    >>> c = als.cafs(df, subject="ID", arm="ARM", visit="MONTH", value="CHG", event_time="DAY", event="DEATH",
    ...     horizon=6, reference="Placebo")
    >>> print(c.ranks.to_string())
            ARM  event    day  score  rank
    ID
    A   Placebo   True  100.0     -2   1.5
    B   Placebo   True  150.0     -2   1.5
    C      Drug  False   90.0      0   3.0
    D      Drug  False  183.0      2   4.5
    E   Placebo  False  183.0      2   4.5
    >>> c.ancova.contrasts("ARM").difference.round(3).to_dict()
    {'Drug - Placebo': 1.25}
    >>> c.pairs("C").outcome.to_dict()
    {'A': 'function loss', 'B': 'function win', 'D': 'function loss', 'E': 'function win'}
    """
    names = ColumnNames(subject, arm, visit, value, event_time, event, last_contact, listed(covariates), listed(strata))
    rules = {"better": better, "death_always_loses": death_always_loses, "event_ties": event_ties}
    rules |= {"function": function, "missing": missing}
    until, compared = (horizon, days_per_visit, horizon_day), (reference, treatment, arms)
    return _compared(CAFSResults, WHERE, data, names, rules, until, compared, level, win_intervals)
