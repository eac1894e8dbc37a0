"""What is taken away from any screen stands alone, in every format the dialog offers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alsbench.tui.exporter import FORMATS, captioned

SCREENS = {
    "evidence": ("1",),
    "arms": ("2",),
    "subgroups": ("3",),
    "endpoint": ("4",),
    "forest": ("5",),
    "safety": ("7",),
    "data": (":table ADEX",),
}
WITH_RESULTS = ("evidence", "endpoint", "forest", "safety")


async def test_every_screen_in_every_format(workspace: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(workspace) as pilot:
        for screen, keys in SCREENS.items():
            await tui.press(pilot, *keys)
            for kind in FORMATS:
                path = tmp_path / f"{screen}.{kind}"
                pilot.app.exporter.export(str(path))
                await tui.settle(pilot)
                text = path.read_text()
                if kind == "json" and screen not in WITH_RESULTS:
                    made = json.loads(text)
                    assert made["rows"]
                    assert "SYNTHETIC" in str(made["facts"])
                    continue
                if kind == "json":
                    made = json.loads(text)
                    made = made if isinstance(made, list) else [made]
                    assert all(m["provenance"]["synthetic"] and m["facts"]["title"] for m in made)
                    assert any(m["provenance"]["post_hoc"] for m in made)
                    continue
                if screen == "data" and kind in {"csv", "tsv"}:  # records as they are stored, to be loaded again
                    assert text == tui.shell(pilot.app.exporter.shell_command(), workspace, "--format", kind, "-q")
                    continue
                if screen == "data" and kind in {"txt", "md"}:  # the shell's own table
                    assert "SYNTHETIC" in text
                    continue
                plain = " ".join(text.split()).replace("\\", "").replace("&#160;", " ")
                population = "Safety" if screen == "safety" else "FAS"
                if kind in {"html", "rtf"} and screen not in WITH_RESULTS:  # the shell's own table, of no subgroup
                    assert "SYNTHETIC" in plain
                    continue
                for part in ("SYNTHETIC", "post hoc", population, "LEADRATE", "mean(LEADRATE)", "88fed4eb"):
                    assert part.lower() in plain.lower(), (screen, kind, part)


def test_a_picture_has_its_caption_below_it() -> None:
    lines = ("Title · SYNTHETIC DATA", "Model: a < b " + "word " * 20)
    svg = captioned('<svg viewBox="0 0 420 100.0" xmlns="x"><rect/></svg>', lines)
    assert "<desc>Title · SYNTHETIC DATA\nModel: a &lt; b" in svg
    assert 'viewBox="0 0 420 200"' in svg  # four lines of caption and one of space
    assert svg.count("<text") == 4
    assert svg.endswith("</svg>")


@pytest.mark.parametrize("svg", ["<svg/>", '<svg viewBox="0 0 420 100"></svg>'])
def test_a_picture_without_caption_stays_as_it_is(svg: str) -> None:
    assert captioned(svg, ()) == svg


async def test_export_and_copy(workspace: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        for kind in ("svg", "txt", "csv", "tsv", "md"):
            app.exporter.export(str(tmp_path / f"evidence.{kind}"))
            await tui.settle(pilot)
            assert (tmp_path / f"evidence.{kind}").stat().st_size > 500, kind
        text = (tmp_path / "evidence.txt").read_text()
        for part in ("SYNTHETIC", "Post hoc", "Population", "LEADRATE <= mean(LEADRATE)", "alsbench evidence"):
            assert part in text
        assert str(tmp_path) not in (tmp_path / "evidence.svg").read_text()
        app.exporter.export(str(tmp_path / "evidence.txt"))
        await tui.settle(pilot)
        assert "the file exists" in tui.text(app)
        await tui.press(pilot, "4")
        app.exporter.export(str(tmp_path / "endpoint.json"))
        await tui.settle(pilot)
        made = json.loads((tmp_path / "endpoint.json").read_text())
        assert made["schema"] == "alsbench.ard/1"
        assert {r["subgroup"] for r in made["results"]} == {"overall", "slow", "not slow"}
        text = await tui.press(pilot, "Y")
        assert "copied" in text
        assert "CAFS" in (tmp_path / "state" / "alsbench" / "copied.txt").read_text()
