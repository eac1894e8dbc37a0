"""The subgroup's result beside what stands around it: the whole population, the complement, and their difference.

A small p inside a subgroup and a large one outside is no evidence that the effects differ; the interaction is (Altman and
Bland 2003, doi 10.1136/bmj.326.7382.219).

Are the arms alike at baseline inside the subgroup? Randomisation promises it for the whole trial only.

Standardised mean differences of every baseline characteristic (Austin 2009, doi 10.1002/sim.3697); 0.1 is the usual mark,
though in small groups chance alone goes beyond it: the verdict says how many of the variables it would carry there, a
difference of two means having the standard error sqrt(1/n1 + 1/n0) in units of the SD.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from alsbench.analysis.cells import cached_piece
from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import p_text
from alsbench.analysis.endpoints.baseline import analyse
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, contrasts, p_words, per_comparison
from alsbench.analysis.scrutiny.modifier import interaction_parts
from alsbench.analysis.scrutiny.outcomes import STAND_INS, place
from alsbench.analysis.scrutiny.sweep import cut_of
from alsbench.analysis.subgroups import complement as other_part
from alsbench.analysis.subgroups import counts_by_arm
from alsbench.errors import ExpressionError, UsageError
from alsbench.stats.errors import StatsError
from alsbench.stats.permutation import permute_residuals
from alsbench.study.model import Comparison, Endpoint


def overall(finding: Finding) -> CheckAnswer:
    """Check 1: the endpoint in the whole population and in the subgroup."""
    return _beside(finding, OVERALL)


def complement(finding: Finding) -> CheckAnswer:
    """Check 2: the endpoint in the subgroup and in everybody else."""
    try:
        phrase = other_part(finding.source, finding.subgroup)
    except ExpressionError as error:
        return CheckAnswer([], f"not applicable: {error.what}")
    return _beside(finding, phrase)


def interaction(finding: Finding) -> CheckAnswer:
    """Check 3: arm by subgroup, both parts in one model, and arm by the cut column itself, with permutation p.

    A complement has the interaction of its subgroup.
    """
    if finding.subgroup == OVERALL:
        return CheckAnswer([], "not applicable: everybody is in it")
    phrase = finding.subgroup if " and " in finding.subgroup else finding.subgroup.removeprefix("not ")
    piece = cached_piece(finding.source, finding.endpoint.name, phrase, finding.comparisons, finding.population)
    rows: list[Row] = [r for r in piece.rows if r.stat_name == "interaction_p"]
    words = {c.name: p_words(rows, c, "interaction_p") for c in finding.comparisons}
    member = finding.member()
    modifiers = [("subgroup", np.where(member.decided, member.mask, np.nan))]
    try:
        column = cut_of(finding).column
        modifiers.append((column, np.asarray(finding.source.subject_column(column), dtype=np.float64)))
        lines = [("Continuous", f"arm by {column}, linear, without a cut: no information is thrown away, no cut is chosen")]
    except UsageError as error:
        lines = [("Continuous", f"not applicable: {error.what}")]
    for comparison in finding.comparisons:
        for name, values in modifiers:
            mine = _permuted(finding, comparison, name, values)
            rows += mine
            found = {r.stat_name: p_text(r.number()) for r in mine if r.stat is not None}
            if name == "subgroup":
                words[comparison.name] += f", permuted {found.get('interaction_permutation_p', 'not estimable')}"
            else:
                words[comparison.name] += f", by {name} uncut p {found.get('interaction_p', 'not estimable')}"
    lines.append(
        ("Permutation", f"residuals of the model without the interaction, {finding.draws} draws (Freedman, Lane 1983)")
    )
    if finding.endpoint.method in STAND_INS:
        lines.append(("Permuted and uncut", f"of the {STAND_INS[finding.endpoint.method]}"))
    return CheckAnswer(rows, per_comparison(finding, words), tuple(lines))


def _permuted(finding: Finding, comparison: Comparison, name: str, values: NDArray[np.float64]) -> list[Row]:
    """The interaction with a modifier: by its t where it is a column, and by permutation."""
    at = place(finding.source, finding.endpoint, comparison) | {"context": "subgroup"}
    at |= {} if name == "subgroup" else {"variable": f"by {name}, uncut"}
    names = ("interaction_permutation_p",) if name == "subgroup" else ("interaction_p", "interaction_permutation_p")
    try:
        y, others, x = interaction_parts(finding, comparison, values)
        found = permute_residuals(y, others, x, draws=finding.draws, seed=finding.endpoint.seed)
    except StatsError as error:
        return [finding.row(n, None, comparison, error=str(error), **at) for n in names]
    stats = {"interaction_p": found.p, "interaction_permutation_p": found.permutation_p}
    return [finding.row(n, stats[n], comparison, **at) for n in names]


def _beside(finding: Finding, phrase: str) -> CheckAnswer:
    parts = [contrasts(finding, finding.endpoint, finding.member(p)) for p in (phrase, finding.subgroup)]
    words = {c.name: f"{phrase} {p_words(parts[0], c)}, {finding.subgroup} {p_words(parts[1], c)}" for c in finding.comparisons}
    return CheckAnswer([*parts[0], *parts[1]] if phrase != finding.subgroup else parts[0], per_comparison(finding, words))


MARK = 0.1


def balance(finding: Finding) -> CheckAnswer:
    """Check 4: the standardised mean difference of each variable of the study's baseline table, per comparison."""
    named = [e for e in finding.source.study.endpoints.values() if e.method == "baseline"]
    endpoint = named[0] if named else Endpoint(name="baseline", method="baseline", dataset="ADSL")
    question = Question(endpoint.name, subgroups=(finding.subgroup,), population=finding.population)
    analysis = AnalysisContext(finding.source, endpoint, question, finding.population, finding.member(), finding.comparisons)
    rows = [r for r in analyse(analysis).rows if r.stat_name == "smd"]
    counts = counts_by_arm(finding.source, finding.member().mask)
    return CheckAnswer(rows, per_comparison(finding, {c.name: _words(rows, c, counts) for c in finding.comparisons}))


def by_chance(n_treated: int, n_reference: int) -> float:
    """P that two equal groups of these sizes differ by more than ``MARK`` standard deviations in one variable."""
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
