"""More doses, more effect? All arms ranked (or analysed) together, and one slope over the doses of the study file.

A finding in one arm that the other does not share is weaker for it. The trend is linear in the number or amount of doses,
tested by its t and by permuted residuals of the model without it (Freedman and Lane 1983).
"""

from __future__ import annotations

import itertools

import numpy as np

from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.p_text import p_text
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, analysed, per_comparison
from alsbench.analysis.scrutiny.outcomes import STAND_INS, measured, own_visit, place
from alsbench.stats.errors import StatsError
from alsbench.stats.permutation import permute_residuals
from alsbench.stats.permuted_trials import ranks_within
from alsbench.study.model import Comparison, Endpoint

STATS = ("dose_slope", "dose_slope_low", "dose_slope_high", "p_value", "permutation_p")
MEANS = ("ls_mean", "conf_low", "conf_high")


def dose(finding: Finding) -> CheckAnswer:
    """Check 11: LS means of all arms analysed together, and the trend over their doses, at each comparison's visit."""
    doses, order = finding.source.study.arms.doses, finding.source.study.arms.order
    if any(arm not in doses for arm in order) or len(set(doses.values())) < 3:
        return CheckAnswer([], "not applicable: the study file gives no three different doses (arms.doses)")
    if finding.endpoint.method == "time_to_event":
        return CheckAnswer([], "not applicable: there is no trend over doses for time to event")
    together = finding.endpoint.model_copy(update={"arms": "all"})
    block = analysed(finding, together, finding.member())
    rows: list[Row] = []
    words: dict[str, str] = {}
    for comparison in finding.comparisons:
        at = place(finding.source, finding.endpoint, comparison)
        name = "slope" if finding.endpoint.method == "slope" else "ls_mean"
        wanted = (name, *MEANS[1:])
        means = [r for r in block.rows if r.context == "arm" and r.stat_name in wanted and r.level is None]
        means = [r for r in means if r.visit_number == at.get("visit_number") and r.treatment is None]
        rows += [r for r in means if r not in rows]
        mine, text = _trend(finding, together, comparison)
        rows += mine
        found = {r.arm: r.number() for r in means if r.stat_name == name and r.stat is not None}
        words[comparison.name] = text + _order(found, doses, upward=higher_is_better(finding.endpoint))
    scale = ", ".join(f"{arm} {doses[arm]:g}" for arm in order)
    lines = [("Doses", scale), ("Together", "all arms in one ranking and one model"), ("Permuted", f"{finding.draws} draws")]
    if finding.endpoint.method in STAND_INS:
        lines.append(("Trend", f"of the {STAND_INS[finding.endpoint.method]}"))
    return CheckAnswer(rows, per_comparison(finding, words), tuple(lines))


def _trend(finding: Finding, together: Endpoint, comparison: Comparison) -> tuple[list[Row], str]:
    from scipy.special import stdtrit

    source = finding.source
    at = place(source, finding.endpoint, comparison)
    try:
        found = measured(source, together, comparison, own_visit(source, finding.endpoint, comparison), finding.member())
        doses = np.array([source.study.arms.doses[a] for a in source.study.arms.order])[source.planned_arm[found.subject]]
        if np.unique(doses).size < 3:
            raise StatsError("fewer than three doses among the members")
        o = found.outcome
        y = o.response if o.scores is None else ranks_within(o.scores, np.ones((1, doses.size)), o.strata, unit=o.unit)[0]
        test = permute_residuals(np.asarray(y), o.covariates, doses, draws=finding.draws, seed=finding.endpoint.seed)
    except StatsError as error:
        return [finding.row(n, None, comparison, error=str(error), **at) for n in STATS], f"no trend: {error}"
    half = float(stdtrit(test.df, 0.975)) * abs(test.estimate / test.t)
    values = (test.estimate, test.estimate - half, test.estimate + half, test.p, test.permutation_p)
    rows = [finding.row(n, v, comparison, **at) for n, v in zip(STATS, values, strict=True)]
    return rows, f"{test.estimate:.2f} per dose, p {p_text(test.p)}, permuted {p_text(test.permutation_p)}"


def _order(means: dict[str | None, float], doses: dict[str, float], *, upward: bool) -> str:
    """Whether the means rise with the dose."""
    ranked = [means[arm] for arm in sorted(doses, key=lambda a: doses[a]) if arm in means]
    if len(ranked) < 3:
        return ""
    steps = [b - a for a, b in itertools.pairwise(ranked)]
    sign = 1 if upward else -1
    return (
        ", the means improve with every dose"
        if all(s * sign > 0 for s in steps)
        else ", the means do not improve with every dose"
    )
