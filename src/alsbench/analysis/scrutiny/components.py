"""What drives a joint rank: how many pairs an event decided, how many the function, how many are tied, and who won them."""

from __future__ import annotations

from alsbench.analysis.contrast import at_horizon
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, analysed, no_joint_rank, per_comparison
from alsbench.stats.rounding import percent_text
from alsbench.study.model import Comparison

SHOWN = ("wins", "losses", "ties", "win_probability", "win_probability_low", "win_probability_high", "pairs")


def components(finding: Finding) -> CheckAnswer:
    """Check 12: wins, losses and ties of the treated, pairs by what decided them, and events per arm."""
    endpoint = finding.joint_rank()
    if endpoint is None:
        return no_joint_rank()
    made = analysed(finding, endpoint, finding.member()).rows
    rows = [r for r in made if r.context == "contrast" and r.stat_name in SHOWN]
    rows += [r for r in made if r.context == "arm" and r.stat_name == "events"]
    return CheckAnswer(rows, per_comparison(finding, {c.name: _words(rows, c) for c in finding.comparisons}), endpoint=endpoint)


def _words(rows: list[Row], comparison: Comparison) -> str:
    pairs = [r for r in at_horizon(rows, comparison) if r.stat_name == "pairs" and isinstance(r.stat, int)]
    found = {str(r.level): int(r.number()) for r in pairs}
    total = sum(found.values())
    if not total:
        return "not estimable"
    return ", ".join(f"{percent_text(n, total)} % {name}" for name, n in found.items())
