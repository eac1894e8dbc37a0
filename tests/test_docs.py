"""The documents do what they say: every shell command of the README and the tutorial runs, on the sample trial."""

from __future__ import annotations

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
    "init",
    "load",
    "demo",
    "report",
    "safety",
    "snapshots",
)


def commands(document: str) -> list[list[str]]:
    """``alsbench ...`` lines of the fenced blocks, comments taken off."""
    text = (ROOT / document).read_text()
    found = []
    for block in re.findall(r"```\n(.*?)```", text, re.S):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if len(words) > 1 and words[0] == "alsbench" and words[1] in RUNNABLE:
                found.append(words[1:])
    return found


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial.md"])
def test_every_command_runs(document: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In order, in one directory, as a reader would type them; ``data/`` holds the sample trial's files."""
    data = tmp_path / "data"
    data.mkdir()
    for path in (ROOT / "sample_data").glob("*.xpt"):
        (data / path.name).write_bytes(path.read_bytes())
    found = commands(document)
    assert len(found) >= 7
    environment = {"COLUMNS": "80"}
    with databases_stay_open():
        for words in found:
            if words[0] == "demo":
                workspace = tmp_path / words[words.index("-w") + 1]
                environment["ALSBENCH_WORKSPACE"] = str(workspace)
                keep_answers(tmp_path_factory, "demo", workspace)
            ran = run_here(words, cwd=tmp_path, env=environment)
            assert ran.code == 0, (words, ran.err)


@pytest.mark.parametrize(
    "document", sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
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
