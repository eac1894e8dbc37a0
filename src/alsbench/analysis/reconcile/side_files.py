"""What a file of results or printed tables states, whatever its form: ours, R's cards, ARS, a CSV with a mapping, a document.

A file is read once, whole, up to a limit; what it holds is told by its content where its name does not.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alsbench.analysis.reconcile.ars import ars_json, is_ars_json
from alsbench.analysis.reconcile.cards import cards_json, cards_records, is_cards_json, is_cards_table
from alsbench.analysis.reconcile.docx_tables import docx_tables
from alsbench.analysis.reconcile.html_tables import html_tables
from alsbench.analysis.reconcile.mapping import ResultMapping
from alsbench.analysis.reconcile.own_results import NEEDED, is_own_json, own_delimited, own_json
from alsbench.analysis.reconcile.pairing import target_attribute
from alsbench.analysis.reconcile.rtf_tables import rtf_tables
from alsbench.analysis.reconcile.spans import table_of
from alsbench.analysis.reconcile.stated import CellTable, StatedNumber, cell_numbers, said_number
from alsbench.errors import DataError, UsageError

DOCUMENTS = frozenset({".rtf", ".docx", ".html", ".htm"})
TEXTS = {".csv": ",", ".tsv": "\t", ".json": ""}
MOST_BYTES = 200 * 2**20
WITHOUT_MAPPING = "alsbench reconcile OURS THEIRS --propose -o mapping.toml drafts one"


class WrittenNumber(str):
    """A number of a JSON file as it is written, so that its decimals can be counted."""

    __slots__ = ()


@dataclass(frozen=True)
class StatedSide:
    """A side that states results. ``form`` says in words what the file is; ``tables`` are those of a document, whose numbers a
    mapping names; ``questions`` those that results of ours answer."""

    name: str
    form: str
    numbers: tuple[StatedNumber, ...] = ()
    tables: tuple[CellTable, ...] = ()
    questions: tuple[Mapping[str, Any], ...] = ()

    @property
    def ours_by_key(self) -> bool:
        """Whether its numbers have our keys: all of a question is there."""
        return bool(self.numbers) and all(n.row is not None for n in self.numbers)


def states_results(path: Path, mapping: ResultMapping) -> bool:
    """Whether a file states results or printed tables; else it holds data. A CSV holds results where its columns say so, or a
    mapping does."""
    suffix = path.suffix.lower()
    if suffix in DOCUMENTS:
        return True
    if suffix not in TEXTS:
        return False
    if suffix == ".json":
        content = _json(path)
        return is_own_json(content) or is_cards_json(content) or is_ars_json(content)
    if mapping.columns or mapping.values or mapping.cells:
        return True
    head = next(_lines(_text(_bytes(path), path), suffix), [])
    return is_cards_table(head) or set(head) >= NEEDED


def read_side(path: Path, mapping: ResultMapping, *, cells: bool = False) -> StatedSide:
    """Read a file that states results. With ``cells`` a CSV that is no results is read as the cells of a table. Raises
    DataError for what cannot be read, UsageError where a mapping is needed and there is none."""
    suffix = path.suffix.lower()
    if suffix in DOCUMENTS:
        return _mapped(StatedSide(path.name, f"printed tables, {suffix[1:].upper()}", tables=_document(path)), mapping)
    if suffix == ".json":
        content = _json(path)
        if is_own_json(content):
            numbers, questions = own_json(content, path.name)
            return StatedSide(path.name, "results of alsbench, JSON", numbers, questions=questions)
        if is_cards_json(content):
            return StatedSide(path.name, "results of R cards, JSON", cards_json(content, path.name))
        if is_ars_json(content):
            return StatedSide(path.name, "CDISC Analysis Results Standard, JSON", ars_json(content, path.name))
        raise DataError("the JSON is no results that are known here", where=str(path), hint="alsbench, R cards or CDISC ARS")
    if suffix not in TEXTS:
        raise DataError(f"files ending in {suffix or 'nothing'} hold no results", where=str(path))
    rows = list(_lines(_text(_bytes(path), path), suffix))
    if not rows:
        raise DataError("the file is empty", where=str(path))
    return _delimited(path, rows, mapping, cells=cells)


def _delimited(path: Path, rows: Sequence[list[str]], mapping: ResultMapping, *, cells: bool) -> StatedSide:
    head, form = rows[0], path.suffix[1:].upper()
    records = [dict(zip(head, r, strict=False)) for r in rows[1:]]
    if mapping.columns or mapping.values:
        return StatedSide(path.name, f"results, {form}", tuple(_by_columns(path, records, head, mapping)))
    if set(head) >= NEEDED:
        return StatedSide(path.name, f"results of alsbench, {form}", own_delimited(records, path.name))
    if is_cards_table(head):
        return StatedSide(path.name, f"results of R cards, {form}", cards_records(records))
    if not (cells or mapping.cells):
        raise UsageError("what stands in which column is not known", where=str(path), hint=WITHOUT_MAPPING)
    table = table_of(1, [], [[(" ".join(t.split()), 1) for t in r] for r in rows], 0)
    return _mapped(StatedSide(path.name, f"printed table, {form}", tables=(table,)), mapping)


def _by_columns(
    path: Path, records: Sequence[Mapping[str, str]], head: Sequence[str], mapping: ResultMapping
) -> Iterator[StatedNumber]:
    """Each value column of each record is a number; what is in the other columns says which."""
    for column in (*mapping.columns.values(), *mapping.values):
        if column not in head:
            raise UsageError(f"there is no column {column}", where=str(path), hint=f"there are: {', '.join(head)}")
    for i, record in enumerate(records, start=2):
        about = tuple((role, mapping.word(record.get(c) or "")) for role, c in mapping.columns.items() if record.get(c))
        for column, statistic in mapping.values.items():
            text = (record.get(column) or "").strip()
            said = said_number(text, printed=False)
            if said is None:
                if text and text not in ("NA", "NE", "-", "."):
                    raise DataError(f"{text} is no number", where=f"{path.name} row {i} column {column}")
                continue
            name = statistic
            if statistic == "statistic":  # the column of statistics says what it is
                name = dict(about).get("statistic", "")
            others = tuple((role, word) for role, word in about if role != "statistic")
            yield StatedNumber(f"row {i}, {column}", name, said, text, others)


def _mapped(side: StatedSide, mapping: ResultMapping) -> StatedSide:
    """The numbers of the cells that a mapping names. Raises UsageError for a cell or number that is not there."""
    made = []
    for cell in mapping.cells:
        place = f"table {cell.table} row {cell.row} column {cell.column}"
        table = next((t for t in side.tables if t.number == cell.table), None)
        if table is None or cell.row > len(table.rows) or cell.column > table.width:
            raise UsageError("there is no such cell", where=f"{side.name} {place}", hint="was the mapping made for this file?")
        text = table.rows[cell.row - 1][cell.column - 1]
        number = next((n for n in cell_numbers(text) if n.part == cell.part), None)
        part = f" number {cell.part}" if cell.part > 1 else ""
        if number is None:
            raise UsageError(f"there is no number {cell.part} in this cell: {text}", where=f"{side.name} {place}")
        statistic = dict(cell.target).get("statistic", "")
        made.append(StatedNumber(place + part, statistic, number.said, number.text, (target_attribute(cell.target),)))
    return StatedSide(side.name, side.form, tuple(made), side.tables)


def _document(path: Path) -> tuple[CellTable, ...]:
    content = _bytes(path)
    suffix = path.suffix.lower()
    if suffix == ".rtf":
        return rtf_tables(content, str(path))
    if suffix == ".docx":
        return docx_tables(content, str(path))
    return html_tables(_text(content, path), str(path))


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(_bytes(path), path), parse_float=WrittenNumber, parse_int=WrittenNumber)
    except (ValueError, RecursionError) as fault:
        raise DataError("the file is no JSON", where=str(path), why=str(fault)) from fault


def _lines(text: str, suffix: str) -> Iterator[list[str]]:
    """The rows of a CSV or TSV; a semicolon separates where the first line has more of them than commas."""
    first = text.partition("\n")[0]
    separator = TEXTS[suffix]
    if suffix == ".csv" and first.count(";") > first.count(","):
        separator = ";"
    try:
        if suffix == ".tsv":  # ours has no quoting
            yield from csv.reader(io.StringIO(text), delimiter=separator, quoting=csv.QUOTE_NONE)
        else:
            yield from csv.reader(io.StringIO(text), delimiter=separator)
    except csv.Error as fault:
        raise DataError("the file is no table", where=suffix[1:].upper(), why=str(fault)) from fault


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError as fault:
        raise DataError("the text of the file cannot be decoded", where=str(path), hint="save it as UTF-8") from fault


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"the file has more than {MOST_BYTES // 2**20} MB", where=str(path), hint="results are smaller")
        return path.read_bytes()
    except OSError as fault:
        raise DataError(f"the file cannot be read: {fault.strerror}", where=str(path)) from fault
