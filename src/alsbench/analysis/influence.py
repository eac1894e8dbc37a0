"""A hypothesis of the plan as a t statistic with every subject's influence on it: what max-t over endpoints needs.

MMRM, ANCOVA, joint rank and random slopes are linear contrasts and have one; a hazard ratio is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alsbench.analysis.ask import Ask
from alsbench.analysis.cells import Cell
from alsbench.analysis.endpoints import ancova, joint_rank, mmrm, slope
from alsbench.analysis.model_data import ARM, VISIT, Floats, covariate_columns, difference_row
from alsbench.analysis.records import endpoint_records
from alsbench.errors import UsageError
from alsbench.stats.design import Array, Design
from alsbench.stats.errors import StatsError
from alsbench.stats.influence import gls_influence
from alsbench.stats.slopes import TIME


@dataclass(frozen=True)
class Moved:
    """``t`` with its ``df``, and the influence (subjects,) of every subject of the source on the estimate."""

    t: float
    df: float
    influence: Floats


def moved(ask: Ask, cell: Cell) -> Moved:
    """The contrast behind a cell of the evidence table, made again with its influences.

    Raises StatsError where it cannot be estimated, UsageError for a method without influences.
    """
    makers = {"mmrm": _mmrm, "ancova": _ancova, "joint_rank": _joint_rank, "slope": _slope}
    if ask.endpoint.weights:
        raise UsageError("max-t over endpoints does not cover weighted fits", where=f"endpoints.{ask.endpoint.name}.weights")
    if ask.endpoint.method not in makers:
        raise UsageError(
            f"max-t does not cover {ask.endpoint.method} ({ask.endpoint.name})",
            where="study.toml multiplicity",
            hint=f"covered: {', '.join(makers)}; or another method of the plan",
        )
    return makers[ask.endpoint.method](ask, cell)


def _mmrm(ask: Ask, cell: Cell) -> Moved:
    rows = mmrm.analysed_rows(ask, ask.member.mask)
    fit, design, _ = mmrm.fit_rows(ask, rows, interaction=None)
    if fit.sigma.ndim != 2:
        raise UsageError("max-t over endpoints needs one covariance for all arms", where=f"endpoints.{ask.endpoint.name}")
    label = cell.visit or ""
    row = difference_row(ask, design, (cell.treatment, cell.reference), **{VISIT: label})
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
        n_subjects=len(ask.source.subjects),
    )
    return Moved(float(found.t[0]), float(found.df[0]), values)


def _ancova(ask: Ask, cell: Cell) -> Moved:
    records = endpoint_records(ask.source, ask.endpoint)
    pair = (cell.treatment, cell.reference)
    at = ancova.rows_at(ask, records, float(cell.visit_number or 0.0), (pair,), ask.member.mask)
    at = at.take(covariate_columns(ask).complete[at.subject])
    design, fit = ancova.fit_at(ask, at)
    return _least_squares(ask, design, fit, at.subject, pair)


def _joint_rank(ask: Ask, cell: Cell) -> Moved:
    arms = ask.arms if ask.endpoint.arms == "all" else (cell.reference, cell.treatment)
    ranked = joint_rank.ranked_set(ask, float(cell.visit_number or 0.0), ask.member.mask, arms)
    fit, design, _ = joint_rank.rank_ancova(ask, ranked, arms)
    kept = ranked.rank.included & covariate_columns(ask).complete[ranked.subject]
    return _least_squares(ask, design, fit, ranked.subject[kept], (cell.treatment, cell.reference))


def _least_squares(ask: Ask, design: Design, fit, subject, pair: tuple[str, str]) -> Moved:  # type: ignore[no-untyped-def]
    row = difference_row(ask, design, pair)
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
        n_subjects=len(ask.source.subjects),
    )
    return Moved(float(found.t[0]), float(found.df[0]), values)


def _slope(ask: Ask, cell: Cell) -> Moved:
    rows = slope.analysed_rows(ask, ask.member.mask)
    fit, *_ = slope.fit_rows(ask, rows)
    design = fit.design
    row = sum(
        sign * time_sign * design.ls_mean_row({ARM: arm}, at={TIME: month})
        for arm, sign in ((cell.treatment, 1.0), (cell.reference, -1.0))
        for month, time_sign in ((1.0, 1.0), (0.0, -1.0))
    )
    found = fit.contrast(np.asarray(row), df=ask.endpoint.df)
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
        n_subjects=len(ask.source.subjects),
    )
    return Moved(float(found.t[0]), float(found.df[0]), values)


def family_correlation(family: list[Moved]) -> Array:
    """Correlation of the family's estimates. Raises StatsError where one has no influences."""
    from alsbench.stats.influence import influence_correlation

    if not family:
        raise StatsError("a family of no hypotheses has no correlation")
    return influence_correlation(np.array([m.influence for m in family]))
