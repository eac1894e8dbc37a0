"""``alsbench load PATH...``: files and folders become a new snapshot, or nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.errors import UsageError

if TYPE_CHECKING:
    from alsbench.data.derive.layout import Derived
    from alsbench.data.receipt import Receipt
    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Sheet
    from alsbench.study.model import Study


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "load")(load)


def load(
    common: Common,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files, folders, zips: XPT, SAS7BDAT, CSV, TSV, Parquet, Dataset-JSON."),
    ],
    study: Annotated[
        Path | None, typer.Option("--study", metavar="FILE", help="Put this study.toml into the workspace.")
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="FILE=ROWS", help="Refuse the load unless FILE has ROWS rows; repeats."),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="RULE=REASON", help="Let errors of this check stand, for a reason; repeats."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason of every --accept without one.")] = "",
    layout: Annotated[
        str | None,
        typer.Option("--as", metavar="LAYOUT", help="What the files are, if their names do not say: adam, proact or sdtm."),
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option("--missing", metavar="WORD", help="A cell that holds WORD and nothing else is missing (NA); repeats."),
    ] = None,
    blinded: Annotated[
        bool, typer.Option("--blinded", help="Keep the arms out of the workspace: dummy arms, real ones in the key.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="With --blinded: where the key is, or is to be written.")
    ] = None,
) -> None:
    """Load data as a new snapshot and print a receipt. The old snapshot stays current until the new one is whole."""
    from alsbench.cli.output import emit_sheets

    receipt = load_files(
        common,
        paths,
        study=study,
        expect={name: _rows(text, rows) for text in expect or () for name, rows in [_pair(text, "--expect", "FILE=ROWS")]},
        accept=accepted_rules(accept or (), reason),
        layout=layout,
        missing=missing or (),
        blinded=blinded,
        key=key,
    )
    emit_sheets(common, *receipt_sheets(receipt))


def load_files(
    common: Common,
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
    from alsbench.cli.blinded import load_blinded, refuse_open_load
    from alsbench.cli.progress import bar
    from alsbench.data.load import load as load_snapshot
    from alsbench.data.workspace import Workspace
    from alsbench.service.trail import Load, study_facts

    if blinded or key is not None:
        if not blinded or key is None:
            raise UsageError("--blinded and --key FILE belong together", where="--blinded")
        return load_blinded(
            common, paths, key_path=key, study=study, expect=expect, accept=accept, layout=layout, missing=missing
        )
    space = Workspace(common.workspace)
    refuse_open_load(space)
    said = _study(space, study)
    proposed = _Proposed(said is None)
    log = Load(common.trial)

    def install(receipt: Receipt) -> None:
        log.announce(receipt)
        _install(space, study)
        proposed.install(space)

    def load_it() -> Receipt:
        with bar(common) as show:
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

    receipt = log.enter(load_it, lambda: study_facts(common.trial))
    common.note(f"{receipt.rows} rows in {len(receipt.files)} data sets: snapshot {receipt.snapshot} is current")
    if proposed.text:
        common.note(f"{space.study_path} was proposed from the data: read it before you trust a result")
    elif said is None:
        common.note("there is no study.toml here yet: alsbench init proposes one")
    return receipt


def receipt_sheets(receipt: Receipt) -> tuple[Sheet, ...]:
    """Files, then findings of the checks."""
    from alsbench.render.sheet import Field, Sheet
    from alsbench.service.checks import findings_sheet, unfit_words

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
    return (files, findings_sheet(receipt.findings)) if receipt.findings else (files,)


def _study(space: Workspace, given: Path | None) -> Study | None:
    """The study to check the data against: the one given, else the workspace's, else none."""
    if given is not None:
        from alsbench.study.spec import read_study

        if not given.is_file():
            raise UsageError("there is no such study file", where=str(given))
        return read_study(given)
    return space.read_study() if space.study_path.exists() else None


def _install(space: Workspace, given: Path | None) -> None:
    """Put the study file given into the workspace, byte for byte; a different one that is there already stays, beside it."""
    if given is None or (space.study_path.exists() and given.resolve() == space.study_path.resolve()):
        return
    from alsbench.study.edit import publish

    content = given.read_bytes()
    if space.study_path.exists():
        before = space.study_path.read_bytes()
        if before == content:
            return
        publish(space.study_path.with_suffix(".toml.previous"), before)
    publish(space.study_path, content)


class _Proposed:
    """The study file proposed for derived data, where the workspace has none: checked against, then put in place."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.text = ""

    def see(self, derived: Derived) -> Study | None:
        from alsbench.study.spec import parse_study

        self.text = derived.study if self.wanted else ""
        return parse_study(self.text) if self.text else None

    def install(self, space: Workspace) -> None:
        from alsbench.study.edit import publish

        if self.text:
            publish(space.study_path, self.text.encode())


def accepted_rules(texts: Sequence[str], reason: str) -> dict[str, str]:
    """Rules whose errors may stand, with the reason each was given, or the one given for all."""
    if reason and not texts:
        raise UsageError("--reason is the reason of --accept", where="--reason", hint="--accept RULE=REASON")
    given = (text if "=" in text or not reason.strip() else f"{text}={reason}" for text in texts)
    return dict(_pair(text, "--accept", "RULE=REASON") for text in given)


def _pair(text: str, option: str, shape: str) -> tuple[str, str]:
    name, sign, value = text.rpartition("=") if option == "--expect" else text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise UsageError(f"{text!r} is not {shape}", where=option)
    return name.strip(), value.strip()


def _rows(text: str, rows: str) -> int:
    if not rows.isdigit():
        raise UsageError(f"{text!r}: {rows} is not a number of rows", where="--expect")
    return int(rows)
