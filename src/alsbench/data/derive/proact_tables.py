"""PRO-ACT's release files: recognised by name, read by column, cleaned by rule.

Files are ``[F_]PROACT_<TABLE>.csv`` or carry the table's name alone, in any case; columns are recognised without regard to
case, underscores and blanks (``Subject_Liters__Trial_2_`` is ``Subject_Liters_Trial_2``). Rows are known by their number in
the file. Exact duplicates are dropped; records of one subject and day with different values are quarantined, all of them:
nothing says which is right. PRO-ACT: Atassi 2014 (doi 10.1212/WNL.0000000000000951).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.tables import Floats, Values, as_numbers, as_texts, pull
from alsbench.errors import DataError

Rows = NDArray[np.int64]

_PREFIX = re.compile(r"^(f?proact)?")
_TABLES = {
    "alsfrs": "ALSFRS",
    "alshistory": "ALSHISTORY",
    "subjectalshx": "ALSHISTORY",
    "subjectalshistory": "ALSHISTORY",
    "demographics": "DEMOGRAPHICS",
    "deathdata": "DEATHDATA",
    "treatment": "TREATMENT",
    "treatmentgroup": "TREATMENT",
    "riluzole": "RILUZOLE",
    "riluzoleuse": "RILUZOLE",
    "fvc": "FVC",
    "forcedvitalcapacity": "FVC",
    "svc": "SVC",
    "slowvitalcapacity": "SVC",
    "labs": "LABS",
    "laboratorydata": "LABS",
    "vitalsigns": "VITALSIGNS",
    "adverseevents": "ADVERSEEVENTS",
}
_FOR_DAYS = frozenset({"LABS", "VITALSIGNS"})
_OF_VISITS = frozenset({"ALSFRS", "FVC", "SVC"})
_OF_SUBJECTS = frozenset({"DEMOGRAPHICS", "TREATMENT", "DEATHDATA", "ALSHISTORY"})
SUBJECT = "subjectid"


def plain_name(name: str) -> str:
    """A name reduced to its lower-case letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def proact_table(dataset: Dataset) -> str:
    """The PRO-ACT table a data set is, empty if none."""
    name = _TABLES.get(_PREFIX.sub("", plain_name(dataset.name), count=1), "")
    return name if name and any(plain_name(c.name) == SUBJECT for c in dataset.columns) else ""


def looks_like_proact(datasets: Sequence[Dataset]) -> bool:
    """Whether these are PRO-ACT files: so named, or visits and subjects under their older names."""
    known = {t for d in datasets if (t := proact_table(d))}
    named = any("proact" in plain_name(d.name) and proact_table(d) in _OF_VISITS for d in datasets)
    return bool(known & _OF_VISITS) and (named or bool(known & _OF_SUBJECTS))


@dataclass(frozen=True)
class RawTable:
    """Columns of one file by reduced name, the rows still in use, and their numbers in the file (from 1)."""

    source: str
    columns: dict[str, Values]
    rows: Rows

    def __len__(self) -> int:
        return int(self.rows.size)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def first_of(self, *names: str) -> str:
        """The first of these reduced names that the file has, empty if none."""
        return next((n for n in names if n in self.columns), "")

    @property
    def subjects(self) -> Values:
        """Subject ids; every row has one."""
        return self.columns[SUBJECT]

    def texts(self, *names: str) -> Values:
        """A text column; all missing where the file has none of the names."""
        name = self.first_of(*names)
        return as_texts(self.columns[name]) if name else np.full(len(self), None, dtype=object)

    def numbers(self, report: DerivationReport, *names: str) -> Floats:
        """A numeric column; all missing where the file has none of the names, and texts that are no number counted."""
        name = self.first_of(*names)
        if not name:
            return np.full(len(self), np.nan)
        values, lost = as_numbers(self.columns[name])
        if lost:
            bad = np.isnan(values) & np.array([v is not None for v in self.columns[name]])
            what = f"{{n}} values of {name} are no numbers and count as missing"
            report.found("proact-unreadable", "warning", self.source, what, self.rows[bad], self.subjects[bad])
        return values

    def matching(self, pattern: str) -> list[str]:
        """Reduced names that match, in file order."""
        return [n for n in self.columns if re.fullmatch(pattern, n)]

    def take(self, keep: Values) -> RawTable:
        return RawTable(self.source, {n: v[keep] for n, v in self.columns.items()}, self.rows[keep])


def read_tables(datasets: Iterable[Dataset], report: DerivationReport) -> dict[str, RawTable]:
    """The PRO-ACT tables among data sets, without exact duplicates and without rows that name no subject.

    Raises DataError where two files are the same table. LABS and VITALSIGNS are read for their days only.
    """
    found: dict[str, RawTable] = {}
    for dataset in datasets:
        table = proact_table(dataset)
        if not table:
            continue
        if table in found:
            raise DataError(f"two files are PRO-ACT's {table}", where=dataset.name, hint="load one release")
        if table in _FOR_DAYS:
            found[table] = _last_days(dataset)
            continue
        names = [c.name for c in dataset.columns]
        if len({plain_name(n) for n in names}) < len(names):
            twice = next(n for i, n in enumerate(names) if plain_name(n) in map(plain_name, names[:i]))
            raise DataError(
                "two columns of a PRO-ACT file have one name but for case and underscores", where=f"{dataset.name}.{twice}"
            )
        columns = {plain_name(n): v for n, v in pull(dataset, names).items()}
        columns[SUBJECT] = as_texts(columns[SUBJECT])
        raw = RawTable(dataset.name, columns, np.arange(1, len(columns[SUBJECT]) + 1))
        found[table] = _without_duplicates(_named(raw, report), report)
    return found


def _last_days(dataset: Dataset) -> RawTable:
    """The last day of each subject in a table of millions of rows, batch by batch."""
    subject = next(c.name for c in dataset.columns if plain_name(c.name) == SUBJECT)
    last: dict[str, float] = {}
    for column in (c for c in dataset.columns if plain_name(c.name).endswith("delta") and c.kind == "number"):
        for batch in dataset.batches():
            grouped = (
                pa.Table.from_batches([batch.select([subject, column.name])])
                .group_by(subject)
                .aggregate([(column.name, "max")])
            )
            ids = as_texts(np.array(grouped.column(subject).to_pylist(), dtype=object))
            for s, day in zip(ids, grouped.column(f"{column.name}_max").to_pylist(), strict=True):
                if s is not None and day is not None:
                    last[s] = max(last.get(s, day), day)
    columns: dict[str, Values] = {
        SUBJECT: np.array(list(last), dtype=object),
        "lastdelta": np.array(list(last.values()), dtype=np.float64),
    }
    return RawTable(dataset.name, columns, np.arange(1, len(last) + 1))


def _named(raw: RawTable, report: DerivationReport) -> RawTable:
    nameless = np.array([s is None for s in raw.subjects], dtype=bool)
    if nameless.any():
        gone = raw.rows[nameless]
        report.found("proact-no-subject", "warning", raw.source, "{n} rows name no subject and are quarantined", gone)
        report.quarantine(raw.source, gone, raw.subjects[nameless], np.full(gone.size, np.nan), "no subject")
    return raw.take(~nameless)


def _without_duplicates(raw: RawTable, report: DerivationReport) -> RawTable:
    first: dict[tuple[object, ...], int] = {}
    again = np.zeros(len(raw), dtype=bool)
    for i, record in enumerate(_records(raw)):
        again[i] = first.setdefault(record, i) != i
    what = "{n} rows repeat an earlier row exactly and are dropped"
    report.found("proact-duplicate", "note", raw.source, what, raw.rows[again], raw.subjects[again])
    return raw.take(~again)


def _records(raw: RawTable) -> Iterable[tuple[object, ...]]:
    columns = [[None if v != v else v for v in values.tolist()] for values in raw.columns.values()]
    return zip(*columns, strict=True)


def one_per_day(raw: RawTable, day: Floats, report: DerivationReport) -> tuple[RawTable, Floats]:
    """Records with a day, and only one of each subject and day: others are quarantined and counted."""
    lost = np.isnan(day)
    what = "{n} records have no day and are quarantined"
    report.found("proact-no-day", "warning", raw.source, what, raw.rows[lost], raw.subjects[lost])
    report.quarantine(raw.source, raw.rows[lost], raw.subjects[lost], day[lost], "no day")
    raw, day = raw.take(~lost), day[~lost]
    clash = _shared([*zip(raw.subjects.tolist(), day.tolist(), strict=True)])
    what = "{n} records share subject and day with another of different values and are quarantined"
    report.found("proact-conflict", "warning", raw.source, what, raw.rows[clash], raw.subjects[clash])
    report.quarantine(raw.source, raw.rows[clash], raw.subjects[clash], day[clash], "same subject and day, different values")
    return raw.take(~clash), day[~clash]


def one_per_subject(raw: RawTable, names: Sequence[str], report: DerivationReport) -> RawTable:
    """One row per subject: rows that contradict each other in the named columns are quarantined, repeats are dropped."""
    held = [raw.texts(n).tolist() for n in names]
    subjects = raw.subjects.tolist()
    said = list(zip(subjects, *held, strict=True))
    first: dict[tuple[object, ...], int] = {}
    new = np.array([first.setdefault(s, i) == i for i, s in enumerate(said)], dtype=bool)
    raw = raw.take(new)
    clash = _shared([s for s, keep in zip(subjects, new, strict=True) if keep])
    what = "{n} rows contradict another row of their subject and are quarantined"
    report.found("proact-conflict", "warning", raw.source, what, raw.rows[clash], raw.subjects[clash])
    nowhere = np.full(int(clash.sum()), np.nan)
    report.quarantine(raw.source, raw.rows[clash], raw.subjects[clash], nowhere, "rows of one subject contradict each other")
    return raw.take(~clash)


def first_known(raw: RawTable, values: Values) -> dict[str, object]:
    """Of several rows per subject the first value that is there."""
    known: dict[str, object] = {}
    for subject, value in zip(raw.subjects.tolist(), values.tolist(), strict=True):
        if value is not None and value == value:
            known.setdefault(subject, value)
    return known


def _shared(keys: Sequence[object]) -> NDArray[np.bool_]:
    counts: dict[object, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return np.array([counts[k] > 1 for k in keys], dtype=bool)
