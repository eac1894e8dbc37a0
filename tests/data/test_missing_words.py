"""Words that the user says are missing values: in every format, and named where they stop a load."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from alsbench.data.readers.files import read
from alsbench.errors import DataError


def _json(path: Path, rows: list[list[object]], type_: str = "decimal") -> Path:
    columns = [{"name": "USUBJID", "dataType": "string"}, {"name": "AVAL", "dataType": type_}]
    meta = {"datasetJSONVersion": "1.1.0", "name": "ADQS", "records": len(rows), "columns": columns}
    text = json.dumps(meta | {"rows": rows})
    path.write_text(text if path.suffix == ".json" else "\n".join(map(json.dumps, [meta, *rows])) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("name", ["adqs.json", "adqs.ndjson"])
def test_the_text_in_a_column_of_numbers_is_shown_with_row_and_column(tmp_path: Path, name: str) -> None:
    path = _json(tmp_path / name, [["a", "1.5"], ["b", " NA"], ["c", None]])
    (dataset,) = read(path)
    with pytest.raises(DataError, match=rf'{name} row 2 column AVAL: AVAL is declared a number and holds " NA"') as refused:
        dataset.table()
    assert refused.value.hint.endswith("if it means that the value is missing: load --missing NA")
    (dataset,) = read(path, missing=["NA"])
    assert dataset.table().column("AVAL").to_pylist() == [1.5, None, None]
    assert dataset.remarks == ["NA is missing in AVAL"]


def test_a_blank_text_among_numbers_is_missing(tmp_path: Path) -> None:
    (dataset,) = read(_json(tmp_path / "adqs.json", [["a", " "], ["b", " . "], ["c", "2"]]))
    assert dataset.table().column("AVAL").to_pylist() == [None, None, 2.0]


@pytest.mark.parametrize(("type_", "value"), [("boolean", "yes"), ("integer", True), ("decimal", [1]), ("decimal", "1,5")])
def test_whatever_does_not_fit_is_shown(tmp_path: Path, type_: str, value: object) -> None:
    (dataset,) = read(_json(tmp_path / "adqs.json", [["a", value]], type_))
    with pytest.raises(DataError) as refused:
        dataset.table()
    assert json.dumps(value) in refused.value.what


def test_a_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (dataset,) = read(_json(tmp_path / "adqs.json", [["a", "\x1b[31m" + "x" * 500]]))
    with pytest.raises(DataError) as refused:
        dataset.table()
    assert "\x1b" not in refused.value.message
    assert len(refused.value.what) < 120


def test_delimited_text(tmp_path: Path) -> None:
    path = tmp_path / "adqs.csv"
    path.write_text("USUBJID,AVAL,ADT,ARM\nNA,1.5,2020-01-31,NA\nb, NA ,NA,x\nc,UNK,,NAMIBIA\n", "utf-8")
    (plain,) = read(path)
    assert [c.kind for c in plain.columns] == ["text"] * 4
    assert "AVAL is text: row 2 is the first that holds no number: " in "; ".join(plain.remarks)
    (dataset,) = read(path, missing=["NA", "UNK"])
    assert [c.kind for c in dataset.columns] == ["text", "number", "date", "text"]
    table = dataset.table()
    assert table.column("AVAL").to_pylist() == [1.5, None, None]
    assert table.column("ARM").to_pylist() == [None, "x", "NAMIBIA"]
    assert table.column("USUBJID").to_pylist() == [None, "b", "c"]
    assert "UNK is missing in AVAL" in dataset.remarks


def test_a_large_delimited_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alsbench.data.readers.delimited._IN_MEMORY", 0)
    path = tmp_path / "adqs.csv"
    path.write_text("USUBJID,AVAL\n" + "".join(f"s{i},{'NA' if i % 7 else i}\n" for i in range(5000)), "utf-8")
    (dataset,) = read(path, missing=["NA"])
    assert dataset.columns[1].kind == "number"
    assert dataset.table().column("AVAL").null_count == 5000 - 715  # 0, 7, ... 4998 are 715 numbers


def test_words_are_as_written(tmp_path: Path) -> None:
    path = tmp_path / "adqs.csv"
    path.write_text("USUBJID,AVAL\na,na\nb,1\n", "utf-8")
    (dataset,) = read(path, missing=["NA"])
    assert dataset.columns[1].kind == "text"


def test_excel(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["USUBJID", "AVAL"], ["a", 1.5], ["b", "NA"], ["c", 2]):
        book.active.append(row)
    book.save(tmp_path / "adqs.xlsx")
    (plain,) = read(tmp_path / "adqs.xlsx")
    assert plain.remarks == ["AVAL is text: row 2 is the first that holds no number: NA"]
    (dataset,) = read(tmp_path / "adqs.xlsx", missing=["NA"])
    assert dataset.table().column("AVAL").to_pylist() == [1.5, None, 2.0]
    assert dataset.remarks == ["NA is missing in AVAL"]


def test_texts_of_a_format_with_types(tmp_path: Path) -> None:
    path = tmp_path / "adsl.xpt"
    pyreadstat.write_xport(pd.DataFrame({"ARM": ["NA", "x"], "DTHDT": ["NA", "31JAN2020"]}), path, table_name="ADSL")
    (dataset,) = read(path, missing=["NA"])
    assert [c.kind for c in dataset.columns] == ["text", "date"]
    assert dataset.table().column("ARM").to_pylist() == [None, "x"]
    assert "NA is missing in ARM, DTHDT" in dataset.remarks
