"""Two loads compared: records by key, results that changed; old snapshots removed on request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def two(small: Any, run: Run) -> Any:
    """The small trial, loaded again with one value changed and one record gone."""
    rows = small.records()
    rows[5]["AVAL"] += 3  # S01 at visit 2
    rows[5]["CHG"] += 3
    gone = rows.pop(8)  # S02 at visit 2
    assert (gone["USUBJID"], gone["AVISITN"]) == ("S02", 2)
    ran = run("load", small.data(adqs=rows), "-w", small.workspace, "-q")
    assert ran.code == 0, ran.err
    return small


def _tables(ran: Any) -> dict[str, Any]:
    found = json.loads(ran.out)
    return {t["table"]: t for t in (found, *found["more"])}


def test_records_are_found_by_key(run: Run, two: Any) -> None:
    ran = run("diff", "previous", "current", "-w", two.workspace, "--format", "json")
    assert ran.code == 1, ran.err
    found = _tables(ran)
    adqs = next(r for r in found["tables"]["rows"] if r["table"] == "ADQS")
    assert (adqs["state"], adqs["added"], adqs["removed"], adqs["changed"]) == ("changed", 0, 1, 1)
    assert adqs["keys"] == "USUBJID PARAMCD AVISITN"
    lines = {(r["change"], r["key"], r["column"]): (r["old"], r["new"]) for r in found["records"]["rows"]}
    assert lines[("removed", "S02 TOTAL 2", None)] == (None, None)
    old, new = lines[("changed", "S01 TOTAL 2", "AVAL")]
    assert float(new) - float(old) == 3
    assert next(r for r in found["tables"]["rows"] if r["table"] == "ADSL")["state"] == "same"


def test_changed_results_are_those_that_the_endpoint_command_gives(run: Run, two: Any) -> None:
    found = _tables(run("diff", "previous", "-w", two.workspace, "--format", "json"))["results"]["rows"]
    overall = next(r for r in found if r["subgroup"] == "overall")
    now = run("endpoint", "score", "--visit", "2", "-w", two.workspace, "--format", "json").json["results"]
    stats = {r["stat_name"]: r["stat"] for r in now if r["context"] == "contrast"}
    assert (overall["estimate_new"], overall["p_new"]) == (stats["difference"], stats["p_value"])
    assert overall["estimate_old"] != overall["estimate_new"]


def test_a_snapshot_equals_itself(run: Run, two: Any) -> None:
    ran = run("diff", "current", "current", "-w", two.workspace, "--format", "json")
    assert ran.code == 0
    assert _tables(ran)["results"]["rows"] == []


@pytest.mark.parametrize("form", ["table", "csv", "tsv", "md"])
def test_every_format(run: Run, two: Any, form: str) -> None:
    ran = run("diff", "previous", "current", "-w", two.workspace, "--format", form)
    assert ran.code == 1
    assert "ADQS" in ran.out


def test_names(run: Run, two: Any, small: Any) -> None:
    names = [r["name"] for r in run("snapshots", "-w", two.workspace, "--format", "json").json["rows"]]
    assert len(names) == 2
    ran = run("diff", names[0].partition("-")[2][:8], names[1], "--no-results", "-w", two.workspace, "--format", "json")
    assert ran.code == 1
    assert ran.json["facts"]["Old"] == names[0]
    assert run("diff", "nosuch", "-w", two.workspace).code == 2
    ambiguous = run("diff", "2", "-w", two.workspace)
    assert ambiguous.code == 2
    assert names[0] in ambiguous.err


def test_pruning_keeps_the_current_one_and_is_logged(run: Run, two: Any) -> None:
    ran = run("snapshots", "--prune", "1", "-w", two.workspace, "--format", "json")
    assert [r["current"] for r in ran.json["rows"]] == [True]
    entries = run("audit", "-w", two.workspace, "--format", "json").out
    assert '"prune"' in entries
    assert run("diff", "previous", "-w", two.workspace).code == 4
    assert run("snapshots", "--prune", "0", "-w", two.workspace).code == 2


def test_pruning_spares_an_older_snapshot_that_is_current(run: Run, two: Any) -> None:
    names = [r["name"] for r in run("snapshots", "-w", two.workspace, "--format", "json").json["rows"]]
    (two.workspace / "snapshots" / "current").write_text(names[0] + "\n")
    ran = run("snapshots", "--prune", "1", "-w", two.workspace, "--format", "json")
    assert [(r["name"], r["current"]) for r in ran.json["rows"]] == [(names[0], True), (names[1], False)]


def test_which_records_account_for_changed_results(run: Run, two: Any) -> None:
    """Two records differ and both stand at visit 2, where the contrast is read: without either it is another one."""
    ran = run("diff", "previous", "-w", two.workspace, "--why", "--format", "json")
    (found,) = _tables(ran)["why"]["rows"]
    assert (found["endpoint"], found["subgroup"], found["explained"]) == ("score", "overall", "yes")
    changed = "1 record of ADQS changed in AVAL, CHG (subject S01; Month 2)"
    gone = "1 record of ADQS removed (subject S02; Month 2)"
    assert found["why"].startswith(f"{changed} and {gone} account for them; none of them can be left out")
    small = _tables(run("diff", "previous", "-w", two.workspace, "--why", "--budget", "1", "--format", "json"))["why"]
    assert small["rows"][0]["analyses"] == 1 and "the budget of 1 analyses ended" in small["rows"][0]["why"]
    assert "why" not in _tables(run("diff", "previous", "-w", two.workspace, "--format", "json"))
    assert "account for them" in " ".join(run("diff", "previous", "-w", two.workspace, "--why").out.split())


def test_a_report_says_what_changed_since_a_snapshot(run: Run, two: Any) -> None:
    """The page of the report holds what `diff` prints, the front page its sentence, the exit code its verdict."""
    old, new = (r["name"] for r in run("snapshots", "-w", two.workspace, "--format", "json").json["rows"])
    ran = run("report", "--diff", "previous", "-w", two.workspace, "--format", "table")
    text = " ".join(ran.out.split())
    assert ran.code == 1, ran.err
    assert (
        f"Changed since snapshot {old}" in text
        and "How the data differ, worst first" in text
        and "Results: 1 of 3 contrasts changed" in text
    )
    assert f"Snapshot {new} beside {old}: differences. Results: 1 of 3 contrasts changed, 1 changes a conclusion." in text
    assert f"--diff {old}" in text and "S01 TOTAL 2" in text
    same = run("report", "--diff", "current", "-w", two.workspace, "--format", "table")
    assert same.code == 0 and "the same but for noise and print." in " ".join(same.out.split())
    assert run("report", "--diff", "nosuch", "-w", two.workspace).code == 2
    masked = run("report", "--diff", "previous", "--mask", "5", "-w", two.workspace, "--format", "table")
    assert "S01 TOTAL 2" not in masked.out and "cannot be masked" in " ".join(masked.out.split())
