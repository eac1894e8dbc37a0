"""Files and folders become a new snapshot, entered in the log, or nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.errors import UsageError
from alsbench.service.access import Access

if TYPE_CHECKING:
    from alsbench.data.derive.layout import Derived
    from alsbench.data.receipt import Receipt
    from alsbench.data.workspace import Workspace
    from alsbench.study.model import Study


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
    from alsbench.data.load import load as load_snapshot
    from alsbench.data.workspace import Workspace
    from alsbench.service.blinded import load_blinded, refuse_open_load
    from alsbench.service.trail import Load, study_facts

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
        access.note("there is no study.toml here yet: alsbench init proposes one")
    return receipt


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


def load_sample(access: Access) -> None:
    """Load the sample trial unless the workspace holds it already. Raises UsageError where it holds another study."""
    from alsbench.data.workspace import Workspace
    from alsbench.errors import UsageError
    from alsbench.files import write_file
    from alsbench.service.loading import load_files
    from alsbench.simulate.sample import sample_dir
    from alsbench.study.spec import read_study

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
