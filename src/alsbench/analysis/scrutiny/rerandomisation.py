"""Would these arms, dealt again within strata, give as large a statistic? p by re-randomisation beside p by the model."""

from __future__ import annotations

import numpy as np

from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, contrasts, p_words, per_comparison
from alsbench.analysis.scrutiny.outcomes import STAND_INS, measured, own_visit, place
from alsbench.analysis.strata import strata_codes
from alsbench.stats.permuted_trials import permute_arms
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison

NAMES = ("gehan_p", "permutation_p", "permutation_gehan_p", "permutations")
SLACK = 1e-9


def rerandomisation(finding: Finding) -> CheckAnswer:
    """Check 16: arms permuted within the endpoint's strata inside the subgroup.

    For a joint rank the ANCOVA t and the Gehan-Wilcoxon W, every arrangement where they are few; else the t (or log-rank z) of
    the test that stands for the endpoint in thousands of trials.
    """
    endpoint = finding.endpoint
    drawn = endpoint.model_copy(update={"permutations": endpoint.permutations or finding.draws})
    if endpoint.method == "joint_rank":
        rows = contrasts(finding, drawn, finding.member(), more=NAMES)
        lines = [("Arrangements", f"{drawn.permutations} drawn, seed {drawn.seed}; all of them where they are few")]
    else:
        rows = contrasts(finding, endpoint, finding.member())
        rows += [r for c in finding.comparisons for r in _permuted(finding, c, drawn.permutations)]
        lines = [("Arrangements", f"{drawn.permutations} drawn, seed {drawn.seed}")]
        lines += [("Re-randomised", f"the {STAND_INS[endpoint.method]}")] if endpoint.method in STAND_INS else []
    words = {
        c.name: f"model {p_words(rows, c)}, re-randomised {p_words(rows, c, 'permutation_p')}" for c in finding.comparisons
    }
    return CheckAnswer(rows, per_comparison(finding, words), tuple(lines))


def _permuted(finding: Finding, comparison: Comparison, draws: int) -> list[Row]:
    source, order = finding.source, finding.source.study.arms.order
    at = place(source, finding.endpoint, comparison)
    treated, reference = order.index(comparison.treatment), order.index(comparison.reference)
    found = measured(source, finding.endpoint, comparison, own_visit(source, finding.endpoint, comparison), finding.member())
    if not found.outcome.whole:
        found = found.at(np.flatnonzero(np.isin(source.planned_arm[found.subject], (treated, reference))))
    arms = np.full((draws + 1, source.planned_arm.size), -1, dtype=np.int8)
    own = source.planned_arm[found.subject].astype(np.int8)
    strata = strata_codes(source, finding.endpoint.strata, found.subject)
    arms[0, found.subject] = own
    arms[1:, found.subject] = permute_arms(own, strata, draws, seed=finding.endpoint.seed)
    with one_blas_thread():
        t = np.abs(found.tests(arms, treated, reference).t)
    if not np.isfinite(t[0]):
        why = "an arm or a degree of freedom is missing"
        return [finding.row(n, None, comparison, error=why, **at) for n in ("permutation_p", "permutations")]
    # an arrangement without a t counts as extreme
    extreme = int((~(t[1:] < t[0] * (1 - SLACK))).sum())
    values = (("permutation_p", (1 + extreme) / (draws + 1)), ("permutations", draws))
    return [finding.row(n, v, comparison, **at) for n, v in values]
