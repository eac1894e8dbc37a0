"""Which reader reads a file: by its extension, provided its first bytes do not say otherwise.

A file whose content contradicts its name is refused rather than guessed at. The data files of a zip file are unpacked beside
the snapshot in the making, within limits, and read like any other file. What a zip file or a folder holds besides is named in
the receipt: nothing is left out in silence.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alsbench.data.codelists import MissingWords, without_words
from alsbench.data.dataset import Dataset, check_ends, library_errors
from alsbench.data.readers.dataset_json import read_dataset_json
from alsbench.data.readers.delimited import read_delimited
from alsbench.data.readers.excel import read_excel
from alsbench.data.readers.sas7bdat import read_sas7bdat
from alsbench.data.readers.xpt import read_xpt
from alsbench.data.receipt import RuleFinding, Severity
from alsbench.data.sanitize import visible
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


_READERS: dict[str, Reader] = {
    "xpt": read_xpt,
    "dataset_json": read_dataset_json,
    "excel": read_excel,
    "sas7bdat": read_sas7bdat,
    "delimited": read_delimited,
}
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
_MOST_BYTES = 20 * 2**30
_RATIO, _FREE_BYTES = 400, 2**26
_MOST_MEMBERS = 10_000
_NAMED = 6
_PAPERS = {".md", ".toml", ".pdf", ".html", ".htm", ".xml", ".xsl", ".doc", ".docx", ".rtf", ".log", ".lst", ".sas", ".r"}
_FOLDER = ".building-unzip-"
_DATA_LIKE = {".zip", ".gz", ".7z", ".xls", ".xlsb", ".ods", ".rds", ".rda", ".rdata", ".sav", ".dta", ".dat", ".txt", ".cpt"}


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
    if format_ == "parquet":
        from alsbench.data.readers.parquet import read_parquet  # waits: pyarrow.parquet

        return read_parquet
    return _READERS.get(format_, read_delimited)


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and the name the receipt shows for it."""

    path: Path
    name: str


def unpack(path: Path, scratch: Path) -> list[SourceFile]:
    """A plain file as it is; of a zip file the readable members, unpacked into a private folder under ``scratch``.

    Raises DataError for an encrypted, damaged or swelling archive, for two members with one name, and for none.
    """
    if path.suffix.lower() != ".zip":
        return [SourceFile(path, path.name)]
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=scratch))
    hint = "copy or download it again, in binary mode"
    with library_errors(path, "the zip file is damaged or cut short", hint=hint), zipfile.ZipFile(path) as archive:
        check_ends(archive, path)
        members = _members(archive, path)
        return [SourceFile(_extract(archive, m, folder, path), f"{path.name}/{visible(m.filename)}") for m in members]


@contextlib.contextmanager
def named_in_archive(source: SourceFile) -> Iterator[None]:
    """Errors about an unpacked file name the zip file and its member, not the private folder it was unpacked to."""
    try:
        yield
    except DataError as fault:
        if source.path.name == source.name or not source.path.parent.name.startswith(_FOLDER):
            raise
        where = fault.where.replace(str(source.path), source.name)
        raise DataError(fault.what, where=where, why=fault.why, hint=fault.hint) from fault


def _members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise DataError(f"the zip file holds {len(infos)} files", where=str(path), why=f"more than {_MOST_MEMBERS}")
    for info in infos:
        if not info.filename:
            what, hint = "a file of the zip file has no name: the zip file is damaged", "copy or download it again"
            raise DataError(what, where=str(path), hint=hint)
        if _leads_out(info.filename):
            what = "the path of a file in the zip file leads out of it"
            hint = "no zip program writes such names: do not trust this file"
            raise DataError(what, where=f"{path} {visible(info.filename)}", hint=hint)
    members = [i for i in infos if not i.is_dir() and _is_data(i.filename)]
    if not members:
        inner = any(i.filename.lower().endswith(".zip") for i in infos)
        hint = "it holds zip files: unpack it, and load those" if inner else f"readable: {', '.join(formats())}"
        raise DataError("the zip file holds no data files", where=str(path), hint=hint)
    seen: dict[str, str] = {}
    for member in members:
        other = seen.setdefault(PurePosixPath(member.filename).name.lower(), member.filename)
        if other is not member.filename:
            why = visible(f"{other} and {member.filename}")
            hint = "load the one that is meant"
            raise DataError("two files of the zip file have the same name", where=str(path), why=why, hint=hint)
    for member in members:
        if stat.S_ISLNK(member.external_attr >> 16):
            where, hint = f"{path} {visible(member.filename)}", "pack the file it leads to instead (zip does without -y)"
            raise DataError("a file of the zip file is only a link", where=where, hint=hint)
        if member.flag_bits & 1:
            raise DataError("the zip file is encrypted", where=f"{path} {visible(member.filename)}", hint="unpack it first")
    return sorted(members, key=lambda m: m.filename)


def unread_files(paths: Iterable[Path]) -> list[RuleFinding]:
    """What stands in the folders and zip files named and is not read, papers apart; a warning where it looks like data."""
    findings: list[RuleFinding] = []
    for path in paths:
        names = sorted(n for n in _beside(path) if PurePosixPath(n).suffix.lower() not in _PAPERS)
        kinds: tuple[tuple[Severity, list[str]], ...] = (
            ("warning", [n for n in names if _like_data(n)]),
            ("note", [n for n in names if not _like_data(n)]),
        )
        for severity, some in kinds:
            if some:
                shown = ", ".join(visible(n) for n in some[:_NAMED]) + (
                    f" and {len(some) - _NAMED} more" if some[_NAMED:] else ""
                )
                what = f"{len(some)} {'file was' if len(some) == 1 else 'files were'} not read: {shown}"
                findings.append(RuleFinding("file-not-read", severity, visible(path.name), what, len(some)))
    return findings


def _beside(path: Path) -> Iterator[str]:
    """Names of what is not read in a folder or zip file; a folder in a folder counts as one, where it holds data files."""
    if path.is_dir():
        for inner in path.iterdir():
            if inner.is_dir():
                if _holds_data(inner):
                    yield f"{inner.name}/"
            elif not inner.name.startswith(".") and not (is_readable(inner) and inner.is_file()):
                yield inner.name
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from (
                i.filename for i in archive.infolist() if not (i.is_dir() or _is_data(i.filename) or _hidden(i.filename))
            )


def _holds_data(folder: Path) -> bool:
    try:
        return any(is_readable(p) for p in folder.iterdir())
    except OSError:
        return True  # what cannot be looked into is named


def _like_data(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _DATA_LIKE or (not name.endswith("/") and is_readable(Path(name)))


def _leads_out(name: str) -> bool:
    plain = name.replace("\\", "/")
    return plain.startswith("/") or plain[1:3] == ":/" or ".." in PurePosixPath(plain).parts


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _is_data(name: str) -> bool:
    pure = PurePosixPath(name)
    return not _hidden(name) and pure.suffix.lower() != ".zip" and is_readable(Path(pure.name))


def _swells(path: Path, member: zipfile.ZipInfo) -> DataError:
    why = f"{member.compress_size} bytes would become {member.file_size} or more"
    what, hint = "a file of the zip file unpacks to too much", "if you trust it, unpack it and load the files"
    return DataError(what, where=f"{path} {visible(member.filename)}", why=why, hint=hint)


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, path: Path) -> Path:
    target = folder / PurePosixPath(member.filename.replace("\\", "/")).name
    limit = min(_MOST_BYTES, max(_FREE_BYTES, _RATIO * max(member.compress_size, 1)))
    if member.file_size > limit or member.file_size > shutil.disk_usage(folder).free:
        raise _swells(path, member)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    written = 0
    with os.fdopen(handle, "wb") as out, archive.open(member) as inside:
        while chunk := inside.read(2**20):
            written += len(chunk)
            if written > limit:
                raise _swells(path, member)
            out.write(chunk)
    return target
