"""Load: files become a new snapshot, or nothing changes.

Every file is read whole or refused; rows stored equal rows read; the checks of :mod:`alsbench.data.checks` run on the stored
tables before anything is published, and a finding of severity error stops the load unless its rule is accepted with a reason.
Derived tables are stored beside their sources, with a line of the receipt each that lists how they were derived.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from alsbench.data.checks import RULES, run_checks
from alsbench.data.dataset import ContentHash, Dataset, from_table
from alsbench.data.derive.layout import Derived, derive, derive_by_source
from alsbench.data.derive.recognise import renamed_sources
from alsbench.data.frames import ColumnInfo
from alsbench.data.integrity import file_sha256, snapshot_digest
from alsbench.data.progress import Progress, listening
from alsbench.data.publish import Builder, exclusive
from alsbench.data.readers.files import SourceFile, find_files, named_in_archive, read, unpack, unread_files
from alsbench.data.receipt import FileReceipt, Receipt, RuleFinding
from alsbench.data.sanitize import visible
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UnavailableError, UsageError, is_interrupt
from alsbench.study.model import Study
from alsbench.study.names import nearest

NO_ROW_COUNT = "row count not verifiable"
_SHOWN = 5
OnDerived = Callable[[Derived], Study | None]


def load(
    paths: Iterable[Path],
    workspace: Workspace,
    *,
    study: Study | None = None,
    expect: Mapping[str, int] | None = None,
    accept: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
    before_publish: Callable[[Receipt], None] | None = None,
    layout: str | None = None,
    missing: Sequence[str] = (),
    derived: OnDerived | None = None,
    derivation: Derived | None = None,
    blinded: str = "",
) -> Receipt:
    """Load files and folders as a new current snapshot of the workspace.

    ``expect`` gives row counts by file or data set name; ``accept`` maps rule ids whose errors may stand to reasons;
    ``progress(file, rows)`` is told how far reading is, and may raise to cancel; ``now`` names the snapshot;
    ``before_publish`` sees the receipt, with the name the snapshot will have, when all is checked and nothing yet visible, and
    may raise to stop the load.
    PRO-ACT and SDTM files get analysis tables beside them; ``layout`` says what the files are if their names do not,
    ``derived`` is told what was derived and may give the study to check against.
    ``missing`` are words that stand for a missing value wherever they are a whole cell.
    ``derivation`` is what was derived already, with ``layout`` adam: its remarks and findings belong in the receipt.
    ``blinded`` is the fingerprint of the key where the files hold dummy arms: the snapshot says so.
    Raises DataError (nothing changes), UnavailableError (another load is running), PublishedError (the snapshot is current, but
    something that follows failed).
    """
    accepted = _check_accept(accept or {})
    moment = now or datetime.now(UTC)
    named = [Path(p) for p in paths]
    files = _unique(named)
    workspace.create()
    with listening(progress), _writing(workspace), exclusive(workspace, purpose="load"), Builder(workspace) as builder:
        beside = study is not None and study.source is not None and study.source.layout == "adam-like"
        receipts = _read_files(files, builder, dict(expect or {}), progress, missing, beside)
        made, noted, proposed = store_derived(builder, layout, derived, progress, study)
        receipts += made
        if derivation is not None:
            receipts, noted = _with_remarks(receipts, derivation), (*noted, *derivation.findings)
        digest = snapshot_digest((t.dataset.name, t.sha256) for t in builder.tables)
        data_cut = builder.latest_date()
        draft = Receipt(tuple(receipts), (), (), "", digest, data_cut, blinded)
        builder.seal(now=moment, digest=digest, data_cut=data_cut, receipt=draft.as_dict() | {"allowed": accepted})
        with open_snapshot(builder.path) as candidate:
            checked = run_checks(candidate, study or proposed)
        found = _judge((*noted, *unread_files(named), *checked.findings), accepted)
        receipt = replace(draft, findings=found, passed=checked.passed, not_applicable=checked.not_applicable)
        _refuse_errors(receipt)
        name = builder.name(now=moment, digest=digest)
        receipt = replace(receipt, snapshot=name, sha256=file_sha256(builder.path))
        if before_publish is not None:
            before_publish(receipt)
        builder.publish(receipt.snapshot)
        return receipt


@contextlib.contextmanager
def _writing(workspace: Workspace) -> Iterator[None]:
    """What the disk, the database or memory refuse, as errors a user can act on; readers report their own faults."""
    try:
        yield
    except OSError as fault:
        raise UnavailableError(f"the workspace cannot be written: {fault.strerror}", where=str(workspace.path)) from fault
    except duckdb.Error as fault:
        if is_interrupt(fault):
            raise KeyboardInterrupt from fault
        why = visible(str(fault).split("\n")[0])[:300]
        raise UnavailableError("the snapshot cannot be written", where=str(workspace.path), why=why) from fault
    except MemoryError as fault:
        hint = "CSV, Parquet, XPT and NDJSON are read in pieces and need little"
        raise UnavailableError("there is not enough memory for these files", where=str(workspace.path), hint=hint) from fault


def _read_files(
    files: Sequence[Path],
    builder: Builder,
    expect: dict[str, int],
    progress: Progress | None,
    missing: Sequence[str],
    beside: bool = False,
) -> list[FileReceipt]:
    """``beside``: analysis data are made of these, which are stored as SRC_ and their name."""
    receipts: list[FileReceipt] = []
    unused = dict(expect)
    for source in (s for path in files for s in unpack(path, builder.workspace.snapshots_dir)):
        path = source.path
        sha256 = _file_hash(path)
        with named_in_archive(source):
            for dataset in renamed_sources(read(path, missing=missing)) if beside else read(path, missing=missing):
                stored = builder.add(dataset, source.name, progress)
                wanted = _expected(source, dataset, unused, expect)
                if wanted is not None and wanted != stored.rows:
                    raise DataError(f"{wanted} rows were expected, the file holds {stored.rows}", where=str(path))
                verifiable = dataset.rows is not None or wanted is not None
                messages = (*dataset.remarks, *(() if verifiable else (NO_ROW_COUNT,)))
                receipts.append(
                    FileReceipt(source.name, dataset.name, stored.rows, len(dataset.columns), sha256, verifiable, messages)
                )
    if unused:
        raise UsageError(
            f"no file or data set is named {next(iter(unused))}",
            where="--expect",
            hint=nearest(next(iter(unused)), [p.name for p in files]),
        )
    return receipts


def _with_remarks(receipts: Sequence[FileReceipt], derivation: Derived) -> list[FileReceipt]:
    remarks = {d.name: tuple(d.remarks) for d in derivation.tables}
    return [replace(r, messages=(*remarks[r.dataset], *r.messages)) if r.dataset in remarks else r for r in receipts]


def _expected(source: SourceFile, dataset: Dataset, unused: dict[str, int], expect: Mapping[str, int]) -> int | None:
    path = source.path
    names = {source.name.lower(), path.name.lower(), str(path).lower(), path.stem.lower(), dataset.name.lower()}
    for key, count in expect.items():
        if key.lower() in names:
            unused.pop(key, None)
            return count
    return None


def _unique(paths: list[Path]) -> list[Path]:
    """The files named, each once; a link is what it is named and not what it leads to."""
    found = list({(p.resolve(), p.name): p.absolute() for p in find_files(paths)}.values())
    if not found:
        raise UsageError("no file was named", hint="alsbench load PATH...")
    return found


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise DataError(f"the file cannot be read: {fault.strerror}", where=str(path)) from fault


def digest_of(tables: Mapping[str, tuple[pa.Table, Sequence[ColumnInfo]]]) -> str:
    """The digest of the snapshot that tables in memory make."""
    found = []
    for name, (table, columns) in tables.items():
        content = ContentHash(columns)
        for batch in from_table(name, table, columns=columns).batches():
            content.add(batch)
        found.append((name, content.hexdigest()))
    return snapshot_digest(found)


def _check_accept(accept: Mapping[str, str]) -> dict[str, str]:
    for rule, reason in accept.items():
        if rule not in RULES:
            raise UsageError(f"there is no rule {rule}", where="--accept", hint=nearest(rule, RULES))
        if not reason.strip():
            raise UsageError(f"accepting {rule} needs a reason", where="--accept")
    return dict(accept)


def _judge(findings: Iterable[RuleFinding], accept: Mapping[str, str]) -> tuple[RuleFinding, ...]:
    return tuple(replace(f, accepted=accept[f.rule]) if f.rule in accept else f for f in findings)


def _refuse_errors(receipt: Receipt) -> None:
    blocking = [f for f in receipt.of_severity("error") if not f.accepted]
    if not blocking:
        return
    lines = [f"{f.rule} {f.table}: {f.what}" + (f" (row {', '.join(map(str, f.rows))})" if f.rows else "") for f in blocking]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    hints = list(dict.fromkeys(f.hint for f in blocking if f.hint))
    allow = list(dict.fromkeys(f.rule for f in blocking))[:_SHOWN]
    way_out = f"the previous snapshot stays current; to load anyway: {' '.join(f'--accept {rule}=REASON' for rule in allow)}"
    raise DataError(
        lines[0] if len(lines) == 1 else f"{len(lines)} checks failed",
        why="\n".join([*(lines[:_SHOWN] if len(lines) > 1 else []), *more]),
        hint="; ".join([*hints[:3], way_out]),
    )


def store_derived(
    builder: Builder, layout: str | None, told: OnDerived | None, progress: Progress | None, study: Study | None = None
) -> tuple[list[FileReceipt], tuple[RuleFinding, ...], Study | None]:
    """Derive what the builder's data sets need by the study's rules and add it: receipts, findings, and the study that
    ``told`` answers with."""
    datasets = [t.dataset for t in builder.tables]
    if study is not None and study.source is not None:
        derived = derive_by_source(datasets, study.source, study.words, study.visits.unit)
        source = "derived by [source]"
    else:
        derived = derive(datasets, layout, study.derive if study is not None else None)
        source = f"derived from {derived.layout.upper()}"
    receipts = []
    for dataset in derived.tables:
        stored = builder.add(dataset, source, progress)
        remarks = tuple(dataset.remarks)
        receipts.append(FileReceipt(source, dataset.name, stored.rows, len(dataset.columns), stored.sha256, True, remarks))
    return receipts, derived.findings, told(derived) if told is not None and derived.tables else None
