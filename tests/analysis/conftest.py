"""The two synthetic reference trials and the built one, loaded once per test process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.built.results import SUBGROUPS, load_built

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
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


@pytest.fixture(scope="session")
def quarterly(trial: Source) -> Source:
    """The first trial with ALSFRS-R at every third month only: an MMRM that is fitted without each subject in turn has four
    visits, not twelve."""
    every = {"where": "AVISITN in (0, 3, 6, 9, 12)"}
    scores = {name: e.model_copy(update=every) for name, e in trial.study.endpoints.items() if e.paramcd == "ALSFRSR"}
    assert {"alsfrs", "alsfrs_ancova"} <= scores.keys() and not any(trial.study.endpoints[name].where for name in scores)
    return replace(trial, study=trial.study.model_copy(update={"endpoints": {**trial.study.endpoints, **scores}}))


@pytest.fixture(scope="session")
def built_trial(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The built trial (tests/built): boundaries, ties, blanks, unknown words, an arm of one subject."""
    return load_built(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def asked(built_trial: Source) -> Callable[[str], Result]:
    """The answer of an endpoint of the built trial, overall and in its subgroups; each computed once."""
    kept: dict[str, Result] = {}

    def ask(endpoint: str) -> Result:
        if endpoint not in kept:
            kept[endpoint] = answer(Question(endpoint, subgroups=SUBGROUPS, subjects=endpoint == "cafs"), built_trial)
        return kept[endpoint]

    return ask


@pytest.fixture(scope="session")
def dealt_again() -> Callable[[Source, int], Source]:
    """The trial with its arms dealt again within onset: nothing can be true of them."""

    def deal(source: Source, seed: int) -> Source:
        made = replace(source)
        arm, site = np.array(source.planned_arm), np.array([str(v) for v in source.subject_column("ONSETSIT")])
        rng = np.random.default_rng(seed)
        for value in np.unique(site):
            inside = np.flatnonzero((site == value) & source.population("FAS"))
            arm[inside] = rng.permutation(arm[inside])
        made.__dict__.update(subjects=source.subjects, planned_arm=arm)
        return made

    return deal
