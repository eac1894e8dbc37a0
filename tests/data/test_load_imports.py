"""What a load may not bring with it: pandas takes half a second to import, and Arrow and DuckDB reach for it unasked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

LOAD = """
import sys
from pathlib import Path
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
receipt = load([Path(sys.argv[1])], Workspace(Path(sys.argv[2])))
print(receipt.files[0].rows, "pandas" in sys.modules)
"""


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_loading_does_not_import_pandas(tmp_path: Path, form: str) -> None:
    table = pa.table(
        {
            "USUBJID": ["01", "02 ", "03"],
            "ABLFL": ["Y", "", None],
            "AVAL": [1.5, None, -0.0],
            "ADT": pa.array([19000, None, 19001], pa.date32()),
        }
    )
    path = tmp_path / f"adqs.{form}"
    (pacsv.write_csv if form == "csv" else pq.write_table)(table, path)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(path), str(tmp_path / "ws")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3", "False"]
