"""Adverse event counts against a plain count of the delivered records."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source

REFERENCE = Path(__file__).parent.parent / "reference" / "als-ref-2"


@pytest.fixture(scope="module")
def result(sources: dict[str, Source]):
    return answer(Question("ae"), sources["als-ref-2"])


@pytest.fixture(scope="module")
def delivered():
    with (REFERENCE / "adsl.csv").open() as file:
        arm = {r["USUBJID"]: r["TRT01A"] for r in csv.DictReader(file) if r["SAFFL"] == "Y"}
    with (REFERENCE / "adae.csv").open() as file:
        events = [r for r in csv.DictReader(file) if r["TRTEMFL"] == "Y" and r["USUBJID"] in arm]
    return arm, events


def test_it_is_asked_of_the_safety_population(result) -> None:
    assert result.question["population"] == "Safety"


def test_subjects_and_events_per_term(result, delivered) -> None:
    arm, events = delivered
    for name in set(arm.values()):
        for term in {e["AEDECOD"] for e in events}:
            mine = [e for e in events if e["AEDECOD"] == term and arm[e["USUBJID"]] == name]
            where = {"context": "arm", "arm": name, "level": term}
            assert result.get("count", **where).stat == len({e["USUBJID"] for e in mine})
            assert result.get("events", **where).stat == len(mine)


def test_overview(result, delivered) -> None:
    arm, events = delivered
    serious = {e["USUBJID"] for e in events if e["AESER"] == "Y"}
    for name in set(arm.values()):
        n = sum(a == name for a in arm.values())
        where = {"context": "arm", "arm": name, "variable": "Overview"}
        assert result.get("n", level="any", **where).stat == n
        assert result.get("count", level="any", **where).stat == len(
            {e["USUBJID"] for e in events if arm[e["USUBJID"]] == name}
        )
        assert result.get("count", level="serious", **where).stat == sum(arm[s] == name for s in serious)


def test_classes_come_by_descending_count(result) -> None:
    counts: dict[str, int] = {}
    for row in result.select(context="arm", stat_name="count", level=None):
        counts[row.variable] = counts.get(row.variable, 0) + row.stat
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
