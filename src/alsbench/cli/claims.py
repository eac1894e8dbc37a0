"""``alsbench claims FILE``: published numbers beside those of the loaded data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, Format, MaskOption, command

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.study.model import Study


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "claims", short_help="Check published numbers: coherent, reproduced?")(claims)


def claims(
    common: Common,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The claims. Default: claims.toml of the workspace.", show_default=False),
    ] = None,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", metavar="NAME", help="Only this claim; repeats. Default: all.")
    ] = None,
    scrutinise: Annotated[
        bool, typer.Option("--scrutinise", help="Also whether each survives the checks of `alsbench scrutinise`.")
    ] = False,
    mask: MaskOption = 0,
) -> int:
    """Check published numbers: do they agree with each other, with the data, and (asked for) with scrutiny?

    Without data, or a workspace, whether they agree with each other. Exits 1 where a claim contradicts itself, another one or
    the data. CSV and TSV hold every number; the other formats all tables.
    """
    from alsbench.cli.output import emit_page, emit_sheets
    from alsbench.render.claims import claims_sheets, numbers_sheet
    from alsbench.render.claims_page import claims_page
    from alsbench.service.claims import checked_claims
    from alsbench.version import __version__

    path = file or common.workspace / "claims.toml"
    k = common.access.mask(mask)
    with opened_if_loaded(common) as source:
        study = source.study if source is not None else _study(common)
        checked, facts, notes = checked_claims(common.access, source, path, claim or (), k, scrutinise=scrutinise, study=study)
    of = f", study {source.study_digest[:12]}" if source is not None else ""
    made = checked, facts, (*notes, f"alsbench {__version__}{of}")
    if common.format in (Format.CSV, Format.TSV):
        emit_sheets(common, numbers_sheet(*made))
    elif common.format is Format.JSON:
        emit_sheets(common, *claims_sheets(*made))
    else:
        emit_page(common, claims_page(*made))
    return 1 if any(c.refuted for c in checked) else 0


@contextmanager
def opened_if_loaded(common: Common) -> Iterator[Source | None]:
    """The study and current snapshot of the workspace; None where no data have been loaded there, and that is said."""
    from alsbench.data.workspace import Workspace

    if Workspace(common.workspace).current_name() is None:
        common.note(f"no data are loaded in {common.workspace}: only whether the claims agree with each other")
        yield None
        return
    with common.access.opened() as source:
        yield source


def _study(common: Common) -> Study | None:
    """The study file of a workspace without data, if there is one. Raises StudyError."""
    from alsbench.data.workspace import Workspace

    space = Workspace(common.workspace)
    return space.read_study() if space.study_path.exists() else None
