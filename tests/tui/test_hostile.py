"""Hostile texts in data and study file on the screens of the app, and in what is taken from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.cli.test_hostile import BIDI, hostile, raw_controls  # noqa: F401  a fixture

from alsbench.tui.cell_text import safe


async def test_no_screen_and_no_export_obeys_the_data(hostile: Path, tui: Any, tmp_path: Path) -> None:  # noqa: F811
    async with tui.run(hostile) as pilot:
        for key in ("1", "2", "3", "4", "5", "6", "8", "9"):
            text = await tui.press(pilot, key)
            assert raw_controls(text) == set() and BIDI not in text, key
            for kind in ("svg", "txt", "csv", "tsv", "md"):
                path = tmp_path / f"{key}.{kind}"
                pilot.app.exporter.export(str(path))
                await tui.settle(pilot)
                if path.exists():
                    if kind == "svg":
                        ElementTree.parse(path)
                    assert raw_controls(path.read_text(), "\n\t" if kind == "tsv" else "\n") == set(), (key, kind)
        text = await tui.press(pilot, "2", "enter", "enter")  # the profile of a subject
        assert raw_controls(text) == set() and BIDI not in text
    assert len(list(tmp_path.glob("*.svg"))) == 8


async def test_nothing_in_the_data_steers_the_terminal() -> None:
    assert safe("a\x1b[31mb\x9bc\u202ed\n") == "a\\x1b[31mb\\x9bc\\u202ed\\n"
    assert safe("±5 · µ", ascii=True) == "+/-5 . \\xb5"


@pytest.mark.parametrize("name", ["~nobody-of-that-name/x.csv", "x" * 300 + ".csv", "a\0b.csv"])
async def test_a_name_that_no_file_can_have_is_said(workspace: Path, tui: Any, name: str) -> None:
    """Typed where a file is asked for, and given to the export: the app went down with the first."""
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "x")
        text = await tui.press(pilot, *name[:120].replace("\0", ""))
        assert pilot.app.is_running and "Export this view to" in text
        await tui.press(pilot, "escape")
        pilot.app.exporter.export(name)
        assert "no file can be named so" in await tui.settle(pilot)
