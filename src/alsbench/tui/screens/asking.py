"""A view that asks questions: answers filled in from a worker, one subgroup phrase at a time, shown as they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.render.page import Page
from alsbench.tui.opening import Key
from alsbench.tui.screens.base import View
from alsbench.tui.worker import Job, Report


class AskingView(View):
    """Knows its questions (``wanted``), starts a job for those not answered yet, and repaints as answers come in.

    ``answered``: some answer stands on the screen, and is marked stale when all that is wanted now has yet to be computed.
    """

    answered = False

    def wanted(self) -> Sequence[Key]:
        """The questions of the view, most urgent first."""
        raise TypeError(f"{type(self).__name__} does not say what it asks")

    def needed(self) -> Sequence[Key]:
        """All that must be computed for what is shown: the questions, and what only a plot needs."""
        return self.wanted()

    def build(self) -> None:
        """Show what is known now."""
        raise TypeError(f"{type(self).__name__} does not say how it is shown")

    def question(self, endpoint: str, phrase: str, **more: Any) -> Question:
        """One endpoint, one phrase, the session's population (only where it is not the study's default)."""
        return Question(endpoint, (phrase,), population=self.population, **more)

    @property
    def population(self) -> str:
        """The population to ask for: empty where it is the study's default, so that an endpoint's own can apply."""
        opened = self.bench.opened
        default = opened.source.study.populations.default if opened else ""
        population = self.session.choice.population
        return "" if population == default else population

    def known(self, key: Key) -> Any:
        """The answer so far: a result, a piece, an error, or None."""
        return self.bench.answers.get(key)

    def refresh_view(self) -> None:
        opened = self.bench.opened
        if opened is None:
            return
        missing = [q for q in self.needed() if self.known(q) is None]
        if missing and len(missing) == len(self.needed()) and self.answered:
            self.mark_stale()
        else:
            self.build()
        if not missing:
            self.answered = True
            self.look()
            if self.bench.jobs.cancel(self.panel):
                self.bench.progress("")
            return
        answers, source, total = self.bench.answers, opened.source, len(missing)

        def work(job: Job) -> None:
            for done, key in enumerate(missing, start=1):
                job.check()
                answers.ask(key, source, job.check)
                job.post(key, done=done, total=total)

        self.bench.jobs.start(self.panel, f"{self.panel}:", work, heavy=True, interrupt=source.snapshot.interrupt)
        self.bench.progress(f"{self.panel}: 0/{total}  ^c cancels")

    def mark_stale(self) -> None:
        """What is shown answers an earlier question: say so until the first part of the new answer lands."""
        mark = f"  {self.bench.look.glyphs.stale} stale: being computed"
        kept = [piece for piece in self.title_bar.pieces if piece[1] != "mark"]
        self.title_bar.show([*kept[:1], (mark, "mark"), *kept[1:]])
        self.table.stale = self.pane.stale = True
        self.main.refresh()

    def report(self, report: Report) -> None:
        if report.kind in {"part", "done"} and self.display:
            self.build()
            self.answered = True
            if report.kind == "done":
                self.look()

    def seen(self) -> Result | None:
        """What somebody now sees, for the audit log: one result whose question tells it; None for nothing."""
        return None

    def taken(self) -> tuple[Result, ...]:
        made = self.seen()
        return () if made is None else (made,)

    def look(self) -> None:
        """Everything asked is on the screen: count it as a look."""
        result = self.seen()
        if result is not None:
            self.bench.looked(result)


def with_command(page: Page, command: str) -> Page:
    """The page saying which shell command prints it."""
    return replace(page, facts=(*page.facts, ("Command", command)))
