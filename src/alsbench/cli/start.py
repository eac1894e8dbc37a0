"""Where one starts: ``alsbench demo``, ``init``, ``load``, ``tui``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from alsbench.audit.workspace_identity import identify
from alsbench.cli.common import Common, command, interactive
from alsbench.cli.output import show
from alsbench.cli.tui import is_workspace, open_app
from alsbench.errors import UnavailableError, UsageError

commands = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
DEFAULT = Path("alsbench-demo")


@command(commands, "demo")
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
    here = replace(common, workspace=workspace, given=True, held=identify(workspace))
    load_sample(here.access)
    if interactive() and not no_tui:
        return open_app(here.workspace)
    return show(here, evidence(here.access))


@command(commands, "init")
def init(
    common: Common,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The workspace to make.")],
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Data files and folders to look at.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a study.toml that is there.")] = False,
) -> int:
    """Propose a study.toml from the data: arms, visits, populations, parameters; what cannot be guessed is marked CHECK.

    Of data that are not ADaM a terminal shows first what each column is taken for, and lets it be changed.
    """
    from alsbench.cli.mapping import changed_mapping  # waits: pydantic
    from alsbench.service.loading import propose_study  # waits: duckdb, pyarrow

    asked = interactive() and not common.quiet and not common.json_errors
    change = changed_mapping if asked else None
    return show(common, propose_study(common.access, directory, paths or [], force=force, change=change))


@command(commands, "load")
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
) -> int:
    """Load data as a new snapshot and print a receipt. The old snapshot stays current until the new one is whole."""
    from alsbench.service.loading import load as ask  # waits: duckdb, pyarrow

    made = ask(
        common.access,
        paths,
        study=study,
        expect={name: _rows(text, rows) for text in expect or () for name, rows in [_pair(text, "--expect", "FILE=ROWS")]},
        accept=accepted_rules(accept or (), reason),
        layout=layout,
        missing=missing or (),
        blinded=blinded,
        key=key,
    )
    return show(common, made)


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


@command(commands, "tui")
def tui(
    common: Common,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Borders and plots in ASCII.")] = False,
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")] = False,
) -> int:
    """Open the app on the workspace. Needs a terminal; every screen has a shell twin for where there is none."""
    if not is_workspace(common.workspace):
        raise UnavailableError(
            "this is no workspace: it has no study.toml",
            where=str(common.workspace),
            hint="alsbench demo shows a sample trial; alsbench init proposes a study.toml from your data",
        )
    return open_app(common.workspace, ascii_only=ascii_only, no_mouse=no_mouse)
