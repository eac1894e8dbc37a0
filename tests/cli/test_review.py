"""Small promises of the shell that are easily broken: empty options, located faults, errors that name the study's key."""

from __future__ import annotations

import shutil
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "reference" / "als-ref-2"


def test_an_empty_option_is_refused_not_ignored(run, loaded: Path) -> None:
    assert run("data", "ADSL", "--where", "", "-w", loaded).code == 2
    assert run("endpoint", "cafs", "--subgroup", "", "-w", loaded).code == 2


def test_a_bad_number_is_located(run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(REFERENCE, data, ignore=shutil.ignore_patterns("expected", "study.toml"))
    lines = (data / "adre.csv").read_text().splitlines(keepends=True)
    cells = lines[5].rstrip("\n").split(",")
    cells[-3] = "12.x"
    lines[5] = ",".join(cells) + "\n"
    (data / "adre.csv").write_text("".join(lines))
    ran = run("load", data, "-w", tmp_path / "workspace", "--study", REFERENCE / "study.toml")
    assert ran.code == 3
    assert "12.x" in ran.err
    assert "row 5" in ran.err


def test_an_unknown_column_names_the_key_that_asks_for_it(run, loaded: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(loaded, workspace)
    study = workspace / "study.toml"
    text = study.read_text()
    study.write_text(text.replace('where = "LEADRATE <= mean(LEADRATE)"', 'where = "LEADRAT <= mean(LEADRATE)"'))
    ran = run("endpoint", "cafs", "--subgroup", "slow", "-w", workspace)
    assert ran.code == 2
    assert "subgroups.slow" in ran.err
    assert "LEADRATE" in ran.err


def test_a_table_has_no_empty_lines_of_figures(run, loaded: Path) -> None:
    """The average over visits belongs to the comparisons: it is not repeated under the arms."""
    text = run("endpoint", "alsfrs", "-w", loaded).out
    assert [line for line in text.splitlines() if line.startswith("average over visits")]
    assert not [line for line in text.splitlines() if line.strip() == "average over visits"]


def test_blinding_refuses_files_whose_arms_it_does_not_know(run, tmp_path: Path) -> None:
    """Without an ADSL the arm columns are not known: nothing may be loaded under the word BLINDED."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "PROACT_TREATMENT.csv").write_text("subject_id,Study_Arm,Treatment_Group_Delta\n1,Active,0\n2,Placebo,0\n")
    study = REFERENCE / "study.toml"
    ran = run("load", raw, "-w", tmp_path / "w", "--study", study, "--blinded", "--key", tmp_path / "key.json")
    assert ran.code == 3
    assert "ADSL" in ran.err
    assert not (tmp_path / "key.json").exists()
