"""The tables that ``[source]`` names and their columns: numbers with local decimals, dates in local order, texts.

A text column is held as its different texts and the position of each row's, so that each text is read once. A column that is
not there is an error with the nearest names. A value that cannot be read is missing, and reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.tables import Floats, Values, as_texts
from alsbench.data.derive.windows import Flags, Ints
from alsbench.data.text_dates import WAYS, detect_format
from alsbench.errors import DataError
from alsbench.study.local_words import MISSING_WORDS, said_word
from alsbench.study.model import SourceColumns, SourceMap
from alsbench.study.names import nearest

NAT = np.datetime64("NaT", "D")
_TIME = re.compile(r"[T ]\d\d?:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm]|Z|[+-]\d\d:?\d\d)?$")
MISSING = MISSING_WORDS - {"N/A"}  # no riluzole is written so


@dataclass(frozen=True)
class Coded:
    """Texts of rows: ``at`` (rows,) their positions in ``words``, -1 where missing."""

    at: Ints
    words: tuple[str, ...]

    def texts(self) -> Values:
        """The texts (rows,), None where missing."""
        return np.array([*self.words, None], dtype=object)[self.at]

    def numbers(self, read: Callable[[str], float]) -> Floats:
        """What ``read`` makes of each text (rows,), NaN where missing."""
        return np.array([*(read(w) for w in self.words), np.nan], dtype=np.float64)[self.at]

    def where(self, test: Callable[[str], bool]) -> Flags:
        """Whether each row has a text that passes (rows,)."""
        return np.array([*(test(w) for w in self.words), False], dtype=bool)[self.at]

    def counts(self) -> Counter[str]:
        """How often each text stands; those that stand nowhere are left out."""
        often = np.bincount(self.at[self.at >= 0], minlength=len(self.words)).tolist()
        found: Counter[str] = Counter()
        for word, n in zip(self.words, often, strict=True):
            if n:
                found[word] += n
        return found


@dataclass
class SourceTable:
    """A data set of visits or of subjects, its columns read when they are asked for."""

    dataset: Dataset
    subject: str
    columns: SourceColumns = field(default_factory=SourceColumns)
    held: dict[str, Coded] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.dataset.columns]

    @cached_property
    def table(self) -> pa.Table:
        return self.dataset.table()

    def __contains__(self, column: str) -> bool:
        return column in self.names

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def absent(self, column: str, names: Sequence[str]) -> DataError:
        """That a column is not there, with the nearest names."""
        return DataError(
            f"there is no column {column}", where=f"study.toml source, data set {self.name}", hint=nearest(column, names)
        )

    def kind(self, name: str) -> str:
        """number, date, text or boolean. Raises DataError where there is no such column."""
        found = next((c.kind for c in self.dataset.columns if c.name == name), None)
        if found is None:
            raise self.absent(name, self.names)
        return found

    def coded(self, name: str) -> Coded:
        """Trimmed texts of a column; numbers and dates as text; words for missing are missing."""
        if name not in self.held:
            said = self.said(name)
            gone = said.where(lambda w: said_word(w) in MISSING)
            self.held[name] = Coded(np.where(gone, -1, said.at), said.words)
        return self.held[name]

    def said(self, name: str) -> Coded:
        """As :meth:`coded`, with the words for missing."""
        kind = self.kind(name)
        packed = self.table.column(name).combine_chunks().dictionary_encode()
        at = np.asarray(packed.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        own: Values = np.empty(len(packed.dictionary), dtype=object)
        own[:] = packed.dictionary.to_pylist()
        if kind == "number":
            own = as_texts(own.astype(np.float64))
        elif kind == "boolean":
            own[:] = [None if v is None else "Y" if v else "N" for v in own]
        else:
            own = as_texts(own)
        words = {w: i for i, w in enumerate(dict.fromkeys(w for w in own if w is not None))}
        moved = np.array([*(-1 if w is None else words[w] for w in own), -1], dtype=np.int64)
        return Coded(moved[at], tuple(words))

    def texts(self, name: str) -> Values:
        """Trimmed texts (rows,), None where missing."""
        return self.coded(name).texts()

    def is_number(self, name: str) -> bool:
        """Whether every value that is there is a number."""
        return self.kind(name) == "number" or all(number_of(w) == number_of(w) for w in self.coded(name).counts())

    def numbers(self, name: str, report: DerivationReport | None = None) -> Floats:
        """Numbers (rows,), with a decimal comma or point; what is none is missing and reported, words for missing as a note."""
        if self.kind(name) == "number":
            return np.asarray(self.table.column(name).combine_chunks().to_numpy(zero_copy_only=False), dtype=np.float64)
        said = self.said(name)
        found = said.numbers(number_of)
        if report is None:
            return found
        words = said.where(lambda w: said_word(w) in MISSING_WORDS)
        odd = np.isnan(found) & ~words & (said.at >= 0)
        shown = safe(", ".join(sorted(set(said.texts()[words].tolist()))))
        what = f"{{n}} values of {safe(name)} are missing: {shown}"
        self.report(report, "source-missing-word", "note", what, words)
        shown = safe(", ".join(sorted(set(said.texts()[odd].tolist()))[:6]))
        what = f"{{n}} values of {safe(name)} are no numbers and count as missing: {shown}"
        self.report(report, "source-unreadable", "warning", what, odd)
        return found

    def dates(self, name: str, order: str, report: DerivationReport | None = None) -> Values:
        """Dates (rows,); a column whose day and month cannot be told apart needs ``order``."""
        if self.kind(name) == "date":
            return np.asarray(self.table.column(name).combine_chunks().to_numpy(zero_copy_only=False), dtype="datetime64[D]")
        said = self.days(name)
        counts = said.counts()
        if not counts:
            return np.full(len(said.at), NAT)
        told = detect_format(counts)
        way = next((w for w in WAYS if order and w.name == order and told.way is None), told.way or told.most)
        if told.ambiguous and not order:
            hint = 'say which: dates = "day/month/year" or "month/day/year" in [source]'
            raise DataError(f"day and month of {name} cannot be told apart", where=self.name, hint=hint)
        read = [NAT if way is None or (d := way.read(w)) is None else np.datetime64(d, "D") for w in said.words]
        found = np.array([*read, NAT], dtype="datetime64[D]")[said.at]
        if report is not None:
            lost = np.isnat(found) & (said.at >= 0)
            shown = safe(", ".join(sorted(set(said.texts()[lost].tolist()))[:6]))
            what = f"{{n}} values of {safe(name)} are no dates and count as missing: {shown}"
            self.report(report, "source-date", "warning", what, lost)
        return found

    def days(self, name: str) -> Coded:
        """The texts of a column of dates without a time of day behind them."""
        said = self.coded(name)
        return Coded(said.at, tuple(_TIME.sub("", w) for w in said.words))

    def report(self, report: DerivationReport, rule: str, severity: Any, what: str, rows: Flags) -> None:
        """A finding about the rows that ``rows`` marks."""
        found = np.flatnonzero(rows)
        report.found(rule, severity, self.name, what, found + 1, self.subjects[found] if found.size else ())

    @property
    def subjects(self) -> Values:
        return self.texts(self.subject)


def safe(text: str) -> str:
    """A text of the data within the words of a finding, which braces would end."""
    return text.replace("{", "(").replace("}", ")")


def number_of(text: str) -> float:
    """The number a text is, with a decimal comma or point; NaN if it is none."""
    try:
        value = float(text.replace(",", ".")) if text.count(",") <= 1 and not (text.count(",") and "." in text) else np.nan
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def table_of(name: str) -> str:
    """The data set that a file of this name becomes."""
    return PurePosixPath(name).stem.upper() if "." in name else name.upper()


def named_tables(datasets: Sequence[Dataset], source: SourceMap) -> list[SourceTable]:
    """The tables of ``source.files`` in their order: visits, then subjects.

    Raises DataError for a data set that is not there, and for one without the column of subjects.
    """
    known = {d.name.upper(): d for d in datasets}
    wanted = source.files or tuple(known)[:1]
    apart = {table_of(name): columns for name, columns in source.tables.items()}
    for name in source.tables:
        if table_of(name) not in {table_of(n) for n in wanted}:
            raise DataError(
                f"source.tables has {name}, which source.files has not",
                where="study.toml source.tables",
                hint=nearest(name, wanted),
            )
    found = []
    for name in wanted:
        key = name.upper() if name.upper() in known else table_of(name)
        if key not in known:
            raise DataError(f"there is no data set {name}", where="study.toml source.files", hint=nearest(name, known))
        dataset, own = known[key], apart.get(table_of(name), SourceColumns())
        subject = own.subject or source.subject
        names = [c.name for c in dataset.columns]
        if subject not in names:
            raise DataError(
                f"there is no column {subject}",
                where=f"study.toml source.subject, data set {dataset.name}",
                hint=nearest(subject, names),
            )
        found.append(SourceTable(dataset, subject, own))
    return found
