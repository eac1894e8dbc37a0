"""Every exported table stands alone in every format: title, population, subgroup, source, footnotes, post hoc, synthetic."""

from __future__ import annotations

import csv
import io
import json

import pytest

from alsbench.analysis.result import Result
from alsbench.render.ard import ROW_KEYS, to_json
from alsbench.render.delimited import TITLE_COLUMNS, page_delimited, page_markdown, results_delimited
from alsbench.render.layout import page_text
from alsbench.render.tables import endpoint_page

SAYS = ("ALSFRS-R total score", "FAS", "slow: LEADRATE", "1.0123", "aaaaaaaaaaaa", "two-sided 95% intervals", "alsbench 0.1.0")
FORMATS = {
    "txt": lambda r: " ".join(page_text(endpoint_page(r)).split()),
    "md": lambda r: page_markdown(endpoint_page(r)).replace("\\", ""),
    "csv": lambda r: results_delimited((r,), "csv"),
    "tsv": lambda r: results_delimited((r,), "tsv"),
    "csv of a page": lambda r: page_delimited(endpoint_page(r), "csv"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_table_stands_alone(name: str, mmrm: Result) -> None:
    text = FORMATS[name](mmrm)
    for part in (*SAYS, "Post hoc", "SYNTHETIC DATA"):
        assert part in text


def test_json_stands_alone(mmrm: Result) -> None:
    found = json.loads(to_json(mmrm))
    assert found["provenance"]["post_hoc"] and found["provenance"]["synthetic"]
    for part in ("ALSFRS-R total score", "FAS", "slow: LEADRATE", "two-sided 95% intervals"):
        assert part in json.dumps(found["facts"])


def test_a_csv_file_stays_one_rectangle(mmrm: Result) -> None:
    records = list(csv.DictReader(io.StringIO(results_delimited((mmrm,), "csv"))))
    assert tuple(records[0]) == (*ROW_KEYS, *TITLE_COLUMNS)
    assert len(records) == len(mmrm.rows)
    assert {r["title"] for r in records} == {"ALSFRS-R total score, change from baseline · Post hoc · SYNTHETIC DATA"}
    assert records[0]["facts"].startswith("Study: ALSREF01 | Population: FAS | Subgroup: slow")
    assert not any(r["facts"] or r["footnotes"] for r in records[1:])
