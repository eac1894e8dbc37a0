"""CSV and TSV: one header line, one record per line, quotes as in RFC 4180.

The delimiter is found in the header, or said by a first line ``sep=;`` as Excel writes it. A first column without a name that
counts the rows from 1 is what R writes as row names and is left out. A column is a number only if every value is one and none
is written like a code (``01``) or has more digits than a number keeps; columns named ``...ID``, ``...DTC``, PARAMCD, ARMCD,
TESTCD and AVALC are text whatever they hold; a column named ``...DT`` whose values are all ISO dates is a date (other ways to
write one: ``text_dates``). An empty field and a lone ``.`` are missing. A blank line is no row, but where there is one column a
missing value. Between semicolons numbers may have decimal commas. A row with another number of fields than the header, or a
quote that is not closed, is refused with its line number (``delimited_faults``): nothing is skipped.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from alsbench.data.codelists import MissingWords
from alsbench.data.dataset import ARROW_TYPE, Dataset, check_columns, clean_text, from_table
from alsbench.data.frames import ColumnInfo
from alsbench.data.progress import report_progress
from alsbench.data.readers.delimited_faults import find_fault, not_utf8
from alsbench.data.readers.encodings import Encoding, how_to_convert, wide_encoding
from alsbench.data.sanitize import visible_line
from alsbench.errors import DataError
from alsbench.study.sql import Kind

_IN_MEMORY = 192 * 2**20  # bytes of file up to which its text is kept between finding types and converting
_BLOCK = 4 * 2**20
_GLANCE = 2**20  # bytes judged at a time where quotes are checked: what the processor's cache holds
_LARGEST_EXACT = 2**53
_TRIAL = 64  # values that rule most columns of text out as numbers or dates
_DELIMITERS = ",\t;|"
ROW_NUMBERS = "the first column has no name and counts the rows: it was left out"
_SAID = re.compile(r"\"?sep=(tab|\\t|[^\w\"\r\n])\"?[ \t]*(?:\r\n|\r|\n|$)", re.IGNORECASE)
_ALWAYS_TEXT = ("ID", "PARAMCD", "ARMCD", "TESTCD", "AVALC", "DTC")
NUMBER_BY_NAME = ("AVAL", "BASE", "CHG", "PCHG", "CNSR", "ADY", "AVISITN")


@dataclass(frozen=True)
class _Layout:
    path: Path
    delimiter: str
    names: tuple[str, ...]
    utf16: bool = False
    only_header: bool = False
    skipped: int = 0  # lines before the header: the one that says the delimiter, blank ones where there is one column
    said: bool = False  # whether a line says the delimiter
    row_numbers: bool = False  # whether the first column has no name

    def open(self) -> Any:
        """The file as a stream of UTF-8 bytes without a byte order mark."""
        if not self.utf16:
            return pa.OSFile(str(self.path), "rb")
        return pa.BufferReader(self.path.read_bytes().decode("utf-16").encode())


def read_delimited(path: Path, *, name: str, words: MissingWords | None = None) -> list[Dataset]:
    """The file as one data set, with ``words`` that are missing values. Raises DataError naming the file and, where there is
    one, the line at fault."""
    layout = _examine(path)
    names = [n.strip() for n in layout.names[int(layout.row_numbers) :]]
    missing = words or MissingWords()
    guesses = [_Guess(n, comma=layout.delimiter == ";", words=missing) for n in names]
    if path.stat().st_size <= _IN_MEMORY:
        table = _read_all(layout)
        if layout.row_numbers:
            _refuse_other_than_row_numbers(layout, table.column(0), 0)
            table = table.select(list(range(1, table.num_columns)))
        with ThreadPoolExecutor(max_workers=2) as pool:  # Arrow works outside the interpreter's lock
            settled = list(pool.map(_settle, guesses, table.columns))
        columns = tuple(ColumnInfo(g.name, kind=g.kind) for g in guesses)
        dataset = from_table(name, pa.Table.from_arrays(settled, names=names), columns=columns)
        dataset.remarks.extend(_remarks(layout, guesses))
        return [dataset]
    seen = 0
    first = int(layout.row_numbers)
    for batch in _stream(layout):
        if first:
            _refuse_other_than_row_numbers(layout, batch.column(0), seen)
        for guess, column in zip(guesses, batch.columns[first:], strict=True):
            guess.see(guess.clean(column))
        seen += batch.num_rows
        report_progress(f"{path.name}: types", seen)
    columns = tuple(ColumnInfo(g.name, kind=g.kind) for g in guesses)
    schema = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in columns])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in _stream(layout):
            arrays = [g.convert(g.clean(a)) for a, g in zip(batch.columns[first:], guesses, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return [Dataset(name=name, columns=columns, batches=batches, remarks=_remarks(layout, guesses))]


def _remarks(layout: _Layout, guesses: list[_Guess]) -> list[str]:
    """What a user should know of how the file was read."""
    with layout.path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        whole = file.read(1) in b"\r\n\0"
    remarks = [] if whole else ["the last line has no line end: the file may be cut short"]
    if layout.utf16:
        remarks.append("read as UTF-16, which its first bytes say")
    if layout.said:
        remarks.append("the first line names the delimiter and is no record")
    if layout.row_numbers:
        remarks.append(ROW_NUMBERS)
    words = guesses[0].words.remarks if guesses else []
    return remarks + words + [r for g in guesses if (r := g.remark)]


def _refuse_other_than_row_numbers(layout: _Layout, column: Any, done: int) -> None:
    """A first column without a name has to count the rows; ``done`` of them were before."""
    for number, text in enumerate(column.to_pylist(), start=done + 1):
        if text.strip() != str(number):
            raise DataError(
                "column 1 has no name, and does not count the rows from 1 as row names of R do",
                where=f"{layout.path} row {number} column 1",
                hint="name the column or remove it: write.csv(row.names = FALSE) in R, to_csv(index=False) in pandas",
            )


def _settle(guess: _Guess, column: Any) -> Any:
    """A whole column in its kind."""
    texts = [guess.clean(chunk) for chunk in column.chunks]
    values = [guess.see(chunk) for chunk in texts]
    kind = guess.kind
    done = [v if v is not None and v.type == ARROW_TYPE[kind] else guess.convert(t) for v, t in zip(values, texts, strict=True)]
    return pa.chunked_array(done, ARROW_TYPE[kind])


def _examine(path: Path) -> _Layout:
    """Encoding, delimiter, header and quoting, before a single value is read."""
    with path.open("rb") as file:
        head = file.read(2**20)
    if not head.strip():
        raise DataError("the file is empty", where=str(path), hint="a table needs at least a line of column names")
    if (wide := wide_encoding(head)) is not None and not _utf16_marked(head, wide):
        what = "the file is UTF-32" if wide.iconv == "UTF-32" else "the file is UTF-16 without a byte order mark"
        raise DataError(what, where=f"{path} byte {head.index(0)} line 1", hint=how_to_convert(wide, path.name))
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if utf16:
        try:
            head = path.read_bytes().decode("utf-16").encode()[: 2**20]
        except UnicodeDecodeError as fault:
            hint = "it may be cut short: export it again, as UTF-8"
            raise DataError("the file is not valid UTF-16", where=f"{path} byte {fault.start}", hint=hint) from fault
    _refuse_other_content(path, head)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError as fault:
        where = f"{path} byte {fault.start} line {_line_of(head, fault.start)}"
        raise not_utf8(path, where, "the file", head[: fault.start]) from fault
    before, said = _before_header(text)
    skipped = len(re.findall(r"\r\n|\r|\n", text[:before]))
    text = text[before:]
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    delimiter = said or max(_DELIMITERS, key=lambda d: ("".join(first.split('"')[::2]).count(d), d == ","))  # outside quotes
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as fault:
        unread = _Layout(path, delimiter, tuple(first.split(delimiter)), utf16)
        raise _row_fault(unread, ValueError("the header cannot be read")) from fault
    row_numbers = len(names) > 1 and not names[0].strip()
    _check_names(path, names, row_numbers)
    only_header = len(head) < _GLANCE and not re.search(r"[\r\n]", text)
    skip = skipped if said or len(names) == 1 else 0
    layout = _Layout(path, delimiter, tuple(names), utf16, only_header, skip, bool(said), row_numbers)
    _check_quotes(layout)
    return layout


def _utf16_marked(head: bytes, wide: Encoding) -> bool:
    return wide.iconv != "UTF-32" and head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def _before_header(text: str) -> tuple[int, str]:
    """How many characters stand before the header, and the delimiter that a line of Excel's among them says."""
    blank = len(text) - len(text.lstrip("\r\n"))
    found = _SAID.match(text, blank)
    if found is None:
        return blank, ""
    rest = text[found.end() :]
    delimiter = "\t" if found[1].lower() in ("tab", "\\t") else found[1]
    return len(text) - len(rest.lstrip("\r\n")), delimiter


def _refuse_other_content(path: Path, head: bytes) -> None:
    """What is no table of text, whatever its name."""
    if b"\0" in head:
        at = head.index(b"\0")
        what = "the file holds NUL bytes: it is not a text table"
        hint = "it is damaged or misnamed: copy or export it again"
        raise DataError(what, where=f"{path} byte {at} line {_line_of(head, at)}", hint=hint)
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    holds = "HTML or XML" if start.startswith(b"<") else "JSON" if re.match(rb"\{|\[\s*[\[{\"]", start) else ""
    if holds:
        what = f"the file is named {path.suffix} but holds {holds}"
        raise DataError(what, where=f"{path} line 1", hint="a download that failed looks like this: fetch the file again")


def _line_of(head: bytes, at: int) -> int:
    return head.count(b"\n", 0, at) + 1


def _check_names(path: Path, names: list[str], row_numbers: bool) -> None:
    """Column names, with hints for what goes wrong in a line of text."""
    where = f"{path} line 1"
    if names and not names[-1].strip():
        hint = "a delimiter at the end of the line makes one more column: remove it there and in the rows, or name the column"
        raise DataError(f"column {len(names)}, the last, has no name", where=where, hint=hint)
    check_columns([n.strip() or "row numbers" if row_numbers and not i else n.strip() for i, n in enumerate(names)], where)


def _check_quotes(layout: _Layout) -> None:
    """Every quote opens at the start of a field, closes at its end or is doubled; no NUL anywhere."""
    limits = np.zeros(256, dtype=np.bool_)
    limits[list(f'{layout.delimiter}\r\n"'.encode())] = True
    inside, before, offset, last_quote = False, b"\n", 0, -2
    with layout.open() as file:
        while block := file.read(_GLANCE):
            if b"\0" in block:
                where = f"{layout.path} byte {offset + block.index(0)}"
                raise DataError("the file holds NUL bytes: it is not a text table", where=where, hint="it is damaged")
            if b'"' in block or last_quote == offset - 1:
                inside, last_quote = _quotes_of_block(layout, block, before, offset, inside, last_quote, limits)
            before, offset = block[-1:], offset + len(block)
    if inside:
        raise _quote_fault(layout)


def _quotes_of_block(
    layout: _Layout, block: bytes, before: bytes, offset: int, inside: bool, last: int, limits: NDArray[np.bool_]
) -> tuple[bool, int]:
    codes = np.frombuffer(before + block, dtype=np.uint8)
    at = np.flatnonzero(codes == 0x22)
    at = at[1:] if before == b'"' else at  # index 0 is the byte before the block
    if not inside and last == offset - 1 and not limits[codes[1]]:
        raise _quote_fault(layout)  # the block before ended with a closing quote, and this one goes on
    opening, closing = at[int(inside) :: 2], at[1 - int(inside) :: 2]
    starts_ok = limits[codes[opening - 1]]
    if offset == 0 and not inside and opening.size and opening[0] == 4 and block.startswith(codecs.BOM_UTF8):
        starts_ok[0] = True
    nexts_ok = limits[codes[np.minimum(closing + 1, codes.size - 1)]]
    if closing.size and closing[-1] == codes.size - 1:
        nexts_ok[-1] = True  # what follows it stands in the next block
    if not (starts_ok.all() and nexts_ok.all()):
        raise _quote_fault(layout)
    return bool((at.size + inside) % 2), (offset + int(at[-1]) - 1 if at.size else last)


def _read_all(layout: _Layout) -> Any:
    if layout.only_header:
        return pa.schema([(n, pa.string()) for n in layout.names]).empty_table()
    try:
        with layout.open() as file:
            return pacsv.read_csv(file, *_options(layout))
    except (pa.ArrowException, ValueError) as fault:
        raise _row_fault(layout, fault) from fault


def _stream(layout: _Layout) -> Iterator[pa.RecordBatch]:
    try:
        with layout.open() as file, pacsv.open_csv(file, *_options(layout)) as reader:
            yield from reader
    except (pa.ArrowException, ValueError) as fault:
        raise _row_fault(layout, fault) from fault


def _options(layout: _Layout) -> tuple[Any, Any, Any]:
    return (
        pacsv.ReadOptions(block_size=_BLOCK, skip_rows=layout.skipped),
        pacsv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True, ignore_empty_lines=len(layout.names) > 1),
        pacsv.ConvertOptions(column_types=dict.fromkeys(layout.names, pa.string()), strings_can_be_null=False),
    )


def _quote_fault(layout: _Layout) -> DataError:
    return _row_fault(layout, ValueError("a quote is not closed, or stands inside an unquoted field"))


def _row_fault(layout: _Layout, fault: Exception) -> DataError:
    """Where the file goes wrong, found by reading it again slowly; no value of the row is repeated."""
    with layout.open() as file:
        found = find_fault(file, layout.path, layout.names, layout.delimiter, longest=_BLOCK, skip=layout.skipped)
    if found is not None:
        return found
    return DataError("the file cannot be read as delimited text", where=str(layout.path), why=str(fault).split(":")[0][:200])


class _Guess:
    """What kind a column can still be, after each batch of its text."""

    def __init__(self, name: str, *, comma: bool = False, words: MissingWords | None = None) -> None:
        self.name = name
        self.words = words or MissingWords()
        self._odd_text = ""
        self._may_be_comma, self._comma, self._point = comma, False, False
        self._rows, self._odd = 0, 0  # rows seen, and the first of them (from 1) that holds no number
        upper = name.upper()
        self._forced = upper.endswith(_ALWAYS_TEXT)
        self._number = not self._forced
        self._date = not self._forced and upper.endswith("DT")
        self._seen = False

    def clean(self, column: Any) -> Any:
        """Texts without trailing blanks, null where missing."""
        return self.words.blank(_clean(column), self.name)

    def see(self, texts: Any) -> Any:
        """Take in the next cleaned texts; gives them converted if they may be what the column is."""
        before, self._rows = self._rows, self._rows + len(texts)
        if not (self._number or self._date) or texts.null_count == len(texts):
            return None
        self._seen = True
        if self._date:
            dates = _try(texts, "date")
            if dates is not None:
                return dates
            self._date = False
        numbers = self._numbers(texts)
        if numbers is None and self._number and self.name.upper().endswith(NUMBER_BY_NAME):
            odd = _first_odd(texts)
            self._odd, self._odd_text = before + odd, texts[odd - 1].as_py() if odd else ""
        self._number = (
            self._number and numbers is not None and not _written_as_code(texts) and not _loses_digits(texts, numbers)
        )
        return numbers if self._number else None

    def _numbers(self, texts: Any) -> Any:
        """The texts as numbers; None where one of them is none, or where some have decimal commas and some points."""
        if not self._may_be_comma:
            return _try(texts, "number")
        comma, point = (bool(pc.any(pc.match_substring(texts, mark)).as_py()) for mark in (",", "."))
        self._comma, self._point = self._comma or comma, self._point or point
        return None if self._comma and self._point else _try(_pointed(texts) if comma else texts, "number")

    def convert(self, texts: Any) -> Any:
        """Cleaned texts in the column's kind."""
        return _cast(_pointed(texts) if self._comma and self.kind == "number" else texts, self.kind)

    @property
    def remark(self) -> str:
        """What is remarkable in how the column was read."""
        if self._comma and self.kind == "number":
            return f"{self.name}: decimal commas were read"
        if self._odd and self.kind == "text":
            shown = visible_line(self._odd_text, limit=30)
            return f"{self.name} is text: row {self._odd} is the first that holds no number: {shown}"
        return ""

    @property
    def kind(self) -> Kind:
        if not self._seen and not self._forced:
            if self._date:
                return "date"
            return "number" if self.name.upper().endswith(NUMBER_BY_NAME) else "text"
        return "date" if self._date else "number" if self._number else "text"


def _pointed(texts: Any) -> Any:
    return pc.replace_substring(texts, ",", ".")


def _first_odd(texts: Any) -> int:
    """The first row, from 1, whose text is no finite decimal number; 0 if there is none."""
    fits = pc.match_substring_regex(texts, r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
    return int(pc.index(fits, value=False).as_py()) + 1


def _loses_digits(texts: Any, numbers: Any) -> bool:
    """Whether a double cannot keep every digit of an integer among the texts."""
    bounds = pc.min_max(numbers).as_py()
    if bounds["min"] is None or max(abs(bounds["min"]), abs(bounds["max"])) < _LARGEST_EXACT:
        return False
    return bool(pc.any(pc.match_substring_regex(texts, r"^\s*[-+]?\d{16,}$")).as_py())


def _written_as_code(texts: Any) -> bool:
    """Whether any text starts with a zero followed by a digit, sign apart."""
    values = pc.ascii_ltrim_whitespace(pc.drop_null(texts))
    _, offsets, data = values.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    codes = np.frombuffer(data, dtype=np.uint8)
    begin, length = starts[:-1], np.diff(starts)
    signed = np.isin(codes[begin], (0x2B, 0x2D))
    begin, length = begin + signed, length - signed
    begin = begin[length > 1]
    if begin.size == 0:
        return False
    second = codes[begin + 1]
    return bool(np.any((codes[begin] == 0x30) & (second >= 0x30) & (second <= 0x39)))


def _try(texts: Any, kind: Kind) -> Any:
    """The texts as numbers or dates, None if one of them is none (or no finite number)."""
    try:
        _cast(texts[:_TRIAL], kind)  # a conversion that fails is slow, for it describes every value at fault
        values = _cast(texts, kind)
    except pa.ArrowInvalid:
        return None
    return values if kind != "number" or pc.all(pc.is_finite(values)).as_py() is not False else None


def _cast(texts: Any, kind: Kind) -> Any:
    if kind == "text":
        return texts
    try:
        return texts.cast(ARROW_TYPE[kind])
    except pa.ArrowInvalid:  # numbers may be padded with blanks on the left
        return pc.ascii_ltrim_whitespace(texts).cast(ARROW_TYPE[kind])


def _clean(column: Any) -> Any:
    """Texts without trailing blanks, null where empty or a lone period."""
    return clean_text(column, missing=("", "."))
