"""Partial ISO 8601 dates (SDTMIG 3.4, 4.4.2): the first and the last day that a ``--DTC`` text may mean.

``2013-05-14T10:00`` is one day; ``2013-05`` one of a month; ``2013``, ``2013---15`` and ``2013-UN-UN`` one of a year. A day
that its month does not have leaves the month. A text without a year means nothing.
"""

from __future__ import annotations

import re

import numpy as np

from alsbench.data.derive.columns import Values

_WHOLE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))(?:\D.*)?")
_YEAR = re.compile(r"(\d{4})(?:-(?!\d).*|-00.*)?")
DAY = np.timedelta64(1, "D")


def bounds(values: Values) -> tuple[Values, Values]:
    """First and last possible day of texts (rows,) or of days, NaT where nothing is known. An interval ``a/b`` is from the
    first day of ``a`` to the last of ``b``."""
    if values.dtype.kind == "M":
        return values.astype("datetime64[D]"), values.astype("datetime64[D]")
    first, last = (np.full(len(values), "NaT", dtype="datetime64[D]") for _ in range(2))
    known = {v: _span(str(v)) for v in set(values.tolist()) if v is not None}
    for i, v in enumerate(values.tolist()):
        if v is not None:
            first[i], last[i] = known[v]
    return first, last


def partial(first: Values, last: Values) -> Values:
    """Which of the spans are dates that are not whole."""
    found: Values = first < last
    return found


def _span(text: str) -> tuple[np.datetime64, np.datetime64]:
    start, _, end = text.strip().upper().partition("/")
    if end:
        return _span(start)[0], _span(end)[1]
    if _WHOLE.match(start):
        try:
            day = np.datetime64(start[:10], "D")
            return day, day
        except ValueError:
            pass  # the 31st of a short month: the month is known
    for pattern in (_MONTH, _YEAR):
        match = pattern.fullmatch(start)
        if match is not None:
            span = np.datetime64(match[1])  # of the unit it is written in: a month or a year
            return span.astype("datetime64[D]"), (span + 1).astype("datetime64[D]") - DAY
    return np.datetime64("NaT", "D"), np.datetime64("NaT", "D")
