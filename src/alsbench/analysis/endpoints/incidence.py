"""Adverse events by actual arm: overview, classes and terms, exposure, rates and risk differences (METHODS 5).

Each subject counts once per line. What a record does not tell counts as the worst (:mod:`.event_words`); a line that no column
tells is unknown. Risk differences carry Newcombe's interval; where an arm has no event the one-sided upper 95 % bound stands
beside the zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.context import AnalysisContext, MethodResult
from alsbench.analysis.endpoints.event_words import (
    Reading,
    delivered_flags,
    flags_of,
    reading,
    texts,
    word_warnings,
)
from alsbench.analysis.model_data import Floats
from alsbench.analysis.records import parameter_frame
from alsbench.analysis.result import Row
from alsbench.analysis.source import IntArray
from alsbench.data.frames import Frame
from alsbench.errors import DataError
from alsbench.stats.errors import StatsError
from alsbench.stats.incidence import (
    UNCODED,
    ArmCount,
    Exposure,
    categories,
    compare,
    event_rate,
    exposure,
    overview,
    soc_pt_table,
)
from alsbench.stats.proportions import zero_events

OVERVIEW, EXPOSURE = "Overview", "Exposure"
RESTS_ON = {"serious": "serious", "related serious": "serious", "leading to discontinuation": "discontinued", "fatal": "fatal"}
RISK = ("risk_difference", "risk_difference_low", "risk_difference_high")
RATE = ("rate", "rate_low", "rate_high")


@dataclass(frozen=True)
class Subjects:
    """Members by actual arm: indices into the source, arm codes 0 .. arms - 1, and the position of each source row."""

    index: IntArray
    arm: IntArray
    position: IntArray


def analyse(analysis: AnalysisContext) -> MethodResult:
    """Overview, SOC/PT table and exposure by arm, with risk differences for each comparison."""
    subjects = _subjects(analysis)
    if subjects.index.size == 0:
        raise StatsError("no subjects in this subgroup")
    endpoint = analysis.endpoint
    frame = parameter_frame(
        analysis.source, endpoint.dataset or "ADAE", endpoint.paramcd, endpoint.where, label=f"endpoints.{endpoint.name}"
    )
    how = reading(frame)
    left_out = _left_out_by_where(analysis, frame, subjects)
    frame, outside = _of_members(analysis, frame, subjects)
    flags = flags_of(frame, how)
    days, doses = _exposure(analysis)
    rows: list[Row] = []
    times = _exposure_rows(analysis, subjects, days, doses, rows)
    who = _positions(analysis, frame, subjects)
    timed = np.isfinite(days[subjects.index])  # a rate's events are those of the subjects whose time it counts
    found = overview(who, subjects.arm, len(analysis.arms), **flags)
    in_time = overview(who[timed[who]], subjects.arm, len(analysis.arms), **{k: v[timed[who]] for k, v in flags.items()})
    for line, rated in zip(found, in_time, strict=True):
        untold = how.untold.get(RESTS_ON.get(line.category, ""))
        if untold is not None:
            rows += _unknown_line(analysis, line.category, line.arms, f"unknown: {untold}")
        else:
            rows += _line(analysis, OVERVIEW, line.category, line.arms, times, rated=rated.arms)
    counted = flags["emergent"] == 1.0
    table = soc_pt_table(
        who[counted],
        texts(frame.take(counted), class_column(frame)),
        texts(frame.take(counted), "AEDECOD"),
        subjects.arm,
        len(analysis.arms),
    )
    for entry in table:
        if entry.level != "any":
            rows += _line(analysis, entry.soc, entry.pt or None, entry.arms, times)
    warnings = [f"{outside} records of subjects outside the population were left out"] if outside else []
    warnings += _no_exposure(analysis) if timed.size and not timed.any() else []
    if 0 < timed.sum() < timed.size:
        n = f"{int((~timed).sum())} of {timed.size} subjects"
        warnings.append(f"{n} have no TRTSDT or no TRTEDT: neither their time nor their events are in a rate")
    if _is_parameters(analysis):
        warnings.append("ADEX holds several parameters: its rows are not doses, and none are counted")
    warnings += ["TRTEMFL is not in the data: every record is counted"] * ("TRTEMFL" not in frame.columns)
    warnings += [*left_out, *word_warnings(frame, how)]
    return MethodResult(
        rows,
        model=(
            ("Arms", f"actual treatment ({analysis.source.study.arms.actual})"),
            ("Counting", f"each subject once per line; {_counting(frame, how)}"),
            ("Missing", "what is not known counts as the worst: related, severe, serious, leading to discontinuation, fatal"),
            ("Risk difference", "treatment minus reference in percentage points, Newcombe interval"),
            ("Rate", "events per 100 patient-years from TRTSDT to TRTEDT, exact Poisson interval"),
        ),
        warnings=tuple(warnings),
    )


def _no_exposure(analysis: AnalysisContext) -> list[str]:
    """Why no subject has an exposure, and so no line a rate."""
    frame = analysis.source.subjects
    absent = [c for c in ("TRTSDT", "TRTEDT") if c not in frame.columns]
    texts = [c for c in ("TRTSDT", "TRTEDT") if c in frame.columns and frame.kind(c) != "date"]
    said = [f"{c} is not in the data" for c in absent] + [f"{c} is no date" for c in texts]
    why = ", ".join(said) or "no subject has both TRTSDT and TRTEDT"
    return [f"{why}: there is no exposure, and no rate"]


def counted_records(frame: Frame, variable: str | None, level: str | None, how: Reading) -> NDArray[np.bool_]:
    """Which records of an adverse event data set a line of the tables counts: of the overview, of a class, of a term.

    ``how`` is the reading of the whole data set; a line that no column tells counts none."""
    flags = flags_of(frame, how)
    if variable == OVERVIEW and level is not None:
        if RESTS_ON.get(level, "") in how.untold:
            return np.zeros(len(frame), dtype=bool)
        return categories(len(frame), **flags)[level]
    counted: NDArray[np.bool_] = flags["emergent"] == 1.0
    for wanted, column in ((variable, class_column(frame)), (level, "AEDECOD")):
        if wanted is not None:
            counted = counted & np.array([(v or UNCODED) == wanted for v in texts(frame, column)], dtype=bool)
    return counted


def class_column(frame: Frame) -> str:
    """The column of system organ classes: AEBODSYS, or AESOC where that is not in the data."""
    return "AESOC" if "AESOC" in frame.columns and "AEBODSYS" not in frame.columns else "AEBODSYS"


def _counting(frame: Frame, how: Reading) -> str:
    if "TRTEMFL" not in frame.columns:
        return "every record"
    blanks = np.isnan(delivered_flags(frame, Reading())["emergent"]).any() and how.blank_emergent == 0.0
    return f"treatment-emergent records (TRTEMFL = 'Y'{'; never N, so that a blank is no' if blanks else ''})"


def _left_out_by_where(analysis: AnalysisContext, frame: Frame, subjects: Subjects) -> list[str]:
    """A warning of records that only an unknown TRTEMFL keeps out of the endpoint's ``where``."""
    if not analysis.endpoint.where or "TRTEMFL" not in frame.columns:
        return []
    everything = parameter_frame(analysis.source, analysis.endpoint.dataset or "ADAE", analysis.endpoint.paramcd, "", label="")
    how = reading(everything)

    def open_records(records: Frame) -> int:
        return int(np.isnan(delivered_flags(_of_members(analysis, records, subjects)[0], how)["emergent"]).sum())

    n = open_records(everything) - open_records(frame)
    if n <= 0:
        return []
    return [
        f"{n} record{'s' * (n != 1)} with an unknown TRTEMFL left out by the endpoint's where; without it they would count as "
        "treatment-emergent"
    ]


def _subjects(analysis: AnalysisContext) -> Subjects:
    arm = analysis.source.actual_arm
    index = np.flatnonzero(analysis.member.mask & (arm >= 0)).astype(np.int64)
    position = np.full(arm.size, -1, dtype=np.int64)
    position[index] = np.arange(index.size)
    return Subjects(index, arm[index], position)


def _of_members(analysis: AnalysisContext, frame: Frame, subjects: Subjects) -> tuple[Frame, int]:
    where = np.array(
        [analysis.source.subject_index.get(str(s), -1) for s in frame[analysis.source.study.info.subject]], dtype=np.int64
    )
    keep = (where >= 0) & (subjects.position[where] >= 0)
    return frame.take(keep), int((where < 0).sum())


def _positions(analysis: AnalysisContext, frame: Frame, subjects: Subjects) -> IntArray:
    ids = frame[analysis.source.study.info.subject]
    return np.array([subjects.position[analysis.source.subject_index[str(s)]] for s in ids], dtype=np.int64)


def _exposure(analysis: AnalysisContext) -> tuple[Floats, Floats | None]:
    """Days from first to last dose (inclusive) and doses given, per subject of the source; NaN where unknown."""
    frame = analysis.source.subjects
    days = np.full(len(frame), np.nan)
    if all(c in frame.columns and frame.kind(c) == "date" for c in ("TRTSDT", "TRTEDT")):
        start, end = frame["TRTSDT"], frame["TRTEDT"]
        known = ~(np.isnat(start) | np.isnat(end))
        days[known] = (end[known] - start[known]).astype(np.float64) + 1.0
        if np.any(days[known] < 1):
            raise DataError("TRTEDT lies before TRTSDT", where="ADSL", hint="correct the dates, then load again")
    if "ADEX" not in analysis.source.snapshot.tables or _is_parameters(analysis):
        return days, None
    given = analysis.source.snapshot.frame("ADEX", columns=(analysis.source.study.info.subject,))
    doses = np.zeros(len(frame))
    for subject in given[analysis.source.study.info.subject]:
        i = analysis.source.subject_index.get(str(subject))
        if i is not None:
            doses[i] += 1
    return days, doses


def _is_parameters(analysis: AnalysisContext) -> bool:
    """Whether ADEX holds several parameters a subject (cumulative dose, duration): its rows are then not doses."""
    table = analysis.source.snapshot.tables.get("ADEX")
    if table is None or "PARAMCD" not in {c.name for c in table.columns}:
        return False
    return len({v for v in analysis.source.snapshot.frame("ADEX", columns=("PARAMCD",))["PARAMCD"].tolist() if v}) > 1


def _exposure_rows(
    analysis: AnalysisContext, subjects: Subjects, days: Floats, doses: Floats | None, rows: list[Row]
) -> list[Exposure]:
    """Exposure by arm into ``rows``, and as it was found."""
    times: list[Exposure] = []
    for code, arm in enumerate(analysis.arms):
        mine = subjects.index[subjects.arm == code]
        found = exposure(days[mine], None if doses is None else doses[mine])
        times.append(found)
        rows.append(analysis.row("arm", "n", int(mine.size), arm=arm, variable=EXPOSURE))
        where = {"arm": arm, "variable": EXPOSURE, "level": "patient-years"}
        reason = None if found.person_years else "no treatment dates"
        rows.append(analysis.row("arm", "total", found.person_years if not reason else None, error=reason, **where))
        for level, summary in (("days", found.days), ("doses", found.doses)):
            for name in ("mean", "sd", "median", "min", "max"):
                value = getattr(summary, name)
                error = None if value == value else "no values"
                rows.append(
                    analysis.row("arm", name, None if error else value, arm=arm, variable=EXPOSURE, level=level, error=error)
                )
    return times


def _line(
    analysis: AnalysisContext,
    variable: str,
    level: str | None,
    arms: tuple[ArmCount, ...],
    times: list[Exposure],
    *,
    rated: tuple[ArmCount, ...] = (),
) -> list[Row]:
    """Counts of a line by arm and risk differences; with ``rated``, the counts of those whose exposure is known, rates and
    zero bounds too."""
    rows: list[Row] = []
    for code, (arm, count) in enumerate(zip(analysis.arms, arms, strict=True)):
        where = {"arm": arm, "variable": variable, "level": level}
        rows.append(analysis.row("arm", "n", count.n, **where))
        rows.append(analysis.row("arm", "count", count.subjects, **where))
        reason = None if count.n else f"no subjects of {arm}"
        rows.append(analysis.row("arm", "percent", count.percent if count.n else None, error=reason, **where))
        rows.append(analysis.row("arm", "events", count.events, **where))
        if rated:
            rows += _rate(analysis, rated[code], times[code], where)
        if rated and count.n and count.subjects == 0:
            rows.append(analysis.row("arm", "upper_one_sided", 100.0 * zero_events(count.n).one_sided, **where))
    for treatment, reference in analysis.pairs:
        at = {"treatment": treatment, "reference": reference, "variable": variable, "level": level}
        treated, other = arms[analysis.arms.index(treatment)], arms[analysis.arms.index(reference)]
        if not treated.n or not other.n:
            rows += analysis.failed("contrast", RISK, "an arm has no subjects in this subgroup", **at)
            continue
        difference = compare(treated, other).difference
        values = (difference.estimate, difference.low, difference.high)
        rows += [analysis.row("contrast", n, v, **at) for n, v in zip(RISK, values, strict=True)]
    return rows


def _unknown_line(analysis: AnalysisContext, level: str, arms: tuple[ArmCount, ...], reason: str) -> list[Row]:
    """A line of the overview that the data do not tell: how many subjects were there, and no count of events."""
    rows: list[Row] = []
    for arm, count in zip(analysis.arms, arms, strict=True):
        where = {"arm": arm, "variable": OVERVIEW, "level": level}
        rows.append(analysis.row("arm", "n", count.n, **where))
        rows += analysis.failed("arm", ("count", "percent", "events", *RATE), reason, **where)
    for treatment, reference in analysis.pairs:
        at = {"treatment": treatment, "reference": reference, "variable": OVERVIEW, "level": level}
        rows += analysis.failed("contrast", RISK, reason, **at)
    return rows


def _rate(analysis: AnalysisContext, count: ArmCount, time: Exposure, where: dict[str, str | None]) -> list[Row]:
    try:
        found = event_rate(count, time)
    except StatsError as error:
        return analysis.failed("arm", RATE, str(error), **where)
    values = (found.estimate, found.low, found.high)
    return [analysis.row("arm", n, v, **where) for n, v in zip(RATE, values, strict=True)]
