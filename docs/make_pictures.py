"""Pictures of the screens of the sample trial, as the app draws them: docs/evidence.svg for the README, docs/screens/ for
docs/screens.md.

Run ``python docs/make_pictures.py`` after a screen or the sample trial has changed; ``--all FOLDER`` writes every screen in
every look there instead, to be looked at. A picture holds no path of the machine it was made on.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "sample_data"
README_SIZE, SIZE = (108, 24), (120, 34)
SCREENS: dict[str, tuple[str, tuple[str, ...]]] = {  # name: title, keys from the start
    "evidence": ("Evidence", ("A", "j", "l", "l")),
    "arms": ("Arms", ("2",)),
    "profile": ("A subject's profile", ("2", "enter", "enter")),
    "subgroups": ("Subgroups", ("3",)),
    "endpoint": ("Endpoint", ("4", "}", "]")),
    "difference": ("Endpoint: the difference by visit", ("4", "}", "]", "d")),
    "forest": ("Forest", ("5",)),
    "scrutiny": ("Scrutiny", ("]", "6", "enter", "escape", "j", "enter", "escape")),
    "chance": ("Chance made visible", ("6", "C")),
    "safety": ("Safety", ("7",)),
    "data": ("Data", ("8", "enter")),
    "log": ("Log", ("9",)),
    "claims": ("Claims", ("0",)),
}
LOOKS = {"dark": "dark", "light": "light", "ansi": "16 colours", "mono": "no colour"}
SHOWN = {"evidence": ("dark", "light"), "endpoint": ("dark", "ansi"), "scrutiny": ("dark", "mono")}  # others: dark


async def draw(workspace: Path, look: str, size: tuple[int, int], keys: tuple[str, ...], title: str) -> str:
    """The settled screen as SVG."""
    from alsbench.tui.app import Workbench
    from alsbench.tui.exporter import picture

    os.environ.pop("NO_COLOR", None)
    if look == "mono":
        os.environ["NO_COLOR"] = "1"
    app = Workbench(workspace, audit=False, theme="" if look == "mono" else look)
    async with app.run_test(size=size) as pilot:
        for key in (*keys, ""):
            await pilot.pause()
            while app.opened is None or app.jobs.labels:
                await pilot.pause(0.05)
            if key:
                await pilot.press(key)
        await pilot.pause(1.0)
        while app.jobs.labels:  # what follows a cursor that rests
            await pilot.pause(0.05)
        await pilot.pause(0.3)
        return stand_alone(picture(app.export_screenshot(title=f"alsbench: {title}")), workspace)


def stand_alone(svg: str, workspace: Path) -> str:
    """The picture without fonts from elsewhere and with the same ids in every run; refused where it holds a path."""
    svg = re.sub(r"terminal-\d+", "terminal-alsbench", svg)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    if str(workspace) in svg or str(Path.home()) in svg:
        raise SystemExit("the picture holds a path of this machine")
    return svg


def main(everything: Path | None = None) -> None:
    from alsbench.audit.log import append
    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    os.environ.update(COLORTERM="truecolor", TERM="xterm-256color")
    target = everything or HERE / "screens"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("study.toml", "claims.toml"):
            shutil.copy(SAMPLE / file, folder / file)
        space = Workspace(folder)
        space.create()
        made = load(sorted(SAMPLE.glob("*.xpt")), space, study=space.read_study())
        append(space.audit_path, "load", made.for_audit())
        if everything is None:
            svg = asyncio.run(draw(folder, "dark", README_SIZE, ("j", "l", "l"), "Evidence"))
            (HERE / "evidence.svg").write_text(svg, encoding="utf-8")
        for screen, (title, keys) in SCREENS.items():
            for look in LOOKS if everything else SHOWN.get(screen, ("dark",)):
                svg = asyncio.run(draw(folder, look, SIZE, keys, title))
                (target / f"{screen}-{look}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[2]) if sys.argv[1:2] == ["--all"] else None)
