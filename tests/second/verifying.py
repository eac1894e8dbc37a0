"""Both programs side by side: what the tests of the second program ask."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from tests.built import trial as built
from tests.built.results import load_built
from tests.cdisc_pilot.conftest import open_pilot

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer, apply_overrides
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.service.verify import BothPrograms, SecondProgram
from alsbench.study.study_file import parse_study

TESTS = Path(__file__).parent.parent


def open_reference(folder: Path, name: str, study: str = "") -> Source:
    """A reference trial, or the sample, in a workspace under ``folder``; ``study`` is added to its study file."""
    files = TESTS.parent / "sample_data" if name == "sample" else TESTS / "reference" / name
    workspace = Workspace(folder)
    workspace.create()
    workspace.study_path.write_text((files / "study.toml").read_text("utf-8") + study, "utf-8")
    data = sorted(p for p in files.iterdir() if p.suffix in (".xpt", ".csv"))
    load(data, workspace, study=workspace.read_study(), expect={})
    return open_source(workspace.path)


def open_trial(folder: Path, name: str) -> Source:
    """A trial by name (``built``, ``pilot``, ``sample``, ``als-ref-1``, ``als-ref-2``, ``extra``), its answers not kept."""
    if name == "built":
        return load_built(folder)
    source = open_pilot(folder, "parquet") if name == "pilot" else open_reference(folder, name)
    return replace(source, results_dir=None)


@dataclass
class Both:
    """A trial that both programs answer. ``study`` replaces the trial's study file."""

    source: Source

    def __post_init__(self) -> None:
        self.second = SecondProgram(self.source)

    def asked(self, endpoint: str, phrase: str = "overall", **options: object) -> BothPrograms:
        """One endpoint in one subgroup, with options as a question gives them (covariance and df too)."""
        own = {key: str(options.pop(key)) for key in ("covariance", "df") if key in options}
        written = tuple((k, json.dumps(v) if isinstance(v, bool | list | dict) else str(v)) for k, v in sorted(options.items()))
        question = Question(endpoint=endpoint, subgroups=(phrase,), options=written, **own)
        made = apply_overrides(self.source.endpoint(question.endpoint), question)
        return self.second.beside(answer(question, self.source), made, phrase)

    def with_study(self, more: str, text: str = "") -> Both:
        """The same snapshot under another study file: ``text`` (default: the built trial's) and ``more``."""
        return Both(replace(self.source, study=parse_study((text or built.STUDY) + more), results_dir=None))


def disagreements(found: BothPrograms) -> list[tuple[object, ...]]:
    """What differs, in words that a failing test prints."""
    return [(c.endpoint, c.subgroup, c.row.stat_name, c.row, c.first, c.second) for c in found.differing]


def left_out(found: BothPrograms) -> list[str]:
    """Why numbers were not compared."""
    return [u.why for u in found.uncompared if u.numbers]
