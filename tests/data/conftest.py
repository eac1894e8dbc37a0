"""Workspaces and a small trial for the tests of the data room."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.small_trial import ADQS, ADSL, ADTTE, STUDY

from alsbench.data.workspace import Workspace
from alsbench.study.model import Study
from alsbench.study.study_file import read_study


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A folder with a three-subject trial in CSV."""
    folder = tmp_path / "trial"
    folder.mkdir()
    for name, text in (("adsl", ADSL), ("adqs", ADQS), ("adtte", ADTTE)):
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Study:
    path = tmp_path / "study.toml"
    path.write_text(STUDY, "utf-8")
    return read_study(path)
