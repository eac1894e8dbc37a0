"""Zip files: their data files unpacked beside the snapshot in the making, within limits, and read like any other file."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alsbench.data.readers.registry import is_readable
from alsbench.data.safe_text import visible
from alsbench.errors import DataError

_MOST_BYTES = 20 * 2**30
_RATIO, _FREE_BYTES = 400, 2**28
_MOST_MEMBERS = 10_000


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
    folder = Path(tempfile.mkdtemp(prefix=".building-unzip-", dir=scratch))
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            return [SourceFile(_extract(archive, m, folder, path), f"{path.name}/{visible(m.filename)}") for m in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, UnicodeDecodeError) as fault:
        raise DataError("the zip file is damaged or cut short", where=str(path), why=str(fault)[:200]) from fault


def _members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise DataError(f"the zip file holds {len(infos)} files", where=str(path), why=f"more than {_MOST_MEMBERS}")
    members = [i for i in infos if not i.is_dir() and _is_data(i.filename)]
    if not members:
        raise DataError("the zip file holds no data files", where=str(path))
    names = [PurePosixPath(m.filename).name.lower() for m in members]
    if len(set(names)) != len(names):
        raise DataError("two files of the zip file have the same name", where=str(path))
    for member in members:
        if member.flag_bits & 1:
            raise DataError("the zip file is encrypted", where=f"{path} {visible(member.filename)}", hint="unpack it first")
    return sorted(members, key=lambda m: m.filename)


def _is_data(name: str) -> bool:
    pure = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in pure.parts)
    return not hidden and pure.suffix.lower() != ".zip" and is_readable(Path(pure.name))


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, path: Path) -> Path:
    target = folder / PurePosixPath(member.filename.replace("\\", "/")).name
    limit = min(_MOST_BYTES, max(_FREE_BYTES, _RATIO * max(member.compress_size, 1)))
    if member.file_size > limit or member.file_size > shutil.disk_usage(folder).free:
        raise DataError("a file of the zip file unpacks to too much", where=f"{path} {visible(member.filename)}")
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    written = 0
    with os.fdopen(handle, "wb") as out, archive.open(member) as inside:
        while chunk := inside.read(2**20):
            written += len(chunk)
            if written > limit:
                raise DataError("a file of the zip file unpacks to too much", where=f"{path} {visible(member.filename)}")
            out.write(chunk)
    return target
