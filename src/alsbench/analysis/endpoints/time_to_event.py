"""Time to event: Kaplan-Meier per arm; log-rank, Cox and restricted means for the two arms of each comparison.

All follow-up counts; only the restricted mean and the survival quoted beside it look at a horizon (the comparison's).
METHODS 5. A hazard ratio that the events do not determine is an error row, never a number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alsbench.analysis.ask import Ask, Block
from alsbench.analysis.follow_up import times_by_subject
from alsbench.analysis.model_data import ARM, PART, Floats, arm_factor, covariate_columns, covariate_variables
from alsbench.analysis.result import Row, merge_warnings
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.analysis.strata import strata_codes, strata_warnings
from alsbench.stats.cox import CoxFit, fit_cox
from alsbench.stats.design import Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.survival import SurvivalCurve, kaplan_meier, log_rank, rmst, rmst_difference

COX = ("hazard_ratio", "hr_low", "hr_high", "z", "p_value")
RMST = ("rmst_difference", "rmst_difference_low", "rmst_difference_high", "rmst_p")


@dataclass(frozen=True)
class Times:
    """Subjects (indices into the source) with a record: their arm, day and whether it was an event."""

    subject: IntArray
    arm: IntArray
    day: Floats
    event: BoolArray

    def take(self, mask: BoolArray) -> Times:
        return Times(self.subject[mask], self.arm[mask], self.day[mask], self.event[mask])


def analyse(ask: Ask) -> Block:
    """Events, medians and restricted means per arm; log-rank, hazard ratio and restricted mean difference per comparison."""
    times = event_times(ask, ask.member.mask)
    rows, warnings = survival_rows(ask, times)
    without = int((ask.member.mask & (ask.source.planned_arm >= 0)).sum()) - times.subject.size
    if without:
        warnings = [f"{without} subjects without a time-to-event record were left out", *warnings]
    terms = [ask.source.study.arms.planned, *ask.endpoint.covariates]
    strata = f", strata {', '.join(ask.endpoint.strata)}" if ask.endpoint.strata else ""
    return Block(
        rows,
        model=(
            (
                "Model",
                f"Cox: hazard ~ {' + '.join(terms)}{strata}; the two arms of the comparison",
            ),
            ("Cox", f"{ask.endpoint.ties.capitalize()} ties, Wald interval"),
            ("Log-rank", f"two-sided{strata}"),
            ("Kaplan-Meier", f"median and survival with {ask.endpoint.intervals} intervals"),
            ("Restricted mean", "to the comparison's horizon day; all else uses all follow-up"),
            *ask.source.study.visits.horizon_line(_horizons(ask)),
            ("Event", "CNSR = 0; times in days"),
        ),
        warnings=merge_warnings([warnings]),
    )


def survival_rows(ask: Ask, times: Times) -> tuple[list[Row], list[str]]:
    """Every statistic of times to event, with warnings: Kaplan-Meier by arm, log-rank, Cox and restricted means by pair."""
    horizons = _horizon_days(ask)
    rows: list[Row] = []
    warnings = strata_warnings(ask.source, ask.endpoint.strata, times.subject)
    for code, arm in enumerate(ask.arms):
        rows += _arm(ask, times.take(times.arm == code), arm, horizons)
    for pair in ask.pairs:
        found, more = _contrast(ask, times, pair, horizons)
        rows += found
        warnings += more
    return rows, warnings


def interaction(ask: Ask, whole: BoolArray, _visits: tuple[float, ...]) -> Block:
    """Subgroup-by-arm interaction: Wald p of arm:part in the comparison's Cox model over both parts."""
    rows: list[Row] = []
    for comparison in ask.comparisons:
        pair = (comparison.treatment, comparison.reference)
        where = {"treatment": pair[0], "reference": pair[1]}
        try:
            fit, _ = _cox(ask, event_times(ask, whole), pair, part=ask.member.mask)
            p = fit.hazard_ratio(f"{ARM}{pair[0]}:{PART}in").p
            rows.append(ask.row("subgroup", "interaction_p", p, **where))
        except ValueError as error:
            rows.append(ask.row("subgroup", "interaction_p", None, error=str(error), **where))
    return Block(rows)


def curves(ask: Ask) -> dict[str, SurvivalCurve]:
    """The Kaplan-Meier curve of every arm that has subjects, for plots."""
    times = event_times(ask, ask.member.mask)
    found: dict[str, SurvivalCurve] = {}
    for code, arm in enumerate(ask.arms):
        mine = times.take(times.arm == code)
        if mine.subject.size:
            found[arm] = kaplan_meier(mine.day, mine.event, conf_type=ask.endpoint.intervals)
    return found


def event_times(ask: Ask, mask: BoolArray) -> Times:
    """Records of the subjects in ``mask`` and of the study's arms."""
    endpoint = ask.endpoint
    day, censored = times_by_subject(
        ask.source, endpoint.dataset, endpoint.paramcd, endpoint.where, label=f"endpoints.{endpoint.name}"
    )
    arm = ask.source.planned_arm
    subject = np.flatnonzero(mask & (arm >= 0) & np.isfinite(day) & np.isfinite(censored)).astype(np.int64)
    return Times(subject, arm[subject], day[subject], censored[subject] == 0)


def _horizon_days(ask: Ask) -> dict[tuple[str, str], tuple[int, ...]]:
    """The restricted mean's horizon days of each (treatment, reference): the visits asked for, else the comparisons'."""
    visits = ask.source.study.visits
    found: dict[tuple[str, str], list[int]] = {}
    for c in ask.comparisons:
        wanted = ask.question.visits or (() if c.horizon is None else (c.horizon,))
        days = found.setdefault((c.treatment, c.reference), [])
        days += [d for d in (visits.horizon_day(h) for h in wanted) if d not in days]
    return {pair: tuple(days) for pair, days in found.items()}


def _horizons(ask: Ask) -> list[float]:
    """The horizons whose days :func:`_horizon_days` gives."""
    return [*(ask.question.visits or (c.horizon for c in ask.comparisons if c.horizon is not None))]


def _arm(ask: Ask, mine: Times, arm: str, horizons: dict[tuple[str, str], tuple[int, ...]]) -> list[Row]:
    rows = [ask.row("arm", "n", int(mine.subject.size), arm=arm), ask.row("arm", "events", int(mine.event.sum()), arm=arm)]
    days = sorted({d for pair, found in horizons.items() if arm in pair for d in found})
    if not mine.subject.size:
        return rows + ask.failed("arm", ("median",), f"no subjects of {arm} in this subgroup", arm=arm)
    curve = kaplan_meier(mine.day, mine.event, conf_type=ask.endpoint.intervals)
    median = curve.median
    for name, value in (("median", median.estimate), ("median_low", median.low), ("median_high", median.high)):
        reason = "not reached" if value != value else None
        rows.append(ask.row("arm", name, None if reason else value, arm=arm, error=reason))
    for day in days:
        level = f"day {day}"
        at = curve.at(day)
        for name, value in (("survival", at.survival), ("survival_low", at.low), ("survival_high", at.high)):
            reason = f"not defined at day {day}" if value != value else None
            rows.append(ask.row("arm", name, None if reason else value, arm=arm, level=level, error=reason))
        try:
            mean = rmst(mine.day, mine.event, float(day))
            rows.append(ask.row("arm", "rmst", mean.mean, arm=arm, level=level))
            rows.append(ask.row("arm", "rmst_se", mean.se, arm=arm, level=level))
        except StatsError as error:
            rows += ask.failed("arm", ("rmst", "rmst_se"), str(error), arm=arm, level=level)
    return rows


def _contrast(
    ask: Ask, times: Times, pair: tuple[str, str], horizons: dict[tuple[str, str], tuple[int, ...]]
) -> tuple[list[Row], list[str]]:
    where = {"treatment": pair[0], "reference": pair[1]}
    two = times.take(np.isin(times.arm, [ask.arms.index(a) for a in pair]))
    treated = two.arm == ask.arms.index(pair[0])
    rows: list[Row] = []
    warnings: list[str] = []
    try:
        _both_arms(treated, pair)
        strata = strata_codes(ask.source, ask.endpoint.strata, two.subject) if ask.endpoint.strata else None
        test = log_rank(two.day, two.event, treated.astype(np.int64), groups=2, strata=strata)
        rows += [
            ask.row("contrast", "log_rank_chisq", test.chisq, **where),
            ask.row("contrast", "log_rank_z", test.z, **where),
            ask.row("contrast", "log_rank_p", test.p, **where),
        ]
    except StatsError as error:
        rows += ask.failed("contrast", ("log_rank_chisq", "log_rank_z", "log_rank_p"), str(error), **where)
    try:
        fit, warnings = _cox(ask, times, pair)
        hr = fit.hazard_ratio(f"{ARM}{pair[0]}")
        values = (hr.hr, hr.low, hr.high, hr.z, hr.p)
        rows += [ask.row("contrast", n, v, **where) for n, v in zip(COX, values, strict=True)]
        rows.append(ask.row("contrast", "events", fit.events, **where))
        rows.append(_proportional(ask, fit, where))
    except StatsError as error:
        missing = [n for n in (*COX, "events", "ph_p") if n not in {r.stat_name for r in rows}]
        rows += ask.failed("contrast", missing, _in_words(str(error), pair), **where)
    for day in horizons.get(pair, ()):
        rows += _rmst_rows(ask, two, treated, day, where)
    return rows, warnings


def _both_arms(treated: BoolArray, pair: tuple[str, str]) -> None:
    """StatsError that names every arm of ``pair`` (treatment, reference) without subjects; ``treated`` per subject."""
    absent = [arm for arm, there in ((pair[1], not treated.all()), (pair[0], treated.any())) if not there or not treated.size]
    if absent:
        raise StatsError(f"no subjects of {' or '.join(absent)} in this subgroup")


def _proportional(ask: Ask, fit: CoxFit, where: dict[str, str]) -> Row:
    try:
        return ask.row("contrast", "ph_p", fit.proportional_hazards()[ARM].p, **where)
    except StatsError as error:
        return ask.row("contrast", "ph_p", None, error=str(error), **where)


def _rmst_rows(ask: Ask, two: Times, treated: BoolArray, day: int, where: dict[str, str]) -> list[Row]:
    level = f"day {day}"
    try:
        _both_arms(treated, (where["treatment"], where["reference"]))
        found = rmst_difference(
            rmst(two.day[treated], two.event[treated], float(day)), rmst(two.day[~treated], two.event[~treated], float(day))
        )
        if found.se == 0:
            raise StatsError(f"no events by day {day} in either arm: the difference has no variance")
    except StatsError as error:
        return ask.failed("contrast", RMST, str(error), level=level, **where)
    values = (found.difference, found.low, found.high, found.p)
    return [ask.row("contrast", n, v, level=level, **where) for n, v in zip(RMST, values, strict=True)]


def _cox(ask: Ask, times: Times, pair: tuple[str, str], part: BoolArray | None = None) -> tuple[CoxFit, list[str]]:
    """Cox model of two arms with the endpoint's covariates and strata; complete cases."""
    columns = covariate_columns(ask)
    both = np.isin(times.arm, [ask.arms.index(a) for a in pair])
    two = times.take(both & columns.complete[times.subject])
    left_out = int(both.sum()) - two.subject.size
    incomplete = f"{pair[0]} against {pair[1]}: {left_out} subjects left out of the Cox model: a covariate is missing"
    treated = two.arm == ask.arms.index(pair[0])
    _both_arms(treated, pair)
    covariates, warnings = covariate_variables(columns, two.subject)
    arm = arm_factor(ask, two.arm)
    arm = Factor(ARM, treated.astype(np.int64), (pair[1], pair[0])) if arm.levels[0] != pair[1] else arm
    terms: list[tuple[str, ...]] = [(ARM,), *((v.name,) for v in covariates)]
    factors = [arm]
    if part is not None:
        factors.append(Factor(PART, part[two.subject].astype(np.int64), ("out", "in")))
        terms += [(PART,), (ARM, PART)]
    strata = strata_codes(ask.source, ask.endpoint.strata, two.subject) if ask.endpoint.strata else None
    fit = fit_cox(two.day, two.event, build_design([*factors, *covariates], terms), strata=strata, ties=ask.endpoint.ties)
    warnings = [incomplete, *warnings] if left_out else warnings
    return fit, [*warnings, *(_in_words(note, pair) for note in fit.notes)]


def _in_words(text: str, pair: tuple[str, str]) -> str:
    """The arm's coefficient called by the arm's name."""
    return text.replace(f"{ARM}{pair[0]}", f"{pair[0]} against {pair[1]}")
