"""Where BASE is not delivered: the flagged record, else the baseline visit's, else the last value up to day 1 (METHODS 2)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tests.data.small_trial import ADSL, ADTTE, STUDY

from alsbench.analysis.records import endpoint_records
from alsbench.analysis.source import open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace

HEAD = "USUBJID,PARAMCD,PARAM,AVISIT,AVISITN,ADY,AVAL"
# subject, visit number, day, value: a value of the day of the first dose, one the day after, a blank that is no value
ROWS = (("01", 1, -5, "41"), ("01", 2, 1, "40"), ("01", 3, 2, "38"), ("02", 1, -5, "42"), ("02", 2, 1, ""), ("02", 3, 2, "39"))


@pytest.mark.parametrize(
    ("shift", "flags", "unplaced", "expected"),
    [
        (0, None, set(), {"01": 40.0, "02": 42.0}),  # no visit 0, no flag: the last value up to day 1
        (-2, None, set(), {"01": 40.0, "02": math.nan}),  # visit 2 is the baseline visit: nothing of B there
        (0, {("01", 1), ("02", 3)}, set(), {"01": 41.0, "02": 39.0}),  # flags before all
        # records without a visit number are no visit, and may be the baseline
        (0, {("01", 1), ("02", 1)}, {("01", 1), ("02", 1)}, {"01": 41.0, "02": 42.0}),
        (0, None, {("01", 2)}, {"01": 40.0, "02": 42.0}),
    ],
)
def test_baseline_without_base(
    tmp_path: Path,
    shift: int,
    flags: set[tuple[str, int]] | None,
    unplaced: set[tuple[str, int]],
    expected: dict[str, float],
) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    rows = [HEAD + (",ABLFL" if flags else "")]
    for subject, visit, day, value in ROWS:
        flag = ("," + ("Y" if (subject, visit) in flags else "")) if flags else ""
        number = "" if (subject, visit) in unplaced else visit + shift
        rows.append(f"{subject},ALSFRSR,ALSFRS-R Total,Visit {visit},{number},{day},{value}{flag}")
    for name, text in (("adsl", ADSL), ("adqs", "\n".join(rows) + "\n"), ("adtte", ADTTE)):
        (folder / f"{name}.csv").write_text(text, "utf-8")
    space = Workspace(tmp_path / "ws")
    space.create()
    space.study_path.write_text(STUDY, "utf-8")
    load([folder], space, study=space.read_study(), expect={})
    source = open_source(space.path)
    records = endpoint_records(source, source.endpoint("alsfrs"))
    assert len(records.subject) == len(ROWS) - len(unplaced)
    found = {source.subject_ids[i]: b for i, b in zip(records.subject, records.base, strict=True)}
    assert {s: found[s] for s in expected} == pytest.approx(expected, nan_ok=True)
