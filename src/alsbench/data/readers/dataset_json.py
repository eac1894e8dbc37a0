"""CDISC Dataset-JSON 1.1: one document, NDJSON (a line of metadata, then a row a line), or DSJC (compressed NDJSON).

The specification compresses DSJC with zlib; files in the wild are gzip: both are read. ``records`` must be the number of
rows. A column is a date if it is one in the analysis data too (``dataType`` date with a ``targetDataType``); other ISO
dates are character in CDISC and stay text. Numbers are numbers whatever the integer type declared; one with a date or time
format of SAS as its displayFormat counts from 1960, as in SAS.

One large JSON object is read piece by piece (:class:`JsonObject`): its entries, and the rows of a list in it, without holding
the whole. The text is decoded a value at a time by the standard library's own decoder. A value that ends where the text read so
far ends may go on: more is read, twice as much each time, up to a limit. What is not JSON is refused where it stands, and so is
anything after the object's end.
"""

from __future__ import annotations

import codecs
import gzip
import json
import shlex
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alsbench.data.codelists import MissingWords
from alsbench.data.dataset import ARROW_TYPE, BATCH_ROWS, Dataset, check_columns, clean_text
from alsbench.data.frames import ColumnInfo
from alsbench.data.sanitize import visible, visible_line
from alsbench.data.sas import MaskedNumbers, date_kind, to_arrow
from alsbench.errors import DataError
from alsbench.study.sql import Kind

_CHUNK = 2**20
_LONGEST = 2**26  # characters of one value
_CUT = 16  # characters from the end within which a fault may be that of a value cut short
_BLANK = " \t\n\r"
_NUMBERS = {"integer", "decimal", "float", "double"}
_TEXTS = {"string", "datetime", "time", "URI"}
_BOMB_BYTES, _BOMB_RATIO = 2**28, 400
_LONGEST_LINE = 2**26
_AGAIN = "copy or export it again, in binary mode"


def no_constant(name: str) -> Any:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is not JSON")


class JsonObject:
    """The entries of the object in a file. Read :meth:`keys`; after each, take :meth:`value` or :meth:`rows`, once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = json.JSONDecoder(parse_constant=no_constant)
        self._text = ""
        self._at = 0
        self._chunks = _texts(path)
        self._ended = False

    def keys(self) -> Iterator[str]:
        """The names of the object's entries, each before its value is read; a name may stand once."""
        if self._next() != "{":
            raise self.fault("no object begins here")
        self._at += 1
        seen: set[str] = set()
        if self._next() == "}":
            self._at += 1
        else:
            while True:
                if self._next() != '"':
                    raise self.fault("the name of an entry is expected")
                name = self.value()
                if name in seen:
                    raise self.fault(f"{name[:40]!r} is given twice")
                seen.add(name)
                if self._next() != ":":
                    raise self.fault("a colon is expected")
                self._at += 1
                yield name
                if self._separator("}"):
                    break
        if self._next():
            raise self.fault("something follows the end of the document")

    def is_list(self) -> bool:
        """Whether the value that comes next is a list."""
        return self._next() == "["

    def rows(self) -> Iterator[Any]:
        """The elements of the list that comes next, one by one; all have to be read before the next key."""
        if self._next() != "[":
            raise self.fault("a list is expected")
        self._at += 1
        if self._next() == "]":
            self._at += 1
            return
        count = 0
        while True:
            count += 1
            yield self.value(f" row {count}")
            if self._separator("]", f" row {count}"):
                return

    def value(self, place: str = "") -> Any:
        """The value that comes next."""
        self._next()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as fault:
                cut = fault.pos >= len(self._text) - _CUT or fault.msg.startswith("Unterminated")
                if not (cut and self._more()):
                    raise self.fault(fault.msg, place) from fault
            except (ValueError, RecursionError) as fault:
                raise self.fault(str(fault)[:200], place) from fault
            else:
                taken, rest = end - self._at, self._text[end : end + 3]
                if rest.strip("eE+-.") or len(rest) > 2 or not self._more():  # a number that ends with the text may go on
                    self._at += taken
                    return found

    def fault(self, why: str, place: str = "") -> DataError:
        """An error of this file."""
        return DataError(
            "this is not valid JSON", where=f"{self._path}{place}", why=why, hint="the file may be cut short or damaged"
        )

    def _separator(self, closing: str, place: str = "") -> bool:
        """Step over a comma, or over the end; True for the end."""
        found = self._next()
        if found not in (",", closing) or not found:
            raise self.fault(f"a comma or {closing} is expected" if found else "the document ends here", place)
        self._at += 1
        return found == closing

    def _next(self) -> str:
        """The next character that is not blank, where it stands; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on: at least as much as is held of the value at hand. False at the end of the file."""
        held = len(self._text) - self._at
        if held > _LONGEST:
            raise DataError("a value is too long for a table", where=str(self._path))
        parts, size = [self._text[self._at :]], 0
        while not self._ended and size <= held:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            parts.append(chunk or "")
            size += len(chunk or "")
        self._text, self._at = "".join(parts), 0
        return size > 0


def _texts(path: Path) -> Iterator[str]:
    """The file decoded as the standard library would decode it whole."""
    try:
        with path.open("rb") as file:
            encoding = json.detect_encoding(file.read(4))
            file.seek(0)
            decoder = codecs.getincrementaldecoder(encoding)()
            while chunk := file.read(_CHUNK):
                text = decoder.decode(chunk)
                if text:
                    yield text
            yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as fault:
        raise DataError("this is not valid JSON", where=str(path), why=f"it is not {fault.encoding} text") from fault
    except OSError as fault:
        raise DataError(f"the file cannot be read: {fault.strerror}", where=str(path)) from fault


def read_dataset_json(path: Path, *, name: str, words: MissingWords | None = None) -> list[Dataset]:
    """The file as one data set, with ``words`` that are missing values.

    Raises DataError naming the row and column that do not fit.
    """
    missing = words or MissingWords()
    meta, rows = _open(path)
    columns = _columns(meta, str(path))
    promised = meta.get("records")
    if promised is not None and (not isinstance(promised, int) or isinstance(promised, bool) or promised < 0):
        hint = "it has to be the number of rows, a whole number"
        raise DataError("records is not a number of rows", where=f"{path} records", hint=hint)
    inside = meta.get("name")
    given = inside.upper() if isinstance(inside, str) and inside.strip() else name
    remarks = [] if given == name else [f"the file is named {name}, the data set in it {given}: {given} is used"]
    version = meta.get("datasetJSONVersion")
    if isinstance(version, str) and not version.startswith("1.1"):
        remarks.append(f"the file says it is Dataset-JSON {visible(version[:20])}: it was read as 1.1")
    label = meta.get("label")
    return [
        Dataset(
            name=given,
            columns=columns,
            batches=lambda: _batches(rows(), columns, str(path), missing, remarks),
            label=label if isinstance(label, str) else "",
            rows=promised,
            remarks=remarks,
        )
    ]


def _open(path: Path) -> tuple[Mapping[str, Any], Callable[[], Iterator[Any]]]:
    """The metadata, and a function that starts reading rows."""
    if path.suffix.lower() == ".json":
        return _document(path)
    lines = _lines(path)
    first = next(lines, None)
    meta = _parse(first, f"{path} line 1") if first is not None else None
    if not isinstance(meta, dict) or "columns" not in meta:
        hint = "NDJSON has the metadata, with the columns, on the first line and a row on each line after"
        what = "the first line is no Dataset-JSON metadata: it has no columns"
        raise DataError(what, where=f"{path} line 1", hint=hint)
    if "rows" in meta:
        hint = "name it .json" if path.suffix.lower() == ".ndjson" else "unpack it and name it .json"
        raise DataError("the file holds one JSON document, not a row a line", where=f"{path} line 1", hint=hint)
    return meta, lambda: _row_lines(path)


def _document(path: Path) -> tuple[Mapping[str, Any], Callable[[], Iterator[Any]]]:
    """The metadata of one document and its rows, streamed each time. What stands behind the rows is read at their end, or at
    once where the columns or the number of rows are not before them."""
    meta: dict[str, Any] = {}
    document = JsonObject(path)
    for key in document.keys():  # noqa: SIM118 - no mapping: the file is read on
        if key != "rows":
            meta[key] = document.value()
            continue
        if not document.is_list():
            raise DataError("rows is no list", where=str(path))
        if "columns" in meta and "records" in meta:
            break
        for _ in document.rows():
            pass
    if "columns" not in meta:
        if "clinicalData" in meta or "referenceData" in meta:
            raise DataError("this is Dataset-JSON 1.0; 1.1 is read", where=str(path), hint="export it again as 1.1")
        hint = "Dataset-JSON 1.1 describes its columns and holds rows"
        raise DataError("the file is JSON but no Dataset-JSON: it has no columns", where=str(path), hint=hint)

    def rows() -> Iterator[Any]:
        again = JsonObject(path)
        for key in again.keys():  # noqa: SIM118
            if key == "rows":
                yield from again.rows()
            else:
                again.value()

    return meta, rows


def _row_lines(path: Path) -> Iterator[Any]:
    for number, line in enumerate(_lines(path), start=1):
        if number > 1 and line.strip():
            yield _parse(line, f"{path} line {number}")


def _lines(path: Path) -> Iterator[bytes]:
    rest = b""
    for chunk in _chunks(path):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > _LONGEST_LINE:
            raise DataError("a line is too long for a table", where=str(path))
    if rest.strip():
        yield rest


def _chunks(path: Path) -> Iterator[bytes]:
    """The file's bytes, decompressed if it is DSJC; refuses a file that swells beyond reason."""
    try:
        with path.open("rb") as file:
            if path.suffix.lower() != ".dsjc":
                yield from iter(lambda: file.read(_CHUNK), b"")
                return
            size = path.stat().st_size
            start = file.read(2)
            if start[:1] == b"{":
                what, hint = "the file is named .dsjc but is not compressed", "name it .ndjson"
                raise DataError(what, where=f"{path} byte 0", hint=hint)
            file.seek(0)
            zipped = gzip.GzipFile(fileobj=file)
            total = 0
            for chunk in iter(lambda: zipped.read(_CHUNK), b"") if start == b"\x1f\x8b" else _zlib(file, str(path)):
                total += len(chunk)
                if total > _BOMB_BYTES and total > _BOMB_RATIO * size:
                    raise DataError(f"the file unpacks to more than {_BOMB_RATIO} times its size", where=str(path))
                yield chunk
    except (OSError, EOFError, zlib.error) as fault:
        what = "the compressed file is damaged or cut short"
        raise DataError(what, where=str(path), why=str(fault)[:200], hint=_AGAIN) from fault


def _zlib(file: Any, where: str) -> Iterator[bytes]:
    unpack = zlib.decompressobj()
    while chunk := file.read(_CHUNK):
        while chunk:
            yield unpack.decompress(chunk, _CHUNK)
            chunk = unpack.unconsumed_tail
    yield unpack.flush()
    if not unpack.eof:
        raise DataError("the compressed file is cut short", where=where, hint=_AGAIN)
    if unpack.unused_data:
        raise DataError("bytes follow the end of the compressed data", where=where, hint=_AGAIN)


_DECODER = json.JSONDecoder(parse_constant=no_constant)


def _parse(raw: bytes, where: str) -> Any:
    try:
        if raw[:1] in (b"[", b"{") and raw[1:2] not in (b"", b"\0"):  # UTF-8, as json.loads would find out anew for every line
            return _DECODER.decode(raw.decode("utf-8", "surrogatepass"))
        return json.loads(raw, parse_constant=no_constant)
    except (ValueError, RecursionError) as fault:
        raise DataError(
            "this is not valid JSON", where=where, why=str(fault)[:200], hint="the file may be cut short"
        ) from fault


def _columns(meta: Mapping[str, Any], where: str) -> tuple[ColumnInfo, ...]:
    listed = meta.get("columns")
    if not isinstance(listed, list) or not all(isinstance(c, dict) and isinstance(c.get("name"), str) for c in listed):
        raise DataError("the columns have no names", where=where)
    check_columns([c["name"] for c in listed], where)
    return tuple(
        ColumnInfo(
            c["name"], _text(c.get("label")), _kind(c, where), _text(c.get("displayFormat")), _type(c), _length(c.get("length"))
        )
        for c in listed
    )


def _type(column: Mapping[str, Any]) -> str:
    target = _text(column.get("targetDataType"))
    return _text(column.get("dataType")) + (f" as {target}" if target else "")


def _length(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _kind(column: Mapping[str, Any], where: str) -> Kind:
    declared = column.get("dataType")
    if declared in _NUMBERS:
        return date_kind(_text(column.get("displayFormat")))
    if declared == "boolean":
        return "boolean"
    if declared == "date":
        return "date" if column.get("targetDataType") else "text"
    if declared in _TEXTS:
        return "text"
    hint = f"known: {', '.join(sorted(_NUMBERS | _TEXTS | {'boolean', 'date'}))}"
    raise DataError(f"column {visible(column['name'])} has no known dataType", where=where, hint=hint)


def _batches(
    rows: Iterator[Any], columns: tuple[ColumnInfo, ...], where: str, missing: MissingWords, remarks: list[str]
) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in columns])
    held: list[list[Any]] = []
    done = 0
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            found = len(row) if isinstance(row, list) else "no"
            what = f"row {number} has {found} values, there are {len(columns)} columns"
            raise DataError(what, where=f"{where} row {number}", hint="every row is a list with one value per column")
        held.append(row)
        if len(held) == BATCH_ROWS:
            yield _batch(held, columns, schema, where, done, missing)
            done, held = done + len(held), []
    if held:
        yield _batch(held, columns, schema, where, done, missing)
    remarks.extend(r for r in missing.remarks if r not in remarks)


def _batch(
    rows: list[list[Any]], columns: tuple[ColumnInfo, ...], schema: pa.Schema, where: str, done: int, missing: MissingWords
) -> pa.RecordBatch:
    arrays = []
    for info, given in zip(columns, zip(*rows, strict=True), strict=True):
        values = tuple(None if missing.means_missing(v, info.name) else v for v in given) if missing else given
        if info.kind != "number" and info.type.split(" ")[0] in _NUMBERS:
            arrays.append(_sas_dates(values, info, where, done))
            continue
        array = _as_they_are(values, info.kind)
        if array is None:
            array = pa.array(_converted(values, info, where, done), ARROW_TYPE[info.kind])
        arrays.append(clean_text(array) if info.kind == "text" else array)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as_they_are(values: tuple[Any, ...], kind: Kind) -> Any:
    """The values as an array where all are of one plain type already, as mostly; None where they have to be looked at."""
    types = set(map(type, values)) - {type(None)}
    try:
        if kind == "number" and types <= {float}:
            array = pa.array(values, pa.float64())
            return array if pc.all(pc.is_finite(array)).as_py() is not False else None
        if kind == "text" and types <= {str}:
            return pa.array(values, pa.string())
    except (ValueError, TypeError):  # a lone surrogate
        return None
    return None


def _sas_dates(values: tuple[Any, ...], info: ColumnInfo, where: str, done: int) -> Any:
    """Numbers that a format of SAS makes dates, datetimes or times."""
    numbers = np.array(_converted(values, replace(info, kind="number"), where, done), dtype=np.float64)
    held = MaskedNumbers(numbers, np.isnan(numbers))
    array = to_arrow(held, info.kind, info.format, where=where, column=info.name, first_row=done + 1)
    return clean_text(array) if info.kind == "text" else array


def _converted(values: tuple[Any, ...], info: ColumnInfo, where: str, done: int) -> list[Any]:
    """The values in the column's kind, one by one; each is converted once."""
    convert, known = _CONVERT[info.kind], dict[Any, Any]()
    out: list[Any] = []
    for number, value in enumerate(values, start=done + 1):
        try:
            key = (type(value), value)  # 1, 1.0 and True are one key otherwise
            if key not in known:
                known[key] = None if value is None else convert(value)
            out.append(known[key])
        except (ValueError, TypeError, OverflowError) as fault:
            place = f"{where} row {number} column {info.name}"
            shown = visible_line(json.dumps(value, ensure_ascii=False), limit=40)
            held = f"{shown}, more digits than a number keeps" if isinstance(fault, OverflowError) else shown
            what = f"{info.name} is declared a {info.kind} and holds {held}"
            raise DataError(what, where=place, hint=_correct(value)) from fault
    return out


def _correct(value: Any) -> str:
    """What to do with a value that is not of its column's kind."""
    hint = "correct the value, or the dataType of the column"
    word = value.strip() if isinstance(value, str) else ""
    return f"{hint}; if it means that the value is missing: load --missing {shlex.quote(word)}" if 0 < len(word) <= 20 else hint


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError("no number")
    if isinstance(value, str) and value.strip() in ("", "."):
        return None
    number = float(value)  # decimals come as text
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("no finite number")
    if isinstance(value, int) and int(number) != value:
        raise OverflowError("more digits than a number keeps")
    return number


def _date(value: Any) -> date | None:
    if not isinstance(value, str):
        raise TypeError("no date")
    return date.fromisoformat(value.removesuffix("T00:00:00")) if value else None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    value.encode()  # a lone surrogate is no text
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("no truth value")
    return value


_CONVERT: dict[Kind, Callable[[Any], Any]] = {"number": _number, "date": _date, "text": _string, "boolean": _boolean}
