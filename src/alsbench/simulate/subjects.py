"""Who is in the trial and how they fare: baseline, randomisation, untreated and treated course, events, visits.

The model: baseline ALSFRS-R and lead-in decline truncated to the entry criteria; linear decline with a personal slope,
correlated with the lead-in decline, NfL and vital capacity; an event hazard that rises with the slope; random dropout.
Treatment multiplies the on-study slopes, NfL and the hazard of those an effect applies to: those for whom its expression holds,
the same language as subgroups; unknown (a missing value) counts as not holding.

Item scores are made of total scores. Every person has an order of losing the twelve items' four points each: the domain of
onset first (bulbar, upper or lower limb), breathing last, with personal variation. A total of T means that the first 48 - T
points of that order are gone, so items sum to the total and move with it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.errors import UsageError
from alsbench.simulate.draws import Array, Stream, correlated
from alsbench.simulate.parameters import Parameters
from alsbench.study import syntax_tree as tree
from alsbench.study.als import DOMAINS, MAX_ITEM, MAX_TOTAL
from alsbench.study.expression import parse
from alsbench.study.names import nearest

IntArray = NDArray[np.int64]

_FIRST = {"BULBAR": ("bulbar",), "UPPER": ("fine motor",), "LOWER": ("gross motor",)}
_LATE = {"bulbar": 1.6, "fine motor": 1.2, "gross motor": 1.2, "respiratory": 2.4}
_PER_POINT = 0.8
_SPREAD = 0.7
BoolArray = NDArray[np.bool_]
_COMPARE = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
DAYS_PER_MONTH = 30.4375
EVENTS = ("DEATH", "TRACHEOSTOMY", "PERMANENT ASSISTED VENTILATION")
_EVENT_SHARES = np.array([0.65, 0.1, 0.25])
_RANDOMISATION, _BASELINE, _COURSE, _VISITS, _END, ITEMS, SAFETY = range(7)
ObjectArray = NDArray[np.object_]


def loss_orders(onset: NDArray[np.object_], stream: Stream) -> IntArray:
    """For each person, the item (0-11) of each of the 48 points in the order they are lost: (n, 48).

    ``onset`` (n,) holds BULBAR, UPPER or LOWER.
    """
    n = onset.shape[0]
    start = np.empty((n, 12))
    for domain, items in DOMAINS.items():
        first = np.array([domain in _FIRST[str(o)] for o in onset])
        start[:, [i - 1 for i in items]] = np.where(first, 0.0, _LATE[domain])[:, None]
    start += _SPREAD * stream.normal(n, 12)
    times = start[:, :, None] + _PER_POINT * np.arange(MAX_ITEM) + _SPREAD * stream.normal(n, 12, MAX_ITEM)
    order = np.argsort(times.reshape(n, MAX_TOTAL), axis=1, kind="stable")
    return order // MAX_ITEM


def item_scores(totals: IntArray, people: IntArray, orders: IntArray) -> IntArray:
    """Scores 0-4 of the twelve items (m, 12) whose sums are ``totals`` (m,); ``people`` (m,) are rows of ``orders``."""
    lost = np.arange(MAX_TOTAL)[None, :] < (MAX_TOTAL - totals)[:, None]
    items = orders[people]
    scores = np.full((totals.shape[0], 12), MAX_ITEM, dtype=np.int64)
    for item in range(12):
        scores[:, item] -= ((items == item) & lost).sum(axis=1)
    return scores


def holds(expression: tree.Expression, columns: Mapping[str, NDArray[np.generic]]) -> BoolArray:
    """True (n,) where ``expression`` holds over complete ``columns`` (n,). Raises UsageError for an unknown column."""
    for name in expression.columns:
        if name not in columns:
            raise UsageError(f"an effect's where names no baseline column {name}", hint=nearest(name, columns))
    return _node(expression.root, columns)


def _node(node: tree.Node, columns: Mapping[str, NDArray[np.generic]]) -> BoolArray:
    match node:
        case tree.Compare(op, left, right):
            return np.asarray(_COMPARE[op](_operand(left, columns), _operand(right, columns)), dtype=np.bool_)
        case tree.InList(column, values, negated):
            inside: BoolArray = np.isin(columns[column.name], [v.value for v in values])
            return ~inside if negated else inside
        case tree.Between(column, low, high, negated):
            x = columns[column.name]
            inside = np.asarray((x >= low.value) & (x <= high.value), dtype=np.bool_)  # type: ignore[operator]
            return ~inside if negated else inside
        case tree.Missing(column):
            x = columns[column.name]
            gone: BoolArray = np.isnan(x) if x.dtype.kind == "f" else np.asarray(x == "", dtype=np.bool_)
            return gone
        case tree.Not(term):
            return ~_node(term, columns)
        case tree.Junction(word, terms):
            parts = [_node(t, columns) for t in terms]
            joined: BoolArray = np.logical_and.reduce(parts) if word == "and" else np.logical_or.reduce(parts)
            return joined
    raise TypeError(f"not a part of an expression: {type(node).__name__}")


def _operand(operand: tree.Operand, columns: Mapping[str, NDArray[np.generic]]) -> Any:
    match operand:
        case tree.Value(value):
            return value
        case tree.ColumnRef(name):
            return columns[name]
        case tree.Aggregate("mean", name):
            return float(np.mean(columns[name].astype(np.float64)))
        case tree.Aggregate(_, name, q):
            share = 0.5 if q is None else q
            return float(np.quantile(columns[name].astype(np.float64), share, method="averaged_inverted_cdf"))
    raise TypeError(f"not an operand: {type(operand).__name__}")


@dataclass(frozen=True)
class SimulatedSubjects:
    """Arrays over subjects (n,), in order of randomisation. Days count from first dose = day 1; ``end_day`` is the day of
    the event, of dropout or of the end of the study, ``event`` the index of what happened in EVENTS or -1."""

    arm: IntArray
    columns: dict[str, NDArray[np.generic]]
    onset: ObjectArray
    slope: Array
    event: IntArray
    dropped: BoolArray
    end_day: IntArray
    start: IntArray


@dataclass(frozen=True)
class Measures:
    """One row per visit kept (m,): ``person``, ``month``, ``day`` and the values measured; NfL is NaN where not taken."""

    person: IntArray
    month: IntArray
    day: IntArray
    total: IntArray
    svc: Array
    nfl: Array


def simulate_subjects(params: Parameters, seed: int) -> tuple[SimulatedSubjects, Measures]:
    """Everybody and all visits of the trial with ``seed``."""
    n = sum(arm.n for arm in params.arms)
    stream = Stream(seed, _BASELINE)
    base, course = params.baseline, params.course
    bulbar = stream.uniform(n) < base.bulbar
    upper = stream.uniform(n) < 0.5
    onset = np.where(bulbar, "BULBAR", np.where(upper, "UPPER", "LOWER")).astype(object)
    latent_sd = math.sqrt(max(base.total_sd**2 - course.residual_sd**2, 0.25))
    total0, latent = _entry_totals(params, stream, latent_sd, n)

    leads = stream.normal_within(base.lead_in_mean, base.lead_in_sd, *base.lead_in_range, n)
    z_lead = (leads - base.lead_in_mean) / base.lead_in_sd
    course_stream = Stream(seed, _COURSE)
    z = correlated(z_lead, course_stream.normal(n), course.lead_in_correlation)
    z_svc = correlated(z, course_stream.normal(n), course.svc_correlation)
    z_nfl = correlated(z, course_stream.normal(n), course.nfl_correlation)
    svc_level = np.clip(course.svc_mean + course.svc_sd * course_stream.normal(n), 50.0, 140.0)
    log_nfl = math.log(course.nfl_median) + course.nfl_log_sd * z_nfl
    noise = _Noise(n, params, Stream(seed, _VISITS))

    columns: dict[str, NDArray[np.generic]] = {
        "AGE": np.floor(stream.normal_within(base.age_mean, base.age_sd, *base.age_range, n)),
        "SEX": np.where(stream.uniform(n) < base.male, "M", "F").astype(object),
        "RACE": np.array([("WHITE", "ASIAN", "BLACK OR AFRICAN AMERICAN")[k] for k in _race(stream, n)], dtype=object),
        "ONSETSIT": np.where(bulbar, "BULBAR", "LIMB").astype(object),
        "RILUFL": np.where(stream.uniform(n) < base.riluzole, "Y", "N").astype(object),
        "DURDIS": np.round(_durations(params, stream, n), 2),
        "LEADRATE": np.round(leads, 4),
        "BLALSFR": total0.astype(np.float64),
        "BLSVC": np.round(svc_level + noise.svc[:, 0], 1),
        "BLNFL": _quantified(np.exp(log_nfl + noise.nfl[:, 0]), course.nfl_lloq),
    }
    arm = _randomise(params, bulbar, Stream(seed, _RANDOMISATION))
    effect = _effects(params, arm, columns)
    slope = course.slope_mean + course.slope_sd * z
    svc_slope = course.svc_slope_mean + course.svc_slope_sd * z_svc
    treated_slope = slope * effect["slope"] - effect["slope_kept"]
    treated_svc_slope = svc_slope * effect["svc"] - effect["svc_kept"]
    end_stream = Stream(seed, _END)
    event, dropped, end_day = _ends(params, slope, effect["hazard"], end_stream)
    start = np.floor(end_stream.uniform(n) * params.study.enrolment_days).astype(np.int64)
    order = np.argsort(start, kind="stable")
    people = SimulatedSubjects(
        arm[order],
        {k: v[order] for k, v in columns.items()},
        onset[order],
        treated_slope[order],
        event[order],
        dropped[order],
        end_day[order],
        start[order],
    )
    months = np.array(params.visits.months, dtype=np.float64)
    totals = np.rint(latent[:, None] - treated_slope[:, None] * months + noise.total).clip(0, MAX_TOTAL)
    totals[:, 0] = total0
    svc_course = svc_level[:, None] - treated_svc_slope[:, None] * months + noise.svc
    svc = _round(np.clip(svc_course, 5.0, 160.0), 1)
    svc[:, 0] = columns["BLSVC"]
    built_up = 1.0 - np.exp(-months / course.nfl_onset_months)
    nfl = _round(np.exp(log_nfl[:, None] + np.log(effect["nfl"])[:, None] * built_up + noise.nfl), 2)
    nfl[:, 0] = columns["BLNFL"]
    nfl[:, ~np.isin(months, params.visits.biomarker_months)] = np.nan
    return people, _kept(params, noise, end_day, order, totals.astype(np.int64), svc, nfl)


def _round(values: Array, digits: int) -> Array:
    return np.asarray(np.round(values, digits), dtype=np.float64)


def _quantified(values: Array, lloq: float) -> Array:
    """Two decimals; half the limit of quantification below it."""
    rounded = _round(values, 2)
    return np.where(rounded < lloq, lloq / 2, rounded)


class _Noise:
    """Everything random about visits: residuals, jitter of the day, visits missed. All (n, visits), baseline first."""

    def __init__(self, n: int, params: Parameters, stream: Stream) -> None:
        k = len(params.visits.months)
        self.total = params.course.residual_sd * stream.normal(n, k)
        self.svc = params.course.svc_residual_sd * stream.normal(n, k)
        self.nfl = params.course.nfl_within_log_sd * stream.normal(n, k)
        width = 2 * params.visits.jitter_days + 1
        self.jitter = np.floor(stream.uniform(n, k) * width).astype(np.int64) - params.visits.jitter_days
        self.missed = stream.uniform(n, k) < params.visits.missed


def _entry_totals(params: Parameters, stream: Stream, latent_sd: float, n: int) -> tuple[IntArray, Array]:
    """Observed totals within the entry range, and the level they were measured from: redrawn until eligible."""
    low, high = params.baseline.total_range
    level, seen = np.empty(n), np.full(n, low - 1, dtype=np.int64)
    for _ in range(1000):
        out = (seen < low) | (seen > high)
        if not out.any():
            break
        drawn = params.baseline.total_mean + latent_sd * stream.normal(n)
        observed = np.rint(drawn + params.course.residual_sd * stream.normal(n)).astype(np.int64)
        level, seen = np.where(out, drawn, level), np.where(out, observed, seen)
    return np.clip(seen, low, high), level


def _durations(params: Parameters, stream: Stream, n: int) -> Array:
    base = params.baseline
    low, high = (math.log(v) for v in base.duration_range)
    return np.exp(stream.normal_within(math.log(base.duration_median), base.duration_log_sd, low, high, n))


def _race(stream: Stream, n: int) -> IntArray:
    return np.searchsorted([0.85, 0.95], stream.uniform(n), side="right").astype(np.int64)


def _randomise(params: Parameters, stratum: BoolArray, stream: Stream) -> IntArray:
    """Permuted blocks in the ratio of the arms, filled stratum by stratum; arm sizes are exact."""
    sizes = [arm.n for arm in params.arms]
    unit = math.gcd(*sizes)
    block = np.repeat(np.arange(len(sizes)), [s // unit for s in sizes])
    blocks = np.concatenate([block[stream.order(block.size)] for _ in range(unit)])
    arm = np.empty(stratum.size, dtype=np.int64)
    arm[np.argsort(stratum, kind="stable")] = blocks
    return arm


def _effects(params: Parameters, arm: IntArray, columns: dict[str, NDArray[np.generic]]) -> dict[str, Array]:
    """All effects on each subject (n,): the products of the ratios, by outcome, and what is added to a slope, as
    ``slope_kept`` and ``svc_kept``, in points and percentage points a month."""
    ratios = {key: np.ones(arm.size) for key in ("slope", "svc", "nfl", "hazard")}
    kept = {key: np.zeros(arm.size) for key in ("slope", "svc")}
    names = [a.name for a in params.arms]
    for effect in params.effects:
        who = arm == names.index(effect.arm)
        if effect.where:
            who &= holds(parse(effect.where), columns)
        for key, ratio in ratios.items():
            ratio[who] *= float(getattr(effect, f"{key}_ratio"))
        for key, less in kept.items():
            less[who] += float(getattr(effect, f"{key}_difference"))
    return ratios | {f"{key}_kept": less for key, less in kept.items()}


def _ends(params: Parameters, slope: Array, hazard_ratio: Array, stream: Stream) -> tuple[IntArray, BoolArray, IntArray]:
    """What ended each subject's follow-up, whether it was dropout, and on which day."""
    course = params.course
    n = slope.size
    hazard = course.event_hazard * np.exp(course.event_slope_log_hr * (slope - course.slope_mean)) * hazard_ratio
    waits = -np.log1p(-stream.uniform(2, n))
    with np.errstate(divide="ignore"):
        event_month = waits[0] / hazard
        dropout_month = waits[1] / -np.log1p(-course.dropout) if course.dropout else np.full(n, np.inf)
    last = max(params.visits.months)
    finish = np.rint(last * DAYS_PER_MONTH) + 1 + np.floor(stream.uniform(n) * 15)
    days = np.stack([np.floor(event_month * DAYS_PER_MONTH) + 2, np.floor(dropout_month * DAYS_PER_MONTH) + 2, finish])
    which = np.argmin(days, axis=0)
    kind = np.searchsorted(np.cumsum(_EVENT_SHARES), stream.uniform(n), side="right").clip(0, len(EVENTS) - 1)
    event = np.where(which == 0, kind, -1).astype(np.int64)
    return event, which == 1, days.min(axis=0).astype(np.int64)


def _kept(
    params: Parameters, noise: _Noise, end_day: IntArray, order: IntArray, totals: IntArray, svc: Array, nfl: Array
) -> Measures:
    """Visits that took place: not missed, not after the end of follow-up."""
    months = np.array(params.visits.months, dtype=np.int64)
    days = np.rint(months * DAYS_PER_MONTH).astype(np.int64)[None, :] + 1 + noise.jitter
    days[:, 0] = 1
    keep = ~noise.missed & (days <= end_day[:, None])
    keep[:, 0] = True
    kept = keep[order]
    person, visit = np.nonzero(kept)
    return Measures(person, months[visit], days[order][kept], totals[order][kept], svc[order][kept], nfl[order][kept])
