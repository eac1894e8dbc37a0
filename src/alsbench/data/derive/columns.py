"""Columns on their way between readers and derivations: Arrow in, NumPy to work with, a data set out.

number: float64, NaN is missing; text: object array of ``str`` or ``None``; date: datetime64[D], NaT is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import ARROW_TYPE, Dataset, from_table
from alsbench.data.frames import ColumnInfo
from alsbench.study.sql import Kind

Values = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A column of a derived table."""

    name: str
    label: str
    kind: Kind
    values: Values


def text(name: str, label: str, values: Values | Sequence[str | None]) -> Column:
    """A text column; empty texts are missing."""
    held = np.empty(len(values), dtype=object)
    held[:] = [None if v is None or v == "" else str(v) for v in values]
    return Column(name, label, "text", held)


def number(name: str, label: str, values: Values | Sequence[float]) -> Column:
    return Column(name, label, "number", np.asarray(values, dtype=np.float64))


def date(name: str, label: str, values: Values | Sequence[Any]) -> Column:
    return Column(name, label, "date", np.asarray(values, dtype="datetime64[D]"))


def flag(name: str, label: str, values: Values, *, no: str | None = None) -> Column:
    """'Y' where true, ``no`` elsewhere."""
    return text(name, label, [("Y" if v else no) for v in np.asarray(values, dtype=bool)])


def build(name: str, label: str, columns: Sequence[Column], remarks: Sequence[str] = ()) -> Dataset:
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
