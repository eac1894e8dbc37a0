"""A pane of prepared lines (facts, plots, help) that scrolls; painted line by line, nothing animated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.segment import Segment
from rich.text import Text
from textual.events import MouseScrollDown, MouseScrollUp
from textual.strip import Strip
from textual.widget import Widget

from alsbench.tui.cell_text import fit
from alsbench.tui.theme import Appearance

EDGE = 2  # cells of the rule at the left of a pane beside something, and the gap after it
_CONSOLE = Console(width=400, color_system="truecolor", force_terminal=True)


class Pane(Widget, can_focus=True):
    """Lines of Rich text. ``move`` scrolls; lines wider than the pane end in an ellipsis. Where lines are left below and
    ``hint`` says how to reach them, the last line says how many; ``moved`` is called when other lines may be in view. With
    ``edge`` a rule stands at its left."""

    DEFAULT_CSS = "Pane { height: 1fr; width: 1fr; }"

    def __init__(self, look: Appearance, *, edge: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.look = look
        self.edge = edge
        self.lines: Sequence[Text] = ()
        self.top = 0
        self.stale = False
        self.mark = -1  # a line found by a search
        self.hint = ""
        self.moved: Callable[[], None] = lambda: None

    def show(self, lines: Sequence[Text], *, keep: bool = True) -> None:
        self.lines = lines
        self.mark = -1
        if not keep:
            self.top = 0
        self.clamp()
        self.refresh()
        self.moved()

    def clamp(self) -> None:
        self.top = max(0, min(self.top, len(self.lines) - self.size.height))

    @property
    def page(self) -> int:
        return max(1, self.size.height)

    @property
    def below(self) -> int:
        """Lines below those in view."""
        return max(0, len(self.lines) - self.top - self.size.height) if self.size.height else 0

    def move(self, rows: int = 0, cols: int = 0) -> None:
        old = self.top
        self.top += rows
        self.clamp()
        if self.top != old or cols < 0:
            self.refresh()
            self.moved()

    def go(self, row: int, col: int | None = None) -> None:
        self.move(rows=row - self.top, cols=col or 0)

    def find(self, text: str, step: int) -> tuple[int, int]:
        """Bring the next line that holds a text to the top, around the end; which of how many, (0, 0) for none. ``step`` 0
        takes the first line in view if that holds it."""
        hits = [k for k, line in enumerate(self.lines) if text.lower() in line.plain.lower()]
        if not hits:
            return 0, 0
        here = self.mark if self.mark in hits else self.top
        after = [k for k in hits if (k >= here if step == 0 else k > here if step > 0 else k < here)]
        found = (after[-1] if step < 0 else after[0]) if after else hits[-1 if step < 0 else 0]
        self.mark = found
        self.go(found)
        self.refresh()
        return hits.index(found) + 1, len(hits)

    def render_line(self, y: int) -> Strip:
        if not self.edge:
            return self._line(y, self.size.width)
        rule = Segment(self.look.glyphs.v + " " * (EDGE - 1), self.look["axis"])
        return Strip([rule, *self._line(y, max(self.size.width - EDGE, 0))], self.size.width)

    def _line(self, y: int, width: int) -> Strip:
        ground = self.look["dim" if self.stale else "text"]
        index = self.top + y
        if index >= len(self.lines):
            return Strip([Segment(" " * width, ground)], width)
        if self.hint and self.below and y == self.size.height - 1 and self.page > 1:
            said = f"{self.look.glyphs.ellipsis} {self.below + 1} more lines; {self.hint}"
            return Strip([Segment(fit(said, width, mark=self.look.glyphs.ellipsis), self.look["dim"])], width)
        text = self.lines[index].copy()
        text.truncate(width, overflow="ellipsis" if self.look.glyphs.dots else "crop")
        over = self.look["match"] if index == self.mark else None
        segments = [Segment(s.text, over or ground + (s.style or ground)) for s in text.render(_CONSOLE, end="") if s.text]
        used = sum(s.cell_length for s in segments)
        if used < width:
            segments.append(Segment(" " * (width - used), ground))
        return Strip(segments, width)

    def on_resize(self) -> None:
        self.clamp()
        self.refresh()
        self.moved()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.move(rows=3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.move(rows=-3)


def folded(name: str, value: str, look: Appearance, width: int, *, names: int = 20) -> list[Text]:
    """A fact as name, in ``names`` cells, and value, the value folded under itself."""
    room = max(width - names - 2, 20)
    parts: list[str] = [""]
    for word in (piece for part in value.split(" ") for piece in chop_cells(part, room) or [""]):
        if parts[-1] and cell_len(parts[-1]) + 1 + cell_len(word) > room:
            parts.append(word)
        else:
            parts[-1] = f"{parts[-1]} {word}".strip()
    heads = [fit("" if k else name, names, mark=look.glyphs.ellipsis) + "  " for k in range(len(parts))]
    return [Text.assemble((n, look["dim"]), (p, look["text"])) for n, p in zip(heads, parts, strict=True)]
