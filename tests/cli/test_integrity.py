"""`audit verify` computes again what the log refers to; a log that does not verify marks whatever is shown; a kept answer that
is not one's own is computed anew; a workspace that is gone stays gone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from alsbench.analysis.scrutiny import catalogue
from alsbench.audit.log import append, entries
from alsbench.audit.signature import key_path
from alsbench.audit.workspace_identity import identify
from alsbench.errors import UnavailableError
from alsbench.service import trail

Run = Callable[..., Any]
FORMS = ("table", "json", "csv", "tsv", "md", "html", "rtf")
CLAIMS = """schema = 1
[[claims]]
name = "c"
endpoint = "score"
comparison = "Active"
visit = 2
contrast = { p_value = "0.5" }
"""
SAID = "the audit log does not verify"


def changed(run: Run, workspace: Path, *words: str) -> list[tuple[str, str]]:
    """What `audit verify` finds not as the log says: kind and name."""
    ran = run("audit", "verify", "-w", workspace, "--format", "json", *words)
    assert ran.code in (0, 1), ran.err
    tables = [ran.json, *ran.json.get("more", ())]
    found = [(r["kind"], r["name"]) for t in tables if t["table"] == "changed" for r in t["rows"]]
    assert ran.code == 1 or not found
    return found


def database(small: Any) -> Path:
    name, _ = small.current()
    return small.workspace / "snapshots" / f"{name}.duckdb"


# -- audit verify: everything the log refers to -----------------------------------------------------------------------


def test_nothing_was_changed(small: Any, run: Run) -> None:
    for words in (("endpoint", "score"), ("evidence",), ("scrutinise", "--check", "overall"), ("lock",)):
        assert run(*words, "-w", small.workspace).code == 0
    ran = run("audit", "verify", "-w", small.workspace)
    assert ran.code == 0, ran.out
    assert "2 tables of 1 snapshots hashed again: as they were loaded" in " ".join(ran.out.split())
    assert "kept computed again, the same" in " ".join(ran.out.split())
    assert changed(run, small.workspace) == []


def test_what_was_looked_at_since_changes_no_kept_search(small: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search is kept of what had been looked at by then: looking further is no forgery of it."""
    monkeypatch.setattr(catalogue, "DRAWS", 255)
    assert run("scrutinise", "-w", small.workspace, "--endpoint", "score", "-s", "actives", "--check", "selection").code == 0
    subgroup = ("subgroup", "add", "older", "--where", "AGE >= 60", "-w", small.workspace)
    assert run(*subgroup).code == 0
    assert run("endpoint", "score", "-s", "older", "-w", small.workspace).code == 0
    assert run("subgroup", "remove", "older", "-w", small.workspace).code == 0
    assert changed(run, small.workspace) == []


def test_a_changed_value_is_named_with_its_table(small: Any, run: Run) -> None:
    path = database(small)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE main.ADQS SET AVAL = AVAL - 1 WHERE rowid = 5")
    name = path.name.removesuffix(".duckdb")
    assert changed(run, small.workspace) == [("snapshot", name), ("table", f"{name} ADQS")]
    assert "ADQS" in run("audit", "verify", "-w", small.workspace).out


def test_a_flipped_byte_of_a_snapshot_is_found(small: Any, run: Run) -> None:
    path = database(small)
    whole = path.read_bytes()
    for place in (5000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert ("snapshot", path.name.removesuffix(".duckdb")) in changed(run, small.workspace, "--no-answers"), place


def test_another_snapshot_in_its_place_and_another_current_one_are_found(small: Any, run: Run) -> None:
    first = database(small)
    rows = small.subjects
    rows[0]["AGE"] = 49
    assert run("load", small.data(adsl=rows), "-w", small.workspace).code == 0
    second = database(small)
    pointer = small.workspace / "snapshots" / "current"
    assert changed(run, small.workspace) == []
    pointer.write_text(f"{first.name.removesuffix('.duckdb')}\n")
    assert changed(run, small.workspace) == [("pointer", "snapshots/current")]
    pointer.write_text("nonsense\n")
    assert changed(run, small.workspace) == [("pointer", "snapshots/current")]
    pointer.write_text(f"{second.name.removesuffix('.duckdb')}\n")
    shutil.copyfile(first, second)
    name = second.name.removesuffix(".duckdb")
    assert set(changed(run, small.workspace)) == {("snapshot", name)}
    assert run("endpoint", "score", "-w", small.workspace).code == 3, "its name says which digest it has"


def test_an_edited_lock_file_and_an_edited_study_and_edited_claims_are_named(small: Any, run: Run) -> None:
    where = ("-w", small.workspace)
    claims = small.workspace / "claims.toml"
    claims.write_text(CLAIMS)
    assert run("claims", claims, *where).code in (0, 1)
    assert run("lock", *where).code == 0
    assert changed(run, small.workspace) == []
    claims.write_text(claims.read_text().replace("0.5", "0.4"))
    assert changed(run, small.workspace) == [("claims", "claims.toml")]
    run("claims", claims, *where)
    assert changed(run, small.workspace) == [], "they were checked as they are now"
    lock = small.workspace / "plan.lock.json"
    lock.write_text(lock.read_text().replace('"horizon": 2.0', '"horizon": 1.0'))
    assert changed(run, small.workspace) == [("plan", "plan.lock.json")]
    lock.unlink()
    assert changed(run, small.workspace) == [("plan", "plan.lock.json")]
    study = small.workspace / "study.toml"
    study.write_text(study.read_text().replace("horizon = 2", "horizon = 1"))
    assert ("study", "study.toml") in changed(run, small.workspace)
    run("endpoint", "score", *where)
    assert ("study", "study.toml") not in changed(run, small.workspace), "a result of it is entered"
    study.write_text("not a study")
    assert ("study", "study.toml") in changed(run, small.workspace)


def test_what_the_program_changes_it_enters(small: Any, run: Run) -> None:
    for words in (
        ("subgroup", "add", "old", "--where", "AGE > 55"),
        ("subgroup", "edit", "old", "--where", "AGE > 56"),
        ("subgroup", "remove", "old"),
        ("load", small.folder, "--study", small.study),
        ("lock",),
    ):
        assert run(*words, "-w", small.workspace).code == 0, words
        assert changed(run, small.workspace) == [], words


def kept(small: Any) -> list[Path]:
    return sorted((small.workspace / "results").glob("*.json"))


def test_an_edited_kept_answer_is_named_and_never_shown(small: Any, run: Run) -> None:
    """As whoever can write the workspace forges one, with the seal of the version before: SHA-256 of the content."""
    where = ("-w", small.workspace, "--format", "json")
    asked = (("endpoint", "score"), ("evidence",), ("scrutinise", "--check", "overall"))
    fresh = [run(*words, *where).out for words in asked]
    files = kept(small)
    assert len(files) >= 3, "an answer, a piece of the evidence, a check"
    for path in files:
        seal, _, text = path.read_text().partition("\n")
        values = json.loads(text)
        for row in values["rows"]:
            if isinstance(row["stat"], float):
                row["stat"] = 0.000123
        forged = json.dumps(values)
        for head in (seal, hashlib.sha256(forged.encode()).hexdigest(), ""):
            path.write_text(f"{head}\n{forged}")
    names = {name for kind, name in changed(run, small.workspace) if kind == "answer"}
    assert names == {f"results/{p.name[:16]}" for p in files}
    assert [run(*words, *where).out for words in asked] == fresh
    assert changed(run, small.workspace) == [], "what was shown was computed, and is kept"


def test_answers_under_each_others_names_are_not_shown(small: Any, run: Run) -> None:
    words = ("-w", small.workspace, "--format", "json")
    first, second = run("endpoint", "score", *words).out, run("endpoint", "score", "--visit", "1", *words).out
    one, other = kept(small)
    spare = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(spare)
    assert run("endpoint", "score", *words).out == first
    assert run("endpoint", "score", "--visit", "1", *words).out == second


def test_a_kept_answer_that_is_removed_is_computed_anew(small: Any, run: Run) -> None:
    words = ("endpoint", "score", "-w", small.workspace, "--format", "json")
    first = run(*words).out
    for path in kept(small):
        path.unlink()
    assert changed(run, small.workspace) == []
    assert run(*words).out == first


def test_an_answer_kept_of_changed_data_is_found_when_it_is_computed_again(small: Any, run: Run) -> None:
    """Sealed by the user's own program, while somebody had changed the data: the data are back, the answer is wrong."""
    path = database(small)
    whole = path.read_bytes()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE main.ADQS SET AVAL = AVAL - 9, CHG = CHG - 9 WHERE USUBJID = 'S01' AND AVISITN = 2")
    assert run("endpoint", "score", "-w", small.workspace).code == 0
    path.write_bytes(whole)
    (file,) = kept(small)
    assert changed(run, small.workspace) == [("answer", f"results/{file.name[:16]}")]
    assert "score" in run("audit", "verify", "-w", small.workspace).out
    assert changed(run, small.workspace, "--no-answers") == []


def test_two_users_of_a_workspace_keep_their_own_answers(
    small: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("endpoint", "score", "-w", small.workspace, "--format", "json")
    mine = run(*words).out
    (first,) = kept(small)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
    assert run(*words).out == mine
    assert len(kept(small)) == 2, "each has a file of their own"
    assert changed(run, small.workspace) == []
    assert "2 of 2 kept computed again, the same" in " ".join(run("audit", "verify", "-w", small.workspace).out.split())
    content = first.read_text()
    first.write_text(content.replace('"stat": ', '"stat": 1', 1))
    assert changed(run, small.workspace) == [("answer", f"results/{first.name[:16]}")], "a forgery is found for others too"
    assert run(*words).out == mine
    first.write_text(content)
    first.unlink()
    monkeypatch.setenv("XDG_STATE_HOME", str(small.workspace / "state"))
    for path in kept(small):
        path.unlink()
    assert run(*words).out == mine
    assert kept(small) == [], "a key that lies in the workspace is nobody's own"


def test_a_key_that_others_read_keeps_nothing(small: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    words = ("endpoint", "score", "-w", small.workspace, "--format", "json")
    mine = run(*words).out
    (file,) = kept(small)
    key_path().chmod(0o644)
    try:
        file.write_text("forged")
        assert run(*words).out == mine
        assert file.read_text() == "forged"
    finally:
        key_path().chmod(0o600)


# -- a log that does not verify ---------------------------------------------------------------------------------------


def damage(workspace: Path, line: int = 1) -> None:
    path = workspace / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"who":"', b'"who":"x')
    path.write_bytes(b"".join(lines))


SHOWN: list[tuple[str, ...]] = [
    ("endpoint", "score"),
    ("endpoint", "score", "-s", "actives"),
    ("evidence",),
    ("forest", "score"),
    ("arms",),
    ("subject", "S01"),
    ("data",),
    ("data", "ADQS"),
    ("data", "ADQS", "--columns"),
    ("subgroup", "list"),
    ("subgroup", "show", "actives"),
    ("scrutinise", "-s", "actives"),
    ("claims", "CLAIMS"),
    ("check",),
    ("snapshots",),
    ("report",),
    ("lock", "--verify"),
    ("audit", "looks"),
    ("audit", "verify"),
    ("audit",),
]


@pytest.fixture
def broken(small: Any, run: Run) -> Any:
    """The small trial, locked, with a claim, and an entry of its log changed afterwards."""
    (small.workspace / "claims.toml").write_text(CLAIMS)
    assert run("lock", "-w", small.workspace).code == 0
    damage(small.workspace)
    return small


def plain(text: str) -> str:
    """Text without what a format breaks it with."""
    return " ".join(text.replace("\\line ", " ").replace("<br>", " ").split())


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_whatever_is_shown_says_that_the_log_does_not_verify(broken: Any, run: Run, words: tuple[str, ...]) -> None:
    where = ("-w", broken.workspace)
    asked = tuple(str(broken.workspace / "claims.toml") if w == "CLAIMS" else w for w in words)
    for form in FORMS if words[0] != "audit" else ("table", "json", "md", "html", "rtf"):
        ran = run(*asked, *where, "--format", form)
        assert ran.code in (0, 1), (form, ran.err)
        empty = form in ("csv", "tsv") and ran.out.count("\n") == 1  # a file without records has nowhere to say it
        assert SAID in plain(ran.err if empty else ran.out), form


def test_a_broken_log_makes_the_lock_a_deviation_until_it_is_explained(broken: Any, run: Run) -> None:
    where = ("-w", broken.workspace)
    found = run("endpoint", "score", *where, "--format", "json").json
    assert found["provenance"]["audit_log"].startswith(f"{SAID}: line 2: the entry was changed")
    assert found["provenance"]["deviations"] == [f"{SAID}: the locked plan may have been edited"]
    assert "AUDIT LOG DOES NOT VERIFY" in plain(run("endpoint", "score", *where).out)
    front = run("report", *where, "--format", "json").json
    assert any(SAID in text.lower() for text in front["statements"])
    for refused in (("explain",), ("explain", "--reason", " ")):
        assert run("audit", *refused, *where).code == 2
    assert run("audit", "verify", "--reason", "x", *where).code == 2
    explained = run("audit", "explain", "--reason", "restored from a backup", *where)
    assert explained.code == 1, "an explained log is not an intact one"
    assert run("audit", "explain", "--reason", "again", *where).code == 4
    found = run("endpoint", "score", *where, "--format", "json").json
    assert "log broken at line 2, explained by" in found["provenance"]["audit_log"]
    assert found["provenance"]["audit_log"].endswith(": restored from a backup")
    assert found["provenance"]["deviations"] == []
    for form in FORMS:
        shown = run("endpoint", "score", *where, "--format", form).out
        assert "log broken at line 2, explained by" in plain(shown), form
        assert SAID not in plain(shown), form
    assert run("audit", "verify", *where).code == 1
    assert run("audit", *where).code == 1
    damage(broken.workspace, 3)
    assert SAID in plain(run("arms", *where).out), "a later break is explained by nothing before it"


def test_a_locked_entry_forged_with_its_own_hash_is_said_by_every_result(broken: Any, run: Run) -> None:
    """The lock's entry rewritten with its own hash, the lock file made of it, the study edited to agree; a look follows."""
    small = broken
    log = small.workspace / "audit.jsonl"
    text = log.read_bytes().replace(b'"who":"x', b'"who":"')
    log.write_bytes(text)
    assert run("endpoint", "score", "-w", small.workspace).code == 0
    from alsbench.audit.chain import canonical, entry_hash
    from alsbench.audit.lock import LOCK_NAME, plan_hash

    out = []
    for entry in entries(log):
        values = entry.as_dict()
        if entry.action == "plan locked":
            values["facts"]["plan"]["subgroups"].append({"name": "actives", "where": "SITE == 'A'", "prespecified": True})
            values["facts"]["hash"] = plan_hash(values["facts"]["plan"])
            values["hash"] = entry_hash({k: v for k, v in values.items() if k != "hash"})
            facts = {k: values["facts"][k] for k in ("hash", "looks", "plan", "sealed")}
            lock = {"schema": "alsbench.plan-lock/1", "entry": values["hash"], "who": entry.who, "time": entry.time, **facts}
            (small.workspace / LOCK_NAME).write_text(json.dumps(lock))
        out.append(canonical(values) + "\n")
    log.write_text("".join(out))
    study = small.workspace / "study.toml"
    study.write_text(study.read_text().replace('name = "actives"', 'name = "actives"\nprespecified = true'))
    for words in (("endpoint", "score", "-s", "actives"), ("evidence", "-s", "actives"), ("subgroup", "show", "actives")):
        for form in FORMS:
            assert SAID in plain(run(*words, "-w", small.workspace, "--format", form).out), (words, form)
    assert run("audit", "verify", "-w", small.workspace).code == 1


BAD_LINES = (
    b'{"number":1,"x":NaN}\n', b'{"x":Infinity}\n', b'{"x":"\\ud800"}\n', b"\n", b"\r\n", b"\xff\xfe\n", b"[1]\n", b"null\n",
    b'{"x":' + b"[" * 100_000 + b"\n", b'{"number":' + b"9" * 5000 + b"}\n", b"\xef\xbb\xbf{}\n", b"half a line",
)  # fmt: skip


@pytest.mark.parametrize("bad", BAD_LINES, ids=lambda b: repr(b[:16]))
@pytest.mark.parametrize("at", ["middle", "end"])
def test_a_line_that_is_no_entry_is_named_and_stops_nobody(small: Any, run: Run, bad: bytes, at: str) -> None:
    where = ("-w", small.workspace)
    path = small.workspace / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    number = 2 if at == "middle" else len(lines) + 1
    lines.insert(number - 1, bad if bad.endswith(b"\n") or at == "end" else bad + b"\n")
    path.write_bytes(b"".join(lines))
    ran = run("audit", "verify", *where, "--format", "json")
    assert ran.code == 1
    faults = next(t for t in ran.json["more"] if t["table"] == "faults")["rows"]
    assert (faults[0]["line"], faults[0]["fault"]) == (number, "the line is not an entry")
    for words in (("arms",), ("endpoint", "score"), ("report",), ("snapshots",)):
        ran = run(*words, *where)
        assert ran.code == 0, ran.err
        assert f"{SAID}: line {number}: the line is not an entry" in plain(ran.out)
    for words in (("audit",), ("audit", "looks")):
        assert run(*words, *where).code == 1


def test_a_log_that_was_removed_or_cut_or_begun_anew_is_said(small: Any, run: Run) -> None:
    path = small.workspace / "audit.jsonl"
    whole = path.read_bytes()
    path.unlink()
    for _ in range(2):  # the second time a log has begun anew
        ran = run("endpoint", "score", "-w", small.workspace)
        assert ran.code == 0
        assert SAID in plain(ran.out)
    path.write_bytes(b"")
    assert SAID in plain(run("arms", "-w", small.workspace).out)
    path.write_bytes(whole)
    assert SAID not in plain(run("endpoint", "score", "-w", small.workspace).out)


# -- a workspace that is not there any more, or cannot be written ------------------------------------------------------


GONE: dict[str, tuple[Callable[[Path], object], str]] = {
    "moved": (lambda w: w.rename(w.with_name("elsewhere")), "moved or deleted"),
    "deleted": (shutil.rmtree, "moved or deleted"),
    "replaced": (
        lambda w: (w.rename(w.with_name("elsewhere")), shutil.copytree(w.with_name("elsewhere"), w)),
        "another folder",
    ),
    "emptied of its snapshots": (lambda w: shutil.rmtree(w / "snapshots"), "snapshots"),
    "log removed": (lambda w: (w / "audit.jsonl").unlink(), "audit log"),
    "log exchanged": (
        lambda w: ((w / "audit.jsonl").rename(w / "old"), (w / "audit.jsonl").write_bytes((w / "old").read_bytes())),
        "replaced by another file",
    ),
    "log cut": (lambda w: os.truncate(w / "audit.jsonl", 10), "cut or rewritten"),
    "log rewritten": (
        lambda w: (w / "audit.jsonl").write_bytes((w / "audit.jsonl").read_bytes().replace(b'"hash":"', b'"hash":"0')[:-1]),
        "cut or rewritten",
    ),
}


@pytest.mark.parametrize(("change", "word"), GONE.values(), ids=GONE)
def test_nothing_is_written_where_a_workspace_was(
    small: Any, run: Run, change: Callable[[Path], object], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes while a command computes: between the answer and its entry in the log."""
    record = trail.log_entry

    def gone_before(common: Any, action: str, facts: Any) -> None:
        change(small.workspace)
        left.update({p: p.read_bytes() for p in small.workspace.rglob("*") if p.is_file() and p.name != ".lock"})
        record(common, action, facts)

    left: dict[Path, bytes] = {}
    monkeypatch.setattr(trail, "log_entry", gone_before)
    ran = run("endpoint", "score", "-w", small.workspace)
    assert ran.code == 4, ran.out
    assert "the workspace is gone" in ran.err
    assert word in ran.err
    assert ran.out == ""
    assert {p: p.read_bytes() for p in small.workspace.rglob("*") if p.is_file() and p.name != ".lock"} == left


def test_a_load_into_a_workspace_that_is_gone_publishes_nothing(small: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    record = trail.log_entry

    def gone_before(common: Any, action: str, facts: Any) -> None:
        small.workspace.rename(small.workspace.with_name("elsewhere"))
        (small.workspace / "snapshots").mkdir(parents=True)
        record(common, action, facts)

    before = set(small.snapshots())
    monkeypatch.setattr(trail, "log_entry", gone_before)
    rows = small.subjects
    rows[0]["AGE"] = 49
    ran = run("load", small.data(adsl=rows), "-w", small.workspace)
    assert ran.code == 4
    assert "the workspace is gone" in ran.err
    assert not list((small.workspace / "snapshots").glob("2*"))
    assert {p.stem for p in (small.workspace.with_name("elsewhere") / "snapshots").glob("2*.duckdb")} == before


def test_what_is_held_may_grow(small: Any) -> None:
    held = identify(small.workspace)
    assert held is not None
    for _ in range(3):
        append(small.workspace / "audit.jsonl", "look", {"question": "q"}, held=held)
        held.check()
    assert identify(small.workspace / "nowhere") is None
    shutil.rmtree(small.workspace)
    with pytest.raises(UnavailableError, match="gone"):
        append(small.workspace / "audit.jsonl", "look", {"question": "q"}, held=held)
    assert not small.workspace.exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS], ids=["somebody else's", "read-only"])
def test_who_may_only_read_a_workspace_is_told_that_nothing_is_shown(
    small: Any, run: Run, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Every look is entered in the log; where that cannot be there is none. (Root may write anywhere: the system's answer is
    given in its place.)"""
    before = {p: p.read_bytes() for p in small.workspace.rglob("*") if p.is_file()}
    opened, made = os.open, tempfile.mkstemp

    def refused(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path).startswith(str(small.workspace)) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, flags, *more, **named)

    def not_made(*words: Any, **named: Any) -> Any:
        if str(named.get("dir")).startswith(str(small.workspace)):
            raise OSError(number, os.strerror(number))
        return made(*words, **named)

    with monkeypatch.context() as system:
        system.setattr(os, "open", refused)
        system.setattr(tempfile, "mkstemp", not_made)
        for words in (("endpoint", "score"), ("evidence",), ("subject", "S01"), ("data", "ADQS")):
            ran = run(*words, "-w", small.workspace)
            assert ran.code == 4, ran.err
            assert f"the audit log cannot be written: {os.strerror(number)}" in ran.err
            assert "nothing is shown; work on a copy of the workspace" in ran.err
            assert ran.out == ""
        assert run("audit", "verify", "-w", small.workspace).code == 0, "what shows no result needs no entry"
        assert run("snapshots", "-w", small.workspace).code == 0
    assert {p: p.read_bytes() for p in small.workspace.rglob("*") if p.is_file()} == before


# -- files that are written --------------------------------------------------------------------------------------------


def test_output_does_not_go_through_a_link(small: Any, run: Run, tmp_path: Path) -> None:
    victim = tmp_path / "victim.csv"
    victim.write_text("mine")
    for name, target in (("out.csv", victim), ("dangling.csv", tmp_path / "new.csv"), ("null.csv", Path("/dev/null"))):
        link = tmp_path / name
        link.symlink_to(target)
        for words in (("arms",), ("endpoint", "score"), ("evidence",), ("data", "ADQS"), ("report",), ("check",)):
            ran = run(*words, "-w", small.workspace, "-o", link)
            assert ran.code == 2, (words, ran.err)
            assert "this is a link" in ran.err
            assert link.is_symlink()
    assert victim.read_text() == "mine"
    assert not (tmp_path / "new.csv").exists()
    folder = tmp_path / "folder"
    folder.symlink_to(tmp_path, target_is_directory=True)
    assert run("arms", "-w", small.workspace, "-o", folder / "through.csv").code == 0, "a link above is followed"


def test_other_writers_do_not_follow_links_either(small: Any, run: Run, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    made = tmp_path / "made"
    made.mkdir()
    (made / "adsl.xpt").symlink_to(victim)
    ran = run("simulate", made, "--force")
    assert ran.code == 2
    assert "this is a link" in ran.err
    key = tmp_path / "key.json"
    key.symlink_to(tmp_path / "elsewhere.json")
    ran = run("load", small.folder, "--study", small.study, "--blinded", "--key", key, "-w", tmp_path / "blind")
    assert ran.code in (2, 3)
    assert not (tmp_path / "elsewhere.json").exists()
    study = small.workspace / "study.toml"
    text = study.read_text()
    study.unlink()
    study.symlink_to(victim)
    victim.write_text(text)
    assert run("subgroup", "add", "old", "--where", "AGE > 55", "-w", small.workspace).code == 2
    assert run("load", small.folder, "--study", small.study, "-w", small.workspace).code == 0, (
        "the same study: nothing to write"
    )
    victim.write_text(text + "# mine\n")
    assert run("load", small.folder, "--study", small.study, "-w", small.workspace).code == 2
    assert victim.read_text() == text + "# mine\n"


SEVERAL = """
import sys
from alsbench.__main__ import main
sys.exit(max(main([*sys.argv[1:], name]) for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")))
"""


def test_streams_of_the_process_are_written_to(small: Any, run: Run, tmp_path: Path) -> None:
    words = ["arms", "-w", str(small.workspace), "--format", "csv", "-q", "-o"]
    alone = run(*words[:-1]).out
    assert alone.startswith("arm,")
    out = tmp_path / "out.csv"
    with out.open("w") as stream:
        stream.write("before\n")
        stream.flush()
        assert subprocess.run([sys.executable, "-c", SEVERAL, *words], stdout=stream, check=False).returncode == 0
    assert out.read_text() == "before\n" + 3 * alone, "written where it stands, not over it"
    ran = subprocess.run([sys.executable, "-c", SEVERAL, *words], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, 3 * alone)
    ran = subprocess.run([sys.executable, "-m", "alsbench", *words, "/dev/stderr"], capture_output=True, text=True, check=False)
    assert ran.stderr.startswith("arm,")
    assert run(*words, "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    "words", [("report",), ("endpoint", "score"), ("evidence",), ("forest", "score"), ("data", "ADQS")], ids=" ".join
)
def test_an_ending_that_names_no_format_is_refused(small: Any, run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    ways = {
        "pdf": ".html",
        "docx": ".rtf",
        "PDF": ".html",
        "xlsx": ".csv",
        "pptx": "",
        "ppt": "",
        "zzz": "",
        "jsn": "",
        "gz": "",
    }
    for ending, way in ways.items():
        ran = run(*words, "-w", small.workspace, "-o", tmp_path / f"x.{ending}")
        assert ran.code == 2, ending
        assert f"nothing is written as .{ending}" in ran.err
        assert ".json, .csv, .tsv, .md, .html, .htm, .rtf, .txt" in ran.err
        assert not way or f"write {way}" in ran.err
    for name, form in (
        ("x.csv", "json"),
        ("x.json", "csv"),
        ("x.html", "rtf"),
        ("x.RTF", "html"),
        ("x.txt", "html"),
        ("x.md", "csv"),
    ):
        ran = run(*words, "-w", small.workspace, "--format", form, "-o", tmp_path / name)
        assert ran.code == 2, name
        assert "contradict each other" in ran.err
    assert list(tmp_path.glob("x.*")) == []
    for name, form in (("x", "csv"), ("x.txt", "csv"), ("x.dat", "csv"), ("x.csv", "csv")):
        assert run(*words, "-w", small.workspace, "--format", form, "-o", tmp_path / name).code == 0, name


def test_a_failed_confirmation_after_publishing_is_entered_and_said(
    small: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alsbench.data import publish

    sync, calls = publish._sync, []

    def broken(path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(5, "Input/output error")
        sync(path)

    rows = small.subjects
    rows[0]["AGE"] = 49
    before, _ = small.current()
    with monkeypatch.context() as we:
        we.setattr(publish, "_sync", broken)
        ran = run("load", small.data(adsl=rows), "-w", small.workspace)
    now, _ = small.current()
    assert now != before
    assert ran.code == 4
    assert f"snapshot {now} is published and current" in ran.err
    assert [e.facts["snapshot"] for e in entries(small.workspace / "audit.jsonl") if e.action == "load"] == [before, now]
    assert run("audit", "verify", "-w", small.workspace).code == 0


def test_an_entry_that_fails_after_publishing_is_said_with_what_is_published(
    small: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = trail.log_entry

    def full(common: Any, action: str, facts: Any) -> None:
        if action == "load":
            raise UnavailableError("the audit log cannot be written: the disk is full", where="audit.jsonl")
        record(common, action, facts)

    rows = small.subjects
    rows[0]["AGE"] = 49
    monkeypatch.setattr(trail, "log_entry", full)
    ran = run("load", small.data(adsl=rows), "-w", small.workspace)
    now, _ = small.current()
    assert ran.code == 4
    assert f"snapshot {now} is published and current, but could not be entered" in ran.err


def test_a_pipe_that_is_read_slowly_is_waited_for(small: Any, run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    assert run("arms", "-w", small.workspace, "--format", "csv", "-o", pipe).code == 0
    reader.join(timeout=30)
    assert got[0].startswith("arm,")
