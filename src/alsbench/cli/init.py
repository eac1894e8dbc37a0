"""``alsbench init DIR PATH...``: look at data and propose a study.toml."""

from __future__ import annotations

import shlex
from dataclasses import replace
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
    from alsbench.cli.output import emit_sheets
    from alsbench.data.derive.layout import derive
    from alsbench.data.readers.registry import find_files, read
    from alsbench.data.workspace import Workspace
    from alsbench.files import write_file
    from alsbench.render.sheet import Field, Sheet
    from alsbench.service.blinded import refuse_open_load
    from alsbench.study.propose import propose
    from alsbench.study.sketch import sketch, wanted
    from alsbench.study.spec import parse_study

    refuse_open_load(Workspace(directory))
    if not paths:
        raise UsageError("no data were named", hint="alsbench init DIR PATH...")
    space = Workspace(directory)
    if space.study_path.exists() and not force:
        raise UsageError("there is a study.toml already", where=str(space.study_path), hint="edit it, or --force to replace it")
    datasets = [dataset for path in find_files(paths) for dataset in read(path)]
    derived = derive(datasets)
    sketches = []
    for dataset in derived.tables or datasets:
        table = dataset.table().select(wanted(dataset.name, [c.name for c in dataset.columns]))
        sketches.append(sketch(dataset.name, {name: table.column(name).to_pylist() for name in table.column_names}))
    made = propose(sketches)
    if derived.study:
        made = replace(made, text=derived.study)
    parse_study(made.text)
    space.create()
    write_file(space.study_path, (made.text,))
    fields = (Field("what", "Found"), Field("value", "Proposed", prose=True))
    notes = tuple(f"CHECK: {doubt}" for doubt in made.doubts)
    emit_sheets(common, Sheet("proposal", f"Proposed {space.study_path}", fields, made.found, notes=notes))
    named = " ".join(shlex.quote(str(p)) for p in paths)
    common.note(f"next: read {space.study_path}, then: alsbench load {named} -w {shlex.quote(str(directory))}")
