"""Texts that are not UTF-8: the likely encoding is named, and different texts never become the same one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from alsbench.data.readers.encodings import likely_encoding, wide_encoding
from alsbench.data.readers.files import read
from alsbench.errors import DataError

TEXTS = {
    "CP949": ["서울,부산", "홍길동,두통,경도", "위약군", "남", "여"],
    "CP932": ["重篤", "東京,発熱", "めまい", "プラセボ群", "頭痛"],
    "GB18030": ["北京,上海", "安慰剂组", "恶心，呕吐", "肺炎"],
    "BIG5": ["台北", "安慰劑", "輕度", "肺炎"],
    "EUC-JP": ["めまい", "プラセボ群", "発熱"],
    "WINDOWS-1251": ["Головная боль", "Москва", "Плацебо"],
    "WINDOWS-1252": ["Müller", "bulbär", "Größe", "São Paulo", "37 °C", "patient’s", "5 µg"],
}


@pytest.mark.parametrize("iconv", TEXTS)
def test_the_likely_encoding(iconv: str) -> None:
    """iconv's names are names of Python's codecs too."""
    found = likely_encoding(text.encode(iconv) for text in TEXTS[iconv])
    assert found is not None
    assert found.iconv == iconv


def test_bytes_of_no_script_are_not_guessed() -> None:
    assert likely_encoding([bytes(range(128, 256))]) is None
    assert likely_encoding([b"plain", "schön".encode()]) is None


@pytest.mark.parametrize(("codec", "name"), [("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE"), ("utf-32", "UTF-32")])
def test_wide_characters(codec: str, name: str) -> None:
    found = wide_encoding("USUBJID,AGE\n01,서울\n02,50\n".encode(codec))
    assert found is not None
    assert found.iconv == name


def _xpt(path: Path, texts: list[bytes]) -> Path:
    """A transport file with texts of 8 bytes, put in place of ASCII ones."""
    frame = pd.DataFrame({"A": [f"@{i:06d}@" for i in range(len(texts))], "B": [float(i) for i in range(len(texts))]})
    pyreadstat.write_xport(frame, path, table_name="T", file_format_version=5)
    raw = path.read_bytes()
    for i, text in enumerate(texts):
        raw = raw.replace(f"@{i:06d}@".encode(), text.ljust(8))
    path.write_bytes(raw)
    return path


def test_shift_jis_in_a_transport_file_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"sjis\.xpt row 1 column A: .*Shift-JIS"):
        [d.table() for d in read(Path(__file__).parent / "xpt" / "sjis.xpt")]


@pytest.mark.parametrize("iconv", [i for i in TEXTS if i != "WINDOWS-1252"])
def test_other_encodings_in_a_transport_file_are_refused_by_name(tmp_path: Path, iconv: str) -> None:
    path = _xpt(tmp_path / "t.xpt", [t.encode(iconv)[:8] for t in TEXTS[iconv]])
    with pytest.raises(DataError, match=f"iconv -f {iconv}"):
        [d.table() for d in read(path)]


@pytest.mark.parametrize("byte", [0x81, 0x8D, 0x8F, 0x90, 0x9D])
def test_a_byte_that_windows_1252_does_not_have_is_refused(tmp_path: Path, byte: int) -> None:
    path = _xpt(tmp_path / "t.xpt", [b"M\xfcller", b"a" + bytes([byte])])
    with pytest.raises(DataError, match="neither UTF-8 nor Windows-1252"):
        [d.table() for d in read(path)]


def test_every_text_of_windows_1252_stays_distinct(tmp_path: Path) -> None:
    known = [bytes([b]) for b in range(0x80, 0x100) if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)]
    texts = [b"Gr\xf6\xdfe" + k for k in known]
    (dataset,) = read(_xpt(tmp_path / "t.xpt", texts))
    values = dataset.table().column("A").to_pylist()
    assert values == [t.decode("cp1252") for t in texts]


def test_utf8_and_windows_1252_in_one_column_are_refused(tmp_path: Path) -> None:
    """C3 A9 would be read as é, and so would E9: two different texts."""
    path = _xpt(tmp_path / "t.xpt", ["caf\u00e9".encode(), b"caf\xe9"])
    with pytest.raises(DataError, match=r"row 2 column A: a text is not UTF-8, others of its column are"):
        [d.table() for d in read(path)]


def test_a_nul_byte_within_a_text_is_refused_and_padding_is_not(tmp_path: Path) -> None:
    (dataset,) = read(_xpt(tmp_path / "t.xpt", [b"ab\0\0\0\0\0\0", b"ab"]))
    assert dataset.table().column("A").to_pylist() == ["ab", "ab"]
    (dataset,) = read(_xpt(tmp_path / "u.xpt", [b"ab", b"a\0b"]))
    with pytest.raises(DataError, match="row 2 column A: a text holds a NUL byte"):
        dataset.table()
