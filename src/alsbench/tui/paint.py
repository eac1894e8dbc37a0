"""Fewer bytes for the same picture: repaint exactly the cells that changed, and name a style only when it changes.

Textual's partial update repaints from the left edge of a widget to the right edge of the changed region, and closes every
segment with a reset; over a slow line that is three times what a cursor key needs. Textual has no public hook between
compositor and driver, so :meth:`Workbench._display` hands its updates here; anything but a partial update passes unchanged.
"""

from __future__ import annotations

from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.strip import Strip


class CompactUpdate(CompositorUpdate):
    """The spans of a :class:`ChopsUpdate`, cropped on both sides."""

    def __init__(self, update: ChopsUpdate) -> None:
        self.update = update

    def render_segments(self, console: Console) -> str:
        """Terminal sequences for the changed cells."""
        system = console._color_system or ColorSystem.TRUECOLOR
        parts: list[str] = []
        codes = ""
        for y, x1, x2 in self.update.spans:
            for end, (x, strip) in zip(self.update.chop_ends[y], self.update.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                left, right = max(x, x1), min(end, x2)
                parts.append(f"\x1b[{y + 1};{left + 1}H")
                for text, style, _ in strip.crop(left - x, right - x):
                    wanted = "" if style is None else Strip.render_ansi(style, system)
                    if wanted != codes:
                        parts.append(f"\x1b[0;{wanted}m" if wanted and codes else f"\x1b[{wanted}m")
                        codes = wanted
                    parts.append(text)
        if codes:
            parts.append("\x1b[m")
        return "".join(parts)


def compact(renderable: Any) -> Any:
    """The same update in fewer bytes."""
    return CompactUpdate(renderable) if isinstance(renderable, ChopsUpdate) else renderable
