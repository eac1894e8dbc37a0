"""``alsbench init DIR PATH...``: look at data and propose a study.toml."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "init")(init)


def init(
    common: Common,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The workspace to make.")],
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Data files and folders to look at.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a study.toml that is there.")] = False,
) -> None:
    """Propose a study.toml from the data: arms, visits, populations, parameters; what cannot be guessed is marked CHECK."""
    from alsbench.service.loading import propose_study  # waits: duckdb, pyarrow

    show(common, propose_study(common.access, directory, paths or [], force=force))
    named = " ".join(shlex.quote(str(p)) for p in paths or ())
    common.note(f"next: read {directory / 'study.toml'}, then: alsbench load {named} -w {shlex.quote(str(directory))}")
