"""Screen 7: adverse events and other incidence endpoints of the study, as ``alsbench safety`` prints them.

Classes of events are folded at first: ``space`` unfolds the one under the cursor, ``z`` all of them; a filter looks into every
term. What is copied or exported is always the whole table.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Result
from alsbench.errors import AlsbenchError
from alsbench.render.page import Page
from alsbench.render.tables import endpoint_page
from alsbench.tui.folding import Branch, all_branches, place, tree
from alsbench.tui.models import Grid, GridRow, Section, block_section
from alsbench.tui.safetext import safe
from alsbench.tui.screens.asking import AskingView, with_command
from alsbench.tui.screens.behind import behind

WIDE = 120  # columns from which names of classes stand in full
NARROW = 42


class SafetyView(AskingView):
    def __init__(self, bench: Any, name: str) -> None:
        super().__init__(bench, name)
        self.unfolded: set[Branch] = set()

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

    def taken(self) -> tuple[Result, ...]:
        return self.results

    def look(self) -> None:
        for result in self.results:
            self.bench.looked(result)

    def build(self) -> None:
        wanted = self.wanted()
        names = dict.fromkeys(r.question["population"] for q in wanted if isinstance(r := self.known(q), Result))
        about = f"  population {', '.join(names)}, by actual arm; subjects with at least one event" if names else ""
        self.title("Safety", (about, "dim"))
        self.table.placeholder = 'study.toml names no endpoint with method = "incidence"'
        self.show_grid(self.grid(self.unfolded))
        self.cursor_moved()

    def grid(self, unfolded: Container[Branch] | None) -> Grid:
        """The tables with only the terms of unfolded classes; None unfolds all."""
        wanted, glyphs = self.wanted(), self.bench.look.glyphs
        room = NARROW if self.size.width < WIDE else WIDE
        sections: list[Section] = []
        for question in wanted:
            result = self.known(question)
            if isinstance(result, Result):
                page = endpoint_page(result)
                sections.append(Section((), (GridRow(((safe(page.title, ascii=self.ascii), "bold"),), heading=True),)))
                mark = "  POST HOC" if result.provenance.post_hoc else ""
                for k, block in enumerate(page.blocks):
                    block = replace(block, title=f"{block.title}{mark}") if k == 0 and block.title else block
                    for section in block_section(block, ascii=self.ascii):
                        rows = tuple(
                            GridRow(r.cells, tuple((s, result) if s else None for s in r.sources), r.source, r.heading)
                            for r in section.rows
                        )
                        table = f"{question.endpoint} {question.subgroups[0]}"
                        sections.append(tree(Section(section.cols, rows, section.frozen), table, unfolded, glyphs, room))
            else:
                said = result.what if isinstance(result, AlsbenchError) else "..."
                text = f"{question.endpoint}, {question.subgroups[0]}: {said}"
                line = GridRow(((safe(text, ascii=self.ascii), "warn" if result else "dim"),), heading=True)
                sections.append(Section((), (line,)))
        return Grid(tuple(sections))

    def cursor_moved(self) -> None:
        """Column heads scroll away in a long table: the line below says what the cell is about."""
        model = self.table.model
        self.say(model.where(self.table.cursor_row, self.table.cursor_col) if isinstance(model, Grid) else "")

    async def do_open(self) -> None:
        found = self.source()
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Result):
            behind(self.bench, *found)
        elif isinstance(found, Branch):
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

    def branch(self) -> Branch | None:
        """The class of the line under the cursor."""
        model, row = self.table.model, self.table.cursor_row
        found = model.grid_row(row).source if isinstance(model, Grid) and row < len(model) else None
        return found if isinstance(found, Branch) else None

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

    def refold(self, branch: Branch | None) -> None:
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
        if not pages:
            return None
        facts = tuple(dict.fromkeys(f for p in pages for f in p.facts))
        notes = tuple(dict.fromkeys(n for p in pages for n in p.footnotes))
        title = next((p.title for p in pages if "Post hoc" in p.title), pages[0].title)
        made = Page(title, tuple(b for p in pages for b in p.blocks), facts, notes)
        return with_command(made, self.bench.shell_command())
