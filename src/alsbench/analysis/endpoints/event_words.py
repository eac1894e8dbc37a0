"""What an adverse event data set says of each record: treatment-emergent, related, severe, serious, drug withdrawn, fatal.

What a column does not tell (a blank, U, UNKNOWN, NA, a word in no list) counts as the worst and is named: related, severe,
serious, leading to discontinuation, fatal, treatment-emergent (METHODS 5 for relatedness and severity). Two limits:

- A column without any known word tells nothing. Relatedness and severity then count as the worst throughout; how many events
  were serious, fatal or led to discontinuation is unknown, and not 0.
- Flags of ADaM may be Y or blank (ADaM Implementation Guide, "Y or null"): a blank TRTEMFL is no where the column never says N,
  and unknown where it does.

A death is told by AESDTH, AEOUT or a grade; a record on which none of them says yes is not fatal where one says no, or AESER
does: death is a criterion of seriousness (ICH E2A).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alsbench.analysis.model_data import Floats
from alsbench.data import codelists as coded
from alsbench.data.frames import Frame

RELATEDNESS, SEVERITY = ("AEREL", "AREL"), ("AESEV", "ASEV", "AETOXGR", "ATOXGR")
GRADES = ("AETOXGR", "ATOXGR", "AESEV", "ASEV")
SOURCES: dict[str, tuple[tuple[str, ...], coded.Reader]] = {
    "related": (RELATEDNESS, coded.related),
    "severe": (SEVERITY, coded.severe),
    "serious": (("AESER",), coded.yes),
    "discontinued": (("AEACN",), coded.withdrawn),
}
FATAL = ("AESDTH", "AEOUT", *GRADES[:2])  # and a severity that says death
COUNTED = {
    "emergent": "treatment-emergent",
    "related": "related",
    "severe": "severe",
    "serious": "serious",
    "discontinued": "leading to discontinuation",
    "fatal": "fatal",
}
NEVER_ASSUMED = ("serious", "discontinued", "fatal")  # where nothing is told their number is unknown


@dataclass(frozen=True)
class Reading:
    """How a whole data set is to be read: what a blank TRTEMFL says, and the flags that no column tells, with the reason."""

    blank_emergent: float = coded.UNKNOWN
    untold: dict[str, str] = field(default_factory=dict)


def reading(whole: Frame) -> Reading:
    """The reading of a data set; give it whole, so that a part of it is read in the same way."""
    untold = {}
    for flag in (*SOURCES, "fatal"):
        told = _fatal(whole, seriousness=False) if flag == "fatal" else _delivered(whole, flag)
        if np.isnan(told).all():
            untold[flag] = _why(whole, _columns(whole, flag), FATAL[:2] if flag == "fatal" else SOURCES[flag][0][:1])
    emergent = [coded.yes(w) for w in set(_words(whole, "TRTEMFL"))]
    return Reading(0.0 if 1.0 in emergent and 0.0 not in emergent else coded.UNKNOWN, untold)


def flags_of(frame: Frame, how: Reading | None = None) -> dict[str, Floats]:
    """What the overview asks of each record (records,): 1 or 0, as ``stats.incidence.categories`` takes it."""
    return {flag: np.where(np.isnan(told), 1.0, told) for flag, told in delivered_flags(frame, how or reading(frame)).items()}


def delivered_flags(frame: Frame, how: Reading) -> dict[str, Floats]:
    """1 or 0 per record (records,), NaN where the data do not tell; an absent TRTEMFL makes every record count."""
    emergent = np.ones(len(frame))
    if "TRTEMFL" in frame.columns:
        emergent = np.array([coded.yes(w) if w else how.blank_emergent for w in _words(frame, "TRTEMFL")], dtype=np.float64)
    return {"emergent": emergent, **{flag: _delivered(frame, flag) for flag in SOURCES}, "fatal": _fatal(frame)}


def word_warnings(frame: Frame, how: Reading | None = None) -> list[str]:
    """Warnings of what the records do not tell, and of how it was counted."""
    how = how or reading(frame)
    told = delivered_flags(frame, how)
    inside = np.isnan(told["emergent"]) | (told["emergent"] == 1.0)  # what is not counted need not be known
    found = []
    for flag, counted in COUNTED.items():
        columns = _columns(frame, flag)
        silent = np.isnan(told[flag]) & inside
        if flag in how.untold:
            unknown = f"how many events were {counted} is unknown, not zero"
            found.append(f"{how.untold[flag]}: {unknown if flag in NEVER_ASSUMED else f'every event counts as {counted}'}")
        elif silent.any() and columns:
            n = int(silent.sum())
            words = {w for c in columns for w in np.array(_words(frame, c), dtype=object)[silent].tolist()}
            where = f"{n} record{'s' * (n != 1)} ({coded.listed(words)})"
            found.append(f"{' and '.join(columns)} not known in {where}: counted as {counted}")
    return found


def texts(frame: Frame, column: str) -> list[str | None]:
    """A column as text, None where missing; all missing where the data set does not have it."""
    if column not in frame.columns:
        return [None] * len(frame)
    if frame.kind(column) == "number":
        return [f"{v:g}" if v == v else None for v in frame[column].tolist()]
    return [None if v is None else str(v) for v in frame[column].tolist()]


def serious(frame: Frame) -> Floats:
    """1 for a serious event, 0 for one that is not, NaN where AESER does not tell (records,)."""
    return _delivered(frame, "serious")


def _columns(frame: Frame, flag: str) -> list[str]:
    """The columns that are there to tell a flag."""
    wanted = {"emergent": ("TRTEMFL",), "fatal": FATAL}.get(flag) or SOURCES[flag][0]
    return [c for c in wanted if c in frame.columns]


def _words(frame: Frame, column: str) -> list[str]:
    if column not in frame.columns:
        return [""] * len(frame)
    values = frame[column].tolist()
    if frame.kind(column) != "text":
        return [coded.word(v) for v in values]
    known = {v: coded.word(v) for v in set(values)}  # few words in many records
    return [known[v] for v in values]


def _read(frame: Frame, column: str, reader: coded.Reader) -> Floats:
    words = _words(frame, column)
    known = {w: reader(w) for w in set(words)}
    return np.array([known[w] for w in words], dtype=np.float64)


def _delivered(frame: Frame, flag: str) -> Floats:
    """By the first of the flag's columns that says something known."""
    columns, reader = SOURCES[flag]
    told = np.full(len(frame), coded.UNKNOWN)
    for column in columns:
        told = np.where(np.isnan(told), _read(frame, column, reader), told)
    return told


def _fatal(frame: Frame, *, seriousness: bool = True) -> Floats:
    sources = [_read(frame, "AESDTH", coded.yes), _read(frame, "AEOUT", coded.fatal_outcome)]
    sources += [_read(frame, column, coded.fatal_grade) for column in GRADES[:2]]
    severity = [_read(frame, column, coded.fatal_grade) for column in GRADES[2:]]
    sources += [np.where(s == 1.0, 1.0, coded.UNKNOWN) for s in severity]  # MILD or SEVERE says nothing of survival
    if seriousness:
        sources.append(np.where(_delivered(frame, "serious") == 0.0, 0.0, coded.UNKNOWN))
    yes, no = (np.logical_or.reduce([s == v for s in sources]) for v in (1.0, 0.0))
    return np.where(yes, 1.0, np.where(no, 0.0, coded.UNKNOWN))


def _why(whole: Frame, columns: list[str], wanted: tuple[str, ...]) -> str:
    if not columns:
        return f"{' or '.join(wanted)} is not in the data"
    words = {w for c in columns for w in _words(whole, c)}
    said = "blank throughout" if words <= {""} else f"nowhere known ({coded.listed(words)})"
    return f"{' and '.join(columns)} {'are' if len(columns) > 1 else 'is'} {said}"
