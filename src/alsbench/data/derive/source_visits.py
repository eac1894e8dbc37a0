"""When each row of a table that is no ADaM stands: the visit number that the study or the visit's text says, or its date.

In this order: ``source.visit_times``; the time a text names ("Month 6", "Woche 12", "3개월"), in the unit of the study's
visits; a column of numbers as it stands; nothing for an occasion ("Early termination", "Unscheduled"), whose records count at
no visit; else the median time of the text's dates over subjects, rounded to the unit. What lies before the first dose is
no visit 0. Nothing is guessed without a step in the receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.source_columns import NAT, Coded, SourceTable, number_of, safe
from alsbench.data.derive.tables import Floats, Values
from alsbench.data.derive.windows import Ints, target_day
from alsbench.errors import DataError
from alsbench.study.local_words import said_word, visit_time
from alsbench.study.model import DAYS_PER_UNIT, LATEST, SourceMap, VisitUnit
from alsbench.study.propose import untimed

FAR_DAYS = 45  # a date further from its visit's day than this, and than half of that day, is reported
Days = Values  # (subjects,) datetime64[D]


@dataclass(frozen=True)
class SourceVisits:
    """Rows as visits (rows,): position of the subject among all (-1: none), visit number (NaN: none), label, date, and day from
    the first dose, which is day 1; ``row`` from 1 in ``table``."""

    table: SourceTable
    who: Ints
    number: Floats
    label: Coded
    date: Values
    day: Floats
    row: Ints


def whole(value: Floats | float) -> Floats:
    """Rounded half away from zero."""
    return np.floor(np.abs(value) + 0.5) * np.sign(value)


def days_between(date: Values, start: Values) -> Floats:
    """Days from ``start`` to ``date`` (rows,), NaN where either is missing."""
    away = (date - start).astype("timedelta64[D]").astype(float)
    away[np.isnat(date) | np.isnat(start)] = np.nan
    return cast(Floats, away)


def names_of(table: SourceTable, source: SourceMap) -> tuple[str, str]:
    """The columns of visit and date in a table, empty where it has none."""
    visit, date = table.columns.visit or source.visit, table.columns.date or source.date
    for own in (table.columns.visit, table.columns.date):
        if own and own not in table:
            raise table.absent(own, table.names)
    return (visit if visit in table else "", date if date in table else "")


def is_timed(table: SourceTable, source: SourceMap) -> bool:
    """Whether the rows of a table stand at visits."""
    return table.columns.at is not None or bool(any(names_of(table, source)))


def told_times(table: SourceTable, visit: str, source: SourceMap, unit: VisitUnit) -> dict[str, float]:
    """The numbers of visit texts that the study or the text itself tells."""
    said = {said_word(k): v for k, v in source.visit_times.items()}
    numeric = table.is_number(visit)
    told: dict[str, float] = {}
    for label in table.coded(visit).counts():
        time = visit_time(label)
        if said_word(label) in said:
            told[label] = said[said_word(label)]
        elif time is not None and time[1] in ("", unit):
            told[label] = time[0]
        elif time is not None:
            told[label] = float(whole(time[0] * DAYS_PER_UNIT[cast(VisitUnit, time[1])] / DAYS_PER_UNIT[unit]))
        elif numeric:
            told[label] = number_of(label)
    return {label: number for label, number in told.items() if abs(number) <= LATEST}


def median_times(labels: Coded, away: Floats, told: Mapping[str, float], unit: VisitUnit) -> dict[str, float]:
    """The numbers of texts that name no time and no occasion, by the median of their days from the first dose."""
    found: dict[str, float] = {}
    for label in labels.counts():
        if label in told or untimed(label):
            continue
        mine = (labels.at == labels.words.index(label)) & np.isfinite(away)
        if mine.any():
            days = float(np.median(away[mine]))
            found[label] = (
                min(-1.0, float(whole(days / DAYS_PER_UNIT[unit]))) if days < 0 else float(whole(days / DAYS_PER_UNIT[unit]))
            )
    return found


def read_visits(
    table: SourceTable, source: SourceMap, unit: VisitUnit, who: Ints, start: Values, report: DerivationReport
) -> SourceVisits:
    """The rows of a table as visits. ``who`` (rows,) are positions in ``start`` (subjects,), the days of first dose."""
    visit, dated = names_of(table, source)
    when = table.dates(dated, source.dates, report) if dated else np.full(len(table), NAT)
    away = days_between(when, np.append(start, NAT)[who])
    if table.columns.at is not None:
        number = np.full(len(table), float(table.columns.at))
        labels = Coded(np.full(len(table), 0, dtype=np.int64), (table.name,))
    elif visit:
        number, labels = _by_text(table, visit, source, unit, away, report)
    else:
        number = np.where(np.isfinite(away), whole(away / DAYS_PER_UNIT[unit]), np.nan)
        labels = Coded(np.full(len(table), -1, dtype=np.int64), ())
        report.step("ADSL", f"visits by date, rounded to the {unit}")
    lost = np.isnan(number) & ~labels.where(untimed)
    what = "{n} rows count at no visit: neither the visit nor a date tells when"
    table.report(report, "source-no-visit", "warning", what, lost)
    what = "{n} rows of unplanned visits or occasions count at no visit; source.visit_times may say otherwise: "
    occasions = labels.where(untimed) & np.isnan(number)
    named = ", ".join(w for w in labels.counts() if untimed(w))
    table.report(report, "source-unplanned", "note", what + safe(named), occasions)
    nominal = _nominal(number, unit)
    _far(table, away, nominal, report)
    early = (away < 0) & (nominal > 0)
    what = "{n} dates of later visits are before the first dose: the day of the visit counts instead"
    table.report(report, "source-visit-date", "warning", what, early)
    days = np.where(np.isfinite(away) & ~early, away, nominal)
    row = np.arange(1, len(table) + 1)
    return SourceVisits(table, who, number, labels, when, np.where(days >= 0, days + 1, days), row)


def _by_text(
    table: SourceTable, visit: str, source: SourceMap, unit: VisitUnit, away: Floats, report: DerivationReport
) -> tuple[Floats, Coded]:
    labels = table.coded(visit)
    told = told_times(table, visit, source, unit)
    by_dates = median_times(labels, away, told, unit)
    for label, number in by_dates.items():
        report.step("ADSL", f"visit {label} names no time: {unit} {number:g} by the median of its dates")
    for label, number in told.items():
        time = visit_time(label)
        if time is not None and time[1] not in ("", unit) and said_word(label) not in map(said_word, source.visit_times):
            report.step("ADSL", f"visit {label} is {unit} {number:g}")
    both = {**by_dates, **told}
    shared = [n for n in sorted(set(both.values())) if sum(v == n for v in both.values()) > 1]
    for number in shared:
        names = [label for label, n in both.items() if n == number]
        mine = labels.where(lambda w, names=names: w in names)  # type: ignore[misc]
        what = f"{{n}} rows of {safe(', '.join(names))} stand at one visit, {unit} {number:g}"
        table.report(report, "source-same-visit", "warning", what, mine)
    return labels.numbers(lambda w: both.get(w, np.nan)), labels


def _nominal(number: Floats, unit: VisitUnit) -> Floats:
    """The days of visits (rows,)."""
    numbers, at = np.unique(number, return_inverse=True)
    return np.array([target_day(n, unit) if n == n else np.nan for n in numbers], dtype=np.float64)[at]


def _far(table: SourceTable, away: Floats, nominal: Floats, report: DerivationReport) -> None:
    """Dates that are far from the day of their visit, as a wrong year or a swapped day and month are."""
    far = np.abs(away - nominal) > np.maximum(FAR_DAYS, np.abs(nominal) / 2)
    what = f"{{n}} dates are more than {FAR_DAYS} days and half the time from the day of their visit"
    table.report(report, "source-visit-date", "warning", what, far)


def column_visits(
    table: SourceTable,
    columns: Mapping[str, object],
    source: SourceMap,
    unit: VisitUnit,
    who: Ints,
    start: Values,
    report: DerivationReport,
) -> SourceVisits:
    """Rows of a table with a column for each visit as records of visits: those of the first visit, then of the next."""
    numbers = [visit_number(n) for n in columns]
    dates = {visit_number(n): c for n, c in source.date_columns.items()}
    held = [table.dates(dates[n], source.dates, report) if n in dates else np.full(len(table), NAT) for n in numbers]
    number = np.repeat(np.array(numbers, dtype=np.float64), len(table))
    when = np.concatenate(held)
    everybody = np.tile(who, len(numbers))
    away = days_between(when, np.append(start, NAT)[everybody])
    nominal = _nominal(number, unit)
    days = np.where(np.isfinite(away), away, nominal)
    row = np.tile(np.arange(1, len(table) + 1), len(numbers))
    labels = Coded(np.full(number.size, -1, dtype=np.int64), ())
    return SourceVisits(table, everybody, number, labels, when, np.where(days >= 0, days + 1, days), row)


def visit_number(text: str) -> float:
    """The visit number that a key of ``source.parameters`` is. Raises DataError where it is none."""
    found = number_of(text)
    if found != found:
        raise DataError(
            f"{text} is no number of a visit", where="study.toml source", hint='columns = { "0" = "...", "6" = "..." }'
        )
    return found
