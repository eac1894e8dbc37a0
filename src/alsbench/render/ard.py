"""Results as JSON: CDISC Analysis Results Data, one object per statistic, raw doubles beside their printed form.

The body is a function of the result alone: no clock, keys in a fixed order, floats written so that they read back as the
same double, and no NaN: what could not be computed is ``null`` with an ``error``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from alsbench.analysis.result import SCHEMA, Provenance, Result, Row
from alsbench.render.formats import absent, format_stat

ROW_KEYS = (
    "endpoint", "method", "population", "subgroup", "context", "arm", "treatment", "reference", "visit", "visit_number",
    "variable", "level", "stat_name", "stat", "stat_fmt", "warning", "error",
)  # fmt: skip
NOT_FINITE = "the statistic is not a finite number"


def row_dict(row: Row) -> dict[str, Any]:
    """One statistic as plain JSON values, keys as in :data:`ROW_KEYS`."""
    stat, error = row.stat, row.error
    if isinstance(stat, float):
        stat = float(stat)
        stat, error = (stat, error) if math.isfinite(stat) else (None, error or NOT_FINITE)
    if stat is None:
        shown = absent(error)
    else:
        shown = format_stat(row.stat_name, stat)
    made = {"visit_number": plain_number(row.visit_number), "stat": stat, "stat_fmt": shown, "error": error}
    return {key: made[key] if key in made else getattr(row, key) for key in ROW_KEYS}


def plain_number(value: float | int | None) -> float | int | None:
    """A whole double as an integer (visit 6, not 6.0), for keys rather than statistics."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def provenance_dict(provenance: Provenance) -> dict[str, Any]:
    return {
        "snapshot": provenance.snapshot,
        "study": provenance.study,
        "study_id": provenance.study_id,
        "engine": provenance.engine,
        "post_hoc": provenance.post_hoc,
        "deviations": list(provenance.deviations),
        "blinded": provenance.blinded,
        "audit_log": provenance.audit_log or None,
        "synthetic": provenance.synthetic,
        "command": provenance.command,
        "sources": list(provenance.sources),
        "data_cut": provenance.data_cut,
    }


def result_dict(result: Result) -> dict[str, Any]:
    """The whole result as plain JSON values."""
    return {
        "schema": SCHEMA,
        "question": result.question,
        "provenance": provenance_dict(result.provenance),
        "facts": {
            "title": result.facts.title,
            "lines": [list(line) for line in result.facts.lines],
            "attempts": list(result.facts.attempts),
            "footnotes": list(result.facts.footnotes),
        },
        "warnings": list(result.warnings),
        "results": [row_dict(row) for row in result.rows],
    }


def to_json(result: Result) -> str:
    """The result as JSON text, ended by a line break."""
    return dump(result_dict(result))


def dump(values: Any) -> str:
    """JSON text: ASCII, so that nothing in it can steer a terminal; one row of results a line; NaN refused."""
    if not isinstance(values, dict) or ("results" not in values and "rows" not in values):
        return json.dumps(values, indent=1, allow_nan=False) + "\n"
    key = "results" if "results" in values else "rows"
    head = {k: v for k, v in values.items() if k != key}
    parts = [f" {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in head.items()]
    parts.append(f" {json.dumps(key)}: {_records(values[key])}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _records(records: Iterable[Any]) -> str:
    lines = ",\n".join("  " + json.dumps(r, allow_nan=False) for r in records)
    return f"[\n{lines}\n ]" if lines else "[]"
