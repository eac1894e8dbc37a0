"""PRO-ACT files become a study by the rules of METHODS 9, and every quirk is counted. All files here are synthetic.

Expected numbers are worked out by hand from the rows in ``proact_files.quirks``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.derive.proact_files import quirks, revised, whole_trial, write
from tests.data.small_trial import NOW

from alsbench.data.frames import Frame
from alsbench.data.load import load
from alsbench.data.receipt import Receipt, RuleFinding
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UsageError

DERIVED = ["ADSL", "ADQS", "ADRE", "ADTTE", "ADAE", "DERIVATIONS", "QCREPORT", "QUARANTINE"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Receipt, Snapshot]:
    folder = tmp_path_factory.mktemp("proact")
    workspace = Workspace(folder / "ws")
    receipt = load([write(folder / "files", quirks())], workspace, now=NOW)
    return receipt, workspace.open_current()


def rows(frame: Frame, **keys: object) -> list[dict[str, Any]]:
    records = [dict(zip(frame.names, values, strict=True)) for values in zip(*frame.columns.values(), strict=True)]
    return [r for r in records if all(r[k] == v for k, v in keys.items())]


def found(receipt: Receipt, rule: str, table: str) -> RuleFinding:
    (one,) = [f for f in receipt.findings if f.rule == rule and f.table == table]
    return one


def total(snapshot: Snapshot, subject: str, code: str = "ALSFRSR") -> list[tuple[float, float, float]]:
    """(ADY, AVISITN, AVAL) of one subject."""
    records = rows(snapshot.frame("ADQS"), USUBJID=subject, PARAMCD=code)
    return [(r["ADY"], -1.0 if np.isnan(r["AVISITN"]) else r["AVISITN"], r["AVAL"]) for r in records]


@pytest.mark.parametrize("style", ["new", "proact", "old"])
def test_every_release_naming_gives_the_same_tables(tmp_path: Path, style: str) -> None:
    workspaces = [Workspace(tmp_path / "a"), Workspace(tmp_path / "b")]
    for space, naming in zip(workspaces, ("new", style), strict=True):
        load([write(tmp_path / f"{naming}-{space.path.name}", quirks(), style=naming)], space, now=NOW)
    one, other = (space.open_current() for space in workspaces)
    for name in ("ADSL", "ADQS", "ADRE", "ADTTE", "ADAE"):
        assert one.tables[name].sha256 == other.tables[name].sha256


def test_source_rows_are_all_stored_and_derived_tables_stand_beside_them(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    for name, (_, records) in quirks().items():
        assert snapshot.tables[f"F_PROACT_{name}"].rows == len(records)
    made = {f.dataset: f for f in receipt.files if f.name == "derived from PROACT"}
    assert list(made) == DERIVED
    assert any("[-30, +7]" in m for m in made["ADQS"].messages)
    assert any("100 * litres / normal" in m for m in made["ADRE"].messages)


def test_baseline_is_the_record_closest_to_day_0_and_months_are_windows(loaded: tuple[Receipt, Snapshot]) -> None:
    _, snapshot = loaded
    # days -5 and 5 are equally close to 0: the later; -40 is outside [-30, +7]; day 31 is 1 from month 1's target (30), 29 too
    assert total(snapshot, "1") == [(-40, -1, 48), (-5, -1, 48), (5, 0, 36), (29, -1, 24), (31, 1, 36), (61, 2, 24)]
    later = rows(snapshot.frame("ADQS"), USUBJID="1", PARAMCD="ALSFRSR", AVISITN=2.0)
    assert [(r["BASE"], r["CHG"], r["AVISIT"], r["AWTARGET"], r["AWTDIFF"]) for r in later] == [(36, -12, "Month 2", 61, 0)]
    assert [r["ABLFL"] for r in rows(snapshot.frame("ADQS"), USUBJID="1", PARAMCD="ALSFRSR")] == [
        None,
        None,
        "Y",
        None,
        None,
        None,
    ]


def test_a_record_outside_the_baseline_range_is_no_baseline(loaded: tuple[Receipt, Snapshot]) -> None:
    _, snapshot = loaded
    records = rows(snapshot.frame("ADQS"), USUBJID="7", PARAMCD="ALSFRSR")
    assert [(r["ADY"], r["ABLFL"]) for r in records] == [(10, None), (60, None)]
    assert all(np.isnan(r["BASE"]) and np.isnan(r["CHG"]) for r in records)


def test_exact_duplicates_are_dropped_and_counted(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    assert total(snapshot, "2") == [(0, 0, 48), (30, 1, 36)]
    finding = found(receipt, "proact-duplicate", "F_PROACT_ALSFRS")
    assert (finding.count, finding.rows, finding.severity) == (1, (8,), "note")
    assert found(receipt, "proact-duplicate", "F_PROACT_ADVERSEEVENTS").rows == (2,)


def test_same_subject_and_day_with_different_values_is_quarantined(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    assert total(snapshot, "3") == [(0, 0, 48), (60, 2, 24)]
    assert found(receipt, "proact-conflict", "F_PROACT_ALSFRS").rows == (11, 12)
    aside = rows(snapshot.frame("QUARANTINE"), SOURCE="F_PROACT_ALSFRS", USUBJID="3")
    assert [(r["ROW"], r["ADY"], r["REASON"]) for r in aside] == [
        (11, 30, "same subject and day, different values"),
        (12, 30, "same subject and day, different values"),
    ]


def test_item_5_asked_both_ways_is_quarantined(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    assert total(snapshot, "4") == [(0, 0, 48), (60, 2, 36)]
    assert found(receipt, "proact-item-5", "F_PROACT_ALSFRS").rows == (15,)
    assert [r["ADY"] for r in rows(snapshot.frame("ADQS"), USUBJID="4", PARAMCD="ALSFR05B")] == [60]
    assert [r["ADY"] for r in rows(snapshot.frame("ADQS"), USUBJID="4", PARAMCD="ALSFR05A")] == [0]


def test_alsfrs_is_not_alsfrs_r_and_its_conversion_is_labelled(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    assert total(snapshot, "5") == []
    assert total(snapshot, "5", "ALSFRS") == [(0, 0, 40), (30, 1, 30)]
    assert total(snapshot, "5", "ALSFRSRC") == [(0, 0, 48), (30, 1, 36)]  # 9 items of 3, and three times 3
    assert found(receipt, "proact-not-revised", "F_PROACT_ALSFRS").count == 2
    converted = rows(snapshot.frame("ADQS"), USUBJID="5", PARAMCD="ALSFRSRC")
    assert {r["DTYPE"] for r in converted} == {"CONVERTED"}
    assert all("sensitivity" in r["PARAM"] for r in converted)
    assert {r["DTYPE"] for r in rows(snapshot.frame("ADQS"), PARAMCD="ALSFRSR")} == {None}
    assert total(snapshot, "5", "ALSFQ10") == [(0, 0, 4), (30, 1, 3)]
    (subject,) = rows(snapshot.frame("ADSL"), USUBJID="5")
    assert np.isnan(subject["BLALSFR"])
    assert subject["BLALSFRS"] == 40


def test_visits_after_death_are_flagged_and_count_nowhere(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    late = rows(snapshot.frame("ADQS"), USUBJID="6", PARAMCD="ALSFRSR", ADY=90.0)
    assert [(r["AFTDTHFL"], r["ANL01FL"], np.isnan(r["AVISITN"])) for r in late] == [("Y", None, True)]
    assert found(receipt, "proact-after-death", "F_PROACT_ALSFRS").rows == (20,)


def test_totals_are_recomputed_and_every_mismatch_reported(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    assert total(snapshot, "8") == [(0, 0, 48), (30, 1, 36)]  # delivered: 40
    assert total(snapshot, "9") == [(30, 1, 36)]  # item 12 missing on day 0: no total
    assert total(snapshot, "10") == [(0, 0, 44), (30, 1, 40)]  # no items at all: as delivered
    said = {f.rows: f.what for f in receipt.findings if f.rule == "proact-total"}
    assert "not the sum" in said[(23,)]
    assert "items are missing" in said[(25,)]
    assert "as delivered" in said[(27, 28)]


def test_records_without_a_day_and_items_out_of_range_are_quarantined(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    assert total(snapshot, "11") == [(0, 0, 48)]
    assert found(receipt, "proact-no-day", "F_PROACT_ALSFRS").rows == (29,)
    assert found(receipt, "proact-item-range", "F_PROACT_ALSFRS").rows == (31,)


def test_vital_capacity_is_the_best_trial_and_percent_is_computed_where_absent(loaded: tuple[Receipt, Snapshot]) -> None:
    _, snapshot = loaded

    def values(code: str) -> list[tuple[str, float, float, str | None]]:
        return [(r["USUBJID"], r["ADY"], r["AVAL"], r["DTYPE"]) for r in rows(snapshot.frame("ADRE"), PARAMCD=code)]

    assert values("FVCL") == [("1", 0, 3, None), ("1", 30, 2.2, None), ("2", 0, 4, None)]
    assert values("FVCPP") == [("1", 0, 75, "COMPUTED"), ("1", 30, 60, None), ("2", 0, 80, None)]  # 100 * 3 / 4
    assert values("SVCL") == [("2", 0, 2.4, None), ("2", 31, 2, None)]
    assert values("SVCPP") == [("2", 0, 60, "COMPUTED"), ("2", 31, 51, None)]


def test_history_takes_the_first_value_of_each_column(loaded: tuple[Receipt, Snapshot]) -> None:
    _, snapshot = loaded
    (one,) = rows(snapshot.frame("ADSL"), USUBJID="1")
    assert (one["ONSETSIT"], one["DURDIS"], one["DIAGDUR"]) == ("BULBAR", 24, 12)
    assert one["PROGRATE"] == pytest.approx((48 - 36) / ((730.5 + 5) / 30.4375))  # onset to the baseline record, on day 5
    (two,) = rows(snapshot.frame("ADSL"), USUBJID="2")
    assert two["ONSETSIT"] == "LIMB"
    assert np.isnan(two["PROGRATE"])  # onset 20 days before entry


def test_demographics(loaded: tuple[Receipt, Snapshot]) -> None:
    _, snapshot = loaded
    held = {r["USUBJID"]: r for r in rows(snapshot.frame("ADSL"))}
    assert [(held[s]["AGE"], held[s]["SEX"], held[s]["RACE"]) for s in "12"] == [(63, "M", "CAUCASIAN"), (55, "F", "MULTIPLE")]
    assert [held[s]["RILUFL"] for s in "123"] == ["Y", "N", None]
    assert list(held) == [str(s) for s in range(1, 13)]


def test_arms_come_from_study_arm_and_contradictions_leave_none(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    held = {r["USUBJID"]: r for r in rows(snapshot.frame("ADSL"))}
    assert (held["1"]["TRT01P"], held["1"]["TRT01A"], held["2"]["TRT01P"]) == ("Active", "Active", "Placebo")
    assert [(held[s]["TRT01P"], held[s]["FASFL"]) for s in ("11", "12")] == [(None, "N"), (None, "N")]
    assert found(receipt, "proact-conflict", "F_PROACT_TREATMENT").rows == (11, 12)
    assert found(receipt, "proact-no-arm", "ADSL").keys == ("11", "12")


def test_no_death_recorded_is_unknown_not_alive(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    events = {r["USUBJID"]: (r["AVAL"], r["CNSR"]) for r in rows(snapshot.frame("ADTTE"))}
    assert events["6"] == (80, 0)
    assert events["1"] == (200, 1)  # the laboratory sample on day 200 is the last contact
    assert events["2"] == (45, 1)
    assert events["3"] == (60, 1)  # died, nobody knows when
    assert events["8"] == (30, 1)  # two days of death: neither is believed
    held = {r["USUBJID"]: r["DTHFL"] for r in rows(snapshot.frame("ADSL"))}
    assert [held[s] for s in ("6", "3", "2", "1", "8")] == ["Y", "Y", "N", None, None]
    assert found(receipt, "proact-death-day", "F_PROACT_DEATHDATA").keys == ("3",)
    assert found(receipt, "proact-conflict", "F_PROACT_DEATHDATA").rows == (4, 5)


def test_adverse_events(loaded: tuple[Receipt, Snapshot]) -> None:
    _, snapshot = loaded
    events = [(r["USUBJID"], r["AEDECOD"], r["AEBODSYS"], r["TRTEMFL"]) for r in rows(snapshot.frame("ADAE"))]
    assert events == [
        ("1", "Fall", "Injury", "Y"),
        ("10", "Cough", "Respiratory", None),  # day 3, treated from day 5
        ("10", "Pruritus", "Skin", "Y"),  # on day 5
        ("10", "Nasopharyngitis", "Infections", "Y"),  # start unknown
    ]


def test_the_quality_report_travels_with_the_data(loaded: tuple[Receipt, Snapshot]) -> None:
    receipt, snapshot = loaded
    told = {(r["RULE"], r["SOURCE"], r["COUNT"]) for r in rows(snapshot.frame("QCREPORT"))}
    assert told == {(f.rule, f.table, f.count) for f in receipt.findings if f.rule.startswith("proact-")}
    counted = sum(f.count for f in receipt.findings if "quarantined" in f.what)
    assert len(snapshot.frame("QUARANTINE")) == counted


def test_two_files_of_one_table_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    folder = write(tmp_path / "proact", quirks())
    (folder / "alsfrs.csv").write_bytes((folder / "F_PROACT_ALSFRS.csv").read_bytes())
    with pytest.raises(DataError, match="two files are PRO-ACT's ALSFRS"):
        load([folder], workspace, now=NOW)
    assert workspace.current_name() is None


def test_two_columns_of_one_name_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    files = quirks()
    files["ALSFRS"] = (("Subject_ID", *files["ALSFRS"][0][1:-1], "R_1__Dyspnea"), files["ALSFRS"][1])
    with pytest.raises(DataError, match="one name but for case and underscores"):
        load([write(tmp_path / "proact", files)], workspace, now=NOW)


def test_without_any_usable_record_the_load_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    files = {name: content for name, content in quirks().items() if name not in ("FVC", "SVC")}
    files["ALSFRS"] = (files["ALSFRS"][0], [revised(1, None, 4), revised(2, None, 4)])
    with pytest.raises(DataError, match="no usable record is left"):
        load([write(tmp_path / "proact", files)], workspace, now=NOW)
    files["FVC"] = quirks()["FVC"]
    load([write(tmp_path / "again", files)], workspace, now=NOW)
    assert "ADQS" not in workspace.open_current().tables


def test_layout_can_be_said(tmp_path: Path, workspace: Workspace) -> None:
    folder = write(tmp_path / "proact", quirks())
    receipt = load([folder], workspace, now=NOW, layout="adam")
    assert not [f for f in receipt.files if f.name.startswith("derived")]
    with pytest.raises(UsageError, match="there is no layout proactt"):
        load([folder], workspace, now=NOW, layout="proactt")
    only = tmp_path / "only.csv"
    only.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(DataError, match="neither ALSFRS nor FVC nor SVC"):
        load([only], workspace, now=NOW, layout="proact")


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    files = quirks()
    backwards = {name: (columns, records[::-1]) for name, (columns, records) in files.items() if name != "ALSHISTORY"}
    backwards["ALSHISTORY"] = files["ALSHISTORY"]
    spaces = [Workspace(tmp_path / "a"), Workspace(tmp_path / "b")]
    for space, content in zip(spaces, (files, backwards), strict=True):
        load([write(tmp_path / f"files-{space.path.name}", content)], space, now=NOW)
    one, other = (space.open_current() for space in spaces)
    for name in ("ADSL", "ADQS", "ADRE", "ADTTE"):
        assert one.tables[name].sha256 == other.tables[name].sha256


def test_a_clean_trial_needs_no_quarantine(tmp_path: Path, workspace: Workspace) -> None:
    receipt = load([write(tmp_path / "proact", whole_trial(12))], workspace, now=NOW)
    assert [f for f in receipt.findings if f.rule.startswith("proact-")] == []
    assert "QUARANTINE" not in workspace.open_current().tables


def test_text_in_a_number_column_is_counted(tmp_path: Path, workspace: Workspace) -> None:
    files = quirks()
    files["ALSFRS"][1].append(revised(1, 92, 2, "n/a"))
    receipt = load([write(tmp_path / "proact", files)], workspace, now=NOW)
    finding = found(receipt, "proact-unreadable", "F_PROACT_ALSFRS")
    assert (finding.count, finding.keys) == (1, ("1",))
