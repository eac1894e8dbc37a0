"""Loading under dummy arms and lifting the blind: files are recoded outside the workspace, then loaded like any others."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.cli.common import Common
from alsbench.errors import DataError, UnavailableError, UsageError

if TYPE_CHECKING:
    from alsbench.audit.blinding import Key
    from alsbench.data.derive.layout import Derived
    from alsbench.data.frames import ColumnInfo
    from alsbench.data.receipt import Receipt
    from alsbench.data.workspace import Workspace
    from alsbench.study.model import Study

UNBLINDED = "unblinded"
Tables = dict[str, tuple[Any, "tuple[ColumnInfo, ...]"]]  # Arrow table and its columns, by data set


def load_blinded(
    common: Common,
    paths: list[Path],
    *,
    key_path: Path,
    study: Path | None = None,
    expect: Mapping[str, int] | None = None,
    accept: Mapping[str, str] | None = None,
    layout: str | None = None,
) -> Receipt:
    """Load files under dummy arms. The key is made at the first load and needed again at every later one.

    What PRO-ACT and SDTM files have to be turned into is derived first, in memory, under the real arms.
    """
    from alsbench.audit.arm_columns import SUBJECT_TABLE, arm_labels, blind_table, find_columns
    from alsbench.audit.blinding import blind_study, hide_words, new_key, refuse_inside, write_key
    from alsbench.audit.telling import LEFT_OUT
    from alsbench.cli.trail import announce, record
    from alsbench.data.load import load as load_snapshot
    from alsbench.data.special import without
    from alsbench.data.workspace import Workspace
    from alsbench.study.edit import publish
    from alsbench.study.reading import parse_study

    space = Workspace(common.workspace)
    refuse_inside(key_path, space.path)
    known, text = _start(space, key_path, study)
    with _staging() as folder:
        tables, sources = _read(paths, folder, dict(expect or {}))
        derived = _derived(tables, layout, text or (text_of(space) if space.study_path.exists() else ""))
        tables |= {d.name: (d.table(), d.columns) for d in derived.tables}
        text = text or derived.study or text_of(space)
        real = parse_study(text)
        if left := sorted(LEFT_OUT & set(tables)):
            tables = {name: found for name, found in tables.items() if name not in left}
            common.note(f"left out, as they tell the arm: {', '.join(left)}")
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
        columns = find_columns(arrays, real, key)
        codes = {c: codes for found in columns.values() for c, codes in found.codes.items()}
        key = replace(key, codes={**key.codes, **codes}, sources=(*key.sources, *sources))
        words = tuple(real.arms.labels.values())
        hide = hide_words(key, words)
        _refuse_traces(space, tables, hide)
        staged: list[Path] = []
        for name, (table, info) in tables.items():
            made, swept = blind_table(table, columns[name], key, words)
            special = without(table.schema.metadata, columns[name].hidden)
            hidden = [replace(c, label=hide(c.label), format=hide(c.format)) for c in info]
            staged.append(_write(folder, name, made, hidden, special))
            told = [*columns[name].hidden, *columns[name].qualifiers, *(f"{c} ([blinded] in texts)" for c in swept)]
            if told:
                common.note(f"{name}: hidden {', '.join(sorted(told))}")
        dummy = text_of(space) if known and space.current_name() else blind_study(real, key, words)

        kept = [replace(d, remarks=list(map(hide, d.remarks))) for d in derived.tables]
        found = [replace(f, what=hide(f.what), keys=tuple(map(hide, f.keys)), hint=hide(f.hint)) for f in derived.findings]

        def install(receipt: Receipt) -> None:
            announce(common, receipt)
            write_key(key_path, key, workspace=space.path, replace=known is not None)
            if not space.study_path.exists() or space.study_path.read_text("utf-8") != dummy:
                publish(space.study_path, dummy.encode())
                space.study_path.chmod(0o600)

        receipt = load_snapshot(
            staged,
            space,
            study=parse_study(dummy),
            accept={rule: hide(reason) for rule, reason in (accept or {}).items()},
            layout="adam",
            derivation=replace(derived, tables=tuple(kept), findings=tuple(found), study=""),
            before_publish=install,
            blinded=key.fingerprint,
        )
    files = [{"name": hide(s["name"]), "sha256": s["sha256"]} for s in sources]
    record(common, "load", receipt.for_audit() | {"blinded": key.fingerprint, "sources": files})
    common.note(f"{receipt.rows} rows in {len(receipt.files)} data sets: snapshot {receipt.snapshot} is current, BLINDED")
    common.note(f"{key_path} tells who is who: give it to its holder, and keep it out of reach of whoever reads results")
    return receipt


def unblind(common: Common, key_path: Path, reason: str) -> Receipt:
    """Publish an unblinded snapshot, the study as it was with the subgroups added since, and a completed plan lock."""
    from alsbench.audit.arm_columns import unblind_table
    from alsbench.audit.blinding import read_key
    from alsbench.audit.lock import complete_lock, read_lock
    from alsbench.cli.trail import announce, record
    from alsbench.data.load import load as load_snapshot
    from alsbench.data.special import special_metadata
    from alsbench.data.workspace import Workspace
    from alsbench.study.edit import publish
    from alsbench.study.reading import parse_study

    space = Workspace(common.workspace)
    if not reason.strip():
        raise UsageError("unblinding needs a reason", where="--reason")
    key = read_key(key_path)
    blind_text = text_of(space)
    with space.open_current() as snapshot, _staging() as folder:
        seal = str(snapshot.receipt.get("blinded") or "")
        if not seal:
            raise UnavailableError("the current snapshot is not blinded", where=str(common.workspace))
        if seal != key.fingerprint:
            raise UsageError("this key is not the one the workspace was blinded with", where=str(key_path))
        real = parse_study(key.study_toml)
        text = _with_subgroups(key.study_toml, real, parse_study(blind_text), folder)
        staged = []
        for name, info in snapshot.tables.items():
            table = unblind_table(_stored(snapshot, name), key, real)
            staged.append(_write(folder, name, table, info.columns, special_metadata(snapshot, name)))

        def install(receipt: Receipt) -> None:
            announce(common, receipt)
            record(common, UNBLINDED, {"key": key.fingerprint, "digest": receipt.digest, "reason": reason.strip()})
            lock = read_lock(space.path, space.audit_path)
            if lock is not None and lock.sealed == key.fingerprint:
                complete_lock(lock, real, space.path, space.audit_path)
            publish(space.study_path.with_suffix(".toml.blinded"), blind_text.encode())
            publish(space.study_path, text.encode())

        accepted = _accepted(space, snapshot.name)
        receipt = load_snapshot(staged, space, study=parse_study(text), accept=accepted, before_publish=install)
    record(common, "load", receipt.for_audit() | {UNBLINDED: key.fingerprint})
    common.note(f"unblinded: snapshot {receipt.snapshot} is current. Doses and treatments given come back with: alsbench load")
    return receipt


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
    from alsbench.audit.blinding import read_key
    from alsbench.audit.log import entries

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


def _read(paths: list[Path], folder: Path, expect: dict[str, int]) -> tuple[Tables, list[dict[str, str]]]:
    """Every data set in memory with its columns, and the files by name and hash."""
    from alsbench.data.archives import unpack
    from alsbench.data.readers.registry import find_files, read

    tables: Tables = {}
    sources: list[dict[str, str]] = []
    unused = dict(expect)
    for source in (s for path in find_files(paths) for s in unpack(path, folder)):
        with source.path.open("rb") as file:
            sources.append({"name": source.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()})
        for dataset in read(source.path):
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


def _refuse_traces(space: Workspace, tables: Tables, hide: Callable[[str], str]) -> None:
    """Raises where an arm's name stands in a place that is not recoded: a data set's name, a workspace that was used before."""
    if named := sum(hide(name) != name for name in tables):
        raise DataError(f"{named} data sets are named after an arm", hint="rename the files: a table of this name would tell")
    if space.current_name() is not None:  # the first load found nothing; since then nobody here knew an arm
        return
    for path in sorted(p for p in space.path.rglob("*") if p.is_file() and p != space.study_path):
        text = path.read_bytes().decode("utf-8", "replace")
        if hide(text) != text:
            raise DataError("a file of this workspace names an arm", where=str(path), hint="blind into a new workspace")


def _derived(tables: Tables, layout: str | None, text: str) -> Derived:
    """Analysis data sets made from PRO-ACT files or SDTM domains by the study's rules; none where there are some already."""
    from alsbench.data.dataset import from_table
    from alsbench.data.derive.layout import derive
    from alsbench.study.reading import parse_study

    rules = parse_study(text).derive if text else None
    return derive([from_table(name, table, columns=columns) for name, (table, columns) in tables.items()], layout, rules)


def _write(folder: Path, name: str, table: Any, columns: Sequence[ColumnInfo], special: Mapping[bytes, bytes]) -> Path:
    """A data set as Parquet, with what its columns' metadata say and its special missing values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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


def _stored(snapshot: Any, name: str) -> Any:
    """A table of a snapshot in load order."""
    from alsbench.data.sql import quote

    with snapshot.cursor() as cursor:
        return cursor.sql(f"SELECT * FROM {quote(name)} ORDER BY rowid").to_arrow_table()


def _with_subgroups(text: str, real: Study, blind: Study, folder: Path) -> str:
    """The study file as it was, with the subgroups that were added or changed while the workspace was blind."""
    from alsbench.study.edit import add_subgroup, replace_subgroup

    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    for subgroup in blind.subgroups:
        standing = real.subgroup(subgroup.name)
        if standing is None:
            add_subgroup(path, subgroup)
        elif standing.where != subgroup.where and "[blinded]" not in subgroup.where and "Arm " not in subgroup.where:
            replace_subgroup(path, subgroup.name, subgroup)
    return path.read_text("utf-8")


def _accepted(space: Workspace, snapshot: str) -> dict[str, str]:
    """The rules whose errors were accepted when this snapshot was loaded."""
    from alsbench.audit.log import entries

    for entry in entries(space.audit_path):
        if entry.action == "load" and entry.facts.get("snapshot") == snapshot:
            return dict(entry.facts.get("accepted") or {})
    return {}


@contextmanager
def _staging() -> Iterator[Path]:
    """A private folder outside the workspace, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="alsbench-") as name:  # 0700
        yield Path(name)
