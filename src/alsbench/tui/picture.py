"""The screen as an SVG picture, with no path or host in it, and under it what lets it stand alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from textual.app import App

from alsbench.render.text import visible

LINE = 20  # units of the picture between lines of the caption
SIZE = 14
CHARACTER = 8.4  # units a character of that size is wide


def picture(app: App[Any], title: str = "alsbench", caption: Sequence[str] = ()) -> str:
    """What is on the screen, as Rich draws it, with a caption of lines below.

    Some renderers trim even no-break spaces, and would move what stands at the right of an empty cell: they are told not to.
    """
    svg = app.export_screenshot(title=title).replace("<svg ", '<svg xml:space="preserve" ', 1)
    return captioned(svg, caption)


def captioned(svg: str, lines: Sequence[str]) -> str:
    """An SVG picture made taller by a caption, folded to its width; the caption is its ``desc`` too."""
    box = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    if box is None or not lines:
        return svg
    lines = [visible(line) for line in lines]  # a control byte would make it no XML
    width, height = float(box[1]), float(box[2])
    shown = [part for line in lines for part in folded(line, int(width / CHARACTER) - 2)]
    texts = "".join(
        f'<text x="{CHARACTER:g}" y="{height + (k + 1) * LINE:g}" font-family="monospace" font-size="{SIZE}" fill="#808080"'
        f' xml:space="preserve">{escape(text)}</text>\n'
        for k, text in enumerate(shown)
    )
    tall = height + (len(shown) + 1) * LINE
    svg = svg.replace(box[0], f'viewBox="0 0 {box[1]} {tall:g}"', 1)
    svg = re.sub(r"(<svg[^>]*>)", lambda m: f"{m[1]}\n<desc>{escape(chr(10).join(lines))}</desc>", svg, count=1)
    head, end, tail = svg.rpartition("</svg>")
    return f"{head}{texts}{end}{tail}"


def folded(text: str, width: int) -> list[str]:
    """A line of the caption broken between words, the rest indented."""
    from textwrap import wrap

    return wrap(text, max(width, 20), subsequent_indent="  ") or [""]
