"""Which reader reads a file: by its extension, provided its first bytes do not say otherwise.

A file whose content contradicts its name is refused rather than guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from alsbench.data.dataset import Dataset
from alsbench.data.missing_words import MissingWords, without_words
from alsbench.data.safe_text import visible
from alsbench.data.text_dates import with_dates
from alsbench.errors import DataError
from alsbench.study.names import near

Reader = Callable[..., list[Dataset]]

_FORMATS: dict[str, str] = {
    ".xpt": "xpt",
    ".xport": "xpt",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".json": "dataset_json",
    ".ndjson": "dataset_json",
    ".dsjc": "dataset_json",
    ".sas7bdat": "sas7bdat",
    ".xlsx": "excel",
    ".zip": "zip",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"HEADER RECORD*******LIB", "xpt", "a SAS transport file (.xpt)"),
    (b"PAR1", "parquet", "a Parquet file (.parquet)"),
    (b"PARE", "encrypted", "an encrypted Parquet file"),
    (b"PK\x03\x04", "zip", "a zip or Excel file (.zip, .xlsx)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole", "an encrypted or old Excel file"),
    (b"\x1f\x8b", "gzip", "a gzip-compressed file"),
    (b"\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60", "sas7bdat", "a SAS7BDAT file (.sas7bdat)"),
    (b"%PDF", "pdf", "a PDF document"),
)


_NEAR = 3  # names offered for one that is not there
_ASK_FOR_WORDS = {"delimited", "dataset_json", "excel"}  # their numbers may be written as text
_COMPATIBLE = {("gzip", ".dsjc"), ("zip", ".xlsx")}
_ADVICE = {
    ".xls": "save it as .xlsx or CSV",
    ".xlsb": "save it as .xlsx or CSV",
    ".ods": "save it as .xlsx or CSV",
    ".gz": "unpack it first",
    ".7z": "unpack it first",
    ".txt": "if it is delimited text, name it .csv or .tsv",
    ".dat": "if it is delimited text, name it .csv or .tsv",
    ".sas7bcat": "a catalogue holds formats, no data",
    ".cpt": "a CPORT file is for SAS only: write the data with the XPORT engine",
    ".rds": "write it from R as CSV or Parquet",
    ".rda": "write it from R as CSV or Parquet",
    ".rdata": "write it from R as CSV or Parquet",
}


def formats() -> tuple[str, ...]:
    """The extensions that can be read."""
    return tuple(sorted(_FORMATS))


def is_readable(path: Path) -> bool:
    """Whether the file's extension is one of :func:`formats`."""
    return path.suffix.lower() in _FORMATS


def read(path: Path, *, missing: Iterable[str] = ()) -> list[Dataset]:
    """The data sets of one file. Raises DataError naming the file for whatever keeps it from being read whole.

    A text that is one of the words ``missing``, blanks around it apart, is a missing value.
    """
    format_ = _FORMATS.get(path.suffix.lower())
    if format_ is None:
        advice, known = _ADVICE.get(path.suffix.lower(), ""), f"readable: {', '.join(formats())}"
        what = (
            f"files ending in {visible(path.suffix)} cannot be read"
            if path.suffix
            else "a file without an ending cannot be read"
        )
        raise DataError(what, where=str(path), hint=f"{advice}; {known}" if advice else known)
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as fault:
        raise DataError(f"the file cannot be opened: {fault.strerror}", where=str(path)) from fault
    if not head:
        raise DataError("the file is empty", where=str(path))
    for magic, holds, what in _SIGNATURES:
        if head.startswith(magic) and holds != format_ and (holds, path.suffix.lower()) not in _COMPATIBLE:
            raise DataError(f"the file is named {path.suffix} but holds {what}", where=str(path), hint="rename or convert it")
    words = MissingWords(missing)
    if format_ in _ASK_FOR_WORDS:
        datasets = _reader(format_)(path, name=table_name(path), words=words)
    else:
        datasets = [without_words(d, words) for d in _reader(format_)(path, name=table_name(path))]
    for dataset in datasets:
        if not dataset.name.isprintable():
            what = f"the name of a data set has characters that cannot be printed: {visible(dataset.name)}"
            raise DataError(what, where=str(path), hint="rename it")
    return [with_dates(d) for d in datasets]


def table_name(path: Path) -> str:
    """The table a file becomes when nothing in it says otherwise: its stem in upper case."""
    return path.stem.upper()


def find_files(paths: list[Path]) -> Iterator[Path]:
    """The files named, and the readable files of the folders named, in a fixed order. Raises DataError for what is missing."""
    for path in paths:
        if path.is_dir():
            try:
                found = sorted(p for p in path.iterdir() if p.is_file() and is_readable(p) and not p.name.startswith("."))
            except OSError as fault:
                raise DataError(f"the folder cannot be read: {fault.strerror}", where=str(path)) from fault
            if not found:
                raise DataError("the folder holds no data files", where=str(path), hint=f"readable: {', '.join(formats())}")
            yield from found
        elif path.is_file():
            yield path
        elif path.exists():
            hint = "save what it gives into a file, and load that"
            raise DataError("this is a device or a pipe, not a file", where=str(path), hint=hint)
        else:
            raise DataError("there is no such file or folder", where=str(path), hint=_neighbour(path))


def _neighbour(path: Path) -> str:
    """Files and folders beside it that are named nearly so; a folder that is not there is the fault to be told."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    try:
        beside = sorted(p for p in path.parent.iterdir() if p.is_dir() or is_readable(p))
    except OSError:
        return ""
    close = near(path.stem, {p.stem for p in beside})
    named = [p.name for p in beside if p.stem in close][:_NEAR]
    return f"did you mean {' or '.join(named)}?" if named else ""


def _reader(format_: str) -> Reader:
    match format_:
        case "xpt":
            from alsbench.data.readers.xpt import read_xpt

            return read_xpt
        case "parquet":
            from alsbench.data.readers.parquet import read_parquet

            return read_parquet
        case "dataset_json":
            from alsbench.data.readers.dataset_json import read_dataset_json

            return read_dataset_json
        case "excel":
            from alsbench.data.readers.excel import read_excel

            return read_excel
        case "sas7bdat":
            from alsbench.data.readers.sas7bdat import read_sas7bdat

            return read_sas7bdat
    from alsbench.data.readers.delimited import read_delimited

    return read_delimited
