"""The screen as an SVG picture, with no path or host in it."""

from __future__ import annotations

from typing import Any

from textual.app import App


def picture(app: App[Any], title: str = "alsbench") -> str:
    """What is on the screen, as Rich draws it."""
    return app.export_screenshot(title=title)
