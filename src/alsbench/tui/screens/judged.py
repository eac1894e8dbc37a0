"""What Evidence and Forest share: a small p outside the plan carries a sign, that of its bottom line as soon as one is known.

Known is what Scrutiny has computed here, and what is kept beside the data and still holds. ``A`` computes what is not known.
The bottom line stands in what is copied and exported only once every one on the screen is known: that is what ``--judge``
prints, whatever was asked before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.analysis.contrast import NOT_JUDGED, EvidenceCell, Piece
from alsbench.analysis.result import Result
from alsbench.render.marks import brief, letter, sign, unjudged
from alsbench.tui.answers import CheckKey
from alsbench.tui.screens.base import QueryView
from alsbench.tui.worker import Job, JobReport

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence

JUDGE, KNOWN = "judge", "known"  # lanes of work
BOTTOM_LINE = "bottom_line"


class JudgedView(QueryView):
    looked_for: tuple[str, frozenset[CheckKey]] = ("", frozenset())  # the study, and whose bottom line is not kept

    def finding(self, cell: EvidenceCell) -> CheckKey:
        return CheckKey(BOTTOM_LINE, cell.subgroup, cell.endpoint, self.population)

    def shown(self) -> list[EvidenceCell]:
        """Every contrast on the screen that was computed, as the evidence has it."""
        pieces = (self.known(key) for key in self.wanted())
        return [cell for piece in pieces if isinstance(piece, Piece) for cell in piece.cells if self.on_screen(cell)]

    def on_screen(self, cell: EvidenceCell) -> bool:  # noqa: ARG002 - a view of one comparison says which
        return True

    def judged(self, cell: EvidenceCell) -> EvidenceCell:
        """The cell with its bottom line, where it needs one and that is known."""
        found = self.known(self.finding(cell)) if unjudged(cell) else None
        if not isinstance(found, Result):
            return cell
        from alsbench.analysis.bottom_lines import rows_by_comparison, with_bottom_line  # waits: duckdb, pydantic

        return with_bottom_line(cell, rows_by_comparison(found, self.bench.ready.source).get(cell.comparison, ()))

    def sign(self, cell: EvidenceCell) -> str:
        """The sign of a cell in one column of the screen; that it is borderline stands in the detail line."""
        return sign(cell)[:1]

    def bottom_line_words(self, cell: EvidenceCell) -> str:
        """What the detail line says of a small p; empty where there is nothing to explain."""
        if not sign(cell):
            return ""
        return "not judged; A judges" if unjudged(cell) else f"{sign(cell)[:1]} {brief(cell.bottom_line or '')}"

    def legend(self) -> str:
        """What the signs on the screen mean, for the title: ``  † A judges  C chance``."""
        levels = [self.judged(cell).bottom_line or "" for cell in self.shown() if unjudged(cell)]
        used = dict.fromkeys(f"{letter(x)[:1]} {brief(x).removesuffix(' (borderline)')}" for x in levels if x != NOT_JUDGED)
        return "".join(f"  {text}" for text in (*(("† A judges",) if self.open_findings() else ()), *used))

    def open_findings(self) -> list[CheckKey]:
        """The findings on the screen whose bottom line is not known."""
        keys = dict.fromkeys(self.finding(cell) for cell in self.shown() if unjudged(cell))
        return [key for key in keys if self.known(key) is None]

    @property
    def all_judged(self) -> bool:
        """Whether there is something to judge on the screen, and all of it is."""
        found = [cell for cell in self.shown() if unjudged(cell)]
        return bool(found) and not any(unjudged(self.judged(cell)) for cell in found)

    def shell_words(self) -> dict[str, str]:
        return {"judge": "judge"} if self.bench.opened is not None and self.all_judged else {}

    def with_bottom_lines(self, made: Evidence) -> Evidence:
        """The table as the shell prints it with ``--judge``, where everything on the screen is judged; else as it is."""
        if not self.all_judged:
            return made
        from alsbench.analysis.bottom_lines import judged_evidence  # waits: duckdb, pydantic

        found = {(c.endpoint, c.subgroup): self.known(self.finding(c)) for c in made.cells if unjudged(c)}
        command = made.result.provenance.command
        judged = judged_evidence(made, found, self.bench.ready.source)
        return replace(judged, result=judged.result.with_command(command))

    # ---- work

    def look(self) -> None:
        super().look()
        self.look_up()

    def look_up(self) -> None:
        """Find the bottom lines that are kept: nothing is computed."""
        source, population = self.bench.ready.source, self.population
        study, missed = self.looked_for
        keys = [k for k in self.open_findings() if study != source.study_digest or k not in missed]
        if not keys:
            return
        self.looked_for = (source.study_digest, frozenset(keys) | (missed if study == source.study_digest else frozenset()))
        answers = self.bench.answers

        def work(job: Job) -> None:
            from alsbench.analysis.bottom_lines import known_bottom_lines  # waits: duckdb, pydantic

            for key in keys:
                job.check()
                found = known_bottom_lines(source, key.endpoint, key.subgroup, population)
                if found is not None:
                    answers.keep(key, found)

        self.bench.jobs.start(self.panel, "", work, interrupt=source.snapshot.interrupt, lane=KNOWN)

    def do_judge(self) -> None:
        """Compute the bottom line of every small p on the screen that has none."""
        keys = self.open_findings()
        if not keys:
            self.bench.status("every p below 0.05 outside the plan is judged" if self.all_judged else "nothing to judge here")
            return

        self.bench.compute(self.panel, "bottom lines", keys, lane=JUDGE)

    def report(self, report: JobReport) -> None:
        if report.job.lane not in (JUDGE, KNOWN):
            super().report(report)
        elif self.display and report.kind in {"part", "done"}:
            self.build()
            if report.kind == "done" and report.job.lane == JUDGE:
                super().look()
