"""The two synthetic reference trials, loaded once per test process."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace

REFERENCE = Path(__file__).parent.parent / "reference"


def load_reference(name: str, directory: Path) -> Source:
    workspace = Workspace(directory)
    workspace.create()
    shutil.copy(REFERENCE / name / "study.toml", workspace.study_path)
    files = sorted(p for p in (REFERENCE / name).iterdir() if p.suffix in (".xpt", ".csv"))
    load(files, workspace, study=workspace.read_study(), expect={})
    return replace(open_source(directory), results_dir=None)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    return {name: load_reference(name, tmp_path_factory.mktemp(name)) for name in ("als-ref-1", "als-ref-2")}


@pytest.fixture(scope="session")
def trial(sources: dict[str, Source]) -> Source:
    return sources["als-ref-1"]
