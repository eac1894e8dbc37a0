"""Mixed model for repeated measures: CHG ~ arm*visit + base*visit + covariates, all arms, one covariance across visits.

With ``scale = "log"`` the response is ln(AVAL/BASE) with ln BASE, and geometric mean ratios are reported beside the logs.
METHODS 4; Mallinckrodt et al. 2008, doi 10.1177/009286150804200402.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alsbench.analysis.ask import ARM_STATS, CONTRAST_STATS, Ask, Block
from alsbench.analysis.endpoints.first_visits import first_visit_rows
from alsbench.analysis.endpoints.visits_max_t import Line, adjusted_rows, first_visits_adjusted
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
from alsbench.stats.errors import StatsError
from alsbench.stats.lsmeans import type3_tests
from alsbench.stats.mmrm import MMRMFit, fit_mmrm
from alsbench.stats.mmrm_diagnostics import diagnose

AVERAGE = "average over visits"
TERM_STATS = ("f", "num_df", "den_df", "p_value")


@dataclass(frozen=True)
class Rows:
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


def analyse(ask: Ask) -> Block:
    """LS means by arm and visit, differences by visit and averaged over visits, and the first significant visits."""
    rows = analysed_rows(ask, ask.member.mask)
    if len(rows.records) == 0:
        return Block(_nothing(ask), warnings=rows.warnings)
    fit, design, warnings = fit_rows(ask, rows, interaction=None)
    shown = [rows.visits.index(v) for v in ask.shown(rows.visits)]
    out: list[Row] = []
    for arm in ask.arms:
        for i in shown:
            out += _arm_rows(ask, fit, design, rows, arm, i)
    for treatment, reference in ask.pairs:
        out += _contrast_rows(ask, fit, design, rows, (treatment, reference), shown)
    if not ask.at_horizon:
        out += _model_rows(ask, fit, rows, shown)
        out += _term_rows(ask, fit, design)
    if ask.question.subjects:
        out += _influence_rows(ask, fit, design, rows)
    missing = [f"no analysed rows at visit {v:g}" for v in ask.question.visits if v not in rows.visits]
    return Block(
        out,
        model=(
            ("Model", f"MMRM: {_formula(ask, design)}"),
            (
                "Covariance",
                f"{fit.covariance} across visits, {'one per arm' if fit.groups else 'shared by arms'}, {fit.method.upper()}",
            ),
            ("Degrees of freedom", _df_words(ask)),
            ("LS means", ls_mean_words(ask, "analysed rows")),
            *lloq_words(ask),
            ("Missing data", "missing at random; rows with a value are analysed, none is imputed"),
        ),
        warnings=(*rows.warnings, *warnings, *missing),
        attempts=tuple(str(a) for a in fit.attempts),
        later=lambda: first_visits_adjusted(ask, fit, design, rows.visits, rows.labels, out),
    )


def interaction(ask: Ask, whole: BoolArray, visits: tuple[float, ...]) -> Block:
    """Subgroup-by-arm interaction: the difference between members and the other decided subjects in the treatment
    difference at each of ``visits`` (one per comparison), from one model with arm*visit*part over both parts."""
    rows = analysed_rows(ask, whole)
    out: list[Row] = []
    if len(rows.records) == 0:
        return Block(out)
    fit, design, warnings = fit_rows(ask, rows, interaction=ask.member.mask)
    for comparison, visit in zip(ask.comparisons, visits, strict=True):
        where = {"treatment": comparison.treatment, "reference": comparison.reference}
        try:
            label = rows.labels[rows.visits.index(visit)]
            where |= {"visit": label, "visit_number": visit}  # type: ignore[dict-item]
            pair = (comparison.treatment, comparison.reference)
            p = float(fit.contrast(interaction_row(ask, design, pair, **{VISIT: label})).p[0])
            out.append(ask.row("subgroup", "interaction_p", p, **where))
        except ValueError as error:
            out.append(ask.row("subgroup", "interaction_p", None, error=str(error), **where))
    return Block(out, warnings=warnings)


def analysed_rows(ask: Ask, mask: BoolArray) -> Rows:
    """Post-baseline rows of the subjects in ``mask`` with a response, a baseline and all covariates."""
    records = endpoint_records(ask.source, ask.endpoint)
    found = response(ask, records)
    wanted = ask.endpoint.visits or post_baseline_visits(ask.source, records)
    arm = ask.source.planned_arm[records.subject]
    inside = mask[records.subject] & (arm >= 0) & np.isin(records.visit, wanted)
    inside &= records.visit > ask.source.study.visits.baseline
    usable = inside & np.isfinite(found.y) & np.isfinite(found.base) & np.isfinite(records.weight)
    keep = usable & covariate_columns(ask).complete[records.subject]
    warnings = [
        *unplaced_warning(records),
        *unusable_warnings(ask, records, inside),
        *dropped_rows_warning(int(usable.sum() - keep.sum()), "a covariate is missing"),
    ]
    kept = records.take(keep)
    visits = tuple(float(v) for v in np.unique(kept.visit))
    labels = tuple(records.labels[v] for v in visits)
    return Rows(kept, found.y[keep], found.base[keep], arm[keep], visits, labels, tuple(warnings))


def fit_rows(ask: Ask, rows: Rows, interaction: BoolArray | None) -> tuple[MMRMFit, Design, tuple[str, ...]]:
    check_size(ask.endpoint.covariance, len(rows.visits), len(ask.arms) if ask.endpoint.covariance_by_arm else 1)
    covariates, warnings = covariate_variables(covariate_columns(ask), rows.records.subject)
    arm = arm_factor(ask, rows.arm)
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
        covariance=ask.endpoint.covariance,
        method=ask.endpoint.estimation,
        df=ask.endpoint.df,
        weights=rows.records.weight if ask.endpoint.weights else None,
        group=rows.arm if ask.endpoint.covariance_by_arm else None,
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


def _arm_rows(ask: Ask, fit: MMRMFit, design: Design, rows: Rows, arm: str, index: int) -> list[Row]:
    at = {"arm": arm, "visit": rows.labels[index], "visit_number": rows.visits[index]}
    here = (rows.arm == ask.arms.index(arm)) & (rows.records.visit == rows.visits[index])
    out = [ask.row("arm", "n", int(here.sum()), **at)]
    if ask.endpoint.scale == "log":
        out.append(ask.row("arm", "n_below_lloq", int(rows.records.below[here].sum()), **at))
    names = (*ARM_STATS, "gmr", "gmr_low", "gmr_high") if ask.endpoint.scale == "log" else ARM_STATS
    if not here.any():
        return out + ask.failed("arm", names, f"no analysed rows of {arm} at {rows.labels[index]}", **at)
    try:
        found = fit.contrast(ls_mean_row(ask, design, {ARM: arm, VISIT: rows.labels[index]})[None, :])
    except StatsError as error:
        return out + ask.failed("arm", names, str(error), **at)
    out += ask.inference("arm", "ls_mean", found, 0, **at)
    return out + exponentiated(ask, "arm", "gmr", found, 0, **at)


def _contrast_rows(ask: Ask, fit: MMRMFit, design: Design, rows: Rows, pair: tuple[str, str], shown: list[int]) -> list[Row]:
    out: list[Row] = []
    where = {"treatment": pair[0], "reference": pair[1]}
    log = ask.endpoint.scale == "log"
    names = (*CONTRAST_STATS, "ratio", "ratio_low", "ratio_high") if log else CONTRAST_STATS
    absent = [a for a in pair if not (rows.arm == ask.arms.index(a)).any()]
    if absent:
        reason = f"no analysed rows of {' or '.join(absent)} in this subgroup"
        for i in shown:
            at = where | {"visit": rows.labels[i], "visit_number": rows.visits[i]}
            out += ask.failed("contrast", names, reason, **at)
        return out
    p_values: list[float] = []
    differences: list[float] = []
    estimable: dict[int, Line] = {}
    for i, label in enumerate(rows.labels):
        at = where | {"visit": label, "visit_number": rows.visits[i]}
        try:
            row = difference_row(ask, design, pair, **{VISIT: label})
            design.check_estimable(row)
            found = fit.contrast(row[None, :])
        except StatsError as error:
            p_values.append(math.nan)
            differences.append(math.nan)
            if i in shown:
                out += ask.failed("contrast", names, str(error), **at)
            continue
        estimable[i] = row
        p_values.append(float(found.p[0]))
        differences.append(float(found.estimate[0]))
        if i in shown:
            out += ask.inference("contrast", "difference", found, 0, **at)
            out += exponentiated(ask, "contrast", "ratio", found, 0, **at)
    if ask.endpoint.adjust == "max-t" and len(estimable) > 1:
        wanted = list(estimable) if ask.at_horizon else shown  # one visit's adjusted p is never below that of a larger t
        out += adjusted_rows(ask, fit, estimable, rows.visits, rows.labels, wanted, **where)
    if len(estimable) == len(rows.labels) > 1:
        found = fit.contrast(np.mean(list(estimable.values()), axis=0)[None, :])
        out += ask.inference("contrast", "difference", found, 0, level=AVERAGE, **where)
        out += exponentiated(ask, "contrast", "ratio", found, 0, level=AVERAGE, **where)
    out += _chosen(ask, fit, design, rows, pair)
    return out + first_visit_rows(ask, rows.visits, p_values, differences, **where)


def _chosen(ask: Ask, fit: MMRMFit, design: Design, rows: Rows, pair: tuple[str, str]) -> list[Row]:
    """The endpoint's own contrasts over visits: weighted sums of the arm difference, ``level`` their name."""
    out: list[Row] = []
    for name, weights in ask.endpoint.visit_contrasts.items():
        where = {"treatment": pair[0], "reference": pair[1], "level": name}
        absent = [v for v in weights if float(v) not in rows.visits]
        try:
            if absent:
                raise StatsError(f"no analysed rows at visit {', '.join(absent)}")
            parts = [
                w * difference_row(ask, design, pair, **{VISIT: rows.labels[rows.visits.index(float(v))]})
                for v, w in weights.items()
            ]
            found = fit.contrast(np.sum(parts, axis=0)[None, :])
            out += ask.inference("contrast", "difference", found, 0, **where)
            out += exponentiated(ask, "contrast", "ratio", found, 0, **where)
        except StatsError as error:
            out += ask.failed("contrast", CONTRAST_STATS, str(error), **where)
    return out


def _model_rows(ask: Ask, fit: MMRMFit, rows: Rows, shown: list[int]) -> list[Row]:
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
    out = [ask.row("model", name, value) for name, value in facts]
    fallback = " -> ".join(a.covariance for a in fit.attempts)
    warning = f"fallback: {fallback}" if fit.covariance != ask.endpoint.covariance else None
    out.append(ask.row("model", "covariance", fit.covariance, level=fit.covariance, warning=warning))
    groups = [ask.arms[int(g)] for g in fit.groups] if fit.sigma.ndim == 3 else [None]
    for group, sigma in zip(groups, fit.sigma.reshape(len(groups), len(rows.labels), len(rows.labels)), strict=True):
        for i in shown:
            at = {"visit": rows.labels[i], "visit_number": rows.visits[i], "level": group}
            out.append(ask.row("model", "sigma", math.sqrt(float(sigma[i, i])), **at))
    return out


def _term_rows(ask: Ask, fit: MMRMFit, design: Design) -> list[Row]:
    """The type 3 F test of every term; ``level`` is the term, in the names of the data."""
    out: list[Row] = []
    for term, test in type3_tests(fit, design).items():
        level = ":".join(_data_name(ask, name) for name in term)
        if test.num_df == 0:
            out += ask.failed("model", TERM_STATS, "no combination of this term's effects is estimable", level=level)
            continue
        missing = "no F distribution has the moments of this statistic" if math.isnan(test.f) else None
        for name, value in zip(TERM_STATS, (test.f, test.num_df, test.den_df, test.p), strict=True):
            gone = missing if isinstance(value, float) and math.isnan(value) else None
            out.append(ask.row("model", name, None if gone else value, level=level, error=gone))
    return out


def _influence_rows(ask: Ask, fit: MMRMFit, design: Design, rows: Rows) -> list[Row]:
    """Leverage and Cook's distance of every subject, and its largest residual after decorrelation (standard normal)."""
    found = diagnose(
        fit,
        rows.y,
        design,
        rows.records.subject,
        rows.visit_codes,
        weights=rows.records.weight if ask.endpoint.weights else None,
        group=rows.arm if fit.groups else None,
    )
    out: list[Row] = []
    for i, subject in enumerate(found.subjects):
        index = int(subject)  # type: ignore[call-overload]
        mine = found.normalized[rows.records.subject == index]
        where = {"arm": ask.arms[int(ask.source.planned_arm[index])], "level": ask.source.subject_ids[index]}
        alone = "this subject alone determines a coefficient" if math.isnan(found.cook[i]) else None
        out.append(ask.row("subject", "leverage", float(found.subject_leverage[i]), **where))
        out.append(ask.row("subject", "cook", None if alone else float(found.cook[i]), error=alone, **where))
        out.append(ask.row("subject", "residual", float(mine[np.argmax(np.abs(mine))]), **where))
    return out


def _data_name(ask: Ask, name: str) -> str:
    """The column a model variable stands for."""
    study = ask.source.study
    base = "ln(BASE)" if ask.endpoint.scale == "log" else "BASE"
    return {ARM: study.arms.planned, VISIT: study.visits.label, BASE: base}.get(name, name)


def _nothing(ask: Ask) -> list[Row]:
    reason = "no analysed rows in this subgroup"
    out: list[Row] = []
    for arm in ask.arms:
        out += ask.failed("arm", ARM_STATS, reason, arm=arm)
    for treatment, reference in ask.pairs:
        out += ask.failed("contrast", CONTRAST_STATS, reason, treatment=treatment, reference=reference)
    return out


def _formula(ask: Ask, design: Design) -> str:
    arm, visit, base = ask.source.study.arms.planned, ask.source.study.visits.label, "BASE"
    response_name = "CHG"
    if ask.endpoint.scale == "log":
        response_name, base = "ln(AVAL/BASE)", "ln(BASE)"
    names = {ARM: arm, BASE: base}
    own = [names[term] for term in (ARM, BASE) if (term,) in design.terms]  # one arm, or a constant baseline, has no term
    if any(VISIT in term for term in design.terms):
        own = [f"{name}*{visit}" for name in own] or [visit]
    others = [t[0] for t in design.terms if len(t) == 1 and t[0] not in (ARM, VISIT, BASE)]
    return f"{response_name} ~ " + " + ".join([*own, *others] or ["1"])


def _df_words(ask: Ask) -> str:
    if ask.endpoint.df == "satterthwaite":
        return "Satterthwaite, observed information"
    return "Kenward-Roger (linear form, observed information)"
