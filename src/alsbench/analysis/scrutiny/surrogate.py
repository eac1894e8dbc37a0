"""Does NfL carry the effect? What it says within an arm about the later course, and how much of the effect it takes with it.

The mediator is the study's first log-scale endpoint, its change early in treatment; the outcome the function's change at the
horizon. Within arm: correlation of the early change with each subject's later slope. Between arms: the treatment's effect on
the outcome with and without the mediator in the model, and the share that goes with it, 1 - adjusted/unadjusted (Freedman,
Graubard and Schatzkin 1992, doi 10.1002/sim.4780110204), interval by the percentile bootstrap within arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.question import Question
from alsbench.analysis.records import endpoint_records
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, each_comparison
from alsbench.analysis.scrutiny.missingness import carrier
from alsbench.analysis.scrutiny.modifier import Floats
from alsbench.analysis.scrutiny.outcomes import change_at, measured, months, own_visit, searched_visits
from alsbench.analysis.source import IntArray
from alsbench.stats.correlation import correlation
from alsbench.stats.errors import StatsError
from alsbench.stats.permuted_trials import arm_tests, bootstrap_weights
from alsbench.stats.rounding import round_half_away
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison, Endpoint

WITHIN = ("n", "correlation", "correlation_low", "correlation_high", "p_value")
EFFECTS = (("on the mediator", "mediator"), ("on the outcome", "outcome"), ("on it, mediator held", "held"))
LIMITS = (
    "the mediator is not randomised: whatever moves both it and the outcome passes for mediation",
    "a share of an effect that may be zero has no limits worth the name: it can be below 0 or above 100",
    "one trial cannot make a surrogate: that needs the effects of several trials side by side",
)


def surrogate(finding: Finding) -> CheckAnswer:
    """Check 20: the early mediator with the later course within arm, and the share of the effect that goes with it."""
    function = carrier(finding)
    if function is None:
        return CheckAnswer([], "not applicable: the endpoint has no values by visit")
    mediator = mediator_of(finding, function)
    if mediator is None:
        return CheckAnswer([], "not applicable: the study has no log-scale endpoint by visit beside it")
    rows, said = each_comparison(finding, lambda c: _one(finding, function, mediator, c))
    lines = (
        (
            "Mediator",
            f"{mediator.title or mediator.name}: ln ratio to baseline, last visit in the first half of the way",
        ),
        ("Outcome", f"{function.title or function.name}: change at the horizon; later slope from the mediator's visit on"),
        ("Share", f"1 - effect with the mediator held / effect, {finding.draws} bootstrap samples of each arm"),
        *(("Limit", text) for text in LIMITS),
    )
    return CheckAnswer(rows, said, lines, endpoint=function)


def mediator_of(finding: Finding, function: Endpoint) -> Endpoint | None:
    """The first log-scale endpoint by visit of another parameter than the function's."""
    for endpoint in finding.source.study.endpoints.values():
        by_visit = endpoint.method in ("mmrm", "ancova") and endpoint.scale == "log"
        if by_visit and (endpoint.dataset, endpoint.paramcd) != (function.dataset, function.paramcd):
            return endpoint
    return None


def early_visit(finding: Finding, mediator: Endpoint, horizon: float) -> float | None:
    """The mediator's last visit in the first half of the way to the horizon, else its first before the horizon."""
    visits = [v for v in searched_visits(finding.source, mediator) if v is not None and v < horizon]
    half = [v for v in visits if v <= horizon / 2]
    return max(half) if half else min(visits, default=None)


@dataclass(frozen=True)
class _Mediation:
    """One mediator of one endpoint in one comparison: its ``early`` visit, and the ``horizon`` of the endpoint."""

    finding: Finding
    function: Endpoint
    mediator: Endpoint
    comparison: Comparison
    early: float
    horizon: float

    @property
    def at(self) -> dict[str, object]:
        """Where rows of it stand."""
        return {"visit_number": self.horizon, "endpoint": self.function}


def _one(finding: Finding, function: Endpoint, mediator: Endpoint, comparison: Comparison) -> tuple[list[Row], str]:
    horizon = own_visit(finding.source, function, comparison)
    early = None if horizon is None else early_visit(finding, mediator, horizon)
    if horizon is None or early is None:
        row = finding.row(
            "correlation", None, comparison, endpoint=function, error="no visit of the mediator before the horizon"
        )
        return [row], "not estimable"
    asked = _Mediation(finding, function, mediator, comparison, early, horizon)
    within, first = _within(asked)
    between, second = _between(asked)
    return [*within, *between], f"{first}, {second}"


def _within(asked: _Mediation) -> tuple[list[Row], str]:
    """The mediator's early change with the later slope, by subject within arm."""
    finding, comparison, early = asked.finding, asked.comparison, asked.early
    source, order = finding.source, finding.source.study.arms.order
    pair = [order.index(a) for a in (comparison.treatment, comparison.reference)]
    subject = np.flatnonzero(finding.member().mask & np.isin(source.planned_arm, pair)).astype(np.int64)
    change = change_at(source, asked.mediator, early, subject, finding.member())
    later = later_slopes(finding, asked.function, subject, early, asked.horizon)
    rows: list[Row] = []
    text = ""
    arms = source.planned_arm[subject]
    for name, inside in (("within both arms", arms >= 0), *((a, arms == order.index(a)) for a in (comparison.reference,))):
        where = asked.at | {"variable": "mediator", "level": name}
        try:
            found = correlation(change[inside], later[inside], arms[inside])
        except StatsError as error:
            rows += [finding.row(n, None, comparison, error=str(error), **where) for n in WITHIN]  # type: ignore[arg-type]
            text = text or "correlation not estimable"
            continue
        values = (found.n, found.r, found.low, found.high, found.p)
        rows += [finding.row(n, v, comparison, **where) for n, v in zip(WITHIN, values, strict=True)]  # type: ignore[arg-type]
        text = text or f"within arm r {found.r:.2f} ({found.low:.2f}, {found.high:.2f}) with the later slope"
    return rows, text


def later_slopes(finding: Finding, function: Endpoint, subject: IntArray, early: float, horizon: float) -> Floats:
    """Each subject's least-squares slope per month from the mediator's visit to the horizon, NaN without two values."""
    source = finding.source
    records = endpoint_records(source, function)
    value = records.aval if function.scale == "raw" else np.log(np.where(records.aval > 0, records.aval, np.nan))
    kept = np.isfinite(value) & (records.visit >= early) & (records.visit <= horizon)
    who, month, y = records.subject[kept], months(source, 1.0) * records.visit[kept], value[kept]
    size = len(source.subjects)
    n, sx, sy, sxx, sxy = (
        np.bincount(who, weights=w, minlength=size) for w in (np.ones(who.size), month, y, month * month, month * y)
    )
    spread = n * sxx - sx * sx
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where((n >= 2) & (spread > 0), (n * sxy - sx * sy) / spread, np.nan)
    found: Floats = slope[subject]
    return found


def _between(asked: _Mediation) -> tuple[list[Row], str]:
    """The treatment's effect on the function with and without the mediator's change held, and the share between them."""
    finding, comparison, mediator = asked.finding, asked.comparison, asked.mediator
    source, order = finding.source, finding.source.study.arms.order
    treated, reference = (order.index(a) for a in (comparison.treatment, comparison.reference))
    plain = asked.function.model_copy(update={"method": "ancova", "arms": "comparison"})
    whole = measured(source, plain, comparison, asked.horizon, finding.member())
    change = change_at(source, mediator, asked.early, whole.subject, finding.member())
    analysis = AnalysisContext(source, mediator, Question(mediator.name), finding.population, finding.member(), ())
    base = _baselines(analysis, whole.subject)
    arm = source.planned_arm[whole.subject]
    kept = np.flatnonzero(np.isfinite(change + base) & np.isin(arm, (treated, reference)))
    part, codes = whole.at(kept), arm[kept].astype(np.int8)[None, :]
    y, Z = part.outcome.response, np.column_stack([part.outcome.covariates, base[kept]])
    outcomes = {
        "mediator": replace(part.outcome, response=change[kept], covariates=Z),
        "outcome": replace(part.outcome, response=y, covariates=Z),
        "held": replace(part.outcome, response=y, covariates=np.column_stack([Z, change[kept]])),
    }
    where = asked.at | {"variable": "share"}
    with one_blas_thread():
        once = {k: arm_tests(o, codes, treated, reference) for k, o in outcomes.items()}
        if not all(np.isfinite(t.estimate[0]) for t in once.values()):
            error = "an arm or a degree of freedom is missing among those with mediator and outcome"
            return [finding.row("share_percent", None, comparison, error=error, **where)], "share not estimable"  # type: ignore[arg-type]
        weights = bootstrap_weights(codes[0], finding.draws, seed=finding.endpoint.seed)
        drawn = {k: arm_tests(outcomes[k], codes, treated, reference, weights=weights).estimate for k in ("outcome", "held")}
    rows: list[Row] = []
    for level, key in EFFECTS:
        values = (("n", int(kept.size)), ("difference", float(once[key].estimate[0])), ("se", float(once[key].se[0])))
        values_ = (*values, ("p_value", float(once[key].p[0])))
        rows += [finding.row(n, v, comparison, **where | {"level": level}) for n, v in values_]  # type: ignore[arg-type]
    total, held = float(once["outcome"].estimate[0]), float(once["held"].estimate[0])
    share, low, high = 100 * (1 - held / total), *_percentiles(100 * (1 - drawn["held"] / drawn["outcome"]))
    names = ("share_percent", "share_percent_low", "share_percent_high")
    shares = zip(names, (share, low, high), strict=True)
    rows += [finding.row(n, v, comparison, **where | {"level": "share of the effect"}) for n, v in shares]  # type: ignore[arg-type]
    if float(once["outcome"].p[0]) >= 0.05:
        return rows, "no clear effect among those with both: a share of it says nothing"
    shown, lower, upper = (round_half_away(v, 0) for v in (share, low, high))
    return rows, f"{shown} % ({lower}, {upper}) of the effect goes with it"


def _baselines(analysis: AnalysisContext, subject: IntArray) -> Floats:
    """The log of the mediator's baseline, NaN where missing: its change depends on where it started."""
    records = endpoint_records(analysis.source, analysis.endpoint)
    base = np.full(len(analysis.source.subjects), np.nan)
    known = records.base > 0
    base[records.subject[known]] = np.log(records.base[known])
    found: Floats = base[subject]
    return found


def _percentiles(values: Floats) -> tuple[float, float]:
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)
