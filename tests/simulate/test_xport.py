"""Transport files: IBM floating point to the last bit, and the bytes of the header."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyreadstat
from hypothesis import given
from hypothesis import strategies as st

from alsbench.simulate.xport import XportColumn, XportTable, ibm_floats, to_xport

CREATED = datetime(2024, 1, 1)


def from_ibm(bits: int) -> float:
    """The definition: sign, characteristic (base 16, excess 64), 56-bit fraction."""
    if bits == 0x2E << 56:
        return float("nan")
    sign = -1.0 if bits >> 63 else 1.0
    fraction = bits & ((1 << 56) - 1)
    power = 4 * (((bits >> 56) & 0x7F) - 64) - 56
    return sign * fraction * 2.0**power


def test_published_examples() -> None:
    """-118.625 is C276A00000000000 (IBM System/360 Principles of Operation); 1 is 4110000000000000."""
    bits = ibm_floats(np.array([-118.625, 1.0, 0.0, np.nan]))
    assert [f"{int(b):016X}" for b in bits] == ["C276A00000000000", "4110000000000000", "0000000000000000", "2E00000000000000"]


@given(st.lists(st.floats(1e-60, 1e60) | st.floats(-1e60, -1e-60) | st.just(0.0), min_size=1, max_size=20))
def test_every_double_survives(values: list[float]) -> None:
    assert [from_ibm(int(b)) for b in ibm_floats(np.array(values))] == values


def test_header_and_padding(tmp_path: Path) -> None:
    table = XportTable(
        "ADX",
        "A label",
        (
            XportColumn("USUBJID", "Subject", "text", np.array(["a", "bcd"], dtype=object)),
            XportColumn("AVAL", "Value", "number", np.array([1.5, np.nan])),
            XportColumn("ADT", "Date", "date", np.array([0.0, 19000.0])),
        ),
    )
    content = to_xport(table, created=CREATED)
    assert content == to_xport(table, created=CREATED)
    assert len(content) % 80 == 0
    assert content.startswith(b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!")
    assert content.count(b"01JAN24:00:00:00") == 4
    path = tmp_path / "adx.xpt"
    path.write_bytes(content)
    frame, meta = pyreadstat.read_xport(str(path))
    assert frame["USUBJID"].tolist() == ["a", "bcd"]
    assert frame["ADT"].astype(str).tolist() == ["1970-01-01", "2022-01-08"]
    assert np.isnan(frame["AVAL"][1])
    assert meta.original_variable_types["ADT"].rstrip(".") == "DATE9"  # pyreadstat 1.3.8 writes the point
