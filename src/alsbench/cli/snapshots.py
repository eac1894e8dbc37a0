"""``alsbench snapshots``: what was loaded, when, and which is current; old ones removed on request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, command

if TYPE_CHECKING:
    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Sheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "snapshots")(snapshots)


def snapshots(
    common: Common,
    prune: Annotated[
        int | None,
        typer.Option(
            "--prune",
            metavar="KEEP",
            min=1,
            help="Remove all but the newest KEEP; never the current one. Entered in the audit log.",
        ),
    ] = None,
) -> None:
    """Published snapshots, oldest first; the current one is marked."""
    from alsbench.cli.output import emit_sheets
    from alsbench.data.snapshot import open_snapshot
    from alsbench.data.workspace import Workspace
    from alsbench.errors import DataError, UnavailableError
    from alsbench.render.sheet import Field, Sheet, Value

    space = Workspace(common.workspace)
    names = space.snapshot_names()
    if not names:
        raise UnavailableError("no data have been loaded here", where=str(common.workspace), hint="run: alsbench load PATH...")
    if prune is not None:
        _prune(common, space, prune)
        names = space.snapshot_names()
    current = space.current_name()
    records: list[tuple[Value, ...]] = []
    for name in names:
        try:
            with open_snapshot(space.snapshot_path(name)) as snapshot:
                rows = sum(t.rows for t in snapshot.tables.values())
                records.append((name, name == current, snapshot.digest, len(snapshot.tables), rows, snapshot.data_cut, None))
        except DataError as fault:
            records.append((name, name == current, None, None, None, None, fault.what))
    fields = (
        Field("name", "Snapshot"),
        Field("current", "Current"),
        Field("digest", "Digest"),
        Field("tables", "Tables", number=True),
        Field("rows", "Rows", number=True),
        Field("data_cut", "Data cut"),
        Field("error", "Fault"),
    )
    sheet = Sheet("snapshots", "Snapshots", fields, tuple(records))
    emit_sheets(common, _printed(sheet) if common.format.printed else sheet)


def _printed(sheet: Sheet) -> Sheet:
    """As it is read: the whole digest of the current snapshot above the list, whose names hold the first digits of each, and
    faults below it."""
    said = tuple(("Digest", str(digest)) for _, current, digest, *_ in sheet.records if current and digest)
    faults = tuple(f"{name}: {fault}" for name, *_, fault in sheet.records if fault)
    kept = [j for j, field in enumerate(sheet.fields) if field.key not in ("digest", "error")]
    records = tuple(tuple(record[j] for j in kept) for record in sheet.records)
    return replace(sheet, fields=tuple(sheet.fields[j] for j in kept), records=records, facts=said, notes=faults)


def _prune(common: Common, space: Workspace, keep: int) -> None:
    """Log each removal, then do it, with the load lock held: nothing is published meanwhile."""
    from alsbench.data.publish import exclusive
    from alsbench.service.trail import record

    with exclusive(space, purpose="prune"):
        current = space.current_name()
        doomed = [n for n in space.snapshot_names()[:-keep] if n != current]
        if doomed:
            record(common.access, "prune", {"removed": doomed, "kept": keep})
        for name in doomed:
            space.snapshot_path(name).unlink(missing_ok=True)
    common.note(f"{len(doomed)} snapshots removed")
