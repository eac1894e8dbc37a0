"""Golden bytes of each format for one small result, in ``golden/``; set ALSBENCH_GOLDEN=write to accept new ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alsbench.analysis.result import Result
from alsbench.render.ard import to_json
from alsbench.render.delimited import page_markdown, results_delimited
from alsbench.render.layout import page_text
from alsbench.render.tables import endpoint_page

GOLDEN = Path(__file__).parent / "golden"
FORMATS = {
    "json": to_json,
    "csv": lambda r: results_delimited((r,), "csv"),
    "tsv": lambda r: results_delimited((r,), "tsv"),
    "md": lambda r: page_markdown(endpoint_page(r)),
    "txt": lambda r: page_text(endpoint_page(r)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_of_each_format(name: str, mmrm: Result) -> None:
    made = FORMATS[name](mmrm)
    path = GOLDEN / f"mmrm.{name}"
    if os.environ.get("ALSBENCH_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(made, encoding="utf-8", newline="")
    assert made == path.read_text(encoding="utf-8")
