"""A data set written in other formats, for tests: Dataset-JSON in its three forms, and CSV."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from datetime import date
from pathlib import Path
from typing import Any

from alsbench.data.dataset import Dataset

_TYPES = {"number": "float", "text": "string", "date": "date", "boolean": "boolean"}


def metadata(dataset: Dataset, rows: int) -> dict[str, Any]:
    """The Dataset-JSON header of a data set."""
    columns = []
    for info in dataset.columns:
        column = {"itemOID": f"IT.{info.name}", "name": info.name, "label": info.label, "dataType": _TYPES[info.kind]}
        if info.kind == "date":
            column["targetDataType"] = "integer"
        columns.append(column | ({"displayFormat": info.format} if info.format else {}))
    return {
        "datasetJSONCreationDateTime": "2024-01-01T00:00:00",
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": f"IG.{dataset.name}",
        "records": rows,
        "name": dataset.name,
        "label": dataset.label,
        "columns": columns,
    }


def rows_of(dataset: Dataset) -> list[list[Any]]:
    """Rows as JSON values; missing text is an empty string, as SAS writes it."""
    kinds = [c.kind for c in dataset.columns]
    table = [list(r.values()) for r in dataset.table().to_pylist()]
    return [[_value(v, k) for v, k in zip(row, kinds, strict=True)] for row in table]


def write(dataset: Dataset, folder: Path, form: str) -> Path:
    """Write as ``json``, ``ndjson``, ``zlib`` or ``gzip`` (both .dsjc), or ``csv``."""
    rows = rows_of(dataset)
    stem = dataset.name.lower()
    if form == "csv":
        path = folder / f"{stem}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([[c.name for c in dataset.columns], *rows])
        return path
    head = metadata(dataset, len(rows))
    if form == "json":
        path = folder / f"{stem}.json"
        path.write_text(json.dumps(head | {"rows": rows}), "utf-8")
        return path
    lines = "".join(json.dumps(line) + "\n" for line in [head, *rows]).encode()
    path = folder / f"{stem}.{'ndjson' if form == 'ndjson' else 'dsjc'}"
    path.write_bytes({"ndjson": lambda b: b, "zlib": zlib.compress, "gzip": gzip.compress}[form](lines))
    return path


def _value(value: Any, kind: str) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None and kind == "text" else value
