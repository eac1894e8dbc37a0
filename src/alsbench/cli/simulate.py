"""``alsbench simulate DIR``: a synthetic trial, byte-identical for the same parameters and seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show
from alsbench.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "simulate", placed=False)(simulate)


def simulate(
    common: Common,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the XPT files and study.toml.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random draw.")] = 1,
    parameters: Annotated[
        Path | None, typer.Option("--parameters", metavar="FILE", help="TOML file over the default parameters.")
    ] = None,
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One parameter: course.slope_sd=0.5, arms.1.n=40; repeats."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Simulate a trial in ALS: ADSL, ADQS with items, ADRE, ADLB, ADTTE, ADAE, ADEX, and a study.toml for it."""
    from alsbench.render.sheet import Field, Sheet  # waits: rich
    from alsbench.service.output import sheets_output  # waits: rich
    from alsbench.simulate.parameters import read_parameters  # waits: pydantic
    from alsbench.simulate.trial import write_trial  # waits: numpy, scipy

    params = read_parameters(parameters, tuple(changed or ()))
    if directory.exists() and not directory.is_dir():
        raise UsageError("this is a file, not a folder", where=str(directory))
    if directory.is_dir() and any(directory.iterdir()) and not force:
        raise UsageError("the folder is not empty", where=str(directory), hint="name another one, or --force")
    written = write_trial(directory, params, seed)
    records = tuple((p.name, p.stat().st_size) for p in written)
    fields = (Field("file", "File"), Field("bytes", "Bytes", number=True))
    facts = (("Folder", str(directory)), ("Seed", str(seed)))
    show(common, sheets_output(common.access, Sheet("simulated", "SYNTHETIC trial", fields, records, facts)))
    common.note(f"next: alsbench load {directory} --study {directory / 'study.toml'} -w WORKSPACE")
