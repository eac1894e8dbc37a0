"""Transport files whose header puts the columns in another order than it lists them: read as they were written, or refused."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from alsbench.data.readers.files import read
from alsbench.errors import DataError

FILES = Path(__file__).parent / "xpt"
# the rows of FILES as pyreadstat 1.3 (ReadStat) reads all three of them
AS_READSTAT = [(f"S-{i:03d}", 50.0 + i, "ACTIVE" if i % 2 else "PLACEBO", 30.0 + i / 2, "Y") for i in range(1, 11)]
TRIAL = pd.DataFrame(
    {
        "USUBJID": [f"01-{i:03d}" for i in range(40)],
        "AGE": [40.0 + i for i in range(40)],
        "SEX": ["M" if i % 3 else "F" for i in range(40)],
        "RATE": [i / 7 if i % 5 else np.nan for i in range(40)],
        "TRT01P": ["ACTIVE" if i % 2 else "PLACEBO" for i in range(40)],
        "VISIT": ["" if i % 3 else "WEEK 4" for i in range(40)],
    }
)
LAID_OUT = "NPOS"


def _rows(path: Path) -> list[tuple[Any, ...]]:
    (dataset,) = read(path)
    return [tuple(r.values()) for r in dataset.table().to_pylist()]


def _expected(frame: pd.DataFrame = TRIAL) -> list[tuple[Any, ...]]:
    return [tuple(None if v == "" or v != v else v for v in row) for row in frame.itertuples(index=False)]


def _relaid(path: Path, frame: pd.DataFrame, stated: list[int], written: list[int], *, version: int = 5, gap: int = 0) -> Path:
    """A file whose header states the columns' positions as if they stood in the order ``stated`` (``gap`` bytes after the
    first), and whose observations hold them in the order ``written``."""
    pyreadstat.write_xport(frame, path, table_name=path.stem.upper(), file_format_version=version)
    raw = bytearray(path.read_bytes())
    start = raw.index(b"NAMESTR HEADER" if version == 5 else b"NAMSTV8 HEADER") + 60
    count = frame.shape[1]
    entries = [raw[start + 140 * i : start + 140 * (i + 1)] for i in range(count)]
    widths = [struct.unpack(">h", e[4:6])[0] for e in entries]
    head = raw.index(b"HEADER RECORD*******OBS") + 80
    for place, at in zip(stated, itertools.accumulate([0, *(widths[i] for i in stated)]), strict=False):
        moved = at + (gap if place != stated[0] else 0)
        raw[start + 140 * place + 84 : start + 140 * place + 88] = struct.pack(">i", moved)
    starts = [0, *itertools.accumulate(widths)]
    size = starts[-1]
    records = [raw[head + r * size : head + (r + 1) * size] for r in range(len(frame))]
    body = b"".join(b"".join(bytes(rec[starts[i] : starts[i] + widths[i]]) for i in written) for rec in records)
    path.write_bytes(bytes(raw[:head]) + body + b" " * (-(head + len(body)) % 80))
    return path


@pytest.mark.parametrize("name", ["adsl_v5_loc2xpt", "adsl_v8_loc2xpt", "adsl_v8_seq"])
def test_what_loc2xpt_writes_is_read_as_readstat_reads_it(name: str) -> None:
    theirs, _ = pyreadstat.read_xport(FILES / f"{name}.xpt")
    assert _rows(FILES / f"{name}.xpt") == AS_READSTAT == list(theirs.itertuples(index=False, name=None))


@pytest.mark.parametrize("version", [5, 8])
def test_numbers_first_in_the_header_only(tmp_path: Path, version: int) -> None:
    numbers_first = [1, 3, 0, 2, 4, 5]
    path = _relaid(tmp_path / "adsl.xpt", TRIAL, numbers_first, list(range(6)), version=version)
    assert _rows(path) == _expected()
    (dataset,) = read(path)
    assert any(LAID_OUT in r and "by the order of the columns" in r for r in dataset.remarks)


@pytest.mark.parametrize("version", [5, 8])
@pytest.mark.parametrize("order", list(itertools.permutations(range(6)))[1::97], ids=str)
def test_positions_that_are_true_are_followed(tmp_path: Path, order: tuple[int, ...], version: int) -> None:
    path = _relaid(tmp_path / "adsl.xpt", TRIAL, list(order), list(order), version=version)
    assert _rows(path) == _expected()


@pytest.mark.parametrize("order", list(itertools.permutations(range(6)))[1::97], ids=str)
def test_positions_that_are_not_are_not_followed(tmp_path: Path, order: tuple[int, ...]) -> None:
    path = _relaid(tmp_path / "adsl.xpt", TRIAL, list(order), list(range(6)))
    assert _rows(path) == _expected()


def test_each_data_set_of_a_file_is_judged_by_itself(tmp_path: Path) -> None:
    one = _relaid(tmp_path / "one.xpt", TRIAL, [1, 3, 0, 2, 4, 5], list(range(6)))
    two = _relaid(tmp_path / "two.xpt", TRIAL, [5, 4, 3, 2, 1, 0], [5, 4, 3, 2, 1, 0])
    three = _relaid(tmp_path / "three.xpt", TRIAL, list(range(6)), list(range(6)))
    both = tmp_path / "both.xpt"
    both.write_bytes(one.read_bytes() + two.read_bytes()[240:] + three.read_bytes()[240:])
    for dataset in read(both):
        assert [tuple(r.values()) for r in dataset.table().to_pylist()] == _expected()


def test_two_numbers_that_may_stand_either_way_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"AVAL": [1.0, 2.0, 3.0], "BASE": [4.0, 5.0, 6.0]})
    path = _relaid(tmp_path / "adqs.xpt", frame, [1, 0], [0, 1])
    with pytest.raises(DataError, match=r"adqs\.xpt byte \d+: the header's positions \(NPOS\).*do not tell") as refused:
        read(path)
    assert refused.value.exit_code == 3
    assert "AVAL is at byte 8 of an observation by its position, else at 0" in refused.value.message


def test_two_texts_of_one_width_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ARM": ["ACT", "PBO"], "CODE": ["ABC", "XYZ"]})
    with pytest.raises(DataError, match="do not tell"):
        read(_relaid(tmp_path / "adsl.xpt", frame, [1, 0], [0, 1]))


def test_a_data_set_without_rows_needs_no_decision(tmp_path: Path) -> None:
    frame = TRIAL.iloc[:0]
    path = _relaid(tmp_path / "adsl.xpt", frame, [1, 3, 0, 2, 4, 5], list(range(6)))
    assert _rows(path) == []


def test_positions_with_a_gap_that_the_observations_do_not_have(tmp_path: Path) -> None:
    path = _relaid(tmp_path / "adsl.xpt", TRIAL, list(range(6)), list(range(6)), gap=4)
    assert _rows(path) == _expected()


def test_positions_that_were_never_filled_in(tmp_path: Path) -> None:
    path = _relaid(tmp_path / "adsl.xpt", TRIAL, list(range(6)), list(range(6)))
    raw = bytearray(path.read_bytes())
    start = raw.index(b"NAMESTR HEADER") + 60
    for i in range(6):
        raw[start + 140 * i + 84 : start + 140 * i + 88] = bytes(4)
    path.write_bytes(raw)
    assert _rows(path) == _expected()


def test_overlapping_positions_of_texts_alone_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"A": ["one", "two"], "B": ["three", "four"]})
    path = _relaid(tmp_path / "t.xpt", frame, [0, 1], [0, 1])
    raw = bytearray(path.read_bytes())
    start = raw.index(b"NAMESTR HEADER") + 60
    raw[start + 140 + 84 : start + 140 + 88] = struct.pack(">i", 1)
    path.write_bytes(raw)
    with pytest.raises(DataError, match="do not tell"):
        read(path)


def test_a_file_padded_with_nul_bytes_says_so() -> None:
    with pytest.raises(DataError, match=r"nulpad\.xpt byte 1082: NUL bytes follow observation 3, where the format pads"):
        read(FILES / "nulpad.xpt")


def test_nul_padding_that_fills_whole_observations(tmp_path: Path) -> None:
    """Rows of 16 bytes: the card's rest of 48 NUL bytes would be three records of blanks and zeros."""
    path = tmp_path / "t.xpt"
    pyreadstat.write_xport(pd.DataFrame({"A": ["textual!", "b"], "B": [1.0, 2.0]}), path, table_name="T", file_format_version=5)
    raw = path.read_bytes()
    path.write_bytes(raw[:-48] + bytes(48))
    with pytest.raises(DataError, match="NUL bytes follow observation 2"):
        read(path)


def test_numbers_that_are_all_zero_at_the_end_are_remarked(tmp_path: Path) -> None:
    path = tmp_path / "t.xpt"
    pyreadstat.write_xport(pd.DataFrame({"A": [1.0] * 8 + [0.0] * 2}), path, table_name="T", file_format_version=5)
    (dataset,) = read(path)
    assert dataset.table().num_rows == 10
    assert "every number from observation 9 on is 0" in dataset.remarks[0]


def test_a_hole_of_nul_bytes_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "t.xpt"
    pyreadstat.write_xport(TRIAL, path, table_name="T", file_format_version=5)
    raw = bytearray(path.read_bytes())
    start = raw.index(b"HEADER RECORD*******OBS") + 80
    raw[start + 500 : start + 900] = bytes(400)
    path.write_bytes(raw)
    (dataset,) = read(path)
    with pytest.raises(DataError, match=r"row \d+.*NUL"):
        dataset.table()
