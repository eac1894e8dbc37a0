"""CAFS, the joint rank of function and survival, on any DataFrame: ``cafs(df, subject="USUBJID", arm="TRT01P", ...)``.

Every subject against every other: by events where the data allow it, by the change in function at the last common visit
otherwise; ranks of the sums, and an analysis of covariance of the ranks. Berry et al. 2013, doi 10.3109/21678421.2012.762930.
The arithmetic is ``stats.joint_rank`` and ``stats.ancova``.
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from alsbench.errors import DataError
from alsbench.models.ancova import ANCOVAResults, ancova
from alsbench.models.factors import FUNCTIONS
from alsbench.models.follow_up import Names
from alsbench.models.pairs import MONTH, PairResults, read_pairs
from alsbench.models.rows import listed
from alsbench.models.summary import SummaryTable, number, p_value

WHERE = "cafs"


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
    names = Names(subject, arm, visit, value, event_time, event, last_contact, listed(covariates), listed(strata))
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
        arms=arms,
        days_per_visit=days_per_visit,
        horizon_day=horizon_day,
        rules=rules,
        level=level,
        win_intervals=win_intervals,
        where=WHERE,
    )
    return CAFSResults(subjects, decided, names, level, win_intervals, WHERE)  # type: ignore[arg-type]
