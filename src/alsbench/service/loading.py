"""Files and folders become a new snapshot, entered in the log, or nothing changes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.data.derive.layout import SUBJECTS, derive, derive_by_source, layout_of, table_profiles
from alsbench.data.derive.recognise import recognise, renamed_sources
from alsbench.data.load import load as load_snapshot
from alsbench.data.readers.files import find_files, named_in_archive, read, unpack
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UsageError
from alsbench.files import write_file
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.service.blinded import load_blinded, private_folder, refuse_open_load
from alsbench.service.output import Output, sheets_output
from alsbench.service.tables import findings_sheet, unfit_words
from alsbench.service.trail import Load, study_facts
from alsbench.simulate.sample import sample_dir
from alsbench.study.edit import publish
from alsbench.study.propose import Proposal, propose, source_text
from alsbench.study.study_file import parse_study, read_study

if TYPE_CHECKING:
    from alsbench.data.dataset import Dataset
    from alsbench.data.derive.layout import Derived
    from alsbench.data.derive.recognise import RecognisedSource
    from alsbench.data.receipt import Receipt
    from alsbench.study.model import Study

ChangeMapping = Callable[["RecognisedSource", Sequence["Dataset"]], "RecognisedSource"]


def load(access: Access, paths: list[Path], **how: Any) -> Output:
    """Files and folders loaded as :func:`load_files` does; the receipt."""
    return receipt_output(access, load_files(access, paths, **how))


def load_files(
    access: Access,
    paths: list[Path],
    *,
    study: Path | None = None,
    expect: dict[str, int] | None = None,
    accept: dict[str, str] | None = None,
    layout: str | None = None,
    missing: Sequence[str] = (),
    blinded: bool = False,
    key: Path | None = None,
) -> Receipt:
    """Load, log, and say what was done. A new study file is validated first and put in place only after the load.

    Where there is none, the one proposed for derived data (PRO-ACT, SDTM) is put in place.
    """
    if blinded or key is not None:
        if not blinded or key is None:
            raise UsageError("--blinded and --key FILE belong together", where="--blinded")
        return load_blinded(
            access, paths, key_path=key, study=study, expect=expect, accept=accept, layout=layout, missing=missing
        )
    space = Workspace(access.path)
    refuse_open_load(space)
    said = _study(space, study)
    proposed = _Proposed(said is None)
    log = Load(access)

    def install(receipt: Receipt) -> None:
        log.announce(receipt)
        _install(space, study)
        proposed.install(space)

    def load_it() -> Receipt:
        with access.watch() as show:
            return load_snapshot(
                paths,
                space,
                study=said,
                expect=expect or {},
                accept=accept or {},
                progress=lambda name, rows: show(name, rows, None),
                before_publish=install,
                layout=layout,
                missing=missing,
                derived=proposed.see,
            )

    receipt = log.enter(load_it, lambda: study_facts(access))
    access.note(f"{receipt.rows} rows in {len(receipt.files)} data sets: snapshot {receipt.snapshot} is current")
    if proposed.text:
        access.note(f"{space.study_path} was proposed from the data: read it before you trust a result")
    elif said is None:
        access.note(_next_step(receipt, paths, access.path))
    return receipt


def _next_step(receipt: Receipt, paths: Sequence[Path], directory: Path) -> str:
    """What to do where files were loaded and no study says what they are."""
    named = " ".join(shlex.quote(str(p)) for p in paths)
    command = f"alsbench init {shlex.quote(str(directory))} {named}"
    if any(f.dataset == SUBJECTS for f in receipt.files):
        return f"there is no study.toml here yet: {command} proposes one"
    return (
        "the files are kept as they are and nothing was derived: no ADSL, SDTM or PRO-ACT is among them. "
        f"To have them recognised: {command}, read what it guessed, and load them again"
    )


def receipt_output(access: Access, receipt: Receipt) -> Output:
    """What was loaded: files, then findings of the checks."""
    files = Sheet(
        "files",
        "Load receipt",
        (
            Field("file", "File"),
            Field("dataset", "Data set"),
            Field("rows", "Rows", number=True),
            Field("columns", "Columns", number=True),
            Field("sha256", "SHA-256"),
            Field("messages", "Remarks", optional=True),
        ),
        tuple((f.name, f.dataset, f.rows, f.columns, f.sha256, "; ".join(f.messages) or None) for f in receipt.files),
        facts=(
            ("Snapshot", receipt.snapshot),
            ("Digest", receipt.digest),
            ("Data cut", receipt.data_cut or "-"),
            ("Checks", f"{len(receipt.passed)} passed, {len({f.rule for f in receipt.findings})} with findings"),
            *unfit_words(receipt.not_applicable),
        ),
    )
    findings = (findings_sheet(receipt.findings),) if receipt.findings else ()
    return sheets_output(access, files, *findings)


def propose_study(
    access: Access, directory: Path, paths: list[Path], *, force: bool = False, change: ChangeMapping | None = None
) -> Output:
    """Look at data and write the study.toml proposed for them into a workspace: arms, visits, populations, parameters; what
    cannot be guessed is marked CHECK. ``change`` may alter what was recognised of data that are not ADaM before anything is
    derived. Raises UsageError where there is one already, but with ``force``."""
    space = Workspace(directory)
    refuse_open_load(space)
    if not paths:
        raise UsageError("no data were named", hint="alsbench init DIR PATH...")
    if space.study_path.exists() and not force:
        raise UsageError("there is a study.toml already", where=str(space.study_path), hint="edit it, or --force to replace it")
    files = list(find_files(paths))
    zipped = any(path.suffix.lower() == ".zip" for path in files)
    with private_folder(directory) if zipped else nullcontext(directory) as folder:
        datasets: list[Dataset] = []
        for source in (source for path in files for source in unpack(path, folder)):
            with named_in_archive(source):
                datasets += read(source.path)
        made = proposed_for(datasets, change)
    parse_study(made.text)
    space.create()
    write_file(space.study_path, (made.text,))
    fields = (Field("what", "Found"), Field("value", "Proposed", prose=True))
    notes = tuple(f"CHECK: {doubt}" for doubt in made.doubts)
    named = " ".join(shlex.quote(str(p)) for p in paths)
    access.note(f"next: read {space.study_path}, then: alsbench load {named} -w {shlex.quote(str(directory))}")
    return sheets_output(access, Sheet("proposal", f"Proposed {space.study_path}", fields, made.found, notes=notes))


def proposed_for(datasets: Sequence[Dataset], change: ChangeMapping | None = None) -> Proposal:
    """A study file for data sets as they are delivered: analysis data, PRO-ACT, SDTM, or data in need of a ``[source]``."""
    kind = layout_of(datasets)
    told = recognise(datasets) if kind == "adam" else None
    if told is None:
        derived = derive(datasets)
        made = propose(table_profiles(derived.tables or datasets))
        return replace(made, text=derived.study) if derived.study else made
    if change is not None:
        told = change(told, datasets)
    if not told.source.arm:
        why = "; ".join(d for d in told.doubts if d.startswith("source.arm"))
        raise DataError("no column tells the arm of a subject", why=why, hint="name it arm, treatment or group in the data")
    sources = renamed_sources(datasets) if told.source.layout == "adam-like" else datasets
    derived = derive_by_source(sources, told.source, None, told.unit)
    made = propose(table_profiles(derived.tables), unit=told.unit)
    doubts = (*told.doubts, *made.doubts)
    said = "".join(f"# - {d}\n" for d in told.doubts)
    found = (("Layout", f"{told.source.layout}: {', '.join(told.source.files)}"), *made.found)
    return replace(made, text=f"{made.text}{said}\n{source_text(told.source)}", doubts=doubts, found=found)


def _study(space: Workspace, given: Path | None) -> Study | None:
    """The study to check the data against: the one given, else the workspace's, else none."""
    if given is not None:
        if not given.is_file():
            raise UsageError("there is no such study file", where=str(given))
        return read_study(given)
    return space.read_study() if space.study_path.exists() else None


def _install(space: Workspace, given: Path | None) -> None:
    """Put the study file given into the workspace, byte for byte; a different one that is there already stays, beside it."""
    if given is None or (space.study_path.exists() and given.resolve() == space.study_path.resolve()):
        return

    content = given.read_bytes()
    if space.study_path.exists():
        before = space.study_path.read_bytes()
        if before == content:
            return
        publish(space.study_path.with_suffix(".toml.previous"), before)
    publish(space.study_path, content)


class _Proposed:
    """The study file proposed for derived data, where the workspace has none: checked against, then put in place."""

    def __init__(self, columns_to_read: bool) -> None:
        self.wanted = columns_to_read
        self.text = ""

    def see(self, derived: Derived) -> Study | None:
        self.text = derived.study if self.wanted else ""
        return parse_study(self.text) if self.text else None

    def install(self, space: Workspace) -> None:
        if self.text:
            publish(space.study_path, self.text.encode())


def load_sample(access: Access) -> None:
    """Load the sample trial unless the workspace holds it already. Raises UsageError where it holds another study."""
    sample = sample_dir()
    space = Workspace(access.path)
    study_file = sample / "study.toml"
    if space.study_path.exists() and space.read_study().info.id != read_study(study_file).info.id:
        raise UsageError("this workspace holds another study", where=str(access.path), hint="name an empty directory: -w DIR")
    if space.study_path.exists() and space.current_name() is not None:
        access.note(f"the sample trial is loaded already in {access.path}")
        return
    files = sorted(p for p in sample.iterdir() if p.suffix == ".xpt")
    load_files(access, files, study=None if space.study_path.exists() else study_file)
    claims = access.path / "claims.toml"
    if not claims.exists():
        write_file(claims, [(sample / "claims.toml").read_text("utf-8")])
