"""Write docs/evidence.svg: the Evidence screen of the sample trial, as the app draws it.

Run ``python docs/make_evidence_svg.py`` after the screen or the sample trial has changed. The picture holds no path of the
machine it was made on.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "sample_data"
SIZE = (108, 24)


async def draw(workspace: Path) -> str:
    """The settled screen as SVG."""
    from alsbench.tui.app import Workbench
    from alsbench.tui.exporter import picture

    app = Workbench(workspace, audit=False)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        while app.opened is None or app.jobs.labels:
            await pilot.pause(0.05)
        await pilot.press("j", "l", "l")
        await pilot.pause()
        return picture(app.export_screenshot(title="alsbench: Evidence"))


def main() -> None:
    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    os.environ.update(COLORTERM="truecolor", TERM="xterm-256color")
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(SAMPLE / "study.toml", folder / "study.toml")
        space = Workspace(folder)
        space.create()
        load(sorted(SAMPLE.glob("*.xpt")), space, study=space.read_study())
        svg = asyncio.run(draw(folder))
    svg = re.sub(r"terminal-\d+", "terminal-alsbench", svg)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fonts from elsewhere: the picture must stand alone
    if name in svg or str(Path.home()) in svg:
        raise SystemExit("the picture holds a path of this machine")
    (HERE / "evidence.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
