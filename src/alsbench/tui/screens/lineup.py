"""A lineup in the app: panel after panel, the trial among copies without any effect; a choice, and then which it was.

Every panel is drawn on the same axes by the same code from nothing but its own numbers; the key stays in memory, and what was
chosen is entered in the log with what it was.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.events import Key

from alsbench.analysis.lineup import METHODS, Lineup
from alsbench.audit.lineup_key import judged
from alsbench.render.forest import interval_bar
from alsbench.render.lineup import axis_words, ranges
from alsbench.render.ticks import close_ratio_ticks, nice_ticks, tick_text
from alsbench.service.lineup import Made, entered, made_lineup, revealed
from alsbench.tui.canvas import Series, plot
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.screens.base import Bench
from alsbench.tui.screens.dialogs import MOVES, Dialog, scroll
from alsbench.tui.shell_command import Option, ViewRequest
from alsbench.tui.widgets.pane import Pane, folded
from alsbench.tui.worker import Job, JobReport

NAMES = 24  # cells of a line's name
HELP = (
    ("l h", "the next panel, the one before"),
    ("enter", "point at this panel: this one is the trial"),
    ("R", "reveal which one it is, after a choice"),
    ("c", "the shell command that makes such a lineup as HTML"),
    ("esc", "leave it unrevealed"),
)


def fits(view: str, method: str) -> bool:
    """Whether an endpoint of a method has a view."""
    return view not in METHODS or method in METHODS[view]


def view_of(screen: str, method: str) -> str:
    """The view of the trial that a screen shows: evidence, forest, or of its endpoint months, curves, else its forest."""
    if screen in ("evidence", "forest"):
        return screen
    return next((view for view, methods in METHODS.items() if method in methods), "forest")


class LineupScreen(Dialog):
    """The panels one after another."""

    lets_through = True

    def __init__(self, bench: Bench, words: dict[str, Any]) -> None:
        """``words`` are the arguments of the service's lineup: view, endpoint, subgroup, comparison, population."""
        keys = (("esc", "back"), ("h l", "panels"), ("enter", "this one"), ("R", "reveal"), ("?", "help"))
        super().__init__(bench.look, "Lineup: one of these is the trial", keys)
        self.bench, self.words = bench, words
        self.panel = "lineup"
        self.pane = Pane(bench.look)
        self.pane.lines = (Text("copies of the trial are being made and analysed ...", bench.look["dim"]),)
        self.made: Made | None = None
        self.at = 0
        self.pick = 0  # a panel, from 1
        self.said: tuple[str, str] = ("", "")  # what was revealed, and its role

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.pane
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.set_focus(self.pane, scroll_visible=False)
        bench, source, words = self.bench, self.bench.ready.source, self.words

        def work(job: Job) -> Made:
            def steps(numbers: Any, total: int, _title: str) -> Any:
                for done, number in enumerate(numbers):
                    job.check()
                    job.post(None, done=done, total=total)
                    yield number

            access = replace(bench.ready.access, steps=steps)
            made = made_lineup(access, source, **words)
            job.check()
            if bench.audit:
                entered(bench.ready.access, source, made)
            return made

        bench.jobs.start(self.panel, "lineup:", work, heavy=True, interrupt=source.snapshot.interrupt)

    def report(self, report: JobReport) -> None:
        if report.kind == "failed":
            text = f"{report.payload.what}: {report.payload.hint}" if report.payload.hint else report.payload.what
            self.pane.show([Text(safe(text, ascii=self.ascii), self.look["warn"])])
        elif report.kind == "done" and isinstance(report.payload, Made):
            self.made = report.payload
            self.show_panel()

    def on_resize(self) -> None:
        super().on_resize()
        if self.made is not None:
            self.show_panel()

    def show_panel(self) -> None:
        """The panel at which one stands."""
        if self.made is None:
            return
        made, n, width = self.made.lineup, len(self.made.lineup.panels), self.size.width or 80
        mark = "  your choice" if self.pick == self.at + 1 else ""
        mark += "  THE TRIAL" if self.said[0] and self.made.key.place == self.at + 1 else ""
        title = f" Panel {self.at + 1} of {n}{mark}   {made.result.facts.title}"
        self.head.show([(safe(title, ascii=self.ascii), "key")])
        lines: list[Text] = []
        told = [t for name, t in made.result.facts.lines if name == "Cannot judge"]
        for text in told[:2]:
            lines += folded("cannot judge", safe(text, ascii=self.ascii), self.look, width)
        for name, value in made.result.facts.lines:
            if name in ("Data", "POST HOC", "DEVIATION", "Audit log"):
                lines += folded(safe(name, ascii=self.ascii), safe(value, ascii=self.ascii), self.look, width)
        if self.said[0]:
            lines.append(Text(safe(self.said[0], ascii=self.ascii), self.look[self.said[1]]))
        height = max((self.size.height or 24) - 2 - len(lines), 12)
        self.pane.show([*lines, *self.drawn(made, width, height)], keep=False)

    def drawn(self, made: Lineup, width: int, height: int) -> list[Text]:
        """A panel, on the axes of all."""
        panel, (x, y) = made.panels[self.at], ranges(made)
        title = axis_words(made)
        order = {name: k for k, name in enumerate(made.series)}
        draw = partial(plot, width=width, height=height, look=self.look, title=safe(title, ascii=self.ascii))
        if made.view == "km":
            days = [(t, tick_text(t, (0.0, 1.0))) for t in nice_ticks(0.0, x[1], max(3, width // 13))]
            curves = [Series(safe(c.name), order[c.name], c.time, c.survival, step=True) for c in panel.curves]
            return draw(curves, x_ticks=[*days, (x[1], "")], y_range=y)
        if made.view == "months":
            scale = math.exp if made.logs else float
            series = []
            for name, k in order.items():
                mine = [m for m in panel.marks if m.name == name]
                value, low, high = ([scale(getattr(m, part)) for m in mine] for part in ("value", "low", "high"))
                if mine:
                    series.append(Series(safe(name), k, [m.at for m in mine], value, low, high))
            visits = sorted({m.at for p in made.panels for m in p.marks})
            limits = (scale(y[0]), scale(y[1]))
            return draw(series, x_ticks=[(v, f"{v:g}") for v in visits], y_range=limits, zero=scale(0.0))
        return self.lined(made, x, width)

    def lined(self, made: Lineup, scale: tuple[float, float], width: int) -> list[Text]:
        """The lines of a forest or of the evidence, with their axis below."""
        bar = max(width - NAMES - 4, 20)
        lines = [Text(safe(axis_words(made), ascii=self.ascii), self.look["bold"])]
        glyph = "#" if self.ascii else "■"
        for m in made.panels[self.at].marks:
            point = (m.value, m.low, m.high) if math.isfinite(m.value) else None
            drawn = interval_bar(point, scale, bar, glyph)
            name = fit(safe(m.name, ascii=self.ascii), NAMES, mark=self.look.glyphs.ellipsis)
            lines.append(Text(f"{name:<{NAMES}}  {safe(drawn, ascii=self.ascii)}", self.look["text"]))
        low, high = scale
        ticks = close_ratio_ticks(low, high, 5) if made.logs else [t for t in nice_ticks(low, high, 5) if low <= t <= high]
        axis = [" "] * (bar + 8)
        for t in ticks:
            text = f"{math.exp(t):.3g}" if made.logs else tick_text(t, ticks)
            start = max(round((t - low) / (high - low) * (bar - 1)) - len(text) // 2, 0)
            axis[start : start + len(text)] = text
        return [*lines, Text(" " * (NAMES + 2) + "".join(axis).rstrip(), self.look["axis"])]

    async def take(self, event: Key) -> None:
        key = event.key
        if key in {"escape", "q"}:
            self.bench.jobs.cancel(self.panel)
            self.dismiss(None)
        elif key in {"l", "right", "space", "n"}:
            self.go(1)
        elif key in {"h", "left", "N"}:
            self.go(-1)
        elif key == "enter" and self.made is not None:
            self.choose()
        elif key == "R" and self.made is not None:
            self.reveal()
        elif key == "c":
            self.bench.exporter.show_command(f"{self.bench.exporter.command(self.request())} --key KEY.json -o lineup.html")
        elif key == "question_mark":
            lines = [line for keys, what in HELP for line in folded(f"  {keys}", what, self.look, self.size.width or 80)]
            self.bench.overlays.read("Keys here", lines)
        elif key in MOVES:
            scroll(self.pane, key)

    def go(self, step: int) -> None:
        """Another panel, around the end."""
        if self.made is not None:
            self.at = (self.at + step) % len(self.made.lineup.panels)
            self.show_panel()

    def choose(self) -> None:
        """Point at this panel, until one was revealed."""
        if self.said[0]:
            self.say("it is revealed")
            return
        self.pick = self.at + 1
        self.show_panel()
        self.say(f"panel {self.pick} chosen; R reveals")

    def reveal(self) -> None:
        """Which panel is the trial, and p where it was chosen; shows it."""
        if self.made is None or self.said[0]:
            return
        if not self.pick:
            self.say("choose first: enter points at a panel")
            return
        key, bench, pick = self.made.key, self.bench, self.pick
        right, p = judged(key, [pick])
        outcome = (
            f"found: by guessing so once in {key.panels} times, p = {p:.3g}" if right else f"you chose panel {pick}: not found"
        )
        self.said = f"Panel {key.place} is the trial; {outcome}", "warn" if right else "bold"
        if bench.audit:
            bench.jobs.start("lineup-reveal", "", lambda _: revealed(bench.ready.access, key, [pick]) and None)
        self.at = key.place - 1
        self.say("")
        self.show_panel()

    def request(self) -> ViewRequest:
        """What makes such a lineup in the shell."""
        asked: dict[str, Option] = {name: text for name, text in self.words.items() if text}
        return ViewRequest("lineup", (), asked)

    def leave(self) -> None:
        self.bench.jobs.cancel(self.panel)
