"""Dates written as text: the ways they are known by, in every format, and what a column that is no date does to the checks."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
from tests.data.sas7bdat_files import Column, write_sas7bdat
from tests.data.small_trial import ADQS, ADSL, NOW

from alsbench.data.load import load
from alsbench.data.readers.files import read
from alsbench.data.receipt import Receipt
from alsbench.data.workspace import Workspace

DAYS = [date(2020, 1, 31), date(2021, 12, 5), date(2020, 2, 29)]  # the 29th of February of a leap year is a day
WAYS = {
    "%Y-%m-%d": "",
    "%Y-%m-%dT00:00:00": "",
    "%Y-%m-%d 00:00:00": "",
    "%Y%m%d": "yyyymmdd",
    "%Y/%m/%d": "year/month/day",
    "%d%b%Y": "day, name of the month, year",
    "%d-%b-%Y": "day, name of the month, year",
    "%d %B %Y": "day, name of the month, year",
    "%d%b%Y:00:00:00": "day, name of the month, year",
    "%d.%m.%Y": "day.month.year",
    "%d/%m/%Y": "day/month/year",
    "%m/%d/%Y": "month/day/year",
    "%d-%m-%Y": "day/month/year",
}
NO_DATES = {
    "impossible": ["2020-01-31", "2021-02-29", "2020-12-05"],
    "partial": ["2020-01-31", "2021-02", "2020-12-05"],
    "year alone": ["2020-01-31", "2021", "2020-12-05"],
    "word": ["2020-01-31", "NA", "2020-12-05"],
    "time of day": ["2020-01-31", "2021-12-05T10:30:00", "2020-12-05"],
    "another way": ["2020-01-31", "05.12.2021", "2020-12-05"],
    "month without a name": ["31JAN2020", "05DEX2021", "05DEC2020"],
    "31st of February": ["31JAN2020", "31FEB2021", "05DEC2020"],
    "thirteenth month": ["31.01.2020", "05.13.2021", "05.12.2020"],
    "neither way": ["31/01/2020", "12/31/2020", "13/02/2020"],
}


def _column(path: Path, name: str = "TRTSDT") -> tuple[str, list[object], list[str]]:
    """Kind and values of a column, and the remarks about it."""
    (dataset,) = read(path)
    (info,) = [c for c in dataset.columns if c.name == name]
    values = dataset.table().column(name).to_pylist()
    return info.kind, values, [r for r in dataset.remarks if name in r]


def _csv(path: Path, values: list[str], name: str = "TRTSDT") -> Path:
    path.write_text(f"USUBJID;{name}\n" + "".join(f"S{i};{v}\n" for i, v in enumerate(values)), "utf-8")
    return path


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_ways_of_writing_a_date(tmp_path: Path, way: str, case: type[str]) -> None:
    texts = [case(d.strftime(way)).replace("t00", "T00") for d in DAYS]
    kind, values, remarks = _column(_csv(tmp_path / "adsl.csv", [*texts, ""]))
    assert (kind, values) == ("date", [*DAYS, None])
    assert remarks == ([f"TRTSDT: dates were read as {WAYS[way]}"] if WAYS[way] else [])


@pytest.mark.parametrize("texts", [
    ["2021年3月9日", "2021年12月30日"], ["2021년 3월 9일", "2021년 12월 30일"], ["2021. 3. 9.", "2021. 12. 30."],
    ["9. März 2021", "30. Dezember 2021"], ["9. Mär 2021", "30. Dez 2021"], ["9 mars 2021", "30 décembre 2021"],
    ["9 de marzo de 2021", "30 de diciembre de 2021"], ["9 MARZO 2021", "30 Diciembre 2021"],
])  # fmt: skip
def test_dates_as_a_country_writes_them(tmp_path: Path, texts: list[str]) -> None:
    kind, values, (remark,) = _column(_csv(tmp_path / "adsl.csv", texts))
    assert (kind, values) == ("date", [date(2021, 3, 9), date(2021, 12, 30)])
    assert remark.startswith("TRTSDT: dates were read as ")


@pytest.mark.parametrize("text", ["2021年13月9日", "31. Februar 2021", "9 mars 21", "9 mercredi 2021"])
def test_what_no_country_writes_is_no_date(tmp_path: Path, text: str) -> None:
    kind, _, (remark,) = _column(_csv(tmp_path / "adsl.csv", [text]))
    assert kind == "text" and remark.startswith("TRTSDT is text")


@pytest.mark.parametrize("texts", [["03/04/2020", "05/06/2021"], ["3/4/2020", "12/12/2020"], ["03-04-2020", "01-02-2020"]])
def test_day_and_month_that_nothing_tells_apart(tmp_path: Path, texts: list[str]) -> None:
    kind, values, (remark,) = _column(_csv(tmp_path / "adsl.csv", texts))
    assert (kind, values) == ("text", texts)
    assert remark == f"TRTSDT is text: day and month cannot be told apart (row 1: {texts[0]})"


def test_a_day_that_is_the_same_either_way_needs_no_telling(tmp_path: Path) -> None:
    kind, values, _ = _column(_csv(tmp_path / "adsl.csv", ["05/05/2020", "12/12/2021"]))
    assert (kind, values) == ("date", [date(2020, 5, 5), date(2021, 12, 12)])


@pytest.mark.parametrize("texts", [["31.01.20", "05.12.21"], ["31JAN20"], ["20-01-31"], ["31/01/20"]])
def test_years_of_two_digits_are_no_dates(tmp_path: Path, texts: list[str]) -> None:
    kind, _, (remark,) = _column(_csv(tmp_path / "adsl.csv", texts))
    assert kind == "text"
    assert remark == f"TRTSDT is text: row 1 is the first that holds no date: {texts[0]}"


@pytest.mark.parametrize("what", NO_DATES)
def test_the_first_value_that_is_no_date_is_named(tmp_path: Path, what: str) -> None:
    texts = NO_DATES[what]
    kind, values, (remark,) = _column(_csv(tmp_path / "adsl.csv", texts))
    assert (kind, values) == ("text", texts)
    assert remark.startswith(f"TRTSDT is text: row 2 is the first that holds no date: {texts[1]}; most are ")


@pytest.mark.parametrize("name", ["TRTSDT", "trtsdt", "Adt"])
def test_names_in_any_case(tmp_path: Path, name: str) -> None:
    assert _column(_csv(tmp_path / "adsl.csv", ["31.01.2020"], name), name)[0] == "date"


@pytest.mark.parametrize("name", ["ASTDTC", "NOTE", "ADTM"])
def test_other_columns_stay_what_they_are(tmp_path: Path, name: str) -> None:
    assert _column(_csv(tmp_path / "adsl.csv", ["31.01.2020"], name), name) == ("text", ["31.01.2020"], [])


def _written(folder: Path, form: str, texts: list[str]) -> Path:
    """A table with the texts in column TRTSDT, in a format that says they are text."""
    frame = pd.DataFrame({"USUBJID": [f"S{i}" for i in range(len(texts))], "TRTSDT": texts})
    path = folder / f"adsl.{form}"
    match form:
        case "csv" | "tsv":
            frame.to_csv(path, sep="," if form == "csv" else "\t", index=False)
        case "xlsx":
            frame.to_excel(path, index=False)
        case "parquet":
            pq.write_table(pa.table({n: pa.array(frame[n].tolist(), pa.string()) for n in frame}), path)
        case "json":
            columns = [{"itemOID": n, "name": n, "label": n, "dataType": "string"} for n in frame]
            meta = {"datasetJSONVersion": "1.1.0", "name": "ADSL", "records": len(frame), "columns": columns}
            path.write_text(json.dumps(meta | {"rows": frame.to_numpy().tolist()}), "utf-8")
        case "xpt":
            pyreadstat.write_xport(frame, path, table_name="ADSL", file_format_version=5)
        case _:
            rows = [tuple(row) for row in frame.to_numpy().tolist()]
            write_sas7bdat(path, (Column("USUBJID", 8), Column("TRTSDT", 24)), rows)
    return path


FORMATS = ["csv", "tsv", "xlsx", "parquet", "json", "xpt", "sas7bdat"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("way", ["%Y-%m-%d", "%d%b%Y", "%d.%m.%Y", "%m/%d/%Y"])
def test_texts_of_every_format(tmp_path: Path, form: str, way: str) -> None:
    kind, values, _ = _column(_written(tmp_path, form, [d.strftime(way) for d in DAYS]))
    assert (kind, values) == ("date", DAYS)


@pytest.mark.parametrize("form", FORMATS)
def test_a_bad_date_is_named_in_every_format(tmp_path: Path, form: str) -> None:
    kind, _, (remark,) = _column(_written(tmp_path, form, ["2020-01-31", "2021-02-29", "2020-12-05"]))
    assert kind == "text"
    assert remark == "TRTSDT is text: row 2 is the first that holds no date: 2021-02-29; most are year-month-day"


def test_cells_of_excel_that_are_dates_but_for_one(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["USUBJID", "TRTSDT"], ["a", DAYS[0]], ["b", "05.12.2021"], ["c", None]):
        book.active.append(row)
    book.save(tmp_path / "adsl.xlsx")
    kind, _, (remark,) = _column(tmp_path / "adsl.xlsx")
    assert kind == "text"
    assert "row 2 is the first that holds no date: 05.12.2021" in remark or "row 1" in remark


def test_a_large_file_is_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alsbench.data.readers.delimited._IN_MEMORY", 0)
    texts = [f"{i % 28 + 1:02d}.{i % 12 + 1:02d}.2020" for i in range(3000)]
    kind, values, _ = _column(_csv(tmp_path / "adsl.csv", texts))
    assert kind == "date"
    assert values == [date(2020, i % 12 + 1, i % 28 + 1) for i in range(3000)]
    _, _, (remark,) = _column(_csv(tmp_path / "adsl.csv", [*texts, "30.02.2020"]))
    assert "row 3001 is the first that holds no date: 30.02.2020" in remark


def _loaded(folder: Path, adsl: str, adqs: str, workspace: Workspace) -> Receipt:
    folder.mkdir(exist_ok=True)
    (folder / "adsl.csv").write_text(adsl, "utf-8")
    (folder / "adqs.csv").write_text(adqs, "utf-8")
    return load([folder], workspace, now=NOW)


def test_dates_in_another_way_are_the_same_data(tmp_path: Path) -> None:
    plain = _loaded(tmp_path / "a", ADSL, ADQS, Workspace(tmp_path / "wa"))
    local = ADSL.replace("2024-01-01", "01.01.2024").replace("2024-01-02", "02.01.2024")
    date9 = ADQS.replace("2024-01-01", "01JAN2024").replace("2024-01-02", "02JAN2024").replace("2024-07-01", "01JUL2024")
    other = _loaded(tmp_path / "b", local, date9, Workspace(tmp_path / "wb"))
    assert other.digest == plain.digest
    assert (other.findings, other.passed, other.not_applicable) == (plain.findings, plain.passed, plain.not_applicable)


def test_one_bad_date_is_a_remark_a_finding_and_no_passed_check(tmp_path: Path, workspace: Workspace) -> None:
    plain = _loaded(tmp_path / "a", ADSL, ADQS, workspace)
    assert "visit-date-order" in plain.passed
    assert "date-values" in plain.passed
    first, second, third = ADQS.split("2024-07-01")
    receipt = _loaded(tmp_path / "b", ADSL, f"{first}2024-07-01{second}2024-06-31{third}", workspace)
    (adqs,) = [f for f in receipt.files if f.dataset == "ADQS"]
    assert "ADT is text: row 4 is the first that holds no date: 2024-06-31; most are year-month-day" in adqs.messages
    (found,) = [f for f in receipt.findings if f.rule == "date-values"]
    assert (found.severity, found.table, found.count, found.rows, found.keys) == ("warning", "ADQS", 1, (4,), ("02",))
    assert "2024-06-31" in found.what
    stopped = {n.partition(":")[0]: n.partition(": ")[2] for n in receipt.not_applicable}
    assert stopped["visit-date-order"] == "ADT of ADQS is no date"
    assert stopped["baseline-after-dose"] == "ADT of ADQS is no date"
    assert not {n.partition(":")[0] for n in receipt.not_applicable} & set(receipt.passed)


def test_a_check_without_dates_to_compare_is_not_applicable(tmp_path: Path, workspace: Workspace) -> None:
    receipt = _loaded(tmp_path / "a", ADSL, ADQS, workspace)
    assert "after-death: the dates it compares are not in the data" in receipt.not_applicable
    assert "after-death" not in receipt.passed


@pytest.mark.parametrize(
    ("name", "texts", "bad"),
    [
        ("AESTDTC", ["2024", "2024-05", "2024-05-06", "2024-05-06T10:30", "2024---06", "2024-05-06/2024-05-07"], 0),
        ("AESTDTC", ["2024-05-06", "06MAY2024"], 2),
        ("AESTDTC", ["2024-05-06", "06.05.2024"], 2),
        ("AESTDTC", ["2024-05-06", "2024-02-30"], 2),
        ("AESTDTC", ["2024-05-06", "UNK"], 2),
        ("ADTM", ["2024-05-06T10:30:00"], 0),
        ("ADTM", ["2024-05-06T10:30:00", "06MAY2024:10:30:00"], 2),
    ],
)
def test_texts_that_have_to_be_iso_8601(tmp_path: Path, workspace: Workspace, name: str, texts: list[str], bad: int) -> None:
    receipt = _loaded(tmp_path / "a", ADSL, f"USUBJID,{name}\n" + "".join(f"01,{t}\n" for t in texts), workspace)
    found = [f for f in receipt.findings if f.rule == "date-values"]
    assert [(f.table, f.rows) for f in found] == ([("ADQS", (bad,))] if bad else [])


def test_numbers_named_as_dates_are_found(tmp_path: Path, workspace: Workspace) -> None:
    receipt = _loaded(tmp_path / "a", ADSL.replace("2024-01-01", "23376").replace("2024-01-02", "23377"), ADQS, workspace)
    (found,) = [f for f in receipt.findings if f.rule == "date-values"]
    assert found.what == "TRTSDT holds numbers without a date format: 23376.0 in row 1, 3 in all"


def test_a_column_of_dates_without_any_is_one(tmp_path: Path) -> None:
    assert _column(_written(tmp_path, "xpt", ["", "", ""]))[:2] == ("date", [None] * 3)


@pytest.mark.parametrize("value", ["{", "{n}", "%s", "it's", "\x1b[2J"])
def test_any_text_may_stand_where_a_date_should(tmp_path: Path, workspace: Workspace, value: str) -> None:
    """Braces of a format, quotes of SQL and control bytes of a terminal are shown, not obeyed."""
    receipt = _loaded(tmp_path / "a", ADSL.replace("2024-01-02", value), ADQS, workspace)
    (found,) = [f for f in receipt.findings if f.rule == "date-values"]
    assert (found.count, found.rows) == (1, (3,))
    assert "\x1b" not in found.what
