"""Tables of a Word document (ECMA-376, WordprocessingML): texts of cells, merged cells, heads that every page repeats.

A document is not trusted: its parts are unpacked up to a limit, and one with a document type, and so with entities, is refused.
Text that was deleted under change tracking is none (it stands in ``w:delText``); headers, footers and footnotes are not read.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass, field
from xml.parsers import expat

from alsbench.analysis.reconcile.spans import TITLE_PARTS, Spanned, table_of
from alsbench.analysis.reconcile.stated import CellTable
from alsbench.errors import DataError

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
PART = "word/document.xml"
MOST_BYTES, MOST_CELLS, MOST_SPAN, MOST_DEPTH = 200 * 2**20, 500_000, 1000, 500


@dataclass
class _Grid:
    rows: list[list[Spanned]] = field(default_factory=list)
    heads: int = 0
    row: list[tuple[str, int, str]] = field(default_factory=list)
    head: bool = False
    span: int = 1
    merge: str = ""
    before: int = 0


class _Document:
    """The events of the parser; names are without their namespace where it is Word's."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.open: list[_Grid] = []
        self.text: list[str] = []
        self.above: list[str] = []
        self.found: list[tuple[list[str], _Grid]] = []
        self.cells = self.depth = self.inside = 0
        self.in_text = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise DataError(f"elements are nested more than {MOST_DEPTH} deep", where=self.where)
        name = _local(name)
        value = attributes.get(f"{W} val", attributes.get(f"{STRICT} val", ""))
        if name == "t":
            self.in_text = True
        elif name in ("tab", "br", "cr"):
            self.text.append(" ")
        elif name == "noBreakHyphen":
            self.text.append("-")
        elif name == "tbl":
            self.inside += 1
            if self.inside == 1:
                self.open.append(_Grid())
        elif self.inside == 1 and self.open:
            self._in_table(self.open[-1], name, value)

    def _in_table(self, grid: _Grid, name: str, value: str) -> None:
        if name == "tr":
            grid.row, grid.head, grid.before = [], False, 0
        elif name == "tblHeader":
            grid.head = value not in ("0", "false", "off")
        elif name == "gridBefore" and value.isdigit():
            grid.before = min(int(value), MOST_SPAN)
        elif name == "tc":
            grid.span, grid.merge, self.text = 1, "", []
        elif name == "gridSpan" and value.isdigit():
            grid.span = max(1, min(int(value), MOST_SPAN))
        elif name == "vMerge":
            grid.merge = "restart" if value == "restart" else "continue"
        elif name == "hMerge":
            grid.merge = "across" if value != "restart" else grid.merge

    def end(self, name: str) -> None:
        self.depth -= 1
        name = _local(name)
        if name == "t":
            self.in_text = False
        elif name == "p":
            if self.inside:
                self.text.append(" ")
            elif text := self._taken():
                self.above = [*self.above[-TITLE_PARTS + 1 :], text]
        elif name == "tbl":
            self.inside -= 1
            if self.inside == 0:
                self.found.append((self.above, self.open.pop()))
                self.above = []
        elif self.inside == 1 and name == "tc":
            self._end_cell(self.open[-1])
        elif self.inside == 1 and name == "tr":
            self._end_row(self.open[-1])

    def data(self, text: str) -> None:
        if self.in_text:
            self.text.append(text)

    def _end_cell(self, grid: _Grid) -> None:
        grid.row.append((self._taken(), grid.span, grid.merge))
        self.cells += grid.span
        if self.cells > MOST_CELLS:
            raise DataError(f"the document has more than {MOST_CELLS:,} cells", where=self.where)

    def _end_row(self, grid: _Grid) -> None:
        out: list[Spanned] = [("", grid.before)] if grid.before else []
        for text, span, merge in grid.row:
            if merge == "across" and out:
                out[-1] = (out[-1][0], out[-1][1] + span)
            elif merge == "continue":
                out.append((_above(grid, sum(n for _, n in out)), span))
            else:
                out.append((text, span))
        grid.heads += grid.head and grid.heads == len(grid.rows)
        grid.rows.append(out)

    def _taken(self) -> str:
        text = " ".join("".join(self.text).split())
        self.text = []
        return text


def _above(grid: _Grid, column: int) -> str:
    """The text of the cell that begins at a column of the row before."""
    at = 0
    for text, span in grid.rows[-1] if grid.rows else ():
        if at == column:
            return text
        at += span
    return ""


def _local(name: str) -> str:
    space, _, local = name.rpartition(" ")
    return local if space in (W, STRICT) else ""


def docx_tables(content: bytes, where: str) -> tuple[CellTable, ...]:
    """The tables of a document in their order. Raises DataError for what is no Word document, swells, or declares entities."""
    document = _Document(where)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = document.start, document.end
    parser.CharacterDataHandler = document.data

    def refuse(*_: object) -> None:
        raise DataError("the document declares a document type, which no word processor writes", where=where)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(_part(content, where), True)
    except expat.ExpatError as fault:
        raise DataError("the document is damaged", where=where, why=str(fault)) from fault
    made: list[CellTable] = []
    for above, grid in document.found:
        made.append(table_of(len(made) + 1, above, grid.rows, grid.heads))
    return tuple(made)


def _part(content: bytes, where: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if PART not in archive.namelist():
                raise DataError("the file is no Word document", where=where, why=f"it has no {PART}")
            with archive.open(PART) as file:
                body = file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError) as fault:
        raise DataError("the file is not a readable Word document", where=where, why=str(fault)) from fault
    if len(body) > MOST_BYTES:
        raise DataError("the document unpacks to too much", where=where, why=f"more than {MOST_BYTES // 2**20} MB")
    return body
