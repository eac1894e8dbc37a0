"""Parameters of the CDISC pilot whose delivery asks for care: the CIBIC+ without a baseline, weights at the end of treatment.

The CIBIC+ is an impression of change: ADCIBC has neither BASE nor CHG, and no record at baseline. In ADVS weights of visit 99
(End of Treatment) are those of the subject's last visit again. Expected counts are counted with pandas.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.cdisc_pilot.conftest import STUDY, pilot_data

from alsbench.__main__ import main
from alsbench.analysis.question import Question
from alsbench.analysis.records import endpoint_records
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source, open_source
from alsbench.data.checks import run_checks
from alsbench.data.load import load
from alsbench.data.workspace import Workspace

ENDPOINTS = """
[endpoints.cibic]
title = "CIBIC+"
method = "responder"
dataset = "ADCIBC"
paramcd = "CIBICVAL"
where = "ANL01FL == 'Y'"
threshold = -1
better = "lower"

[endpoints.weight]
title = "Weight"
method = "responder"
dataset = "ADVS"
paramcd = "WEIGHT"
where = "ANL01FL == 'Y' and AVISITN != 99"
threshold = -2
better = "higher"
"""


def source_of(folder: Path, advs: pd.DataFrame) -> Source:
    data = folder / "data"
    data.mkdir()
    for name in ("adsl", "adae", "adtte", "adadas", "adcibc"):
        pilot_data(name).to_parquet(data / f"{name}.parquet", index=False)
    advs.to_parquet(data / "advs.parquet", index=False)
    space = Workspace(folder / "ws")
    space.create()
    space.study_path.write_text(STUDY.read_text() + ENDPOINTS)
    load([data], space, study=space.read_study())
    return open_source(space.path)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    advs = pilot_data("advs")
    return source_of(tmp_path_factory.mktemp("pilot"), advs[advs.PARAMCD == "WEIGHT"])


def test_a_response_that_cannot_be_derived_is_no_zero(source: Source) -> None:
    result = answer(Question("cibic"), source)
    rows = [r for r in result.rows if r.stat_name in ("count", "percent", "risk_difference", "risk_difference_low")]
    assert {r.visit_number for r in rows} == {8.0, 16.0, 24.0}
    assert all(r.stat is None for r in rows)
    (reason,) = {r.error for r in rows}
    assert reason == "no change from baseline can be derived: CIBICVAL in ADCIBC has neither BASE nor a baseline record"
    assert reason in result.warnings
    assert not [r for r in result.rows if r.stat_name == "hazard_ratio" and r.stat is not None]


def test_it_is_printed_as_not_estimable(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["endpoint", "cibic", "-w", str(source.snapshot.path.parents[1])]) == 0
    out = capsys.readouterr().out
    assert "NE" in out and "0.0 (" not in out and "no change from baseline can be derived" in " ".join(out.split())


@pytest.mark.parametrize("drop", [("BASE", "CHG", "PCHG"), ("CHG", "PCHG"), ("BASE", "CHG", "PCHG", "ABLFL")])
def test_a_change_is_derived_where_a_baseline_record_is(
    source: Source, tmp_path: Path, drop: tuple[str, ...], pilot: Callable[[str], pd.DataFrame]
) -> None:
    """Weights without BASE and CHG give the delivered changes: the baseline records are there."""
    advs = pilot("advs")
    weight = advs[advs.PARAMCD == "WEIGHT"].drop(columns=list(drop))
    other = source_of(tmp_path, weight)
    found, wanted = (endpoint_records(s, s.endpoint("weight")) for s in (other, source))
    np.testing.assert_array_equal(found.visit, wanted.visit)
    after = wanted.visit > 0
    np.testing.assert_allclose(found.chg[after], wanted.chg[after], atol=1e-9)
    numbers = [{r.key(): r.stat for r in answer(Question("weight"), s).rows if r.stat_name == "count"} for s in (other, source)]
    assert numbers[0] == numbers[1]


def test_records_that_repeat_another_visits_are_found(source: Source, pilot: Callable[[str], pd.DataFrame]) -> None:
    weight = pilot("advs").query("PARAMCD == 'WEIGHT' and ANL01FL == 'Y' and AVISITN.notna() and AVAL.notna()")
    expected = weight.groupby(["USUBJID", "ADT", "AVAL"]).AVISITN.transform("nunique").gt(1).sum()
    (found,) = [
        f for f in run_checks(source.snapshot, source.study).findings if (f.rule, f.table) == ("repeated-record", "ADVS")
    ]
    assert found.count == expected > 200


def test_init_proposes_no_visit_that_repeats_others(tmp_path: Path, pilot: Callable[[str], pd.DataFrame]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pilot("adsl").to_parquet(data / "adsl.parquet", index=False)
    advs = pilot("advs")
    for label in ("End of Treatment", "Visit X"):
        changed = advs[advs.PARAMCD == "WEIGHT"].copy()
        changed["AVISIT"] = changed.AVISIT.replace("End of Treatment", label)
        changed.to_parquet(data / "advs.parquet", index=False)
        assert main(["init", str(tmp_path / label), str(data), "--quiet"]) == 0
        text = (tmp_path / label / "study.toml").read_text()
        assert "horizon = 26" in text and "horizon = 99" not in text
        assert "AVISITN not in (99)" in text
