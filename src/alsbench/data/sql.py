"""SQL text without user text: quoted identifiers, and values as constants in an alphabet that cannot carry SQL.

DuckDB's Python client imports pandas to bind a value (0.6 s, and a snapshot must open without it), so values are not handed
to the client but written as constants: numbers as digits, dates as digits, text as the hexadecimal of its UTF-8 bytes. A value
can therefore contain anything and still be nothing but a value.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|\?')


def quote(identifier: str) -> str:
    """``identifier`` as a quoted SQL name. Raises ValueError for a NUL, which no name may hold."""
    if "\0" in identifier:
        raise ValueError("a name cannot hold a NUL character")
    return '"' + identifier.replace('"', '""') + '"'


def constant(value: object) -> str:
    """``value`` as a typed SQL constant. Raises TypeError for anything but None, bool, int, float, str and date."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(int(value)) if abs(value) < 2**63 else f"CAST({float(value)!r} AS DOUBLE)"
        case float():
            return _number(float(value))
        case str():
            return f"decode(unhex('{value.encode('utf-8', 'surrogatepass').hex()}'))" if value else "''"
        case dt.datetime():
            raise TypeError("a date is wanted, not a date and time")
        case dt.date():
            return f"DATE '{value.isoformat()}'"
    raise TypeError(f"a value of type {type(value).__name__} cannot be compared with data")


def fill(sql: str, params: Sequence[object]) -> str:
    """``sql`` with each ``?`` outside quotes replaced by its value's constant. Raises ValueError if counts differ."""
    values: Iterator[object] = iter(params)

    def put(match: re.Match[str]) -> str:
        if match.group() != "?":
            return match.group()
        try:
            return constant(next(values))
        except StopIteration:
            raise ValueError("fewer values than placeholders") from None

    text = _TOKEN.sub(put, sql)
    if next(values, _NONE) is not _NONE:
        raise ValueError("more values than placeholders")
    return text


_NONE = object()


def _number(value: float) -> str:
    if math.isnan(value):
        return "CAST('NaN' AS DOUBLE)"
    if math.isinf(value):
        return f"CAST('{'-' if value < 0 else ''}Infinity' AS DOUBLE)"
    return f"CAST({value!r} AS DOUBLE)"
