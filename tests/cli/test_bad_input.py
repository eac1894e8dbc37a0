"""Every bad input of the contract: a clear error with its exit code, or a row that says why; the old snapshot intact."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Small = Any


def _refused(run: Run, small: Small, *words: object, code: int = 3) -> str:
    """The load is refused with ``code``, and the snapshot that was current still is, byte for byte."""
    before = small.current()
    ran = run("load", *words, "-w", small.workspace)
    assert ran.code == code, ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert small.current() == before
    return ran.err


def test_a_missing_file(run: Run, small: Small) -> None:
    assert "nowhere.xpt" in _refused(run, small, small.folder / "nowhere.xpt")


def test_a_csv_with_a_bad_row_is_refused_naming_file_and_row(run: Run, small: Small) -> None:
    path = small.folder / "adqs.csv"
    lines = path.read_text().splitlines()
    lines[5] += ",one field too many"
    path.write_text("\n".join(lines) + "\n")
    message = _refused(run, small, small.folder)
    assert "adqs.csv" in message
    assert "6" in message  # the sixth line of the file


def test_a_truncated_xpt(run: Run, small: Small, tmp_path: Path, reference: Path) -> None:

    cut = tmp_path / "adsl.xpt"
    cut.write_bytes((reference / "als-ref-1" / "adsl.xpt").read_bytes()[:-100])
    assert "adsl.xpt" in _refused(run, small, cut)


def test_rows_that_were_expected_and_are_not_there(run: Run, small: Small) -> None:
    message = _refused(run, small, small.folder, "--expect", "adsl.csv=13")
    assert "13 rows were expected, the file holds 12" in message


@pytest.mark.parametrize("text", ["adsl.csv", "adsl.csv=", "=5", "adsl.csv=many"])
def test_an_expectation_that_cannot_be_read(run: Run, small: Small, text: str) -> None:
    assert "--expect" in _refused(run, small, small.folder, "--expect", text, code=2)


def test_duplicate_subject_visit_rows(run: Run, small: Small) -> None:
    rows = small.records()
    message = _refused(run, small, small.data(adqs=[*rows, rows[4]]))
    assert "ADQS" in message
    assert "--accept" in message


def test_duplicates_accepted_with_a_reason_are_loaded_and_logged(run: Run, small: Small) -> None:
    rows = small.records()
    folder = small.data(adqs=[*rows, {**rows[4], "AVAL": 1}])
    refused = run("load", folder, "-w", small.workspace, "--json-errors")
    assert refused.code == 3
    findings = json.loads(refused.err)["hint"]
    rule = findings.split("--accept ")[1].split()[0]
    ran = run("load", folder, "-w", small.workspace, "--accept", f"{rule}=two readings kept on purpose", "--format", "json")
    assert ran.code in {0, 3}
    if ran.code == 0:
        assert "two readings kept on purpose" in (small.workspace / "audit.jsonl").read_text()
        answer = run("endpoint", "score", "-w", small.workspace)
        assert answer.code == 3
        assert "duplicate" in answer.err


def test_a_visit_column_of_text(run: Run, small: Small) -> None:
    message = _refused(run, small, small.data(adqs=[{**r, "AVISITN": f"M{r['AVISITN']}"} for r in small.records()]))
    assert "AVISITN" in message


def test_an_arm_of_the_study_that_is_not_in_the_data(run: Run, small: Small) -> None:
    message = _refused(
        run, small, small.data(adsl=[{**s, "TRT01P": s["TRT01P"].replace("Active", "Drug")} for s in small.subjects])
    )
    assert "Active" in message


def test_an_unknown_column_in_an_expression(run: Run, small: Small) -> None:
    study = small.workspace / "study.toml"
    before = study.read_bytes()
    for words in (("subgroup", "add", "old", "--where", "AEG > 55"), ("data", "ADSL", "--where", "AEG > 55")):
        ran = run(*words, "-w", small.workspace)
        assert ran.code == 2
        assert "AEG" in ran.err
        assert "AGE" in ran.err  # the nearest
    assert study.read_bytes() == before


@pytest.mark.parametrize("where", ["AGE >", "AGE > 'old'", "__import__('os')", "AGE > 55; DROP TABLE ADSL", "AGE.real > 1"])
def test_an_expression_that_cannot_be_read(run: Run, small: Small, where: str) -> None:
    ran = run("subgroup", "add", "x", "--where", where, "-w", small.workspace)
    assert ran.code == 2
    assert ran.err.startswith("alsbench: ")
    assert "Traceback" not in ran.err


def test_a_post_baseline_column_is_refused_unless_forced_and_then_labelled(run: Run, workspace) -> None:
    words = ("subgroup", "add", "leavers", "--where", "EOSSTT == 'DISCONTINUED'", "-w", workspace)
    refused = run(*words)
    assert refused.code == 2
    assert "EOSSTT" in refused.err
    forced = run(*words, "--force")
    assert forced.code == 0, forced.err
    assert "POST-RANDOMISATION" in run("subgroup", "show", "leavers", "-w", workspace).out
    assert "POST-RANDOMISATION" in run("endpoint", "alsfrs_ancova", "-s", "leavers", "--visit", 6, "-w", workspace).out


def test_a_subgroup_without_subjects_in_one_arm_is_answered_with_rows_that_say_why(run: Run, small: Small) -> None:
    ran = run("endpoint", "score", "--subgroup", "actives", "-w", small.workspace, "--format", "json")
    assert ran.code == 0, ran.err
    differences = [r for r in ran.json["results"] if r["stat_name"] == "difference"]
    assert differences
    assert all(r["stat"] is None and "Placebo" in r["error"] for r in differences)
    assert "NE" in run("endpoint", "score", "--subgroup", "actives", "-w", small.workspace).out


@pytest.mark.parametrize(
    "words",
    [
        ("endpoint", "scor"),
        ("endpoint", "score", "--subgroup", "slwo"),
        ("endpoint", "score", "--comparison", "Activ"),
        ("endpoint", "score", "--visit", "Month 7"),
        ("endpoint", "score", "--visit", "7"),
        ("endpoint", "score", "--visit", "0"),
        ("endpoint", "score", "--visit", "nan"),
        ("endpoint", "score", "--visit", "inf"),
        ("endpoint", "score", "--population", "ITT"),
        ("endpoint", "score", "--method", "t-test"),
        ("endpoint", "score", "--covariance", "wild"),
        ("endpoint",),
        ("endpoint", "score", "--format", "xlsx"),
        ("endpoint", "score", "--no-such-option"),
        ("no-such-command",),
        ("data", "ADXX"),
        ("data", "ADSL", "--order-by", "NOPE"),
        ("subject", "S99"),
        ("subgroup", "show", "nobody"),
        ("subgroup", "remove", "nobody"),
        ("subgroup", "edit", "nobody", "--label", "x"),
        ("subgroup", "add", "not", "--where", "AGE > 1"),
        ("subgroup", "add", "2nd", "--where", "AGE > 1"),
        ("subgroup", "add", "actives", "--where", "AGE > 1"),
        ("forest", "nothing"),
        ("safety",),
    ],
)
def test_usage_errors_exit_2_on_stderr_only(run: Run, small: Small, words: tuple[str, ...]) -> None:
    ran = run(*words, *(() if words == ("no-such-command",) else ("-w", small.workspace)))
    assert ran.code == 2, (ran.code, ran.err)
    assert ran.out == ""
    assert ran.err.startswith("alsbench: ")
    assert "Traceback" not in ran.err


def test_an_invalid_study_file_names_line_and_key(run: Run, small: Small) -> None:
    small.study.write_text(small.study.read_text().replace('paramcd = "TOTAL"', 'paramcde = "TOTAL"'))
    message = _refused(run, small, small.folder, "--study", small.study, code=2)
    line = small.study.read_text().splitlines().index('paramcde = "TOTAL"') + 1
    assert f":{line}" in message
    assert "paramcd" in message


def test_without_data_or_without_a_study(run: Run, tmp_path: Path, small_study: str) -> None:
    for words in (("endpoint", "alsfrs"), ("arms",), ("evidence",), ("subgroup", "list")):
        ran = run(*words, "-w", tmp_path)
        assert ran.code == 2  # no study.toml
        assert "study.toml" in ran.err
    (tmp_path / "study.toml").write_text(small_study)
    for words in (("endpoint", "score"), ("data", "ADSL"), ("check",), ("snapshots",), ("audit",)):
        ran = run(*words, "-w", tmp_path)
        assert ran.code == 4, (words, ran.err)
        assert ran.out == ""


def test_errors_as_json_are_one_object_and_nothing_else(run: Run, small: Small) -> None:
    for words, code in (
        (("endpoint", "scor", "-w", small.workspace), 2),
        (("load", "nowhere.csv", "-w", small.workspace), 3),
        (("endpoint",), 2),
    ):
        ran = run(*words, "--json-errors")
        assert ran.code == code
        found = json.loads(ran.err)
        assert found["exit_code"] == code
        assert {"error", "kind", "what"} <= found.keys()


def test_an_error_never_steers_the_terminal(run: Run, small: Small) -> None:
    ran = run("endpoint", "\x1b[2Jscore\u202e", "-w", small.workspace)
    assert ran.code == 2
    assert "\x1b" not in ran.err
    assert "\\x1b[2Jscore\\u202e" in ran.err


@pytest.mark.parametrize("fault", [RuntimeError, EOFError])
def test_a_fault_of_the_program_keeps_data_to_itself(run: Run, small: Small, monkeypatch, tmp_path, fault) -> None:
    """A file cut short is no Ctrl-D."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("ALSBENCH_DEBUG", raising=False)

    def broken(*_args: object, **_more: object) -> None:
        raise fault("subject S01 has 40")

    monkeypatch.setattr("alsbench.analysis.run.answer", broken)
    ran = run("endpoint", "score", "-w", small.workspace)
    assert ran.code == 70
    assert "S01" not in ran.err
    assert fault.__name__ in ran.err
    kept = next((tmp_path / "state").rglob("fault-*.txt"))
    assert "S01" not in kept.read_text()
    assert "endpoint.py" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [("arms", "-w", ""), ("-w", " ", "arms")])
def test_an_empty_workspace_is_a_variable_that_was_not_set(run: Run, loaded: Path, monkeypatch, words: tuple[str, ...]) -> None:
    monkeypatch.chdir(loaded)
    ran = run(*words)
    assert ran.code == 2
    assert "the workspace is empty" in ran.err


def test_a_file_name_that_promises_another_format_is_refused_unless_the_format_is_said(
    run: Run, loaded: Path, tmp_path: Path
) -> None:
    ran = run("arms", "-w", loaded, "-o", tmp_path / "arms.docx")
    assert ran.code == 2
    assert ".rtf" in ran.err
    assert not list(tmp_path.iterdir())
    assert run("arms", "-w", loaded, "-o", tmp_path / "arms.xlsx", "--format", "csv").code == 0
    assert (tmp_path / "arms.xlsx").read_text().startswith("arm,")


def _limited(size: int, words: list[object]) -> subprocess.CompletedProcess[str]:
    """The program where no file may grow beyond ``size`` bytes: what a full disk is to it, for root too."""
    return subprocess.run(
        [sys.executable, "-m", "alsbench", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def test_where_nothing_can_be_written_the_old_files_stand_and_the_exit_code_is_4(workspace: Path, tmp_path: Path) -> None:
    study = (workspace / "study.toml").read_bytes()
    refused = _limited(0, ["subgroup", "add", "late", "--where", "AGE > 50", "-w", workspace])
    assert refused.returncode == 4, refused.stderr
    assert "study.toml: this cannot be written" in refused.stderr
    assert (workspace / "study.toml").read_bytes() == study
    assert not list(workspace.glob(".*.tmp"))
    kept = tmp_path / "arms.csv"
    kept.write_text("as it was")
    refused = _limited(0, ["arms", "-w", workspace, "-o", kept])
    assert refused.returncode == 4, refused.stderr
    assert "arms.csv: this cannot be written" in refused.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [kept.name, workspace.name]
    assert kept.read_text() == "as it was"
    refused = _limited(100, ["simulate", tmp_path / "made"])
    assert refused.returncode == 4, refused.stderr


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_a_full_standard_output_is_said(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "alsbench", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 4, ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "No space left on device" in ran.stderr


def test_a_session_log_that_is_none(run: Run, tmp_path: Path) -> None:
    missing = run("replay", tmp_path / "nowhere.jsonl")
    assert missing.code == 3
    assert missing.err == f"alsbench: {tmp_path / 'nowhere.jsonl'}: the session log cannot be read\nNo such file or directory\n"
    binary = tmp_path / "log.bin"
    binary.write_bytes(b"\xff\xfe\x00")
    assert run("replay", binary).code == 3
