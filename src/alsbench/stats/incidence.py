"""Adverse events: who had any, of which class and term, in what exposure, and how the arms differ.

Subjects are counted, not events: once per category, once per system organ class (SOC), once per preferred term (PT);
events are given beside them. What a flag does not tell counts as yes: the worst. Classes and terms come by descending number
of subjects over all arms, then alphabetically (ICH E3, section 12.2). Rates are per 100 patient-years with exact Poisson
limits, differences between arms carry Newcombe's interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.proportions import (
    DAYS_PER_YEAR,
    Interval,
    ZeroBound,
    percent,
    percentage_points,
    rate_per_100_years,
    zero_events,
)
from alsbench.stats.summaries import DescriptiveSummary, describe

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Level = Literal["any", "soc", "pt"]

UNCODED = "Uncoded"


@dataclass(frozen=True)
class ArmCount:
    """``subjects`` of ``n`` with at least one, and how many ``events`` they had."""

    subjects: int
    n: int
    events: int

    @property
    def percent(self) -> float:
        return percent(self.subjects, self.n) if self.n else float("nan")


@dataclass(frozen=True)
class IncidenceRow:
    """One line of a SOC/PT table: level ``any`` has no class, ``soc`` no term; ``arms`` in the order given, then ``total``."""

    level: Level
    soc: str
    pt: str
    arms: tuple[ArmCount, ...]
    total: ArmCount


@dataclass(frozen=True)
class OverviewRow:
    """One line of the overview, by arm and over all arms."""

    category: str
    arms: tuple[ArmCount, ...]
    total: ArmCount


@dataclass(frozen=True)
class ArmDifference:
    """Share of the treated arm minus that of the reference arm in percentage points; where nobody was affected the zero bounds
    of each arm stand."""

    difference: Interval
    treated_zero: ZeroBound | None
    reference_zero: ZeroBound | None


@dataclass(frozen=True)
class Exposure:
    """Days and doses of one arm; ``person_days`` is the sum of days. Subjects without days are in ``n_missing``."""

    n: int
    n_missing: int
    days: DescriptiveSummary
    doses: DescriptiveSummary
    person_days: float

    @property
    def person_years(self) -> float:
        """Years of 365.25 days."""
        return self.person_days / DAYS_PER_YEAR


def truth(values: ArrayLike) -> NDArray[np.bool_]:
    """1/0/NaN flags as booleans; NaN, what is not known, is true."""
    found: NDArray[np.bool_] = np.asarray(values, dtype=np.float64) != 0  # NaN differs from everything
    return found


def categories(
    size: int,
    *,
    emergent: ArrayLike | None = None,
    related: ArrayLike,
    severe: ArrayLike,
    serious: ArrayLike,
    discontinued: ArrayLike,
    fatal: ArrayLike,
) -> dict[str, NDArray[np.bool_]]:
    """Which of ``size`` events each line of the overview counts, in its order.

    Flags (events,) are 1/0/NaN: NaN, what is not known, counts as yes.
    """
    yes = np.ones(size, dtype=bool) if emergent is None else truth(emergent)
    is_related, is_severe = truth(related), truth(severe)
    is_serious = truth(serious)
    return {
        "any": yes,
        "related": yes & is_related,
        "severe": yes & is_severe,
        "serious": yes & is_serious,
        "related serious": yes & is_related & is_serious,
        "leading to discontinuation": yes & truth(discontinued),
        "fatal": yes & truth(fatal),
    }


def overview(subject: IntArray, arm: IntArray, n_arms: int, **flags: ArrayLike) -> tuple[OverviewRow, ...]:
    """The overview of treatment-emergent events.

    ``subject`` (events,) indexes ``arm`` (subjects,), which holds arm codes 0 .. n_arms - 1 of the whole safety
    population, so that subjects without events are in the denominators. Flags (events,) are those of :func:`categories`.
    """
    found = categories(subject.size, **flags)
    return tuple(OverviewRow(name, *_count(subject[which], arm, n_arms)) for name, which in found.items())


def soc_pt_table(
    subject: IntArray, soc: Sequence[str | None], pt: Sequence[str | None], arm: IntArray, n_arms: int
) -> tuple[IncidenceRow, ...]:
    """Every class and its terms, each subject once in each; the first row counts subjects with any event.

    Missing classes or terms are shown as ``Uncoded``. Events that are not to be counted must be left out by the caller.
    """
    classes, soc_code = np.unique([v or UNCODED for v in soc], return_inverse=True)
    terms, pt_code = np.unique([v or UNCODED for v in pt], return_inverse=True)
    rows = [IncidenceRow("any", "", "", *_count(subject, arm, n_arms))]
    if subject.size == 0:
        return tuple(rows)
    pairs, pair_code = np.unique(soc_code * terms.size + pt_code, return_inverse=True)
    by_soc = _tabulate(subject, soc_code, classes.size, arm, n_arms)
    by_pair = _tabulate(subject, pair_code, pairs.size, arm, n_arms)
    for s in sorted(range(classes.size), key=lambda s: (-by_soc[s][1].subjects, str(classes[s]))):
        rows.append(IncidenceRow("soc", str(classes[s]), "", *by_soc[s]))
        inside = np.flatnonzero(pairs // terms.size == s)
        for i in sorted(inside, key=lambda i: (-by_pair[i][1].subjects, str(terms[pairs[i] % terms.size]))):
            rows.append(IncidenceRow("pt", str(classes[s]), str(terms[pairs[i] % terms.size]), *by_pair[i]))
    return tuple(rows)


def compare(treated: ArmCount, reference: ArmCount, *, level: float = 0.95) -> ArmDifference:
    """Risk difference of two arms with Newcombe's interval, and what zero counts exclude."""
    return ArmDifference(
        percentage_points(treated.subjects, treated.n, reference.subjects, reference.n, level=level),
        zero_events(treated.n, level=level) if treated.subjects == 0 else None,
        zero_events(reference.n, level=level) if reference.subjects == 0 else None,
    )


def exposure(days: ArrayLike, doses: ArrayLike | None = None) -> Exposure:
    """Exposure of one arm from days on study (n,) and doses given (n,); NaN is missing and adds no time."""
    d = np.asarray(days, dtype=np.float64)
    if d.size and np.nanmin(np.append(d, 0.0)) < 0:
        raise StatsError("exposure cannot be negative")
    summary = describe(d)
    given = describe(doses) if doses is not None else describe([])
    return Exposure(summary.n, summary.n_missing, summary, given, math.fsum(d[~np.isnan(d)].tolist()))


def event_rate(count: ArmCount, time: Exposure, *, level: float = 0.95) -> Interval:
    """Events (not subjects) per 100 patient-years with the exact Poisson interval."""
    return rate_per_100_years(count.events, time.person_days, level=level)


def _count(subject: IntArray, arm: IntArray, n_arms: int) -> tuple[tuple[ArmCount, ...], ArmCount]:
    return _tabulate(subject, np.zeros(subject.size, dtype=np.int64), 1, arm, n_arms)[0]


def _tabulate(
    subject: IntArray, code: IntArray, n_codes: int, arm: IntArray, n_arms: int
) -> list[tuple[tuple[ArmCount, ...], ArmCount]]:
    """Per code (0 .. n_codes - 1): counts by arm and in total."""
    if subject.size and (subject.min() < 0 or subject.max() >= arm.size):
        raise StatsError("an event belongs to a subject outside the population")
    if arm.size and (arm.min() < 0 or arm.max() >= n_arms):
        raise StatsError("a subject has no arm")
    sizes = np.bincount(arm, minlength=n_arms)
    events = np.bincount(code * n_arms + arm[subject], minlength=n_codes * n_arms).reshape(n_codes, n_arms)
    once = np.unique(code * arm.size + subject) if subject.size else np.array([], dtype=np.int64)
    owner, who = (once // arm.size, once % arm.size) if arm.size else (once, once)
    subjects = np.bincount(owner * n_arms + arm[who], minlength=n_codes * n_arms).reshape(n_codes, n_arms)
    n = int(arm.size)
    return [
        (
            tuple(ArmCount(int(s), int(k), int(e)) for s, k, e in zip(subjects[c], sizes, events[c], strict=True)),
            ArmCount(int(subjects[c].sum()), n, int(events[c].sum())),
        )
        for c in range(n_codes)
    ]
