"""Would these arms, dealt again within strata, give as large a statistic? p by re-randomisation beside p by the model."""

from __future__ import annotations

from alsbench.analysis.scrutiny.finding import Answer, Finding, contrasts, no_joint_rank, p_words, per_comparison

NAMES = ("gehan_p", "permutation_p", "permutation_gehan_p", "permutations")


def rerandomisation(finding: Finding) -> Answer:
    """Check 16: the ANCOVA t and the Gehan-Wilcoxon W of a joint rank, arms permuted within the endpoint's strata."""
    endpoint = finding.joint_rank()
    if endpoint is None:
        return no_joint_rank()
    drawn = endpoint if endpoint.permutations else endpoint.model_copy(update={"permutations": finding.draws})
    rows = contrasts(finding, drawn, finding.member(), more=NAMES)
    words = {
        c.name: f"model {p_words(rows, c)}, re-randomised {p_words(rows, c, 'permutation_p')}" for c in finding.comparisons
    }
    lines = (("Arrangements", f"{drawn.permutations} drawn, seed {drawn.seed}; all of them where they are few"),)
    return Answer(rows, per_comparison(finding, words), lines, endpoint=endpoint)
