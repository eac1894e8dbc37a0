"""Loading under dummy arms: files are recoded outside the workspace, then loaded like any others."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from alsbench.audit.arm_columns import SUBJECT_TABLE, arm_labels, blind_table, find_columns
from alsbench.audit.blinding import (
    blind_study,
    hide_words,
    names_arm,
    new_key,
    packed,
    read_key,
    refuse_inside,
    seal,
    write_key,
)
from alsbench.audit.disclosure import LEFT_OUT
from alsbench.audit.log import entries
from alsbench.data.dataset import from_table
from alsbench.data.derive.layout import derive
from alsbench.data.load import digest_of
from alsbench.data.load import load as load_snapshot
from alsbench.data.readers.files import find_files, read, unpack
from alsbench.data.receipt import RuleFinding
from alsbench.data.sas import reordered_metadata, special_codes
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.service.access import Access
from alsbench.service.trail import Load, study_facts
from alsbench.study.edit import publish
from alsbench.study.study_file import parse_study

if TYPE_CHECKING:
    from alsbench.audit.arm_columns import Columns
    from alsbench.audit.blinding import Key
    from alsbench.data.derive.layout import Derived
    from alsbench.data.frames import ColumnInfo
    from alsbench.data.receipt import Receipt
    from alsbench.study.model import Study

UNBLINDED = "unblinded"
Tables = dict[str, tuple[Any, "tuple[ColumnInfo, ...]"]]  # Arrow table and its columns, by data set


def load_blinded(
    access: Access,
    paths: list[Path],
    *,
    key_path: Path,
    study: Path | None = None,
    expect: Mapping[str, int] | None = None,
    accept: Mapping[str, str] | None = None,
    layout: str | None = None,
    missing: Sequence[str] = (),
) -> Receipt:
    """Load files under dummy arms. The key is made at the first load and needed again at every later one.

    What PRO-ACT and SDTM files have to be turned into is derived first, in memory, under the real arms.
    """
    space = Workspace(access.path)
    refuse_inside(key_path, space.path)
    _refuse_originals(paths, space)
    known, text = _start(space, key_path, study)
    log = Load(access)
    with private_folder(space.path) as folder:
        tables, sources = _read(paths, folder, dict(expect or {}), missing)
        derived = _derived(tables, layout, text or (text_of(space) if space.study_path.exists() else ""))
        tables |= {d.name: (d.table(), d.columns) for d in derived.tables}
        text = text or derived.study or text_of(space)
        real = parse_study(text)
        made = _blinded(tables, real, text, known, key_path)
        _refuse_traces(space, tables, made)
        hide = made.hide
        staged = [write_staged(folder, name, made.tables[name], *made.about[name]) for name in made.tables]
        dummy, withheld = blind_study(real, made.key, made.words, made.told)
        if known and space.current_name():
            dummy, withheld = text_of(space), made.key.withheld
        kept = [replace(d, remarks=list(map(hide, d.remarks))) for d in derived.tables if d.name in made.tables]
        found = [replace(f, what=hide(f.what), keys=tuple(map(hide, f.keys)), hint=hide(f.hint)) for f in derived.findings]
        found += made.findings(withheld)

        def install(receipt: Receipt) -> None:
            log.announce(receipt)
            sealed = {**made.key.sealed, receipt.digest: {"digest": made.digest, "tables": made.sealed}}
            key = replace(made.key, sources=(*made.key.sources, *sources), withheld=withheld, sealed=sealed)
            write_key(key_path, key, workspace=space.path, replace=known is not None)
            if not space.study_path.exists() or space.study_path.read_text("utf-8") != dummy:
                publish(space.study_path, dummy.encode())
                space.study_path.chmod(0o600)

        def load_it() -> Receipt:
            return load_snapshot(
                staged,
                space,
                study=parse_study(dummy),
                accept={rule: hide(reason) for rule, reason in (accept or {}).items()},
                layout="adam",
                derivation=replace(derived, tables=tuple(kept), findings=tuple(found), propose=str),
                before_publish=install,
                blinded=made.key.fingerprint,
            )

        more = {"blinded": made.key.fingerprint, "originals": made.key.mark([s["sha256"] for s in sources])}
        receipt = log.enter(load_it, lambda: {**more, **study_facts(access)})
    access.note(f"{receipt.rows} rows in {len(receipt.files)} data sets: snapshot {receipt.snapshot} is current, BLINDED")
    access.note(f"{key_path} tells who is who: give it to its holder, and keep it out of reach of whoever reads results")
    return receipt


@dataclass(frozen=True)
class Blinded:
    """Data sets under dummy arms with the descriptions of their columns, and what has to be known to undo it.

    ``digest`` is that of the originals and, like ``sealed``, goes into the key only.
    """

    key: Key
    words: tuple[str, ...]
    tables: dict[str, Any]
    about: dict[str, tuple[list[ColumnInfo], dict[bytes, bytes]]]
    columns: dict[str, Columns]
    swept: dict[str, tuple[str, ...]]
    sealed: dict[str, Any]
    digest: str

    @property
    def hide(self) -> Callable[[str], str]:
        return hide_words(self.key, self.words)

    @property
    def told(self) -> set[str]:
        return {c for found in self.columns.values() for c in found.told}

    def findings(self, withheld: Mapping[str, Sequence[str]]) -> list[RuleFinding]:
        """What was emptied or left out, for the receipt: never in which arm."""
        made = []
        for name, columns in self.columns.items():
            if name not in self.tables:
                made.append(RuleFinding("blinded", "note", name, "left out whole: it would tell an arm"))
                continue
            emptied = [*sorted(columns.hidden), *columns.qualifiers]
            rows = 0 if columns.rows is None else len(columns.rows)
            texts = {
                f"emptied: {', '.join(emptied)}": len(emptied),
                f"arm names in texts of {', '.join(self.swept[name])} became [blinded]": len(self.swept[name]),
                "columns named after an arm left out": len(columns.named),
                "records of parameters or visits that not every arm has left out": rows,
            }
            made += [RuleFinding("blinded", "note", name, self.hide(what), count) for what, count in texts.items() if count]
        for part, names in withheld.items():
            if names:
                what = f"{part} that tell an arm are with the key"
                made.append(RuleFinding("blinded", "note", "study.toml", what, len(names)))
        return made


def _blinded(tables: Tables, real: Study, text: str, known: Key | None, key_path: Path) -> Blinded:
    """Every data set under dummy arms, cut and sorted, with what undoes it."""
    arrays = {name: table for name, (table, _) in tables.items()}
    if SUBJECT_TABLE not in arrays:
        raise DataError(
            f"a blinded load needs an {SUBJECT_TABLE}, and there is none among these files",
            hint="arms are hidden by subject: analysis data sets, PRO-ACT files or SDTM domains are needed",
        )
    labels = arm_labels(arrays, real)
    key = known or new_key(real, text, labels)
    if strange := [label for label in labels if label not in key.arms]:
        raise DataError(
            f"{len(strange)} arms are not in the key", where=str(key_path), hint="blind into a new workspace with a new key"
        )
    words = tuple(real.arms.labels.values())
    columns = find_columns(arrays, real, key, words, {name: special_codes(table) for name, table in arrays.items()})
    codes = {c: codes for found in columns.values() for c, codes in found.codes.items()}
    key = replace(key, codes={**key.codes, **codes})
    hide = hide_words(key, words)
    made = Blinded(key, words, {}, {}, columns, {}, {}, digest_of(tables))
    for name, (table, info) in tables.items():
        told = columns[name]
        whole = told.rows is None or name.upper() in LEFT_OUT
        blind, made.swept[name] = blind_table(table, told, key, words)
        out = range(table.num_rows) if told.rows is None or whole else told.rows
        blind, sealed = seal(
            table, blind, subject=real.info.subject, named=told.named, out=_rows(out), columns=[asdict(c) for c in info]
        )
        made.sealed[name] = packed(sealed)
        if whole:
            continue
        stays = [replace(c, label=hide(c.label), format=hide(c.format)) for c in info if c.name not in told.named]
        made.tables[name] = blind
        made.about[name] = (stays, reordered_metadata(table.schema.metadata, sealed.order, told.hidden | told.named))
    return made


def _rows(numbers: Any) -> Any:
    return np.asarray(numbers, dtype=np.int64)


def refuse_open_load(space: Workspace) -> None:
    """Raises UsageError where a plain load would bring arms into a blinded workspace."""
    if space.blinded():
        hint = "alsbench load --blinded --key FILE keeps it so; alsbench unblind --key FILE --reason TEXT ends it"
        raise UsageError("this workspace is blinded", where=str(space.path), hint=hint)


def text_of(space: Workspace) -> str:
    """The workspace's study file as it stands."""
    try:
        return space.study_path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError("there is no study file to read", where=str(space.study_path), hint="--study FILE") from fault


def _start(space: Workspace, key_path: Path, study: Path | None) -> tuple[Key | None, str]:
    """The key, if this workspace has one already, and the study file with the real arms; empty where there is none yet."""
    if any(e.action == UNBLINDED for e in entries(space.audit_path)):
        raise UsageError("this workspace was unblinded: it cannot be blind again", where=str(space.path), hint="use a new one")
    seal = ""
    if space.current_name() is not None:
        with space.open_current() as snapshot:
            seal = str(snapshot.receipt.get("blinded") or "")
        if not seal:
            raise UsageError("this workspace holds data that are not blinded", where=str(space.path), hint="use a new one")
    given = None
    if study is not None:
        if not study.is_file():
            raise UsageError("there is no such study file", where=str(study))
        given = study.read_bytes().decode("utf-8-sig")
    if key_path.exists():
        key = read_key(key_path)
        if seal and key.fingerprint != seal:
            raise UsageError("this key is not the one the workspace was blinded with", where=str(key_path))
        if given is not None and given != key.study_toml:
            hint = "leave out --study; a changed study needs a new key and a new workspace"
            raise UsageError("the study of this key is another", where="--study", hint=hint)
        return key, key.study_toml
    if seal:
        raise UsageError("loading again needs the key of the first load", where=str(key_path))
    if given is None and space.study_path.exists():
        given = text_of(space)
    return None, given or ""


def _read(
    paths: list[Path], folder: Path, expect: dict[str, int], missing: Sequence[str]
) -> tuple[Tables, list[dict[str, str]]]:
    """Every data set in memory with its columns, and the files by name and hash."""
    tables: Tables = {}
    sources: list[dict[str, str]] = []
    unused = dict(expect)
    for source in (s for path in find_files(paths) for s in unpack(path, folder)):
        with source.path.open("rb") as file:
            sources.append({"name": source.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()})
        for dataset in read(source.path, missing=missing):
            table = dataset.table()
            if dataset.name in tables:
                raise DataError(f"two files hold a data set named {dataset.name}", where=source.name)
            promised = [dataset.rows] if dataset.rows is not None else []
            for name in (source.name, source.path.name, source.path.stem, dataset.name):
                promised += [unused.pop(k) for k in list(unused) if k.lower() == name.lower()]
            if any(n != table.num_rows for n in promised):
                raise DataError(f"{promised[-1]} rows were expected, the file holds {table.num_rows}", where=source.name)
            tables[dataset.name] = (table, dataset.columns)
    if unused:
        raise UsageError(f"no file or data set is named {next(iter(unused))}", where="--expect")
    return tables, sources


def _refuse_originals(paths: Sequence[Path], space: Workspace) -> None:
    """Raises UsageError for files that lie in the workspace: whoever reads it would read them."""
    for path in paths:
        if path.resolve().is_relative_to(space.path.resolve()) or space.path.resolve().is_relative_to(path.resolve()):
            hint = "move the data and the workspace apart"
            raise UsageError("the data and the workspace that is blinded lie in one folder", where=str(path), hint=hint)


def _refuse_traces(space: Workspace, tables: Tables, made: Blinded) -> None:
    """Raises where an arm's name stands in a place that is not recoded: a data set's name, a workspace that was used before."""
    if named := sum(names_arm(name, made.key, made.words) for name in tables):
        raise DataError(f"{named} data sets are named after an arm", hint="rename the files: a table of this name would tell")
    if space.current_name() is not None:  # the first load found nothing; since then nobody here knew an arm
        return
    for path in sorted(p for p in space.path.rglob("*") if p.is_file() and p != space.study_path):
        text = path.read_bytes().decode("utf-8", "replace")
        if made.hide(text) != text:
            raise DataError("a file of this workspace names an arm", where=str(path), hint="blind into a new workspace")


def _derived(tables: Tables, layout: str | None, text: str) -> Derived:
    """Analysis data sets made from PRO-ACT files or SDTM domains by the study's rules; none where there are some already."""
    study = parse_study(text) if text else None
    if study is not None and study.source is not None:
        hint = "load them without --blinded, or deliver analysis data (ADaM)"
        raise UsageError("data with a [source] table cannot be loaded blinded", where="--blinded", hint=hint)
    rules = study.derive if study is not None else None
    return derive([from_table(name, table, columns=columns) for name, (table, columns) in tables.items()], layout, rules)


def write_staged(folder: Path, name: str, table: Any, columns: Sequence[ColumnInfo], special: Mapping[bytes, bytes]) -> Path:
    """A data set as Parquet, with what its columns' metadata say and its special missing values."""
    infos = {c.name: c for c in columns}
    fields = [
        f.with_metadata({k.encode(): str(v).encode() for k, v in _told(infos[f.name]).items()} if f.name in infos else {})
        for f in table.schema
    ]
    path = folder / "staged" / f"{name}.parquet"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(None).cast(pa.schema(fields, metadata=dict(special))), path)
    return path


def _told(column: ColumnInfo) -> dict[str, object]:
    return {"label": column.label, "format": column.format, "type": column.type, "length": column.length}


# ---- a private folder outside the workspace for what must not stay in it: unpacked originals, data sets on their way in; the
# workspace keeps its path in a file that is locked as long as the load lives, so that whoever finds it unlocked removes both

MARK = ".staging-"
_FOLDER = re.compile(r"alsbench-[0-9a-f]{16}")


@contextmanager
def private_folder(workspace: Path) -> Iterator[Path]:
    """An empty folder, 0700, gone at the end. Raises UsageError where temporary files would lie in the workspace."""
    where = Path(tempfile.gettempdir()).resolve()
    if where.is_relative_to(workspace.resolve()):
        raise UsageError(
            "temporary files would lie in the workspace that is blinded",
            where=str(where),
            why="TMPDIR leads there: originals would be unpacked beside the blinded data",
            hint="set TMPDIR to a folder outside the workspace",
        )
    sweep(workspace)
    folder = where / f"alsbench-{secrets.token_hex(8)}"
    made = [p for p in (workspace,) if not p.exists()]
    try:
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = workspace / f"{MARK}{folder.name.removeprefix('alsbench-')}"
        handle = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise UnavailableError(f"the workspace cannot be written: {fault.strerror}", where=str(workspace)) from fault
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, f"{folder}\n".encode())
        folder.mkdir(mode=0o700)
        yield folder
    except OSError as fault:
        raise UnavailableError(f"a temporary file cannot be written: {fault.strerror}", where=str(where)) from fault
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        mark.unlink(missing_ok=True)
        os.close(handle)
        for directory in made:
            with suppress(OSError):  # not empty: something was loaded
                directory.rmdir()


def sweep(workspace: Path) -> None:
    """Remove what killed loads left outside the workspace."""
    for mark in workspace.glob(f"{MARK}*"):
        try:
            handle = os.open(mark, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # another command sweeps it, or it is no file of ours
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = Path(os.read(handle, 4096).decode("utf-8", "replace").strip())
            if _is_ours(folder):
                shutil.rmtree(folder)
            mark.unlink(missing_ok=True)
        except (BlockingIOError, PermissionError):  # a load that lives; a folder of somebody else
            continue
        finally:
            os.close(handle)


def _is_ours(folder: Path) -> bool:
    """Whether a path is a folder that :func:`private_folder` made: nothing else is removed, whatever a file says."""
    plain = folder.is_absolute() and _FOLDER.fullmatch(folder.name) is not None
    return plain and folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid()
