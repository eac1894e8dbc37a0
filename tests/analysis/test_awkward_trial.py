"""A small awkward trial, from files to result rows, against R: dropout, gaps, ties, tiny arms, a missing covariate or baseline.

tests/reference/extra holds the trial (``make.py``), the R script (``answers.R``) and what it answers (R 4.2.2; nlme 3.1-162,
lme4 1.1-31 with lmerTest 3.1-3 and pbkrtest 0.5.2, survival 3.5-3, emmeans 1.8.4-1, coin 1.4-2). Imputation is rebuilt there
from its definition, with gls. Tolerances are METHODS 11's except where R's gls stops: 1e-6 of the size, SEs 1e-5.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace

EXTRA = Path(__file__).parent.parent / "reference" / "extra"
R: dict[str, Any] = json.loads((EXTRA / "answers.json").read_text())
ARMS = ("Placebo", "Low", "High")
DOSES = ("Low", "High")
VISITS = (4.0, 8.0, 12.0)


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Source:
    directory = tmp_path_factory.mktemp("awkward")
    workspace = Workspace(directory)
    workspace.create()
    shutil.copy(EXTRA / "study.toml", workspace.study_path)
    load(sorted(EXTRA.glob("*.csv")), workspace, study=workspace.read_study(), expect={})
    return replace(open_source(directory), results_dir=None)


def with_options(source: Source, name: str, **changes: object) -> Source:
    endpoint = source.endpoint(name).model_copy(update=changes)
    return replace(source, study=source.study.model_copy(update={"endpoints": {**source.study.endpoints, name: endpoint}}))


def near(value: float, *, rel: float = 1e-6) -> Any:
    return pytest.approx(value, rel=rel, abs=rel)


def column(result: Result, name: str, keys: list[dict[str, object]]) -> list[float]:
    return [result.get(name, **k).number() for k in keys]  # type: ignore[arg-type]


def test_mmrm(awkward: Source) -> None:
    result = answer(Question("mmrm"), awkward)
    assert result.get("log_likelihood").number() == near(R["mmrm"]["loglik"])
    means = [{"context": "arm", "arm": a, "visit_number": v, "variable": None} for v in VISITS for a in ARMS]
    pairs = [{"context": "contrast", "treatment": t, "visit_number": v, "variable": None} for v in VISITS for t in DOSES]
    assert column(result, "ls_mean", means) == near(R["mmrm"]["mean"])
    assert column(result, "se", means) == near(R["mmrm"]["mean_se"], rel=1e-5)
    assert column(result, "difference", pairs) == near(R["mmrm"]["difference"])
    assert column(result, "se", pairs) == near(R["mmrm"]["se"], rel=1e-5)


@pytest.mark.parametrize(
    ("strategy", "key"),
    [("mar", "mar"), ("jump-to-reference", "j2r"), ("copy-reference", "cr"), ("copy-increments", "cir")],
)
def test_conditional_mean_imputation(awkward: Source, strategy: str, key: str) -> None:
    result = answer(Question("mmrm"), with_options(awkward, "mmrm", imputation=strategy))
    pairs = [{"context": "contrast", "treatment": t, "variable": "imputed"} for t in DOSES]
    wanted = R["imputed"][key]
    assert column(result, "difference", pairs) == near(wanted["estimate"][:2], rel=1e-5)
    assert column(result, "se", pairs) == near(wanted["se"][:2], rel=1e-4)
    means = [{"context": "arm", "treatment": "High", "arm": a, "variable": "imputed"} for a in ("Placebo", "High")]
    assert column(result, "ls_mean", means) == near([wanted["estimate"][2], wanted["estimate"][4]], rel=1e-5)
    assert column(result, "se", means) == near([wanted["se"][2], wanted["se"][4]], rel=1e-4)


def test_ancova_with_sites_as_classes(awkward: Source) -> None:
    result = answer(Question("ancova"), awkward)
    for dose in DOSES:
        for visit in VISITS:
            wanted = R["ancova"][f"{dose} {visit:g}"]
            at = {"treatment": dose, "visit_number": visit}
            means = [{"context": "arm", "arm": a, **at} for a in ("Placebo", dose)]
            assert column(result, "ls_mean", means) == near(wanted["mean"])
            assert column(result, "se", means) == near(wanted["mean_se"])
            for name, key in (("difference", "difference"), ("se", "se"), ("df", "df"), ("p_value", "p")):
                assert result.get(name, context="contrast", **at).number() == near(wanted[key]), (dose, visit, name)


def test_random_slopes(awkward: Source) -> None:
    result = answer(Question("slope"), awkward)
    wanted = R["slope"]
    assert result.get("log_likelihood").number() == near(wanted["loglik"])
    pairs = [{"context": "contrast", "treatment": t} for t in DOSES]
    for name, key, rel in (("difference", "difference", 1e-5), ("se", "se", 1e-5), ("df", "df", 1e-4), ("p_value", "p", 1e-5)):
        assert column(result, name, pairs) == near(wanted[key], rel=rel), name


@pytest.mark.parametrize("dose", DOSES)
def test_joint_rank(awkward: Source, dose: str) -> None:
    result = answer(Question("joint"), awkward)
    wanted, at = R["joint"][dose], {"context": "contrast", "treatment": dose}
    for name in ("wins", "losses", "ties"):
        assert result.get(name, **at).stat == wanted[name]
    means = [{"context": "arm", "treatment": dose, "arm": a} for a in ("Placebo", dose)]
    assert column(result, "ls_mean", means) == near(wanted["mean"])
    for name, key in (("difference", "difference"), ("se", "se"), ("p_value", "p"), ("gehan_p", "p_gehan"), ("gehan_z", "z")):
        assert result.get(name, **at).number() == near(wanted[key]), name


def test_permutation_of_everybody_ranked(awkward: Source) -> None:
    """One ranked subject lacks a covariate: not in the ANCOVA, but in W and its re-randomisation. R lists every arrangement."""
    result = answer(Question("joint"), with_options(awkward, "joint", permutations=1000))
    low = {"treatment": "Low", "context": "contrast"}
    assert R["joint"]["Low"]["arrangements"] < 100_000
    assert result.get("permutation_gehan_p", **low).number() == pytest.approx(R["joint"]["Low"]["exact"], abs=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("dose", DOSES)
def test_time_to_event(awkward: Source, dose: str) -> None:
    result = answer(Question("survival"), awkward)
    wanted, at = R["survival"][dose], {"context": "contrast", "treatment": dose}
    for name, key in (("hazard_ratio", "hr"), ("p_value", "p"), ("ph_p", "ph"), ("log_rank_chisq", "chisq")):
        assert result.get(name, **at).number() == near(wanted[key]), name
