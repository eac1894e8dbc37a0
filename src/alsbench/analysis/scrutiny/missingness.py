"""Who is missing at the horizon, and does the finding survive other guesses about them?

Shares without a value by arm in subgroup, complement and everybody (Newcombe's interval, Fisher's exact test); then the
function's difference among completers, and with the missing imputed at random, by jump to reference and by copy reference, and
the shift of the treated's imputed values at which p reaches 0.05 (Carpenter, Roger and Kenward 2013, doi
10.1080/10543406.2013.834911; Permutt 2016, doi 10.1002/sim.6753). The joint rank needs none of this for the dead, but all of it
for those who left.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import at_horizon, p_text, visits_to_horizon
from alsbench.analysis.endpoints.imputed import IMPUTED, TIPPING, TIPPING_STATS, Refits, imputed_differences, sensitivity
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, analysed, per_comparison, summary_rows
from alsbench.analysis.scrutiny.outcomes import change_at, own_visit, place, searched_visits
from alsbench.analysis.subgroups import Membership, complement
from alsbench.errors import ExpressionError
from alsbench.stats.imputation import Strategy
from alsbench.stats.proportions import fisher_exact, percent, percentage_points
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison, Endpoint

STRATEGIES: tuple[Strategy, ...] = ("mar", "jump-to-reference", "copy-reference")
SHOWN = ("difference", "conf_low", "conf_high", "p_value")


def missingness(finding: Finding) -> CheckAnswer:
    """Check 15: missing values by arm at the horizon, and the difference under other assumptions about them."""
    function = carrier(finding)
    if function is None:
        return CheckAnswer([], f"not applicable: {finding.endpoint.method.replace('_', ' ')} has no values by visit")
    about = replace(finding, endpoint=function)
    rows: list[Row] = []
    words: dict[str, str] = {}
    for comparison in finding.comparisons:
        mine, words[comparison.name] = _missing(about, comparison)
        rows += mine
    found, warnings = _assumed(about)
    rows += found
    for comparison in finding.comparisons:
        words[comparison.name] += _said(found, comparison, log_scale=function.scale == "log")
    lines = (
        ("Missing", "no change from baseline at the visit; whoever died or left before it is among them"),
        ("Completers", "a value at every analysed visit up to the horizon: a group formed after randomisation"),
        ("Imputed", "conditional means, jackknife errors; ANCOVA over all arms at the horizon"),
        ("Tips at", "shift of the treated's values imputed at random at which p reaches 0.05 or the sign turns"),
    )
    return CheckAnswer(rows, per_comparison(finding, words), lines, warnings, endpoint=function)


def carrier(finding: Finding) -> Endpoint | None:
    """The endpoint whose values by visit may be missing: the finding's, or the function that its joint rank compares."""
    endpoint = finding.endpoint
    if endpoint.method == "joint_rank":
        return finding.source.endpoint(endpoint.function)
    return endpoint if endpoint.method in ("mmrm", "ancova") else None


def _missing(about: Finding, comparison: Comparison) -> tuple[list[Row], str]:
    source, order = about.source, about.source.study.arms.order
    visit = own_visit(source, about.endpoint, comparison)
    at = place(source, about.endpoint, comparison)
    rows: list[Row] = []
    said = ""
    for phrase in _parts(about):
        member = about.member(phrase)
        counts: dict[str, tuple[int, int]] = {}
        for arm in (comparison.treatment, comparison.reference):
            subject = np.flatnonzero(member.mask & (source.planned_arm == order.index(arm))).astype(np.int64)
            values = (
                np.full(subject.size, np.nan) if visit is None else change_at(source, about.endpoint, visit, subject, member)
            )
            counts[arm] = (int(np.isnan(values).sum()), subject.size)
            where = at | {"subgroup": phrase, "arm": arm, "context": "arm"}
            gone, n = counts[arm]
            rows += [
                about.row("n", n, comparison, **where),
                about.row("n_missing", gone, comparison, **where),
                about.row("missing_percent", percent(gone, n) if n else float("nan"), comparison, **where),
            ]
        (a, n1), (b, n0) = counts.values()
        names = ("risk_difference", "risk_difference_low", "risk_difference_high", "missing_p")
        if n1 and n0:
            gap = percentage_points(a, n1, b, n0)
            values_ = (gap.estimate, gap.low, gap.high, fisher_exact(a, n1, b, n0))
            rows += [about.row(n, v, comparison, subgroup=phrase, **at) for n, v in zip(names, values_, strict=True)]
        else:
            rows += [about.row(n, None, comparison, subgroup=phrase, error="an arm is empty", **at) for n in names]
        if phrase == about.subgroup:
            said = f"missing {a} of {n1} treated, {b} of {n0} control"
    return rows, said


def _parts(about: Finding) -> tuple[str, ...]:
    try:
        other: tuple[str, ...] = (complement(about.source, about.subgroup),)
    except ExpressionError:
        other = ()
    return tuple(dict.fromkeys([OVERALL, about.subgroup, *other]))


def _assumed(about: Finding) -> tuple[list[Row], tuple[str, ...]]:
    """The difference in the subgroup as analysed, among completers, and imputed."""
    rows = _labelled(about, about.member(), "as analysed")
    for comparison in about.comparisons:
        rows += _labelled(replace(about, comparisons=(comparison,)), _completers(about, comparison), "completers")
    warnings: list[str] = []
    refits: Refits = {}
    with one_blas_thread():
        for strategy in STRATEGIES:
            block = sensitivity(_imputing(about, strategy), refits=refits)
            rows += [r for r in block.rows if r.context == "contrast" and r.variable == IMPUTED and r.stat_name in SHOWN]
            if strategy == "mar":
                tips = [r for r in block.rows if r.variable == TIPPING and r.stat_name in TIPPING_STATS and r.level == strategy]
                rows += [replace(r, variable=IMPUTED) for r in tips]
            warnings += block.warnings
    return rows, tuple(dict.fromkeys(warnings))


def effects_assumed(finding: Finding, comparison: Comparison) -> list[float | None]:
    """One comparison's difference where it is read, among completers and by each strategy of imputation; None where it cannot
    be computed. They are those of check 15, without its errors."""
    about = replace(finding, comparisons=(comparison,))
    rows = _labelled(about, _completers(about, comparison), "completers")
    found: list[float | None] = [next((r.number() for r in rows if r.stat_name == "difference" and r.stat is not None), None)]
    refits: Refits = {}
    with one_blas_thread():
        for strategy in STRATEGIES:
            found += imputed_differences(_imputing(about, strategy), refits=refits)
    return found


def _imputing(about: Finding, strategy: Strategy) -> AnalysisContext:
    endpoint = about.endpoint.model_copy(update={"method": "mmrm", "imputation": strategy, "tipping_deltas": ()})
    question = Question(endpoint.name, subgroups=(about.subgroup,), population=about.population)
    return AnalysisContext(about.source, endpoint, question, about.population, about.member(), about.comparisons)


def _labelled(about: Finding, member: Membership, level: str) -> list[Row]:
    block = analysed(about, about.endpoint, member)
    found = [r for c in about.comparisons for r in summary_rows(block.rows, about.endpoint, c, SHOWN) if r.stat_name in SHOWN]
    return [replace(r, variable=IMPUTED, level=level, subgroup=about.subgroup) for r in dict.fromkeys(found)]


def _completers(about: Finding, comparison: Comparison) -> Membership:
    member = about.member()
    mask = member.mask.copy()
    subject = np.flatnonzero(mask).astype(np.int64)
    for visit in visits_to_horizon(searched_visits(about.source, about.endpoint), comparison.horizon):
        mask[subject] &= np.isfinite(change_at(about.source, about.endpoint, visit, subject, member))
    return replace(member, mask=mask, n=int(mask.sum()))


def _said(rows: list[Row], comparison: Comparison, *, log_scale: bool) -> str:
    p = {r.level: r for r in at_horizon(rows, comparison) if r.stat_name == "p_value"}
    names = (("as analysed", "observed"), ("completers", "completers"), ("jump-to-reference", "jump to reference"))
    said = [f"{word} p {p_text(p[name].number()) if p[name].stat is not None else 'NE'}" for name, word in names if name in p]
    tip = next((r for r in at_horizon(rows, comparison) if r.stat_name == "tipping_delta"), None)
    if tip is not None and tip.stat is not None:
        said.append(f"tips at {tip.number():.2f} log points" if log_scale else f"tips at {tip.number():.1f} points")
    return ", " + ", ".join(said) if said else ""
