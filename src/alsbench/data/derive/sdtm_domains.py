"""SDTM domains among data sets: recognised by DOMAIN or name, read by column; ISO 8601 dates; planned visits.

Variables as in the SDTM implementation guide 3.4: ``--TESTCD``, ``--STRESN``, ``--DTC``. A partial date (``2021-03``) is no
date of a measurement: its study day is used where there is one. Of an event it is the span of
days that the text may mean (SDTMIG 3.4, 4.4.2): ``2013-05-14T10:00`` is one day; ``2013-05`` one of a month; ``2013``,
``2013---15`` and ``2013-UN-UN`` one of a year. A day that its month does not have leaves the month. A text without a year means
nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.tables import Floats, Values, as_numbers, as_texts, pull
from alsbench.data.derive.windows import Grid, target_day
from alsbench.study.model import DAYS_PER_UNIT, VisitUnit

_WHOLE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))(?:\D.*)?")
_YEAR = re.compile(r"(\d{4})(?:-(?!\d).*|-00.*)?")
DAY = np.timedelta64(1, "D")
FINDINGS = ("QS", "RS", "FT", "RE", "LB")
_KNOWN = frozenset({"DM", "SC", "MH", "CM", "DS", "AE", "EX", "CE", "PR", "SV", "TV", "SUPPDM", *FINDINGS})
_USUAL = frozenset(
    {"USUBJID", "DOMAIN", "VISIT", "VISITNUM", "VISITDY", "TESTCD", "TEST", "CAT", "STRESN", "STRESC", "STRESU", "ORRES",
     "ORRESU", "STAT", "DTC", "DY", "SPEC", "LLOQ", "LOBXFL", "BLFL", "STDTC", "ENDTC"}
)  # fmt: skip
_UNPLANNED = re.compile(r"unsch|early|terminat|withdraw", re.IGNORECASE)
_BASELINE = re.compile(r"\bbaseline\b|^\s*(month|week)\s*0\b|^\s*day\s*1\b", re.IGNORECASE)
_LABEL = re.compile(r"\b(month|week|day)s?\s*(\d+(?:\.\d+)?)\b|\b(\d+(?:\.\d+)?)\s*(month|week|day)s?\b", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


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


class Domain:
    """One data set of a domain. Columns are read when asked for; one that is not there is all missing."""

    def __init__(self, code: str, dataset: Dataset) -> None:
        self.code = code
        self.source = dataset.name
        self._dataset = dataset
        self._names = {c.name.upper(): c.name for c in dataset.columns}
        self._held: dict[str, Values] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    @property
    def names(self) -> list[str]:
        """Column names in upper case, in order."""
        return list(self._names)

    @cached_property
    def subject(self) -> Values:
        return self.texts("USUBJID")

    def __len__(self) -> int:
        return len(self.subject)

    def raw(self, name: str) -> Values:
        if name not in self._held:  # every column reads the file anew: those usually asked for come together
            usual = [n for n in self._names if not self._held and (n in _USUAL or n[2:] in _USUAL)]
            wanted = {self._names[n]: n for n in (name, *usual)}
            self._held |= {wanted[n]: v for n, v in pull(self._dataset, list(wanted)).items()}
        return self._held[name]

    def texts(self, *names: str) -> Values:
        """The first of these columns that is there, as text."""
        name = next((n for n in names if n in self), "")
        return as_texts(self.raw(name)) if name else np.full(self._rows, None, dtype=object)

    def upper(self, *names: str) -> list[str]:
        """As :meth:`texts`, in upper case, empty where missing."""
        return [(v or "").upper() for v in self.texts(*names)]

    def numbers(self, name: str) -> Floats:
        return as_numbers(self.raw(name))[0] if name in self else np.full(self._rows, np.nan)

    def dates(self, name: str) -> Values:
        """A column of ISO 8601 texts as days, NaT where missing or partial."""
        if name not in self:
            return np.full(self._rows, "NaT", dtype="datetime64[D]")
        values = self.raw(name)
        return values if values.dtype.kind == "M" else as_days(as_texts(values))

    def bounds(self, name: str) -> tuple[Values, Values]:
        """First and last possible day of a column of ISO 8601 texts, NaT where nothing is known."""
        if name not in self:
            return self.dates(name), self.dates(name)
        values = self.raw(name)
        return bounds(values if values.dtype.kind == "M" else as_texts(values))

    @cached_property
    def _rows(self) -> int:
        return len(self.raw(next(iter(self._names))))


def as_days(values: Values) -> Values:
    """ISO 8601 texts as days; NaT where there is no whole, real date."""
    days = np.full(len(values), "NaT", dtype="datetime64[D]")
    for i, v in enumerate(values):
        if v is not None and _ISO.match(v):
            try:
                days[i] = np.datetime64(v[:10], "D")
            except ValueError:
                continue  # the 31st of a short month: no date
    return days


def domains(datasets: Sequence[Dataset]) -> dict[str, list[Domain]]:
    """The domains among data sets by code. Split domains (QSAL, QSMM) are found by their DOMAIN column."""
    found: dict[str, list[Domain]] = {}
    for dataset in datasets:
        names = {c.name.upper() for c in dataset.columns}
        if "USUBJID" not in names and dataset.name != "TV":
            continue
        code = dataset.name if dataset.name in _KNOWN else ""
        if not code and "DOMAIN" in names:
            said = set(Domain("", dataset).upper("DOMAIN"))
            code = next(iter(said)) if len(said) == 1 and said <= _KNOWN else ""
        if code:
            found.setdefault(code, []).append(Domain(code, dataset))
    return found


def looks_like_sdtm(datasets: Sequence[Dataset]) -> bool:
    """Whether there is a DM with arms, and a findings domain beside it."""
    names = {d.name: {c.name.upper() for c in d.columns} for d in datasets}
    demographics = names.get("DM", set())
    if "USUBJID" not in demographics or not demographics & {"ARM", "ARMCD", "ACTARM"}:
        return False
    return any(f"{code}TESTCD" in columns for columns in names.values() for code in FINDINGS)


def visit_number(label: str | None) -> tuple[float, VisitUnit] | None:
    """``Month 6`` or ``6 months`` as (6, month); None for a label that names no time."""
    match = _LABEL.search(label or "")
    if match is None or _UNPLANNED.search(label or ""):
        return None
    unit = (match[1] or match[4]).lower()
    return float(match[2] or match[3]), "month" if unit == "month" else "week" if unit == "week" else "day"


def visit_unit(labels: Sequence[str | None]) -> VisitUnit:
    """The unit most visit labels are in; months where none says."""
    units = Counter(found[1] for v in labels if (found := visit_number(v)) is not None and not _BASELINE.search(v or ""))
    return units.most_common(1)[0][0] if units else "month"


def planned_grid(labels: Values, days: Floats, unit: VisitUnit, drop: frozenset[str] = frozenset()) -> Grid:
    """The analysis visits of one test from the visits of its records (rows,): label and VISITDY.

    The number is the time in the label, in ``unit``; the target is VISITDY, else the number's day. Where no label of the test
    tells a time, the visits are those with a VISITDY, and their number is that day's; VISITNUM counts visits and tells no time.
    Other visits, those before the first dose, unplanned ones and those in ``drop`` (labels in upper case, or numbers) are not
    analysis visits: their records fall into windows by day. Baseline is always one, on day 1.
    """
    timed: dict[str, tuple[float, float]] = {}
    planned: dict[str, tuple[float, float]] = {}
    for label, day in zip(labels, days, strict=True):
        if label is None or label in timed or _UNPLANNED.search(label) or _BASELINE.search(label):
            continue
        told = visit_number(label)
        if told is not None:
            scaled = round(told[0] * DAYS_PER_UNIT[told[1]] / DAYS_PER_UNIT[unit], 2) if told[1] != unit else told[0]
            timed[label] = (scaled, float(day) if day == day else float(target_day(told[0], told[1])))
        elif day == day:
            planned.setdefault(label, (number_of_day(float(day), unit), float(day)))
    kept = {k: v for k, v in (timed or planned).items() if not {k.upper(), f"{v[0]:g}"} & drop}
    later = sorted({(t, n, label) for label, (n, t) in kept.items() if t > 1 and n > 0})
    once: dict[float, tuple[float, str]] = {}
    for target, number, label in later:
        if number not in {n for n, _ in once.values()}:
            once.setdefault(target, (number, label))
    return Grid(
        (0.0, *(n for n, _ in once.values())),
        ("Baseline", *(label for _, label in once.values())),
        (1.0, *once),
    )


def number_of_day(day: float, unit: VisitUnit) -> float:
    """A planned day in visit units: 2 for day 14 or 15 in weeks (day 1 is the first dose), two decimals where it is none."""
    each = DAYS_PER_UNIT[unit]
    return next((n for n in (day / each, (day - 1) / each) if n.is_integer()), round((day - 1) / each, 2))
