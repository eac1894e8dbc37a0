"""The measurement of why numbers differ (benchmarks/reconcile_faults.py): what it recorded is what the document says, and its
verdicts are right where the cause is known here."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "reconcile_faults.py"


@pytest.fixture(scope="module")
def measurement() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reconcile_faults", SCRIPT)
    assert spec and spec.loader
    module = sys.modules["reconcile_faults"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sample(measurement: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    folder = tmp_path_factory.mktemp("reconcile")
    name, source = next(measurement.trials(folder))
    assert name == "sample"
    yield source, folder
    source.snapshot.close()


def recorded() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROOT / "docs" / "reconcile.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_validation_document_holds_what_was_measured(measurement: ModuleType) -> None:
    """``make validation``: docs/reconcile.jsonl gives the tables of the document; there are as many as were promised."""
    lines = recorded()
    assert measurement.table(lines) in (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    assert sum(r["kind"] != measurement.NO_CAUSE for r in lines) >= 300
    records = [r for r in lines if r["side"] == "records"]
    assert all(r["gives"] and r["minimal"] for r in records if r["ending"] == "minimal")  # as the search said of itself
    assert {r["digits"] for r in lines} >= {2, 3, 4, 6, "full"}


def test_an_option_is_put_in_and_found(measurement: ModuleType, sample: tuple[Any, Path]) -> None:
    source, folder = sample
    cases = [f for f in measurement.option_faults(source) if (f.endpoint, f.kind) == ("survival", "tie")]
    cases += [measurement.OptionFault("population", "survival", asked={"population": "FAS"}, names=measurement.COX_LINE)]
    found = list(measurement.searched("sample", source, [(measurement.tried_option, f) for f in cases], folder))
    assert [(r["kind"], r["verdict"]) for r in found] == [("tie", "right")]  # FAS is theirs already: nothing moves


def test_what_prints_alike_is_not_what_was_put_in(measurement: ModuleType, sample: tuple[Any, Path]) -> None:
    """Half a p with two decimals, which several alternatives print: right only where the very number is among them."""
    source, folder = sample
    fault = measurement.OptionFault("one-sided p", "alsfrs_ancova", read=measurement.half, names=("p_value",))
    (found,) = measurement.searched("sample", source, [(measurement.tried_option, fault)], folder)
    assert found["verdict"] == "right"
    nothing = replace(fault, kind=measurement.NO_CAUSE, read=lambda line, name: 0.123456789 * line[name])
    (found,) = measurement.searched("sample", source, [(measurement.tried_option, nothing)], folder)
    assert found["verdict"] in ("not", "by chance")


def test_records_are_put_in_and_found(measurement: ModuleType, sample: tuple[Any, Path]) -> None:
    source, folder = sample
    faults = [f for f in measurement.record_faults(source) if f.endpoint == "alsfrs_ancova"]
    kinds = ("dropped", "arm swapped", "added")
    cases = [next(f for f in faults if f.kind == kind and f.changed == 2) for kind in kinds]
    found = list(measurement.searched("sample", source, [(measurement.tried_records, f) for f in cases], folder))
    assert [r["kind"] for r in found] == list(kinds)
    assert all(r["gives"] and r["minimal"] and r["found"] <= 2 for r in found)
    assert found[1]["differing"] > 100  # the second is among changes that nothing reads, and noise
