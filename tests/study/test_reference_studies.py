"""The study files of the reference trials say the models whose numbers the reference folders hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from alsbench.study.phrase import parse_phrase, subgroup_names
from alsbench.study.study_file import read_study

REFERENCE = Path(__file__).parents[1] / "reference"
CODES = {"als-ref-1": ("ALSFRSR", "NFL", "month"), "als-ref-2": ("ALSTOT", "NEFL", "week")}


@pytest.mark.parametrize("trial", CODES)
def test_reference_study(trial: str) -> None:
    study = read_study(REFERENCE / trial / "study.toml")
    total, nfl, unit = CODES[trial]
    assert study.visits.unit == unit
    assert study.endpoints["alsfrs"].paramcd == total
    assert (study.endpoints["nfl"].paramcd, study.endpoints["nfl"].scale) == (nfl, "log")
    assert study.endpoints["alsfrs_ancova"].covariates == ("LEADRATE", "ONSETSIT", "RILUFL")
    assert study.endpoints["cafs"].covariates == ("BLALSFR", "LEADRATE", "ONSETSIT", "RILUFL")
    methods = {e.method for e in study.endpoints.values()}
    assert methods == {"mmrm", "joint_rank", "ancova", "slope", "time_to_event", "incidence", "baseline"}
    assert parse_phrase("fast", subgroup_names(study)).canonical() == "not slow"
    assert all(c.horizon for c in study.comparisons)
