"""The frame of two panes: what a screen lists stands left, the live detail of what is under its cursor right of it.

The rule of widths is here and nowhere else: from :data:`BESIDE` columns there are two panes, and the list keeps at least what a
screen of 80 columns shows. The detail follows the cursor once it rests, so that a held key costs no more than the list; what it
needs beyond the answers at hand is computed after everything the list shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual.containers import Horizontal
from textual.timer import Timer

from alsbench.analysis.result import Result
from alsbench.tui.answers import AnswerKey
from alsbench.tui.screens.base import Bench, View
from alsbench.tui.widgets.pane import EDGE, Pane
from alsbench.tui.worker import Job, JobReport

REST = 0.12  # seconds after which a cursor rests
BESIDE = 120  # columns from which the detail stands beside the list
LIST = 80  # columns that the list keeps
DETAIL = "detail"  # lane of work


def widths(width: int) -> tuple[int, int]:
    """Columns of the list and of the detail: five eighths for the list, never less than a screen of 80; no detail where that
    leaves no room for one."""
    if width < BESIDE:
        return width, 0
    left = max(LIST, width * 5 // 8)
    return left, width - left


class TwoPanes(View):
    """A screen with the live detail of what is under its cursor beside it, where there is room."""

    DEFAULT_CSS = "TwoPanes > Horizontal { height: 1fr; }"

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench, name)
        self.aside = Pane(bench.look, edge=True)
        self.aside.can_focus = False
        self.aside.display = False
        self.resting: Timer | None = None
        self.told: Any = None  # what the detail is about
        self.asking: tuple[AnswerKey, ...] = ()
        self.job: Job | None = None  # that computes what the detail needs
        self.table.moved = self.moved

    def compose(self) -> Any:
        yield self.title_bar
        with Horizontal():
            yield self.table
            yield self.pane
            yield self.aside
        yield self.detail

    # ---- what a screen says of its detail

    def detail_lines(self, width: int, height: int) -> list[Text]:  # noqa: ARG002 - a screen says how
        """The detail of what is under the cursor, in lines of at most ``width``; ``height`` are in view."""
        raise TypeError(f"{type(self).__name__} does not say what stands beside it")

    def detail_keys(self) -> Sequence[AnswerKey]:
        """Answers that the detail needs beyond those of the list."""
        return ()

    def about(self) -> Any:
        """What the detail is about: where it stays the same, what was scrolled to stays in view."""
        return self.source()

    def list_answered(self) -> bool:
        """Whether everything the list shows is answered: only then is anything computed for the detail."""
        return True

    @property
    def beside(self) -> bool:
        """Whether what is shown has a detail."""
        return True

    # ---- widths

    @property
    def list_width(self) -> int:
        return widths(self.bench.size.width)[0] if self.beside else self.bench.size.width

    @property
    def detail_width(self) -> int:
        """Columns for the text of the detail; 0 where it has no room."""
        return max(widths(self.bench.size.width)[1] - EDGE, 0) if self.beside else 0

    def divide(self) -> None:
        """Give list and detail their widths."""
        self.aside.display = bool(self.detail_width) and self.bench.opened is not None
        self.aside.styles.width = self.detail_width + EDGE

    def on_resize(self) -> None:
        self.divide()
        if self.bench.opened is not None and self.display:
            self.show_detail()

    # ---- following the cursor

    def moved(self) -> None:
        self.cursor_moved()
        if self.resting is not None:
            self.resting.stop()
        self.resting = self.set_timer(REST, self.show_detail) if self.detail_width else None

    def show_detail(self) -> None:
        """Show what is known of what is under the cursor, and have computed what is not."""
        if self.resting is not None:
            self.resting.stop()
            self.resting = None
        self.divide()
        if not self.detail_width or self.bench.opened is None:
            return
        about = self.about()
        lines = self.detail_lines(self.detail_width, max(self.size.height - 2, 8))
        self.aside.show(lines, keep=about == self.told)
        self.told = about
        self.compute_detail()

    def compute_detail(self) -> None:
        """Have computed what the detail needs and what is not there."""
        answers, source = self.bench.answers, self.bench.ready.source
        keys = tuple(self.detail_keys())
        missing = tuple(key for key in keys if answers.get(key) is None)
        if not missing:
            for found in map(answers.get, keys):
                if isinstance(found, Result):
                    self.bench.access_log.look(found)
        asked = missing == self.asking and self.job is not None and not self.job.cancelled
        if not missing or asked or not self.list_answered():
            return

        pool = self.bench.pool

        def work(job: Job) -> None:
            for _ in pool.answered(missing, source, job):
                pass

        self.asking = missing
        heavy, interrupt = not pool.apart(source), source.snapshot.interrupt
        self.job = self.bench.jobs.start(self.panel, "detail", work, heavy=heavy, interrupt=interrupt, lane=DETAIL)

    def report(self, report: JobReport) -> None:
        if report.job.lane != DETAIL:
            super().report(report)
        elif report.kind in {"done", "failed"}:
            self.asking = ()
            if self.display:
                self.show_detail()
