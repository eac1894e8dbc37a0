"""``alsbench load PATH...``: files and folders become a new snapshot, or nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show
from alsbench.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "load")(load)


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
) -> None:
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
    show(common, made)


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
