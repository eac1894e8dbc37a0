"""SAS transport files: the same values as pyreadstat (ReadStat 1.1) reads, and no damaged file accepted in silence."""

from __future__ import annotations

import math
import struct
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.small_trial import REFERENCE

from alsbench.data.readers.files import read
from alsbench.data.readers.xpt import ibm_to_float
from alsbench.errors import DataError

FILES = sorted((REFERENCE / "als-ref-1").glob("*.xpt"))


def _write(path: Path, frame: pd.DataFrame, **options: Any) -> Path:
    pyreadstat.write_xport(frame, path, **{"table_name": path.stem.upper(), "file_format_version": 5, **options})
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_agrees_with_pyreadstat(path: Path) -> None:
    (ours,) = read(path)
    theirs, meta = pyreadstat.read_xport(path, disable_datetime_conversion=True)
    table = ours.table()
    assert table.num_rows == len(theirs)
    assert table.column_names == list(theirs.columns)
    assert [c.label for c in ours.columns] == [label or "" for label in meta.column_labels]
    for column in ours.columns:
        values, expected = table.column(column.name), theirs[column.name]
        match column.kind:
            case "number":
                np.testing.assert_array_equal(values.to_numpy(), expected.to_numpy(dtype=float))
            case "date":
                days = [None if math.isnan(d) else int(d) for d in expected]
                assert [None if v is None else (v - date(1960, 1, 1)).days for v in values.to_pylist()] == days
            case _:
                assert [v or "" for v in values.to_pylist()] == list(expected)


@pytest.mark.parametrize("version", [5, 8])
def test_both_versions_with_labels_and_formats(tmp_path: Path, version: int) -> None:
    long = "AVALUE_OF_VISIT" if version == 8 else "AVAL"
    frame = pd.DataFrame(
        {"USUBJID": ["a", "bb ", ""], long: [1.5, np.nan, -3e10], "ADT": [22599.0, 22600.0, np.nan], "ATM": [3661.0, 0, np.nan]}
    )
    frame["ADTM"] = [1.9e9, np.nan, 0.0]
    path = _write(
        tmp_path / "tt.xpt",
        frame,
        file_format_version=version,
        file_label="about",
        column_labels=["subject", "v" * (60 if version == 8 else 40), "", "", ""],
        variable_format={"ADT": "DATE9.", "ADTM": "DATETIME20.", "ATM": "TIME8."},
    )
    (dataset,) = read(path)
    assert (dataset.name, dataset.label, dataset.rows) == ("TT", "about", 3 if version == 8 else None)
    assert [c.kind for c in dataset.columns] == ["text", "number", "date", "text", "text"]
    assert dataset.columns[1].label == "v" * (60 if version == 8 else 40)
    assert dataset.columns[2].format == "DATE9."
    assert [list(r.values()) for r in dataset.table().to_pylist()] == [
        ["a", 1.5, date(2021, 11, 15), "01:01:01", "2020-03-16T17:46:40"],
        ["bb", None, date(2021, 11, 16), "00:00:00", None],
        [None, -3e10, None, None, "1960-01-01T00:00:00"],
    ]


@pytest.mark.parametrize("version", [5, 8])
def test_formats_of_the_trial_are_not_those_of_sas(tmp_path: Path, version: int) -> None:
    """Formats made with PROC FORMAT may begin like one of SAS; they say nothing of dates."""
    forms = {"TPT": "TIMEPT.", "DAYN": "DAYFMT8.", "MON": "MONTHF.", "YRS": "YEARS.", "ADT": "YYMMDDN8.", "T": "E8601TM8."}
    frame = pd.DataFrame({name: [1.0, 2.0] for name in forms})
    (dataset,) = read(_write(tmp_path / "tt.xpt", frame, file_format_version=version, variable_format=forms))
    assert [c.kind for c in dataset.columns] == ["number"] * 4 + ["date", "text"]
    assert [c.format for c in dataset.columns] == list(forms.values())
    assert list(dataset.table().to_pylist()[0].values()) == [1.0] * 4 + [date(1960, 1, 2), "00:00:01"]


def test_several_data_sets_in_one_file(tmp_path: Path) -> None:
    one = _write(tmp_path / "one.xpt", pd.DataFrame({"A": [1.0, 2.0]})).read_bytes()
    two = _write(tmp_path / "two.xpt", pd.DataFrame({"B": ["x"]})).read_bytes()
    both = tmp_path / "both.xpt"
    both.write_bytes(one + two[240:])
    assert [(d.name, d.table().to_pylist()) for d in read(both)] == [("ONE", [{"A": 1.0}, {"A": 2.0}]), ("TWO", [{"B": "x"}])]


def test_a_name_inside_wins_and_is_said(tmp_path: Path) -> None:
    path = _write(tmp_path / "adsl.xpt", pd.DataFrame({"A": [1.0]}))
    moved = path.rename(tmp_path / "copy_of_adsl.xpt")
    (dataset,) = read(moved)
    assert dataset.name == "ADSL"
    assert "COPY_OF_ADSL" in dataset.remarks[0]


def test_special_missing_values_are_missing_and_counted(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.xpt", pd.DataFrame({"A": [1.0, np.nan, np.nan]}))
    raw = bytearray(path.read_bytes())
    at = len(raw) - 80 + 8  # observation 2 of 8 bytes
    assert raw[at] == ord(".")
    raw[at] = ord("C")
    path.write_bytes(raw)
    (dataset,) = read(path)
    assert dataset.table().column("A").to_pylist() == [1.0, None, None]
    assert dataset.remarks == ["A: special missing values .C 1"]


def test_text_of_windows_is_read_and_said(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.xpt", pd.DataFrame({"A": ["M@ller"]}))
    path.write_bytes(path.read_bytes().replace(b"M@ller", b"M\xfcller"))
    (dataset,) = read(path)
    assert dataset.table().to_pylist() == [{"A": "Müller"}]
    assert "Windows-1252" in dataset.remarks[0]


def test_a_wild_date_names_its_row(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.xpt", pd.DataFrame({"ADT": [1.0, 9e12]}), variable_format={"ADT": "DATE9."})
    (dataset,) = read(path)
    with pytest.raises(DataError, match="row 2 column ADT"):
        dataset.table()


@pytest.mark.parametrize("path", FILES[:1] + FILES[4:5], ids=lambda p: p.stem)
def test_a_cut_file_is_refused_unless_cut_between_observations(tmp_path: Path, path: Path) -> None:
    whole = path.read_bytes()
    (dataset,) = read(path)
    full = dataset.table()
    cut = tmp_path / path.name
    for size in [
        *range(0, 3000, 37),
        *range(3000, len(whole), 1601),
        *range(len(whole) - 900, len(whole), 7),
        *range(80, len(whole), 4000),
    ]:
        cut.write_bytes(whole[:size])
        try:
            (part,) = read(cut)
            rows = part.table()
        except DataError as refused:
            assert path.name in refused.where
            continue
        assert size % 80 == 0
        assert rows.equals(full.slice(0, rows.num_rows)), "what is accepted is whole observations"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b + b" " * 40, "multiple of 80"),
        (lambda b: b + b" " * 800, r"cut short|is blank"),
        (lambda b: b"X" + b[1:], "not a SAS transport file"),
        (lambda b: b[:240] + b[320:], "MEMBER"),
        (
            lambda b: b.replace(b"NAMESTR HEADER RECORD!!!!!!!0000000030", b"NAMESTR HEADER RECORD!!!!!!!000000zz30"),
            "number in the header",
        ),
    ],
)
def test_damage_is_said(tmp_path: Path, change: Any, says: str) -> None:
    whole = (REFERENCE / "als-ref-1" / "adsl.xpt").read_bytes()
    damaged = change(whole)
    assert damaged != whole
    path = tmp_path / "adsl.xpt"
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=says):
        read(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-7e75, max_value=7e75), min_size=1, max_size=5))
def test_ibm_floats_come_back_as_written(values: list[float]) -> None:
    """A double has 53 bits of mantissa, an IBM float 53 to 56: what fits is exact. Encoded here by the definition."""
    kept = [v for v in values if v == 0 or abs(v) > 1e-77]
    cells = np.frombuffer(b"".join(_ibm(v) for v in kept), dtype=np.uint8).reshape(-1, 8)
    back, missing, special = ibm_to_float(cells)
    assert list(back) == kept
    assert not missing.any()
    assert special.size == 0


def _ibm(value: float) -> bytes:
    if value == 0:
        return bytes(8)
    mantissa, exponent = math.frexp(abs(value))  # value = mantissa * 2**exponent, 0.5 <= mantissa < 1
    shift = -exponent % 4
    power = (exponent + shift) // 4
    digits = int(mantissa * 2**53) << 3 >> shift
    return struct.pack(">Q", (int(value < 0) << 63) | ((power + 64) << 56) | digits)
