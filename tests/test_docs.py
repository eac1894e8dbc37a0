"""The documents do what they say: every shell command of the README and the tutorial runs, on the sample trial."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path

import pytest
from tests.shared import keep_answers
from tests.shell import databases_stay_open, run_here

ROOT = Path(__file__).parent.parent
RUNNABLE = (
    "arms",
    "endpoint",
    "evidence",
    "subgroup",
    "forest",
    "audit",
    "check",
    "claims",
    "init",
    "load",
    "lock",
    "demo",
    "report",
    "reconcile",
    "safety",
    "snapshots",
)


LEARNT = ["README.md", "docs/tutorial.md", *sorted(f"docs/how-to/{p.name}" for p in (ROOT / "docs" / "how-to").glob("*.md"))]


def commands(document: str) -> list[tuple[list[str], int]]:
    """``alsbench ...`` lines of the fenced blocks with the exit code that their comment promises, 0 where it is silent."""
    text = (ROOT / document).read_text()
    found = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M):
        if language:
            continue
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if len(words) > 1 and words[0] == "alsbench" and words[1] in RUNNABLE and "--scrutinise" not in words:
                found.append((words[1:], int("exits with 1" in line)))
    return found


def own_csv(folder: Path) -> None:
    """What somebody has who never heard of ADaM but for the names of the columns: 60 subjects, 4 visits, some missed."""
    draw = random.Random(1)
    subjects = [(f"S{i:03d}", ("Active", "Placebo")[i % 2], draw.uniform(0.2, 2.0)) for i in range(1, 61)]
    folder.mkdir()
    lines = ["USUBJID,TRT01P,FASFL,LEADRATE", *(f"{who},{arm},Y,{rate:.3f}" for who, arm, rate in subjects)]
    (folder / "adsl.csv").write_text("\n".join(lines) + "\n")
    lines = ["USUBJID,PARAMCD,AVISIT,AVISITN,AVAL"]
    for who, _, rate in subjects:
        first = draw.randint(30, 44)
        for month in (0, 2, 4, 6):
            if month == 0 or draw.random() < 0.9:
                label = f"Month {month}" if month else "Baseline"
                lines.append(f"{who},ALSFRSR,{label},{month},{max(0, first - round(month * rate + draw.gauss(0, 1)))}")
    (folder / "adqs.csv").write_text("\n".join(lines) + "\n")


ELSEWHERE = ("offline-server.md", "cluster.md")  # a machine of its own; tests/cluster/test_page.py


@pytest.mark.parametrize("document", [name for name in LEARNT if not name.endswith(ELSEWHERE)])
def test_every_command_runs(document: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In order, in one directory, as a reader would type them; ``data/`` holds the sample trial's files, ``mydata/`` two CSV
    files of the columns that the how-to asks for, and what a page says to save is saved."""
    data = tmp_path / "data"
    data.mkdir()
    for path in (ROOT / "sample_data").glob("*.xpt"):
        (data / path.name).write_bytes(path.read_bytes())
    own_csv(tmp_path / "mydata")
    for name, text in re.findall(r"Save as `(\S+)`.*?```(?:toml|csv)\n(.*?)```", (ROOT / document).read_text(), re.S):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = commands(document)
    assert len(found) >= 6
    environment = {"COLUMNS": "80"}
    with databases_stay_open():
        for words, code in found:
            if words[0] == "demo":
                workspace = tmp_path / words[words.index("-w") + 1]
                environment["ALSBENCH_WORKSPACE"] = str(workspace)
                keep_answers(tmp_path_factory, "demo", workspace)
            ran = run_here(words, cwd=tmp_path, env=environment)
            assert ran.code == code, (words, ran.err)
    if document.endswith("own-data.md"):
        proposals_are_as_shown((ROOT / document).read_text(), tmp_path)


def proposals_are_as_shown(page: str, folder: Path) -> None:
    """Every line that the page says ``init`` proposed stands in a study file that it wrote, marked CHECK."""
    written = {line for path in folder.glob("*/study.toml") for line in path.read_text().splitlines()}
    shown = [line for block in re.findall(r"^```toml\n(.*?)^```$", page, re.S | re.M) for line in block.splitlines()]
    assert len(shown) >= 15
    assert not [line for line in shown if f"{line}  # CHECK" not in written and not line.startswith("layout")]


@pytest.mark.parametrize(
    "document", sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / document).parent / target).exists(), target


def test_every_endpoint_key_is_documented() -> None:
    from alsbench.study.model import Endpoint

    text = (ROOT / "docs" / "study-file.md").read_text()
    assert not [key for key in Endpoint.model_fields if key != "name" and f"`{key}`" not in text]
