"""``alsbench init DIR PATH...``: look at data and propose a study.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.errors import UsageError


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
    from alsbench.cli.output import emit_sheets, write_file
    from alsbench.cli.proposal import look, proposal
    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Field, Sheet
    from alsbench.study.spec import parse_study

    if not paths:
        raise UsageError("no data were named", hint="alsbench init DIR PATH...")
    space = Workspace(directory)
    if space.study_path.exists() and not force:
        raise UsageError("there is a study.toml already", where=str(space.study_path), hint="edit it, or --force to replace it")
    found = look(paths)
    text, doubts = proposal(found)
    parse_study(text)
    space.create()
    write_file(space.study_path, (text,))
    fields = (Field("what", "Found"), Field("value", "Proposed"))
    notes = tuple(f"CHECK: {d}" for d in doubts)
    emit_sheets(common, Sheet("proposal", f"Proposed {space.study_path}", fields, tuple(found.summary()), notes=notes))
    named = " ".join(str(p) for p in paths)
    common.note(f"next: read {space.study_path}, then: alsbench load {named} -w {directory}")
