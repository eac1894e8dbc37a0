"""SAS values as columns: dates, datetimes and times by their display format.

SAS counts days and seconds from 1960-01-01; what a number means is told by its format only. Dates become dates; datetimes
and times have no kind of their own and become ISO 8601 text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.errors import DataError
from alsbench.study.sql import Kind

EPOCH = np.datetime64("1960-01-01")
_FIRST, _LAST = np.datetime64("1582-10-15"), np.datetime64("9999-12-31")
_DATETIME = re.compile(
    r"DATETIME|DATEAMPM|MDYAMPM|DTDATE|DTMONYY|DTWKDATX|DTYEAR|DTYYQC|(E|B|IS)8601(DT|DZ|DN|DX|LX)|NLDATM[A-Z]*|EURDFDT"
)
_TIME = re.compile(r"TIME|TIMEAMPM|TOD|HHMM|HOUR|MMSS|(E|B|IS)8601(TM|TZ|TX|LZ)|NLTIM(AP|E)")
_DATE = re.compile(
    r"DATE|DAY|(DDMMYY|MMDDYY|YYMMDD|MMYY|YYMM|YYQ|YYQR)[BCDNPS]?|YYQZ|YYWEEK[UVW]|MONYY|YYMON|MONNAME|MONTH|QTRR?|YEAR"
    r"|WEEKDA(TE|TX|Y)|WORDDAT[EX]|JULDAY|JULIAN|PDJUL[GI]|NLDATE[A-Z]*|(E|B|IS)8601DA|EURDF(DD|DE|DN|DWN|MN|MY|WDX|WKX)|HDATE"
    r"|HEBDATE|MINGUO|NENGO|DOWNAME|WEEK[UVW]"
)


@dataclass(frozen=True)
class FieldValues:
    """Numbers of one column and which of them are missing."""

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]


def date_kind(form: str) -> Kind:
    """The kind of a numeric SAS column, from its format: date, text (datetimes and times) or number.

    A trial's own formats tell nothing: ``TIMEPT.`` is not ``TIME.``, ``VISDAY.`` not ``DAY.``.
    """
    name = _name(form)
    if _DATETIME.fullmatch(name) or _TIME.fullmatch(name):
        return "text"
    return "date" if _DATE.fullmatch(name) else "number"


def _name(form: str) -> str:
    """The name of a format without width and decimals: ``DATETIME`` of ``DATETIME20.3``."""
    return re.sub(r"\d*\.?\d*$", "", form.strip().upper())


def to_arrow(field: FieldValues, kind: Kind, form: str, *, where: str, column: str, first_row: int = 1) -> Any:
    """Numbers as stored by SAS in the column's kind. Raises DataError naming row and column for a date outside 1582-9999."""
    if kind == "number":
        return pa.array(field.values, mask=field.missing)
    if kind == "date":
        return _dates(field, where, column, first_row)
    if _DATETIME.fullmatch(_name(form)):
        return _datetimes(field, where, column, first_row)
    return _times(field, where, column, first_row)


def _dates(field: FieldValues, where: str, column: str, first_row: int) -> Any:
    days = np.floor(np.where(field.missing, 0.0, field.values))
    low, high = (_FIRST - EPOCH).astype(float), (_LAST - EPOCH).astype(float)
    _within(days, low, high, field, where, column, first_row)
    dates = EPOCH + days.astype("timedelta64[D]")
    return pa.array(dates.astype("datetime64[D]"), mask=field.missing)


def _datetimes(field: FieldValues, where: str, column: str, first_row: int) -> Any:
    seconds = np.floor(np.where(field.missing, 0.0, field.values))
    low, high = ((d - EPOCH).astype("timedelta64[s]").astype(float) for d in (_FIRST, _LAST))
    _within(seconds, low, high, field, where, column, first_row)
    moments = EPOCH.astype("datetime64[s]") + seconds.astype("timedelta64[s]")
    return pa.array(np.datetime_as_string(moments, unit="s").astype(object), pa.string(), mask=field.missing)


def _times(field: FieldValues, where: str, column: str, first_row: int) -> Any:
    seconds = np.where(field.missing, 0.0, field.values)
    _within(seconds, -1e9, 1e9, field, where, column, first_row)
    texts = [_clock(int(s)) for s in np.floor(seconds)]
    return pa.array(np.array(texts, dtype=object), pa.string(), mask=field.missing)


def _clock(seconds: int) -> str:
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{left // 3600:02d}:{left // 60 % 60:02d}:{left % 60:02d}"


def _within(
    values: NDArray[np.float64], low: float, high: float, field: FieldValues, where: str, column: str, first_row: int
) -> None:
    wild = np.flatnonzero(~field.missing & ~((values >= low) & (values <= high)))
    if wild.size:
        raise DataError(
            f"{column} is no possible date",
            where=f"{where} row {first_row + int(wild[0])} column {column}",
            why="its format says date or time, its number lies outside the calendar",
        )
