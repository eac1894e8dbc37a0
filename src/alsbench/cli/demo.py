"""``alsbench demo``: the sample trial, loaded and opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from alsbench.audit.held import hold
from alsbench.cli.common import Common, command, interactive
from alsbench.cli.output import show
from alsbench.cli.tui import open_app

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
    from alsbench.service.evidence import evidence  # waits: duckdb, numpy
    from alsbench.service.loading import load_sample  # waits: duckdb, pyarrow

    workspace = common.workspace if common.given else DEFAULT
    here = replace(common, workspace=workspace, given=True, held=hold(workspace))
    load_sample(here.access)
    if interactive() and not no_tui:
        return open_app(here.workspace)
    return show(here, evidence(here.access))
