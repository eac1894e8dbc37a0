"""The shell as scripts see it: a command line in, exit code, standard output and standard error out."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alsbench.__main__ import main

REFERENCE = Path(__file__).parent.parent / "reference"


@dataclass(frozen=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command line in this process, with no settings but a test's own."""
    monkeypatch.delenv("ALSBENCH_WORKSPACE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))

    def do(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(w) for w in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return do


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of the reference trials."""
    return REFERENCE


@pytest.fixture
def small_study() -> str:
    """The study file of the small trial."""
    return SMALL_STUDY


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the first reference trial, as the load command makes it. Tests must not change it."""
    path = tmp_path_factory.mktemp("trial") / "ws"
    trial = REFERENCE / "als-ref-1"
    assert (
        main(
            [
                "load",
                str(trial),
                "--study",
                str(trial / "study.toml"),
                "-w",
                str(path),
                "-q",
                "-o",
                str(path.parent / "receipt.txt"),
            ]
        )
        == 0
    )
    return path


@pytest.fixture
def workspace(loaded: Path, tmp_path: Path) -> Path:
    """A copy of the loaded workspace that a test may change, with an audit log of its own."""
    return Path(shutil.copytree(loaded, tmp_path / "ws", ignore=shutil.ignore_patterns("audit.jsonl")))


# -- a trial small enough to break on purpose --------------------------------------------------------------------------

SMALL_STUDY = """schema = 1
[study]
id = "SMALL"
synthetic = true
[arms]
reference = "Placebo"
order = ["Placebo", "Active"]
[populations]
FAS = "FASFL"
default = "FAS"
[visits]
unit = "month"
[[comparisons]]
treatment = "Active"
horizon = 2
[endpoints.score]
method = "ancova"
dataset = "ADQS"
paramcd = "TOTAL"
[[subgroups]]
name = "actives"
where = "SITE == 'A'"
"""

SUBJECTS = [
    {
        "USUBJID": f"S{i:02}",
        "TRT01P": "Active" if i % 2 else "Placebo",
        "TRT01A": "Active" if i % 2 else "Placebo",
        "FASFL": "Y",
        "AGE": 50 + i,
        "SITE": "A" if i % 2 else "B",
    }
    for i in range(12)
]


def records() -> list[dict[str, Any]]:
    """Three visits of a score for every subject, with values that no model fits exactly."""
    made = []
    for i, subject in enumerate(SUBJECTS):
        base = 40 - i % 5
        for visit in (0, 1, 2):
            value = base - visit * (1 + i % 3)
            made.append(
                {
                    "USUBJID": subject["USUBJID"],
                    "PARAMCD": "TOTAL",
                    "PARAM": "Total",
                    "AVISITN": visit,
                    "AVISIT": f"Month {visit}",
                    "ABLFL": "Y" if visit == 0 else "",
                    "AVAL": value,
                    "BASE": base,
                    "CHG": value - base if visit else "",
                }
            )
    return made


def write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    rows = list(rows)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@dataclass
class Small:
    """A trial in CSV files beside its workspace."""

    folder: Path
    workspace: Path
    study: Path

    @property
    def subjects(self) -> list[dict[str, Any]]:
        return [dict(s) for s in SUBJECTS]

    def records(self) -> list[dict[str, Any]]:
        return records()

    def data(self, *, adsl: list[dict[str, Any]] | None = None, adqs: list[dict[str, Any]] | None = None) -> Path:
        """Write the data, changed where said, and return their folder."""
        write_csv(self.folder / "adsl.csv", adsl or SUBJECTS)
        write_csv(self.folder / "adqs.csv", adqs or records())
        return self.folder

    def snapshots(self) -> list[str]:
        """The names of the published snapshots."""
        return sorted(p.stem for p in (self.workspace / "snapshots").glob("2*.duckdb"))

    def current(self) -> tuple[str, bytes]:
        """The current snapshot's name and bytes."""
        name = (self.workspace / "snapshots" / "current").read_text().strip()
        return name, next((self.workspace / "snapshots").glob(f"{name}*")).read_bytes()


@pytest.fixture
def small(tmp_path: Path, run: Run) -> Small:
    """The small trial, loaded."""
    folder = tmp_path / "data"
    folder.mkdir()
    study = tmp_path / "small.toml"
    study.write_text(SMALL_STUDY)
    made = Small(folder, tmp_path / "ws", study)
    ran = run("load", made.data(), "--study", study, "-w", made.workspace, "-q")
    assert ran.code == 0, ran.err
    return made
