"""Analysis results data of R's ``cards`` (insightsengineering): its nested list as JSON, its data frame as JSON or CSV.

``cards::as_nested_list`` nests ``variable``, ``variable_level``, ``group1``, ``group1_level`` ... ``stat_name`` by name and
value; a leaf has ``stat``, ``stat_fmt``, ``warning``, ``error``, ``context`` (``statistic`` and ``statistic_fmt`` before
version 0.1). jsonlite writes a single value as an array of one, NULL as ``{}``, and numbers with at most four decimals unless
told otherwise: a file of which no number has more than :data:`ROUNDED` decimals was rounded to the most that one has. The data
frame has the same as columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from alsbench.analysis.reconcile.stated import StatedNumber, cell_numbers, decimals_in, decimals_of_file, said_number
from alsbench.errors import DataError
from alsbench.stats.agreement import SaidValue

ROUNDED = 8  # decimals up to which a whole file of numbers is taken for rounded
LABELS = re.compile(r"(group\d+(_level)?|variable(_level)?|context)$")
MISSING = frozenset({"", "NA", "NaN", "NULL", "NULL,", "list()", "Inf", "-Inf"})
Record = Mapping[str, Any]


def is_cards_json(content: Any) -> bool:
    """Whether it is a nested list, or the records of a data frame."""
    if isinstance(content, dict):
        return "variable" in content and isinstance(content["variable"], dict)
    return isinstance(content, list) and bool(content) and all(isinstance(r, dict) and "stat_name" in r for r in content)


def is_cards_table(columns: Iterable[str]) -> bool:
    """Whether a CSV has the columns of the data frame."""
    found = set(columns)
    return {"stat_name", "stat"} <= found and bool(found & {"variable", "group1", "stat_label"})


def cards_json(content: Any, where: str) -> tuple[StatedNumber, ...]:
    """The numbers of either form. Raises DataError for what is neither."""
    records = content if isinstance(content, list) else list(_leaves(content, {}, where, 0))
    return cards_records(records)


def _leaves(node: Any, labels: dict[str, str], where: str, depth: int) -> Iterator[dict[str, Any]]:
    """The leaves of the nested list, each with the names and values above it."""
    if not isinstance(node, dict) or depth > 64:
        raise DataError(
            "this is no nested list of cards", where=where, hint="jsonlite::write_json(cards::as_nested_list(ard), FILE)"
        )
    if "stat" in node or "statistic" in node:
        yield {**labels, **node}
        return
    for name, values in node.items():
        if not isinstance(values, dict):
            raise DataError(f"{name} of the nested list has no values", where=where)
        for value, below in values.items():
            yield from _leaves(below, {**labels, name: value}, where, depth + 1)


def cards_records(records: Iterable[Record]) -> tuple[StatedNumber, ...]:
    """The numbers of a data frame's records; those of a record that holds none are left out (formats, names of methods)."""
    plain = [{k: _single(v) for k, v in r.items()} for r in records]
    stats = [r.get("stat", r.get("statistic")) for r in plain]
    numbers = [t for t in stats if t is not None and "." in t and "e" not in t.lower() and said_number(t) is not None]
    rounded = decimals_of_file(numbers, ROUNDED) if numbers else None
    made = []
    for i, (record, stat) in enumerate(zip(plain, stats, strict=True), start=1):
        labels = tuple((k, v) for k, v in record.items() if v is not None and LABELS.match(k))
        shown = record.get("stat_fmt", record.get("statistic_fmt")) or ""
        said = None if stat is None else said_number(stat)
        if said is None and not record.get("error") and stat is not None:
            continue  # a text, such as the name of a test
        value = SaidValue(None) if said is None or stat is None else _said(stat, shown, rounded)
        name = record.get("stat_name") or ""
        made.append(StatedNumber(f"row {i}", name, value, shown or stat or "", labels, error=record.get("error") or ""))
    return tuple(made)


def _said(stat: str, shown: str, rounded: int | None) -> SaidValue:
    value = float(stat)
    if rounded is not None:
        whole = int(value) if value.is_integer() and "." not in stat else value
        return SaidValue(whole, decimals_in(stat) if "e" in stat.lower() else rounded, rounded=True)
    printed = cell_numbers(shown)
    decimals = printed[0].said.decimals if printed and not printed[0].said.bound else None
    return SaidValue(int(value) if stat.lstrip("-").isdigit() else value, decimals)


def _single(value: Any) -> str | None:
    """A cell as text: an array of one is its value, NULL and NA are None."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or value == {} or value == []:
        return None
    if isinstance(value, dict | list):
        return None  # a vector or a function is no statistic
    text = str(value).strip()
    return None if text in MISSING else text
