"""Adverse events by actual arm: overview, classes and terms, exposure, rates and risk differences (METHODS 5).

Each subject counts once per line. Missing relatedness counts as related and missing severity as worst. Risk differences
carry Newcombe's interval; where an arm has no event the one-sided upper 95 % bound stands beside the zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.ask import Ask, Block
from alsbench.analysis.endpoints.event_words import flags_of, texts, word_warnings
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
    categories,
    compare,
    event_rate,
    exposure,
    overview,
    soc_pt_table,
)
from alsbench.stats.proportions import zero_events

OVERVIEW, EXPOSURE = "Overview", "Exposure"


@dataclass(frozen=True)
class Subjects:
    """Members by actual arm: indices into the source, arm codes 0 .. arms - 1, and the position of each source row."""

    index: IntArray
    arm: IntArray
    position: IntArray


def analyse(ask: Ask) -> Block:
    """Overview, SOC/PT table and exposure by arm, with risk differences for each comparison."""
    subjects = _subjects(ask)
    if subjects.index.size == 0:
        raise StatsError("no subjects in this subgroup")
    endpoint = ask.endpoint
    frame = parameter_frame(
        ask.source, endpoint.dataset or "ADAE", endpoint.paramcd, endpoint.where, label=f"endpoints.{endpoint.name}"
    )
    frame, outside = _of_members(ask, frame, subjects)
    days, doses = _exposure(ask)
    rows: list[Row] = []
    years = _exposure_rows(ask, subjects, days, doses, rows)
    who = _positions(ask, frame, subjects)
    timed = np.isfinite(days[subjects.index])  # a rate's events are those of the subjects whose time it counts
    found = overview(who, subjects.arm, len(ask.arms), **flags_of(frame))
    in_time = overview(who[timed[who]], subjects.arm, len(ask.arms), **flags_of(frame.take(timed[who])))
    for line, rated in zip(found, in_time, strict=True):
        rows += _line(ask, OVERVIEW, line.category, line.arms, years, rated=rated.arms)
    counted = flags_of(frame)["emergent"] == 1.0
    table = soc_pt_table(
        who[counted],
        texts(frame.take(counted), "AEBODSYS"),
        texts(frame.take(counted), "AEDECOD"),
        subjects.arm,
        len(ask.arms),
    )
    for entry in table:
        if entry.level != "any":
            rows += _line(ask, entry.soc, entry.pt or None, entry.arms, years)
    warnings = [f"{outside} records of subjects outside the population were left out"] if outside else []
    warnings += _no_exposure(ask) if timed.size and not timed.any() else []
    if 0 < timed.sum() < timed.size:
        n = f"{int((~timed).sum())} of {timed.size} subjects"
        warnings.append(f"{n} have no TRTSDT or no TRTEDT: neither their time nor their events are in a rate")
    if _is_parameters(ask):
        warnings.append("ADEX holds several parameters: its rows are not doses, and none are counted")
    warnings += [*_absent(frame), *word_warnings(frame)]
    counted_words = "treatment-emergent records (TRTEMFL = 'Y')" if "TRTEMFL" in frame.columns else "every record"
    return Block(
        rows,
        model=(
            ("Arms", f"actual treatment ({ask.source.study.arms.actual})"),
            ("Counting", f"each subject once per line; {counted_words}"),
            ("Missing", "missing relatedness counts as related, missing severity as severe"),
            ("Risk difference", "treatment minus reference in percentage points, Newcombe interval"),
            ("Rate", "events per 100 patient-years from TRTSDT to TRTEDT, exact Poisson interval"),
        ),
        warnings=tuple(warnings),
    )


def _no_exposure(ask: Ask) -> list[str]:
    """Why no subject has an exposure, and so no line a rate."""
    frame = ask.source.subjects
    absent = [c for c in ("TRTSDT", "TRTEDT") if c not in frame.columns]
    texts = [c for c in ("TRTSDT", "TRTEDT") if c in frame.columns and frame.kind(c) != "date"]
    said = [f"{c} is not in the data" for c in absent] + [f"{c} is no date" for c in texts]
    why = ", ".join(said) or "no subject has both TRTSDT and TRTEDT"
    return [f"{why}: there is no exposure, and no rate"]


def counted_records(frame: Frame, variable: str | None, level: str | None) -> NDArray[np.bool_]:
    """Which records of an adverse event data set a line of the tables counts: of the overview, of a class, of a term."""
    if variable == OVERVIEW and level is not None:
        return categories(len(frame), **flags_of(frame))[level]
    counted: NDArray[np.bool_] = flags_of(frame)["emergent"] == 1.0
    for wanted, column in ((variable, "AEBODSYS"), (level, "AEDECOD")):
        if wanted is not None:
            counted = counted & np.array([(v or UNCODED) == wanted for v in texts(frame, column)], dtype=bool)
    return counted


def _absent(frame: Frame) -> list[str]:
    """Warnings of columns that are not in the data, and of what was taken in their place."""
    worst = [c for c, others in (("AEREL", ()), ("AESEV", ("AETOXGR",))) if not {c, *others} & set(frame.columns)]
    none = [
        c
        for c, others in (("AESER", ()), ("AEACN", ()), ("AESDTH", ("AEOUT", "AETOXGR")))
        if not {c, *others} & set(frame.columns)
    ]
    what = {"AESER": "no event counts as serious", "AEACN": "none as leading to discontinuation", "AESDTH": "none as fatal"}
    found = [f"{c} is not in the data: counted as the worst" for c in worst]
    found += [f"{c} is not in the data: {what[c]}; that is unknown, not zero" for c in none]
    return found if "TRTEMFL" in frame.columns else [*found, "TRTEMFL is not in the data: every record is counted"]


def _subjects(ask: Ask) -> Subjects:
    arm = ask.source.actual_arm
    index = np.flatnonzero(ask.member.mask & (arm >= 0)).astype(np.int64)
    position = np.full(arm.size, -1, dtype=np.int64)
    position[index] = np.arange(index.size)
    return Subjects(index, arm[index], position)


def _of_members(ask: Ask, frame: Frame, subjects: Subjects) -> tuple[Frame, int]:
    where = np.array([ask.source.subject_index.get(str(s), -1) for s in frame[ask.source.study.info.subject]], dtype=np.int64)
    keep = (where >= 0) & (subjects.position[where] >= 0)
    return frame.take(keep), int((where < 0).sum())


def _positions(ask: Ask, frame: Frame, subjects: Subjects) -> IntArray:
    ids = frame[ask.source.study.info.subject]
    return np.array([subjects.position[ask.source.subject_index[str(s)]] for s in ids], dtype=np.int64)


def _exposure(ask: Ask) -> tuple[Floats, Floats | None]:
    """Days from first to last dose (inclusive) and doses given, per subject of the source; NaN where unknown."""
    frame = ask.source.subjects
    days = np.full(len(frame), np.nan)
    if all(c in frame.columns and frame.kind(c) == "date" for c in ("TRTSDT", "TRTEDT")):
        start, end = frame["TRTSDT"], frame["TRTEDT"]
        known = ~(np.isnat(start) | np.isnat(end))
        days[known] = (end[known] - start[known]).astype(np.float64) + 1.0
        if np.any(days[known] < 1):
            raise DataError("TRTEDT lies before TRTSDT", where="ADSL", hint="correct the dates, then load again")
    if "ADEX" not in ask.source.snapshot.tables or _is_parameters(ask):
        return days, None
    given = ask.source.snapshot.frame("ADEX", columns=(ask.source.study.info.subject,))
    doses = np.zeros(len(frame))
    for subject in given[ask.source.study.info.subject]:
        i = ask.source.subject_index.get(str(subject))
        if i is not None:
            doses[i] += 1
    return days, doses


def _is_parameters(ask: Ask) -> bool:
    """Whether ADEX holds several parameters a subject (cumulative dose, duration): its rows are then not doses."""
    table = ask.source.snapshot.tables.get("ADEX")
    if table is None or "PARAMCD" not in {c.name for c in table.columns}:
        return False
    return len({v for v in ask.source.snapshot.frame("ADEX", columns=("PARAMCD",))["PARAMCD"].tolist() if v}) > 1


def _exposure_rows(ask: Ask, subjects: Subjects, days: Floats, doses: Floats | None, rows: list[Row]) -> list[float]:
    """Exposure by arm into ``rows``; the patient-years of every arm."""
    years: list[float] = []
    for code, arm in enumerate(ask.arms):
        mine = subjects.index[subjects.arm == code]
        found = exposure(days[mine], None if doses is None else doses[mine])
        years.append(found.person_years)
        rows.append(ask.row("arm", "n", int(mine.size), arm=arm, variable=EXPOSURE))
        where = {"arm": arm, "variable": EXPOSURE, "level": "patient-years"}
        reason = None if found.person_years else "no treatment dates"
        rows.append(ask.row("arm", "total", found.person_years if not reason else None, error=reason, **where))
        for level, summary in (("days", found.days), ("doses", found.doses)):
            for name in ("mean", "sd", "median", "min", "max"):
                value = getattr(summary, name)
                error = None if value == value else "no values"
                rows.append(
                    ask.row("arm", name, None if error else value, arm=arm, variable=EXPOSURE, level=level, error=error)
                )
    return years


def _line(
    ask: Ask,
    variable: str,
    level: str | None,
    arms: tuple[ArmCount, ...],
    years: list[float],
    *,
    rated: tuple[ArmCount, ...] = (),
) -> list[Row]:
    """Counts of a line by arm and risk differences; with ``rated``, the counts of those whose exposure is known, rates and
    zero bounds too."""
    rows: list[Row] = []
    for code, (arm, count) in enumerate(zip(ask.arms, arms, strict=True)):
        where = {"arm": arm, "variable": variable, "level": level}
        rows.append(ask.row("arm", "n", count.n, **where))
        rows.append(ask.row("arm", "count", count.subjects, **where))
        reason = None if count.n else f"no subjects of {arm}"
        rows.append(ask.row("arm", "percent", count.percent if count.n else None, error=reason, **where))
        rows.append(ask.row("arm", "events", count.events, **where))
        if rated:
            rows += _rate(ask, rated[code], years[code], where)
        if rated and count.n and count.subjects == 0:
            rows.append(ask.row("arm", "upper_one_sided", 100.0 * zero_events(count.n).one_sided, **where))
    for treatment, reference in ask.pairs:
        at = {"treatment": treatment, "reference": reference, "variable": variable, "level": level}
        treated, other = arms[ask.arms.index(treatment)], arms[ask.arms.index(reference)]
        names = ("risk_difference", "risk_difference_low", "risk_difference_high")
        if not treated.n or not other.n:
            rows += ask.failed("contrast", names, "an arm has no subjects in this subgroup", **at)
            continue
        difference = compare(treated, other).difference
        values = (difference.estimate, difference.low, difference.high)
        rows += [ask.row("contrast", n, 100.0 * v, **at) for n, v in zip(names, values, strict=True)]
    return rows


def _rate(ask: Ask, count: ArmCount, years: float, where: dict[str, str | None]) -> list[Row]:
    try:
        found = event_rate(count, years)
    except StatsError as error:
        return ask.failed("arm", ("rate", "rate_low", "rate_high"), str(error), **where)
    values = (found.estimate, found.low, found.high)
    return [ask.row("arm", n, v, **where) for n, v in zip(("rate", "rate_low", "rate_high"), values, strict=True)]
