"""``alsbench diff OLD NEW``: what a new load changed, in the data and in the results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from alsbench.analysis.changes import ContrastChange
    from alsbench.analysis.source import Source
    from alsbench.data.diff import SnapshotDiff, TableDiff
    from alsbench.data.snapshot import Snapshot
    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Field, Sheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "diff")(diff)


def diff(
    common: Common,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A snapshot: its name, the beginning of it, current or previous.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another; default: current.")] = "current",
    results: Annotated[
        bool, typer.Option("--results/--no-results", help="Ask the study's contrasts of both and list those that changed.")
    ] = True,
    records: Annotated[
        int, typer.Option("--records", metavar="N", min=0, help="How many records of each kind and table are listed.")
    ] = 20,
    mask: MaskOption = 0,
) -> int:
    """Records added, removed and changed between two snapshots, by key, and which results changed; 1 where they differ.

    The study as it stands is asked of both: every endpoint with a contrast, overall and in every subgroup and complement.
    Two snapshots beside each other tell of single records: under a mask they are not compared.
    """
    from alsbench.cli.output import emit_sheets
    from alsbench.cli.progress import bar
    from alsbench.data.diff import diff as compare
    from alsbench.data.snapshot import open_snapshot
    from alsbench.data.workspace import Workspace

    common.access.refuse_mask(mask, "the single records by which two snapshots differ")
    space = Workspace(common.workspace)
    names = [snapshot_named(space, word) for word in (old, new)]
    with open_snapshot(space.snapshot_path(names[0])) as before, open_snapshot(space.snapshot_path(names[1])) as after:
        with bar(common) as show:
            found = compare(before, after, shown=records, progress=show)
        sheets = [_tables(found), _records(found, records)]
        if results:
            sheets.append(_results(common, before, after, same=found.same))
    emit_sheets(common, *sheets)
    return 0 if found.same else 1


def snapshot_named(space: Workspace, word: str) -> str:
    """The snapshot a word means. Raises UsageError for none or several, UnavailableError where nothing is loaded."""
    from alsbench.study.names import nearest

    names = space.snapshot_names()
    current = space.current_name()
    if not names or current is None:
        raise UnavailableError("no data have been loaded here", where=str(space.path), hint="run: alsbench load PATH...")
    if word == "current":
        return current
    if word == "previous":
        older = names[: names.index(current)] if current in names else ()
        if not older:
            raise UnavailableError("there is no snapshot before the current one", where=str(space.path))
        return older[-1]
    if word in names:
        return word
    hits = [n for n in names if word and (n.startswith(word) or n.partition("-")[2].startswith(word))]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise UsageError(f"{len(hits)} snapshots begin with {word}", hint=", ".join(hits))
    raise UsageError(f"no snapshot is named {word}", where=str(space.snapshots_dir), hint=nearest(word, (*names, "current")))


def _tables(found: SnapshotDiff) -> Sheet:
    from alsbench.render.sheet import Field, Sheet

    records = tuple(
        (t.table, t.state, t.rows_old, t.rows_new, t.added, t.removed, t.changed, " ".join(t.keys) or None, _columns(t) or None)
        for t in found.tables
    )
    fields = (
        Field("table", "Table"),
        Field("state", "State"),
        *(Field(k, h, number=True) for k, h in (("rows_old", "Rows old"), ("rows_new", "Rows new"))),
        *(Field(k, k.capitalize(), number=True) for k in ("added", "removed", "changed")),
        Field("keys", "Key"),
        Field("columns", "Columns", prose=True),
    )
    facts = (("Old", found.old), ("New", found.new), ("Data", "the same" if found.same else "differ"))
    notes = tuple(
        f"{t.table}: {t.repeated} rows share their key with another row of their snapshot; they were compared whole"
        for t in found.tables
        if t.repeated
    )
    return Sheet("tables", "Snapshots compared", fields, records, facts, notes=notes)


def _columns(table: TableDiff) -> str:
    parts = [f"{name} ({n} changed)" for name, n in (table.by_column or {}).items()]
    parts += [f"{name} (new)" for name in table.columns_added] + [f"{name} (gone)" for name in table.columns_removed]
    parts += [f"{name} ({now}, was {was})" for name, (was, now) in table.columns_retyped.items()]
    return ", ".join(parts)


def _records(found: SnapshotDiff, shown: int) -> Sheet:
    """The first records of each kind; the counts above are complete."""
    from alsbench.render.sheet import Field, Sheet

    fields = (Field("table", "Table"), Field("change", "Change"), Field("key", "Key"), *_before_after("column", "Column"))
    records = tuple(r for t in found.tables if t.state == "changed" for r in _record_lines(t))
    cut = [t.table for t in found.tables if t.state == "changed" and max(t.added, t.removed, t.changed) > shown]
    notes = (f"the first {shown} of each kind in {', '.join(cut)}; the counts above are complete",) if cut else ()
    return Sheet("records", "Records", fields, records, notes=notes)


def _before_after(key: str, heading: str) -> tuple[Field, ...]:
    from alsbench.render.sheet import Field

    return (Field(key, heading), Field("old", "Old"), Field("new", "New"))


def _record_lines(table: TableDiff) -> Iterator[tuple[str | None, ...]]:
    for change, keys in (("added", table.added_keys), ("removed", table.removed_keys)):
        for key in keys:
            yield table.table, change, _words(key), None, None, None
    for record in table.records:
        for column, (was, now) in record.columns.items():
            yield table.table, "changed", _words(record.key), column, _word(was), _word(now)


def _words(key: tuple[object, ...]) -> str:
    return " ".join(_word(part) or "-" for part in key)


def _word(value: object) -> str | None:
    return None if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)


def _results(common: Common, before: Snapshot, after: Snapshot, *, same: bool) -> Sheet:
    """The contrasts that changed. Snapshots of the same tables cannot differ in one and are not asked."""
    from alsbench.analysis.changes import compare_results, contrasts_asked
    from alsbench.analysis.source import Source, open_source
    from alsbench.cli.progress import steps
    from alsbench.render.sheet import Field, Sheet

    fields = (
        *(Field(k, k.capitalize()) for k in ("endpoint", "subgroup", "comparison", "visit", "measure")),
        *(Field(f"n_{w}", f"n {w}", number=True) for w in ("old", "new")),
        *(Field(f"estimate_{w}", f"Estimate {w}", number=True) for w in ("old", "new")),
        *(Field(f"p_{w}", f"p {w}", number=True) for w in ("old", "new")),
        Field("error", "Fault", prose=True),
    )
    if same:
        return Sheet("results", "Results: the data are the same", fields, ())
    now = open_source(common.workspace)
    now.snapshot.close()
    left, right = (Source(now.study, s, now.study_digest, now.results_dir, now.lock) for s in (before, after))
    pieces = list(steps(common, compare_results(left, right), contrasts_asked(right), "results"))
    asked = [c for piece in pieces for c in piece]
    _looked(common, left, right, asked)
    changed = [c for c in asked if c.changed]
    post_hoc = [s.name for s in now.study.subgroups if not s.prespecified]
    notes: tuple[str, ...] = (f"post hoc: {', '.join(post_hoc)}",) if post_hoc else ()
    if now.lock is not None:
        from alsbench.audit.lock import changes

        departures = (now.lock.doubt, *(f"{c.words()}" for c in changes(now.lock, now.study)))
        notes += tuple(f"departs from the locked plan: {text}" for text in departures if text)
    if now.study.info.synthetic:
        notes += ("SYNTHETIC DATA",)
    title = f"Results: {len(changed)} of {len(asked)} contrasts changed"
    return Sheet("results", title, fields, tuple(_contrast(c) for c in changed), notes=notes, standing=True)


def _looked(common: Common, old: Source, new: Source, asked: list[ContrastChange]) -> None:
    """One look at every contrast that is listed."""
    from alsbench.analysis.looks import planned_question, question_digest
    from alsbench.service.trail import shown

    question = {"method": "diff", "old": old.snapshot.digest, "new": new.snapshot.digest}
    listed: dict[str, dict[str, object]] = {}
    for c in asked:
        if c.changed and c.treatment:
            population = new.default_population(new.endpoint(c.endpoint))
            listed |= planned_question(c.endpoint, c.method, population, c.subgroup, c.comparison, new.study)
    facts = {
        "question": question_digest(question, new.study),
        **({"questions": listed} if listed else {}),
        "asked": f"alsbench diff {old.snapshot.name} {new.snapshot.name}",
        "post_hoc": any(not s.prespecified for s in new.study.subgroups),
        "snapshot": new.snapshot.digest,
        "study": new.study_digest,
        "blinded": old.blinded and new.blinded,
        "contrasts": [name for c in asked for name in _named(c)],
    }
    shown(common.access, "look", facts)


def _named(found: ContrastChange) -> Iterator[str]:
    """The contrast as the ledger knows it, where a p-value of it is shown."""
    if found.changed and (found.old.p is not None or found.new.p is not None):
        visit = f", {found.visit}" if found.visit else ""
        yield f"{found.endpoint} [{found.method}] {found.subgroup}: {found.treatment} vs {found.reference}{visit}"


def _contrast(found: ContrastChange) -> tuple[str | float | int | None, ...]:
    o, n = found.old, found.new
    errors = [f"{word}: {side.error}" for word, side in (("old", o), ("new", n)) if side.error]
    where = (found.endpoint, found.subgroup, found.comparison, found.visit, found.measure)
    return (*where, o.n, n.n, o.estimate, n.estimate, o.p, n.p, "; ".join(errors) or None)
