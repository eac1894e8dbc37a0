"""Screen 7: adverse events and other incidence endpoints of the study, as ``alsbench safety`` prints them.

Classes of events are folded at first: ``space`` unfolds the one under the cursor, ``z`` all of them; a filter looks into every
term. What is copied or exported is always the whole table.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Result, Row
from alsbench.errors import AlsbenchError
from alsbench.render.page import Page
from alsbench.render.tables import endpoint_page
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.screens.base import Bench, QueryView, joined, with_command
from alsbench.tui.screens.drilldown import behind
from alsbench.tui.table_models import GridModel, GridRow, Section, block_section, heading_section, with_result
from alsbench.tui.theme import Glyphs

WIDE = 120  # columns from which names of classes stand in full
NARROW = 42
NO_CLASS = frozenset({"Overview", "Exposure"})  # lines of the table that are no classes of events


class SafetyView(QueryView):
    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench, name)
        self.unfolded: set[EventClass] = set()

    def wanted(self) -> Sequence[Question]:
        opened = self.bench.opened
        if opened is None:
            return []
        names = [name for name, e in opened.source.study.endpoints.items() if e.method == "incidence"]
        phrases = (OVERALL, *self.session.choice.subgroups)
        return [self.question(name, phrase) for name in names for phrase in phrases]

    @property
    def results(self) -> tuple[Result, ...]:
        found = (self.known(q) for q in self.wanted())
        return tuple(r for r in found if isinstance(r, Result))

    def exported_results(self) -> tuple[Result, ...]:
        return self.results

    def look(self) -> None:
        for result in self.results:
            self.bench.access_log.look(result)

    def build(self) -> None:
        wanted = self.wanted()
        names = dict.fromkeys(r.question["population"] for q in wanted if isinstance(r := self.known(q), Result))
        about = f"  population {', '.join(names)}, by actual arm; subjects with at least one event" if names else ""
        self.title("Safety", (about, "dim"))
        self.table.placeholder = 'study.toml names no endpoint with method = "incidence"'
        self.show_grid(self.grid(self.unfolded))
        self.cursor_moved()

    def grid(self, unfolded: Container[EventClass] | None) -> GridModel:
        """The tables with only the terms of unfolded classes; None unfolds all."""
        wanted, glyphs = self.wanted(), self.bench.look.glyphs
        room = NARROW if self.size.width < WIDE else WIDE
        sections: list[Section] = []
        for question in wanted:
            result = self.known(question)
            if isinstance(result, Result):
                page = endpoint_page(result)
                sections.append(heading_section(safe(page.title, ascii=self.ascii)))
                mark = "  POST HOC" if result.provenance.post_hoc else ""
                for k, block in enumerate(page.blocks):
                    block = replace(block, title=f"{block.title}{mark}") if k == 0 and block.title else block
                    for section in block_section(block, ascii=self.ascii):
                        table = f"{question.endpoint} {question.subgroups[0]}"
                        sections.append(tree(with_result(section, result), table, unfolded, glyphs, room))
            else:
                said = result.what if isinstance(result, AlsbenchError) else "..."
                text = f"{question.endpoint}, {question.subgroups[0]}: {said}"
                sections.append(heading_section(safe(text, ascii=self.ascii), "warn" if result else "dim"))
        return GridModel(tuple(sections))

    def cursor_moved(self) -> None:
        """Column heads scroll away in a long table: the line below says what the cell is about."""
        model = self.table.model
        self.say(model.where(self.table.cursor_row, self.table.cursor_col) if isinstance(model, GridModel) else "")

    async def do_open(self) -> None:
        found = self.source()
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Result):
            behind(self.bench, *found)
        elif isinstance(found, EventClass):
            self.do_fold()
        else:
            self.bench.status("nothing to open here")

    def set_filter(self, pattern: str) -> None:
        """Show only the lines that hold a text, whatever is folded; all that is not folded for no text."""
        self.full = self.grid(None if pattern else self.unfolded)
        super().set_filter(pattern)

    def on_resize(self) -> None:
        if self.bench.opened is not None and self.display:
            self.build()

    # ---- folding

    def branch(self) -> EventClass | None:
        """The class of the line under the cursor."""
        model, row = self.table.model, self.table.cursor_row
        found = model.grid_row(row).source if isinstance(model, GridModel) and row < len(model) else None
        return found if isinstance(found, EventClass) else None

    def do_fold(self) -> None:
        """Fold the class under the cursor, or unfold it; from one of its terms, fold it and go to it."""
        branch = self.branch()
        if branch is None or self.pattern:
            self.bench.status("a filter shows every term" if self.pattern else "no class of events here")
            return
        self.unfolded ^= {branch}
        self.refold(branch)

    def do_fold_all(self) -> None:
        """Fold every class; unfold all when all are folded."""
        branch = self.branch()
        self.unfolded = set() if self.unfolded else set(all_branches(self.full))
        self.refold(branch)

    def refold(self, branch: EventClass | None) -> None:
        """Show what is unfolded now, with the cursor on the class it was in."""
        self.build()
        at = place(self.full, branch) if branch is not None else None
        if at is not None:
            last = at
            while last + 1 < len(self.full) and self.full.grid_row(last + 1).source == branch:
                last += 1
            self.table.go(min(last, at + self.table.page - 1))  # bring its terms into view
            self.table.go(at)

    def do_left(self) -> None:
        """One column left; on a label, fold its class."""
        branch = self.branch()
        if self.table.cursor_col == 0 and branch in self.unfolded and not self.pattern:
            self.do_fold()
        else:
            super().do_left()

    def do_right(self) -> None:
        """One column right; on the label of a folded class, unfold it."""
        branch = self.branch()
        if self.table.cursor_col == 0 and branch is not None and branch not in self.unfolded and not self.pattern:
            self.do_fold()
        else:
            super().do_right()

    def page(self) -> Page | None:
        pages = [endpoint_page(r) for r in self.results]
        return with_command(joined(pages), self.bench.exporter.shell_command()) if pages else None


@dataclass(frozen=True)
class EventClass:
    """A class of one table: what is folded and unfolded."""

    table: str
    name: str


def statistic(row: GridRow) -> Row | None:
    """The first statistic of a line whose cells are (rows, result)."""
    for source in row.sources:
        if source and source[0]:
            first: Row = source[0][0]
            return first
    return None


def branches(section: Section, table: str) -> Iterator[tuple[GridRow, EventClass | None, bool]]:
    """Each line with the class it belongs to, and whether it is the class's own."""
    for row in section.rows:
        found = statistic(row)
        of = None if found is None or not found.variable or found.variable in NO_CLASS else EventClass(table, found.variable)
        yield row, of, found is not None and found.level is None


def tree(section: Section, table: str, unfolded: Container[EventClass] | None, glyphs: Glyphs, room: int) -> Section:
    """The section with its classes marked, and without the terms of folded ones; None unfolds all. Names of classes are cut
    to ``room`` cells where that leaves more arms in view."""
    lines = list(branches(section, table))
    terms: dict[EventClass, int] = {}
    for _, of, own in lines:
        if of is not None:
            terms[of] = terms.get(of, 0) + (not own)
    if not any(terms.values()):
        return section
    rows: list[GridRow] = []
    for row, of, own in lines:
        is_open = unfolded is None or of in unfolded
        if of is None:
            rows.append(row)
        elif own:
            sign = glyphs.unfolded if is_open else glyphs.folded
            text, role = row.cells[0]
            count = f" ({terms[of]})"
            label = f"{sign} {shortened(text, room - len(count) - 2, glyphs.ellipsis)}{count}"
            rows.append(replace(row, cells=((label, role or "bold"), *row.cells[1:]), source=of))
        elif is_open:
            rows.append(replace(row, source=of))
    first = replace(section.cols[0], width=max([cell_len(r.cells[0][0]) for r in rows if not r.heading], default=1))
    return replace(section, cols=(first, *section.cols[1:]), rows=tuple(rows))


def shortened(text: str, room: int, mark: str) -> str:
    """The text, cut with a mark where it takes more cells than there are."""
    return text if cell_len(text) <= room else fit(text, room, mark=mark).rstrip()


def place(grid: GridModel, branch: EventClass) -> int | None:
    """The line of a class."""
    return next((k for k in range(len(grid)) if grid.grid_row(k).source == branch), None)


def all_branches(grid: GridModel) -> tuple[EventClass, ...]:
    """Every class of a table, in order."""
    found = (grid.grid_row(k).source for k in range(len(grid)))
    return tuple(dict.fromkeys(b for b in found if isinstance(b, EventClass)))
