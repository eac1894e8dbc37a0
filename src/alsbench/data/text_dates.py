"""Dates written as text in a column named ``...DT``: in which way, and the column as dates.

A whole column is written in one way: ISO 8601 (2021-06-30, midnight behind it or not), 20210630, 2021/06/30, 30JUN2021 as SAS
writes it, 30.06.2021, 2021年6月30日, 2021년 6월 30일, 2021. 6. 30., with a German, French or Spanish month
(30. Juni 2021, 30 juin 2021, 30 de junio de 2021), 30/06/2021 or 06/30/2021. The last two are told apart by a value that only
one of them can be; where none settles it the column stays text. Years of two digits and partial dates are no dates. A column of
which one value is no date stays text, and its first such row is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from alsbench.data.dataset import ARROW_TYPE, Dataset
from alsbench.data.frames import ColumnInfo
from alsbench.data.sanitize import visible_line

_MOST = 50_000  # different values: a column of dates has fewer
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MIDNIGHT = r"(?:[T: ]00:00(?::00(?:\.0+)?)?Z?)?"


@dataclass(frozen=True)
class DateFormat:
    """A way to write a date: its name for people, and the date a text is in it (None if it is none)."""

    name: str
    read: Callable[[str], date | None]


@dataclass(frozen=True)
class DetectedFormat:
    """How a column's values are written. ``way`` is None where they are no dates or cannot be told; ``others`` are then the
    values that are not written as most are, which is ``most``."""

    way: DateFormat | None
    most: DateFormat | None = None
    others: frozenset[str] = frozenset()

    @property
    def ambiguous(self) -> bool:
        """Whether every value is a date, with day and month before or after each other."""
        return self.way is None and self.most is not None and not self.others


def is_date_name(column: str) -> bool:
    """Whether a column is named as a date of the analysis data is."""
    return column.upper().endswith("DT")


def detect_format(values: Mapping[str, int]) -> DetectedFormat:
    """The way in which these different texts, each with its count, are written."""
    read = {way: {v: d for v in values if (d := way.read(v.strip())) is not None} for way in WAYS}
    whole = [way for way in WAYS if len(read[way]) == len(values)]
    if whole and all(read[way] == read[whole[0]] for way in whole):
        return DetectedFormat(whole[0])
    if whole:
        return DetectedFormat(None, whole[0])
    most = max(WAYS, key=lambda way: sum(values[v] for v in read[way]))
    if not read[most]:
        return DetectedFormat(None, None, frozenset(values))
    return DetectedFormat(None, most, frozenset(values) - frozenset(read[most]))


def with_dates(dataset: Dataset) -> Dataset:
    """The data set with its columns of dates in text as dates; its remarks say how they were written, or where they are not."""
    wanted = [c for c in dataset.columns if is_date_name(c.name) and (c.kind == "text" or (c.kind == "number" and not c.type))]
    if not wanted:
        return dataset
    counts = _counted(dataset, [c.name for c in wanted])
    ways: dict[str, DateFormat] = {}
    for column in wanted:
        held = counts[column.name]
        found = detect_format(held) if held is not None else DetectedFormat(None)
        if column.kind == "number":
            if found.way is _BASIC:
                ways[column.name] = _BASIC
        elif found.way is not None:
            ways[column.name] = found.way
        else:
            dataset.remarks.append(_no_dates(dataset, column.name, found))
    for way in dict.fromkeys(way for way in ways.values() if way is not _ISO):
        named = ", ".join(name for name, own in ways.items() if own is way)
        dataset.remarks.append(f"{named}: dates were read as {way.name}")
    if not ways:
        return dataset
    columns = tuple(replace(c, kind="date") if c.name in ways else c for c in dataset.columns)
    return replace(dataset, columns=columns, batches=lambda: _converted(dataset, columns, ways))


def _counted(dataset: Dataset, names: list[str]) -> dict[str, dict[str, int] | None]:
    """The different values of columns with their counts; None for one that has more than dates could be."""
    counts: dict[str, dict[str, int] | None] = {name: {} for name in names}
    for batch in dataset.batches():
        for name in names:
            held = counts[name]
            if held is None:
                continue
            for value, count in _values(batch.column(name)):
                held[value] = held.get(value, 0) + count
            if len(held) > _MOST:
                counts[name] = None
    return counts


def _values(array: Any) -> Iterator[tuple[str, int]]:
    found = pc.value_counts(array.drop_null())
    for value, count in zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True):
        yield _as_text(value), count


def _as_text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else str(value)


def _no_dates(dataset: Dataset, name: str, found: DetectedFormat) -> str:
    """Why a column stays text."""
    row, value = _first(dataset, name, found.others)
    shown = visible_line(value, limit=30)
    if found.ambiguous:
        return f"{name} is text: day and month cannot be told apart (row {row}: {shown})"
    most = f"; most are {found.most.name}" if found.most is not None else ""
    return f"{name} is text: row {row} is the first that holds no date: {shown}{most}"


def _first(dataset: Dataset, name: str, values: Iterable[str]) -> tuple[int, str]:
    """The first row (from 1) that holds one of the values, or any value if there are none; and the value."""
    wanted = frozenset(values)
    done = 0
    for batch in dataset.batches():
        for i, value in enumerate(batch.column(name).to_pylist()):
            if value is not None and (not wanted or value in wanted):
                return done + i + 1, value
        done += batch.num_rows
    return 0, ""


def _converted(dataset: Dataset, columns: tuple[ColumnInfo, ...], ways: Mapping[str, DateFormat]) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in columns])
    for batch in dataset.batches():
        arrays = [
            _dates(array, ways[c.name]) if c.name in ways else array for c, array in zip(columns, batch.columns, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema).replace_schema_metadata(batch.schema.metadata)


def _dates(array: Any, way: DateFormat) -> Any:
    """Texts (or whole numbers) as dates, each different one read once."""
    packed = array.dictionary_encode()
    days = [way.read(_as_text(v).strip()) for v in packed.dictionary.to_pylist()]
    return pa.array(days, pa.date32()).take(packed.indices)


def _day(year: str, month: str | int, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _pattern(form: str, order: tuple[int, int, int]) -> Callable[[str], date | None]:
    """A reader of texts of a pattern whose groups ``order`` are year, month and day."""
    compiled = re.compile(form, re.ASCII)

    def read(text: str) -> date | None:
        found = compiled.fullmatch(text)
        return _day(*(found[i] for i in order)) if found else None

    return read


_NAMED = re.compile(rf"(\d{{1,2}})([-/ .]?)([A-Za-z]+)\.?\2(\d{{4}}){_MIDNIGHT}", re.ASCII)


def _with_month_name(text: str) -> date | None:
    found = _NAMED.fullmatch(text)
    if found is None:
        return None
    name = found[3].lower()
    months = _MONTHS if name in _MONTHS else _MONTH_NAMES
    return _day(found[4], months.index(name) + 1, found[1]) if name in months else None


_LOCAL_MONTHS = {
    name: number
    for months in (
        "januar februar märz april mai juni juli august september oktober november dezember",
        "jan feb mär apr mai jun jul aug sep okt nov dez",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    )
    for number, name in enumerate(months.split(), start=1)
}
_LOCAL = re.compile(rf"(\d{{1,2}})\.? ?(?:de )?([^\W\d_]+)\.? (?:de )?(\d{{4}}){_MIDNIGHT}")


def _with_local_month(text: str) -> date | None:
    found = _LOCAL.fullmatch(text)
    month = _LOCAL_MONTHS.get(found[2].lower()) if found else None
    return _day(found[3], month, found[1]) if found and month else None


_ISO = DateFormat("year-month-day", _pattern(rf"(\d{{4}})-(\d\d)-(\d\d){_MIDNIGHT}", (1, 2, 3)))
_EAST = r"(\d{4}) ?[年년] ?(\d\d?) ?[月월] ?(\d\d?) ?[日일]"
_BASIC = DateFormat("yyyymmdd", _pattern(r"(\d{4})(\d\d)(\d\d)", (1, 2, 3)))
WAYS = (
    _ISO,
    _BASIC,
    DateFormat("year/month/day", _pattern(rf"(\d{{4}})([/.])(\d\d?)\2(\d\d?){_MIDNIGHT}", (1, 3, 4))),
    DateFormat("day, name of the month, year", _with_month_name),
    DateFormat("day, local name of the month, year", _with_local_month),
    DateFormat("year, month and day in Chinese, Japanese or Korean", _pattern(_EAST, (1, 2, 3))),
    DateFormat("year. month. day.", _pattern(r"(\d{4})\. ?(\d\d?)\. ?(\d\d?)\.?", (1, 2, 3))),
    DateFormat("day.month.year", _pattern(rf"(\d\d?)\.(\d\d?)\.(\d{{4}}){_MIDNIGHT}", (3, 2, 1))),
    DateFormat("day/month/year", _pattern(rf"(\d\d?)([/-])(\d\d?)\2(\d{{4}}){_MIDNIGHT}", (4, 3, 1))),
    DateFormat("month/day/year", _pattern(rf"(\d\d?)([/-])(\d\d?)\2(\d{{4}}){_MIDNIGHT}", (4, 1, 3))),
)
