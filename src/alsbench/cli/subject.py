"""``alsbench subject ID``: one subject's baseline, course and events."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "subject", short_help="One subject: baseline, visits, events, doses")(subject)


def subject(
    common: Common,
    subject_id: Annotated[str, typer.Argument(metavar="ID", help="Subject id, as in the data.")],
    mask: MaskOption = 0,
) -> None:
    """One subject: baseline facts, every analysed parameter by visit, events, doses. CSV and TSV hold the course."""
    from alsbench.service.subjects import subject as ask  # waits: duckdb, numpy

    show(common, ask(common.access, subject_id, mask=mask))
