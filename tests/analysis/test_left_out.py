"""What an answer must say of people and names that do not fit: an arm outside the study, a missing stratum, a covariate called
as the model calls its own variables, a first significant visit at which the treatment is worse.

A made trial of 48 subjects; every expected count is of subjects changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.contrast import Piece
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.render.layout import page_text
from alsbench.render.tables import endpoint_page

STUDY = """
schema = 1
[study]
id = "MADE"
[arms]
reference = "P"
order = ["P", "A", "B"]
[populations]
FAS = "FASFL"
Safety = "SAFFL"
default = "FAS"
[[comparisons]]
treatment = "A"
horizon = 6
[[comparisons]]
treatment = "B"
horizon = 6
[endpoints.total]
method = "mmrm"
dataset = "ADQS"
paramcd = "TOT"
covariates = ["RATE", "SITE"]
[endpoints.visits]
method = "ancova"
dataset = "ADQS"
paramcd = "TOT"
covariates = ["RATE", "SITE"]
[endpoints.slopes]
method = "slope"
dataset = "ADQS"
paramcd = "TOT"
covariates = ["RATE", "SITE"]
[endpoints.cafs]
method = "joint_rank"
function = "total"
event = { dataset = "ADTTE", paramcd = "DTH" }
covariates = ["RATE", "SITE"]
strata = ["SITE"]
[endpoints.death]
method = "time_to_event"
dataset = "ADTTE"
paramcd = "DTH"
strata = ["SITE"]
covariates = ["RATE"]
[endpoints.ae]
method = "incidence"
dataset = "ADAE"
population = "Safety"
[[subgroups]]
name = "slow"
where = "RATE <= mean(RATE)"
"""
VISITS = (1, 3, 6)
MODELS = ("total", "visits", "slopes", "cafs")
Tables = dict[str, pd.DataFrame]
Change = Callable[[Tables], None]


def made() -> Tables:
    rng = np.random.default_rng(8)
    n = 48
    ids, arm = [f"S{i:02d}" for i in range(n)], np.tile(["P", "A", "B"], n // 3)
    adsl = pd.DataFrame({"USUBJID": ids, "TRT01P": arm, "TRT01A": arm, "FASFL": "Y", "SAFFL": "Y"})
    adsl["RATE"], adsl["SITE"] = np.round(rng.normal(1, 0.3, n), 3), rng.choice(["X", "Y"], n)
    base, own = np.round(rng.normal(39, 3, n)), rng.normal(0, 0.4, n)
    records = [
        (
            ids[i],
            "TOT",
            v,
            f"Month {v}" if v else "Baseline",
            base[i] - np.round((1 + own[i]) * v + (v > 0) * rng.normal(0, 1.5)),
        )
        for i in range(n)
        for v in (0, *VISITS)
    ]
    adqs = pd.DataFrame(records, columns=["USUBJID", "PARAMCD", "AVISITN", "AVISIT", "AVAL"])
    adtte = pd.DataFrame({"USUBJID": ids, "PARAMCD": "DTH", "AVAL": rng.integers(60, 400, n), "CNSR": rng.integers(0, 2, n)})
    adae = pd.DataFrame({"USUBJID": ids[:9], "AEBODSYS": "Gut", "AEDECOD": "Nausea", "TRTEMFL": "Y"})
    return {"adsl": adsl, "adqs": adqs, "adtte": adtte, "adae": adae}


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Source]:
    def change_and_load(change: Change, study: str = STUDY) -> Source:
        tables = made()
        change(tables)
        number = len(list(tmp_path.iterdir()))
        files, workspace = tmp_path / f"{number}", Workspace(tmp_path / f"{number}-ws")
        files.mkdir()
        for name, table in tables.items():
            table.to_csv(files / f"{name}.csv", index=False)
        workspace.create()
        workspace.study_path.write_text(study)
        load(sorted(files.iterdir()), workspace, study=workspace.read_study(), expect={})
        return replace(open_source(workspace.path), results_dir=None)

    return change_and_load


def subgroup(result: Result) -> str:
    return next(text for name, text in result.facts.lines if name == "Subgroup")


def test_members_of_no_arm_are_counted(loaded: Callable[..., Source]) -> None:
    """S00 to S05 have two of every arm; their planned arm is written otherwise, and S03's actual one."""

    def change(tables: Tables) -> None:
        tables["adsl"].loc[:5, "TRT01P"] = tables["adsl"].TRT01P[:6].str.lower()
        tables["adsl"].loc[3, "TRT01A"] = "Z"

    source = loaded(change)
    assert "n = 48 (P 14, A 14, B 14, in no arm of the study 6)" in subgroup(answer(Question("visits"), source))
    # adverse events are by actual arm: only S03, who was given P, is in none
    assert "n = 48 (P 15, A 16, B 16, in no arm of the study 1)" in subgroup(answer(Question("ae"), source))


def test_a_missing_stratum_is_said(loaded: Callable[..., Source]) -> None:
    def change(tables: Tables) -> None:
        tables["adsl"].loc[[0, 4], "SITE"] = ""

    source = loaded(change)
    assert "2 subjects have no SITE: taken as a stratum of their own" in answer(Question("death"), source).warnings
    # S00 is of the reference arm, in both rankings; S04 of A, in one
    said = [w for w in answer(Question("cafs"), source).warnings if "stratum" in w]
    assert said == [
        "2 subjects have no SITE: taken as a stratum of their own",
        "1 subject has no SITE: taken as a stratum of their own",
    ]


def test_a_covariate_may_be_called_as_the_model_calls_its_own(loaded: Callable[..., Source]) -> None:
    """The numbers, interactions included, are those of the same columns under other names."""
    names = {"PART": "C1", "VISIT": "C2", "BASE": "C3", "TIME": "C4"}

    def change(tables: Tables) -> None:
        rng = np.random.default_rng(3)
        for column, other in names.items():
            drawn = rng.choice(["U", "V"], 48) if column in ("PART", "VISIT") else rng.normal(0, 1, 48)
            tables["adsl"][column] = tables["adsl"][other] = drawn

    def pieces(covariates: Iterable[str]) -> list[Piece]:
        source = loaded(change, STUDY.replace('covariates = ["RATE", "SITE"]', f"covariates = {list(covariates)}"))
        return [evidence_piece(source, source.endpoint(e), "slow", source.study.comparisons) for e in MODELS]

    for ours, wanted in zip(pieces(names), pieces(names.values()), strict=True):
        assert [(r.key(), r.stat) for r in ours.rows] == [(r.key(), r.stat) for r in wanted.rows]
        assert all(c.p is not None and c.interaction_p is not None for c in ours.cells)


@pytest.mark.parametrize("name", ["total", "visits"])
def test_a_first_visit_at_which_the_treatment_is_worse_says_so(loaded: Callable[..., Source], name: str) -> None:
    """Eight points are taken from A at month 1 and given to B: both are significant, in opposite directions."""

    def change(tables: Tables) -> None:
        q, arm = tables["adqs"], tables["adsl"].set_index("USUBJID").TRT01P
        q["AVAL"] += (q.AVISITN == 1) * q.USUBJID.map(arm).map({"P": 0, "A": -8, "B": 8})

    result = answer(Question(name), loaded(change))
    first = {r.treatment: r for r in result.rows if r.stat_name == "first_visit"}
    assert (first["A"].stat, first["A"].warning) == (1.0, "A is worse there")
    assert (first["B"].stat, first["B"].warning) == (1.0, None)
    page = page_text(endpoint_page(result))
    assert "A vs P: first at 1, but A is worse there" in page
    assert "B is worse" not in page
