"""Results as this program writes them, read back: JSON (``alsbench.ard/1``) and CSV or TSV with the same columns.

``stat`` is the raw double, ``stat_fmt`` how it is printed: its decimals are those of the side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from alsbench.analysis.reconcile.stated import StatedNumber, said_number
from alsbench.analysis.result import SCHEMA, Context, Row
from alsbench.errors import DataError
from alsbench.stats.agreement import SaidValue

NEEDED = frozenset({"endpoint", "context", "subgroup", "stat_name", "stat", "visit_number"})
GUARDED = ("'=", "'+", "'-", "'@")  # texts that a spreadsheet would take for a formula


def is_own_json(content: Any) -> bool:
    """Whether it is one of our results, or a list of them."""
    parts = content if isinstance(content, list) else [content]
    return bool(parts) and all(isinstance(p, dict) and p.get("schema") == SCHEMA for p in parts)


def own_json(content: Any, where: str) -> tuple[tuple[StatedNumber, ...], tuple[dict[str, Any], ...]]:
    """The numbers and the questions they answer. Raises DataError naming the row that is none."""
    numbers: list[StatedNumber] = []
    questions = []
    for part in content if isinstance(content, list) else [content]:
        questions.append(part.get("question") if isinstance(part.get("question"), dict) else {})
        rows = part.get("results")
        if not isinstance(rows, list):
            raise DataError("the results are missing", where=where, hint="alsbench endpoint NAME -o FILE.json writes them")
        numbers += [_number(r, f"row {len(numbers) + i}", where) for i, r in enumerate(rows, start=1)]
    return tuple(numbers), tuple(questions)


def own_delimited(records: Sequence[Mapping[str, str]], where: str) -> tuple[StatedNumber, ...]:
    """The numbers of a CSV or TSV. Raises DataError naming the row that is none."""
    made = []
    for i, record in enumerate(records, start=2):
        plain = {k: (v[1:] if v.startswith(GUARDED) else v) or None for k, v in record.items() if isinstance(v, str)}
        made.append(_number(plain, f"row {i}", where))
    return tuple(made)


def _number(record: Any, place: str, where: str) -> StatedNumber:
    if not isinstance(record, dict) or not record.get("stat_name") or record.get("context") not in get_args(Context):
        raise DataError("a row is no statistic of ours", where=f"{where} {place}", hint="its context or stat_name is missing")
    texts = {
        k: _text(record.get(k)) for k in ("arm", "treatment", "reference", "visit", "variable", "level", "warning", "error")
    }
    visit = _text(record.get("visit_number"))
    value = _stat(record.get("stat"))
    shown = said_number(str(record.get("stat_fmt") or ""))
    row = Row(
        endpoint=_text(record.get("endpoint")) or "",
        method=_text(record.get("method")) or "",
        population=_text(record.get("population")) or "",
        subgroup=_text(record.get("subgroup")) or "overall",
        context=record["context"],
        stat_name=str(record["stat_name"]),
        stat=value,
        visit_number=None if visit is None else _float(visit, place, where),
        **texts,
    )
    decimals = shown.decimals if shown is not None and not shown.bound and isinstance(value, int | float) else None
    said = SaidValue(value, decimals)
    return StatedNumber(
        place, row.stat_name, said, _text(record.get("stat_fmt")) or _text(record.get("stat")) or "", (), row, row.error or ""
    )


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _float(text: str, place: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as fault:
        raise DataError(f"{text} is no visit number", where=f"{where} {place}") from fault


def _stat(value: Any) -> float | int | str | None:
    """A raw number; a text (the name of a covariance) stays one."""
    text = _text(value)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return int(text) if text.lstrip("-").isdigit() else number
