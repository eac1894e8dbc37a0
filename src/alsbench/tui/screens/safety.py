"""Screen 7: adverse events and other incidence endpoints of the study, as ``alsbench safety`` prints them."""

from __future__ import annotations

from collections.abc import Sequence

from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Result
from alsbench.errors import AlsbenchError
from alsbench.render.page import Page
from alsbench.render.tables import endpoint_page
from alsbench.tui.models import Grid, GridRow, Section, block_section
from alsbench.tui.safetext import safe
from alsbench.tui.screens.asking import AskingView
from alsbench.tui.screens.behind import behind


class SafetyView(AskingView):
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

    def seen(self) -> Result | None:
        return next(iter(self.results), None)

    def build(self) -> None:
        wanted = self.wanted()
        self.title("Safety", ("  subjects with at least one event, by actual arm", "dim"))
        self.table.placeholder = 'study.toml names no endpoint with method = "incidence"'
        sections: list[Section] = []
        for question in wanted:
            result = self.known(question)
            if isinstance(result, Result):
                page = endpoint_page(result)
                sections.append(Section((), (GridRow(((safe(page.title, ascii=self.ascii), "bold"),), heading=True),)))
                for block in page.blocks:
                    for section in block_section(block, ascii=self.ascii):
                        rows = tuple(
                            GridRow(r.cells, tuple((s, result) if s else None for s in r.sources), r.source, r.heading)
                            for r in section.rows
                        )
                        sections.append(Section(section.cols, rows, section.frozen))
            else:
                said = result.what if isinstance(result, AlsbenchError) else "..."
                text = f"{question.endpoint}, {question.subgroups[0]}: {said}"
                line = GridRow(((safe(text, ascii=self.ascii), "warn" if result else "dim"),), heading=True)
                sections.append(Section((), (line,)))
        self.show_grid(Grid(tuple(sections)))
        self.say("")

    async def do_open(self) -> None:
        found = self.source()
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Result):
            behind(self.bench, *found)
        else:
            self.bench.status("nothing to open here")

    def page(self) -> Page | None:
        pages = [endpoint_page(r) for r in self.results]
        if not pages:
            return None
        facts = tuple(dict.fromkeys(f for p in pages for f in p.facts))
        notes = tuple(dict.fromkeys(n for p in pages for n in p.footnotes))
        return Page(pages[0].title, tuple(b for p in pages for b in p.blocks), facts, notes)
