"""The shell as scripts see it: a command line in, exit code, standard output and standard error out."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.shared import built_once, workspace_copy
from tests.shell import Ran as RanHere
from tests.shell import databases_stay_open, run_here

from alsbench.__main__ import main

REFERENCE = Path(__file__).parent.parent / "reference"


class Ran(RanHere):
    """With its answer as JSON."""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(scope="session", autouse=True)
def databases_open() -> Iterator[None]:
    """A test asks many things of one workspace: its database is opened anew where it was changed."""
    with databases_stay_open():
        yield


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
    return workspace_copy(tmp_path_factory, "als-ref-1", load_reference)


def load_reference(path: Path) -> None:
    trial = REFERENCE / "als-ref-1"
    ran = run_here(["load", trial, "--study", trial / "study.toml", "-w", path, "-q"])
    assert ran.code == 0, ran.err


@pytest.fixture
def workspace(loaded: Path, tmp_path: Path) -> Path:
    """A copy of the loaded workspace that a test may change, its log as after the load; answers are kept for all tests."""
    made = Path(shutil.copytree(loaded, tmp_path / "ws", symlinks=True))
    log = (made / "audit.jsonl").read_text().splitlines(keepends=True)
    (made / "audit.jsonl").write_text("".join(log[:2]))  # announced, loaded
    return made


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

    @classmethod
    def of(cls, path: Path) -> Small:
        return cls(path / "data", path / "ws", path / "small.toml")

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


@pytest.fixture(scope="session")
def small_loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small trial beside its workspace, loaded once. Tests get copies."""
    return built_once(tmp_path_factory, "small", load_small)


def load_small(path: Path) -> None:
    made = Small.of(path)
    made.folder.mkdir(parents=True)
    made.study.write_text(SMALL_STUDY)
    ran = run_here(["load", made.data(), "--study", made.study, "-w", made.workspace, "-q"])
    assert ran.code == 0, ran.err


@pytest.fixture
def small(small_loaded: Path, tmp_path: Path) -> Small:
    """The small trial, loaded: a test may change anything of it."""
    shutil.copytree(small_loaded, tmp_path, dirs_exist_ok=True)
    return Small.of(tmp_path)
