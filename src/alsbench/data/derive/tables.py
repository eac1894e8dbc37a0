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
    """A column of a derived table."""

    name: str
    label: str
    kind: Kind
    values: Values


def text(name: str, label: str, values: Values | Sequence[str | None]) -> DerivedColumn:
    """A text column; empty texts are missing."""
    held = np.empty(len(values), dtype=object)
    held[:] = [None if v is None or v == "" else str(v) for v in values]
    return DerivedColumn(name, label, "text", held)


def number(name: str, label: str, values: Values | Sequence[float]) -> DerivedColumn:
    return DerivedColumn(name, label, "number", np.asarray(values, dtype=np.float64))


def date(name: str, label: str, values: Values | Sequence[Any]) -> DerivedColumn:
    return DerivedColumn(name, label, "date", np.asarray(values, dtype="datetime64[D]"))


def flag(name: str, label: str, values: Values, *, no: str | None = None) -> DerivedColumn:
    """'Y' where true, ``no`` elsewhere."""
    return text(name, label, [("Y" if v else no) for v in np.asarray(values, dtype=bool)])


def build(name: str, label: str, columns: Sequence[DerivedColumn], remarks: Sequence[str] = ()) -> Dataset:
    """A data set of columns of one length."""
    arrays = [
        pa.array(c.values, type=ARROW_TYPE[c.kind], from_pandas=True)
        if c.kind in ("number", "date")
        else pa.array(c.values.tolist(), type=ARROW_TYPE[c.kind])
        for c in columns
    ]
    table = pa.table(dict(zip([c.name for c in columns], arrays, strict=True)))
    infos = [ColumnInfo(c.name, c.label, c.kind, "DATE9." if c.kind == "date" else "") for c in columns]
    dataset = from_table(name, table, columns=infos, label=label, rows=table.num_rows)
    dataset.remarks.extend(remarks)
    return dataset


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
        return [
            text("STUDYID", "Study Identifier", [self.study] * len(subject)),
            text("USUBJID", "Unique Subject Identifier", subject),
            text("TRT01P", "Planned Treatment for Period 01", [self.planned.get(s) for s in subject]),
            text("TRT01A", "Actual Treatment for Period 01", [self.actual.get(s) for s in subject]),
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
    subject = np.concatenate([b.subject for b in blocks])
    counts = np.concatenate([b.placed.counts for b in blocks])
    baseline = np.concatenate([b.placed.baseline for b in blocks])
    day = np.concatenate([b.day for b in blocks])
    value = np.concatenate([b.value for b in blocks])
    stands = [_visits(b, b.grid or grid) for b in blocks]
    labels = np.concatenate([v[0] for v in stands])
    visit, target = np.concatenate([v[1] for v in stands]), np.concatenate([v[2] for v in stands])
    dated = all(b.date is not None for b in blocks)
    columns = [
        *subjects.head(subject),
        text("PARAMCD", "Parameter Code", np.array([b.code for b in blocks], dtype=object)[which]),
        text("PARAM", "Parameter", np.array([b.title for b in blocks], dtype=object)[which]),
        text("AVISIT", "Analysis Visit", labels),
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
    position = {s: i for i, s in enumerate(subjects.ids.tolist())}
    order = np.lexsort((which, day, np.array([position.get(s, len(position)) for s in subject], dtype=np.int64)))
    return build(name, label, [replace(c, values=c.values[order]) for c in columns], remarks)


def _visits(block: ParameterRecords, grid: Grid | None) -> tuple[Values, Floats, Floats]:
    """Label, number and target day of the visit each record counts at."""
    if grid is None:
        raise ValueError(f"{block.code} has no visits")
    window = block.placed.window
    other = block.label if block.label is not None else np.full(window.size, None, dtype=object)
    labels = np.empty(window.size, dtype=object)
    labels[:] = [grid.labels[w] if w >= 0 else said or "Unscheduled" for w, said in zip(window, other, strict=True)]
    return labels, np.array([*grid.numbers, np.nan])[window], np.array([*grid.targets, np.nan])[window]
