"""Plots as lines of text: points with intervals, lines, steps, marks, and rows of numbers under the axis.

Lines are braille dots, or ``.`` in ASCII; points are a marker per arm, so that arms are told apart without colour. Nothing
is drawn that is not in the data: gaps stay gaps. Made by hand because Kaplan-Meier steps with censor ticks and a
number-at-risk row need exact columns, and to leave nothing to import before a plot is asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import itemgetter

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from alsbench.render.ticks import nice_ticks, tick_text
from alsbench.tui.cell_text import fit, without_shared
from alsbench.tui.theme import Appearance

MOST_APART = 4  # columns between arms at one visit, at most
LEAST_ROWS = 8  # lines for the curves of a plot with a legend, at least
LEGEND = 24  # cells of a name in a legend of many lines
MARKER_EVERY = 18  # columns between markers of one step curve
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # braille bit by row and column of a cell


@dataclass(frozen=True)
class Series:
    """One arm or curve. ``low``/``high`` are interval ends (NaN for none); ``step`` draws a Kaplan-Meier curve; ``ticks``
    marks censored times on it. ``index`` picks marker and colour."""

    name: str
    index: int
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    step: bool = False
    ticks: Sequence[tuple[float, float]] = ()
    line: bool = True


@dataclass(frozen=True)
class Under:
    """A row of texts under the axis, each centred on its x: numbers at risk, doses, events."""

    label: str
    items: Sequence[tuple[float, str]]
    role: str = "dim"


@dataclass
class Canvas:
    """A grid of cells with data coordinates."""

    width: int
    height: int
    x0: float
    x1: float
    y0: float
    y1: float
    look: Appearance
    cells: list[list[tuple[str, Style]]] = field(init=False)
    dots: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        ground = self.look["text"]
        self.cells = [[(" ", ground)] * self.width for _ in range(self.height)]
        self.dots = [[0] * self.width for _ in range(self.height)]

    def column(self, x: float) -> float:
        """x in cells from the left, to a fraction."""
        span = self.x1 - self.x0
        return (x - self.x0) / span * (self.width - 1) if span else (self.width - 1) / 2

    def line_of(self, y: float) -> float:
        """y in cells from the top, to a fraction."""
        span = self.y1 - self.y0
        return (self.y1 - y) / span * (self.height - 1) if span else (self.height - 1) / 2

    def put(self, column: int, line: int, char: str, style: Style) -> None:
        if 0 <= column < self.width and 0 <= line < self.height:
            self.cells[line][column] = (char, style)

    def free(self, column: int, line: int) -> bool:
        return 0 <= column < self.width and 0 <= line < self.height and self.cells[line][column][0] == " "

    def segment(self, xa: float, ya: float, xb: float, yb: float, style: Style) -> None:
        """A straight line in data coordinates, drawn where nothing else stands."""
        ca, la, cb, lb = self.column(xa), self.line_of(ya), self.column(xb), self.line_of(yb)
        steps = max(int(max(abs(cb - ca) * 2, abs(lb - la) * 4) * 1.5), 1)
        for k in range(steps + 1):
            c, line = ca + (cb - ca) * k / steps + 0.5, la + (lb - la) * k / steps + 0.5
            column, row = int(c), int(line)
            if not (0 <= column < self.width and 0 <= row < self.height):
                continue
            if not self.look.glyphs.dots:
                if self.free(column, row):
                    self.put(column, row, ".", style)
                continue
            char = self.cells[row][column][0]
            if char == " " or self.dots[row][column]:
                self.dots[row][column] |= DOTS[min(int((line - row) * 4), 3)][min(int((c - column) * 2), 1)]
                self.cells[row][column] = (chr(0x2800 + self.dots[row][column]), style)

    def texts(self) -> list[Text]:
        made = []
        for row in self.cells:
            text = Text()
            for style, run in groupby(row, itemgetter(1)):
                text.append("".join(char for char, _ in run), style)
            made.append(text)
        return made


def plot(
    series: Sequence[Series],
    *,
    width: int,
    height: int,
    look: Appearance,
    title: str = "",
    x_ticks: Sequence[tuple[float, str]],
    y_range: tuple[float, float] | None = None,
    zero: float | None = None,
    under: Sequence[Under] = (),
    legend: bool = True,
    verticals: Sequence[float] = (),
    least_margin: int = 0,
) -> list[Text]:
    """The plot in exactly ``height`` lines where that leaves at least ``LEAST_ROWS`` for the curves, in ``width`` columns."""
    ground = look["text"]
    titles = [title] if cell_len(title) <= width else title.split("   ")  # its parts under each other where they are too long
    head = [Text(fit(t, width, mark=look.glyphs.ellipsis), look["bold"]) for t in titles if t]
    if legend and series:
        head += _legend(series, look, width)
    y0, y1 = y_range or _range(series, zero)
    ticks = nice_ticks(y0, y1, max(2, min(6, (height - len(head) - 2) // 3)))
    labels = [tick_text(t, ticks) for t in ticks]
    margin = max([cell_len(t) for t in labels] + [min(cell_len(u.label), 12) for u in under] + [3]) + 1
    margin = max(margin, least_margin)
    rows = max(LEAST_ROWS if legend else 4, height - len(head) - 2 - len(under))
    x0, x1 = (min(x for x, _ in x_ticks), max(x for x, _ in x_ticks)) if x_ticks else (0.0, 1.0)
    columns = max(width - margin - 2, 8)
    apart = _apart(series, x0, x1, columns)
    aside = len(series) // 2 * apart
    spare = (x1 - x0) * aside / max(columns - 1 - aside, 1)  # beside the last visit, for arms that stand apart
    canvas = Canvas(columns, rows, x0, x1 + spare, y0, y1, look)
    for x in verticals:
        for line in range(rows):
            canvas.put(round(canvas.column(x)), line, look.glyphs.lasts, look["axis"])
    if zero is not None and y0 <= zero <= y1:
        for column in range(canvas.width):
            canvas.put(column, round(canvas.line_of(zero)), "-" if not look.glyphs.dots else "╌", look["axis"])
    offsets = {s.index: (k - len(series) // 2) * apart for k, s in enumerate(series)}
    for s in series:
        _points(s, canvas, look, offsets[s.index])
    for s in series:
        if s.line:
            _lines(s, canvas, look.arm(s.index), offsets[s.index])
    body = canvas.texts()
    at = {round(canvas.line_of(t)): text for t, text in zip(ticks, labels, strict=True)}
    lines = [*head]
    for number, text in enumerate(body):
        left = Text(at.get(number, "").rjust(margin) + look.glyphs.v, look["axis"])
        lines.append(left + text)
    lines.append(Text(" " * margin + look.glyphs.corner, look["axis"]) + _axis(canvas, x_ticks, look))
    lines.append(Text(" " * (margin + 1), ground) + _under(canvas, x_ticks, look["axis"], width - margin - 1))
    for row in under:
        label = Text(fit(row.label, margin, mark=look.glyphs.ellipsis) + " ", look["dim"])
        lines.append(label + _under(canvas, row.items, look[row.role], width - margin - 1))
    return lines


def _legend(series: Sequence[Series], look: Appearance, width: int) -> list[Text]:
    """Marker and name of every curve, in as many lines as they need; long names lose what they share where they are many."""
    names = [s.name for s in series]
    if sum(cell_len(n) + 5 for n in names) > 2 * width:
        names = list(without_shared(names, LEGEND))
    lines, used = [Text()], 0
    for s, name in zip(series, names, strict=True):
        if used and used + 2 + cell_len(name) > width:
            lines.append(Text())
            used = 0
        lines[-1].append(f"{look.marker(s.index)} ", look.arm(s.index))
        lines[-1].append(f"{name}   ", look["text"])
        used += cell_len(name) + 5
    return lines


def _apart(series: Sequence[Series], x0: float, x1: float, columns: int) -> int:
    """Columns between arms at one visit, where there is room, so that their intervals do not cover each other."""
    if len(series) < 2 or x1 <= x0 or any(s.step for s in series) or not any(s.low for s in series):
        return 0
    xs = sorted({x0, *(x for s in series for x in s.x if math.isfinite(x))})
    if len(xs) < 2:
        return 0
    gap = min(b - a for a, b in pairwise(xs)) / (x1 - x0) * (columns - 1)
    return 0 if gap < len(series) + 1 else max(1, min(MOST_APART, int(gap) // (3 * len(series))))


def _points(s: Series, canvas: Canvas, look: Appearance, offset: int) -> None:
    style = look.arm(s.index)
    for k, (x, y) in enumerate(zip(s.x, s.y, strict=True)):
        if s.step or not (math.isfinite(x) and math.isfinite(y)):
            continue
        column = max(0, min(round(canvas.column(x)) + offset, canvas.width - 1))
        if s.low and math.isfinite(s.low[k]) and math.isfinite(s.high[k]):
            for line in range(round(canvas.line_of(s.high[k])), round(canvas.line_of(s.low[k])) + 1):
                if canvas.free(column, line):
                    canvas.put(column, line, look.glyphs.v, style)
        canvas.put(column, round(canvas.line_of(y)), look.marker(s.index), style + Style(bold=True))
    for x, y in s.ticks:
        column, line = int(canvas.column(x) + 0.5), int(canvas.line_of(y) + 0.5)
        if canvas.free(column, line):
            canvas.put(column, line, "+", style)
    if s.step and len(s.x):
        _markers(s, canvas, look.marker(s.index), style)


def _markers(s: Series, canvas: Canvas, marker: str, style: Style) -> None:
    """The arm's marker along its steps, at columns of its own, and at the end: curves are told apart without colour."""
    for column in range(6 + 5 * s.index, canvas.width, MARKER_EVERY):
        x = canvas.x0 + (canvas.x1 - canvas.x0) * column / (canvas.width - 1)
        if x <= s.x[-1]:
            k = bisect_right(s.x, x) - 1
            canvas.put(column, int(canvas.line_of(s.y[k]) + 0.5), marker, style + Style(bold=True))
    canvas.put(int(canvas.column(s.x[-1]) + 0.5), int(canvas.line_of(s.y[-1]) + 0.5), marker, style + Style(bold=True))


def _lines(s: Series, canvas: Canvas, style: Style, offset: int) -> None:
    shift = offset * (canvas.x1 - canvas.x0) / max(canvas.width - 1, 1)
    points = [(x + shift, y) for x, y in zip(s.x, s.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    for (xa, ya), (xb, yb) in pairwise(points):
        if s.step:
            canvas.segment(xa, ya, xb, ya, style)
            canvas.segment(xb, ya, xb, yb, style)
        else:
            canvas.segment(xa, ya, xb, yb, style)


def _axis(canvas: Canvas, x_ticks: Sequence[tuple[float, str]], look: Appearance) -> Text:
    chars = [look.glyphs.h] * canvas.width
    for x, text in x_ticks:
        column = round(canvas.column(x))
        if text and 0 <= column < canvas.width:
            chars[column] = look.glyphs.tick
    return Text("".join(chars), look["axis"])


def _under(canvas: Canvas, items: Sequence[tuple[float, str]], style: Style, room: int) -> Text:
    """Texts centred on their x; one that would touch the one before is left out."""
    line = [" "] * room
    taken = -1
    for x, text in items:
        start = max(0, min(round(canvas.column(x)) - (cell_len(text) - 1) // 2, room - cell_len(text)))
        if not text or start <= taken or start < 0:
            continue
        line[start : start + len(text)] = list(text)
        taken = start + len(text)
    return Text("".join(line), style)


def _range(series: Sequence[Series], zero: float | None) -> tuple[float, float]:
    values = [v for s in series for v in (*s.y, *s.low, *s.high) if math.isfinite(v)]
    if zero is not None:
        values.append(zero)
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    pad = (high - low) * 0.03 or 1.0
    return low - pad, high + pad
