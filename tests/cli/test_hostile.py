"""Hostile texts in data, study file, names and arguments: shown escaped wherever they are shown, and never obeyed.

An ANSI hyperlink, a C1 control sequence, a bidi override, Rich markup, a Markdown link and formulas stand in subject ids, arm
names, visit labels, titles, subgroup labels, comparison names and in what is typed.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alsbench.__main__ import main
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace

Run = Callable[..., Any]
BIDI = "\u202e"
BAD = f"\x1b]8;;http://evil/\x07link\x1b]8;;\x07\x9b31m{BIDI}[red]x[/red] [click](http://evil)=1+1"
ARM = "Active" + BAD
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?")
COMMANDS: list[tuple[str, ...]] = [
    ("arms",), ("arms", "-s", "old"), ("data",), ("data", "ADSL"), ("data", "ADSL", "--columns"), ("subject", "=S01"),
    ("subject", "S" + BAD), ("subject", "nobody" + BAD), ("endpoint", "score", "-s", "old"), ("endpoint", "base"),
    ("endpoint", "x" + BAD), ("evidence",), ("forest", "score"), ("check",), ("snapshots",), ("subgroup", "list"),
    ("subgroup", "show", "old"), ("subgroup", "show", BAD), ("audit",), ("audit", "looks"), ("lock", "--show"),
    ("lock", "--verify"), ("diff", "current"), ("data", "x" + BAD), ("data", "ADSL", "--where", f"SITE == '{BAD}'"),
    ("endpoint", "score", "--option", f"where={BAD}"), ("endpoint", "score", "--population", BAD),
]  # fmt: skip


def toml(text: str) -> str:
    return json.dumps(text)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in a folder with a quote in its name, whose data and study file are hostile; its plan is locked."""
    folder = tmp_path_factory.mktemp("it's 'quoted'; DROP TABLE x --")
    subjects, records = [], []
    for i in range(24):
        subject = f"=S{i:02}" if i else f"S{BAD}"
        arm, site = (ARM if i % 2 else "Placebo"), ("A" if i % 3 else "B") + BAD
        about = {"USUBJID": subject, "TRT01P": arm, "TRT01A": arm, "FASFL": "Y", "AGE": 50 + i, "SITE": site}
        subjects.append({**about, "NOTE": "@cmd|' /C calc'!A0"})
        for visit in (0, 1, 2):
            base = 40 - i % 5
            value = base - visit * (1 + i % 3) - i * 7 % 4
            row = {
                "USUBJID": subject,
                "PARAMCD": "TOTAL",
                "PARAM": "+Total" + BAD,
                "AVISITN": visit,
                "AVISIT": f"M{visit}{BAD}",
            }
            records.append({**row, "ABLFL": "" if visit else "Y", "AVAL": value, "BASE": base, "CHG": value - base})
    for name, rows in (("adsl", subjects), ("adqs", records)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    study = folder / "study.toml"
    study.write_text(
        f"""schema = 1
[study]
id = {toml("ID" + BAD)}
title = {toml("=cmd" + BAD)}
[arms]
reference = "Placebo"
order = ["Placebo", {toml(ARM)}]
[populations]
FAS = "FASFL"
default = "FAS"
[[comparisons]]
name = {toml("-C" + BAD)}
treatment = {toml(ARM)}
horizon = 2
[endpoints.score]
title = {toml("@T" + BAD)}
method = "ancova"
dataset = "ADQS"
paramcd = "TOTAL"
[endpoints.base]
method = "baseline"
dataset = "ADSL"
covariates = ["AGE", "SITE"]
[[subgroups]]
name = "old"
label = {toml("+L" + BAD)}
where = "AGE > 60"
rationale = {toml("R" + BAD)}
"""
    )
    files = [str(folder / f"{name}.csv") for name in ("adsl", "adqs")]
    assert main(["load", *files, "--study", str(study), "-w", str(folder / "ws"), "-o", str(folder / "receipt.txt")]) == 0
    assert main(["lock", "-w", str(folder / "ws"), "-o", str(folder / "lock.txt")]) == 0
    assert raw_controls((folder / "receipt.txt").read_text() + (folder / "lock.txt").read_text()) == set()
    return folder / "ws"


def raw_controls(text: str, keep: str = "\n") -> set[str]:
    return {c for c in text if (ord(c) < 32 and c not in keep) or 0x7F <= ord(c) < 0xA0}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:30].encode("ascii", "replace").decode())
def test_nothing_hostile_is_obeyed_in_any_format(run: Run, hostile: Path, words: tuple[str, ...]) -> None:
    for form in ("table", "json", "csv", "tsv", "md"):
        ran = run(*words, "-w", hostile, "--format", form)
        assert ran.code in (0, 1, 2, 3, 4), ran.err
        assert raw_controls(ran.err) == set() and BIDI not in ran.err
        assert raw_controls(ran.out, "\n\t" if form == "tsv" else "\n") == set(), form
        assert BIDI not in ran.out or form in ("json", "csv")  # files that keep text as it is otherwise
        if form in ("csv", "tsv") and ran.out:
            for record in csv.reader(io.StringIO(ran.out), delimiter="," if form == "csv" else "\t"):
                guarded = [c for c in record if not NUMBER.fullmatch(c) and c not in ("-", "+")]
                assert [c for c in guarded if c.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
        if form == "md":
            assert re.search(r"(?<!\\)\]\(http", ran.out) is None
        if form == "json" and ran.out:
            json.loads(ran.out)


def test_the_log_holds_no_control_byte_and_its_chain_stands(run: Run, hostile: Path) -> None:
    run("subject", "S" + BAD, "-w", hostile)
    assert raw_controls((hostile / "audit.jsonl").read_text()) == set()
    assert run("audit", "verify", "-w", hostile).code == 0


def test_a_snapshot_reaches_nothing_outside_itself(hostile: Path, tmp_path: Path) -> None:
    """Were a statement ever smuggled in, the connection could neither read nor write a file, nor be opened up again."""
    import duckdb

    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    space = Workspace(hostile)
    name = space.current_name()
    assert name is not None
    with open_snapshot(space.snapshot_path(name)) as snapshot, snapshot.cursor() as cursor:
        for sql in (
            f"SELECT * FROM read_csv('{secret}')",
            f"SELECT * FROM '{secret}'",
            f"SELECT * FROM read_text('{secret}')",
            f"SELECT * FROM glob('{tmp_path}/*')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            f"EXPORT DATABASE '{tmp_path / 'all'}'",
            f"ATTACH '{tmp_path / 'other.duckdb'}'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "CREATE TABLE x AS SELECT 1",
            "DELETE FROM ADSL",
            "DROP TABLE ADSL",
        ):
            with pytest.raises(duckdb.Error):
                cursor.execute(sql).fetchall()
    assert [p.name for p in tmp_path.iterdir()] == ["secret.csv"]


def test_a_value_with_a_nul_stays_a_value() -> None:
    import duckdb

    from alsbench.data.sql import constant

    for text in ("\0", "a\0b' OR 1=1 --", "\0'); DROP TABLE x; --"):
        try:
            found = duckdb.sql(f"SELECT {constant(text)} AS v").fetchall()
        except duckdb.Error:
            continue  # refused is as good
        assert found == [(text,)]


@pytest.mark.parametrize("name", ["x" * 20_000, "9" * 5000, "a/" * 3000, "\U0001f9e0" * 3000])
@pytest.mark.parametrize("words", [["load"], ["simulate"], ["evidence"], ["endpoint", "score"], ["data", "ADSL"], ["config"]])
def test_no_word_is_too_long_to_be_refused(run: Run, small: Any, words: list[str], name: str) -> None:
    """A path longer than the system's, an argument nobody expects: exit 2 or 3, and a message that does not repeat it."""
    ran = run(*words, name, "-w", small.workspace)
    assert ran.code in {2, 3}, ran.err
    assert len(ran.err) < 1500
