"""What if the missing visits had gone otherwise? Imputation beside an MMRM: ANCOVA of the completed change at the horizon.

Missing values are imputed at random or by reference to the control arm from the MMRM of the observed values, the ANCOVA at
each comparison's horizon is over all arms, and a shift ``delta`` of the treatment arm's imputed values is looked for at which
the conclusion tips. Conditional means with the jackknife (the default) give the same bits in every run; multiple imputation
is pooled by Rubin's rules. Carpenter, Roger and Kenward 2013, doi
10.1080/10543406.2013.834911; Wolbers et al. 2022, doi 10.1002/pst.2234; Permutt 2016, doi 10.1002/sim.6753.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsbench.analysis.context import ARM_STATS, CONTRAST_STATS, AnalysisContext, MethodResult
from alsbench.analysis.contrast import higher_is_better, horizon_visit
from alsbench.analysis.endpoints.mmrm import analysed_rows, model_terms
from alsbench.analysis.model_data import (
    ARM,
    BASE,
    VISIT,
    Floats,
    arm_factor,
    covariate_columns,
    covariate_variables,
    difference_row,
    ls_mean_row,
    response,
)
from alsbench.analysis.records import endpoint_records, visit_label
from alsbench.analysis.result import Context, Row
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.stats.design import Covariate, Design, Factor, Variable, build_design
from alsbench.stats.errors import NotEstimable, StatsError
from alsbench.stats.imputation import Moments, Outcomes, Strategy, draw, draw_parameters, moments, outcomes
from alsbench.stats.imputed_analysis import (
    Analysis,
    Estimate,
    Jackknife,
    MultipleImputations,
    conditional_difference,
    delta_shift,
    jackknives,
    multiple_imputations,
    tipping_point,
)
from alsbench.stats.mmrm import MMRMFit, fit_mmrm
from alsbench.stats.summaries import sd
from alsbench.study.model import DAYS_PER_UNIT

IMPUTED, TIPPING = "imputed", "tipping point"
TIPPING_STATS = ("tipping_delta", "tipping_sd", "tipping_per_month")
GRID_STEPS, GRID_SD = 12, 3.0
Target = tuple[str, str, float]  # treatment, reference, visit
Answer = Jackknife | MultipleImputations


Refits = dict[bytes, MMRMFit]  # by the indices of the subjects fitted to


def sensitivity(analysis: AnalysisContext, *, refits: Refits | None = None) -> MethodResult:
    """Imputed LS means and differences at each comparison's horizon (the last analysed visit up to it; the visits asked for,
    where there are any), and their tipping points. What cannot be imputed is rows that say why.

    ``refits`` are kept from one call to the next by who asks the same but for strategy and shifts: the models are the same.
    """
    strategy = analysis.endpoint.imputation
    rows: list[Row] = []
    targets: tuple[Target, ...] = ()
    warnings: tuple[str, ...] = ()
    try:
        panel, warnings = panel_of(analysis, analysis.member.mask)
        targets = _targets(analysis, panel.visits)
        model = _Imputation(analysis, panel, {} if refits is None else refits)
        for target in targets:
            rows += _target_rows(analysis, model, target)
    except (StatsError, np.linalg.LinAlgError) as error:
        done = {(r.treatment, r.reference, r.visit_number) for r in rows}
        for target in targets or _targets(analysis, ()):
            if (target[0], target[1], target[2] if math.isfinite(target[2]) else None) not in done:
                rows += _failed(analysis, target, str(error))
        warnings = (*warnings, f"{analysis.member.phrase}: no imputation by {strategy}: {error}")
    return MethodResult(rows, model=_words(analysis), warnings=warnings, footnotes=(DEATH_NOTE,))


def imputed_differences(analysis: AnalysisContext, *, refits: Refits) -> tuple[float | None, ...]:
    """The difference by conditional means of each comparison where it is read, without its error: a fit, not one per subject.
    None where it cannot be imputed."""
    try:
        panel, _ = panel_of(analysis, analysis.member.mask)
        model = _Imputation(analysis, panel, refits)
        return tuple(_difference(analysis, model, target) for target in _targets(analysis, panel.visits))
    except (StatsError, np.linalg.LinAlgError):
        return tuple(None for _ in _targets(analysis, ()))


def _difference(analysis: AnalysisContext, model: _Imputation, target: Target) -> float | None:
    treatment, reference, visit = target
    panel = model.panel
    if visit not in panel.visits or any(a not in panel.arm.levels for a in (treatment, reference)):
        return None
    data = outcomes(panel.values, panel.arm.codes, panel.arm.levels.index(reference))
    found, _ = _difference_of(analysis, panel, (treatment, reference), panel.visits.index(visit))
    return conditional_difference(data, model.moments_without(data.reference), found, strategy=model.strategy)


def _difference_of(analysis: AnalysisContext, panel: Panel, pair: tuple[str, str], at: int) -> tuple[Analysis, Design]:
    design = panel.ancova()
    kept = ~design.aliased
    return Analysis(design.X[:, kept], difference_row(analysis, design, pair)[kept], at), design


DEATH_NOTE = "Imputation: a visit missing after death is imputed like any other; the joint rank treats death as an outcome."


class _Imputation:
    """The imputation model of one panel; refits without one subject are made once, whatever the number of comparisons."""

    def __init__(self, analysis: AnalysisContext, panel: Panel, refits: Refits) -> None:
        self.analysis, self.panel = analysis, panel
        self.observed = ~np.isnan(panel.values)
        self.own = panel.design(panel.arm.codes)
        self.by_arm = analysis.endpoint.covariance_by_arm
        self.multiple = analysis.endpoint.imputation_method == "multiple"
        self._check_cells()
        everybody = np.arange(panel.n, dtype=np.int64).tobytes()
        if everybody not in refits:
            refits[everybody] = self._fitted(self.observed, analysis.endpoint.covariance, fallback=True)
        self.fit, self._refits = refits[everybody], refits

    def answers(self, data: Outcomes, analyses: tuple[Analysis, ...], shift: Floats) -> tuple[Answer, ...]:
        """One answer per analysis, as functions of delta."""
        if self.multiple:
            imputed = self._drawn(data)
            return tuple(multiple_imputations(imputed, a, shift=shift) for a in analyses)
        return jackknives(data, self.moments_without(data.reference), analyses, strategy=self.strategy, shift=shift)

    @property
    def strategy(self) -> Strategy:
        return self.analysis.endpoint.imputation  # type: ignore[return-value]  # "none" asks for no imputation at all

    def moments_without(self, reference: int) -> Callable[[IntArray], Moments]:
        """The moments of all subjects from a fit to some of them."""
        control = self._as_if(reference)

        def fit(index: IntArray) -> Moments:
            key = index.tobytes()
            if key not in self._refits:
                seen = np.zeros_like(self.observed)
                seen[index] = self.observed[index]
                self._refits[key] = self._without_one(seen)
            found = self._refits[key]
            return moments(self.own, control, found.beta, found.sigma)

        return fit

    def _without_one(self, seen: BoolArray) -> MMRMFit:
        """A fit of the structure that the whole has: another would be another estimator."""
        try:
            return self._fitted(seen, self.fit.covariance, fallback=False)
        except StatsError as error:
            raise StatsError(
                f"no jackknife error (choose a covariance of fewer parameters): without one subject {error}"
            ) from error

    def _as_if(self, reference: int) -> Floats:
        return self.panel.design(np.full(self.panel.n, reference, dtype=np.int64))

    def _drawn(self, data: Outcomes) -> Floats:
        if self.by_arm:
            raise StatsError("multiple imputation draws one covariance for all arms: use conditional means with one per arm")
        T = len(self.panel.visits)
        df = self.panel.n - float((~self.fit.aliased).sum()) / T
        rng = np.random.default_rng(self.analysis.endpoint.seed)
        fit, endpoint = self.fit, self.analysis.endpoint
        betas, sigmas = draw_parameters(fit.beta, fit.vcov, fit.sigma, df, endpoint.imputations, rng=rng)
        own, control = (np.moveaxis(X @ betas.T, -1, 0) for X in (self.own, self._as_if(data.reference)))
        return draw(data, own, control, sigmas, strategy=self.strategy, rng=rng)

    def _fitted(self, seen: BoolArray, covariance: str, *, fallback: bool) -> MMRMFit:
        row, visit = np.nonzero(seen)
        return fit_mmrm(
            self.panel.values[row, visit],
            self.own[row, visit],
            row,
            visit,
            n_visits=len(self.panel.visits),
            covariance=covariance,
            method=self.analysis.endpoint.estimation,
            df="satterthwaite",
            group=self.panel.arm.codes[row] if self.by_arm else None,
            fallback=fallback,
        )

    def _check_cells(self) -> None:
        """An arm's mean at a visit comes from its observed values there: one, or two where each is left out in turn."""
        need = 1 if self.multiple else 2
        for code, arm in enumerate(self.panel.arm.levels):
            counts = self.observed[self.panel.arm.codes == code].sum(axis=0)
            short = np.flatnonzero(counts < need)
            if short.size:
                visit = self.panel.labels[int(short[0])]
                raise StatsError(f"{arm} has {int(counts[short[0]])} observed values at {visit}: too few to impute from")


def _targets(analysis: AnalysisContext, visits: tuple[float, ...]) -> tuple[Target, ...]:
    """Each comparison at the visits asked for, else at its horizon or the last analysed visit before it; each once."""
    found: list[Target] = []
    for c in analysis.comparisons:
        read = horizon_visit(visits, c.horizon)
        own = read if read is not None else math.nan if c.horizon is None else float(c.horizon)
        found += [(c.treatment, c.reference, float(visit)) for visit in analysis.question.visits or (own,)]
    return tuple(dict.fromkeys(found))


def _place(analysis: AnalysisContext, target: Target) -> dict[str, Any]:
    treatment, reference, visit = target
    where: dict[str, Any] = {"treatment": treatment, "reference": reference}
    if math.isfinite(visit):
        label = visit_label(analysis.source, endpoint_records(analysis.source, analysis.endpoint), visit)
        where |= {"visit": label, "visit_number": visit}
    return where


def _failed(analysis: AnalysisContext, target: Target, reason: str) -> list[Row]:
    at = _place(analysis, target) | {"level": analysis.endpoint.imputation}
    rows: list[Row] = []
    for arm in target[:2]:
        rows += analysis.failed("arm", ARM_STATS, reason, arm=arm, variable=IMPUTED, **at)
    rows += analysis.failed("contrast", CONTRAST_STATS, reason, variable=IMPUTED, **at)
    return rows + analysis.failed("contrast", TIPPING_STATS, reason, variable=TIPPING, **at)


def _target_rows(analysis: AnalysisContext, model: _Imputation, target: Target) -> list[Row]:
    """LS means of both arms, their difference and its tipping point, of one comparison at one visit."""
    treatment, reference, visit = target
    panel = model.panel
    absent = [a for a in (treatment, reference) if a not in panel.arm.levels]
    if absent:
        return _failed(analysis, target, f"no subjects of {' or '.join(absent)} in this subgroup")
    if visit not in panel.visits:
        return _failed(analysis, target, f"no analysed rows at visit {visit:g}")
    at = panel.visits.index(visit)
    treated, control = (panel.arm.levels.index(a) for a in (treatment, reference))
    data = outcomes(panel.values, panel.arm.codes, control)
    shift = delta_shift(data, _months(analysis, panel), arms=[treated])
    contrasted, design = _difference_of(analysis, panel, (treatment, reference), at)
    kept = ~design.aliased
    averaged = _averaged(analysis, design)[kept]
    analyses = [contrasted]
    not_estimable = ""
    try:
        for arm in (treatment, reference):
            analyses.append(Analysis(design.X[:, kept], ls_mean_row(analysis, design, {ARM: arm})[kept], at, averaged))
    except NotEstimable as error:
        not_estimable = str(error)
    contrast, *means = model.answers(data, tuple(analyses), shift)
    where = _place(analysis, target) | {"level": analysis.endpoint.imputation}
    delta = analysis.endpoint.delta
    rows: list[Row] = []
    for i, (arm, code) in enumerate(((treatment, treated), (reference, control))):
        mine = panel.arm.codes == code
        own = where | {"arm": arm, "variable": IMPUTED}
        rows.append(analysis.row("arm", "n", int(mine.sum()), **own))
        rows.append(analysis.row("arm", "n_imputed", int((mine & np.isnan(panel.values[:, at])).sum()), **own))
        if not_estimable:
            rows += analysis.failed("arm", ARM_STATS, not_estimable, **own)
        else:
            rows += _estimate(analysis, "arm", "ls_mean", means[i].at(delta), **own)
    rows += _estimate(analysis, "contrast", "difference", contrast.at(delta), variable=IMPUTED, **where)
    return rows + _tipping(analysis, contrast, data, shift, at, panel, where)


def _averaged(analysis: AnalysisContext, design: Design) -> BoolArray:
    """Columns (p,) at which an LS mean stands at the mean over the analysed subjects."""
    means = {v.name for v in design.variables if isinstance(v, Covariate) and v.name not in analysis.endpoint.at}
    if analysis.endpoint.ls_means == "proportional":
        means |= {v.name for v in design.variables if isinstance(v, Factor) and v.name != ARM}
    own = np.array([bool(term) and term[0] in means for term in design.terms])
    return np.asarray(own[design.column_terms], dtype=np.bool_)


def _months(analysis: AnalysisContext, panel: Panel) -> Floats:
    """Months (T,) from baseline to each visit by its number."""
    visits = analysis.source.study.visits
    return (np.array(panel.visits) - visits.baseline) * DAYS_PER_UNIT[visits.unit] / DAYS_PER_UNIT["month"]


def _estimate(analysis: AnalysisContext, context: Context, first: str, found: Estimate, **where: Any) -> list[Row]:
    """The rows of an estimate; a normal one has no degrees of freedom, and says so."""
    normal = "infinite: normal inference from the jackknife" if math.isinf(found.df) else None
    rows = [
        analysis.row(context, first, found.estimate, **where),
        analysis.row(context, "se", found.se, **where),
        analysis.row(context, "df", None if normal else found.df, error=normal, **where),
        analysis.row(context, "conf_low", found.low, **where),
        analysis.row(context, "conf_high", found.high, **where),
    ]
    if context == "contrast":
        t = found.estimate / found.se if found.se > 0 else math.nan
        rows += [analysis.row(context, "t", t, **where), analysis.row(context, "p_value", found.p, **where)]
    if analysis.endpoint.scale == "log":
        name = "ratio" if context == "contrast" else "gmr"
        for key, value in ((name, found.estimate), (f"{name}_low", found.low), (f"{name}_high", found.high)):
            rows.append(analysis.row(context, key, math.exp(value), **where))
    return rows


def _tipping(
    analysis: AnalysisContext,
    answer: Answer,
    data: Outcomes,
    shift: Floats,
    at: int,
    panel: Panel,
    where: dict[str, Any],
) -> list[Row]:
    """The delta at which the conclusion tips, in points, in SDs of the observed values and per month; and the grid."""
    own = where | {"variable": TIPPING}
    start = answer.at(0.0)
    worse = -1.0 if higher_is_better(analysis.endpoint) else 1.0
    if not np.any(shift[:, at]):
        reason = "no value of the treatment arm after its subject's last observed one is imputed at this visit"
        return analysis.failed("contrast", TIPPING_STATS, reason, **own)
    spread = sd(panel.values[:, at])
    grid = analysis.endpoint.tipping_deltas or _grid(worse, GRID_SD * spread)
    if not start.p < 0.05:
        rows = analysis.failed("contrast", TIPPING_STATS, "not significant before any delta: there is nothing to tip", **own)
    elif start.estimate * worse > 0:
        rows = analysis.failed(
            "contrast", TIPPING_STATS, "significant against the treatment: worse values cannot tip it", **own
        )
    else:
        tip = tipping_point(answer.at, grid, data, _months(analysis, panel), at, shift=shift)
        never = f"does not tip up to a delta of {grid[-1]:g}" if math.isnan(tip.delta) else None
        values = zip(TIPPING_STATS, (tip.delta, tip.in_sd, tip.per_month), strict=True)
        rows = [
            analysis.row("contrast", name, None if never else value, error=never, warning=never, **own)
            for name, value in values
        ]
    for delta in grid:
        found = answer.at(delta)
        step = own | {"level": f"delta {delta:.6g}"}
        for name, value in (
            ("difference", found.estimate),
            ("conf_low", found.low),
            ("conf_high", found.high),
            ("p_value", found.p),
        ):
            rows.append(analysis.row("contrast", name, value, **step))
    return rows


def _grid(sign: float, reach: float) -> tuple[float, ...]:
    """From 0 to at least ``reach`` in steps that are easily read: 1, 2 or 5 times a power of ten, about a dozen of them."""
    if not reach > 0:
        return (0.0, sign)
    least = reach / GRID_STEPS
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-12))
    return (0.0, *(sign * step * k for k in range(1, math.ceil(reach / step) + 1)))


def _words(analysis: AnalysisContext) -> tuple[tuple[str, str], ...]:
    endpoint = analysis.endpoint
    how = {
        "mar": "at random, as in the subject's own arm",
        "jump-to-reference": "by jump to reference",
        "copy-reference": "by copy reference",
        "copy-increments": "by copy increments in reference",
    }[endpoint.imputation]
    error = "conditional means, jackknife standard error over subjects, normal inference"
    if endpoint.imputation_method == "multiple":
        error = f"{endpoint.imputations} imputations (seed {endpoint.seed}), Rubin's rules, Barnard-Rubin df"
    scale = "log points" if endpoint.scale == "log" else "points"
    shifted = "the treatment arm's values imputed after the last observed one"
    shift = f"{endpoint.delta:g} {scale} added to {shifted}" if endpoint.delta else "none"
    names = ["BASE", *endpoint.covariates]
    change = "ln(AVAL/BASE)" if endpoint.scale == "log" else "CHG"
    formula = f"{change} ~ {' + '.join([analysis.source.study.arms.planned, *names])}, all arms"
    return (
        ("Imputation", f"missing values after the last observed one {how}, gaps before it at random; {error}"),
        ("Imputed analysis", f"ANCOVA at the comparison's horizon, or the last visit before it: {formula}"),
        ("Delta", shift),
        ("Tipping point", f"the first shift of {shifted} at which p reaches 0.05 or the sign turns"),
    )


@dataclass(frozen=True)
class Panel:
    """Every subject with a baseline and covariates, at every analysed visit.

    ``values`` (n, T), NaN missing; ``arm`` codes the arms present; ``covariates`` are (n,) variables, baseline among them.
    """

    subject: IntArray
    arm: Factor
    values: Floats
    covariates: tuple[Variable, ...]
    visits: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def n(self) -> int:
        return int(self.subject.size)

    def design(self, arm: IntArray) -> Floats:
        """(n, T, p): the MMRM's model matrix at every visit of every subject, as if in the arms ``arm`` (n,)."""
        T = len(self.visits)
        factors = [
            Factor(ARM, np.repeat(arm, T), self.arm.levels),
            Factor(VISIT, np.tile(np.arange(T, dtype=np.int64), self.n), self.labels),
        ]
        others = [_repeated(v, T) for v in self.covariates]
        names = [v.name for v in others if v.name != BASE]
        terms = model_terms(factors, names, len(names) < len(others), T > 1)
        return np.asarray(build_design([*factors, *others], terms).X.reshape(self.n, T, -1))

    def ancova(self) -> Design:
        """The model of the completed change at one visit: arm, baseline and covariates, all arms."""
        terms = [(ARM,), *((v.name,) for v in self.covariates)]
        return build_design([self.arm, *self.covariates], terms)


def panel_of(analysis: AnalysisContext, mask: BoolArray) -> tuple[Panel, tuple[str, ...]]:
    """The panel of the subjects in ``mask``, with warnings of the covariates. Raises StatsError where no row is analysed."""
    rows = analysed_rows(analysis, mask)
    if len(rows.records) == 0:
        raise StatsError("no analysed rows in this subgroup")
    records = endpoint_records(analysis.source, analysis.endpoint)
    found = response(analysis, records)
    base = np.full(len(analysis.source.subjects), np.nan)
    known = np.flatnonzero(np.isfinite(found.base))[::-1]
    base[records.subject[known]] = found.base[known]
    columns = covariate_columns(analysis)
    codes = analysis.source.planned_arm
    subject = np.flatnonzero(mask & (codes >= 0) & np.isfinite(base) & columns.complete).astype(np.int64)
    variables, warnings = covariate_variables(columns, subject)
    if np.ptp(base[subject]) > 0:
        variables = [Covariate(BASE, base[subject]), *variables]
    values = np.full((subject.size, len(rows.visits)), np.nan)
    values[np.searchsorted(subject, rows.records.subject), rows.visit_codes] = rows.y
    arm = arm_factor(analysis, codes[subject])
    return Panel(subject, arm, values, tuple(variables), rows.visits, rows.labels), tuple(warnings)


def _repeated(variable: Variable, times: int) -> Variable:
    if isinstance(variable, Factor):
        return Factor(variable.name, np.repeat(variable.codes, times), variable.levels)
    return Covariate(variable.name, np.repeat(variable.values, times))
