"""What the terminal is sent, and a terminal that goes away.

Fewer bytes for the same picture: only cells that differ from what the terminal shows are sent, and lines that only moved
are moved by the terminal.

Textual repaints the regions widgets call dirty, from their left edge on, with a reset after every segment. Over a slow line
that is many times what a cursor key needs. Here what the terminal shows is remembered cell by cell, as curses does: an update
is compared with it, blocks of lines that moved up or down are scrolled (scroll region, insert and delete line: VT102), and
the cells still different are written, naming a style only when it changes. Textual has no public hook between compositor and
driver: ``Workbench._display`` hands its updates here. After a resize or another program on the terminal nothing is known:
``forget``.

Textual hands what it writes to a thread through a short queue. When the terminal is gone that thread ends, the queue fills,
and who writes next waits for ever: an app that had just taken its terminal back from a pager would stay behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.drivers.linux_driver import LinuxDriver
from textual.strip import Strip

Cell = tuple[str, str]  # text, style codes; a wide character is followed by a cell without text
Row = list[Cell | None]  # None: not known
BRIDGE = 4  # equal cells between two runs that are written again rather than stepped over: a step costs about as much
MOVED = 3  # lines that must have moved together before they are scrolled
LEFT = "\x1b[?1049l"  # the alternate screen
CLEARED = "\x1b[0m\x1b[H\x1b[2J"  # before that: tmux mixes its lines into the shell's where the window has grown meanwhile
LOST = 129  # 128 + SIGHUP: what a shell reports of a program whose terminal hung up


class Written(CompositorUpdate):
    """An update as the terminal sequences it comes to."""

    def __init__(self, text: str) -> None:
        self.text = text

    def render_segments(self, console: Console) -> str:  # noqa: ARG002 - made for this console
        """The sequences."""
        return self.text


class Painter:
    """What the terminal shows, and what must be sent for it to show something else."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}

    def forget(self) -> None:
        """Nothing is known of the terminal any more."""
        self.rows.clear()

    def update(self, update: Any, console: Console) -> Any:
        """The same update in fewer bytes; what is no picture of cells passes unchanged."""
        system = console._color_system or ColorSystem.TRUECOLOR
        if isinstance(update, LayoutUpdate):
            return Written(self.paint(_laid_out(update, self.rows, system)))
        if isinstance(update, ChopsUpdate):
            return Written(self.paint(_chopped(update, self.rows, system)))
        self.forget()
        return update

    def paint(self, wanted: dict[int, Row]) -> str:
        """Sequences that bring the terminal to ``wanted`` lines; they are what it shows from then on."""
        changed = {y: row for y, row in sorted(wanted.items()) if row != self.rows.get(y)}
        parts = [self._scroll(changed)] if len(changed) > MOVED else []
        pen = Pen()
        for y, row in changed.items():
            pen.line(y, row, self.rows.get(y, []))
            self.rows[y] = row
        return "".join((*parts, *pen.finish()))

    def _scroll(self, changed: dict[int, Row]) -> str:
        """Move a block of lines up or down where that brings most of them where they are wanted."""
        found = moved_block(changed, self.rows)
        if found is None:
            return ""
        top, bottom, step = found
        old = [self.rows.get(y, []) for y in range(top, bottom + 1)]
        gone: list[Row] = [[] for _ in range(abs(step))]
        new = [*old[step:], *gone] if step > 0 else [*gone, *old[:step]]
        for y, row in zip(range(top, bottom + 1), new, strict=True):
            self.rows[y] = row
            changed.setdefault(y, old[y - top])
        order = sorted(changed.items())
        changed.clear()
        changed.update((y, row) for y, row in order if row != self.rows.get(y))  # of some nothing is known
        verb = f"{step}M" if step > 0 else f"{-step}L"
        return f"\x1b[{top + 1};{bottom + 1}r\x1b[{top + 1};1H\x1b[{verb}\x1b[r"


def moved_block(changed: dict[int, Row], shown: dict[int, Row]) -> tuple[int, int, int] | None:
    """(top, bottom, lines up) of a block whose scrolling saves lines; None where scrolling does not pay."""
    places: dict[tuple[Cell | None, ...], list[int]] = {}
    for y in range(min(changed), max(changed) + 1):
        row = shown.get(y)
        if row and len(set(row)) > 1:  # blank lines say nothing about where they came from
            places.setdefault(tuple(row), []).append(y)
    votes: dict[int, list[int]] = {}
    for y, row in changed.items():
        for old in places.get(tuple(row), ()):
            votes.setdefault(old - y, []).append(y)
    if not votes:
        return None
    step, matched = max(votes.items(), key=lambda item: (len(item[1]), -abs(item[0])))
    top, bottom = min(*matched, *(y + step for y in matched)), max(*matched, *(y + step for y in matched))
    spoiled = sum(y not in changed for y in range(top, bottom + 1))
    return (top, bottom, step) if len(matched) - spoiled >= MOVED else None


class Pen:
    """Writes runs of cells, naming places and styles only when they change."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.codes = ""

    def line(self, y: int, row: Row, shown: Row) -> None:
        """The cells of a line that differ from those shown."""
        begun = False
        for start, end in runs(row, shown):
            self.parts.append(f"\x1b[{start + 1}G" if begun else f"\x1b[{y + 1};{start + 1}H")
            begun = True
            for cell in row[start:end]:
                text, codes = cell or (" ", "")
                if codes != self.codes:
                    self.parts.append(change(self.codes, codes))
                    self.codes = codes
                self.parts.append(text)

    def finish(self) -> list[str]:
        """All that was written, leaving no style behind."""
        return [*self.parts, "\x1b[m"] if self.codes else self.parts


@lru_cache(maxsize=4096)
def change(old: str, new: str) -> str:
    """The sequence from one style to another: only the colours that differ where nothing else does."""
    if not old or not new:
        return f"\x1b[{new}m"
    (marks, *colours), (marks_new, *colours_new) = _parts(old), _parts(new)
    if marks != marks_new or any(a and not b for a, b in zip(colours, colours_new, strict=True)):
        return f"\x1b[0;{new}m"
    differ = ";".join(b for a, b in zip(colours, colours_new, strict=True) if a != b)
    return f"\x1b[{differ}m" if differ else ""


def _parts(codes: str) -> tuple[str, str, str]:
    """The codes of a style apart: marks (bold, underlined, ...), foreground, background."""
    marks, found, left = [], {"3": "", "4": ""}, codes.split(";")
    while left:
        code = left[0]
        many = (5 if left[1] == "2" else 3) if code in {"38", "48"} else 1
        ground = {"9": "3", "10": "4"}.get(code[:-1], code[:-1])
        if ground in found:
            found[ground] = ";".join(left[:many])
        else:
            marks.append(code)
        del left[:many]
    return ";".join(marks), found["3"], found["4"]


def runs(row: Row, shown: Row) -> Iterable[tuple[int, int]]:
    """(start, end) of the cells to write: those that differ, and few equal ones of the same style between them."""
    start = end = -1
    known = len(shown)
    for x, cell in enumerate(row):
        if cell is None or (x < known and cell == shown[x]):
            continue
        if cell[0] == "" and x and x != end:
            x -= 1  # from the head of a wide character
        if start >= 0 and x - end <= BRIDGE and all(c is not None and c[1] == cell[1] for c in row[end - 1 : x]):
            end = max(end, x + 1)
            continue
        if start >= 0:
            yield start, end
        start, end = x, x + 1
    if start >= 0:
        yield start, _whole(row, end)


def _whole(row: Row, end: int) -> int:
    """The end of a run moved behind the second half of a wide character."""
    cell = row[end] if end < len(row) else None
    return end + 1 if cell is not None and cell[0] == "" else end


def cells(strip: Iterable[Any], system: ColorSystem) -> Row:
    """The cells of a strip; a combining character stands in the cell of what it combines with."""
    made: Row = []
    for text, style, control in strip:
        if control:
            continue
        codes = "" if style is None else Strip.render_ansi(style, system)
        if text.isascii():
            made += [(char, codes) for char in text]
            continue
        for char in text:
            width = cell_len(char)
            if width == 0:
                if made and made[-1] is not None:
                    made[-1] = (made[-1][0] + char, made[-1][1])
                continue
            made.append((char, codes))
            made += [("", codes)] * (width - 1)
    return made


def _put(row: Row, x: int, made: Row) -> None:
    """Cells into a line, from a column on."""
    row += [None] * (x - len(row))
    row[x : x + len(made)] = made


def _laid_out(update: LayoutUpdate, shown: dict[int, Row], system: ColorSystem) -> dict[int, Row]:
    """The lines of a repainted region."""
    wanted: dict[int, Row] = {}
    for y, strips in enumerate(update.strips, update.region.y):
        row = list(shown.get(y, ())) if update.region.x or update.region.width < len(shown.get(y, ())) else []
        x = update.region.x
        for strip in strips:
            made = cells(strip, system)
            _put(row, x, made)
            x += len(made)
        wanted[y] = row
    return wanted


def _chopped(update: ChopsUpdate, shown: dict[int, Row], system: ColorSystem) -> dict[int, Row]:
    """The lines that spans of a partial update stand in."""
    wanted: dict[int, Row] = {}
    for y, x1, x2 in update.spans:
        row = wanted.setdefault(y, list(shown.get(y, ())))
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            left, right = max(x, x1), min(end, x2)
            _put(row, left, cells(strip.crop(left - x, right - x), system))
    return wanted


class LastingDriver(LinuxDriver):
    """A driver that outlives its terminal, and reads it with one thread.

    Told to go on without having been stopped (SIGCONT, as the system sends it when a terminal hangs up), Textual starts threads
    once more: two would share the keys between them, and at the end one is left reading the end of the terminal for ever.
    """

    lost = False

    def start_application_mode(self) -> None:
        if self._key_thread is not None and self._key_thread.is_alive():
            self.disable_input()
            super().close()
        self.exit_event.clear()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    @property
    def writable(self) -> bool:
        """Whether somebody still takes what is written; the first time nobody does, the app is told to end."""
        thread = self._writer_thread
        if thread is not None and not thread.is_alive() and not self.lost:
            self.lost = True
            self._app.call_later(self._app.exit, LOST, return_code=LOST)
        return not self.lost

    def write(self, data: str) -> None:
        if self.writable:
            super().write(CLEARED + data if data == LEFT else data)

    def close(self) -> None:
        self.exit_event.set()  # for any thread that still reads
        if self.writable:
            super().close()
