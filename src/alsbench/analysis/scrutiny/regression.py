"""Were the slow ones slow, or were they measured on a good day? Decline before the trial beside decline in it.

A subgroup cut on a noisy rate holds people whose rate was underestimated; in the trial they regress to the mean, in every arm
alike (Barnett, van der Pols and Dobson 2005, doi 10.1093/ije/dyh299). What carries over is the slope of the on-study rate on
the column in the reference arm: 1 would mean the rate persists, 0 that the cut says nothing about the course.
"""

from __future__ import annotations

import numpy as np

from alsbench.analysis.ask import Ask
from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding
from alsbench.analysis.scrutiny.missingness import carrier
from alsbench.analysis.scrutiny.modifier import Floats
from alsbench.analysis.scrutiny.outcomes import subject_slopes
from alsbench.analysis.scrutiny.sweep import cut_of
from alsbench.analysis.source import IntArray
from alsbench.analysis.subgroups import complement
from alsbench.errors import ExpressionError, UsageError
from alsbench.stats.correlation import correlation
from alsbench.stats.errors import StatsError
from alsbench.stats.summaries import mean
from alsbench.study.model import Endpoint

CORRELATED = (
    "n",
    "correlation",
    "correlation_low",
    "correlation_high",
    "carry_over",
    "carry_over_low",
    "carry_over_high",
    "p_value",
)


def regression(finding: Finding) -> CheckAnswer:
    """Check 18: mean of the column and of the on-study decline by arm and part; their correlation and what carries over."""
    function = finding.endpoint if finding.endpoint.method == "slope" else carrier(finding)
    try:
        column = cut_of(finding).column
    except UsageError as error:
        return CheckAnswer([], f"not applicable: {error.what}")
    if function is None:
        return CheckAnswer([], "not applicable: the endpoint has no values by visit to take a slope of")
    subject, decline = declines(finding, function)
    before = np.asarray(finding.source.subject_column(column), dtype=np.float64)[subject]
    rows, means = _means(finding, function, subject, before, decline)
    found, text = _carried(finding, function, column, subject, before, decline)
    reference = finding.source.study.arms.reference
    own = means.get((finding.subgroup, reference))
    words = f"in {reference} the subgroup had {own[0]:.2f} before and declined {own[1]:.2f} a month, " if own else ""
    lines = (
        ("Column", f"{column}; comparable with the decline only where it is a decline in points per month"),
        ("On study", f"decline per month of {function.title or function.name}, each subject's least squares"),
        ("Carries over", f"slope of the on-study decline on {column}; the rest is regression to the mean, or noise"),
    )
    return CheckAnswer([*rows, *found], words + text, lines, endpoint=function)


def declines(finding: Finding, function: Endpoint) -> tuple[IntArray, Floats]:
    """(subjects, decline per month, positive for worse) of everybody with two values or more."""
    ask = Ask(finding.source, function, Question(function.name), finding.population, finding.member(OVERALL), ())
    subject, slope = subject_slopes(ask, ask.member.mask)
    return subject, (-slope if higher_is_better(function) else slope)


def _means(
    finding: Finding, function: Endpoint, subject: IntArray, before: Floats, decline: Floats
) -> tuple[list[Row], dict[tuple[str, str], tuple[float, float]]]:
    try:
        parts = (finding.subgroup, complement(finding.source, finding.subgroup))
    except ExpressionError:
        parts = (finding.subgroup, OVERALL)
    rows: list[Row] = []
    means: dict[tuple[str, str], tuple[float, float]] = {}
    for phrase in parts:
        inside = finding.member(phrase).mask[subject]
        for code, arm in enumerate(finding.source.study.arms.order):
            mine = inside & (finding.source.planned_arm[subject] == code) & np.isfinite(before)
            where = {"arm": arm, "subgroup": phrase, "context": "arm", "endpoint": function}
            rows.append(finding.row("n", int(mine.sum()), **where))  # type: ignore[arg-type]
            if not mine.any():
                rows += [finding.row(n, None, error="nobody", **where) for n in ("before", "on_study")]  # type: ignore[arg-type]
                continue
            means[phrase, arm] = (mean(before[mine]), mean(decline[mine]))
            values = zip(("before", "on_study"), means[phrase, arm], strict=True)
            rows += [finding.row(n, v, **where) for n, v in values]  # type: ignore[arg-type]
    return rows, means


def _carried(
    finding: Finding, function: Endpoint, column: str, subject: IntArray, before: Floats, decline: Floats
) -> tuple[list[Row], str]:
    """Everybody of the population: whoever is cut off by the subgroup is what the correlation is about."""
    arm = finding.source.planned_arm[subject]
    reference = finding.source.study.arms.order.index(finding.source.study.arms.reference)
    rows: list[Row] = []
    text = ""
    for name, inside in ((finding.source.study.arms.reference, arm == reference), ("within all arms", arm >= 0)):
        where = {"context": "subgroup", "subgroup": OVERALL, "variable": column, "level": name, "endpoint": function}
        try:
            found = correlation(before[inside], decline[inside], arm[inside])
        except StatsError as error:
            rows += [finding.row(n, None, error=str(error), **where) for n in CORRELATED]  # type: ignore[arg-type]
            text = text or f"not estimable: {error}"
            continue
        values = (found.n, found.r, found.low, found.high, found.slope, found.slope_low, found.slope_high, found.p)
        rows += [finding.row(n, v, **where) for n, v in zip(CORRELATED, values, strict=True)]  # type: ignore[arg-type]
        limits = f"{found.slope_low:.2f}, {found.slope_high:.2f}"
        text = text or f"r {found.r:.2f}, {found.slope:.2f} ({limits}) of a difference before carries over"
    return rows, text
