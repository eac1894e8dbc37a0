"""Words that stand for a missing value where a cell should be empty.

One of them among numbers makes a CSV column text, and is no number in Dataset-JSON. Nothing is taken for missing by itself, for
``NA`` may be Namibia: the user says which words are (``load --missing NA``), and the receipt says where they stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alsbench.data.safe_text import visible_line

if TYPE_CHECKING:
    from alsbench.data.dataset import Dataset

WORDS_FOR_MISSING = frozenset({".", "-", "--", "?", "N/A", "NA", "NAN", "ND", "NONE", "NULL", "MISSING", "UNK", "UNKNOWN"})


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
        import pyarrow as pa
        import pyarrow.compute as pc

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
    import pyarrow as pa

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
