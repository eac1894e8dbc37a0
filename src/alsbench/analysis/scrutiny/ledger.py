"""What the p-values of this subgroup are worth together: every endpoint and comparison at its horizon, adjusted four ways.

Holm, Hochberg, the fixed sequence of the study file (endpoints by level, then as written; comparisons as written) and
Westfall and Young's step-down min-p over re-randomised trials, which knows how the tests go together. The study's own plan
and its closed gates stand beside it. How many results were looked at is in the audit log, not in the data.
"""

from __future__ import annotations

import numpy as np

from alsbench.analysis.contrast import p_text
from alsbench.analysis.gates import gates
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import ALPHA, CheckAnswer, Finding
from alsbench.analysis.scrutiny.outcomes import STAND_INS, place
from alsbench.analysis.search import Place, WholeSearch
from alsbench.stats.max_t import westfall_young
from alsbench.stats.multiplicity import fixed_sequence, hochberg, holm

STATS = ("p_value", "holm_p", "hochberg_p", "fixed_sequence_p", "westfall_young_p")
LEVELS = {"primary": 0, "secondary": 1, "exploratory": 2}


def multiplicity(finding: Finding) -> CheckAnswer:
    """Check 9: each test of the family with its adjusted p; the family is the study's, whatever endpoint is asked about."""
    asked_for = {c.name for c in finding.comparisons}

    def wanted(test: Place) -> bool:
        return test.definition == finding.subgroup and test.at_horizon and test.comparison.name in asked_for

    found = WholeSearch(
        finding.source,
        populations={finding.endpoint.name: finding.population},
        phrases=(finding.subgroup,),
        wanted=wanted,
        seed=finding.endpoint.seed,
    )
    order = sorted(range(len(found.places)), key=lambda i: _place_in_sequence(finding, found.places[i]))
    tests = [found.places[i] for i in order]
    there = np.isfinite(found.observed[0][order])
    if not there.any():
        return CheckAnswer([], "not estimable: no test of the study can be made in this subgroup")
    p = found.p_values(finding.draws)[:, order]  # what cannot be tested keeps its place, with p = 1
    made = (p[0], holm(p[0]), hochberg(p[0]), fixed_sequence(p[0]), westfall_young(1.0 - p[0], 1.0 - p[1:]).step_down)
    adjusted = tuple(np.where(there, values, np.nan) for values in made)
    rows: list[Row] = []
    for i, test in enumerate(tests):
        where = place(finding.source, test.endpoint, test.comparison) | {"level": test.endpoint.name, "variable": "family"}
        for name, values in zip(STATS, adjusted, strict=True):
            error = None if np.isfinite(values[i]) else "not estimable"
            stat = None if error else float(values[i])
            rows.append(finding.row(name, stat, test.comparison, endpoint=test.endpoint, error=error, **where))
    below = int((adjusted[0] < ALPHA).sum())
    kept = [
        f"{name} {int((a <= ALPHA).sum())}"
        for name, a in zip(("Holm", "Hochberg", "Westfall-Young"), (adjusted[1], adjusted[2], adjusted[4]), strict=True)
    ]
    words = f"{below} of {len(tests)} below {ALPHA:g} unadjusted; after adjustment: {', '.join(kept)}"
    smallest = np.nanmin(adjusted[4]) if np.isfinite(adjusted[4]).any() else np.nan
    words += f"; smallest adjusted p {p_text(float(smallest))}" if np.isfinite(smallest) else ""
    plan = [("Plan", gate.words()) for gate in gates(finding.source, "")] or [("Plan", "the study file has no [multiplicity]")]
    stand_ins = dict.fromkeys(t.endpoint.method for t in tests if t.endpoint.method in STAND_INS)
    lines = (
        ("Family", f"{len(tests)} tests: every endpoint with a contrast, every comparison asked about, at its horizon"),
        *(("In the family", f"{m.replace('_', ' ')}: {STAND_INS[m]}") for m in stand_ins),
        ("Westfall-Young", f"step-down min-p, {finding.draws} trials with arms dealt again, seed {finding.endpoint.seed}"),
        *plan,
        ("Looks taken", "alsbench audit looks: questions whose results were shown, and the contrasts seen"),
    )
    return CheckAnswer(rows, words, lines, tuple(f"not in the family: {name}" for name in found.left_out))


def _place_in_sequence(finding: Finding, test: Place) -> tuple[int, int, int]:
    study = finding.source.study
    names = list(study.endpoints)
    comparisons = [c.name for c in study.comparisons]
    return LEVELS[test.endpoint.level], names.index(test.endpoint.name), comparisons.index(test.comparison.name)
