"""Each command on a loaded trial: what it prints, where it goes, what it leaves in the log."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import shlex
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.shared import keep_answers

Run = Callable[..., Any]
KEYS = {
    "endpoint", "method", "population", "subgroup", "context", "arm", "treatment", "reference", "visit", "visit_number",
    "variable", "level", "stat_name", "stat", "stat_fmt", "warning", "error",
}  # fmt: skip
UNIQUE = ("endpoint", "context", "subgroup", "arm", "treatment", "reference", "visit", "variable", "level", "stat_name")
ENDPOINTS = ("alsfrs", "svc", "nfl", "cafs", "alsfrs_ancova", "alsfrs_slope", "survival", "ae", "baseline")


@pytest.mark.parametrize("name", ENDPOINTS)
def test_result_json_holds_the_contract(run: Run, loaded: Path, name: str) -> None:
    ran = run("endpoint", name, "--subgroup", "slow", "--subgroup", "not slow", "-w", loaded, "--format", "json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    assert found["schema"] == "alsbench.ard/1"
    assert found["provenance"]["post_hoc"] is True
    assert found["provenance"]["synthetic"] is True
    rows = found["results"]
    assert {r["subgroup"] for r in rows} == {"slow", "not slow"}
    assert all(r.keys() == KEYS for r in rows)
    assert len({tuple(r[k] for k in UNIQUE) for r in rows}) == len(rows)
    assert all(r["error"] or r["warning"] for r in rows if r["stat"] is None)


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("form", ["table", "csv", "tsv", "md"])
def test_every_endpoint_prints_in_every_format(run: Run, loaded: Path, name: str, form: str) -> None:
    ran = run("endpoint", name, "--subgroup", "slow", "-w", loaded, "--format", form)
    assert ran.code == 0, ran.err
    assert ran.out.endswith("\n")
    if form in {"table", "md"}:
        assert "post hoc" in ran.out.lower()
        assert "SYNTHETIC" in ran.out
        assert "…" not in ran.out
    else:
        rows = list(csv.DictReader(io.StringIO(ran.out), delimiter="," if form == "csv" else "\t"))
        assert rows
        assert set(rows[0]) == KEYS | {"title", "facts", "footnotes"}
        assert "SYNTHETIC" in rows[0]["title"]
        assert "Post hoc" in rows[0]["title"]
        assert "Population: " in rows[0]["facts"]


def test_numbers_are_the_same_in_json_csv_and_table(run: Run, loaded: Path) -> None:
    words = ("endpoint", "alsfrs", "-w", loaded)
    rows = run(*words, "--format", "json").json["results"]
    records = list(csv.DictReader(io.StringIO(run(*words, "--format", "csv").out)))
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert record["stat_fmt"] == row["stat_fmt"]
        if isinstance(row["stat"], float):
            assert float(record["stat"]) == row["stat"]
    table = run(*words).out
    shown = [r["stat_fmt"] for r in rows if r["context"] == "contrast" and r["stat_name"] in {"difference", "p_value"}]
    assert all(text in table for text in shown)


def test_the_same_question_gives_the_same_bytes(run: Run, loaded: Path) -> None:
    words = ("endpoint", "cafs", "--subgroup", "slow", "--format", "json", "-w", loaded)
    assert run(*words).out == run(*words).out


def test_provenance_holds_the_command_that_repeats_it(run: Run, loaded: Path) -> None:
    ran = run(
        "endpoint",
        "cafs",
        "--subgroup",
        "slow and nfl_low",
        "--comparison",
        "Group 1",
        "--visit",
        "Month 9",
        "-w",
        loaded,
        "--format",
        "json",
    )
    command = shlex.split(ran.json["provenance"]["command"])
    assert command[:3] == ["alsbench", "endpoint", "cafs"]
    again = run(*command[1:], "--format", "json")
    assert again.out == ran.out


def test_a_visit_is_a_number_or_a_label(run: Run, loaded: Path) -> None:
    words = ("endpoint", "alsfrs_ancova", "--format", "csv", "-w", loaded, "--visit")
    assert run(*words, "6").out == run(*words, "month 6").out
    assert len(run(*words, "6").out.splitlines()) > 5


def test_a_comparison_is_an_arm_or_a_name(run: Run, loaded: Path) -> None:
    found = run("endpoint", "alsfrs", "--comparison", "Group 2", "-w", loaded, "--format", "json").json["results"]
    assert {r["treatment"] for r in found if r["context"] == "contrast"} == {"Group 2"}
    assert {r["arm"] for r in found if r["stat_name"] == "ls_mean"} == {"Placebo", "Group 1", "Group 2"}


def test_subjects_are_added_on_request(run: Run, loaded: Path) -> None:
    words = ("endpoint", "cafs", "--comparison", "Group 1", "-w", loaded, "--format", "json")
    assert not [r for r in run(*words).json["results"] if r["context"] == "subject"]
    rows = [r for r in run(*words, "--subjects").json["results"] if r["context"] == "subject" and r["stat_name"] == "rank"]
    assert len(rows) == len({r["level"] for r in rows}) > 50


def test_evidence_puts_overall_first_and_complements_beside(run: Run, loaded: Path) -> None:
    ran = run("evidence", "--subgroup", "slow", "-w", loaded)
    assert ran.code == 0, ran.err
    places = [ran.out.index(part) for part in ("overall, n = ", "slow, n = 60, post hoc", "not slow, n = 55, post hoc")]
    assert places == sorted(places)
    found = run("evidence", "--subgroup", "slow", "-w", loaded, "--format", "json").json
    assert {r["subgroup"] for r in found["results"]} == {"overall", "slow", "not slow"}
    assert any(r["stat_name"] == "interaction_p" for r in found["results"])
    assert "evidence --subgroup slow" in found["provenance"]["command"]


def test_forest_draws_one_endpoint(run: Run, loaded: Path) -> None:
    ran = run("forest", "nfl", "-s", "slow", "-w", loaded)
    assert ran.code == 0, ran.err
    for part in ("overall", "slow *", "not slow *", "* post hoc", "p int", "■"):
        assert part in ran.out


def test_tables_fit_eighty_columns(run: Run, loaded: Path) -> None:
    for words in (
        ("endpoint", "alsfrs", "-s", "slow"),
        ("endpoint", "cafs"),
        ("endpoint", "survival"),
        ("evidence", "-s", "slow"),
        ("forest", "alsfrs"),
    ):
        out = run(*words, "-w", loaded).out
        assert max(map(len, out.splitlines())) <= 80, words


def test_arms_counts(run: Run, loaded: Path) -> None:
    rows = run("arms", "-w", loaded, "--format", "json").json["rows"]
    # meta of the reference trial: 47 + 22 + 46 = 115 randomised, all in FAS
    assert [(r["arm"], r["randomised"], r["FAS"]) for r in rows] == [
        ("Placebo", 47, 47),
        ("Group 1", 22, 22),
        ("Group 2", 46, 46),
        ("all arms", 115, 115),
    ]
    slow = run("arms", "-s", "slow", "-w", loaded, "--format", "json").json["rows"]
    assert slow[-1]["randomised"] == 60


@pytest.mark.parametrize(
    "words",
    [
        ("arms", "-s", "slow"),
        ("subgroup", "show", "slow"),
        ("data", "ADSL", "--limit", "1"),
        ("endpoint", "alsfrs_ancova", "-s", "slow"),
        ("forest", "alsfrs_ancova", "-s", "slow"),
        ("evidence", "-s", "slow"),
        ("scrutinise", "--check", "1", "-s", "slow"),
    ],
)
@pytest.mark.parametrize("form", ["table", "md", "html", "json"])
def test_a_table_alone_says_study_data_and_subgroup(run: Run, loaded: Path, words: tuple[str, ...], form: str) -> None:
    """Who gets one exported table gets no other page: which study, which data, who is in the subgroup."""
    out = run(*words, "-w", loaded, "--format", form).out
    if form == "json" and "question" in json.loads(out):
        assert json.loads(out)["provenance"]["study_id"] == "ALSREF01"
    said = html.unescape(out).replace("\\", "")
    for part in ("ALSREF01", "2023-08-17", "c0bcd34ceaea"):
        assert part in said, part
    if words[0] != "data":
        assert "LEADRATE <= mean(LEADRATE)" in said and "mean(LEADRATE) = 0.987" in said
        assert "post hoc" in said.casefold()


def test_a_subject(run: Run, loaded: Path) -> None:
    ran = run("subject", "ALSREF01-02-1001", "-w", loaded)
    assert ran.code == 0
    for part in ("LEADRATE", "0.7999", "ALSFRS-R Total Score", "Month 12", "Pneumonia", "DTHPAV"):
        assert part in ran.out
    rows = run("subject", "ALSREF01-02-1001", "-w", loaded, "--format", "json").json["rows"]
    assert {r["PARAMCD"] for r in rows} == {"ALSFRSR", "SVCPP", "NFL"}


def test_data_pages_filters_and_says_what_it_cut(run: Run, loaded: Path) -> None:
    tables = run("data", "-w", loaded, "--format", "json").json["rows"]
    assert {"ADSL": 115, "ADTTE": 115}.items() <= {t["table"]: t["rows"] for t in tables}.items()
    whole = run("data", "adqs", "-w", loaded, "--format", "csv")
    assert len(whole.out.splitlines()) == 16744 + 1
    cut = run("data", "ADQS", "--limit", 3, "-w", loaded)
    assert "3 of 16744 rows" in cut.out
    some = run("data", "ADSL", "--where", "LEADRATE <= mean(LEADRATE)", "-c", "usubjid", "--format", "csv", "-w", loaded)
    assert len(some.out.splitlines()) == 60 + 1
    order = run("data", "ADSL", "-c", "AGE", "--order-by", "-AGE", "--limit", 2, "--format", "json", "-w", loaded).json["rows"]
    assert order[0]["AGE"] >= order[1]["AGE"]


def test_subgroups_are_added_edited_and_removed_with_comments_kept(run: Run, workspace: Path) -> None:
    study = workspace / "study.toml"
    first = study.read_text().splitlines()[0]
    assert first.startswith("#")
    assert (
        run("subgroup", "add", "old", "--where", "AGE >= 65", "--label", "65 or older", "--prespecified", "-w", workspace).code
        == 0
    )
    shown = run("subgroup", "show", "old", "-w", workspace)
    assert "pre-specified" in shown.out
    assert (
        run("subgroup", "edit", "old", "--where", "AGE >= median(AGE)", "--post-hoc", "--rename", "older", "-w", workspace).code
        == 0
    )
    rows = run("subgroup", "list", "-w", workspace, "--format", "json").json["rows"]
    older = next(r for r in rows if r["name"] == "older")
    assert (older["where"], older["prespecified"], older["label"]) == ("AGE >= median(AGE)", False, "65 or older")
    assert older["cut"].startswith("median(AGE) = ")
    assert run("subgroup", "remove", "older", "-w", workspace).code == 0
    assert 'name = "older"' not in study.read_text()
    assert study.read_text().splitlines()[0] == first
    actions = [json.loads(line)["action"] for line in (workspace / "audit.jsonl").read_text().splitlines()]
    assert actions[-3:] == ["subgroup added", "subgroup edited", "subgroup removed"]


def test_a_load_prints_a_receipt(run: Run, tmp_path: Path, reference: Path) -> None:
    trial = reference / "als-ref-1"
    ran = run(
        "load", trial, "--study", trial / "study.toml", "-w", tmp_path / "ws", "--expect", "adsl.xpt=115", "--format", "json"
    )
    assert ran.code == 0, ran.err
    files = {r["file"]: r for r in ran.json["rows"]}
    assert files["adqs.xpt"]["rows"] == 16744
    assert files["adqs.xpt"]["messages"] == "row count not verifiable"
    assert files["adsl.xpt"]["messages"] is None  # --expect verified it
    assert len(files["adsl.xpt"]["sha256"]) == 64
    assert "is current" in ran.err
    assert "is current" not in run("load", trial, "-w", tmp_path / "ws", "--quiet").err


def test_check_snapshots_and_audit(run: Run, workspace: Path) -> None:
    assert run("check", "-w", workspace).code == 0
    snapshots = run("snapshots", "-w", workspace, "--format", "json").json["rows"]
    assert [s["current"] for s in snapshots] == [True]
    run("endpoint", "cafs", "-s", "slow", "-w", workspace)
    run("endpoint", "cafs", "-s", "slow", "-w", workspace, "--format", "csv")
    run("endpoint", "cafs", "-w", workspace, "-o", workspace / "cafs.json")
    looks = run("audit", "looks", "-w", workspace, "--format", "json").json["rows"]
    assert [(k["times"], k["post_hoc"]) for k in looks] == [(2, True)] * 3 + [(1, False)] * 3  # of three comparisons
    log = run("audit", "-w", workspace, "--format", "json")
    assert log.code == 0
    assert [r["action"] for r in log.json["rows"]] == ["load announced", "load", "look", "look", "export"]
    path = workspace / "audit.jsonl"
    path.write_text(path.read_text().replace('"look"', '"lock"', 1))
    broken = run("audit", "-w", workspace)
    assert broken.code == 1
    assert "BROKEN" in broken.out


def test_a_file_is_written_in_one_step_and_only_for_its_owner(run: Run, loaded: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    ran = run("endpoint", "cafs", "-w", loaded, "-o", target)
    assert ran.code == 0
    assert ran.out == ""
    assert "wrote" in ran.err
    assert json.loads(target.read_text())["schema"] == "alsbench.ard/1"  # the suffix chose the format
    assert target.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]
    assert run("endpoint", "cafs", "-w", loaded, "-o", tmp_path).code == 2
    assert run("endpoint", "cafs", "-w", loaded, "-o", tmp_path / "no" / "such" / "out.csv").code == 4


def test_output_to_a_pipe_leaves_it_a_pipe(run: Run, loaded: Path, tmp_path: Path) -> None:
    """``-o /dev/null`` must not put a file in the place of a device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    assert run("endpoint", "cafs", "-w", loaded, "--format", "json", "-o", pipe).code == 0
    reader.join(timeout=30)
    assert got and got[0].startswith("{")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_workspace_comes_from_option_variable_or_place(run: Run, loaded: Path, monkeypatch, tmp_path: Path) -> None:
    expected = run("arms", "-w", loaded).out
    assert run("-w", loaded, "arms").out == expected
    monkeypatch.setenv("ALSBENCH_WORKSPACE", str(loaded))
    assert run("arms").out == expected
    monkeypatch.delenv("ALSBENCH_WORKSPACE")
    monkeypatch.chdir(loaded)
    assert run("arms").out == expected
    command = run("endpoint", "cafs", "--format", "json").json["provenance"]["command"]
    assert command == "alsbench endpoint cafs"


def test_demo_prints_the_evidence_and_exits_0_without_a_terminal(
    run: Run, tmp_path: Path, workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keep_answers(tmp_path_factory, "demo", tmp_path / "demo")
    ran = run("demo", "-w", tmp_path / "demo")
    assert ran.code == 0, ran.err
    assert "SYNTHETIC DATA" in ran.out.replace("\n", " ")
    assert "overall, n = " in ran.out
    again = run("demo", "-w", tmp_path / "demo", "--no-tui")
    assert again.out == ran.out
    assert run("demo", "-w", workspace).code == 2, "it holds another trial"


def test_simulate_is_byte_identical_for_a_seed(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        ran = run("simulate", tmp_path / name, "--seed", 7, "--set", "course.slope_sd=0.5")
        assert ran.code == 0, ran.err
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert {"adsl.xpt", "adqs.xpt", "study.toml"} <= set(files)
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    assert run("simulate", tmp_path / "a").code == 2
    assert run("simulate", tmp_path / "c", "--set", "course.slope_sdd=1").code == 2
    ran = run("load", tmp_path / "a", "--study", tmp_path / "a" / "study.toml", "-w", tmp_path / "ws")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("trial", ["als-ref-1", "als-ref-2"])
def test_init_proposes_a_study_that_loads_and_answers(run: Run, tmp_path: Path, reference: Path, trial: str) -> None:
    ran = run("init", tmp_path / "ws", reference / trial)
    assert ran.code == 0, ran.err
    assert "CHECK" in ran.out
    assert run("init", tmp_path / "ws", reference / trial).code == 2
    assert run("load", reference / trial, "-w", tmp_path / "ws").code == 0
    evidence = run("evidence", "-w", tmp_path / "ws")
    assert evidence.code == 0, evidence.err
    assert "ALSFRS-R Total Score" in evidence.out


def test_a_study_is_proposed_from_a_zip_file_as_from_its_files(tmp_path: Path, run, small) -> None:
    packed = tmp_path / "trial.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(small.folder.glob("*.csv")):
            archive.write(file, file.name)
    assert run("init", tmp_path / "plain", small.folder).code == 0
    ran = run("init", tmp_path / "zipped", packed)
    assert ran.code == 0, ran.err
    assert (tmp_path / "zipped/study.toml").read_text() == (tmp_path / "plain/study.toml").read_text()
    assert sorted(p.name for p in (tmp_path / "zipped").iterdir()) == sorted(p.name for p in (tmp_path / "plain").iterdir())


def test_python_dash_m_is_the_same_program(loaded: Path) -> None:
    environment = {**os.environ, "ALSBENCH_WORKSPACE": str(loaded)}
    ran = subprocess.run(
        [sys.executable, "-m", "alsbench", "arms"], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0
    assert "all arms" in ran.stdout


def test_a_reader_that_goes_away_is_no_error(loaded: Path) -> None:
    program = f"{shlex.quote(sys.executable)} -m alsbench data ADQS -w {shlex.quote(str(loaded))} --format csv"
    command = f"{program} | head -1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[-1] == "0"
    assert ran.stderr == ""


def test_the_app_refuses_without_a_terminal_and_names_the_twin(loaded: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "alsbench", "tui", "-w", str(loaded)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ran.returncode == 2
    assert "alsbench evidence" in ran.stderr


def test_alone_it_is_the_app_in_a_workspace_and_help_elsewhere(run: Run, loaded: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(loaded)
    ran = run()
    assert ran.code == 2  # no terminal here
    assert "alsbench evidence" in ran.err
    monkeypatch.chdir(tmp_path)
    ran = run()
    assert ran.code == 0
    assert ran.out.startswith("Usage: alsbench")


def test_a_study_file_takes_its_place_only_with_the_data(run: Run, workspace: Path, reference: Path, tmp_path: Path) -> None:
    study = workspace / "study.toml"
    before = study.read_bytes()
    other = tmp_path / "other.toml"
    other.write_bytes(before + b"\n# a later version\n")
    assert run("load", tmp_path / "nowhere", "--study", other, "-w", workspace).code == 3
    assert study.read_bytes() == before
    assert run("load", reference / "als-ref-1", "--study", other, "-w", workspace).code == 0
    assert study.read_bytes() == other.read_bytes()
    assert (workspace / "study.toml.previous").read_bytes() == before
    assert len(run("snapshots", "-w", workspace, "--format", "json").json["rows"]) == 2
