"""ADaM but for case, words and visits in text, made ADaM by the ``[source]`` table of the study file (METHODS 19).

Columns get their names in capitals; the arm is TRT01P; flags say Y or N; AVISITN is read from AVISIT where there is none,
and for a visit whose text names no time ("V3") is the median time of its dates over subjects, rounded to the unit of visits.
Values are those delivered. The sources stay beside, as SRC_ and their name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.source_columns import NAT, SourceTable, safe
from alsbench.data.derive.source_visits import days_between, median_times, told_times
from alsbench.data.derive.tables import DerivedColumn, build, date, number, text
from alsbench.errors import DataError
from alsbench.study.local_words import Words, said_word
from alsbench.study.model import SourceMap, VisitUnit
from alsbench.study.names import nearest

PREFIX = "SRC_"
SUBJECTS = "ADSL"
RILUZOLE = "RILUFL"
_DATES = ("ADT", "TRTSDT", "DTHDT", "EOSDT", "ASTDT", "AENDT")


def is_adam_name(name: str) -> bool:
    """Whether a data set is named as analysis data are."""
    return name.upper().startswith("AD")


def derive_adam_like(
    datasets: Sequence[Dataset], source: SourceMap, words: Words, unit: VisitUnit, report: DerivationReport
) -> list[Dataset]:
    """The analysis data sets under their own names, from data sets that are named SRC_ and so."""
    held = {d.name.removeprefix(PREFIX): d for d in datasets if d.name.startswith(PREFIX)}
    if SUBJECTS not in held:
        raise DataError(
            f"there is no {SUBJECTS} among the data sets", where="study.toml source", hint='layout = "visits" needs none'
        )
    subjects = SourceTable(held[SUBJECTS], _own(held[SUBJECTS], source.subject))
    start = _starts(subjects, source, report)
    made = []
    for name, dataset in held.items():
        table = SourceTable(dataset, _own(dataset, source.subject))
        columns = _normalised(table, name, source, words, report)
        if name == SUBJECTS:
            columns = _subject_columns(table, columns, source, words, report)
        elif "PARAMCD" in columns and "AVISITN" not in columns and (label := visit_column(table.names)):
            columns["AVISITN"] = _visit_numbers(table, label, columns, start, source, unit, name, report)
            columns.setdefault("AVISIT", text("AVISIT", "Analysis Visit", table.texts(label)))
        report.step(name, f"from {dataset.name}: names in capitals, values as delivered")
        made.append(build(name, dataset.label, list(columns.values()), report.remarks(name)))
    return made


def visit_column(names: Sequence[str]) -> str:
    """The column of visits in text, AVISIT or VISIT; empty if there is none."""
    upper = {n.upper(): n for n in names}
    return upper.get("AVISIT") or upper.get("VISIT", "")


def _own(dataset: Dataset, name: str) -> str:
    names = [c.name for c in dataset.columns]
    found = next((n for n in names if n.upper() == name.upper()), None)
    if found is None:
        raise DataError(
            f"there is no column {name}", where=f"study.toml source.subject, data set {dataset.name}", hint=nearest(name, names)
        )
    return found


def _starts(subjects: SourceTable, source: SourceMap, report: DerivationReport) -> Mapping[str, np.datetime64]:
    if not source.first_dose:
        return {}
    when = subjects.dates(source.first_dose, source.dates, report)
    return {s: d for s, d in zip(subjects.subjects, when, strict=True) if not np.isnat(d)}


def _normalised(
    table: SourceTable, name: str, source: SourceMap, words: Words, report: DerivationReport
) -> dict[str, DerivedColumn]:
    columns: dict[str, DerivedColumn] = {}
    subject = table.subject.upper()
    for info in table.dataset.columns:
        upper = info.name.upper()
        kept = "USUBJID" if upper == subject else upper
        if kept in columns:
            continue
        if upper.endswith("DT") and upper in _DATES:
            columns[kept] = date(kept, info.label, table.dates(info.name, source.dates, report))
        elif info.kind == "number":
            columns[kept] = number(kept, info.label, table.numbers(info.name))
        elif info.kind == "date":
            columns[kept] = date(kept, info.label, table.dates(info.name, source.dates))
        else:
            said = table.said(info.name)
            found = said.counts()
            if kept.endswith("FL") and words.are_flags(found):
                columns[kept] = text(kept, info.label, [words.flag(v) for v in said.texts()])
                if set(found) - {"Y", "N"}:
                    report.step(name, f"{kept}: {', '.join(sorted(found))} as Y and N")
            else:
                columns[kept] = text(kept, info.label, said.texts())
    return columns


def _subject_columns(
    table: SourceTable, columns: dict[str, DerivedColumn], source: SourceMap, words: Words, report: DerivationReport
) -> dict[str, DerivedColumn]:
    """The arm as TRT01P, analysis sets, and what ``source.baseline`` names, beside the columns delivered."""
    arm = table.texts(source.arm) if source.arm in table else None
    if arm is None:
        raise table.absent(source.arm, table.names)
    columns["TRT01P"] = text("TRT01P", "Planned Treatment for Period 01", arm)
    if "TRT01A" not in columns:
        columns["TRT01A"] = replace(
            columns.get("TRTA", columns["TRT01P"]), name="TRT01A", label="Actual Treatment for Period 01"
        )
    report.step(SUBJECTS, f"TRT01P: {source.arm}")
    for flag_name, column in source.flags.items():
        said = table.texts(column)
        odd = np.array([v is not None and words.flag(v) is None for v in said])
        what = f"{{n}} subjects have a word in {column} that says neither yes nor no"
        report.found("source-word", "warning", table.name, what, np.flatnonzero(odd) + 1, table.subjects[odd])
        columns[flag_name] = text(flag_name, column, [words.flag(v) for v in said])
    if not source.flags:
        columns["FASFL"] = text("FASFL", "Full Analysis Set Flag", ["Y" if a is not None else "N" for a in arm])
        report.step(SUBJECTS, "FASFL: an arm is known, for the data have no flag of an efficacy set")
    for name, column in source.baseline.items():
        if table.is_number(column) and name != RILUZOLE:
            columns[name] = number(name, column, table.numbers(column, report))
            continue
        known = words.meanings(name)
        said = table.texts(column)
        read = [words.flag(v) if name == RILUZOLE else known.get(said_word(v), v) for v in said]
        columns[name] = text(name, column, read)
        report.step(SUBJECTS, f"{name}: {column} by the table of words")
    return columns


def _visit_numbers(
    table: SourceTable,
    label: str,
    columns: Mapping[str, DerivedColumn],
    start: Mapping[str, np.datetime64],
    source: SourceMap,
    unit: VisitUnit,
    name: str,
    report: DerivationReport,
) -> DerivedColumn:
    """AVISITN of each record: the time its visit's text names, else the median time of the dates of that text."""
    labels = table.coded(label)
    when = columns["ADT"].values if "ADT" in columns and columns["ADT"].kind == "date" else np.full(len(table), NAT)
    begin = np.array([start.get(s, NAT) for s in table.subjects], dtype="datetime64[D]")
    told = told_times(table, label, source, unit)
    by_dates = median_times(labels, days_between(when, begin), told, unit)
    for text_, number_ in by_dates.items():
        report.step(name, f"visit {text_} names no time: {unit} {number_:g} by the median of its dates")
    both = {**by_dates, **told}
    found = labels.numbers(lambda w: both.get(w, np.nan))
    lost = np.flatnonzero(np.isnan(found))
    listed = safe(", ".join(w for w in labels.counts() if w not in both))
    what = f"{{n}} records count at no visit: neither its text nor dates tell when: {listed or 'no text'}"
    report.found("source-no-visit", "warning", table.name, what, lost + 1, table.subjects[lost])
    report.step(name, f"AVISITN: {unit}s as the text of {label} names them, 0 the baseline")
    return number("AVISITN", "Analysis Visit (N)", found)
