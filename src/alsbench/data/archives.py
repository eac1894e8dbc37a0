"""Zip files: their data files unpacked beside the snapshot in the making, within limits, and read like any other file.

What a zip file or a folder holds besides is named in the receipt: nothing is left out in silence.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alsbench.data.readers.guard import library
from alsbench.data.readers.registry import formats, is_readable
from alsbench.data.receipt import Finding, Severity
from alsbench.data.safe_text import visible
from alsbench.errors import DataError

_MOST_BYTES = 20 * 2**30
_RATIO, _FREE_BYTES = 400, 2**26
_END_MARK, _END_BYTES = b"PK\x05\x06", 22
_MOST_MEMBERS = 10_000
_NAMED = 6
_PAPERS = {".md", ".toml", ".pdf", ".html", ".htm", ".xml", ".xsl", ".doc", ".docx", ".rtf", ".log", ".lst", ".sas", ".r"}
_FOLDER = ".building-unzip-"
_DATA_LIKE = {".zip", ".gz", ".7z", ".xls", ".xlsb", ".ods", ".rds", ".rda", ".rdata", ".sav", ".dta", ".dat", ".txt", ".cpt"}


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
    with library(path, "the zip file is damaged or cut short", hint=hint), zipfile.ZipFile(path) as archive:
        check_ends(archive, path)
        members = _members(archive, path)
        return [SourceFile(_extract(archive, m, folder, path), f"{path.name}/{visible(m.filename)}") for m in members]


def check_ends(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse bytes before the first file or after the end of a zip file: it was damaged or added to on its way."""
    end = path.stat().st_size - _END_BYTES - len(archive.comment)
    with path.open("rb") as file:
        file.seek(max(end, 0))
        closed = file.read(len(_END_MARK)) == _END_MARK
    first = min((i.header_offset for i in archive.infolist()), default=0)
    if first or not closed:
        place = "before its first file" if first else "after its end"
        hint = "copy or download it again, in binary mode"
        raise DataError(f"bytes stand {place}", where=f"{path} byte {0 if first else end}", hint=hint)


@contextlib.contextmanager
def told_by_name(source: SourceFile) -> Iterator[None]:
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


def left_out(paths: Iterable[Path]) -> list[Finding]:
    """What stands in the folders and zip files named and is not read, papers apart; a warning where it looks like data."""
    findings: list[Finding] = []
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
                findings.append(Finding("file-not-read", severity, visible(path.name), what, len(some)))
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
