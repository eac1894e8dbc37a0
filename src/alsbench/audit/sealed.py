"""What blinding takes out of a data set: kept with the key, and put back when the blind is lifted.

A blinded data set is cut to the rows and columns that tell nothing and sorted by subject, then by every other column as it
stands there, so that neither the order of the files nor that of a subject's records says anything the records do not. Sealed
are the columns that differ, the rows left out and where each row stood: with them the data set is again what it was, bit for
bit.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Order = NDArray[np.int64]


@dataclass(frozen=True)
class Sealed:
    """``order``: for each row that was loaded, where it stood. ``changed``: columns as they were, all rows in their old order.
    ``left``: the rows left out, which stood at ``places``. ``columns`` describes all columns in their old order, ``special`` is
    what the schema's metadata told of special missing values."""

    columns: tuple[Mapping[str, Any], ...]
    order: Order
    changed: pa.Table
    left: pa.Table
    places: Order
    special: Mapping[bytes, bytes] = field(default_factory=dict)


def seal(
    table: pa.Table, blinded: pa.Table, *, subject: str, named: frozenset[str], out: Order, columns: Sequence[Mapping[str, Any]]
) -> tuple[pa.Table, Sealed]:
    """The blinded table as it is loaded, and what turns it into ``table`` again. Both have the same rows and columns on the way
    in; ``named`` columns and the rows ``out`` are left out."""
    stays = np.setdiff1d(np.arange(table.num_rows), out)
    bare = blinded.drop_columns(sorted(named)).replace_schema_metadata(None)
    order = stays[sorted_rows(bare.take(pa.array(stays)), subject)]
    differ = [c for c in table.column_names if c in named or not table[c].equals(blinded[c])]
    changed = table.select(differ).replace_schema_metadata(None)
    left = table.take(pa.array(out)).replace_schema_metadata(None)
    made = Sealed(tuple(columns), order, changed, left, out, dict(table.schema.metadata or {}))
    return bare.take(pa.array(order)), made


def opened(loaded: pa.Table | None, sealed: Sealed) -> pa.Table:
    """The table as it was; ``loaded`` is None where all of it was left out."""
    back = pa.array(np.argsort(np.concatenate([sealed.order, sealed.places]), kind="stable"))
    arrays, names = [], [str(c["name"]) for c in sealed.columns]
    for name in names:
        if name in sealed.changed.column_names:
            arrays.append(sealed.changed[name])
            continue
        parts = [sealed.left[name]] if loaded is None else [loaded[name].cast(sealed.left[name].type), sealed.left[name]]
        arrays.append(pa.chunked_array([c for p in parts for c in p.chunks], sealed.left[name].type).take(back))
    return pa.table(dict(zip(names, arrays, strict=True)))


def sorted_rows(table: pa.Table, subject: str) -> Order:
    """The rows by subject, then by every other column from the first on; missing values last."""
    for at, kind in enumerate(table.schema):
        if pa.types.is_boolean(kind.type):  # booleans have no order in Arrow
            table = table.set_column(at, kind.name, table[kind.name].cast(pa.int8()))
    keys = sorted(table.column_names, key=lambda name: name != subject)
    if not table.num_rows or not keys:
        return np.arange(table.num_rows)
    found = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in keys])  # missing last
    return np.asarray(found.to_numpy(), dtype=np.int64)


def packed(sealed: Sealed) -> dict[str, Any]:
    """Plain JSON values: tables compressed, as base64."""
    return {
        "columns": [dict(c) for c in sealed.columns],
        "changed": _pack(sealed.changed),
        "left": _pack(sealed.left),
        "order": _pack(pa.table({"order": pa.array(sealed.order, pa.int64())})),
        "places": sealed.places.tolist(),
        "special": {k.decode(): base64.b64encode(v).decode() for k, v in sealed.special.items()},
    }


def unpacked(values: Mapping[str, Any]) -> Sealed:
    """The inverse of :func:`packed`."""
    return Sealed(
        tuple(values["columns"]),
        _unpack(values["order"])["order"].to_numpy(),
        _unpack(values["changed"]),
        _unpack(values["left"]),
        np.array(values["places"], dtype=np.int64),
        {k.encode(): base64.b64decode(v) for k, v in values["special"].items()},
    )


def _pack(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()


def _unpack(text: str) -> pa.Table:
    with pa.ipc.open_stream(base64.b64decode(text)) as reader:
        return reader.read_all()
