"""SAS7BDAT: what our own writer wrote comes back, and as pandas' own reader (not ReadStat) reads it; damage is refused."""

from __future__ import annotations

import itertools
import random
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.data.sas7bdat_files import HEADER, MAGIC, PAGE, Column, Value, write_sas7bdat, written
from tests.data.small_trial import NOW, REFERENCE

from alsbench.data.dataset import Dataset
from alsbench.data.load import load
from alsbench.data.readers.files import read
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError

LAYOUTS = [dict(zip(("wide", "big", "compressed"), flags, strict=True)) for flags in itertools.product((True, False), repeat=3)]
COLUMNS = (
    Column("USUBJID", 12, "Unique subject", "$", (12, 0)),
    Column("AVAL", 0, "Value", "BEST", (12, 0)),
    Column("ADT", 0, "Date", "DATE", (9, 0)),
    Column("ADTM", 0, "Moment", "DATETIME", (20, 0)),
    Column("ATM", 0, "Time", "TIME", (8, 0)),
    Column("SHORT", 0, "Four bytes", bytes=4),
)
ROWS: tuple[tuple[Value, ...], ...] = (
    ("01-001", 1.5, 22599.0, 1.9e9, 3661.0, 1.0),
    ("01-002  x", ".A", ".N", ".", ".Z", 2.0),
    ("", "._", None, 0.0, 0.0, ".B"),
    ("01-004", -3e10, 0.0, None, None, None),
)


def _write(path: Path, rows: Any = ROWS, columns: Any = COLUMNS, **options: Any) -> Path:
    plain = [tuple(None if v == "." else v for v in row) for row in rows]
    return write_sas7bdat(path, columns, plain, **options)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_values_labels_formats_and_special_missing_values(tmp_path: Path, layout: dict[str, bool]) -> None:
    (dataset,) = read(_write(tmp_path / "adqs.sas7bdat", label="Questionnaires", **layout))
    assert (dataset.name, dataset.label, dataset.rows) == ("ADQS", "Questionnaires", 4)
    assert [(c.name, c.label, c.kind, c.format, c.type, c.length) for c in dataset.columns] == [
        ("USUBJID", "Unique subject", "text", "$12.", "Char", 12),
        ("AVAL", "Value", "number", "BEST12.", "Num", 8),
        ("ADT", "Date", "date", "DATE9.", "Num", 8),
        ("ADTM", "Moment", "text", "DATETIME20.", "Num", 8),
        ("ATM", "Time", "text", "TIME8.", "Num", 8),
        ("SHORT", "Four bytes", "number", "", "Num", 4),
    ]
    assert [tuple(r.values()) for r in dataset.table().to_pylist()] == [
        ("01-001", 1.5, date(2021, 11, 15), "2020-03-16T17:46:40", "01:01:01", 1.0),
        ("01-002  x", None, None, None, None, 2.0),
        (None, None, None, "1960-01-01T00:00:00", "00:00:00", None),
        ("01-004", -3e10, date(1960, 1, 1), None, None, None),
    ]
    assert dataset.remarks == [
        "ADT: special missing values .N 1",
        "ATM: special missing values .Z 1",
        "AVAL: special missing values .A 1, ._ 1",
        "SHORT: special missing values .B 1",
    ]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_pandas_reads_the_same(tmp_path: Path, layout: dict[str, bool]) -> None:
    rows = [(f"S{i}", i / 7, 22000.0 + i, 1.9e9, float(i), float(i)) for i in range(500)]
    path = _write(tmp_path / "t.sas7bdat", rows, **layout)
    (dataset,) = read(path)
    theirs = pd.read_sas(path, encoding="infer")
    ours = dataset.table()
    assert ours.column("USUBJID").to_pylist() == theirs["USUBJID"].tolist()
    assert ours.column("AVAL").to_pylist() == theirs["AVAL"].tolist()
    assert ours.column("ADT").to_pylist() == [t.date() for t in theirs["ADT"]]
    assert ours.column("SHORT").to_pylist() == theirs["SHORT"].tolist()


@pytest.mark.parametrize("name", ["adsl", "adtte", "adqs", "adae", "adlb", "adre"])
def test_a_table_of_the_reference_trial_is_that_of_xpt(tmp_path: Path, name: str) -> None:
    (xpt,) = read(REFERENCE / "als-ref-1" / f"{name}.xpt")
    for layout in ({"compressed": True}, {"wide": False, "big": True}):
        (sas,) = read(written(xpt, tmp_path / f"{name}.sas7bdat", **layout))
        assert (sas.name, sas.label, sas.columns) == (xpt.name, xpt.label, xpt.columns)
        assert [(c.type, c.length) for c in sas.columns] == [(c.type, c.length) for c in xpt.columns]
        assert sas.table().equals(xpt.table())


def test_a_trial_in_sas7bdat_is_the_trial_in_xpt(tmp_path: Path) -> None:
    folder = tmp_path / "sas"
    folder.mkdir()
    for path in (REFERENCE / "als-ref-1").glob("*.xpt"):
        written(read(path)[0], folder / f"{path.stem}.sas7bdat")
    xpt = load([REFERENCE / "als-ref-1"], Workspace(tmp_path / "a"), now=NOW)
    sas = load([folder], Workspace(tmp_path / "b"), now=NOW)
    assert sas.digest == xpt.digest
    assert all(f.row_count_verifiable for f in sas.files)


def test_more_rows_than_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alsbench.data.readers.sas7bdat.BATCH_ROWS", 64)
    monkeypatch.setattr("alsbench.data.readers.sas7bdat.CELLS", 0)
    rows = [(f"S{i}", float(i) if i % 100 else ".C", 1.0, 1.0, 1.0, 1.0) for i in range(500)]
    (dataset,) = read(_write(tmp_path / "t.sas7bdat", rows))
    assert [b.num_rows for b in dataset.batches()] == [64] * 7 + [52]
    values = dataset.table().column("AVAL").to_pylist()
    assert [i for i, v in enumerate(values) if v is None] == [0, 100, 200, 300, 400]
    assert dataset.remarks == ["AVAL: special missing values .C 5"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    columns = (Column("NAME", 20, "Größe"), Column("A"))
    (dataset,) = read(_write(tmp_path / "t.sas7bdat", [("Müller-Lyer é", 1.0)], columns, encoding=encoding))
    assert dataset.columns[0].label == "Größe"
    assert dataset.table().column("NAME").to_pylist() == ["Müller-Lyer é"]


def test_no_rows(tmp_path: Path) -> None:
    (dataset,) = read(_write(tmp_path / "t.sas7bdat", []))
    assert (dataset.rows, dataset.table().num_rows, len(dataset.columns)) == (0, 0, 6)


def test_a_wild_date_names_its_row(tmp_path: Path) -> None:
    (dataset,) = read(_write(tmp_path / "t.sas7bdat", [("a", 1.0, 9e12, 1.0, 1.0, 1.0)]))
    with pytest.raises(DataError, match="row 1 column ADT"):
        dataset.table()


def test_more_rows_promised_than_there_are(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(DataError, match="SAS7BDAT"):
        load([_write(tmp_path / "t.sas7bdat", promised=9)], workspace)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.sas7bdat"
    for content in (MAGIC, MAGIC + bytes(5000), b"nonsense", MAGIC + b"\x33" * 70000):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"SAS7BDAT|sas7bdat"):
            read(path)[0].table()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_cut_short_or_padded_is_refused(tmp_path: Path, workspace: Workspace, compressed: bool) -> None:
    rows = [(f"S{i}", float(i), 1.0, 1.0, 1.0, 1.0) for i in range(400)]
    whole = _write(tmp_path / "t.sas7bdat", rows, compressed=compressed).read_bytes()
    cut = tmp_path / "cut.sas7bdat"
    random_ = random.Random(7)
    sizes = [HEADER, HEADER + PAGE, len(whole) - PAGE, len(whole) - 1, *(random_.randrange(1, len(whole)) for _ in range(25))]
    for content in (*(whole[:n] for n in sizes), whole + bytes(PAGE), whole + b"x"):
        cut.write_bytes(content)
        with pytest.raises(DataError, match=r"cut\.sas7bdat"):
            load([cut], workspace)


def test_every_row_or_none(tmp_path: Path) -> None:
    """Bytes overwritten anywhere: a reading holds all rows the header promises, or is refused."""
    whole = _write(tmp_path / "t.sas7bdat", ROWS * 30).read_bytes()
    path, random_ = tmp_path / "hurt.sas7bdat", random.Random(11)
    for _ in range(150):
        data = bytearray(whole)
        data[random_.randrange(len(data))] = random_.randrange(256)
        path.write_bytes(data)
        try:
            dataset: Dataset = read(path)[0]
            assert dataset.table().num_rows == dataset.rows
        except DataError:
            continue


def test_a_narrow_table_is_read_in_few_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alsbench.data.readers.sas7bdat.BATCH_ROWS", 64)
    rows = [(f"S{i}", float(i) if i % 100 else ".C", 1.0, 1.0, 1.0, 1.0) for i in range(500)]
    path = _write(tmp_path / "t.sas7bdat", rows)
    (dataset,) = read(path)
    monkeypatch.setattr("alsbench.data.readers.sas7bdat.CELLS", 300 * len(dataset.columns))
    assert [b.num_rows for b in dataset.batches()] == [300, 200]


@pytest.mark.parametrize(("code", "name"), [(65, "Windows-1255"), (68, "Windows-1258")])
@pytest.mark.parametrize("layout", LAYOUTS[:2] + LAYOUTS[4:6], ids=str)
def test_encodings_that_readstat_reads_wrong_are_refused_by_name(
    tmp_path: Path, layout: dict[str, bool], code: int, name: str
) -> None:
    """iconv holds a letter back to which a mark may follow, and ReadStat does not ask for it at the end of a text."""
    path = _write(tmp_path / "t.sas7bdat", **layout)
    raw = bytearray(path.read_bytes())
    raw[70] = code
    path.write_bytes(raw)
    with pytest.raises(DataError, match=rf"t\.sas7bdat byte 70: the texts are in {name}") as refused:
        read(path)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("code", "codec"),
    [
        *((29, "latin-1"), (30, "iso8859-2"), (33, "iso8859-5"), (35, "iso8859-7"), (36, "iso8859-8"), (40, "iso8859-15")),
        *((60, "cp1250"), (61, "cp1251"), (62, "cp1252"), (63, "cp1253"), (64, "cp1254"), (66, "cp1256"), (67, "cp1257")),
        *((41, "cp437"), (42, "cp850"), (43, "cp852"), (49, "cp866"), (51, "cp874")),
    ],
)
def test_every_letter_of_the_other_encodings_comes_back(tmp_path: Path, code: int, codec: str) -> None:
    """Each letter alone, and at the end of a text before another one; Python's own codecs say what it is."""
    known = [bytes([b]) for b in range(0x80, 0x100) if bytes([b]).decode(codec, "ignore")]
    texts = [t for k in known for t in (k, b"ab" + k, k + b"c") if t.decode(codec).strip() == t.decode(codec)]
    path = write_sas7bdat(
        tmp_path / "t.sas7bdat", (Column("A", 4), Column("B")), [(t.decode("latin-1"), 1.0) for t in texts], encoding="latin-1"
    )
    raw = bytearray(path.read_bytes())
    raw[70] = code
    path.write_bytes(raw)
    (dataset,) = read(path)
    assert dataset.table().column("A").to_pylist() == [t.decode(codec) for t in texts]
