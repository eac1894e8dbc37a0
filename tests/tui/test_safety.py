"""The Safety screen: classes of events and their terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any


async def test_classes_of_events_fold_and_a_filter_looks_into_them(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "7")
        view = app.view
        folded = len(view.table.model)
        first = next(k for k in range(folded) if view.full.text(k, 0).startswith("▸"))
        name = view.full.text(first, 0)
        terms = int(name.rsplit("(", 1)[1].rstrip(")"))
        await tui.press(pilot, f":row {first + 1}", "space")
        assert len(view.table.model) == folded + terms
        assert view.full.text(first, 0) == name.replace("▸", "▾")
        await tui.press(pilot, "j", "space")
        assert len(view.table.model) == folded, "folded from one of its terms"
        assert view.table.cursor_row == first
        await tui.press(pilot, "l")
        assert len(view.table.model) == folded + terms, "l on a name unfolds"
        await tui.press(pilot, "h", "enter", "enter")
        assert len(view.table.model) == folded
        await tui.press(pilot, "z")
        everything = len(view.table.model)
        assert everything > folded + terms
        assert "patient-years" in view.page().blocks[0].lines[0].cells[0].text
        assert sum(len(b.lines) for b in view.page().blocks) > folded, "an export is never folded"
        await tui.press(pilot, "z")
        assert len(view.table.model) == folded
        await tui.press(pilot, "slash", *"headache", "enter")
        assert "Headache" in tui.text(app)
        await tui.press(pilot, "escape")
        assert len(view.table.model) == folded
