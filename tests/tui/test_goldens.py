"""Every screen and dialog of the sample trial as plain text, at 80x24 and 120x40.

A changed screen is a changed promise: look at it, then write the goldens again: ``ALSBENCH_GOLDENS=write pytest tests/tui``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(80, 24), (120, 40)]

STEPS: list[tuple[str, tuple[str, ...]]] = [
    ("evidence", ()),
    ("evidence-cursor", ("j", "j", "l", "l")),
    ("arms", ("2",)),
    ("arms-subjects", ("j", "enter")),
    ("arms-profile", ("enter",)),
    ("subgroups", ("3",)),
    ("subgroups-bulbar", ("j", "j")),
    ("endpoint-joint-rank", ("4",)),
    ("behind-ranks", ("j", "j", "l", "enter")),
    ("behind-pairs", ("j", "enter")),
    ("endpoint-joint-rank-plot", ("escape", "escape", "p")),
    ("endpoint-joint-rank-model", ("m",)),
    ("endpoint-options", ("o",)),
    ("endpoint-mmrm", ("right_curly_bracket", "t")),
    ("behind-mmrm", ("l", "l", "enter")),
    ("endpoint-mmrm-plot", ("escape", "p")),
    ("endpoint-mmrm-model", ("m",)),
    ("endpoint-survival-plot", (":endpoint survival", "p")),
    ("endpoint-survival", ("t",)),
    ("forest", (":endpoint alsfrs", "5")),
    ("scrutiny", ("6",)),
    ("scrutiny-check", ("j", "j", "j", "enter")),
    ("safety", ("escape", "7")),
    ("data", ("8",)),
    ("data-adlb", ("j", "j", "enter")),
    ("data-adlb-right", ("l", "l", "l", "l", "l", "l", "l", "l")),
    ("log", ("9",)),
    ("help", ("3", "question_mark")),
    ("palette", ("escape", "ctrl+p", *"sub")),
    ("command-line", ("escape", "colon", *"vis")),
    ("editor", ("escape", "a", *"BLNFL<52")),
    ("editor-fault", ("<",)),
    ("confirm", ("escape", "D")),
    ("chips", ("n", "1", "s")),
    ("shell", ("escape", "c")),
    ("export", ("escape", "x")),
]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_screens_are_as_reviewed(
    workspace: Path, tui: Any, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    wrong = []
    async with tui.run(workspace, size=size) as pilot:
        for name, keys in STEPS:
            text = (await tui.press(pilot, *keys)) if keys else tui.text(pilot.app)
            text = text.replace(str(workspace), "WORKSPACE")
            path = GOLDENS / f"{name}-{size[0]}x{size[1]}.txt"
            if os.environ.get("ALSBENCH_GOLDENS") == "write":
                path.write_text(text, encoding="utf-8")
            elif not path.exists() or path.read_text(encoding="utf-8") != text:
                wrong.append(name)
            assert all(len(line) <= size[0] for line in text.splitlines())
    assert not wrong, f"changed screens at {size[0]}x{size[1]}: {', '.join(wrong)}"


async def test_the_golden_steps_cover_every_screen(workspace: Path) -> None:
    from alsbench.tui.session import SCREENS

    assert not [s for s in SCREENS if not any(name.startswith(s) for name, _ in STEPS)]
