"""``:reconcile FILE``: their numbers beside ours, in classes, worst first; ``enter`` opens both sides of a number.

``:diff SNAPSHOT`` does the same with two snapshots of the workspace: the data by class, contrasts that changed, records.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.events import Key

from alsbench.analysis.reconcile.mapping import ResultMapping, read_mapping
from alsbench.analysis.result import Result, Row
from alsbench.data.workspace import Workspace
from alsbench.errors import UsageError
from alsbench.files import typed_path
from alsbench.render.page import Page
from alsbench.render.sheet import Sheet, sheet_block, sheets_page
from alsbench.service.reconciliation import Reconciliation, data_output, pair_words, results_output_of, their_value
from alsbench.tui.cell_text import safe
from alsbench.tui.screens.base import Bench
from alsbench.tui.screens.drilldown import BehindNumber, Drilldown
from alsbench.tui.shell_command import Option, ViewRequest
from alsbench.tui.table_models import GridModel, GridRow, Section, block_section, grid, heading_section
from alsbench.tui.widgets.pane import folded
from alsbench.tui.worker import Job

if TYPE_CHECKING:
    from alsbench.analysis.reconcile.pairing import ReconciledPair
    from alsbench.service.output import Output
    from alsbench.service.snapshots import ComparedSnapshots

HEADS = ("Class", "Statistic", "Ours", "Theirs", "Where it stands", "In theirs")
ROLES = {"changes a conclusion": "error", "different": "warn", "only ours": "warn", "only theirs": "warn"}
FACTS, WITH_REASONS = 4, 9  # lines of facts above the classes


def sides_named(text: str) -> tuple[Path, Path | None]:
    """The file and the mapping of ``FILE --mapping MAP``. Raises UsageError for anything else."""
    try:
        words = shlex.split(text)
    except ValueError as fault:
        raise UsageError("a file cannot be told from this", why=str(fault), hint="quote a name with spaces") from fault
    if len(words) == 1:
        return typed_path(words[0]), None
    if len(words) == 3 and words[1] == "--mapping":
        return typed_path(words[0]), typed_path(words[2])
    raise UsageError("reconcile takes FILE or FILE --mapping MAPPING", hint="quote a name with spaces")


def snapshots_named(workspace: Path, text: str) -> tuple[str, str]:
    """The two snapshots of ``OLD NEW``, of ``OLD`` (and the current one) or of nothing (the one before the current one). Raises
    UsageError for a name that is not there, UnavailableError where there is no earlier one."""
    words = text.split()
    if len(words) > 2:
        raise UsageError("diff takes one snapshot or two", hint="diff, diff OLD, diff OLD NEW")
    from alsbench.service.snapshots import snapshot_named  # waits: zipfile

    space = Workspace(workspace)
    old, new = (*words, *("previous", "current")[len(words) :])
    return snapshot_named(space, old), snapshot_named(space, new)


def digits(value: float | int | str | None, most: int = 6) -> str:
    """A value with at most so many digits; a text as it is."""
    return f"{value:.{most}g}" if isinstance(value, float) else "" if value is None else str(value)


class ComparedTable(Drilldown):
    """Two sides beside each other, and on ``w`` why they differ."""

    searched = ""  # what is looked for then
    why = False  # whether it is
    output: Output | None = None  # what the shell prints of it

    async def take(self, event: Key) -> None:
        if event.key == "w" and self.output is not None and not self.why:
            self.why = True
            self.say(f"{self.searched} are searched for; ^c cancels")
            self.start()
        else:
            await super().take(event)

    def page(self) -> Page | None:
        return None if self.output is None or self.output.page is None else self.output.page()


class ReconcileTable(ComparedTable):
    """Classes with their counts, then what differs, worst first."""

    no_number = "a class or a heading; a line below opens both sides"
    searched = "options and records that give their numbers"

    def __init__(self, bench: Bench, theirs: Path, mapping: Path | None) -> None:
        super().__init__(
            bench,
            safe(f"{theirs.name} beside ours", ascii=not bench.look.glyphs.dots),
            [],
            ("enter", "both sides"),
            ("w", "why"),
        )
        self.table.placeholder = "their numbers are put beside ours ..."
        self.theirs, self.mapping = theirs, mapping
        self.found: Reconciliation | None = None

    def start(self) -> None:
        bench, theirs, mapping, why = self.bench, self.theirs, self.mapping, self.why

        def work(job: Job) -> tuple[Reconciliation, Output]:
            from alsbench.service.reconcile import reconciled  # waits: xml

            said = read_mapping(mapping) if mapping is not None else ResultMapping()
            access = replace(bench.ready.access, own_mask=0)  # the screen shows its user what the user may see
            found = reconciled(access, bench.workspace, theirs, said, named=mapping, why=why)
            job.check()
            return found, data_output(access, found, 20) if found.data is not None else results_output_of(access, found)

        self.work("reconciling:", work)

    def fill(self, payload: Any) -> None:
        self.found, self.output = payload
        width = max(self.bench.size.width, 40)
        printed = self.output.page() if self.output.page is not None else sheets_page(self.output.sheets)
        lines: list[Text] = []
        for name, value in (*self.reasons(), *printed.facts, *(("Note", n) for n in printed.footnotes)):
            lines += folded(safe(name, ascii=self.ascii), safe(value, ascii=self.ascii), self.look, width)
        self.pane.lines = tuple(lines)
        self.divide()
        self.pane.refresh()
        blocks = printed.blocks[:1] if self.found.data is None else printed.blocks
        sections = [s for block in blocks for s in block_section(block, ascii=self.ascii, most=width)]
        loud = [p for p in self.found.pairs if p.agreement not in ("identical", "noise")]
        if loud:
            sections += [heading_section("What differs, worst first"), grid(HEADS, [self.line(p) for p in loud], right=(2, 3))]
        self.say("")
        self.table.placeholder = "no rows"
        self.show_whole(GridModel(tuple(sections)))

    def reasons(self) -> list[tuple[str, str]]:
        """Which options, or records, account for what differs; nothing before it was asked."""
        sheet = self.found.why if self.found is not None else None
        if sheet is None:
            return []
        records = [dict(zip((f.key for f in sheet.fields), record, strict=True)) for record in sheet.records]
        return [("Why", f"{r['endpoint']}, {r['subgroup']}: {r['why']}") for r in records] or [("Why", "nothing to explain")]

    def line(self, pair: ReconciledPair) -> GridRow:
        row, theirs = pair.row, pair.theirs
        endpoint, subgroup, place, statistic = pair_words(pair)
        ours = digits(row.stat) if row is not None else ""
        where = ", ".join(word for word in (endpoint, subgroup, place) if word)
        texts = (
            pair.agreement,
            statistic,
            ours,
            digits(their_value(theirs)) if theirs else "",
            where,
            theirs.where if theirs else "",
        )
        roles = (ROLES.get(pair.agreement, ""), "", "", "", "", "dim")
        cells = tuple((safe(text, ascii=self.ascii), role) for text, role in zip(texts, roles, strict=True))
        return GridRow(cells, source=pair)

    def divide(self) -> None:
        """The rows are what is looked at: the facts keep a few lines, and scroll."""
        most = FACTS if self.found is None or self.found.why is None else WITH_REASONS
        self.pane.styles.height = max(min(len(self.pane.lines), most), 1)

    def open_row(self) -> None:
        pair = self.table.source()
        if self.found is None or not hasattr(pair, "agreement"):
            self.say(self.no_number)
            return
        row = pair.row
        result = next((r for r in self.found.results if row is not None and row in r.rows), None)
        lines = self.their_lines(pair)
        if row is None or result is None:
            self.bench.overlays.read("Only theirs" if row is None else "Both sides", lines)
        else:
            self.bench.push_screen(BothSides(self.bench, row, result, lines))

    def their_lines(self, pair: ReconciledPair) -> list[Text]:
        """What theirs says of a number, and how it was paired."""
        theirs, width = pair.theirs, max(self.bench.size.width, 40)
        told = [("Class", pair.agreement), ("Theirs", digits(their_value(theirs), 17) if theirs else "no such number")]
        if theirs is not None:
            told += [("Where", theirs.where), *((name, value) for name, value in theirs.attributes)]
        told += [("Paired", pair.how)] if pair.how else []
        return [x for n, v in told for x in folded(safe(n, ascii=self.ascii), safe(v, ascii=self.ascii), self.look, width)]

    def table_request(self) -> ViewRequest:
        mapping = "" if self.mapping is None else str(self.mapping)
        options: dict[str, Option] = {"mapping": mapping, "why": self.why}
        return ViewRequest("reconcile", (str(self.bench.workspace), str(self.theirs)), options)

    def shell(self) -> str:
        return self.table_request().command()  # which names the workspace as one of its sides


class SnapshotsTable(ComparedTable):
    """``:diff``: an earlier snapshot beside a later one: classes and changed contrasts, worst first, then records."""

    no_number = "a heading; a line below opens both sides"
    searched = "records that account for the changed results"

    def __init__(self, bench: Bench, old: str, new: str) -> None:
        super().__init__(bench, f"{old} beside {new}", [], ("enter", "both snapshots"), ("w", "why"))
        self.table.placeholder = "the snapshots are compared ..."
        self.old, self.new = old, new
        self.found: ComparedSnapshots | None = None

    def start(self) -> None:
        bench, old, new, why = self.bench, self.old, self.new, self.why

        def work(job: Job) -> tuple[ComparedSnapshots, Output]:
            from alsbench.service.snapshots import compared, diff_output  # waits: zipfile

            access = replace(bench.ready.access, own_mask=0)  # the screen shows its user what the user may see
            found = compared(access, old, new, why=why)
            job.check()
            return found, diff_output(access, found)

        self.work("comparing snapshots:", work)

    def fill(self, payload: Any) -> None:
        self.found, self.output = payload
        found, width = self.found, max(self.bench.size.width, 40)
        printed = self.page()
        lines: list[Text] = []
        for name, value in printed.facts if printed is not None else ():
            lines += folded(safe(name, ascii=self.ascii), safe(value, ascii=self.ascii), self.look, width)
        self.pane.lines = tuple(lines)
        self.divide()
        self.pane.refresh()
        shown = (found.classes, found.why, found.results, found.records, found.tables)
        sections = [x for sheet in shown if sheet is not None for x in record_sections(sheet, ascii=self.ascii, most=width)]
        self.say("")
        self.table.placeholder = "the same"
        self.show_whole(GridModel(tuple(sections)))

    def divide(self) -> None:
        self.pane.styles.height = max(min(len(self.pane.lines), FACTS), 1)

    def open_row(self) -> None:
        told = self.table.source()
        if not isinstance(told, SheetRecord):
            self.say(self.no_number)
            return
        width = max(self.bench.size.width, 40)
        lines = [
            line
            for name, value in told.told()
            for line in folded(safe(name, ascii=self.ascii), safe(value, ascii=self.ascii), self.look, width)
        ]
        self.bench.overlays.read("Both sides", lines)

    def table_request(self) -> ViewRequest:
        return ViewRequest("diff", (self.old, self.new), {"why": self.why})


@dataclass(frozen=True)
class SheetRecord:
    """What a line of a sheet stands for: the whole record, nothing cut."""

    sheet: Sheet
    number: int

    def told(self) -> list[tuple[str, str]]:
        """Its fields that say something, in words."""
        pairs = zip(self.sheet.fields, self.sheet.records[self.number], strict=True)
        return [(field.heading or field.key, digits(value, 17)) for field, value in pairs if value is not None]


def record_sections(sheet: Sheet, *, ascii: bool, most: int) -> list[Section]:
    """A sheet under its title, its class first, each line of it standing for its record; nothing where it has none and says
    nothing."""
    at = sorted(range(len(sheet.fields)), key=lambda j: sheet.fields[j].key != "class")
    records = tuple(tuple(record[j] for j in at) for record in sheet.records)
    sheet = replace(sheet, fields=tuple(sheet.fields[j] for j in at), records=records)
    block = replace(sheet_block(sheet), title=sheet.title)
    head, body, *notes = block_section(block, ascii=ascii, most=most)
    rows = tuple(replace(row, source=SheetRecord(sheet, i)) for i, row in enumerate(body.rows))
    return [head, *([replace(body, rows=rows)] if rows else []), *notes]


class BothSides(BehindNumber):
    """A number of both sides: theirs, then ours with what it was made from."""

    def __init__(self, bench: Bench, row: Row, result: Result, theirs: Sequence[Text]) -> None:
        super().__init__(bench, (row,), result)
        head = [Text("THEIRS", bench.look["bold"]), *theirs, Text("OURS", bench.look["bold"])]
        self.pane.lines = (*head, *self.pane.lines)
