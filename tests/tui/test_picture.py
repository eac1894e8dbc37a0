"""The picture in the README is of the screen as it is: made again by ``python docs/make_pictures.py``."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIZE = (108, 24)


async def test_the_picture_in_the_readme_is_current(workspace: Path, tui: Any) -> None:
    drawn = re.findall(r'<text[^>]*y="([0-9.]+)"[^>]*>([^<]*)</text>', (DOCS / "evidence.svg").read_text("utf-8"))
    words = {w for _, text in drawn for w in html.unescape(text).split()}
    async with tui.run(workspace, size=SIZE) as pilot:
        text = await tui.press(pilot, "j", "l", "l")
    missing = [w for w in text.split() if w not in words]
    assert not missing, f"not in docs/evidence.svg: {missing[:5]}"


def test_the_page_of_screens_shows_every_picture_and_no_other() -> None:
    """And no picture names a machine or brings a font from elsewhere."""
    shown = re.findall(r"\]\(screens/([^)]+)\)", (DOCS / "screens.md").read_text("utf-8"))
    made = sorted(path.name for path in (DOCS / "screens").iterdir())
    assert sorted(shown) == made
    for name in made:
        text = (DOCS / "screens" / name).read_text("utf-8")
        assert "SYNTHETIC" in text
        assert "/tmp" not in text and "@font-face" not in text and "/home" not in text
