"""PRO-ACT files from the shell to results: loaded, a study proposed, every endpoint of it answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.data.derive.proact_files import quirks, whole_trial, write

from alsbench.__main__ import main
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import open_source
from alsbench.data.workspace import Workspace

ENDPOINTS = ["alsfrs", "alsfrs_ancova", "alsfrs_slope", "fvc", "fvc_ancova", "fvc_slope", "survival", "cafs", "ae", "baseline"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proact")
    assert main(["load", str(write(folder / "files", whole_trial())), "-w", str(folder / "ws"), "--quiet"]) == 0
    return folder / "ws"


def test_a_study_is_proposed_and_every_endpoint_answers(loaded: Path) -> None:
    source = open_source(loaded)
    assert list(source.study.endpoints) == ENDPOINTS
    assert source.study.arms.order == ("Placebo", "Active")
    for name in ENDPOINTS:
        result = answer(Question(name), source)
        assert any(row.stat is not None for row in result.rows), name


def test_the_slope_is_the_one_drawn(loaded: Path) -> None:
    """``whole_trial`` draws slopes of mean -1.0, SD 0.4, for 120 subjects: the mean of 80 is within 3 SE (0.15)."""
    rows = answer(Question("alsfrs_slope"), open_source(loaded)).rows
    slopes = {r.arm: r.stat for r in rows if r.context == "arm" and r.stat_name == "slope"}
    assert slopes["Active"] == pytest.approx(-1.0, abs=0.15)


def test_events_are_the_deaths(loaded: Path) -> None:
    rows = answer(Question("survival"), open_source(loaded)).rows
    died = sum(1 for _, _, day in whole_trial()["DEATHDATA"][1] if day)
    assert sum(r.stat or 0 for r in rows if r.context == "arm" and r.stat_name == "events" and r.visit is None) == died


def test_a_study_file_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = Workspace(tmp_path / "ws")
    folder = write(tmp_path / "files", quirks())
    assert main(["load", str(folder), "-w", str(space.path)]) == 0
    assert "was proposed from the data" in capsys.readouterr().err
    mine = space.study_path.read_text("utf-8") + "# mine\n"
    space.study_path.write_text(mine, "utf-8")
    assert main(["load", str(folder), "-w", str(space.path)]) == 0
    assert space.study_path.read_text("utf-8") == mine
    assert "was proposed" not in capsys.readouterr().err


def test_shell_refuses_an_unknown_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "files", quirks())
    assert main(["load", str(folder), "-w", str(tmp_path / "ws"), "--as", "proac"]) == 2
    assert "proact" in capsys.readouterr().err
    assert not (tmp_path / "ws" / "study.toml").exists()


def test_change_is_value_less_baseline(loaded: Path) -> None:
    with Workspace(loaded).open_current() as snapshot:
        frame = snapshot.frame("ADQS", columns=("AVAL", "BASE", "CHG", "ABLFL"))
    later = np.isfinite(frame["CHG"])
    np.testing.assert_array_equal(frame["CHG"][later], frame["AVAL"][later] - frame["BASE"][later])
    assert not np.any(later & (frame["ABLFL"] == "Y"))


def test_init_proposes_the_same_study(loaded: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", whole_trial())
    assert main(["init", str(tmp_path / "ws"), str(folder), "--quiet"]) == 0
    assert (tmp_path / "ws" / "study.toml").read_text("utf-8") == (loaded / "study.toml").read_text("utf-8")
