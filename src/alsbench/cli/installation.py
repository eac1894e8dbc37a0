"""This program: ``alsbench config`` (a user's settings), ``simulate``, ``qualify``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show
from alsbench.cli.tui import checked_settings
from alsbench.errors import UsageError
from alsbench.settings import KEYS, KNOWN, Settings, settings_path

commands = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
config_commands = typer.Typer(
    no_args_is_help=True, help="Your own settings: theme, keys, ASCII, default format", rich_markup_mode=None
)
commands.add_typer(config_commands, name="config")


@command(config_commands, "show", configured=False, placed=False)
def show_settings(common: Common) -> int:
    """Every setting: its value, and whether it is the default."""
    from alsbench.render.sheet import Field, Sheet  # waits: rich
    from alsbench.service.output import sheets_output  # waits: rich

    found, default = checked_settings(), Settings()
    records = [
        (n, _word(getattr(found, n)), "default" if getattr(found, n) == getattr(default, n) else "file")
        for n in KNOWN
        if n != KEYS
    ]
    records += [(f"{KEYS}.{name}", " ".join(keys), "file") for name, keys in found.keys.items()]
    fields = (Field("setting", "Setting"), Field("value", "Value"), Field("source", "From"))
    at = settings_path()
    facts = (("File", f"{at}{'' if at.is_file() else ' (not there)'}"),)
    return show(common, sheets_output(common.access, Sheet("settings", "Settings", fields, tuple(records), facts)))


@command(config_commands, "path", configured=False, placed=False)
def path(common: Common) -> int:
    """Where the settings are looked for."""
    from alsbench.service.output import Output  # waits: rich

    return show(common, Output(lambda _form: [f"{settings_path()}\n"]))


@command(config_commands, "validate", configured=False, placed=False)
def validate(common: Common) -> None:
    """Check the file: unknown names, values that are none, keys that are taken. Exits 2 where something is wrong."""
    checked_settings()
    common.note(f"{settings_path()}: {'valid' if settings_path().is_file() else 'not there; every setting has its default'}")


def _word(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


@command(commands, "simulate", placed=False)
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
) -> int:
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
    code = show(common, sheets_output(common.access, Sheet("simulated", "SYNTHETIC trial", fields, records, facts)))
    load = shlex.join(["alsbench", "load", str(directory), "--study", str(directory / "study.toml")])
    common.note(f"next: {load} -w WORKSPACE")
    return code


@command(commands, "qualify", placed=False, short_help="Compute every reference number again on this installation")
def qualify(
    common: Common,
    numbers: Annotated[bool, typer.Option("--numbers", help="Every number compared, instead of one line per method.")] = False,
    method: Annotated[
        list[str] | None, typer.Option("--method", metavar="ID", help="Only this method (repeatable). Default: all.")
    ] = None,
) -> int:
    """Compute every reference number of R, SAS and the published tables again on this installation, and compare.

    The reference trials are in the package; nothing is fetched, no data of yours are read. Exits 1 if a number is out of
    tolerance.
    """
    from alsbench.service.qualification import qualify as ask  # waits: duckdb, numpy, scipy

    return show(common, ask(common.access, tuple(method or ()), numbers=numbers))


@command(
    commands, "calibrate", placed=False, computes=True, short_help="Put the rule of the bottom line to trials of known truth"
)
def calibrate(
    common: Common,
    truth: Annotated[
        list[str] | None, typer.Argument(metavar="TRUTH", help="Only these truths. Default: all.", show_default=False)
    ] = None,
    trials: Annotated[int, typer.Option("--trials", metavar="N", min=0, help="Trials of each truth; 0 runs none.")] = 1000,
    first: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the first trial; the others follow.")] = 1,
    draws: Annotated[int, typer.Option("--draws", metavar="N", min=99, help="Permuted copies of each trial.")] = 999,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FILE", help="Keep the trials in FILE, and do not run again those that it holds."),
    ] = None,
) -> int:
    """How often the rule of the bottom line says what, in simulated trials whose truth is known.

    Truths: none (no effect), even-50 and even-90 (the same effect in everybody), ratios (equal ratios in everybody), slow-150
    (a large effect in slow progressors, 150 per arm), slow (of the size of the sample). A trial takes 2 to 15 seconds: a run
    can be broken off, and goes on where it was. Exits 1 if a mark is missed.
    """
    from alsbench.service.calibration import calibrate as ask  # waits: duckdb, numpy, scipy

    return show(common, ask(common.access, truth or (), trials=trials, first=first, draws=draws, into=into))
