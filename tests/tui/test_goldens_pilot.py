"""Screens on a trial that is not ours: the CDISC pilot study, as plain text at 80x24. Written as in test_goldens.py."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from alsbench.data.load import load
from alsbench.data.workspace import Workspace

GOLDENS = Path(__file__).parent / "goldens"
PILOT = Path(__file__).resolve().parents[1] / "cdisc_pilot"

STEPS: list[tuple[str, tuple[str, ...]]] = [
    ("pilot-evidence", ()),
    ("pilot-arms", ("2",)),
    ("pilot-ancova", ("4", ":endpoint adas_locf")),
    ("pilot-mmrm", (":endpoint adas",)),
    ("pilot-survival-plot", (":endpoint dermatologic", "p")),
    ("pilot-forest", (":endpoint adas_locf", "5")),
]


@pytest.fixture
def pilot_workspace(tmp_path: Path) -> Path:
    """The pilot trial, loaded."""
    spec = importlib.util.spec_from_file_location("cdisc_pilot_files", PILOT / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    files = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(files)
    space = Workspace(tmp_path / "pilot")
    space.create()
    shutil.copy(files.STUDY, space.study_path)
    load(files.write_pilot(tmp_path / "data", "parquet"), space, study=space.read_study())
    return space.path


async def test_screens_of_the_pilot_trial_are_as_reviewed(pilot_workspace: Path, tui: Any) -> None:
    wrong = []
    async with tui.run(pilot_workspace) as pilot:
        for name, keys in STEPS:
            text = (await tui.press(pilot, *keys)) if keys else tui.text(pilot.app)
            path = GOLDENS / f"{name}-80x24.txt"
            if os.environ.get("ALSBENCH_GOLDENS") == "write":
                path.write_text(text, encoding="utf-8")
            elif not path.exists() or path.read_text(encoding="utf-8") != text:
                wrong.append(name)
    assert not wrong, f"changed screens: {', '.join(wrong)}"
