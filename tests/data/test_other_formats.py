"""Dataset-JSON and zip: the same table whatever carries it, and damage refused."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
from tests.data.formats import write
from tests.data.small_trial import NOW, REFERENCE

from alsbench.data.load import load
from alsbench.data.readers import dataset_json
from alsbench.data.readers.files import read
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError

TABLES = ("adsl", "adlb", "adtte", "adre", "adqs", "adae")


@pytest.fixture(scope="module")
def from_xpt(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The first reference trial from its XPT files."""
    space = Workspace(tmp_path_factory.mktemp("xpt") / "a")
    load([REFERENCE / "als-ref-1" / f"{n}.xpt" for n in TABLES], space, now=NOW)
    return space


@pytest.mark.parametrize("form", ["json", "ndjson", "zlib", "gzip"])
def test_a_trial_is_the_same_from_xpt_and_dataset_json(from_xpt: Workspace, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "twin"
    folder.mkdir()
    for name in TABLES:
        (dataset,) = read(REFERENCE / "als-ref-1" / f"{name}.xpt")
        write(dataset, folder, form)
    other = load([folder], Workspace(tmp_path / "b"), now=NOW)
    assert all(f.row_count_verifiable for f in other.files)
    with from_xpt.open_current() as a, Workspace(tmp_path / "b").open_current() as b:
        assert other.digest == a.digest == b.digest
        assert [(t.name, t.label, t.rows, t.sha256) for t in a.tables.values()] == [
            (t.name, t.label, t.rows, t.sha256) for t in b.tables.values()
        ]
        assert {n: t.columns for n, t in a.tables.items()} == {n: t.columns for n, t in b.tables.items()}
        for name in a.tables:
            assert a.page(name, None, offset=0, limit=10**6) == b.page(name, None, offset=0, limit=10**6)


@pytest.mark.parametrize("version", [5, 8])
def test_labels_and_formats_are_the_same_whatever_carries_them(tmp_path: Path, version: int) -> None:
    """The reference files carry no labels: a table with some, written by ReadStat, then by our writers of the other formats."""
    frame = pd.DataFrame(
        {"USUBJID": ["S1", "S2"], "AVAL": [1.5, np.nan], "ADT": [22599.0, np.nan], "ADTM": [1.9e9, 0.0], "AVALC": ["", "ü"]}
    )
    path = tmp_path / "adqs.xpt"
    pyreadstat.write_xport(
        frame,
        path,
        table_name="ADQS",
        file_label="Questionnaires & scales",
        column_labels=["Unique subject", "Value, <raw>", "Date of visit", "Moment", "Größe"],
        variable_format={"AVAL": "8.2", "ADT": "DATE9.", "ADTM": "DATETIME20."},
        file_format_version=version,
    )
    (xpt,) = read(path)
    assert [c.label for c in xpt.columns] == ["Unique subject", "Value, <raw>", "Date of visit", "Moment", "Größe"]
    others = [write(xpt, tmp_path, form) for form in ("json", "ndjson", "zlib")]
    others.append(write(xpt, tmp_path, "gzip").rename(tmp_path / "gzip.dsjc"))
    write(xpt, tmp_path, "zlib")
    for other in (read(p)[0] for p in others):
        assert (other.name, other.label, other.columns) == (xpt.name, xpt.label, xpt.columns)
        assert other.table().equals(xpt.table())


def _json(tmp_path: Path, **changes: Any) -> Path:
    head = {"records": 2, "name": "T", "columns": [{"name": "A", "dataType": "integer"}, {"name": "B", "dataType": "string"}]}
    path = tmp_path / "t.json"
    path.write_text(json.dumps(head | {"rows": [[1, "x"], [None, ""]]} | changes), "utf-8")
    return path


def test_types_of_dataset_json(tmp_path: Path) -> None:
    columns = [
        {"name": "I", "dataType": "integer"},
        {"name": "D", "dataType": "decimal", "targetDataType": "decimal"},
        {"name": "ADT", "dataType": "date", "targetDataType": "integer"},
        {"name": "BRTHDTC", "dataType": "date"},
        {"name": "OK", "dataType": "boolean"},
    ]
    (dataset,) = read(_json(tmp_path, records=1, columns=columns, rows=[[1.5, "0.25", "2024-01-02", "2024-01", True]]))
    assert [c.kind for c in dataset.columns] == ["number", "number", "date", "text", "boolean"]
    assert str(list(dataset.table().to_pylist()[0].values())) == "[1.5, 0.25, datetime.date(2024, 1, 2), '2024-01', True]"


def test_numbers_with_a_date_format_of_sas_are_dates(tmp_path: Path) -> None:
    """SAS day 23377 is 2024-01-02: 16071 is 2004-01-01 (SAS documentation of DATE.), and 20 years and a day are 7306 days."""
    columns = [
        {"name": "ADT", "dataType": "integer", "displayFormat": "DATE9."},
        {"name": "ADTM", "dataType": "double", "displayFormat": "DATETIME20."},
        {"name": "TPT", "dataType": "integer", "displayFormat": "TIMEPT."},
    ]
    rows = [[16071 + 7306, 23377 * 86400 + 61, 1], [None, None, None]]
    (dataset,) = read(_json(tmp_path, columns=columns, rows=rows))
    assert [c.kind for c in dataset.columns] == ["date", "text", "number"]
    first, second = (list(r.values()) for r in dataset.table().to_pylist())
    assert str(first) == "[datetime.date(2024, 1, 2), '2024-01-02T00:01:01', 1.0]"
    assert second == [None, None, None]
    rows[1][0] = 9 * 10**12
    with pytest.raises(DataError, match="ADT is no possible date") as fault:
        read(_json(tmp_path, columns=columns, rows=rows))[0].table()
    assert fault.value.where.endswith("row 2 column ADT")


def test_large_integers_in_a_dictionary_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"KIT": pa.array([2**60 + 1, None]).dictionary_encode()}), path)
    assert read(path)[0].table().column("KIT").to_pylist() == ["1152921504606846977", None]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": [[1, "x"], [2**53 + 1, "x"]]}, "A is declared a number and holds 9007199254740993, more digits"),
        (
            {"columns": [{"name": "ADT", "dataType": "date", "targetDataType": "integer"}], "rows": [["2024-01-02T10:11"]]},
            "ADT is declared a date",
        ),
        ({"rows": [[1, "x"], [2]]}, "row 2 has 1 values, there are 2 columns"),
        ({"rows": [[1, "x"], ["y", "x"]]}, "A is declared a number"),
        ({"rows": [[1, "x"], [1, 5]]}, "B is declared a text"),
        ({"rows": [[1, "x"], {"A": 1}]}, "row 2 has no values"),
        ({"columns": [{"name": "A", "dataType": "integer"}, {"name": "a", "dataType": "string"}]}, "case only"),
        ({"columns": [{"name": "A", "dataType": "matrix"}]}, "dataType"),
        ({"columns": []}, "no columns"),
        ({"columns": 5}, "no names"),
        ({"records": -1}, "records"),
        ({"records": True}, "records"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(_json(tmp_path, **changes))[0].table()


def test_fewer_rows_than_promised_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(DataError, match="3 rows expected, 2 read"):
        load([_json(tmp_path, records=3)], workspace)
    for path in (REFERENCE / "als-ref-1").glob("adtte.xpt"):
        lines = write(read(path)[0], tmp_path, "ndjson")
        lines.write_bytes(b"\n".join(lines.read_bytes().split(b"\n")[:-3]) + b"\n")
        with pytest.raises(DataError, match="rows expected"):
            load([lines], workspace)


@pytest.mark.parametrize("form", ["json", "ndjson", "zlib", "gzip"])
def test_cut_files_are_refused(tmp_path: Path, workspace: Workspace, form: str) -> None:
    (dataset,) = read(REFERENCE / "als-ref-1" / "adtte.xpt")
    path = write(dataset, tmp_path, form)
    whole = path.read_bytes()
    for size in range(1, len(whole) - 1, max(len(whole) // 25, 1)):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError):
            load([path], workspace)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_json, "_BOMB_BYTES", 2**20)
    path = tmp_path / "t.dsjc"
    rows = b'["%s"]\n' % (b" " * 1000) * 2**13  # 500 times the size of what they are packed to
    path.write_bytes(zlib.compress(b'{"columns": [{"name": "A", "dataType": "string"}]}\n' + rows, 9))
    with pytest.raises(DataError, match="times its size"):
        read(path)[0].table()


def test_a_zip_of_a_trial_is_the_trial(tmp_path: Path, trial: Path) -> None:
    packed = tmp_path / "trial.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in trial.iterdir():
            archive.write(path, f"deep/{path.name}")
        archive.writestr("readme.txt", "not data")
        archive.writestr("__MACOSX/._adsl.csv", "junk")
    plain = load([trial], Workspace(tmp_path / "a"), now=NOW)
    zipped = load([packed], Workspace(tmp_path / "b"), now=NOW, expect={"adqs.csv": 5})
    assert zipped.digest == plain.digest
    assert [f.sha256 for f in zipped.files] == [f.sha256 for f in plain.files]
    assert zipped.files[0].name == "trial.zip/deep/adqs.csv"
    assert list((tmp_path / "b" / "snapshots").glob(".building*")) == []


def test_bad_zip_files(tmp_path: Path, workspace: Workspace, trial: Path) -> None:
    packed = tmp_path / "trial.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(trial / "adsl.csv", "a/adsl.csv")
    whole = packed.read_bytes()
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    doubled = tmp_path / "doubled.zip"
    with zipfile.ZipFile(doubled, "w") as archive:
        archive.writestr("a/adsl.csv", "A\n1\n")
        archive.writestr("b/ADSL.csv", "A\n1\n")
    flipped = bytearray(whole)
    flipped[60] ^= 255
    for content, says in (
        (whole[: len(whole) // 2], "damaged|zip"),
        (bytes(encrypted), "encrypted"),
        (doubled.read_bytes(), "same name"),
        (bytes(flipped), "damaged"),
        (b"PK\x05\x06" + bytes(18), "no data files"),
        (whole + b"more", "bytes stand after its end"),
        (b"more" + whole, "bytes stand before its first file"),
    ):
        packed.write_bytes(content)
        with pytest.raises(DataError, match=says):
            load([packed], workspace)
    assert list(workspace.snapshots_dir.glob(".building*")) == []


def test_a_link_in_a_zip_is_no_table(tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / "t.zip"
    link = zipfile.ZipInfo("adsl.csv")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("adae.csv", "USUBJID,AETERM\na,fall\n")
        archive.writestr(link, "../../adsl.csv")
    with pytest.raises(DataError, match="only a link") as fault:
        load([path], workspace)
    assert fault.value.where.endswith("adsl.csv")


def test_a_link_is_what_it_is_named(tmp_path: Path, workspace: Workspace) -> None:
    """A folder of links to dated files, or to files named by their hash."""
    store, folder = tmp_path / "store", tmp_path / "current"
    store.mkdir()
    folder.mkdir()
    (store / "8f3a").write_text("USUBJID,AETERM\na,fall\n")
    (folder / "adae.csv").symlink_to(store / "8f3a")
    receipt = load([folder, folder / "adae.csv"], workspace)
    assert [(f.name, f.dataset, f.rows) for f in receipt.files] == [("adae.csv", "ADAE", 1)]


def test_a_zip_bomb_is_refused(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from alsbench.data.readers import files

    monkeypatch.setattr(files, "_FREE_BYTES", 2**20)
    packed = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("adsl.csv", "A\n" + "1\n" * 2**21)
    with pytest.raises(DataError, match="too much"):
        load([packed], workspace)


def _zip(path: Path, *members: tuple[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../../adsl.csv", "/etc/adsl.csv", "..\\adsl.csv", "C:\\adsl.csv", "a/../../adsl.csv"])
def test_a_path_that_leads_out_of_a_zip_is_refused(tmp_path: Path, workspace: Workspace, name: str) -> None:
    packed = _zip(tmp_path / "t.zip", ("adqs.csv", "A\n1\n"), (name, "A\n1\n"))
    with pytest.raises(DataError, match="leads out of it"):
        load([packed], workspace)


def test_what_is_not_read_is_named(tmp_path: Path, workspace: Workspace) -> None:
    packed = _zip(tmp_path / "t.zip", ("adsl.csv", "A\n1\n"), ("in.zip", b"x"), ("define.xml", "<x/>"), ("odd.qqq", "x"))
    folder = tmp_path / "folder"
    (folder / "more").mkdir(parents=True)
    (folder / "adqs.csv").write_text("A\n1\n")
    (folder / "adlb.xls").write_text("x")
    (folder / "protocol.pdf").write_text("x")
    (folder / "more" / "adae.csv").write_text("A\n1\n")
    found = [f for f in load([packed, folder], workspace, layout="adam").findings if f.rule == "file-not-read"]
    assert [(f.severity, f.table, f.what) for f in found] == [
        ("warning", "t.zip", "1 file was not read: in.zip"),
        ("note", "t.zip", "1 file was not read: odd.qqq"),
        ("warning", "folder", "1 file was not read: adlb.xls"),
        ("note", "folder", "1 file was not read: more/"),
    ]


def test_a_fault_inside_a_zip_names_the_member(tmp_path: Path, workspace: Workspace) -> None:
    packed = _zip(tmp_path / "t.zip", ("deep/adsl.csv", "A,B\n1,2\n3\n"))
    with pytest.raises(DataError) as refused:
        load([packed], workspace)
    assert refused.value.where == "t.zip/deep/adsl.csv line 3"


def test_a_name_that_cannot_be_printed_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    packed = _zip(tmp_path / "t.zip", ("ad\x1b[31msl.csv", "A\n1\n"))
    with pytest.raises(DataError, match=r"cannot be printed: AD\\x1b\[31MSL"):
        load([packed], workspace)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.json", b"\x1f\x8b" + bytes(70), "holds a gzip-compressed file"),
        ("t.xls", b"x", "save it as .xlsx or CSV"),
        ("t.csv.gz", b"x", "unpack it first"),
        ("adsl", b"A\n1\n", "no ending|without an ending"),
        ("t.xpt", b"**COMPRESSED** " * 20, "CPORT"),
        ("t.xpt", b"A,B\n1,2\n", "not a SAS transport file"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read(path)


def test_dataset_json_under_the_wrong_name(tmp_path: Path) -> None:
    document = _json(tmp_path).read_bytes()
    lines = b'{"records": 0, "columns": [{"name": "A", "dataType": "integer"}]}\n'
    old = json.dumps({"clinicalData": {"itemGroupData": {}}}).encode()
    for name, content, says in (
        ("t.dsjc", lines, "is not compressed"),
        ("t.dsjc", zlib.compress(document), "one JSON document"),
        ("t.ndjson", document, "one JSON document"),
        ("t.ndjson", b"[1]\n", "no Dataset-JSON metadata"),
        ("t.json", old, "Dataset-JSON 1.0"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=says) as refused:
            read(path)[0].table()
        assert refused.value.hint


@pytest.mark.parametrize(("version", "remarks"), [("1.1.0", 0), ("2.0.0", 1)])
def test_another_version_of_dataset_json_is_said(tmp_path: Path, version: str, remarks: int) -> None:
    path = _json(tmp_path)
    path.write_text(path.read_text("utf-8").replace("{", '{"datasetJSONVersion": "' + version + '", ', 1), "utf-8")
    said = ["the file says it is Dataset-JSON 2.0.0: it was read as 1.1"]
    assert read(path)[0].remarks == said[:remarks]


def test_what_dataset_json_says_of_its_columns_is_kept(tmp_path: Path, workspace: Workspace) -> None:
    columns = [
        {"itemOID": "IT.A", "name": "A", "label": "Count", "dataType": "integer", "length": 8, "displayFormat": "F8."},
        {"itemOID": "IT.B", "name": "B", "label": "Word", "dataType": "string", "length": 12},
    ]
    load([_json(tmp_path, columns=columns)], workspace, layout="adam")
    with workspace.open_current() as snapshot:
        info = [(c.label, c.kind, c.format, c.type, c.length) for c in snapshot.table("T").columns]
    assert info == [("Count", "number", "F8.", "integer", 8), ("Word", "text", "", "string", 12)]
