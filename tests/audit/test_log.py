"""The audit log: what is appended stays, and whatever is done to the file afterwards shows."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsbench.audit.chain import GENESIS, verify
from alsbench.audit.log import append, entries, head, looks
from alsbench.errors import UnavailableError, UsageError

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def _filled(path: Path, count: int = 6) -> list[bytes]:
    for i in range(count):
        append(path, "look", {"question": f"q{i % 3}", "asked": f"endpoint {i}"}, who="ada", now=NOON)
    return path.read_bytes().splitlines(keepends=True)


def test_entries_are_chained(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first = append(path, "load", {"files": [{"sha256": "ab"}]}, who="ada", now=NOON)
    second = append(path, "look", {"question": "q"}, who="bob", now=NOON, reason="interim")
    assert (first.number, first.previous, first.time) == (1, GENESIS, "2024-01-02T12:00:00.000+00:00")
    assert second.previous == first.hash
    assert second.facts == {"question": "q", "reason": "interim"}
    assert list(entries(path)) == [first, second]
    assert verify(path).intact
    assert verify(path).head == head(path) == second.hash
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    verdict = verify(tmp_path / "none.jsonl")
    assert (verdict.entries, verdict.head, verdict.intact) == (0, GENESIS, True)
    assert looks(tmp_path / "none.jsonl") == ()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_edit_deletion_or_reordering_is_found(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "audit.jsonl"
    path.unlink(missing_ok=True)
    lines = _filled(path)
    noted = head(path)
    match data.draw(st.sampled_from(["edit", "delete", "swap", "repeat", "insert", "cut"])):
        case "edit":
            i = data.draw(st.integers(0, len(lines) - 1))
            j = data.draw(st.integers(0, len(lines[i]) - 1))
            byte = data.draw(st.integers(0, 255).filter(lambda b: b != lines[i][j]))
            lines[i] = lines[i][:j] + bytes([byte]) + lines[i][j + 1 :]
        case "delete":
            del lines[data.draw(st.integers(0, len(lines) - 1))]
        case "swap":
            i, j = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True))
            lines[i], lines[j] = lines[j], lines[i]
        case "repeat":
            i = data.draw(st.integers(0, len(lines) - 1))
            lines.insert(i, lines[i])
        case "insert":
            i = data.draw(st.integers(0, len(lines)))
            lines.insert(i, data.draw(st.sampled_from([b"\n", b"{}\n", b"[" * 5000 + b"\n", b"\xff\n"])))
        case "cut":
            whole = b"".join(lines)
            lines = [whole[: data.draw(st.integers(0, len(whole) - 1))]]
    path.write_bytes(b"".join(lines))
    assert not verify(path, noted).intact


def test_a_rehashed_entry_breaks_the_next_link(tmp_path: Path) -> None:
    path, other = tmp_path / "audit.jsonl", tmp_path / "other.jsonl"
    lines = _filled(path, 3)
    append(other, "look", {"question": "forged"}, who="ada", now=NOON)
    path.write_bytes(other.read_bytes() + b"".join(lines[1:]))
    assert [line for line, _ in verify(path).faults] == [2]


def test_truncation_is_found_given_the_head_only(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = _filled(path)
    noted = head(path)
    path.write_bytes(b"".join(lines[:-1]))
    assert verify(path).intact
    assert not verify(path, noted).intact
    path.write_bytes(b"".join(lines))
    append(path, "export", {"question": "q0"}, who="ada")
    assert verify(path, noted).intact, "a head noted earlier stays good as the log grows"


def test_a_torn_line_stays_and_what_is_added_names_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    _filled(path, 2)
    path.write_bytes(path.read_bytes()[:-5])
    before = path.read_bytes()
    added = append(path, "look", {"question": "q"})
    assert path.read_bytes().startswith(before + b"\n")
    assert added.number == 3
    assert verify(path).faults == ((2, "the line is not an entry"),)


def test_looks_count_distinct_questions(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(path, "load", {"question": "not a look"}, who="ada", now=NOON)
    append(path, "look", {"question": "a", "asked": "alsfrs slow", "post_hoc": True}, who="ada", now=NOON)
    append(path, "look", {"question": "b"}, who="ada", now=NOON)
    append(path, "export", {"question": "a"}, who="bob", now=NOON)
    ledger = looks(path)
    assert [(x.question, x.times, x.who, x.post_hoc) for x in ledger] == [
        ("a", 2, ("ada", "bob"), True),
        ("b", 1, ("ada",), False),
    ]
    assert ledger[0].asked == ledger[0].what == "alsfrs slow"
    several = {"a": {"what": "A", "post_hoc": False}, "c": {"what": "C", "post_hoc": True}}
    append(
        path, "look", {"question": "table", "questions": several, "post_hoc": True, "asked": "evidence"}, who="eve", now=NOON
    )
    assert [(x.question, x.what, x.times, x.post_hoc) for x in looks(path)] == [
        ("a", "A", 3, True),
        ("b", "", 1, False),
        ("c", "C", 1, True),
    ]


def test_terminal_escapes_do_not_reach_the_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(path, "look", {"que\x1bstion": "\x1b]8;;http://x\x07", "deep": [{"k": "\u202egnp"}]}, who="eve\x9b31m\n")
    raw = path.read_text("utf-8")
    assert not any(c in raw for c in "\x1b\x07\x9b\u202e")
    assert raw.count("\n") == 1
    assert "\\u001b" in json.loads(raw)["facts"]["question" if "question" in json.loads(raw)["facts"] else "que\\u001bstion"]
    assert verify(path).intact


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for bad in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises(UsageError):
            append(path, "look", bad)
    assert not path.exists() or path.read_bytes() == b""


APPEND_MANY = """
import sys
from pathlib import Path
from alsbench.audit.log import append
for i in range(40):
    append(Path(sys.argv[1]), "look", {"question": sys.argv[2] + str(i)}, who=sys.argv[2])
"""


def test_concurrent_writers_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    workers = [subprocess.Popen([sys.executable, "-c", APPEND_MANY, str(path), f"w{i}"]) for i in range(4)]
    assert [w.wait(timeout=60) for w in workers] == [0, 0, 0, 0]
    verdict = verify(path)
    assert verdict.intact
    assert verdict.entries == 160


def test_a_pipe_in_place_of_the_log_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    os.mkfifo(path)
    for act in (lambda: append(path, "look", {"question": "q"}), lambda: list(entries(path)), lambda: verify(path)):
        with pytest.raises(UnavailableError, match="it is no file"):
            act()
