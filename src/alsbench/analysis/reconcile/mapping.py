"""Which of their numbers is which of ours: the mapping file (TOML, ``alsbench.mapping/1``).

``[default]`` says what all of it is about, ``[words]`` what their words are called here, ``[columns]`` and ``[values]`` what
stands in which column of a CSV, ``[[cell]]`` which number of which cell is which statistic, ``[tolerance]`` by how much a
statistic, or a column of data (``"ADQS.AVAL"``), may differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alsbench.errors import UsageError
from alsbench.study.names import nearest
from alsbench.study.toml_text import file_text, toml_table

SCHEMA = "alsbench.mapping/1"
TARGET = ("endpoint", "subgroup", "context", "arm", "treatment", "reference", "visit", "variable", "level", "statistic")
SECTIONS = ("schema", "theirs", "default", "words", "columns", "values", "tolerance", "cell")
CELL = ("table", "row", "column", "part", "is", "text", "matched")
Target = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MappedCell:
    """The ``part``-th number of a cell (table, row and column from 1, heads counted) and the statistic it is."""

    table: int
    row: int
    column: int
    part: int
    target: Target
    text: str = ""


@dataclass(frozen=True)
class ResultMapping:
    """A mapping file. ``tolerance``: statistic, or table and column joined by a dot, -> absolute and relative."""

    default: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    tolerance: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    cells: tuple[MappedCell, ...] = ()

    def word(self, theirs: str) -> str:
        """Their word in ours."""
        return self.words.get(theirs, theirs)

    def data_tolerances(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Of columns of data, by (table, column)."""
        parts = {tuple(name.upper().split(".", 1)): t for name, t in self.tolerance.items() if "." in name}
        return {(table, column): t for (table, column), t in parts.items()}


def read_mapping(path: Path) -> ResultMapping:
    """Read a mapping file. Raises StudyError for what is no TOML, UsageError for a key that is none."""
    text = file_text(path, named="mapping file", hint="alsbench reconcile OURS THEIRS --propose -o FILE drafts one")
    content = toml_table(text, path.name)
    where = path.name
    _known(content, SECTIONS, where)
    if content.get("schema") != SCHEMA:
        raise UsageError("this is no mapping file", where=where, hint=f'its first line is: schema = "{SCHEMA}"')
    default = _texts(content, "default", where)
    _known(default, TARGET, f"{where} [default]")
    columns = _texts(content, "columns", where)
    _known(columns, TARGET, f"{where} [columns]")
    cells = content.get("cell", [])
    if not isinstance(cells, list):
        raise UsageError("[[cell]] is a list of tables", where=where)
    return ResultMapping(
        default,
        _texts(content, "words", where),
        columns,
        _texts(content, "values", where),
        {name: _tolerance(value, f"{where} [tolerance] {name}") for name, value in _table(content, "tolerance", where).items()},
        tuple(_cell(c, f"{where} [[cell]] {i}") for i, c in enumerate(cells, start=1)),
    )


def _cell(values: Any, where: str) -> MappedCell:
    if not isinstance(values, dict):
        raise UsageError("a cell is a table", where=where)
    _known(values, CELL, where)
    target = values.get("is")
    if not isinstance(target, dict):
        raise UsageError("the cell does not say what it is", where=where, hint='is = { statistic = "difference", ... }')
    _known(target, TARGET, f"{where} is")
    table, row, column, part = (_place(values, key, where) for key in CELL[:4])
    return MappedCell(table, row, column, part, plain_target(target), str(values.get("text", "")))


def _place(values: Mapping[str, Any], key: str, where: str) -> int:
    number = values.get(key, 1 if key in ("part", "table") else None)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UsageError(f"{key} is a whole number from 1", where=where)
    return number


def plain_target(values: Mapping[str, Any]) -> Target:
    """What a statistic is, as (name, word) in the order of :data:`TARGET`; a visit by its number is its text."""
    return tuple((k, f"{values[k]:g}" if isinstance(values[k], int | float) else str(values[k])) for k in TARGET if k in values)


def _tolerance(value: Any, where: str) -> tuple[float, float]:
    if not isinstance(value, dict):
        raise UsageError("a tolerance says absolute or relative", where=where, hint="for instance: se = { absolute = 0.01 }")
    _known(value, ("absolute", "relative"), where)
    found = [value.get(k, 0.0) for k in ("absolute", "relative")]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < float("inf") for v in found):
        raise UsageError("a tolerance is a number, 0 or more", where=where)
    return float(found[0]), float(found[1])


def _table(content: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    found = content.get(name, {})
    if not isinstance(found, dict):
        raise UsageError(f"[{name}] is a table", where=where)
    return found


def _texts(content: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
    return {
        k: f"{v:g}" if isinstance(v, int | float) and not isinstance(v, bool) else str(v)
        for k, v in _table(content, name, where).items()
    }


def _known(values: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    for key in values:
        if key not in names:
            raise UsageError(f"there is no key {key}", where=where, hint=nearest(key, names))
