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
    from alsbench.service.loading import load_sample

    workspace = common.workspace if common.given else DEFAULT
    here = replace(common, workspace=workspace, given=True, held=hold(workspace))
    load_sample(here.access)
    if interactive() and not no_tui:
        return open_app(here.workspace)
    show_evidence(here, None, (), "")
    return 0
