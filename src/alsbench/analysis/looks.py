"""What a result lets its reader test: the contrasts whose p-values it shows."""

from __future__ import annotations

from alsbench.analysis.result import Result

P_VALUES = frozenset({"p_value", "log_rank_p", "gehan_p", "permutation_p", "interaction_p"})


def contrasts_shown(result: Result) -> list[str]:
    """``alsfrs [mmrm] slow: Group 2 vs Placebo, Month 12`` for every contrast with a p-value, in order, each once."""
    found: dict[str, None] = {}
    for row in result.rows:
        if row.stat_name in P_VALUES and row.stat is not None and row.treatment is not None:
            visit = row.visit or (None if row.visit_number is None else f"{row.visit_number:g}")
            parts = [visit, row.variable, "interaction" if row.stat_name == "interaction_p" else None]
            about = ", ".join([f"{row.treatment} vs {row.reference}", *(p for p in parts if p)])
            found[f"{row.endpoint} [{row.method}] {row.subgroup}: {about}"] = None
    return list(found)


def look_facts(result: Result) -> dict[str, object]:
    """What the audit log keeps of a look beside the question: contrasts, never their outcome, and the marks they bore."""
    origin = result.provenance
    return {"blinded": origin.blinded, "deviations": len(origin.deviations), "contrasts": contrasts_shown(result)}
