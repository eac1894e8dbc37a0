"""One endpoint whose data cannot be analysed: its cells say why, and no table of many is lost with it.

The trial is als-ref-1 with fewer endpoints; its NfL endpoint is made faulty in the study file. Every other number must be that
of the sound study.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.scrutiny import catalogue

Run = Callable[..., Any]

FAULTS = {
    "no such data set": ('dataset = "ADLB"', 'dataset = "ADXX"', "the snapshot has no data set ADXX"),
    "no such parameter": ('paramcd = "NFL"', 'paramcd = "GFAP"', "holds no record of GFAP"),
    "no such column": ('covariates = ["LEADRATE"', 'covariates = ["NOSUCH", "LEADRATE"', "ADSL has no column NOSUCH"),
    "a condition that does not fit": ('paramcd = "NFL"', 'paramcd = "NFL"\nwhere = "NOFLAG == \'Y\'"', "NOFLAG"),
}


def fewer(workspace: Path) -> Path:
    """The workspace without two endpoints that cost much and say nothing else than the rest: a second MMRM, and the slope."""
    path = workspace / "study.toml"
    text = path.read_text()
    for name in ("svc", "alsfrs_slope"):
        at = text.index(f"[endpoints.{name}]")
        text = text[:at] + text[text.index("\n[", at) + 1 :]
    path.write_text(text)
    return path


def spoil(workspace: Path, old: str, new: str) -> Path:
    """The workspace with one key of its NfL endpoint changed."""
    path = fewer(workspace)
    text = path.read_text()
    at = text.index("[endpoints.nfl]")
    end = text.index("\n[", at + 1)
    assert old in text[at:end], text[at:end]
    path.write_text(text[:at] + text[at:end].replace(old, new) + text[end:])
    shutil.rmtree(workspace / "results", ignore_errors=True)
    return workspace


def numbers(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    keys = ("endpoint", "subgroup", "arm", "treatment", "reference", "visit_number", "variable", "level", "stat_name")
    return {tuple(r[k] for k in keys): r["stat"] for r in rows if r["endpoint"] != "nfl"}


@pytest.fixture(scope="module")
def sound(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    ignored = shutil.ignore_patterns("audit.jsonl")
    made = Path(shutil.copytree(loaded, tmp_path_factory.mktemp("sound") / "ws", ignore=ignored, symlinks=True))
    fewer(made)
    return made


@pytest.mark.parametrize("fault", FAULTS)
def test_the_evidence_holds_every_other_endpoint(run: Run, workspace: Path, sound: Path, fault: str) -> None:
    old, new, why = FAULTS[fault]
    spoil(workspace, old, new)
    words = ("-s", "slow", "--format", "json")
    found, wanted = run("evidence", "-w", workspace, *words), run("evidence", "-w", sound, *words)
    assert found.code == 0, found.err
    assert numbers(found.json["results"]) == numbers(wanted.json["results"])
    mine = [r for r in found.json["results"] if r["endpoint"] == "nfl" and r["context"] == "contrast"]
    assert {r["subgroup"] for r in mine} == {"overall", "slow", "not slow"}
    assert all(r["stat"] is None and why in r["error"] for r in mine)
    printed = " ".join(run("evidence", "-w", workspace, "-s", "slow").out.split())
    assert "NE: " in printed and why in printed
    for command in (("endpoint", "nfl"), ("forest", "nfl")):
        alone = run(*command, "-w", workspace)
        assert (alone.code, alone.out) == (2 if "column" in fault or "condition" in fault else 3, ""), alone.err
        assert why in alone.err


def test_records_that_stand_twice_cost_their_endpoint_only(run: Run, tmp_path: Path, reference: Path) -> None:
    """als-ref-2 with one NfL record twice at its visit, loaded although the check of the data refuses it."""
    data, space = tmp_path / "data", tmp_path / "ws"
    shutil.copytree(reference / "als-ref-2", data)
    lines = (data / "adlb.csv").read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if ",NEFL," in line and ",Week " in line)
    lines.append(lines[number])
    (data / "adlb.csv").write_text("\n".join(lines) + "\n")
    ran = run("load", data, "--study", data / "study.toml", "-w", space, "--accept", "duplicate-visit=known", "-q")
    assert ran.code == 0, ran.err
    found = run("evidence", "-w", space, "-s", "slow", "--format", "json")
    assert found.code == 0, found.err
    rows = [r for r in found.json["results"] if r["stat_name"] == "p_value" and r["subgroup"] == "overall"]
    faulty = {r["endpoint"] for r in rows if r["stat"] is None}
    assert faulty and all("duplicate subject-visit rows of NEFL" in r["error"] for r in rows if r["stat"] is None)
    assert {r["endpoint"] for r in rows if r["stat"] is not None} >= {"alsfrs", "cafs", "survival"}
    assert run("endpoint", next(iter(faulty)), "-w", space).code == 3


def test_csv_and_masked_evidence_say_it_too(run: Run, workspace: Path) -> None:
    spoil(workspace, 'paramcd = "NFL"', 'paramcd = "GFAP"')
    for words in (("--format", "csv"), ("--mask", "5", "--format", "json")):
        ran = run("evidence", "-w", workspace, "-s", "slow", *words)
        assert ran.code == 0
        assert "holds no record of GFAP" in ran.out


def test_a_slip_in_what_is_asked_is_still_the_askers(run: Run, workspace: Path) -> None:
    spoil(workspace, 'paramcd = "NFL"', 'paramcd = "GFAP"')
    for words in (("-s", "nobody"), ("--population", "Nobody"), ("-c", "nothing")):
        assert run("evidence", "-w", workspace, *words).code == 2


def test_a_report_says_which_tables_it_has_not(run: Run, workspace: Path, tmp_path: Path) -> None:
    spoil(workspace, 'paramcd = "NFL"', 'paramcd = "GFAP"')
    made = tmp_path / "report.md"
    ran = run("report", "-w", workspace, "-o", made, "-e", "nfl", "-e", "survival")
    assert ran.code == 0, ran.err
    text = made.read_text()
    evidence = text[text.index("## Table 4" if "## Table 4" in text else "evidence") :]
    assert "holds no record of GFAP" in evidence
    assert text.count("This table could not be made") == 2  # the endpoint's own table and its forest plot


@pytest.mark.parametrize("check", ["selection", "concordance", "surrogate", "iceman", "multiplicity"])
def test_scrutiny_of_a_sound_endpoint_goes_on(run: Run, workspace: Path, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 99)
    spoil(workspace, 'paramcd = "NFL"', 'paramcd = "GFAP"')
    ran = run("scrutinise", "-w", workspace, "-s", "slow", "-e", "alsfrs_ancova", "--check", check)
    assert ran.code == 0, ran.err
    if check == "selection":
        assert "not in the search: nfl (ADLB holds no record of GFAP)" in " ".join(ran.out.split())
    if check == "surrogate":
        assert "not estimable: ADLB holds no record of GFAP" in " ".join(ran.out.split())
    assert run("scrutinise", "-w", workspace, "-s", "slow", "-e", "nfl", "--check", check).code == 3


def test_a_plan_with_a_faulty_hypothesis_gives_no_verdict_on_it(run: Run, workspace: Path) -> None:
    spoil(workspace, 'paramcd = "NFL"', 'paramcd = "GFAP"')
    path = workspace / "study.toml"
    names = [line.split('"')[1] for line in path.read_text().splitlines() if line.startswith("name = ")]
    plan = '\n[multiplicity]\nmethod = "holm"\nhypotheses = [\n'
    plan += f'  {{ endpoint = "cafs", comparison = "{names[0]}" }},\n  {{ endpoint = "nfl", comparison = "{names[0]}" }},\n]\n'
    path.write_text(path.read_text() + plan)
    ran = run("evidence", "-w", workspace, "-s", "slow")
    assert ran.code == 0, ran.err
    assert f"nfl:{names[0]} no p-value, not rejected" in " ".join(ran.out.split())
