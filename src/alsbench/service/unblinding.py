"""Unblinding: one way, with the key and a reason. Data and study file become what they were before the blind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.audit.blinding import opened, read_key, real_subgroup, unpacked
from alsbench.audit.lock import complete_lock, read_lock
from alsbench.audit.log import entries
from alsbench.data.frames import ColumnInfo
from alsbench.data.load import load as load_snapshot
from alsbench.data.sql import quote
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.service.access import Access
from alsbench.service.blinded import UNBLINDED, private_folder, text_of, write_staged
from alsbench.service.loading import receipt_output
from alsbench.service.output import Output
from alsbench.service.trail import Load, log_entry, study_facts
from alsbench.study.edit import add_subgroup, publish, replace_subgroup
from alsbench.study.study_file import parse_study

if TYPE_CHECKING:
    from alsbench.audit.blinding import Key
    from alsbench.data.receipt import Receipt
    from alsbench.study.model import Study


def unblind(access: Access, key: Path, reason: str, accept: Mapping[str, str] | None = None) -> Output:
    """Publish the current data under their real arms, which cannot be taken back; the receipt. ``accept`` lets errors of checks
    stand, for reasons by rule."""
    return receipt_output(access, lift(access, key, reason, accept))


def lift(access: Access, key_path: Path, reason: str, accept: Mapping[str, str] | None = None) -> Receipt:
    """Publish an unblinded snapshot, the study as it was with the subgroups added since, and a completed plan lock.

    Errors that were accepted when the snapshot was loaded stay so; those of what was with the key can be now.
    """
    space = Workspace(access.path)
    if not reason.strip():
        raise UsageError("unblinding needs a reason", where="--reason")
    key = read_key(key_path)
    blind_text = text_of(space)
    log = Load(access)
    with space.open_current() as snapshot, private_folder(space.path) as folder:
        seal = str(snapshot.receipt.get("blinded") or "")
        if not seal:
            raise UnavailableError("the current snapshot is not blinded", where=str(access.path))
        if seal != key.fingerprint:
            raise UsageError("this key is not the one the workspace was blinded with", where=str(key_path))
        held = key.sealed.get(snapshot.digest)
        if held is None:
            hint = "the key as it was after this snapshot was loaded is needed: it grows with every load"
            raise DataError(f"the key holds nothing of snapshot {snapshot.name}", where=str(key_path), hint=hint)
        real = parse_study(key.study_toml)
        text = _with_subgroups(access, key, real, parse_study(blind_text), folder)
        staged = [write_staged(folder, name, *_opened(snapshot, name, values)) for name, values in held["tables"].items()]

        def install(receipt: Receipt) -> None:
            if receipt.digest != held["digest"]:
                raise DataError("what the key gives back is not what was blinded", where=str(key_path))
            log.announce(receipt)
            log_entry(access, UNBLINDED, {"key": key.fingerprint, "digest": receipt.digest, "reason": reason.strip()})
            lock = read_lock(space.path, space.audit_path)
            if lock is not None and lock.sealed == key.fingerprint:
                complete_lock(lock, real, space.path, space.audit_path, withheld=key.withheld, held=access.held)
            publish(space.study_path.with_suffix(".toml.blinded"), blind_text.encode())
            publish(space.study_path, text.encode())

        accepted = {**_accepted(space, snapshot.name), **(accept or {})}
        real_study = parse_study(text)

        def load_it() -> Receipt:
            return load_snapshot(staged, space, study=real_study, accept=accepted, before_publish=install, layout="adam")

        receipt = log.enter(load_it, lambda: {UNBLINDED: key.fingerprint, **study_facts(access)})
    access.note(f"unblinded: snapshot {receipt.snapshot} is current, with all that was emptied or left out")
    return receipt


def _opened(snapshot: Any, name: str, values: Mapping[str, Any]) -> tuple[Any, list[Any], Mapping[bytes, bytes]]:
    """A data set as it was before the blind: its table, its columns, its special missing values."""
    sealed = unpacked(values)
    stored = None
    if name in snapshot.tables:
        with snapshot.cursor() as cursor:
            stored = cursor.sql(f"SELECT * FROM {quote(name)} ORDER BY rowid").to_arrow_table()
    return opened(stored, sealed), [ColumnInfo(**c) for c in sealed.columns], sealed.special


def _with_subgroups(access: Access, key: Key, real: Study, blind: Study, folder: Path) -> str:
    """The study file as it was, with the subgroups that were added or changed while the workspace was blind."""
    path = folder / "study.toml"
    path.write_text(key.study_toml, encoding="utf-8")
    withheld = set(key.withheld.get("subgroups", ()))
    for subgroup in blind.subgroups:
        standing = real.subgroup(subgroup.name)
        if standing is not None and standing.where == subgroup.where:
            continue
        found = real_subgroup(subgroup, key)
        if found is None:
            access.note(f"subgroup {subgroup.name} orders the codes of dummy arms and is not taken over: {subgroup.where}")
        elif standing is None:
            add_subgroup(path, found)
        elif subgroup.name in withheld:  # the name was free while the original was with the key
            add_subgroup(path, found.model_copy(update={"name": f"{found.name}_added"}))
        else:
            replace_subgroup(path, subgroup.name, found)
    return path.read_text("utf-8")


def _accepted(space: Workspace, snapshot: str) -> dict[str, str]:
    """The rules whose errors were accepted when this snapshot was loaded."""
    for entry in entries(space.audit_path):
        if entry.action == "load" and entry.facts.get("snapshot") == snapshot:
            return dict(entry.facts.get("accepted") or {})
    return {}
