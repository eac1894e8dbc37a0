"""Blinded workspaces: no real arm in any file of them, BLINDED wherever a result is shown, one way out, with the key."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data.sas7bdat_files import Column, write_sas7bdat

from alsbench.data.sas import special_cells, special_counts
from alsbench.data.workspace import Workspace

Run = Callable[..., Any]
ARMS = {"Placebo": ("PBO", 0), "Low dose": ("LOW", 1), "High dose": ("HIGH", 2)}
STUDY = """schema = 1
[study]
id = "SMALL"
title = "Low dose and High dose against Placebo"
[arms]
reference = "Placebo"
order = ["Placebo", "Low dose", "High dose"]
labels = { "Low dose" = "two jabs", "High dose" = "five jabs" }
doses = { "Placebo" = 0, "Low dose" = 2, "High dose" = 5 }
[populations]
FAS = "FASFL"
default = "FAS"
[[comparisons]]
name = "LOW-M1"
treatment = "Low dose"
horizon = 1
[[comparisons]]
name = "HIGH-M2"
treatment = "High dose"
horizon = 2
primary = true
[endpoints.score]
title = "Score, High dose first"
method = "ancova"
dataset = "ADQS"
paramcd = "TOTAL"
[multiplicity]
method = "holm"
[[multiplicity.hypotheses]]
endpoint = "score"
comparison = "HIGH-M2"
[[subgroups]]
name = "old"
where = "AGE > 58"
prespecified = true
"""
WORDS = (
    "placebo",
    "low dose",
    "high dose",
    "two jabs",
    "five jabs",
    "pbo",
    "high-m2",
    "low-m1",
    "verum",
    "comparator",
    "jab x",
)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A trial that names its arms in every way: labels, codes, numbers, a flag of its own, doses, treatments, free text."""
    folder = tmp_path / "data"
    folder.mkdir()
    labels = [list(ARMS)[i % 3] for i in range(24)]
    subjects, records, given, events = [], [], [], []
    for i, label in enumerate(labels):
        subject, (code, number) = f"S{i:02}", ARMS[label]
        subjects.append(
            {
                "USUBJID": subject, "TRT01P": label, "TRT01PN": number, "TRT01A": label, "TRT01AN": number, "ARM": label,
                "ARMCD": code, "ACTARM": label, "ACTARMCD": code, "GROUPX": f"g{number + 7}",
                "TRTFL": "comparator" if code == "PBO" else "verum", "DOSE01P": number * 2, "FASFL": "Y", "AGE": 50 + i,
                "COMMENT": f"was on {label.upper()} at entry" if i < 4 else "nothing",
            }
        )  # fmt: skip
        for visit in (0, 1, 2):
            value = 40 - i % 5 - visit * (1 + i % 4) + number * visit
            records.append(
                {
                    "USUBJID": subject, "TRTP": label, "TRTPN": number, "PARAMCD": "TOTAL", "PARAM": "Total", "AVISITN": visit,
                    "AVISIT": f"Month {visit}", "ABLFL": "Y" if visit == 0 else "", "AVAL": value, "BASE": 40 - i % 5,
                    "CHG": value - (40 - i % 5) if visit else "",
                }
            )  # fmt: skip
        for n in range(2):
            given.append({"USUBJID": subject, "EXSEQ": n, "EXTRT": "Placebo" if code == "PBO" else "Jab X", "EXDOSE": number})
        events.append({"USUBJID": subject, "AETERM": "Placebo effect" if i == 1 else "headache", "TRTEMFL": "Y"})
    for name, rows in (("adsl", subjects), ("adqs", records), ("adex", given), ("adae", events)):
        write(folder / f"{name}.csv", rows)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


@pytest.fixture
def blind(trial: Path, run: Run) -> Path:
    """The trial, loaded blinded into ``ws`` with the key in ``key.json``."""
    ran = load(trial, run)
    assert ran.code == 0, ran.err
    return trial


def load(trial: Path, run: Run, *more: object) -> Any:
    study = ("--study", trial / "study.toml")
    return run("load", trial / "data", *study, "--blinded", "--key", trial / "key.json", "-w", trial / "ws", *more)


def everything(workspace: Path) -> str:
    """Every file of the workspace as text, file names, and every value, label and name in its snapshots."""
    from alsbench.data.snapshot import open_snapshot

    parts = []
    for path in sorted(workspace.rglob("*")):
        parts.append(path.name)
        if path.is_file():
            parts.append(path.read_bytes().decode("latin-1"))
        if path.suffix == ".duckdb":
            with open_snapshot(path) as snapshot:
                for name, info in snapshot.tables.items():
                    rows = snapshot.page(name, None, offset=0, limit=info.rows)
                    parts += [repr(info), *(repr(row) for row in rows)]
    return "\n".join(parts).lower()


def test_no_real_arm_is_in_any_file(blind: Path, run: Run) -> None:
    workspace = blind / "ws"
    for words in (("endpoint", "score", "-s", "old"), ("evidence",), ("arms",), ("subgroup", "list"), ("check",)):
        assert run(*words, "-w", workspace).code == 0
    text = everything(workspace)
    assert "arm a" in text
    assert [w for w in WORDS if w in text] == []


def test_every_arm_column_holds_the_same_dummy(blind: Path, run: Run) -> None:
    key = json.loads((blind / "key.json").read_text())
    rows = run("data", "ADSL", "-w", blind / "ws", "--format", "json", "--limit", "100").json["rows"]
    numbers = {d: n for n, d in enumerate(sorted(key["arms"].values()), start=1)}
    for i, row in enumerate(rows):
        dummy = key["arms"][list(ARMS)[i % 3]]
        assert {row[c] for c in ("TRT01P", "TRT01A", "ARM", "ACTARM")} == {dummy}
        assert {row[c] for c in ("TRT01PN", "TRT01AN")} == {numbers[dummy]}
        assert {row[c] for c in ("ARMCD", "ACTARMCD", "GROUPX")} == {dummy[-1]}
        assert row["TRTFL"] is None and row["DOSE01P"] is None
    assert rows[0]["COMMENT"] == "was on [blinded] at entry"
    given = run("data", "ADEX", "-w", blind / "ws", "--format", "json").json["rows"]
    assert {(r["EXTRT"], r["EXDOSE"]) for r in given} == {("Blinded treatment", None)}


def test_the_study_tells_neither_reference_nor_horizons(blind: Path) -> None:
    from alsbench.study.study_file import read_study

    study = read_study(blind / "ws" / "study.toml")
    assert (study.arms.reference, study.arms.order) == ("Arm A", ("Arm A", "Arm B", "Arm C"))
    assert not study.arms.labels and not study.arms.doses and study.multiplicity is None
    assert [(c.name, c.primary) for c in study.comparisons] == [
        ("Arm B-M1", False), ("Arm B-M2", False), ("Arm C-M1", False), ("Arm C-M2", False)
    ]  # fmt: skip


def test_results_say_blinded(blind: Path, run: Run) -> None:
    found = run("endpoint", "score", "-w", blind / "ws", "--format", "json").json
    assert found["provenance"]["blinded"] is True
    for words in (("endpoint", "score"), ("evidence",), ("forest", "score"), ("arms",), ("subgroup", "list")):
        assert "BLINDED" in run(*words, "-w", blind / "ws").out


def test_the_key_is_private_and_outside(trial: Path, run: Run) -> None:
    inside = run(
        "load", trial / "data", "--study", trial / "study.toml", "--blinded", "--key", trial / "ws" / "k", "-w", trial / "ws"
    )
    assert inside.code == 2 and "must not lie in the workspace" in inside.err
    assert run("load", trial / "data", "--study", trial / "study.toml", "--blinded", "-w", trial / "ws").code == 2
    assert load(trial, run).code == 0
    assert stat.S_IMODE((trial / "key.json").stat().st_mode) == 0o600


def test_a_blinded_workspace_takes_no_open_load(blind: Path, run: Run) -> None:
    ran = run("load", blind / "data", "--study", blind / "study.toml", "-w", blind / "ws")
    assert ran.code == 2 and "blinded" in ran.err
    other = run("load", blind / "data", "--blinded", "--key", blind / "other.json", "-w", blind / "ws")
    assert other.code == 2 and not (blind / "other.json").exists()
    before = json.loads((blind / "key.json").read_text())["arms"]
    assert load(blind, run).code == 0  # the next data cut, with the same key
    assert json.loads((blind / "key.json").read_text())["arms"] == before


def test_an_open_workspace_is_not_blinded_afterwards(small: Any, run: Run, tmp_path: Path) -> None:
    ran = run("load", small.folder, "--blinded", "--key", tmp_path / "k.json", "-w", small.workspace)
    assert ran.code == 2 and "not blinded" in ran.err


def contrasts(ran: Any) -> dict[tuple[Any, ...], Any]:
    return {
        (r["treatment"], r["reference"], r["visit"]): r["stat"]
        for r in ran.json["results"]
        if r["context"] == "contrast" and r["stat_name"] == "difference"
    }


def test_unblinding_gives_the_trial_back(blind: Path, run: Run) -> None:
    workspace = blind / "ws"
    assert run("subgroup", "add", "young", "--where", "AGE < 54", "-w", workspace).code == 0
    assert run("unblind", "--key", blind / "key.json", "--reason", "", "-w", workspace).code == 2
    ran = run("unblind", "--key", blind / "key.json", "--reason", "database lock", "-w", workspace)
    assert ran.code == 0, ran.err
    open_ = blind / "open"
    assert run("load", blind / "data", "--study", blind / "study.toml", "-w", open_).code == 0
    again = contrasts(run("endpoint", "score", "-w", workspace, "--format", "json"))
    assert again == contrasts(run("endpoint", "score", "-w", open_, "--format", "json")) and again
    rows = [run("data", "ADSL", "-w", w, "--format", "json", "--limit", "100").json["rows"] for w in (workspace, open_)]
    for column in ("TRT01P", "TRT01PN", "ARM", "ARMCD", "ACTARMCD", "GROUPX", "TRT01AN"):
        assert [r[column] for r in rows[0]] == [r[column] for r in rows[1]]
    names = [r["name"] for r in run("subgroup", "list", "-w", workspace, "--format", "json").json["rows"]]
    assert names == ["old", "young"]
    assert run("endpoint", "score", "-w", workspace, "--format", "json").json["provenance"]["blinded"] is False
    log = run("audit", "-w", workspace, "--format", "json").json["rows"]
    assert [r["action"] for r in log].count("unblinded") == 1
    # one way
    assert run("unblind", "--key", blind / "key.json", "--reason", "again", "-w", workspace).code == 4
    assert load(blind, run).code == 2


def test_the_wrong_key_opens_nothing(blind: Path, run: Run) -> None:
    assert (
        run(
            "load", blind / "data", "--study", blind / "study.toml", "--blinded", "--key", blind / "k2.json", "-w", blind / "w2"
        ).code
        == 0
    )
    ran = run("unblind", "--key", blind / "k2.json", "--reason", "x", "-w", blind / "ws")
    assert ran.code == 2 and "not the one" in ran.err
    key = json.loads((blind / "key.json").read_text())
    key["arms"] = dict(zip(key["arms"], reversed(list(key["arms"].values())), strict=True))
    (blind / "key.json").write_text(json.dumps(key))
    ran = run("unblind", "--key", blind / "key.json", "--reason", "x", "-w", blind / "ws")
    assert ran.code == 3 and "edited" in ran.err


def test_a_plan_locked_blind_is_completed_by_the_key(blind: Path, run: Run) -> None:
    workspace = blind / "ws"
    assert run("lock", "-w", workspace).code == 0
    assert run("lock", "--verify", "-w", workspace).code == 0
    assert run("unblind", "--key", blind / "key.json", "--reason", "end", "-w", workspace).code == 0
    assert run("lock", "--verify", "-w", workspace).code == 0
    found = run("endpoint", "score", "-s", "old", "-w", workspace, "--format", "json").json["provenance"]
    assert (found["post_hoc"], found["deviations"]) == (False, [])
    path = workspace / "study.toml"
    path.write_text(path.read_text().replace("horizon = 2", "horizon = 1"))
    found = run("endpoint", "score", "-w", workspace, "--format", "json").json["provenance"]
    assert found["deviations"] == ["comparison HIGH-M2: horizon 1.0 instead of 2.0"]


def test_what_the_files_say_of_their_columns_survives_the_blind(trial: Path, run: Run) -> None:
    """Labels, formats, types and special missing values are the source's, while blind and after."""
    columns = (Column("USUBJID", 8, "Subject", "$", (8, 0)), Column("AVAL", 0, "Titre", "F", (8, 2)))
    subjects = [line.split(",")[0] for line in (trial / "data" / "adsl.csv").read_text().splitlines()[1:]]
    rows = [(s, ".N" if i % 4 == 0 else float(i)) for i, s in enumerate(subjects)]
    write_sas7bdat(trial / "data" / "adxx.sas7bdat", columns, rows, label="Titres")
    assert load(trial, run).code == 0
    for _ in range(2):
        with Workspace(trial / "ws").open_current() as snapshot:
            info = {c.name: c for c in snapshot.table("ADXX").columns}
            assert special_counts(snapshot, "ADXX") == {"AVAL": {".N": len(rows[::4])}}
            assert [r[0] for r in special_cells(snapshot, "ADXX")] == list(range(1, len(rows) + 1, 4))
        assert (info["AVAL"].label, info["AVAL"].format, info["AVAL"].type, info["AVAL"].length) == ("Titre", "F8.2", "Num", 8)
        assert (info["USUBJID"].type, info["USUBJID"].length) == ("Char", 8)
        run("unblind", "--key", trial / "key.json", "--reason", "end", "-w", trial / "ws")


def test_every_command_that_shows_data_or_results_says_blinded(blind: Path, run: Run) -> None:
    workspace = blind / "ws"
    commands: list[tuple[str, ...]] = [
        ("arms",), ("arms", "-s", "old"), ("subject", "S03"), ("data",), ("data", "ADSL"), ("data", "ADSL", "--columns"),
        ("subgroup", "list"), ("subgroup", "show", "old"), ("endpoint", "score"), ("evidence",), ("forest", "score"),
        ("chance", "-e", "score", "-s", "old", "--draws", "10"),
        ("check",), ("snapshots",), ("diff", "current", "current"), ("audit",), ("audit", "looks"), ("audit", "verify"),
        ("lock",), ("lock", "--show"), ("lock", "--verify"),
    ]  # fmt: skip
    for words in commands:
        for form in ("table", "json", "csv", "tsv", "md"):
            if words == ("lock",) and form != "table":
                continue  # done once
            text = run(*words, "-w", workspace, "--format", form).out
            # an empty table has no line to say it on, its heading has
            assert "BLINDED" in text or text.splitlines()[0].endswith("blinded") or '"blinded": true' in text, (words, form)
            assert [w for w in WORDS if w in text.lower()] == [], (words, form)


def test_init_does_not_bring_arms_into_a_blinded_workspace(blind: Path, run: Run) -> None:
    before = (blind / "ws" / "study.toml").read_text()
    ran = run("init", blind / "ws", blind / "data", "--force")
    assert ran.code == 2 and "blinded" in ran.err
    assert (blind / "ws" / "study.toml").read_text() == before


def test_a_workspace_that_names_arms_already_is_not_blinded(trial: Path, run: Run) -> None:
    (trial / "ws").mkdir()
    (trial / "ws" / "study.toml").write_text(STUDY)
    assert run("lock", "-w", trial / "ws").code == 0  # the locked plan of an open study names its arms
    ran = load(trial, run)
    assert ran.code == 3 and "names an arm" in ran.err
    assert not (trial / "key.json").exists()


def test_a_data_set_named_after_an_arm_is_refused(trial: Path, run: Run) -> None:
    (trial / "data" / "adqs.csv").rename(trial / "data" / "Placebo.csv")
    ran = load(trial, run)
    assert ran.code == 3 and "named after an arm" in ran.err


def test_columns_that_follow_the_arm_are_left_empty_in_every_table(trial: Path, run: Run) -> None:
    """A lot number or a visit of one arm in another data set tells the arm under no known name."""
    path = trial / "data" / "adqs.csv"
    heading, *lines = path.read_text().splitlines()
    arms = [list(ARMS)[(i // 3) % 3] for i in range(len(lines))]  # three visits of each subject
    kits = [f"kit{ARMS[a][1]}{i % 2}" for i, a in enumerate(arms)]
    path.write_text("\n".join([f"{heading},KIT", *(f"{line},{kit}" for line, kit in zip(lines, kits, strict=True))]) + "\n")
    assert load(trial, run).code == 0
    rows = run("data", "ADQS", "-w", trial / "ws", "--format", "json").json["rows"]
    assert {r["KIT"] for r in rows} == {None} and {r["AVISITN"] for r in rows} == {0, 1, 2}


def test_a_lineup_of_dummy_arms_is_refused(blind: Path, run: Run, tmp_path: Path) -> None:
    """There is no trial to be found among copies of dummies."""
    words = ("lineup", "-w", blind / "ws", "--key", tmp_path / "k", "-o", tmp_path / "l.html")
    ran = run(*words)
    assert ran.code == 2 and "blinded" in ran.err and not (tmp_path / "k").exists()


@pytest.mark.parametrize("turned", [False, True], ids=["ours blinded", "theirs blinded"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_reconciling_with_the_source_delivery_tells_no_arm(blind: Path, run: Run, turned: bool, form: str) -> None:
    """The raw delivery beside the blinded snapshot named each dummy arm's real one and, by record, each subject's."""
    sides = (blind / "data", blind / "ws") if turned else (blind / "ws", blind / "data")
    for more in ((), ("--why",)):
        ran = run("reconcile", *sides, *more, "--format", form)
        assert ran.code == 2
        assert ran.out == ""
        assert "blinded with the same key" in ran.err
        assert "Placebo" not in ran.err


def test_one_file_of_the_source_delivery_is_refused_too(blind: Path, run: Run) -> None:
    assert run("reconcile", blind / "ws", blind / "data" / "adsl.csv").code == 2


def test_deliveries_blinded_with_one_key_are_reconciled(blind: Path, run: Run) -> None:
    other = blind / "other"
    arguments = ("--study", blind / "study.toml", "--blinded", "--key", blind / "key.json", "-w", other)
    assert run("load", blind / "data", *arguments).code == 0
    ran = run("reconcile", blind / "ws", other, "--format", "json")
    assert ran.code == 0, ran.err


def test_no_mapping_is_proposed_from_a_blinded_workspace(blind: Path, run: Run) -> None:
    """A number of their table that is found under a dummy arm tells which arm it is."""
    theirs = blind / "theirs.html"
    theirs.write_text("<table><tr><th></th><th>Placebo</th></tr><tr><td>Mean</td><td>1.2</td></tr></table>")
    ran = run("reconcile", blind / "ws", theirs, "--propose")
    assert ran.code == 2
    assert ran.out == ""
    assert "would tell which dummy arm is which" in ran.err


def test_their_numbers_are_held_against_no_dummy_arm(blind: Path, run: Run) -> None:
    """With a mapping by hand, the arm whose numbers agree would be told; results of the blinded workspace itself are read."""
    theirs, mapping = blind / "theirs.csv", blind / "mapping.toml"
    theirs.write_text("arm,visit,n\nPlacebo,2,6\n")
    mapping.write_text(
        'schema = "alsbench.mapping/1"\n[default]\nendpoint = "score"\ncontext = "arm"\n[words]\nPlacebo = "Arm A"\n'
        '[columns]\narm = "arm"\nvisit = "visit"\n[values]\nn = "n"\n'
    )
    ran = run("reconcile", blind / "ws", theirs, "--mapping", mapping)
    assert ran.code == 2 and "would tell which dummy arm is which" in ran.err and ran.out == ""
    own = blind / "own.json"
    assert run("endpoint", "score", "-w", blind / "ws", "--format", "json", "-o", own, "-q").code == 0
    assert run("reconcile", blind / "ws", own).code == 0
