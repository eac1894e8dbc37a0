"""``V``: what is on the screen computed again by a second program, and where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from alsbench.analysis.question import Question
from alsbench.errors import AlsbenchError
from alsbench.render.page import Page
from alsbench.render.sheet import sheets_page
from alsbench.tui.answers import VerifiedKey
from alsbench.tui.cell_text import safe
from alsbench.tui.screens.base import Bench, with_command
from alsbench.tui.screens.drilldown import Drilldown
from alsbench.tui.shell_command import Option, ViewRequest
from alsbench.tui.table_models import GridModel, block_section
from alsbench.tui.widgets.pane import folded
from alsbench.tui.worker import Job

if TYPE_CHECKING:
    from alsbench.service.verify import BothPrograms

HOW = "pandas and statsmodels, from the snapshot itself: no derivation, design or formula is shared with the first program"


class VerificationTable(Drilldown):
    """The numbers of some questions on which the two programs differ, and what the second does not compute."""

    def __init__(self, bench: Bench, asked: Sequence[Question]) -> None:
        super().__init__(bench, "A second program", [], ("h l", "columns"), row_cursor=False)
        self.table.placeholder = "the second program computes ..."
        self.asked = tuple(asked)
        self.made: Page | None = None

    def start(self) -> None:
        bench, source, answers = self.bench, self.bench.ready.source, self.bench.answers

        def work(job: Job) -> BothPrograms:
            from alsbench.service.verify import BothPrograms, SecondProgram, of_evidence, verified  # waits: statsmodels

            program, found = SecondProgram(source), BothPrograms()
            access = replace(bench.ready.access, own_mask=0)  # the screen shows its user what the user may see
            for done, question in enumerate(self.asked, start=1):
                job.check()
                key = VerifiedKey(question)
                known = answers.get(key)
                if not isinstance(known, BothPrograms):
                    try:
                        known = verified(access, source, program, question)
                    except AlsbenchError:
                        job.check()  # a query that nobody waits for any more ends in an error too
                        raise
                    answers.keep(key, known)
                found += known
                job.post(key, done=done, total=len(self.asked))
            names = list(dict.fromkeys(q.endpoint for q in self.asked))
            phrases = list(dict.fromkeys(p for q in self.asked for p in q.subgroups))
            plain = all(q == Question(q.endpoint, q.subgroups) for q in self.asked)
            return found + of_evidence(program, source, names, phrases) if plain else found

        self.bench.jobs.start(self.panel, "second program:", work, heavy=True, interrupt=source.snapshot.interrupt)

    def fill(self, payload: Any) -> None:
        from alsbench.service.verify import PRINTED, verification_sheets  # waits: statsmodels

        found: BothPrograms = payload
        sheets = verification_sheets(found)
        width = max(self.bench.size.width, 40)
        lines: list[Text] = []
        for name, value in (("Found", found.summary), ("How", HOW)):
            lines += folded(name, safe(value, ascii=self.ascii), self.look, width)
        self.pane.lines = tuple(lines)
        self.divide()
        self.pane.refresh()
        printed = [sheets[name] for name in PRINTED if sheets[name].records or name == "tables"]
        self.made = sheets_page([replace(sheet, notes=()) for sheet in printed])
        self.table.placeholder = "no rows"
        self.show_whole(GridModel(tuple(s for b in self.made.blocks for s in block_section(b, ascii=self.ascii, most=width))))

    def page(self) -> Page | None:
        if self.made is None:
            return None
        notes = (*self.made.footnotes, *self.bench.exporter.data_notes())
        return with_command(replace(self.made, footnotes=notes), self.shell())

    def table_request(self) -> ViewRequest:
        first = self.asked[0]
        options: dict[str, Option] = {
            "subgroups": tuple(dict.fromkeys(p for q in self.asked for p in q.subgroups)),
            "population": first.population,
            "method": first.method,
            "covariance": first.covariance,
            "df": first.df,
        }
        return ViewRequest("verify", tuple(dict.fromkeys(q.endpoint for q in self.asked)), options)
