"""A JSON document read piece by piece says what the standard library says of it whole, however it is cut into pieces."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.data.readers import dataset_json
from alsbench.data.readers.dataset_json import JsonObject
from alsbench.data.readers.files import read
from alsbench.errors import DataError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
ROWS = st.lists(st.lists(SCALARS, max_size=4), max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def _read(path: Path) -> dict[str, Any]:
    document = JsonObject(path)
    found: dict[str, Any] = {}
    for key in document.keys():  # noqa: SIM118
        found[key] = list(document.rows()) if key == "rows" and document.is_list() else document.value()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


@settings(max_examples=200, deadline=None)
@given(
    before=st.dictionaries(st.text(max_size=5).filter(lambda t: t != "rows"), VALUES, max_size=3),
    rows=ROWS,
    after=VALUES,
    chunk=st.integers(1, 40),
    style=st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}]),
)
def test_as_the_standard_library_reads_it(
    before: dict[str, Any], rows: list[Any], after: Any, chunk: int, style: dict[str, Any], folder: Path
) -> None:
    path = folder / "t.json"
    content = {**before, "rows": rows, "after the rows": after}
    path.write_text(json.dumps(content, **style), "utf-8", errors="surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_json, "_CHUNK", chunk)
        try:
            wanted = json.loads(path.read_text("utf-8"))
        except UnicodeDecodeError:  # a lone surrogate written as such is no UTF-8
            with pytest.raises(DataError):
                _read(path)
            return
        assert _read(path) == wanted


@settings(max_examples=300, deadline=None)
@given(data=st.data(), chunk=st.integers(1, 30))
def test_what_is_damaged_is_refused_where_the_library_refuses(data: Any, chunk: int, folder: Path) -> None:
    """Bytes cut off, changed or put in: both read the same, or both refuse (a name that stands twice is refused here only)."""
    path = folder / "d.json"
    whole = bytearray(b'{"records": 12, "rows": [[1, "x,]", null], [-2.5e3, "\\u00e9\\ud83d\\ude00", true]], "b": {"c": [0]}}')
    at = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(["cut", "change", "insert"])):
        case "cut":
            del whole[at:]
        case "change":
            whole[at] = data.draw(st.sampled_from(b'{}[]",:0x\\ \n-.eN\xff'))
        case _:
            whole[at:at] = data.draw(st.sampled_from([b",", b"]", b"NaN", b'"', b"0", b"\\", b"\xc3"]))
    path.write_bytes(bytes(whole))
    try:
        wanted = json.loads(bytes(whole).decode("utf-8"), parse_constant=dataset_json.no_constant)
    except (ValueError, RecursionError):
        wanted = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_json, "_CHUNK", chunk)
        if isinstance(wanted, dict):
            try:
                assert _read(path) == wanted
            except DataError as error:
                assert "is given twice" in error.why
        else:
            with pytest.raises(DataError):
                _read(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"rows": [["é😀"]]}', encoding)
    assert _read(path) == {"rows": [["é😀"]]}


COLUMNS = [{"name": "A", "dataType": "double"}, {"name": "B", "dataType": "string"}]


@pytest.mark.parametrize("last", ["columns", "records", "nothing"])
def test_metadata_may_stand_behind_the_rows(last: str, tmp_path: Path) -> None:
    parts: dict[str, Any] = {"records": 2, "columns": COLUMNS, "label": "L", "rows": [[1.0, "x"], [2.0, "y"]]}
    if last in parts:
        parts[last] = parts.pop(last)
    path = tmp_path / "t.json"
    path.write_text(json.dumps(parts), "utf-8")
    (dataset,) = read(path)
    assert (dataset.rows, dataset.label) == (2, "L")
    assert dataset.table().to_pydict() == {"A": [1.0, 2.0], "B": ["x", "y"]}


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"columns": [{"name": "A", "dataType": "double"}], "records": 1, "rows": [[1]], "rows": [[2]]}', "utf-8")
    with pytest.raises(DataError, match="given twice"):
        read(path)[0].table()


@pytest.mark.parametrize(
    "values", [[1, 2.5, None], [1.5, True], [1.5, "2.5", "."], [1e308, "1e999"], [2**70, 0.5], [None, None]]
)
def test_numbers_of_mixed_types_are_judged_one_by_one(values: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"records": len(values), "columns": COLUMNS[:1], "rows": [[v] for v in values]}), "utf-8")
    if True in [v is True for v in values] or "1e999" in values:
        with pytest.raises(DataError, match="row 2 column A"):
            read(path)[0].table()
    else:
        wanted = [None if v in (None, ".") else float(v) for v in values]
        assert read(path)[0].table().to_pydict() == {"A": wanted}


CHILD = """
import sys
from pathlib import Path
from alsbench.data.readers.files import read
(dataset,) = read(Path(sys.argv[1]))
print(sum(b.num_rows for b in dataset.batches()))
"""


def test_a_large_document_takes_little_memory(tmp_path: Path) -> None:
    """40 MB of rows: parsed whole they took twenty times their size."""
    random_ = random.Random(1)
    path = tmp_path / "big.json"
    row = json.dumps([random_.random(), "a text of some length " * 3])
    count = 400_000
    with path.open("w") as file:
        file.write(json.dumps({"records": count, "columns": COLUMNS})[:-1] + ', "rows": [')
        file.write(",\n".join([row] * count))
        file.write("]}")

    def peak(paths: Path) -> tuple[str, int]:
        code = CHILD + "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        done = subprocess.run([sys.executable, "-c", code, str(paths)], capture_output=True, text=True, check=True, timeout=300)
        rows, kilobytes = done.stdout.split()
        return rows, int(kilobytes)

    small = tmp_path / "small.json"
    small.write_text(json.dumps({"records": 1, "columns": COLUMNS, "rows": [[1.0, "x"]]}), "utf-8")
    (_, without), (rows, with_) = peak(small), peak(path)
    assert rows == str(count)
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child's figure begins at its parent's
    assert with_ - max(without, inherited) < 120 * 1024
