"""Adjusted p-values of the multiplicity plan's hypotheses: from their p-values, or for max-t from the data.

For max-t each hypothesis is a t statistic with every subject's influence on it. MMRM, ANCOVA, joint rank and random slopes are
linear contrasts and have one; a hazard ratio is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alsbench.analysis.cells import piece_or_fault
from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import Contrast
from alsbench.analysis.endpoints import ancova, joint_rank, mmrm, slope
from alsbench.analysis.model_data import ARM, VISIT, Floats, covariate_columns, difference_row
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.records import endpoint_records
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members
from alsbench.errors import UsageError
from alsbench.stats import multiplicity
from alsbench.stats.design import Array, Design
from alsbench.stats.errors import StatsError
from alsbench.stats.influence import gls_influence, influence_correlation
from alsbench.stats.max_t import max_t
from alsbench.stats.slopes import TIME
from alsbench.study.model import Multiplicity


def adjust(plan: Multiplicity, p_values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Adjusted p (m,) by the plan's method; NaN where p is."""
    p = np.asarray(p_values, dtype=np.float64)
    match plan.method:
        case "bonferroni":
            return multiplicity.bonferroni(p)
        case "holm":
            return multiplicity.holm(p)
        case "hochberg":
            return multiplicity.hochberg(p)
        case "fixed_sequence":
            return multiplicity.fixed_sequence(p)
        case "max_t":
            raise ValueError("max_t needs the data, not the p-values: max_t_adjusted")
        case "graphical":
            found = multiplicity.graphical(p, plan_graph(plan), alpha=plan.alpha)
            return np.where(np.isnan(p), np.nan, found.adjusted)


def max_t_adjusted(source: Source, plan: Multiplicity, population: str = "") -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Single-step max-t adjusted p over the plan's endpoints: multivariate t with the correlation of their influences.

    The smallest degrees of freedom are used. A hypothesis that cannot be estimated has NaN.
    """
    family, places = [], []
    for i, hypothesis in enumerate(plan.hypotheses):
        endpoint = source.endpoint(hypothesis.endpoint)
        comparison = next(c for c in source.study.comparisons if c.name == hypothesis.comparison)
        name = population or source.default_population(endpoint)
        question = Question(hypothesis.endpoint, population=name)
        analysis = AnalysisContext(source, endpoint, question, name, members(source, OVERALL, name), (comparison,))
        piece = piece_or_fault(source, hypothesis.endpoint, OVERALL, source.study.comparisons, population)
        cell = next(c for c in piece.cells if c.comparison == hypothesis.comparison)
        if cell.estimate is None:
            continue
        try:
            family.append(moved(analysis, cell))
            places.append(i)
        except StatsError:  # the evidence table's own row says why it has no p
            continue
    adjusted = np.full(len(plan.hypotheses), np.nan)
    if family:
        t = np.array([m.t for m in family])
        adjusted[places] = max_t(t, family_correlation(family), min(m.df for m in family))
    return adjusted


def plan_graph(plan: Multiplicity) -> multiplicity.Graph:
    """The plan's weights and transitions; hypotheses without any weight share alpha equally."""
    names = [h.name for h in plan.hypotheses]
    given = [h.weight for h in plan.hypotheses]
    share = 1.0 / len(names) if all(w is None for w in given) else 0.0
    weights = np.array([share if w is None else w for w in given])
    transitions = np.zeros((len(names), len(names)))
    for i, hypothesis in enumerate(plan.hypotheses):
        for to, part in hypothesis.next.items():
            transitions[i, names.index(to)] = part
    return multiplicity.Graph(weights, transitions)


@dataclass(frozen=True)
class Moved:
    """``t`` with its ``df``, and the influence (subjects,) of every subject of the source on the estimate."""

    t: float
    df: float
    influence: Floats


def moved(analysis: AnalysisContext, cell: Contrast) -> Moved:
    """The contrast behind a cell of the evidence table, made again with its influences.

    Raises StatsError where it cannot be estimated, UsageError for a method without influences.
    """
    makers = {"mmrm": _mmrm, "ancova": _ancova, "joint_rank": _joint_rank, "slope": _slope}
    if analysis.endpoint.weights:
        raise UsageError(
            "max-t over endpoints does not cover weighted fits", where=f"endpoints.{analysis.endpoint.name}.weights"
        )
    if analysis.endpoint.method not in makers:
        raise UsageError(
            f"max-t does not cover {analysis.endpoint.method} ({analysis.endpoint.name})",
            where="study.toml multiplicity",
            hint=f"covered: {', '.join(makers)}; or another method of the plan",
        )
    return makers[analysis.endpoint.method](analysis, cell)


def _mmrm(analysis: AnalysisContext, cell: Contrast) -> Moved:
    rows = mmrm.analysed_rows(analysis, analysis.member.mask)
    fit, design, _ = mmrm.fit_rows(analysis, rows, interaction=None)
    if fit.sigma.ndim != 2:
        raise UsageError("max-t over endpoints needs one covariance for all arms", where=f"endpoints.{analysis.endpoint.name}")
    label = cell.visit or ""
    row = difference_row(analysis, design, (cell.treatment, cell.reference), **{VISIT: label})
    found = fit.contrast(row[None, :])
    residual = rows.y - design.X @ np.nan_to_num(fit.beta)
    values = gls_influence(
        design.X,
        residual,
        rows.records.subject,
        rows.visit_codes,
        fit.sigma,
        np.nan_to_num(fit.vcov_unadjusted),
        row,
        n_subjects=len(analysis.source.subjects),
    )
    return Moved(float(found.t[0]), float(found.df[0]), values)


def _ancova(analysis: AnalysisContext, cell: Contrast) -> Moved:
    records = endpoint_records(analysis.source, analysis.endpoint)
    pair = (cell.treatment, cell.reference)
    at = ancova.rows_at(analysis, records, float(cell.visit_number or 0.0), (pair,), analysis.member.mask)
    at = at.take(covariate_columns(analysis).complete[at.subject])
    design, fit = ancova.fit_at(analysis, at)
    return _least_squares(analysis, design, fit, at.subject, pair)


def _joint_rank(analysis: AnalysisContext, cell: Contrast) -> Moved:
    arms = analysis.arms if analysis.endpoint.arms == "all" else (cell.reference, cell.treatment)
    ranked = joint_rank.ranked_set(analysis, float(cell.visit_number or 0.0), analysis.member.mask, arms)
    fit, design, _ = joint_rank.rank_ancova(analysis, ranked, arms)
    kept = ranked.rank.included & covariate_columns(analysis).complete[ranked.subject]
    return _least_squares(analysis, design, fit, ranked.subject[kept], (cell.treatment, cell.reference))


def _least_squares(analysis: AnalysisContext, design: Design, fit, subject, pair: tuple[str, str]) -> Moved:  # type: ignore[no-untyped-def]
    row = difference_row(analysis, design, pair)
    found = fit.contrast(row)
    unscaled: Array = np.nan_to_num(fit.cov) / fit.sigma**2
    values = gls_influence(
        design.X,
        fit.residuals,
        subject,
        np.zeros(subject.size, dtype=np.int64),
        np.eye(1),
        unscaled,
        row,
        n_subjects=len(analysis.source.subjects),
    )
    return Moved(float(found.t[0]), float(found.df[0]), values)


def _slope(analysis: AnalysisContext, cell: Contrast) -> Moved:
    rows = slope.analysed_rows(analysis, analysis.member.mask)
    fit, *_ = slope.fit_rows(analysis, rows)
    design = fit.design
    row = sum(
        sign * time_sign * design.ls_mean_row({ARM: arm}, at={TIME: month})
        for arm, sign in ((cell.treatment, 1.0), (cell.reference, -1.0))
        for month, time_sign in ((1.0, 1.0), (0.0, -1.0))
    )
    found = fit.contrast(np.asarray(row), df=analysis.endpoint.df)
    times, codes = np.unique(rows.months, return_inverse=True)
    Z = np.column_stack([np.ones(times.size), times])
    sigma = Z @ fit.G @ Z.T + fit.residual_variance * np.eye(times.size)
    residual = rows.y - design.X @ np.nan_to_num(fit.beta)
    values = gls_influence(
        design.X,
        residual,
        rows.records.subject,
        codes.astype(np.int64),
        sigma,
        np.nan_to_num(fit.vcov),
        np.asarray(row),
        n_subjects=len(analysis.source.subjects),
    )
    return Moved(float(found.t[0]), float(found.df[0]), values)


def family_correlation(family: list[Moved]) -> Array:
    """Correlation of the family's estimates. Raises StatsError where one has no influences."""
    if not family:
        raise StatsError("a family of no hypotheses has no correlation")
    return influence_correlation(np.array([m.influence for m in family]))
