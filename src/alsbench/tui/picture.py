"""The screen as an SVG picture, with no path or host in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alsbench.tui.app import Workbench


def picture(app: Workbench, title: str = "alsbench") -> str:
    """What is on the screen, as Rich draws it."""
    return app.export_screenshot(title=title)
