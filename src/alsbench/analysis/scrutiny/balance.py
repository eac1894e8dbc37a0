"""Are the arms alike at baseline inside the subgroup? Randomisation promises it for the whole trial only.

Standardised mean differences of every baseline characteristic (Austin 2009, doi 10.1002/sim.3697); 0.1 is the usual mark,
though in small groups chance alone goes beyond it: the verdict says how many of the variables it would carry there, a
difference of two means having the standard error sqrt(1/n1 + 1/n0) in units of the SD.
"""

from __future__ import annotations

from alsbench.analysis.ask import Ask
from alsbench.analysis.endpoints.baseline import analyse
from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, per_comparison
from alsbench.analysis.subgroups import counts_by_arm
from alsbench.study.model import Comparison, Endpoint

MARK = 0.1


def balance(finding: Finding) -> CheckAnswer:
    """Check 4: the standardised mean difference of each variable of the study's baseline table, per comparison."""
    named = [e for e in finding.source.study.endpoints.values() if e.method == "baseline"]
    endpoint = named[0] if named else Endpoint(name="baseline", method="baseline", dataset="ADSL")
    question = Question(endpoint.name, subgroups=(finding.subgroup,), population=finding.population)
    ask = Ask(finding.source, endpoint, question, finding.population, finding.member(), finding.comparisons)
    rows = [r for r in analyse(ask).rows if r.stat_name == "smd"]
    counts = counts_by_arm(finding.source, finding.member().mask)
    return CheckAnswer(rows, per_comparison(finding, {c.name: _words(rows, c, counts) for c in finding.comparisons}))


def by_chance(n_treated: int, n_reference: int) -> float:
    """P that two equal groups of these sizes differ by more than ``MARK`` standard deviations in one variable."""
    from scipy.special import ndtr

    return 2.0 * float(ndtr(-MARK / (1.0 / n_treated + 1.0 / n_reference) ** 0.5))


def _words(rows: list[Row], comparison: Comparison, counts: dict[str, int]) -> str:
    pair = (comparison.treatment, comparison.reference)
    mine = [r for r in rows if (r.treatment, r.reference) == pair and r.stat is not None]
    if not mine:
        return "not estimable"
    largest = max(mine, key=lambda r: abs(r.number()))
    beyond = sum(abs(r.number()) > MARK for r in mine)
    expected = len(mine) * by_chance(counts[comparison.treatment], counts[comparison.reference])
    said = f"{beyond} of {len(mine)} beyond {MARK:g} (by chance {expected:.1f})"
    return f"{said}, largest {largest.variable} ({largest.number():.2f})"
