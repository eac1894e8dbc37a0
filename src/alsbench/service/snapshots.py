"""The snapshots of a workspace: what was loaded, when, which is current; and what a new load changed, in data and results."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from alsbench.analysis.changes import ContrastChange, compare_results, contrast_count
from alsbench.analysis.looks import planned_question, question_digest
from alsbench.analysis.source import Source, open_source
from alsbench.audit.lock import changes
from alsbench.data.diff import diff as compare
from alsbench.data.publish import exclusive
from alsbench.data.snapshot import Snapshot, open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.render.formats import decimals
from alsbench.render.sheet import Field, Sheet, Value
from alsbench.service.access import Access
from alsbench.service.data_differences import LISTED, RANK, class_count, class_sheet, class_word, record_sheet, table_sheet
from alsbench.service.output import Output, sheets_output, some_columns
from alsbench.service.trail import log_entry, log_shown
from alsbench.stats.agreement import GOOD, Agreement
from alsbench.study.names import nearest


def snapshots(access: Access, *, prune: int | None = None) -> Output:
    """Published snapshots, oldest first: digest, tables, rows, data cut, whether it is current, what is wrong with it. With
    ``prune`` all but the newest that many are removed before, never the current one; entered in the log.

    Raises UnavailableError where no data have been loaded.
    """
    space = Workspace(access.path)
    names = space.snapshot_names()
    if not names:
        raise UnavailableError("no data have been loaded here", where=str(access.path), hint="run: alsbench load PATH...")
    if prune is not None:
        _prune(access, space, prune)
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
    return sheets_output(access, sheet, printed=[_printed(sheet)])


@dataclass(frozen=True)
class ComparedSnapshots:
    """Two snapshots beside each other: ``tables``, how the data differ by class (``classes``, worst first), the first
    ``records``, and, where they were asked for, the contrasts that changed (``results``) and the records that account for them
    (``why``). ``good`` where nothing differs by more than noise and what print shows."""

    old: str
    new: str
    tables: Sheet
    classes: Sheet
    records: Sheet
    results: Sheet | None
    why: Sheet | None
    good: bool
    command: str  # what compares them again

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """All of it, in the order in which it is printed."""
        return tuple(s for s in (self.tables, self.classes, self.records, self.results, self.why) if s is not None)

    @property
    def sentence(self) -> str:
        """``Snapshot B beside A: differences. Results: 3 of 40 contrasts changed, 1 changes a conclusion.``"""
        said = "the same but for noise and print" if self.good else "differences"
        if self.results is None:
            return f"Snapshot {self.new} beside {self.old}: {said}."
        turned = sum("changes a conclusion" in record for record in self.results.records)
        counted = f"{self.results.title}, {class_count(turned, 'changes a conclusion')}" if turned else self.results.title
        return f"Snapshot {self.new} beside {self.old}: {said}. {counted}."


def diff(access: Access, old: str, new: str = "current", **how: Any) -> Output:
    """Two snapshots beside each other, as :func:`compared` finds them; a difference worse than noise and than what
    print shows is a negative verdict."""
    return diff_output(access, compared(access, old, new, **how))


def diff_output(access: Access, found: ComparedSnapshots) -> Output:
    """What was found, in every form, with what must stand wherever data of the workspace are shown."""
    return sheets_output(access, *found.sheets, failed=not found.good)


def compared(
    access: Access,
    old: str,
    new: str = "current",
    *,
    results: bool = True,
    records: int = LISTED,
    mask: int = 0,
    why: bool = False,
    budget: int = 0,
) -> ComparedSnapshots:
    """Records added, removed and changed between two snapshots, by key (``records`` of each kind and table are listed), and
    which ``results`` changed: the study as it stands is asked of both, every endpoint with a contrast, overall and in every
    subgroup and complement. A snapshot is named as :func:`snapshot_named` reads it. ``why`` looks for the records that account
    for changed results, at most ``budget`` analyses (0: the usual number) for each endpoint.

    Raises UsageError where a mask holds: two snapshots beside each other tell of single records.
    """
    access.refuse_mask(mask, "the single records by which two snapshots differ")
    space = Workspace(access.path)
    names = [snapshot_named(space, word) for word in (old, new)]
    words = ["alsbench", "diff", *names, *([] if results else ["--no-results"])]
    words += ["--records", str(records)] if records != LISTED else []
    words += ["--why", *(["--budget", str(budget)] if budget else [])] if why else []
    command = shlex.join(words)
    entered = access.repeat(command)
    with open_snapshot(space.snapshot_path(names[0])) as before, open_snapshot(space.snapshot_path(names[1])) as after:
        with access.watch() as show:
            found = compare(before, after, shown=records, progress=show)
            if not results and not found.same:  # else the results have an entry, of the same command
                log_shown(access, "data", {"asked": entered, "snapshot": after.digest})
        changed = reasons = None
        turned = False
        if results:
            changed, turned, asked = _results(access, before, after, entered, same=found.same)
            reasons = _why(access, before, after, asked, budget) if why and asked else None
    tables, classes = table_sheet(found, "Snapshots compared"), class_sheet(found)
    good = found.good and not turned
    return ComparedSnapshots(names[0], names[1], tables, classes, record_sheet(found, records), changed, reasons, good, command)


def _printed(sheet: Sheet) -> Sheet:
    """As it is read: the whole digest of the current snapshot above the list, whose names hold the first digits of each, and
    faults below it."""
    said = tuple(("Digest", str(digest)) for _, current, digest, *_ in sheet.records if current and digest)
    faults = tuple(f"{name}: {fault}" for name, *_, fault in sheet.records if fault)
    return replace(some_columns(sheet, ("name", "current", "tables", "rows", "data_cut")), facts=said, notes=faults)


def _prune(access: Access, space: Workspace, keep: int) -> None:
    """Log each removal, then do it, with the load lock held: nothing is published meanwhile."""
    with exclusive(space, purpose="prune"):
        current = space.current_name()
        doomed = [n for n in space.snapshot_names()[:-keep] if n != current]
        if doomed:
            log_entry(access, "prune", {"removed": doomed, "kept": keep})
        for name in doomed:
            space.snapshot_path(name).unlink(missing_ok=True)
    access.note(f"{len(doomed)} snapshots removed")


def snapshot_named(space: Workspace, word: str) -> str:
    """The snapshot a word means. Raises UsageError for none or several, UnavailableError where nothing is loaded."""
    names = space.snapshot_names()
    current = space.current_name()
    if not names or current is None:
        raise UnavailableError("no data have been loaded here", where=str(space.path), hint="run: alsbench load PATH...")
    if word == "current":
        return current
    if word == "previous":
        older = names[: names.index(current)] if current in names else ()
        if not older:
            hint = "alsbench load PATH... keeps it and makes another one current"
            raise UnavailableError("there is no snapshot before the current one", where=str(space.path), hint=hint)
        return older[-1]
    if word in names:
        return word
    hits = [n for n in names if word and (n.startswith(word) or n.partition("-")[2].startswith(word))]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise UsageError(f"{len(hits)} snapshots begin with {word}", hint=", ".join(hits))
    raise UsageError(f"no snapshot is named {word}", where=str(space.snapshots_dir), hint=nearest(word, (*names, "current")))


def _results(
    access: Access, before: Snapshot, after: Snapshot, command: str, *, same: bool
) -> tuple[Sheet, bool, list[ContrastChange]]:
    """The contrasts that changed by more than noise, worst first, whether any did by more than print shows, and all that were
    asked. Snapshots of the same tables cannot differ in one and are not asked."""
    fields = (
        *(Field(k, k.capitalize()) for k in ("endpoint", "subgroup", "comparison", "visit", "measure")),
        *(Field(f"n_{w}", f"n {w}", number=True) for w in ("old", "new")),
        *(Field(f"estimate_{w}", f"Estimate {w}", number=True) for w in ("old", "new")),
        *(Field(f"p_{w}", f"p {w}", number=True) for w in ("old", "new")),
        Field("class", "Class"),
        Field("error", "Fault", prose=True, optional=True),
    )
    if same:
        return Sheet("results", "Results: the data are the same", fields, ()), False, []
    now, left, right = _sources(access, before, after)
    pieces = list(access.steps(compare_results(left, right), contrast_count(right), "results"))
    asked = [c for piece in pieces for c in piece]
    _looked(access, left, right, asked, command)
    judged = sorted(((c.agreement(decimals), c) for c in asked), key=lambda pair: RANK[pair[0]])
    changed = [(agreement, c) for agreement, c in judged if agreement not in ("identical", "noise")]
    noisy = sum(agreement == "noise" for agreement, _ in judged)
    post_hoc = [s.name for s in now.study.subgroups if not s.prespecified]
    notes: tuple[str, ...] = (f"post hoc: {', '.join(post_hoc)}",) if post_hoc else ()
    if now.lock is not None:
        departures = (now.lock.doubt, *(f"{c.words()}" for c in changes(now.lock, now.study)))
        notes += tuple(f"departs from the locked plan: {text}" for text in departures if text)
    notes += now.study.info.marks
    if noisy:
        notes = (f"{noisy} contrasts differ by noise only", *notes)
    title = f"Results: {len(changed)} of {len(asked)} contrasts changed"
    sheet = Sheet("results", title, fields, tuple(_contrast(a, c) for a, c in changed), notes=notes, titled=True)
    return sheet, any(agreement not in GOOD for agreement, _ in changed), asked


def _sources(access: Access, before: Snapshot, after: Snapshot) -> tuple[Source, Source, Source]:
    """The workspace as it is, and the study as it stands over both snapshots."""
    now = open_source(access.path)
    now.snapshot.close()
    old, new = (Source(now.study, s, now.study_digest, now.results_dir, now.lock) for s in (before, after))
    return now, old, new


def _why(access: Access, before: Snapshot, after: Snapshot, asked: list[ContrastChange], budget: int) -> Sheet:
    """The records that account for the contrasts that changed."""
    from alsbench.service.why_differ import changed_contrasts, record_reasons  # waits: scipy

    _, old, _ = _sources(access, before, after)
    differing = changed_contrasts(old, asked, decimals)
    return record_reasons(access, old, after, differing, budget=budget, snapshots=True)


def _looked(access: Access, old: Source, new: Source, asked: list[ContrastChange], command: str) -> None:
    """One look at every contrast that is listed."""
    question = {"method": "diff", "old": old.snapshot.digest, "new": new.snapshot.digest}
    listed: dict[str, dict[str, object]] = {}
    for c in asked:
        if _shown(c) and c.treatment:
            population = new.default_population(new.endpoint(c.endpoint))
            listed |= planned_question(c.endpoint, c.method, population, c.subgroup, c.comparison, new.study)
    facts = {
        "question": question_digest(question, new.study),
        **({"questions": listed} if listed else {}),
        "asked": command,
        "post_hoc": any(not s.prespecified for s in new.study.subgroups),
        "snapshot": new.snapshot.digest,
        "study": new.study_digest,
        "blinded": old.blinded and new.blinded,
        "contrasts": [name for c in asked for name in _named(c)],
    }
    log_shown(access, "look", facts)


def _named(found: ContrastChange) -> Iterator[str]:
    """The contrast as the ledger knows it, where a p-value of it is shown."""
    if _shown(found) and (found.old.p is not None or found.new.p is not None):
        visit = f", {found.visit}" if found.visit else ""
        yield f"{found.endpoint} [{found.method}] {found.subgroup}: {found.treatment} vs {found.reference}{visit}"


def _shown(found: ContrastChange) -> bool:
    """Whether a contrast is listed: it changed, and not by noise only."""
    return found.agreement(decimals) not in ("identical", "noise")


def _contrast(agreement: Agreement, found: ContrastChange) -> tuple[str | float | int | None, ...]:
    o, n = found.old, found.new
    errors = [f"{word}: {side.error}" for word, side in (("old", o), ("new", n)) if side.error]
    where = (found.endpoint, found.subgroup, found.comparison, found.visit, found.measure)
    return (
        *where,
        o.n,
        n.n,
        o.estimate,
        n.estimate,
        o.p,
        n.p,
        class_word(agreement, ("old", "new")),
        "; ".join(errors) or None,
    )
