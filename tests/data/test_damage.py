"""Damaged files met before, and damage that libraries answer with errors of their own: an error that names the file."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import openpyxl
import pytest

from alsbench.data.load import load
from alsbench.data.readers.files import read, unpack
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError

CSV = "USUBJID,AVAL\na,1\nb,2\n"


def _zip(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("adqs.csv", CSV)
    return path.read_bytes()


def _directory(raw: bytes) -> int:
    """Where the one entry of the central directory begins (APPNOTE.TXT 4.3.12)."""
    return raw.index(b"PK\x01\x02")


# offset in the entry, bytes, what they say
ENTRY = [
    (6, struct.pack("<H", 255), "version needed to extract: 25.5"),
    (8, struct.pack("<H", 1), "encrypted"),
    (8, struct.pack("<H", 0x20), "patched data"),
    (10, struct.pack("<H", 99), "compression method 99"),
    (10, struct.pack("<H", 14), "LZMA, which it is not"),
    (12, b"\xff\xff\xff\xff", "no time or date"),
    (16, b"\0\0\0\0", "another checksum"),
    (20, b"\xff\xff\xff\xff", "compressed size without end"),
    (24, b"\xff\xff\xff\x7f", "size of two gigabytes"),
    (28, b"\0\0", "no name"),
    (28, b"\xff\xff", "name longer than the file"),
    (30, b"\xff\xff", "extra field longer than the file"),
    (32, b"\xff\xff", "comment longer than the file"),
    (42, b"\xff\xff\xff\x7f", "header beyond the end"),
]


@pytest.mark.parametrize(("at", "content", "what"), ENTRY, ids=[f"{e[2]}" for e in ENTRY])
def test_a_damaged_directory_of_a_zip_file(tmp_path: Path, at: int, content: bytes, what: str) -> None:
    path = tmp_path / "trial.zip"
    raw = bytearray(_zip(path))
    start = _directory(bytes(raw)) + at
    raw[start : start + len(content)] = content
    path.write_bytes(raw)
    try:
        receipt = load([path], Workspace(tmp_path / "ws"))
    except DataError as refused:
        assert "trial.zip" in refused.message
    else:
        assert receipt.rows == 2, f"harmless damage ({what}): checksum and contents are right"


def test_a_member_without_a_name(tmp_path: Path) -> None:
    """The case met before had a name of length 0 in the directory and in the local header."""
    path = tmp_path / "trial.zip"
    raw = bytearray(_zip(path))
    start = _directory(bytes(raw))
    raw[start + 28 : start + 30] = b"\0\0"
    raw[start + 30 : start + 32] = struct.pack("<H", 8)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"trial\.zip"):
        unpack(path, tmp_path)


def _book(path: Path) -> bytes:
    book = openpyxl.Workbook()
    for row in (["USUBJID", "AVAL"], ["a", 1.5], ["b", 2]):
        book.active.append(row)
    book.save(path)
    return path.read_bytes()


def test_a_workbook_of_a_version_of_zip_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "adqs.xlsx"
    raw = bytearray(_book(path))
    raw[_directory(bytes(raw)) + 6] = 255
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"adqs\.xlsx: the file is not a readable Excel workbook\nzip file version 25\.5"):
        read(path)


@pytest.mark.parametrize(
    ("member", "old", "new"),
    [
        ("xl/worksheets/sheet1.xml", b'r="A1"', b'r="1A"'),
        ("xl/worksheets/sheet1.xml", b'r="1"', b'r="x"'),
        ("xl/worksheets/sheet1.xml", b't="n"', b't="s"'),
        ("xl/worksheets/sheet1.xml", b"<v>1.5</v>", b"<v>one</v>"),
        ("xl/worksheets/sheet1.xml", b"</worksheet>", b""),
        ("xl/workbook.xml", b"sheetId", b"sheetNo"),
        ("xl/workbook.xml", b"</workbook>", b"<x"),
        ("xl/_rels/workbook.xml.rels", b"worksheets/sheet1.xml", b"worksheets/sheet9.xml"),
        ("[Content_Types].xml", b"Types", b"Tipes"),
        ("xl/styles.xml", b"<cellXfs", b"<cellXfx"),
    ],
)
def test_damaged_xml_of_a_workbook(tmp_path: Path, member: str, old: bytes, new: bytes) -> None:
    whole = tmp_path / "whole.xlsx"
    _book(whole)
    path = tmp_path / "adqs.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            assert name != member or old in content
            target.writestr(name, content.replace(old, new) if name == member else content)
    try:
        (dataset,) = read(path)
    except DataError as refused:
        assert "adqs.xlsx" in refused.message
    else:
        assert dataset.table().num_rows == 2, "harmless damage: nothing is lost"
