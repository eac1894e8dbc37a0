"""Analysis of covariance, visit by visit: CHG ~ arm + base + covariates among the two arms of a comparison (or all arms).

METHODS 5. Ordinary least squares; LS means with equal weights over factor levels, covariates at their mean.
"""

from __future__ import annotations

import math

import numpy as np

from alsbench.analysis.context import ARM_STATS, CONTRAST_STATS, AnalysisContext, MethodResult
from alsbench.analysis.endpoints.first_visits import first_visit_rows
from alsbench.analysis.model_data import (
    ARM,
    BASE,
    PART,
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
from alsbench.analysis.result import Row, merge_warnings
from alsbench.analysis.source import BoolArray
from alsbench.stats.ancova import OLSFit, fit_ols
from alsbench.stats.design import Covariate, Design, Factor, Variable, build_design
from alsbench.stats.errors import StatsError


def analyse(analysis: AnalysisContext) -> MethodResult:
    """One fit per comparison and visit; with ``arms = "all"`` one fit per visit."""
    records = endpoint_records(analysis.source, analysis.endpoint)
    visits = analysis.endpoint.visits or post_baseline_visits(analysis.source, records)
    said = analysis.question.visits or visits
    visits = tuple(sorted({*visits, *said}))  # "from" is about every later visit, shown or not
    shown = analysis.shown(visits)
    rows: list[Row] = []
    warnings = unplaced_warning(records)
    formula = ""
    for group in arm_groups(analysis):
        tested: dict[tuple[str, str], dict[str, list[float]]] = {pair: {"p_value": [], "difference": []} for pair in group}
        for visit in visits:
            found, words, more = _visit(analysis, records, visit, group, with_arms=visit in shown)
            rows += found if visit in shown else []
            if visit in said:
                warnings += more
                formula = words
            for pair, columns in tested.items():
                for name, column in columns.items():
                    value = [r.number() for r in found if r.stat_name == name and (r.treatment, r.reference) == pair]
                    column.append(value[0] if value else math.nan)
        for (treatment, reference), columns in tested.items():
            rows += first_visit_rows(
                analysis, visits, columns["p_value"], columns["difference"], treatment=treatment, reference=reference
            )
    return MethodResult(
        rows,
        model=(
            ("Model", f"ANCOVA by visit: {formula}"),
            ("Arms in a fit", "all arms" if analysis.endpoint.arms == "all" else "the two arms of the comparison"),
            ("Degrees of freedom", "residual"),
            ("LS means", ls_mean_words(analysis, "analysed rows")),
            *lloq_words(analysis),
            ("Missing data", "subjects with a value at the visit; none is imputed"),
        ),
        warnings=merge_warnings([warnings]),
    )


def arm_groups(analysis: AnalysisContext) -> list[tuple[tuple[str, str], ...]]:
    """The comparisons that share a fit: each alone, or all of them together."""
    return [analysis.pairs] if analysis.endpoint.arms == "all" else [(pair,) for pair in analysis.pairs]


def interaction(analysis: AnalysisContext, whole: BoolArray, visits: tuple[float, ...]) -> MethodResult:
    """Subgroup-by-arm interaction p per comparison at its visit: the arm:part coefficient of the two-arm model."""
    records = endpoint_records(analysis.source, analysis.endpoint)
    rows: list[Row] = []
    for comparison, visit in zip(analysis.comparisons, visits, strict=True):
        where = {
            "treatment": comparison.treatment,
            "reference": comparison.reference,
            "visit": records.labels.get(visit),
            "visit_number": visit,
        }
        pair = (comparison.treatment, comparison.reference)
        at = rows_at(analysis, records, visit, (pair,), whole)
        at = at.take(covariate_columns(analysis).complete[at.subject])
        try:
            variables, y, _ = _variables(analysis, at)
            inside = analysis.member.mask[at.subject]
            part = Factor(PART, inside.astype(np.int64), ("out", "in"))
            terms = [(ARM,), (PART,), *((v.name,) for v in variables[1:]), (ARM, PART)]
            design = build_design([variables[0], part, *variables[1:]], terms)
            fit = fit_ols(y, design, weights=at.weight if analysis.endpoint.weights else None)
            fit.check_inference()
            p = float(fit.contrast(interaction_row(analysis, design, pair)).p[0])
            rows.append(analysis.row("subgroup", "interaction_p", p, **where))
        except ValueError as error:
            rows.append(analysis.row("subgroup", "interaction_p", None, error=str(error), **where))
    return MethodResult(rows)


def rows_at(
    analysis: AnalysisContext, records: Records, visit: float, group: tuple[tuple[str, str], ...], mask: BoolArray
) -> Records:
    """Rows at one visit of the subjects in ``mask`` whose arm is in the fit, with a response, a baseline and a weight."""
    found = response(analysis, records)
    usable = np.isfinite(found.y) & np.isfinite(found.base) & np.isfinite(records.weight)
    return records.take(_in_fit(analysis, records, visit, group, mask) & usable)


def _in_fit(
    analysis: AnalysisContext, records: Records, visit: float, group: tuple[tuple[str, str], ...], mask: BoolArray
) -> BoolArray:
    arm = analysis.source.planned_arm[records.subject]
    if analysis.endpoint.arms == "all":
        in_fit = arm >= 0
    else:
        in_fit = np.isin(arm, [analysis.arms.index(a) for pair in group for a in pair])
    found: BoolArray = mask[records.subject] & in_fit & (records.visit == visit)
    return found


def _variables(
    analysis: AnalysisContext, at: Records
) -> tuple[list[Variable], np.ndarray[tuple[int], np.dtype[np.float64]], list[str]]:
    """Arm, baseline and covariates, and the response, of complete rows; StatsError where an arm has no row."""
    columns = covariate_columns(analysis)
    complete = columns.complete[at.subject]
    warnings = dropped_rows_warning(int((~complete).sum()), "a covariate is missing")
    if not complete.all():
        at = at.take(complete)
    found = response(analysis, at)
    arm = arm_factor(analysis, analysis.source.planned_arm[at.subject])
    variables: list[Variable] = [arm]
    if at.subject.size and np.ptp(found.base) > 0:
        variables.append(Covariate(BASE, found.base))
    covariates, more = covariate_variables(columns, at.subject)
    return variables + covariates, found.y, warnings + more


def _visit(
    analysis: AnalysisContext, records: Records, visit: float, group: tuple[tuple[str, str], ...], *, with_arms: bool
) -> tuple[list[Row], str, list[str]]:
    """Rows of one visit, the LS means ``with_arms``; the model in words; warnings."""
    at = rows_at(analysis, records, visit, group, analysis.member.mask)
    left_out = unusable_warnings(analysis, records, _in_fit(analysis, records, visit, group, analysis.member.mask))
    complete = at.take(covariate_columns(analysis).complete[at.subject])
    variables, y, warnings = _variables(analysis, at)
    warnings = [*left_out, *warnings]
    formula = _formula(analysis, variables)
    label = records.labels.get(visit, f"{visit:g}")
    where: dict[str, object] = {"visit": label, "visit_number": visit}
    own = where | ({"treatment": group[0][0], "reference": group[0][1]} if analysis.endpoint.arms != "all" else {})
    arms = analysis.arms if analysis.endpoint.arms == "all" else (group[0][1], group[0][0])
    rows: list[Row] = []
    codes = analysis.source.planned_arm[complete.subject]
    counts = {arm: int((codes == analysis.arms.index(arm)).sum()) for arm in arms}
    for arm, n in counts.items():
        rows.append(analysis.row("arm", "n", n, arm=arm, **own))
    log = analysis.endpoint.scale == "log"
    for arm in arms if log else ():
        mine = codes == analysis.arms.index(arm)
        rows.append(analysis.row("arm", "n_below_lloq", int(complete.below[mine].sum()), arm=arm, **own))
    arm_names = (*ARM_STATS, "gmr", "gmr_low", "gmr_high") if log else ARM_STATS
    pair_names = (*CONTRAST_STATS, "ratio", "ratio_low", "ratio_high") if log else CONTRAST_STATS
    empty = [arm for arm, n in counts.items() if n == 0]
    try:
        if not any(counts.values()) or (empty and analysis.endpoint.arms != "all"):
            raise StatsError(f"no analysed rows of {' or '.join(empty)} at this visit in this subgroup")
        design = build_design(variables, [(v.name,) for v in variables])
        fit = fit_ols(y, design, weights=complete.weight if analysis.endpoint.weights else None)
        fit.check_inference()
        warnings += aliased_warning(design)
    except StatsError as error:
        for arm in arms:
            rows += analysis.failed("arm", arm_names, str(error), arm=arm, **own)
        for treatment, reference in group:
            rows += analysis.failed("contrast", pair_names, str(error), treatment=treatment, reference=reference, **where)
        return rows, formula, warnings
    for arm in arms if with_arms else ():
        try:
            found = fit.contrast(ls_mean_row(analysis, design, {ARM: arm})[None, :])
            rows += analysis.inference("arm", "ls_mean", found, 0, arm=arm, **own)
            rows += exponentiated(analysis, "arm", "gmr", found, 0, arm=arm, **own)
        except (StatsError, ValueError) as error:
            rows += analysis.failed("arm", arm_names, str(error), arm=arm, **own)
    for treatment, reference in group:
        at_pair = where | {"treatment": treatment, "reference": reference}
        try:
            row = difference_row(analysis, design, (treatment, reference))
            found = fit.contrast(row[None, :])
            rows += analysis.inference("contrast", "difference", found, 0, **at_pair)
            rows += exponentiated(analysis, "contrast", "ratio", found, 0, **at_pair)
        except (StatsError, ValueError) as error:
            rows += analysis.failed("contrast", pair_names, str(error), **at_pair)
    return rows, formula, warnings


def fit_at(analysis: AnalysisContext, at: Records) -> tuple[Design, OLSFit]:
    """The model of complete rows at one visit."""
    variables, y, _ = _variables(analysis, at)
    design = build_design(variables, [(v.name,) for v in variables])
    return design, fit_ols(y, design, weights=at.weight if analysis.endpoint.weights else None)


def _formula(analysis: AnalysisContext, variables: list[Variable]) -> str:
    names = [v.name for v in variables if v.name not in (ARM, BASE)]
    y, base = ("ln(AVAL/BASE)", "ln(BASE)") if analysis.endpoint.scale == "log" else ("CHG", "BASE")
    return f"{y} ~ " + " + ".join([analysis.source.study.arms.planned, base, *names])
