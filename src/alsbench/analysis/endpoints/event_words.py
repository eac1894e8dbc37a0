"""What the words of an adverse event data set say: treatment-emergent, related, severe, serious, drug withdrawn, fatal.

The words are those of CDISC's controlled terminology (NY, ACN, OUT, AESEV, and the usual ones of AEREL), in any case, and the
codings met beside it: Yes and No, 1 and 0. A missing relatedness or severity counts as the worst (METHODS 5), a missing flag as
no. A word that is not known counts as the worst too, but for an action taken, and every such word is said: none may turn a
serious event into none without a trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from alsbench.analysis.model_data import Floats
from alsbench.data.frames import Frame
from alsbench.stats.incidence import NOT_SEVERE, UNRELATED, related, severe

YES = frozenset({"Y", "YES", "1", "TRUE"})
NO = frozenset({"N", "NO", "0", "FALSE", "U", "UNKNOWN", "NA"})
RELATED = frozenset(
    {"RELATED", "POSSIBLE", "PROBABLE", "DEFINITE", "SUSPECTED", "REASONABLE POSSIBILITY", "Y", "YES", "1", "TRUE"}
    | {f"{how} RELATED" for how in ("POSSIBLY", "PROBABLY", "DEFINITELY")}
)
SEVERE = frozenset({"SEVERE", "LIFE THREATENING", "LIFE-THREATENING", "FATAL", "DEATH", "3", "4", "5", "3.0", "4.0", "5.0"}) | {
    f"GRADE {k}" for k in (3, 4, 5)
}
FATAL = frozenset({"FATAL", "DEATH", "5", "GRADE 5"})
WITHDRAWN = re.compile(r"WITHDRAW|DISCONTINU")
KEPT = re.compile(r"\b(?:NOT|NO|NEVER)(?: \w+)? (?:WITHDRAW|DISCONTINU)|TEMPORAR")
ACTIONS = frozenset(
    {"DOSE INCREASED", "DOSE NOT CHANGED", "DOSE REDUCED", "DOSE RATE REDUCED", "DOSE DELAYED", "DRUG INTERRUPTED"}
    | {"NOT APPLICABLE", "NOT EVALUABLE", "UNKNOWN", "NONE", "NO ACTION", "NO ACTION TAKEN", "NO CHANGE", "N", "NO", "NA", "U"}
)  # that leave the subject on the drug, or say nothing of it
SHOWN = 4  # unknown words named in a warning


def flags_of(frame: Frame) -> dict[str, Floats]:
    """What the overview asks of each record (records,): 1 or 0, as ``stats.incidence.categories`` takes it."""
    return {
        "emergent": yes(frame, "TRTEMFL", absent=1.0),
        "related": related(texts(frame, "AEREL")),
        "severe": severe(_severity(frame)),
        "serious": yes(frame, "AESER", absent=0.0),
        "discontinued": np.array([float(_withdrawn(word)) for word in _words(texts(frame, "AEACN"))]),
        "fatal": _fatal(frame),
    }


def word_warnings(frame: Frame) -> list[str]:
    """Warnings of words that are not known, with how they were counted."""
    columns = (
        *((name, texts(frame, name), YES | NO, "yes") for name in ("TRTEMFL", "AESER", "AESDTH")),
        ("AEREL", texts(frame, "AEREL"), RELATED | UNRELATED, "related"),
        ("AESEV" if "AESEV" in frame.columns else "AETOXGR", _severity(frame), SEVERE | NOT_SEVERE, "severe"),
    )
    found = [_said(name, {w for w in _words(values) if w} - known, how) for name, values, known, how in columns]
    actions = {w for w in _words(texts(frame, "AEACN")) if w and not WITHDRAWN.search(w)} - ACTIONS
    return [text for text in (*found, _said("AEACN", actions, "not leading to discontinuation")) if text]


def texts(frame: Frame, column: str) -> list[str | None]:
    """A column as text, None where missing; all missing where the data set does not have it."""
    if column not in frame.columns:
        return [None] * len(frame)
    if frame.kind(column) == "number":
        return [f"{v:g}" if v == v else None for v in frame[column].tolist()]
    return [None if v is None else str(v) for v in frame[column].tolist()]


def _words(values: Iterable[str | None]) -> list[str]:
    """In capitals, with single spaces; empty where missing."""
    return [" ".join(v.upper().split()) if v else "" for v in values]


def yes(frame: Frame, column: str, *, absent: float) -> Floats:
    """1 for yes and for a word that is not known, 0 for no and where missing; ``absent`` without such a column."""
    if column not in frame.columns:
        return np.full(len(frame), absent)
    return np.array([float(bool(word) and word not in NO) for word in _words(texts(frame, column))])


def _severity(frame: Frame) -> list[str | None]:
    return [a or b for a, b in zip(texts(frame, "AESEV"), texts(frame, "AETOXGR"), strict=True)]


def _withdrawn(word: str) -> bool:
    return bool(WITHDRAWN.search(word)) and not KEPT.search(word)


def _fatal(frame: Frame) -> Floats:
    """Fatal by the flag of death, the outcome or the grade: whichever of them says so."""
    fatal = yes(frame, "AESDTH", absent=0.0)
    for column in ("AEOUT", "AETOXGR"):
        fatal = np.maximum(fatal, [float(word in FATAL) for word in _words(texts(frame, column))])
    return fatal


def _said(column: str, unknown: set[str], how: str) -> str:
    if not unknown:
        return ""
    named = ", ".join(f"'{w}'" for w in sorted(unknown)[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
    return f"{column} holds words that are not known, counted as {how}: {named}"
