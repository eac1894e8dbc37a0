"""Random slopes: AVAL ~ time*arm + covariates, random intercept and slope per subject, time in months; all arms in the fit.

Slopes per arm in units per month, their differences, and the slowing of decline in percent (METHODS 5). With
``scale = "log"`` the response is ln(AVAL), and the monthly ratios are reported beside the logs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alsbench.analysis.context import CONTRAST_STATS, AnalysisContext, MethodResult
from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.model_data import (
    ARM,
    PART,
    Floats,
    arm_factor,
    covariate_columns,
    covariate_variables,
    dropped_rows_warning,
    exponentiated,
    lloq_words,
    unplaced_warning,
)
from alsbench.analysis.records import Records, endpoint_records
from alsbench.analysis.result import Row
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.stats.design import Covariate, Factor, Variable, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.slopes import (
    TIME,
    SlopeFit,
    arm_slopes,
    fit_slopes,
    percent_slowing,
    random_slopes,
    slope_differences,
)
from alsbench.study.model import DAYS_PER_UNIT

SLOPE_STATS = ("slope", "se", "df", "conf_low", "conf_high")
SLOWING = ("percent_slowing", "percent_slowing_low", "percent_slowing_high")
FIELLER_SETS = {"two rays": "two rays, with infinity inside", "unbounded": "all numbers"}


@dataclass(frozen=True)
class SlopeRows:
    """Analysed rows: the value, months since baseline by the nominal visit, subject and arm of each."""

    records: Records
    y: Floats
    months: Floats
    arm: IntArray
    warnings: tuple[str, ...]


def analyse(analysis: AnalysisContext) -> MethodResult:
    """Slopes per arm, differences and percent slowing."""
    rows = analysed_rows(analysis, analysis.member.mask)
    out: list[Row] = []
    for i, arm in enumerate(analysis.arms):
        out.append(analysis.row("arm", "n", int(np.unique(rows.records.subject[rows.arm == i]).size), arm=arm))
        if analysis.endpoint.scale == "log":
            out.append(analysis.row("arm", "n_below_lloq", int(rows.records.below[rows.arm == i].sum()), arm=arm))
    if len(rows.records) == 0:
        raise StatsError("no analysed rows in this subgroup")
    fit, arm_levels, covariates, warnings = fit_rows(analysis, rows)
    found = arm_slopes(fit, df=analysis.endpoint.df)
    for arm in analysis.arms:
        if arm in arm_levels.levels:
            index = arm_levels.levels.index(arm)
            out += analysis.inference("arm", "slope", found, index, arm=arm)
            out += exponentiated(analysis, "arm", "gmr", found, index, arm=arm)
        else:
            out += analysis.failed("arm", SLOPE_STATS, f"no analysed rows of {arm} in this subgroup", arm=arm)
    for treatment, reference in analysis.pairs:
        out += _contrast(analysis, fit, arm_levels, treatment, reference)
    out += _model(analysis, fit)
    names = [v.name for v in covariates]
    return MethodResult(
        out,
        model=(
            (
                "Model",
                _formula(analysis, names),
            ),
            ("Degrees of freedom", _df_words(analysis)),
            ("Time", "months since baseline by the nominal visit, baseline included"),
            ("Percent slowing", "100 (1 - slope / slope of reference), Fieller interval"),
            *lloq_words(analysis, per="arm"),
            ("Missing data", "missing at random; rows with a value are analysed, none is imputed"),
        ),
        warnings=(*rows.warnings, *warnings, *fit.notes),
    )


def fit_rows(analysis: AnalysisContext, rows: SlopeRows) -> tuple[SlopeFit, Factor, list[Variable], list[str]]:
    """The model of all arms among ``rows``: the fit, its arm factor, its covariates, and warnings."""
    covariates, warnings = covariate_variables(covariate_columns(analysis), rows.records.subject)
    arm = arm_factor(analysis, rows.arm)
    fit = random_slopes(
        rows.y,
        rows.months,
        arm,
        rows.records.subject,
        covariates=covariates,
        shared_baseline=analysis.endpoint.shared_baseline,
        reml=analysis.endpoint.estimation == "reml",
    )
    return fit, arm, covariates, warnings


def interaction(analysis: AnalysisContext, whole: BoolArray, _visits: tuple[float, ...]) -> MethodResult:
    """Subgroup-by-arm interaction: difference between members and the other decided subjects in the slope difference."""
    rows = analysed_rows(analysis, whole)
    covariates, warnings = covariate_variables(covariate_columns(analysis), rows.records.subject)
    arm = arm_factor(analysis, rows.arm)
    part = Factor(PART, analysis.member.mask[rows.records.subject].astype(np.int64), ("out", "in"))
    free = not analysis.endpoint.shared_baseline  # else the arms start from one mean in each part
    main = [(TIME,), *([(ARM,)] if free else []), (PART,), *((v.name,) for v in covariates)]
    crossed = [(TIME, ARM), (TIME, PART), *([(ARM, PART)] if free else []), (TIME, ARM, PART)]
    design = build_design([Covariate(TIME, rows.months), arm, part, *covariates], [*main, *crossed])
    fit = fit_slopes(rows.y, design, rows.records.subject, rows.months, reml=analysis.endpoint.estimation == "reml")
    out: list[Row] = []
    for comparison in analysis.comparisons:
        where = {"treatment": comparison.treatment, "reference": comparison.reference}
        try:
            row = sum(
                sign * part_sign * time_sign * design.ls_mean_row({ARM: level, PART: side}, at={TIME: month})
                for side, part_sign in (("in", 1.0), ("out", -1.0))
                for level, sign in ((comparison.treatment, 1.0), (comparison.reference, -1.0))
                for month, time_sign in ((1.0, 1.0), (0.0, -1.0))
            )
            p = float(fit.contrast(np.asarray(row), df=analysis.endpoint.df).p[0])
            out.append(analysis.row("subgroup", "interaction_p", p, **where))
        except ValueError as error:
            out.append(analysis.row("subgroup", "interaction_p", None, error=str(error), **where))
    return MethodResult(out, warnings=tuple(warnings))


def analysed_rows(analysis: AnalysisContext, mask: BoolArray) -> SlopeRows:
    """SlopeRows of all visits (or the endpoint's) with a value and complete covariates, of the subjects in ``mask``."""
    records = endpoint_records(analysis.source, analysis.endpoint)
    values = records.aval
    if analysis.endpoint.scale == "log":
        values = np.log(np.where(values > 0, values, np.nan))
    arm = analysis.source.planned_arm[records.subject]
    visits = analysis.source.study.visits
    inside = mask[records.subject] & (arm >= 0) & np.isfinite(values) & (records.visit >= visits.baseline)
    if analysis.endpoint.visits:
        inside &= np.isin(records.visit, (visits.baseline, *analysis.endpoint.visits))
    keep = inside & covariate_columns(analysis).complete[records.subject]
    warnings = [*unplaced_warning(records), *dropped_rows_warning(int(inside.sum() - keep.sum()), "a covariate is missing")]
    kept = records.take(keep)
    months = (kept.visit - visits.baseline) * DAYS_PER_UNIT[visits.unit] / DAYS_PER_UNIT["month"]
    return SlopeRows(kept, values[keep], months, arm[keep], tuple(warnings))


def _contrast(analysis: AnalysisContext, fit: SlopeFit, arm: Factor, treatment: str, reference: str) -> list[Row]:
    where = {"treatment": treatment, "reference": reference}
    absent = [a for a in (treatment, reference) if a not in arm.levels]
    if absent:
        reason = f"no analysed rows of {' or '.join(absent)} in this subgroup"
        return analysis.failed("contrast", (*CONTRAST_STATS, *SLOWING), reason, **where)
    found = slope_differences(fit, reference=reference, df=analysis.endpoint.df)
    others = [a for a in arm.levels if a != reference]
    out = analysis.inference("contrast", "difference", found, others.index(treatment), **where)
    out += exponentiated(analysis, "contrast", "ratio", found, others.index(treatment), **where)
    b = float(arm_slopes(fit, df=analysis.endpoint.df).estimate[arm.levels.index(reference)])
    if (b if higher_is_better(analysis.endpoint) else -b) >= 0:
        return out + analysis.failed(
            "contrast", SLOWING, f"{reference} does not get worse: there is no decline to slow", **where
        )
    slowing = percent_slowing(fit, treatment, reference, df=analysis.endpoint.df)
    if slowing.fieller_shape != "interval":
        reason = (
            f"the slope of {reference} is not clearly different from zero: no percentage of it has limits "
            f"(Fieller's set is {FIELLER_SETS[slowing.fieller_shape]})"
        )
        return out + analysis.failed("contrast", SLOWING, reason, **where)
    limits = (slowing.percent, slowing.fieller_low, slowing.fieller_high)
    return out + [analysis.row("contrast", name, value, **where) for name, value in zip(SLOWING, limits, strict=True)]


def _model(analysis: AnalysisContext, fit: SlopeFit) -> list[Row]:
    facts: list[tuple[str, float | int]] = [
        ("n_subjects", fit.n_subjects),
        ("n_observations", fit.n_observations),
        ("log_likelihood", fit.log_likelihood),
        ("iterations", fit.steps),
        ("gradient", fit.gradient),
        ("condition", fit.condition),
        ("aic", fit.aic),
        ("bic", fit.bic),
    ]
    out = [analysis.row("model", name, value) for name, value in facts]
    out.append(analysis.row("model", "sigma", fit.sigma, level="residual"))
    out.append(analysis.row("model", "sigma", float(fit.G[0, 0]) ** 0.5, level="random intercept"))
    out.append(analysis.row("model", "sigma", float(fit.G[1, 1]) ** 0.5, level="random slope"))
    return out


def _formula(analysis: AnalysisContext, covariates: list[str]) -> str:
    arm = analysis.source.study.arms.planned
    # a shared baseline has no main effect of the arm: the arms start from one mean
    fixed = " + ".join(
        [*(["months", f"months:{arm}"] if analysis.endpoint.shared_baseline else [f"months*{arm}"]), *covariates]
    )
    value = "ln(AVAL)" if analysis.endpoint.scale == "log" else "AVAL"
    return f"{value} ~ {fixed} + (months | subject), {analysis.endpoint.estimation.upper()}"


def _df_words(analysis: AnalysisContext) -> str:
    return "Satterthwaite" if analysis.endpoint.df == "satterthwaite" else "Kenward-Roger (expected information, as pbkrtest)"
