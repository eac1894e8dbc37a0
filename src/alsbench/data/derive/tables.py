"""Tables in the making: columns between readers and derivations (Arrow in, NumPy to work with, a data set out), and tables of
one record per subject, parameter and analysis visit (ADaM's basic data structure).

number: float64, NaN is missing; text: object array of ``str`` or ``None``; date: datetime64[D], NaT is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import ARROW_TYPE, Dataset, from_table
from alsbench.data.derive.windows import AssignedVisits, Flags, Grid, Ints, base_and_change
from alsbench.data.frames import ColumnInfo
from alsbench.study.sql import Kind

Values = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DerivedColumn:
    """A column of a derived table. With ``words`` the values are positions in them, -1 where missing."""

    name: str
    label: str
    kind: Kind
    values: Values
    words: tuple[str | None, ...] | None = None


def text(name: str, label: str, values: Values | Sequence[str | None]) -> DerivedColumn:
    """A text column; empty texts are missing."""
    held = np.empty(len(values), dtype=object)
    held[:] = [None if v is None or v == "" else str(v) for v in values]
    return DerivedColumn(name, label, "text", held)


def coded(name: str, label: str, positions: Ints, words: Sequence[str | None]) -> DerivedColumn:
    """A text column of few different texts: the position of each value in ``words``, -1 where missing."""
    return DerivedColumn(name, label, "text", np.asarray(positions, dtype=np.int64), tuple(w or None for w in words))


def number(name: str, label: str, values: Values | Sequence[float]) -> DerivedColumn:
    return DerivedColumn(name, label, "number", np.asarray(values, dtype=np.float64))


def date(name: str, label: str, values: Values | Sequence[Any]) -> DerivedColumn:
    return DerivedColumn(name, label, "date", np.asarray(values, dtype="datetime64[D]"))


def flag(name: str, label: str, values: Values, *, no: str | None = None) -> DerivedColumn:
    """'Y' where true, ``no`` elsewhere."""
    return coded(name, label, np.where(np.asarray(values, dtype=bool), 0, 1), ("Y", no))


def build(name: str, label: str, columns: Sequence[DerivedColumn], remarks: Sequence[str] = ()) -> Dataset:
    """A data set of columns of one length."""
    table = pa.table({c.name: _arrow(c) for c in columns})
    infos = [ColumnInfo(c.name, c.label, c.kind, "DATE9." if c.kind == "date" else "") for c in columns]
    dataset = from_table(name, table, columns=infos, label=label, rows=table.num_rows)
    dataset.remarks.extend(remarks)
    return dataset


def _arrow(column: DerivedColumn) -> Any:
    if column.words is not None:
        positions = pa.array(column.values, mask=column.values < 0)
        return pa.array(list(column.words), pa.string()).take(positions)
    if column.kind in ("number", "date"):
        return pa.array(column.values, type=ARROW_TYPE[column.kind], from_pandas=True)
    return pa.array(column.values.tolist(), type=ARROW_TYPE[column.kind])


def pull(dataset: Dataset, names: Sequence[str]) -> dict[str, Values]:
    """Some columns of a data set, read batch by batch, so that the others need no memory."""
    wanted = list(dict.fromkeys(names))
    parts = [batch.select(wanted) for batch in dataset.batches()]
    schema = pa.schema([dataset.schema.field(n) for n in wanted])
    table = pa.Table.from_batches(parts, schema=schema)
    kinds = {c.name: c.kind for c in dataset.columns}
    return {n: _numpy(table.column(n), kinds[n]) for n in wanted}


def _numpy(column: Any, kind: Kind) -> Values:
    if kind == "date":
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype="datetime64[D]")
    if kind == "number":
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.float64)
    held = np.empty(len(column), dtype=object)
    if kind == "boolean":
        held[:] = [None if v is None else "Y" if v else "N" for v in column.to_pylist()]
    else:
        held[:] = column.to_pylist()
    return held


def as_numbers(values: Values) -> tuple[Floats, int]:
    """Values as numbers, and how many texts could not be read as one (they are missing)."""
    if values.dtype.kind == "f":
        return values.astype(np.float64), 0
    out = np.full(len(values), np.nan)
    lost = 0
    for i, value in enumerate(values):
        if value is None:
            continue
        try:
            out[i] = float(value)
        except (TypeError, ValueError):
            lost += 1
    return np.where(np.isfinite(out), out, np.nan), lost


def as_texts(values: Values) -> Values:
    """Values as trimmed text or None; whole numbers without a decimal point."""
    out = np.empty(len(values), dtype=object)
    if values.dtype.kind == "f":
        out[:] = [None if v != v else f"{v:.15g}" for v in values.tolist()]
    elif values.dtype.kind == "M":
        out[~np.isnat(values)] = np.datetime_as_string(values[~np.isnat(values)])
    else:
        out[:] = [None if v is None else str(v).strip() or None for v in values]
    return out


@dataclass(frozen=True)
class SubjectArms:
    """The subject-level facts other tables carry. ``head`` are columns (subjects,) every table begins with."""

    study: str
    ids: Values
    planned: Mapping[str, str]
    actual: Mapping[str, str]

    def head(self, subject: Values) -> list[DerivedColumn]:
        """STUDYID, USUBJID and arms of records (rows,) by subject id."""
        position = {s: i for i, s in enumerate(dict.fromkeys(subject.tolist()))}
        return self.head_at(np.fromiter((position[s] for s in subject), np.int64, len(subject)), list(position))

    def head_at(self, at: Ints, ids: Sequence[str | None]) -> list[DerivedColumn]:
        """As :meth:`head`, of records whose subjects stand at positions ``at`` of ``ids``."""
        return [
            coded("STUDYID", "Study Identifier", np.zeros(len(at), dtype=np.int64), [self.study]),
            coded("USUBJID", "Unique Subject Identifier", at, ids),
            coded("TRT01P", "Planned Treatment for Period 01", at, [self.planned.get(s or "") for s in ids]),
            coded("TRT01A", "Actual Treatment for Period 01", at, [self.actual.get(s or "") for s in ids]),
        ]


@dataclass(frozen=True)
class ParameterRecords:
    """Records (rows,) of one parameter. ``group`` numbers subjects; ``date`` is NaT where no dates are known.

    ``label`` names the visit of records that count at none; ``extra`` are further columns, the same in every block of a table.
    """

    code: str
    title: str
    subject: Values
    group: Ints
    day: Floats
    value: Floats
    placed: AssignedVisits
    date: Values | None = None
    label: Values | None = None
    grid: Grid | None = None
    extra: tuple[DerivedColumn, ...] = ()

    def known(self) -> ParameterRecords:
        """Without records that have no value."""
        return self.take(np.isfinite(self.value))

    def take(self, keep: Flags) -> ParameterRecords:
        placed = AssignedVisits(self.placed.window[keep], self.placed.baseline[keep], self.placed.counts[keep])
        return replace(
            self,
            subject=self.subject[keep],
            group=self.group[keep],
            day=self.day[keep],
            value=self.value[keep],
            placed=placed,
            date=None if self.date is None else self.date[keep],
            label=None if self.label is None else self.label[keep],
            extra=tuple(replace(c, values=c.values[keep]) for c in self.extra),
        )


def bds(
    name: str,
    label: str,
    blocks: Sequence[ParameterRecords],
    grid: Grid | None,
    subjects: SubjectArms,
    *,
    day_label: str = "Analysis Relative Day",
    remarks: Sequence[str] = (),
) -> Dataset:
    """The table, in the order of subjects, days and parameters. AVISITN stands only on records that count at a visit.

    ``grid`` holds for blocks without one of their own.
    """
    blocks = [b.known() for b in blocks]
    changes = [base_and_change(b.group, b.day, b.value, b.placed) for b in blocks]
    sizes = [b.value.size for b in blocks]
    which = np.repeat(np.arange(len(blocks)), sizes)
    at, ids = _positions(blocks, subjects.ids)
    counts = np.concatenate([b.placed.counts for b in blocks])
    baseline = np.concatenate([b.placed.baseline for b in blocks])
    day = np.concatenate([b.day for b in blocks])
    value = np.concatenate([b.value for b in blocks])
    stands = [_visits(b, b.grid or grid) for b in blocks]
    labels = _visit_labels([v[0] for v in stands])
    visit, target = np.concatenate([v[1] for v in stands]), np.concatenate([v[2] for v in stands])
    dated = all(b.date is not None for b in blocks)
    columns = [
        *subjects.head_at(at, ids),
        coded("PARAMCD", "Parameter Code", which, [b.code for b in blocks]),
        coded("PARAM", "Parameter", which, [b.title for b in blocks]),
        labels,
        number("AVISITN", "Analysis Visit (N)", visit),
        *([date("ADT", "Analysis Date", np.concatenate([b.date for b in blocks if b.date is not None]))] if dated else []),
        number("ADY", day_label, day),
        number("AWTARGET", "Analysis Window Target Day", target),
        number("AWTDIFF", "Days from Analysis Window Target", np.abs(day - target)),
        flag("ABLFL", "Baseline Record Flag", baseline),
        flag("ANL01FL", "Counts at its Visit", counts),
        number("AVAL", "Analysis Value", value),
        number("BASE", "Baseline Value", np.concatenate([c[0] for c in changes])),
        number("CHG", "Change from Baseline", np.concatenate([c[1] for c in changes])),
        *(
            replace(c, values=np.concatenate([b.extra[i].values for b in blocks]))
            for i, c in enumerate(blocks[0].extra if blocks else ())
        ),
    ]
    order = np.lexsort((which, day, np.minimum(at, len(subjects.ids))))
    return build(name, label, [replace(c, values=c.values[order]) for c in columns], remarks)


def _positions(blocks: Sequence[ParameterRecords], ids: Values) -> tuple[Ints, list[str | None]]:
    """Where the subject of each record stands in ``ids``, and these with those that are not in them."""
    position: dict[str | None, int] = {s: i for i, s in enumerate(ids.tolist())}
    found = [np.zeros(0, dtype=np.int64)]
    for block in blocks:
        of_group = np.full(int(block.group.max(initial=-1)) + 1, None, dtype=object)
        of_group[block.group] = block.subject
        at = [-1 if s is None else position.setdefault(s, len(position)) for s in of_group.tolist()]
        found.append(np.array(at, dtype=np.int64)[block.group])
    return np.concatenate(found), list(position)


def _visits(block: ParameterRecords, grid: Grid | None) -> tuple[tuple[Ints, list[str | None]], Floats, Floats]:
    """Label (position among labels), number and target day of the visit each record counts at."""
    if grid is None:
        raise ValueError(f"{block.code} has no visits")
    window = block.placed.window
    words: dict[str | None, int] = {s: i for i, s in enumerate(dict.fromkeys((*grid.labels, "Unscheduled")))}
    of_window = np.array([*(words[s] for s in grid.labels), words["Unscheduled"]], dtype=np.int64)
    at = of_window[window]
    if block.label is not None:
        for i in np.flatnonzero(window < 0).tolist():
            said = block.label[i] or "Unscheduled"
            at[i] = words.setdefault(said, len(words))
    return (at, list(words)), np.array([*grid.numbers, np.nan])[window], np.array([*grid.targets, np.nan])[window]


def _visit_labels(stands: Sequence[tuple[Ints, list[str | None]]]) -> DerivedColumn:
    """AVISIT of the records of all blocks."""
    words: list[str | None] = []
    parts = [np.zeros(0, dtype=np.int64)]
    for at, own in stands:
        parts.append(at + len(words))
        words += own
    return coded("AVISIT", "Analysis Visit", np.concatenate(parts), words)
