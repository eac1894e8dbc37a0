"""The test of the protocol beside its nearest relatives: without covariates, and without a model."""

from __future__ import annotations

from dataclasses import replace

from alsbench.analysis.contrast import at_horizon
from alsbench.analysis.p_text import p_text
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, contrasts, per_comparison
from alsbench.study.model import Comparison, Endpoint


def alternatives(finding: Finding) -> CheckAnswer:
    """Check 14: adjusted and unadjusted; for a joint rank also Gehan-Wilcoxon, within strata and not."""
    member, endpoint = finding.member(), finding.endpoint
    bare = endpoint.model_copy(update={"covariates": (), "factors": (), "at": {}})
    variants: list[tuple[str, Endpoint]] = [("adjusted", endpoint), ("unadjusted", bare)]
    rows: list[Row] = []
    for name, variant in variants:
        rows += contrasts(finding, variant, member, variable="model", level=name)
    if endpoint.method == "joint_rank":
        plain = endpoint.model_copy(update={"strata": (), "rank_within_strata": False})
        tests = [("Gehan-Wilcoxon, stratified", endpoint)] if endpoint.strata else []
        for name, variant in (*tests, ("Gehan-Wilcoxon, unstratified", plain)):
            found = contrasts(finding, variant, member, more=("gehan_p",), variable="model", level=name)
            kept = [r for r in found if r.stat_name in {"gehan_p", "n_treatment", "n_reference"}]
            rows += [replace(r, stat_name="p_value") if r.stat_name == "gehan_p" else r for r in kept]
    return CheckAnswer(rows, per_comparison(finding, {c.name: _words(rows, c) for c in finding.comparisons}))


def _words(rows: list[Row], comparison: Comparison) -> str:
    mine = [r for r in at_horizon(rows, comparison) if r.stat_name == "p_value"]
    return ", ".join(f"{r.level} p {'not estimable' if r.stat is None else p_text(r.number())}" for r in mine)
