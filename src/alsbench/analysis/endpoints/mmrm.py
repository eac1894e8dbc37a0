"""Mixed model for repeated measures: CHG ~ arm*visit + base*visit + covariates, all arms, one covariance across visits.

With ``scale = "log"`` the response is ln(AVAL/BASE) with ln BASE, and geometric mean ratios are reported beside the logs.
METHODS 4; Mallinckrodt et al. 2008, doi 10.1177/009286150804200402.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alsbench.analysis.context import ARM_STATS, CONTRAST_STATS, AnalysisContext, MethodResult
from alsbench.analysis.contrast import horizon_visit
from alsbench.analysis.endpoints.first_visits import Line, adjusted_rows, first_visit_rows, first_visits_adjusted
from alsbench.analysis.model_data import (
    ARM,
    BASE,
    PART,
    VISIT,
    Floats,
    aliased_warning,
    arm_factor,
    covariate_columns,
    covariate_variables,
    difference_row,
    dropped_rows_warning,
    exponentiated,
    interaction_row,
    lloq_words,
    ls_mean_row,
    ls_mean_words,
    response,
    unplaced_warning,
    unusable_warnings,
)
from alsbench.analysis.records import Records, endpoint_records, post_baseline_visits
from alsbench.analysis.result import Row
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.stats.covariance import check_size
from alsbench.stats.design import Covariate, Design, Factor, Term, build_design
from alsbench.stats.errors import NotEstimable, StatsError
from alsbench.stats.lsmeans import type3_tests
from alsbench.stats.mmrm import MMRMFit, fit_mmrm
from alsbench.stats.mmrm_diagnostics import Diagnostics, diagnose
from alsbench.study.model import Comparison

AVERAGE = "average over visits"
TERM_STATS = ("f", "num_df", "den_df", "p_value")


@dataclass(frozen=True)
class MmrmRows:
    """The analysed rows of one fit: response, baseline, subject, visit and arm of each, and the visits they span."""

    records: Records
    y: Floats
    base: Floats
    arm: IntArray
    visits: tuple[float, ...]
    labels: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def visit_codes(self) -> IntArray:
        return np.searchsorted(np.array(self.visits), self.records.visit).astype(np.int64)


def analyse(analysis: AnalysisContext) -> MethodResult:
    """LS means by arm and visit, differences by visit and averaged over visits, and the first significant visits."""
    rows = analysed_rows(analysis, analysis.member.mask)
    if len(rows.records) == 0:
        return MethodResult(_nothing(analysis), warnings=rows.warnings)
    fit, design, warnings = fit_rows(analysis, rows, interaction=None)
    shown = [rows.visits.index(v) for v in analysis.shown(rows.visits)]
    out: list[Row] = []
    for arm in analysis.arms:
        for i in shown:
            out += _arm_rows(analysis, fit, design, rows, arm, i)
    for treatment, reference in analysis.pairs:
        out += _contrast_rows(analysis, fit, design, rows, (treatment, reference), shown)
    if not analysis.at_horizon:
        out += _model_rows(analysis, fit, rows, shown)
        out += _term_rows(analysis, fit, design)
    if analysis.question.subjects:
        out += _influence_rows(analysis, fit, design, rows)
    missing = [f"no analysed rows at visit {v:g}" for v in analysis.question.visits if v not in rows.visits]
    return MethodResult(
        out,
        model=(
            ("Model", f"MMRM: {_formula(analysis, design)}"),
            (
                "Covariance",
                f"{fit.covariance} across visits, {'one per arm' if fit.groups else 'shared by arms'}, {fit.method.upper()}",
            ),
            ("Degrees of freedom", _df_words(analysis)),
            ("LS means", ls_mean_words(analysis, "analysed rows")),
            *lloq_words(analysis),
            ("Missing data", "missing at random; rows with a value are analysed, none is imputed"),
        ),
        warnings=(*rows.warnings, *warnings, *missing),
        attempts=tuple(str(a) for a in fit.attempts),
        later=lambda: first_visits_adjusted(analysis, fit, design, rows.visits, rows.labels, out),
    )


def interaction(analysis: AnalysisContext, whole: BoolArray, visits: tuple[float, ...]) -> MethodResult:
    """Subgroup-by-arm interaction: the difference between members and the other decided subjects in the treatment
    difference at each of ``visits`` (one per comparison), from one model with arm*visit*part over both parts."""
    rows = analysed_rows(analysis, whole)
    out: list[Row] = []
    if len(rows.records) == 0:
        return MethodResult(out)
    fit, design, warnings = fit_rows(analysis, rows, interaction=analysis.member.mask)
    for comparison, visit in zip(analysis.comparisons, visits, strict=True):
        where = {"treatment": comparison.treatment, "reference": comparison.reference}
        try:
            label = rows.labels[rows.visits.index(visit)]
            where |= {"visit": label, "visit_number": visit}  # type: ignore[dict-item]
            pair = (comparison.treatment, comparison.reference)
            p = float(fit.contrast(interaction_row(analysis, design, pair, **{VISIT: label})).p[0])
            out.append(analysis.row("subgroup", "interaction_p", p, **where))
        except ValueError as error:
            out.append(analysis.row("subgroup", "interaction_p", None, error=str(error), **where))
    return MethodResult(out, warnings=warnings)


def analysed_rows(analysis: AnalysisContext, mask: BoolArray) -> MmrmRows:
    """Post-baseline rows of the subjects in ``mask`` with a response, a baseline and all covariates."""
    records = endpoint_records(analysis.source, analysis.endpoint)
    found = response(analysis, records)
    wanted = analysis.endpoint.visits or post_baseline_visits(analysis.source, records)
    arm = analysis.source.planned_arm[records.subject]
    inside = mask[records.subject] & (arm >= 0) & np.isin(records.visit, wanted)
    inside &= records.visit > analysis.source.study.visits.baseline
    usable = inside & np.isfinite(found.y) & np.isfinite(found.base) & np.isfinite(records.weight)
    keep = usable & covariate_columns(analysis).complete[records.subject]
    warnings = [
        *unplaced_warning(records),
        *unusable_warnings(analysis, records, inside),
        *dropped_rows_warning(int(usable.sum() - keep.sum()), "a covariate is missing"),
    ]
    kept = records.take(keep)
    visits = tuple(float(v) for v in np.unique(kept.visit))
    labels = tuple(records.labels[v] for v in visits)
    return MmrmRows(kept, found.y[keep], found.base[keep], arm[keep], visits, labels, tuple(warnings))


def fit_rows(
    analysis: AnalysisContext, rows: MmrmRows, interaction: BoolArray | None
) -> tuple[MMRMFit, Design, tuple[str, ...]]:
    check_size(analysis.endpoint.covariance, len(rows.visits), len(analysis.arms) if analysis.endpoint.covariance_by_arm else 1)
    covariates, warnings = covariate_variables(covariate_columns(analysis), rows.records.subject)
    arm = arm_factor(analysis, rows.arm)
    visit = Factor(VISIT, rows.visit_codes, rows.labels)
    base = Covariate(BASE, rows.base)
    varying_base = bool(np.ptp(rows.base) > 0)
    factors: list[Factor] = [arm, visit]
    if interaction is not None:
        inside = interaction[rows.records.subject]
        factors.append(Factor(PART, np.where(inside, 1, 0).astype(np.int64), ("out", "in")))
    terms = model_terms(factors, [c.name for c in covariates], varying_base, len(rows.labels) > 1)
    design = build_design([*factors, *([base] if varying_base else []), *covariates], terms)
    fit = fit_mmrm(
        rows.y,
        design,
        rows.records.subject,
        rows.visit_codes,
        n_visits=len(rows.visits),
        covariance=analysis.endpoint.covariance,
        method=analysis.endpoint.estimation,
        df=analysis.endpoint.df,
        weights=rows.records.weight if analysis.endpoint.weights else None,
        group=rows.arm if analysis.endpoint.covariance_by_arm else None,
    )
    if not varying_base:
        warnings = [*warnings, "baseline does not vary among the analysed rows and was left out of the model"]
    return fit, design, (*warnings, *aliased_warning(design))


def model_terms(factors: list[Factor], covariates: list[str], base: bool, many_visits: bool) -> list[Term]:
    """Main effects before interactions; visit terms only where there is more than one visit."""
    names = [f.name for f in factors if f.name != VISIT or many_visits]
    names = [n for n in names if n != ARM or len(factors[0].levels) > 1]
    terms: list[Term] = [(n,) for n in names]
    terms += [(BASE,)] if base else []
    terms += [(c,) for c in covariates]
    terms += [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    if len(names) == 3:
        terms.append((names[0], names[1], names[2]))
    if base and many_visits:
        terms.append((BASE, VISIT))
    return terms


def _arm_rows(analysis: AnalysisContext, fit: MMRMFit, design: Design, rows: MmrmRows, arm: str, index: int) -> list[Row]:
    at = {"arm": arm, "visit": rows.labels[index], "visit_number": rows.visits[index]}
    here = (rows.arm == analysis.arms.index(arm)) & (rows.records.visit == rows.visits[index])
    out = [analysis.row("arm", "n", int(here.sum()), **at)]
    if analysis.endpoint.scale == "log":
        out.append(analysis.row("arm", "n_below_lloq", int(rows.records.below[here].sum()), **at))
    names = (*ARM_STATS, "gmr", "gmr_low", "gmr_high") if analysis.endpoint.scale == "log" else ARM_STATS
    if not here.any():
        return out + analysis.failed("arm", names, f"no analysed rows of {arm} at {rows.labels[index]}", **at)
    try:
        found = fit.contrast(ls_mean_row(analysis, design, {ARM: arm, VISIT: rows.labels[index]})[None, :])
    except StatsError as error:
        return out + analysis.failed("arm", names, str(error), **at)
    out += analysis.inference("arm", "ls_mean", found, 0, **at)
    return out + exponentiated(analysis, "arm", "gmr", found, 0, **at)


def _contrast_rows(
    analysis: AnalysisContext, fit: MMRMFit, design: Design, rows: MmrmRows, pair: tuple[str, str], shown: list[int]
) -> list[Row]:
    out: list[Row] = []
    where = {"treatment": pair[0], "reference": pair[1]}
    log = analysis.endpoint.scale == "log"
    names = (*CONTRAST_STATS, "ratio", "ratio_low", "ratio_high") if log else CONTRAST_STATS
    absent = [a for a in pair if not (rows.arm == analysis.arms.index(a)).any()]
    if absent:
        reason = f"no analysed rows of {' or '.join(absent)} in this subgroup"
        for i in shown:
            at = where | {"visit": rows.labels[i], "visit_number": rows.visits[i]}
            out += analysis.failed("contrast", names, reason, **at)
        return out
    p_values: list[float] = []
    differences: list[float] = []
    estimable: dict[int, Line] = {}
    for i, label in enumerate(rows.labels):
        at = where | {"visit": label, "visit_number": rows.visits[i]}
        try:
            row = difference_row(analysis, design, pair, **{VISIT: label})
            design.check_estimable(row)
            found = fit.contrast(row[None, :])
        except StatsError as error:
            p_values.append(math.nan)
            differences.append(math.nan)
            if i in shown:
                out += analysis.failed("contrast", names, str(error), **at)
            continue
        estimable[i] = row
        p_values.append(float(found.p[0]))
        differences.append(float(found.estimate[0]))
        if i in shown:
            out += analysis.inference("contrast", "difference", found, 0, **at)
            out += exponentiated(analysis, "contrast", "ratio", found, 0, **at)
    if analysis.endpoint.adjust == "max-t" and len(estimable) > 1:
        wanted = list(estimable) if analysis.at_horizon else shown  # one visit's adjusted p is never below that of a larger t
        out += adjusted_rows(analysis, fit, estimable, rows.visits, rows.labels, wanted, **where)
    if len(estimable) == len(rows.labels) > 1:
        found = fit.contrast(np.mean(list(estimable.values()), axis=0)[None, :])
        out += analysis.inference("contrast", "difference", found, 0, level=AVERAGE, **where)
        out += exponentiated(analysis, "contrast", "ratio", found, 0, level=AVERAGE, **where)
    out += _chosen(analysis, fit, design, rows, pair)
    return out + first_visit_rows(analysis, rows.visits, p_values, differences, **where)


def _chosen(analysis: AnalysisContext, fit: MMRMFit, design: Design, rows: MmrmRows, pair: tuple[str, str]) -> list[Row]:
    """The endpoint's own contrasts over visits: weighted sums of the arm difference, ``level`` their name."""
    out: list[Row] = []
    for name, weights in analysis.endpoint.visit_contrasts.items():
        where = {"treatment": pair[0], "reference": pair[1], "level": name}
        absent = [v for v in weights if float(v) not in rows.visits]
        try:
            if absent:
                raise StatsError(f"no analysed rows at visit {', '.join(absent)}")
            parts = [
                w * difference_row(analysis, design, pair, **{VISIT: rows.labels[rows.visits.index(float(v))]})
                for v, w in weights.items()
            ]
            found = fit.contrast(np.sum(parts, axis=0)[None, :])
            out += analysis.inference("contrast", "difference", found, 0, **where)
            out += exponentiated(analysis, "contrast", "ratio", found, 0, **where)
        except StatsError as error:
            out += analysis.failed("contrast", CONTRAST_STATS, str(error), **where)
    return out


def _model_rows(analysis: AnalysisContext, fit: MMRMFit, rows: MmrmRows, shown: list[int]) -> list[Row]:
    facts: list[tuple[str, float | int]] = [
        ("n_subjects", fit.n_subjects),
        ("n_observations", fit.n_observations),
        ("log_likelihood", fit.log_likelihood),
        ("iterations", fit.iterations),
        ("gradient", fit.gradient),
        ("condition", fit.condition),
        ("aic", fit.aic),
        ("bic", fit.bic),
    ]
    out = [analysis.row("model", name, value) for name, value in facts]
    fallback = " -> ".join(a.covariance for a in fit.attempts)
    warning = f"fallback: {fallback}" if fit.covariance != analysis.endpoint.covariance else None
    out.append(analysis.row("model", "covariance", fit.covariance, level=fit.covariance, warning=warning))
    groups = [analysis.arms[int(g)] for g in fit.groups] if fit.sigma.ndim == 3 else [None]
    for group, sigma in zip(groups, fit.sigma.reshape(len(groups), len(rows.labels), len(rows.labels)), strict=True):
        for i in shown:
            at = {"visit": rows.labels[i], "visit_number": rows.visits[i], "level": group}
            out.append(analysis.row("model", "sigma", math.sqrt(float(sigma[i, i])), **at))
    return out


def _term_rows(analysis: AnalysisContext, fit: MMRMFit, design: Design) -> list[Row]:
    """The type 3 F test of every term; ``level`` is the term, in the names of the data."""
    out: list[Row] = []
    for term, test in type3_tests(fit, design).items():
        level = ":".join(_data_name(analysis, name) for name in term)
        if test.num_df == 0:
            out += analysis.failed("model", TERM_STATS, "no combination of this term's effects is estimable", level=level)
            continue
        missing = "no F distribution has the moments of this statistic" if math.isnan(test.f) else None
        for name, value in zip(TERM_STATS, (test.f, test.num_df, test.den_df, test.p), strict=True):
            gone = missing if isinstance(value, float) and math.isnan(value) else None
            out.append(analysis.row("model", name, None if gone else value, level=level, error=gone))
    return out


def differences_without_each(analysis: AnalysisContext, comparison: Comparison) -> tuple[float, dict[int, float]]:
    """A comparison's difference where it is read, and that without each subject (by its row of the subject-level table), the
    covariance held at that of all; NaN for a subject that alone determines a coefficient. Raises StatsError where there is
    none."""
    rows = analysed_rows(analysis, analysis.member.mask)
    read = horizon_visit(rows.visits, comparison.horizon)
    if read is None:
        raise NotEstimable("no analysed rows at the visit where the comparison is read")
    fit, design, _ = fit_rows(analysis, rows, interaction=None)
    at = {VISIT: rows.labels[rows.visits.index(read)]}
    line = difference_row(analysis, design, (comparison.treatment, comparison.reference), **at)
    design.check_estimable(line)
    whole = float(fit.contrast(line[None, :]).estimate[0])
    found = _diagnosed(analysis, fit, design, rows)
    kept = ~fit.aliased
    moved = found.change[:, kept] @ line[kept]
    return whole, {int(s): whole - float(m) for s, m in zip(found.subjects, moved, strict=True)}  # type: ignore[call-overload]


def _diagnosed(analysis: AnalysisContext, fit: MMRMFit, design: Design, rows: MmrmRows) -> Diagnostics:
    return diagnose(
        fit,
        rows.y,
        design,
        rows.records.subject,
        rows.visit_codes,
        weights=rows.records.weight if analysis.endpoint.weights else None,
        group=rows.arm if fit.groups else None,
    )


def _influence_rows(analysis: AnalysisContext, fit: MMRMFit, design: Design, rows: MmrmRows) -> list[Row]:
    """Leverage and Cook's distance of every subject, and its largest residual after decorrelation (standard normal)."""
    found = _diagnosed(analysis, fit, design, rows)
    out: list[Row] = []
    for i, subject in enumerate(found.subjects):
        index = int(subject)  # type: ignore[call-overload]
        mine = found.normalized[rows.records.subject == index]
        where = {"arm": analysis.arms[int(analysis.source.planned_arm[index])], "level": analysis.source.subject_ids[index]}
        alone = "this subject alone determines a coefficient" if math.isnan(found.cook[i]) else None
        out.append(analysis.row("subject", "leverage", float(found.subject_leverage[i]), **where))
        out.append(analysis.row("subject", "cook", None if alone else float(found.cook[i]), error=alone, **where))
        out.append(analysis.row("subject", "residual", float(mine[np.argmax(np.abs(mine))]), **where))
    return out


def _data_name(analysis: AnalysisContext, name: str) -> str:
    """The column a model variable stands for."""
    study = analysis.source.study
    base = "ln(BASE)" if analysis.endpoint.scale == "log" else "BASE"
    return {ARM: study.arms.planned, VISIT: study.visits.label, BASE: base}.get(name, name)


def _nothing(analysis: AnalysisContext) -> list[Row]:
    reason = "no analysed rows in this subgroup"
    out: list[Row] = []
    for arm in analysis.arms:
        out += analysis.failed("arm", ARM_STATS, reason, arm=arm)
    for treatment, reference in analysis.pairs:
        out += analysis.failed("contrast", CONTRAST_STATS, reason, treatment=treatment, reference=reference)
    return out


def _formula(analysis: AnalysisContext, design: Design) -> str:
    arm, visit, base = analysis.source.study.arms.planned, analysis.source.study.visits.label, "BASE"
    response_name = "CHG"
    if analysis.endpoint.scale == "log":
        response_name, base = "ln(AVAL/BASE)", "ln(BASE)"
    names = {ARM: arm, BASE: base}
    own = [names[term] for term in (ARM, BASE) if (term,) in design.terms]  # one arm, or a constant baseline, has no term
    if any(VISIT in term for term in design.terms):
        own = [f"{name}*{visit}" for name in own] or [visit]
    others = [t[0] for t in design.terms if len(t) == 1 and t[0] not in (ARM, VISIT, BASE)]
    return f"{response_name} ~ " + " + ".join([*own, *others] or ["1"])


def _df_words(analysis: AnalysisContext) -> str:
    if analysis.endpoint.df == "satterthwaite":
        return "Satterthwaite, observed information"
    return "Kenward-Roger (linear form, observed information)"
