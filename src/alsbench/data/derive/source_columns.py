"""The tables that ``[source]`` names and their columns: numbers with local decimals, dates in local order, texts.

A column that is not there is an error with the nearest names. A value that cannot be read is missing, and reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.tables import Floats, Values, as_texts, pull
from alsbench.data.text_dates import WAYS, detect_format
from alsbench.errors import DataError
from alsbench.study.local_words import MISSING_WORDS, said_word
from alsbench.study.model import SourceMap
from alsbench.study.names import nearest


@dataclass
class SourceTable:
    """A data set of visits or of subjects, its columns read when they are asked for."""

    dataset: Dataset
    subject: str
    held: dict[str, Values] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.dataset.columns]

    def __contains__(self, column: str) -> bool:
        return column in self.names

    def __len__(self) -> int:
        return len(self.subjects)

    def absent(self, column: str, names: Sequence[str]) -> DataError:
        """That a column is not there, with the nearest names."""
        return DataError(
            f"there is no column {column}", where=f"study.toml source, data set {self.name}", hint=nearest(column, names)
        )

    def column(self, name: str) -> Values:
        """Values as stored. Raises DataError where there is no such column."""
        if name not in self:
            raise self.absent(name, self.names)
        if name not in self.held:
            self.held[name] = pull(self.dataset, [name])[name]
        return self.held[name]

    def texts(self, name: str) -> Values:
        """Trimmed texts; words for missing are missing."""
        found = as_texts(self.column(name))
        found[:] = [None if v is None or said_word(v) in MISSING_WORDS - {"N/A"} else v for v in found]
        return found

    def is_number(self, name: str) -> bool:
        """Whether every value that is there is a number."""
        values = self.column(name)
        return values.dtype.kind == "f" or all(v is None or _number(v) == _number(v) for v in self.texts(name))

    def numbers(self, name: str, report: DerivationReport) -> Floats:
        """Numbers, with a decimal comma or point; what is none is missing and reported, words for missing as a note."""
        values = self.column(name)
        if values.dtype.kind == "f":
            return values.astype(np.float64)
        said = as_texts(values)
        found = np.array([np.nan if v is None else _number(v) for v in said])
        words = np.array([v is not None and said_word(v) in MISSING_WORDS for v in said])
        odd = np.isnan(found) & ~words & np.array([v is not None for v in said])
        shown = ", ".join(sorted({str(v) for v in said[words]}))
        report.found(
            "source-missing-word",
            "note",
            self.name,
            f"{{n}} values of {name} are missing: {shown}",
            np.flatnonzero(words) + 1,
            self.subjects[words],
        )
        what = f"{{n}} values of {name} are no numbers and count as missing"
        report.found("source-unreadable", "warning", self.name, what, np.flatnonzero(odd) + 1, self.subjects[odd])
        return found

    def dates(self, name: str, order: str, report: DerivationReport) -> Values:
        """Dates; a column whose day and month cannot be told apart needs ``order``."""
        values = self.column(name)
        if values.dtype.kind == "M":
            return values
        said = self.texts(name)
        counts = Counter(str(v) for v in said if v is not None)
        if not counts:
            return np.full(len(said), np.datetime64("NaT", "D"))
        told = detect_format(counts)
        way = next((w for w in WAYS if order and w.name == order and told.way is None), told.way or told.most)
        if told.ambiguous and not order:
            hint = 'say which: dates = "day/month/year" or "month/day/year" in [source]'
            raise DataError(f"day and month of {name} cannot be told apart", where=self.name, hint=hint)
        read = [None if v is None or way is None else way.read(str(v)) for v in said]
        lost = np.array([v is not None and d is None for v, d in zip(said, read, strict=True)])
        report.found(
            "source-date",
            "warning",
            self.name,
            f"{{n}} values of {name} are no dates and count as missing",
            np.flatnonzero(lost) + 1,
            self.subjects[lost],
        )
        return np.array([np.datetime64("NaT") if d is None else np.datetime64(d) for d in read], dtype="datetime64[D]")

    @property
    def subjects(self) -> Values:
        if self.subject not in self.held:
            self.column(self.subject)
        return as_texts(self.held[self.subject])


def _number(text: str) -> float:
    try:
        value = float(text.replace(",", ".")) if text.count(",") <= 1 and not (text.count(",") and "." in text) else np.nan
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def table_of(name: str) -> str:
    """The data set that a file of this name becomes."""
    return PurePosixPath(name).stem.upper() if "." in name else name.upper()


def named_tables(datasets: Sequence[Dataset], source: SourceMap) -> list[SourceTable]:
    """The tables of ``source.files`` in their order: visits, then subjects."""
    known = {d.name.upper(): d for d in datasets}
    wanted = source.files or tuple(known)[:1]
    found = []
    for name in wanted:
        if table_of(name) not in known:
            raise DataError(f"there is no data set {name}", where="study.toml source.files", hint=nearest(name, known))
        dataset = known[table_of(name)]
        if source.subject not in [c.name for c in dataset.columns]:
            names = [c.name for c in dataset.columns]
            raise DataError(
                f"there is no column {source.subject}",
                where=f"study.toml source.subject, data set {dataset.name}",
                hint=nearest(source.subject, names),
            )
        found.append(SourceTable(dataset, source.subject))
    return found
