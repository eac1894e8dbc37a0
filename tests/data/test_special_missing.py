"""Special missing values: kept with table, column, row and code, from XPT and SAS7BDAT; missing for whoever analyses."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyreadstat
import pytest
from tests.data.sas7bdat_files import Column, write_sas7bdat
from tests.data.small_trial import NOW

from alsbench.data import sas
from alsbench.data.load import load
from alsbench.data.readers.files import read
from alsbench.data.sas import SpecialCells, cells_of, special_cells, special_counts, table_metadata, with_special_cells
from alsbench.data.workspace import Workspace

ROWS: list[tuple[Any, ...]] = [
    ("S1", 1.0, ".A", 100.0),
    ("S2", ".B", ".", ".N"),
    ("S3", "._", 2.0, "."),
    ("S4", ".Z", ".A", 101.0),
]
EXPECTED = [
    (1, "CHG", ".A", "S1"),
    (2, "AVAL", ".B", "S2"),
    (2, "ADT", ".N", "S2"),
    (3, "AVAL", "._", "S3"),
    (4, "AVAL", ".Z", "S4"),
    (4, "CHG", ".A", "S4"),
]


def _xpt(path: Path, rows: list[tuple[Any, ...]], version: int = 5) -> Path:
    """Written by ReadStat with numbers that stand for the codes, which are then put in their place (TS-140: letter, zeros)."""
    codes = sorted({v for row in rows for v in row[1:] if isinstance(v, str) and v != "."})
    stand_in = {code: 12345.0 + i for i, code in enumerate(codes)}
    values = [(row[0], *(np.nan if v == "." else stand_in.get(v, v) for v in row[1:])) for row in rows]
    frame = pd.DataFrame(values, columns=["USUBJID", "AVAL", "CHG", "ADT"])
    pyreadstat.write_xport(
        frame, path, table_name=path.stem.upper(), file_format_version=version, variable_format={"ADT": "DATE9."}
    )
    raw = path.read_bytes()
    for code, number in stand_in.items():
        ibm = struct.pack(">Q", 0x44 << 56 | int(number * 2**40))  # 0.hex mantissa * 16**4
        assert ibm in raw
        raw = raw.replace(ibm, code[1].encode() + bytes(7))
    path.write_bytes(raw)
    return path


def _sas(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    columns = (Column("USUBJID", 4), Column("AVAL"), Column("CHG"), Column("ADT", 0, "", "DATE", (9, 0)))
    return write_sas7bdat(path, columns, [tuple(None if v == "." else v for v in row) for row in rows])


@pytest.fixture(params=["xpt5", "xpt8", "sas7bdat"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    match request.param:
        case "sas7bdat":
            return _sas(tmp_path / "adqs.sas7bdat", ROWS)
        case form:
            return _xpt(tmp_path / "adqs.xpt", ROWS, int(form[-1]))


def test_what_the_file_says_the_snapshot_keeps(source: Path, workspace: Workspace) -> None:
    load([source], workspace, now=NOW, layout="adam")
    with workspace.open_current() as snapshot:
        assert list(special_cells(snapshot, "ADQS", ["USUBJID"])) == EXPECTED
        assert special_counts(snapshot, "adqs") == {
            "ADT": {".N": 1},
            "AVAL": {".B": 1, ".Z": 1, "._": 1},
            "CHG": {".A": 2},
        }
        frame = snapshot.frame("ADQS")
        assert np.isnan(frame["AVAL"]).tolist() == [False, True, True, True]
        assert np.isnat(frame["ADT"]).tolist() == [False, True, True, False]
        info = {c.name: (c.type, c.length) for c in snapshot.table("ADQS").columns}
        assert info["AVAL"] == ("Num", 8)
        assert info["USUBJID"][0] == "Char"


def test_rows_count_on_over_batches(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alsbench.data.readers.xpt.BATCH_ROWS", 3)
    monkeypatch.setattr(sas, "_PAGE", 4)
    rows = ROWS * 5
    path = _xpt(tmp_path / "adqs.xpt", rows)
    load([path], workspace, now=NOW, layout="adam")
    with workspace.open_current() as snapshot:
        shown = list(special_cells(snapshot, "ADQS", ["USUBJID"]))
    assert shown == [(4 * lap + row, *rest) for lap in range(5) for row, *rest in EXPECTED]
    (dataset,) = read(path)
    (held,) = [c for c in cells_of(dataset.table().schema.metadata, rows=20) if c.column == "CHG"]
    assert held.rows.tolist() == [4 * lap + row for lap in range(5) for row in (0, 3)]


def test_a_table_without_them_says_so(trial: Path, workspace: Workspace) -> None:
    load([trial], workspace, now=NOW)
    with workspace.open_current() as snapshot:
        assert special_counts(snapshot, "ADQS") == {}
        assert list(special_cells(snapshot, "ADQS")) == []


def test_the_values_are_the_same_with_and_without_codes(tmp_path: Path) -> None:
    plain = [tuple("." if isinstance(v, str) and v[0] == "." else v for v in row) for row in ROWS]
    one = load([_xpt(tmp_path / "adqs.xpt", ROWS)], Workspace(tmp_path / "a"), now=NOW, layout="adam")
    (tmp_path / "plain").mkdir()
    two = load([_xpt(tmp_path / "plain" / "adqs.xpt", plain)], Workspace(tmp_path / "b"), now=NOW, layout="adam")
    assert one.digest == two.digest


def test_metadata_that_is_none_tells_of_nothing() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1.0, 2.0])], names=["A"])
    cells = SpecialCells("A", np.array([1]), np.array([ord("C")], np.uint8))
    marked = with_special_cells(batch, [cells])
    assert [(c.column, c.rows.tolist(), c.texts) for c in cells_of(marked.schema.metadata, rows=2)] == [("A", [1], [".C"])]
    assert table_metadata([batch, marked]) == {b"alsbench.special:A": struct.pack("<IB", 3, ord("C"))}
    for content in (b"", b"123", struct.pack("<IB", 2, ord("C")), struct.pack("<IB", 0, ord("c"))):
        assert list(cells_of({b"alsbench.special:A": content}, rows=2)) == []
    assert list(cells_of(None, rows=2)) == []
