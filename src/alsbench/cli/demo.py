"""``alsbench demo``: the sample trial, loaded and opened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command, interactive

DEFAULT = Path("alsbench-demo")


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "demo")(demo)


def demo(
    common: Common,
    no_tui: Annotated[bool, typer.Option("--no-tui", help="Print the evidence table instead of opening the app.")] = False,
) -> int:
    """Write the synthetic sample trial into a workspace (default: ./alsbench-demo), load it, and open the app.

    Without a terminal it prints the evidence table. A workspace that holds another study is left alone.
    """
    from dataclasses import replace

    from alsbench.audit.held import hold
    from alsbench.cli.evidence import show_evidence
    from alsbench.cli.tui import open_app

    workspace = common.workspace if common.given else DEFAULT
    here = replace(common, workspace=workspace, given=True, held=hold(workspace))
    prepare(here)
    if interactive() and not no_tui:
        return open_app(here.workspace)
    show_evidence(here, None, (), "")
    return 0


def prepare(common: Common) -> None:
    """Load the sample trial unless the workspace holds it already. Raises UsageError where it holds another study."""
    from alsbench.cli.load import load_files
    from alsbench.data.workspace import Workspace
    from alsbench.errors import UsageError
    from alsbench.files import write_file
    from alsbench.simulate.sample import sample_dir
    from alsbench.study.spec import read_study

    sample = sample_dir()
    space = Workspace(common.workspace)
    study_file = sample / "study.toml"
    if space.study_path.exists() and space.read_study().info.id != read_study(study_file).info.id:
        raise UsageError(
            "this workspace holds another study", where=str(common.workspace), hint="name an empty directory: -w DIR"
        )
    if space.study_path.exists() and space.current_name() is not None:
        common.note(f"the sample trial is loaded already in {common.workspace}")
        return
    files = sorted(p for p in sample.iterdir() if p.suffix == ".xpt")
    load_files(common, files, study=None if space.study_path.exists() else study_file)
    claims = common.workspace / "claims.toml"
    if not claims.exists():
        write_file(claims, [(sample / "claims.toml").read_text("utf-8")])
