"""The built trial loaded, and every number of its results: what a fault in the program could change."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.built import trial

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace

# the rules that the trial breaks on purpose, each with what breaks it
ACCEPT = {
    "censoring": "B-25 has no CNSR",
    "event-time": "B-24 has no day",
    "population-values": "flags have an unknown word",
    "log-scale": "a value of NfL is zero",
}
SUBGROUPS = ("overall", "slow", "not slow", "nfl_low", "not nfl_low", "limb")


def load_built(directory: Path, **tables: Sequence[dict[str, object]]) -> Source:
    """The built trial in a workspace of its own, ``tables`` in place of its own or beside them; answers are not kept."""
    files = directory / "files"
    files.mkdir(parents=True)
    workspace = Workspace(directory / "ws")
    workspace.create()
    workspace.study_path.write_text(trial.STUDY, "utf-8")
    written = {path.stem: path for path in trial.write(files)}
    written |= {name: trial.write_table(files / f"{name}.csv", rows) for name, rows in tables.items()}
    load(list(written.values()), workspace, study=workspace.read_study(), expect={}, accept=ACCEPT)
    return replace(open_source(directory / "ws"), results_dir=None)


def every_result() -> dict[str, float | int | str | None]:
    """Every statistic of every endpoint, overall and in the subgroups, by its key in words."""
    with tempfile.TemporaryDirectory() as name:
        source = load_built(Path(name))
        found: dict[str, float | int | str | None] = {}
        for endpoint in source.study.endpoints:
            result = answer(Question(endpoint, subgroups=SUBGROUPS, subjects=endpoint == "cafs"), source)
            found |= {f"{endpoint} {row.key()}": row.error if row.stat is None else row.stat for row in result.rows}
            found |= {f"{endpoint} warnings": "; ".join(result.warnings)}
        return found
