"""A drawing area with two axes, as SVG text: what every figure is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from alsbench.data.sanitize import visible

WIDTH, HEIGHT = 780.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 150.0, 12.0, 46.0  # margins; names of arms stand in the right one
LINE = 15.0  # between lines of text
COLOURS = ("#1a1a1a", "#0b4a8f", "#9c3d00", "#3f6212", "#6b21a8", "#0f5e5e")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "12 4")
MARKERS = ("circle", "triangle", "square", "diamond", "ring", "cross")

Tick = tuple[float, str]


@dataclass
class Drawing:
    """Data coordinates in, SVG out. ``x`` and ``y`` are (low, high); ``under`` lines of text stand below the axis."""

    x: tuple[float, float]
    y: tuple[float, float]
    under: int = 0
    height: float = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    parts: list[str] = field(default_factory=list)

    @property
    def bottom(self) -> float:
        """Where the horizontal axis stands, from the top."""
        return self.height - BOTTOM - self.under * LINE

    def px(self, value: float) -> float:
        low, high = self.x
        return self.left + (value - low) / (high - low or 1.0) * (WIDTH - self.left - self.right)

    def py(self, value: float) -> float:
        low, high = self.y
        return self.bottom - (value - low) / (high - low or 1.0) * (self.bottom - self.top)

    # ---- in pixels

    def stroke(self, points: Iterable[tuple[float, float]], *, arm: int = 0, width: float = 1.5, dash: str = "") -> None:
        path = " ".join(f"{'M' if k == 0 else 'L'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(points))
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour(arm)}" stroke-width="{width:g}"{dashes}/>')

    def rule(self, x1: float, y1: float, x2: float, y2: float, *, dash: str = "", grey: bool = False) -> None:
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        tone = "#8a8a8a" if grey else "#1a1a1a"
        self.parts.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{tone}" stroke-width="1"{dashes}/>')

    def write(self, x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False) -> None:
        weight = ' font-weight="700"' if bold else ""
        shown = escape(visible(text), quote=False)
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight} xml:space="preserve">{shown}</text>')

    def marker(self, x: float, y: float, arm: int, size: float = 4.0, kind: str = "") -> None:
        """An arm's own marker, or one of another ``kind`` in its colour."""
        kind, tone = kind or MARKERS[arm % len(MARKERS)], colour(arm)
        if kind in {"circle", "ring"}:
            fill = tone if kind == "circle" else "#fff"
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" fill="{fill}" stroke="{tone}"/>')
            return
        s = size
        corners = {
            "triangle": ((0, -s * 1.15), (s, s * 0.8), (-s, s * 0.8)),
            "square": ((-s, -s), (s, -s), (s, s), (-s, s)),
            "diamond": ((0, -s * 1.2), (s * 1.2, 0), (0, s * 1.2), (-s * 1.2, 0)),
            "cross": ((-s, -s), (0, -s / 3), (s, -s), (s / 3, 0), (s, s), (0, s / 3), (-s, s), (-s / 3, 0)),
        }[kind]
        path = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        self.parts.append(f'<polygon points="{path}" fill="{tone}"/>')

    def box(self, left: float, top: float, right: float, bottom: float) -> None:
        """A bar of a histogram."""
        size = f'width="{right - left:.1f}" height="{bottom - top:.1f}"'
        self.parts.append(f'<rect x="{left:.1f}" y="{top:.1f}" {size} fill="#d5dbe3" stroke="#5b6675"/>')

    # ---- axes

    def horizontal(self, ticks: Sequence[Tick], title: str) -> None:
        """The axis below, its ticks and its title; lines of :meth:`row` stand between."""
        self.rule(self.left, self.bottom, WIDTH - self.right, self.bottom)
        for value, text in ticks:
            x = self.px(value)
            self.rule(x, self.bottom, x, self.bottom + 4)
            self.write(x, self.bottom + 17, text, anchor="middle")
        self.write((self.left + WIDTH - self.right) / 2, self.height - 6, title, anchor="middle")

    def vertical(self, ticks: Sequence[Tick], title: str) -> None:
        self.rule(self.left, self.top, self.left, self.bottom)
        for value, text in ticks:
            self.rule(self.left - 4, self.py(value), self.left, self.py(value))
            self.write(self.left - 7, self.py(value) + 4, text, anchor="end")
        x, y = 14.0, (self.top + self.bottom) / 2
        shown = escape(visible(title), quote=False)
        self.parts.append(f'<text transform="translate({x:g} {y:.1f}) rotate(-90)" text-anchor="middle">{shown}</text>')

    def level(self, value: float) -> None:
        """A dashed line across, where there is no difference."""
        if self.y[0] <= value <= self.y[1]:
            self.rule(self.left, self.py(value), WIDTH - self.right, self.py(value), dash="4 4", grey=True)

    def row(self, number: int, name: str, values: Iterable[Tick]) -> None:
        """A line of numbers below the axis, each under its place on it."""
        y = self.bottom + 17 + (number + 1) * LINE
        self.write(self.left - 12, y, name, anchor="end")
        for value, text in values:
            self.write(self.px(value), y, text, anchor="middle")

    def legend(self, arms: Sequence[tuple[str, int]]) -> None:
        """Each arm's marker, line and name, in the right margin."""
        x = WIDTH - self.right + 14
        for k, (name, arm) in enumerate(arms):
            y = self.top + 10 + k * (LINE + 3)
            self.stroke([(x, y), (x + 24, y)], arm=arm, dash=dash(arm))
            self.marker(x + 12, y, arm)
            self.write(x + 30, y + 4, name)

    def svg(self, said: str) -> str:
        """The drawing; ``said`` is what it shows, for those who do not see it."""
        shown = escape(visible(said))
        return (
            f'<svg viewBox="0 0 {WIDTH:g} {self.height:g}" role="img" aria-label="{shown}" xmlns="http://www.w3.org/2000/svg">\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


def colour(arm: int) -> str:
    return COLOURS[arm % len(COLOURS)]


def dash(arm: int) -> str:
    return DASHES[arm % len(DASHES)]


def padded(values: Iterable[float], *also: float) -> tuple[float, float]:
    """The range of the finite values, and of ``also``, with a little room."""
    found = [v for v in (*values, *also) if math.isfinite(v)]
    low, high = min(found, default=0.0), max(found, default=1.0)
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room
