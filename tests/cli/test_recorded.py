"""What every command says of the sample trial, as version 0.1.0 said it: moves inside the program change no byte of it.

``recorded.txt`` holds what is printed: numbers as rounded there, the same with every version of a library.
``ALSBENCH_RECORDED=write pytest tests/cli/test_recorded.py -n 0`` writes it anew: read every changed line.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.shared import workspace_copy
from tests.shell import run_here

from alsbench import __version__

RECORDED = Path(__file__).with_name("recorded.txt")
SAMPLE = Path(__file__).parents[2] / "sample_data"
SUBJECT = "ALSDEMO-01-1001"
FINDING = "scrutinise --endpoint cafs --subgroup slow --comparison G2-M12"
PRINTED = (
    "arms",
    "arms --mask 10",
    "subject {subject}",
    "data",
    "data ADSL --limit 5",
    "data ADQS --where \"PARAMCD == 'ALSFRSR' and AVISITN == 6\" --order-by -AVAL --limit 5",
    "subgroup list",
    "subgroup show slow",
    "subgroup show slow --mask 5",
    "check",
    "safety",
    "safety --subgroup slow --mask 5",
    "endpoint cafs --model",
    "endpoint cafs --subgroup slow --subgroup 'not slow' --visit 6",
    "endpoint cafs --why {subject} --comparison G2-M12",
    "endpoint alsfrs --model",
    "endpoint alsfrs --subgroup slow --df satterthwaite --covariance csh --comparison G2-M12",
    "endpoint alsfrs --option adjust=max-t --subgroup 'slow and nfl_low'",
    "endpoint alsfrs_ancova --subgroup slow --mask 20",
    "endpoint alsfrs_slope --model",
    "endpoint svc",
    "endpoint nfl --visit 4 --visit 10 --subgroup slow",
    "endpoint survival --model",
    "endpoint survival --curve --comparison G2-M12",
    "endpoint ae",
    "endpoint baseline --subgroup bulbar",
    "endpoint nobody",
    "evidence",
    "evidence --subgroup slow --comparison G2-M12",
    "evidence --mask 10",
    "forest cafs",
    "forest alsfrs --subgroup slow --mask 5",
    "forest ae",
    f"{FINDING} --check overall --check dose --check errors",
    "claims {sample}/claims.toml",
    "diff current current",
)


def load_sample(path: Path) -> None:
    ran = run_here(["load", SAMPLE, "--study", SAMPLE / "study.toml", "-w", path, "-q"])
    assert ran.code == 0, ran.err


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace_copy(tmp_path_factory, "demo", load_sample)


def said(line: str, workspace: Path) -> str:
    """The section of one command: its line, its exit code where it is not 0, and what it wrote."""
    import shlex

    words = [word.format(subject=SUBJECT, sample=SAMPLE) for word in shlex.split(line)]
    ran = run_here([*words, "-w", workspace, "-q"], env={"COLUMNS": "100"})
    text = settled(ran.out + ran.err, workspace)
    return f"$ alsbench {line}\n" + (f"[exit {ran.code}]\n" if ran.code else "") + text


def settled(text: str, workspace: Path) -> str:
    """Without what differs from run to run and from place to place: paths, the version, when something was loaded."""
    text = (
        text.replace(str(workspace), "WORKSPACE")
        .replace(str(SAMPLE), "SAMPLE")
        .replace(f"alsbench {__version__}", "alsbench VERSION")
    )
    text = re.sub(r"\d{8}T\d{6}Z-", "LOADED-", text)
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?( ?UTC|Z)?", "WHEN", text)


def test_every_command_says_what_it_said(sample: Path) -> None:
    made = [said(line, sample) for line in PRINTED]
    if os.environ.get("ALSBENCH_RECORDED") == "write":
        RECORDED.write_text("".join(made), "utf-8")
    before = re.split(r"(?m)^(?=\$ alsbench )", RECORDED.read_text("utf-8"))[1:]
    assert [m.split("\n", 1)[0] for m in made] == [b.split("\n", 1)[0] for b in before]
    for now, then in zip(made, before, strict=True):
        assert now == then
