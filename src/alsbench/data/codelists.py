"""What words in the data say: those of flags and of adverse event columns, and those that stand for a missing value.

Flags and adverse events: 1 yes, 0 no, NaN nothing that is known. Words are those of CDISC's controlled terminology (NY, ACN,
OUT, AESEV, and the usual ones of AEREL) in any case, and the codings met beside it: yes and no, 1 and 0, true and false. A
blank, a word for unknown (U, UNKNOWN, NA) and a word that is in no list all say nothing: whoever counts them says as what.

A word for a missing value where a cell should be empty makes a CSV column text, and is no number in Dataset-JSON. Nothing is
taken for missing by itself, for ``NA`` may be Namibia: the user says which words are (``load --missing NA``), and the receipt
says where they stood.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alsbench.data.sanitize import visible_line

if TYPE_CHECKING:
    from alsbench.data.dataset import Dataset

UNKNOWN = math.nan
YES = frozenset({"Y", "YES", "1", "1.0", "TRUE", "T", "J", "JA"})
NO = frozenset({"N", "NO", "0", "0.0", "FALSE", "F", "NEIN"})
UNRELATED = frozenset({"NOT RELATED", "UNRELATED", "NONE", "NOT SUSPECTED"}) | NO
RELATED = (
    frozenset({"RELATED", "POSSIBLE", "PROBABLE", "DEFINITE", "SUSPECTED", "REASONABLE POSSIBILITY"})
    | {f"{how} RELATED" for how in ("POSSIBLY", "PROBABLY", "DEFINITELY")}
    | YES
)
NOT_SEVERE = frozenset({"MILD", "MODERATE", "1", "2", "1.0", "2.0", "GRADE 1", "GRADE 2"})
DEADLY = frozenset({"FATAL", "DEATH", "5", "5.0", "GRADE 5"})
SEVERE = (
    frozenset({"SEVERE", "LIFE THREATENING", "LIFE-THREATENING", "3", "4", "3.0", "4.0"})
    | {f"GRADE {k}" for k in (3, 4)}
    | DEADLY
)
ACTIONS = frozenset({"NOT APPLICABLE", "NONE", "NO ACTION", "NO ACTION TAKEN", "NO CHANGE"}) | NO
WITHDRAWN = re.compile(r"WITHDRAW|DISCONTINU")
KEPT = re.compile(
    r"\b(?:NOT|NO|NEVER)(?: \w+)? (?:WITHDRAW|DISCONTINU)|TEMPORAR|INTERRUPT|DELAY|REDUC|INCREAS|NOT CHANGED|UNCHANGED|\bHELD\b"
)
DIED = re.compile(r"\b(?:FATAL|DEATH|DIED|DEAD)\b")
SURVIVED = re.compile(r"\b(?:NOT|NON)[ -]FATAL|RECOVER|RESOLV|SEQUELAE|ONGOING|CONTINUING|IMPROV|UNCHANGED|STABLE|WORSEN")
SHOWN = 4  # words named in a sentence
Reader = Callable[[str], float]
WORDS_FOR_MISSING = frozenset({".", "-", "--", "?", "N/A", "NA", "NAN", "ND", "NONE", "NULL", "MISSING", "UNK", "UNKNOWN"})


def word(value: object) -> str:
    """In capitals, with single spaces; empty where missing. A number is written as short as can be."""
    if value is None or value != value:
        return ""
    return " ".join((f"{value:g}" if isinstance(value, float) else str(value)).upper().split())


def yes(said: str) -> float:
    return 1.0 if said in YES else 0.0 if said in NO else UNKNOWN


def related(said: str) -> float:
    return 0.0 if said in UNRELATED else 1.0 if said in RELATED else UNKNOWN


def severe(said: str) -> float:
    """Severe or grade 3 and more."""
    return 0.0 if said in NOT_SEVERE else 1.0 if said in SEVERE else UNKNOWN


def withdrawn(said: str) -> float:
    """Whether an action taken (AEACN) left the subject without the drug for good."""
    if KEPT.search(said) or said in ACTIONS:
        return 0.0
    return 1.0 if WITHDRAWN.search(said) else UNKNOWN


def fatal_outcome(said: str) -> float:
    """Whether an outcome (AEOUT) is death."""
    if SURVIVED.search(said):
        return 0.0
    return 1.0 if DIED.search(said) else UNKNOWN


def fatal_grade(said: str) -> float:
    """Whether a severity or toxicity grade says death: grade 5."""
    return 1.0 if said in DEADLY else 0.0 if said in SEVERE | NOT_SEVERE else UNKNOWN


def listed(words: set[str]) -> str:
    """``blank, 'NA', 'U'``: what a column says where it says nothing that is known."""
    named = [f"'{w}'" for w in sorted(words - {""})]
    shown = (["blank"] if "" in words else []) + named[:SHOWN] + (["..."] if len(named) > SHOWN else [])
    return ", ".join(shown)


class MissingWords:
    """The words that are missing values in the files of one load, and the columns in which each was found."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = frozenset(w.strip() for w in words if w.strip())
        self._found: dict[str, dict[str, None]] = {}

    def __bool__(self) -> bool:
        return bool(self.words)

    def means_missing(self, value: object, column: str) -> bool:
        """Whether a cell is one of the words, blanks around it apart."""
        if not self.words or not isinstance(value, str) or value.strip() not in self.words:
            return False
        self._found.setdefault(value.strip(), {})[column] = None
        return True

    def blank(self, texts: Any, column: str) -> Any:
        """An Arrow string array with nulls in place of the words."""
        if not self.words:
            return texts
        import pyarrow as pa  # waits: pyarrow
        import pyarrow.compute as pc  # waits: pyarrow

        trimmed = pc.utf8_trim_whitespace(texts)
        hit = pc.is_in(trimmed, value_set=pa.array(sorted(self.words), pa.string()))
        for word in pc.unique(trimmed.filter(hit)).to_pylist():
            self._found.setdefault(word, {})[column] = None
        return pc.if_else(hit, pa.scalar(None, pa.string()), texts)

    @property
    def remarks(self) -> list[str]:
        """Which words were read as missing, and where."""
        return [f"{visible_line(word, limit=30)} is missing in {', '.join(self._found[word])}" for word in sorted(self._found)]


def without_words(dataset: Dataset, words: MissingWords) -> Dataset:
    """A data set whose texts that are one of the words are missing."""
    import pyarrow as pa  # waits: pyarrow

    wanted = [c.name for c in dataset.columns if c.kind == "text"]
    if not words or not wanted:
        return dataset

    def batches() -> Iterator[pa.RecordBatch]:
        own = MissingWords(words.words)
        for batch in dataset.batches():
            arrays = [
                own.blank(a, c.name) if c.name in wanted else a for c, a in zip(dataset.columns, batch.columns, strict=True)
            ]
            held = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(dataset.schema))
            yield held.replace_schema_metadata(batch.schema.metadata)
        dataset.remarks.extend(r for r in own.remarks if r not in dataset.remarks)

    return replace(dataset, batches=batches)
