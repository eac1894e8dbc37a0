"""``alsbench snapshots``: what was loaded, when, and which is current."""

from __future__ import annotations

import typer

from alsbench.cli.common import Common, command


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "snapshots")(snapshots)


def snapshots(common: Common) -> None:
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
    emit_sheets(common, Sheet("snapshots", "Snapshots", fields, tuple(records)))
