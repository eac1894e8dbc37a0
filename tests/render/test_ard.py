"""The result JSON is a contract: exact keys, raw doubles, no NaN, the same bytes every time."""

from __future__ import annotations

import json
import math

import pytest

from alsbench.analysis.result import Result
from alsbench.render.ard import ROW_KEYS, to_json


def _refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


def test_the_document_has_the_keys_scripts_rely_on(mmrm: Result) -> None:
    document = json.loads(to_json(mmrm), parse_constant=_refuse)
    assert document["schema"] == "alsbench.ard/1"
    assert {"endpoint", "method", "population", "subgroups"} <= document["question"].keys()
    assert {"snapshot", "study", "engine", "post_hoc", "synthetic", "command"} <= document["provenance"].keys()
    assert len(document["results"]) == len(mmrm.rows)
    for row in document["results"]:
        assert tuple(row) == ROW_KEYS


def test_rows_are_unique_by_their_key(mmrm: Result) -> None:
    rows = json.loads(to_json(mmrm))["results"]
    names = ("context", "subgroup", "arm", "treatment", "reference", "visit", "variable", "level", "stat_name")
    assert len({tuple(r[n] for n in names) for r in rows}) == len(rows)


def test_a_statistic_is_its_raw_double_beside_its_printed_form(mmrm: Result) -> None:
    rows = json.loads(to_json(mmrm))["results"]
    found = next(r for r in rows if r["stat_name"] == "ls_mean" and r["arm"] == "Placebo" and r["visit"] == "Month 6")
    assert (found["stat"], found["stat_fmt"], found["visit_number"]) == (-4.123456789, "-4.12", 6)
    assert '"visit_number": 6,' in to_json(mmrm)
    n = next(r for r in rows if r["stat_name"] == "n")
    assert n["stat"] == 58
    assert isinstance(n["stat"], int)


def test_what_cannot_be_computed_is_null_with_a_reason(mmrm: Result) -> None:
    rows = json.loads(to_json(mmrm))["results"]
    missing = [r for r in rows if r["stat"] is None]
    assert len(missing) == 6
    assert all(r["error"] == "no rows of Group 1 at Month 12" and r["stat_fmt"] == "NE" for r in missing)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_never_reaches_the_document(row, result_of, value: float) -> None:
    text = to_json(result_of([row("contrast", "difference", value, treatment="A", reference="B")]))
    found = json.loads(text, parse_constant=_refuse)["results"][0]
    assert (found["stat"], found["stat_fmt"]) == (None, "NE")
    assert found["error"]


def test_numbers_of_numpy_are_plain_numbers(row, result_of) -> None:
    import numpy as np

    text = to_json(result_of([row("arm", "ls_mean", np.float64(0.1), arm="A")]))
    assert '"stat": 0.1,' in text


def test_the_document_cannot_steer_a_terminal(row, result_of) -> None:
    text = to_json(result_of([row("subject", "rank", 1.5, level="\x1b]0;x\x07\u202e\x9b")]))
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["results"][0]["level"] == "\x1b]0;x\x07\u202e\x9b"


def test_the_same_result_gives_the_same_bytes(mmrm: Result) -> None:
    assert to_json(mmrm) == to_json(mmrm)


def test_an_empty_result_is_a_document_too(result_of) -> None:
    assert json.loads(to_json(result_of([])))["results"] == []
