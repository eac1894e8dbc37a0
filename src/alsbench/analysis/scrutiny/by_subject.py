"""What single subjects tell: decline before the trial and in it, and whether they do well on every measure.

Were the slow ones slow, or were they measured on a good day? Decline before the trial beside decline in it.

A subgroup cut on a noisy rate holds people whose rate was underestimated; in the trial they regress to the mean, in every arm
alike (Barnett, van der Pols and Dobson 2005, doi 10.1093/ije/dyh299). What carries over is the slope of the on-study rate on
the column in the reference arm: 1 would mean the rate persists, 0 that the cut says nothing about the course.

Do the same people do well on every measure? A drug that slows the disease should move function, breathing and NfL together.

Within arm, each pair of endpoints: Spearman's correlation of the changes (better is up) and how often both lie on the same side
of the control's median. Per arm: on how many endpoints a subject is better than the control's median; by chance alone half of
one, and, of unrelated endpoints, an eighth of all three.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, each_comparison
from alsbench.analysis.scrutiny.missingness import carrier
from alsbench.analysis.scrutiny.modifier import Floats
from alsbench.analysis.scrutiny.outcomes import change_at, data_fault, own_visit, subject_slopes
from alsbench.analysis.scrutiny.sweep import cut_of
from alsbench.analysis.source import IntArray
from alsbench.analysis.subgroups import complement
from alsbench.errors import ExpressionError, UsageError
from alsbench.stats.correlation import correlation
from alsbench.stats.errors import StatsError
from alsbench.stats.proportions import percent
from alsbench.stats.rounding import percent_text
from alsbench.stats.summaries import mean
from alsbench.stats.ties import above
from alsbench.study.model import Comparison, Endpoint

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
    analysis = AnalysisContext(
        finding.source, function, Question(function.name), finding.population, finding.member(OVERALL), ()
    )
    subject, slope = subject_slopes(analysis, analysis.member.mask)
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


STATS = ("n", "spearman", "spearman_low", "spearman_high", "same_side_percent")


def concordance(finding: Finding) -> CheckAnswer:
    """Check 19: pairs of endpoints by correlation and agreement, and per arm how many endpoints a subject is better on."""
    measures = measures_of(finding)
    if len(measures) < 2:
        return CheckAnswer([], "not applicable: fewer than two endpoints have values by visit")
    rows, said = each_comparison(finding, lambda c: _one(finding, c, measures))
    lines = (
        ("Measures", ", ".join(e.title or e.name for e in measures)),
        ("Visit", "the horizon, or each endpoint's last analysed visit before it"),
        ("Within arm", "ranks over both arms, centred within arm: what treatment itself does to both is taken out"),
        ("Better", "than the median of the comparison's reference arm in the subgroup; subjects with every value only"),
    )
    return CheckAnswer(rows, said, lines)


def measures_of(finding: Finding) -> tuple[Endpoint, ...]:
    """One endpoint by visit for each parameter of the study whose data can be analysed, the first in the study's order."""
    found: dict[tuple[str, str], Endpoint] = {}
    for endpoint in finding.source.study.endpoints.values():
        if endpoint.method in ("mmrm", "ancova") and data_fault(finding.source, endpoint) is None:
            found.setdefault((endpoint.dataset.upper(), endpoint.paramcd), endpoint)
    return tuple(found.values())


def _one(finding: Finding, comparison: Comparison, measures: tuple[Endpoint, ...]) -> tuple[list[Row], str]:
    source, order = finding.source, finding.source.study.arms.order
    member = finding.member()
    pair = [order.index(a) for a in (comparison.reference, comparison.treatment)]
    subject = np.flatnonzero(member.mask & np.isin(source.planned_arm, pair)).astype(np.int64)
    arm = source.planned_arm[subject]
    better: dict[str, Floats] = {}
    for endpoint in measures:
        visit = own_visit(source, endpoint, comparison)
        change = np.full(subject.size, np.nan) if visit is None else change_at(source, endpoint, visit, subject, member)
        better[endpoint.name] = change if higher_is_better(endpoint) else -change
    control = arm == pair[0]
    middle = {n: float(np.nanmedian(v[control])) if np.isfinite(v[control]).any() else np.nan for n, v in better.items()}
    rows: list[Row] = []
    said: list[str] = []
    for a, b in itertools.combinations(better, 2):
        mine, text = _pair(finding, comparison, (a, b), better, middle, arm)
        rows += mine
        said.append(f"{a} and {b} {text}")
    rows += _all_better(finding, comparison, better, middle, arm)
    return rows, ", ".join(said)


def _pair(
    finding: Finding,
    comparison: Comparison,
    names: tuple[str, str],
    better: dict[str, Floats],
    middle: dict[str, float],
    arm: IntArray,
) -> tuple[list[Row], str]:
    where = {"variable": "concordance", "level": " and ".join(names), "visit_number": comparison.horizon}
    x, y = (better[n] for n in names)
    both = np.isfinite(x) & np.isfinite(y)
    try:
        found = correlation(x, y, arm, ranks=True)
    except StatsError as error:
        return [finding.row(n, None, comparison, error=str(error), **where) for n in STATS], "not estimable"  # type: ignore[arg-type]
    same, n = int((above(x, middle[names[0]]) == above(y, middle[names[1]]))[both].sum()), int(both.sum())
    values = (n, found.r, found.low, found.high, percent(same, n))
    rows = [finding.row(n, v, comparison, **where) for n, v in zip(STATS, values, strict=True)]  # type: ignore[arg-type]
    return rows, f"rho {found.r:.2f} ({percent_text(same, n)} % on the same side)"


def _all_better(
    finding: Finding, comparison: Comparison, better: dict[str, Floats], middle: dict[str, float], arm: IntArray
) -> list[Row]:
    """Per arm, the share of subjects better than the control's median on 0, 1, ... of the endpoints."""
    values = np.array(list(better.values()))
    complete = np.isfinite(values).all(axis=0)
    count = np.array([above(v, middle[n]) for n, v in better.items()]).sum(axis=0)
    rows: list[Row] = []
    for name in (comparison.treatment, comparison.reference):
        mine = complete & (arm == finding.source.study.arms.order.index(name))
        for k in range(len(better) + 1):
            where = {
                "arm": name,
                "context": "arm",
                "level": f"better on {k} of {len(better)}",
                "visit_number": comparison.horizon,
            }
            hits, n = int((mine & (count == k)).sum()), int(mine.sum())
            rows.append(finding.row("count", hits, comparison, **where))  # type: ignore[arg-type]
            rows.append(finding.row("percent", percent(hits, n) if n else np.nan, comparison, **where))  # type: ignore[arg-type]
    return [replace(r, variable="better") for r in rows]
