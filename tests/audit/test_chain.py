"""What is no entry is named by its line and nobody trips over it; a break is explained once, and never by what comes after
it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from alsbench.audit import chain
from alsbench.audit.chain import EXPLAINED, FIELDS, canonical, entry_hash, log_status, parse_entry, verify
from alsbench.audit.log import append, entries, explain, looks
from alsbench.audit.signature import authentic, key_id, key_path, signed, user_key
from alsbench.errors import DataError, UnavailableError, UsageError


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Five looks."""
    path = tmp_path / "audit.jsonl"
    for i in range(5):
        append(path, "look", {"question": f"q{i}"}, who="ada")
    return path


def forged(path: Path, facts: str) -> bytes:
    """A line that follows the last one and has the hash of its own bytes: only what it holds makes it no entry."""
    last = list(entries(path))[-1]
    time = "2024-01-02T12:00:00.000+00:00"
    bare = f'{{"number":{last.number + 1},"time":"{time}","who":"eve","action":"look","facts":{facts},"previous":"{last.hash}"'
    digest = hashlib.sha256((bare + "}").encode("utf-8", "surrogatepass")).hexdigest()
    return (bare + f',"hash":"{digest}"}}\n').encode("utf-8", "surrogatepass")


FACTS = {
    "NaN": '{"x":NaN}',
    "Infinity": '{"x":Infinity}',
    "minus Infinity": '{"x":-Infinity}',
    "a double beyond all doubles": '{"x":1e999}',
    "a lone surrogate": '{"x":"\\ud800"}',
    "a lone surrogate as a name": '{"\\udfff":1}',
    "a lone surrogate in bytes": '{"x":"\ud800"}',
    "a key twice": '{"question":"a","question":"b"}',
    "an integer without end": '{"x":' + "9" * 5000 + "}",
    "nested without end": '{"x":' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested too deeply": '{"x":' + "[" * 200 + "]" * 200 + "}",
    "a list for facts": "[]",
    "a number for a question": '{"question":1}',
    "a text for questions": '{"questions":"a"}',
    "a list of numbers for contrasts": '{"contrasts":[1]}',
    "a text for definitions": '{"definitions":"AGE > 60"}',
    "a number for a definition": '{"definitions":{"old":60}}',
    "texts for endpoints": '{"endpoints":["cafs"]}',
    "a comparison of one arm": '{"comparisons":[["G1",6]]}',
    "a truth value for a horizon": '{"comparisons":[["G1","P",true]]}',
    "a text for what was accepted": '{"accepted":"all"}',
    "a text for a plan": '{"plan":"none"}',
    "blanks between tokens": '{"x": 1}',
    "another way to write a character": '{"x":"\\u0041"}',
}


@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
def test_what_json_does_not_have_is_no_entry_even_with_its_hash(log: Path, facts: str) -> None:
    good = looks(log)
    with log.open("ab") as file:
        file.write(forged(log, facts))
    assert verify(log).faults == ((6, "the line is not an entry"),)
    assert log_status(log).broken
    assert looks(log) == good
    with pytest.raises(DataError, match="line 6 of the audit log is no entry"):
        list(entries(log))


def whole(line: bytes) -> dict[str, object]:
    values: dict[str, object] = json.loads(line)
    return values


LINES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"\n",
    "CRLF": lambda line: line.replace(b"\n", b"\r\n"),
    "a byte order mark": lambda line: b"\xef\xbb\xbf" + line,
    "UTF-16": lambda line: line.decode().strip().encode("utf-16") + b"\n",
    "not UTF-8": lambda line: line.replace(b"ada", b"ad\xff"),
    "not an object": lambda _: b'["number"]\n',
    "a bare null": lambda _: b"null\n",
    "a boolean for a number": lambda line: line.replace(b'{"number":3', b'{"number":true'),
    "a double for a number": lambda line: line.replace(b'{"number":3', b'{"number":3.0'),
    "a text for a number": lambda line: line.replace(b'{"number":3', b'{"number":"3"'),
    "a null for who": lambda line: line.replace(b'"who":"ada"', b'"who":null'),
    "fields in another order": lambda line: canonical(dict(sorted(whole(line).items()))).encode() + b"\n",
    "a field more": lambda line: canonical(whole(line) | {"more": 1}).encode() + b"\n",
    "a field less": lambda line: canonical({k: v for k, v in whole(line).items() if k != "who"}).encode() + b"\n",
    "a NUL": lambda line: b"\0" + line,
    "longer than an entry": lambda line: line[:-1] + b" " * 2**20 + b"\n",
    "longer than three": lambda line: b"x" * (3 * 2**20) + line,
}


@pytest.mark.parametrize("change", LINES.values(), ids=LINES)
def test_a_line_that_is_none_is_named_and_the_next_does_not_follow_it(log: Path, change: Callable[[bytes], bytes]) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    lines[2] = change(lines[2])
    log.write_bytes(b"".join(lines))
    faults = verify(log).faults
    assert faults[0] == (3, "the line is not an entry")
    assert [line for line, _ in faults] == [3, 4], "lines count as in any editor"
    assert log_status(log).words[0].startswith("the audit log does not verify: line 3: the line is not an entry")


def test_a_damaged_end_is_named_by_what_is_added_and_held_by_it(log: Path) -> None:
    whole = log.read_bytes()
    for end in (whole[:-5], whole + b"\n", whole + b'{"x":NaN}\n', whole + b'{"x":NaN}'):
        log.write_bytes(end)
        before = verify(log).faults
        append(log, "look", {"question": "after"}, who="ada")
        assert log.read_bytes().startswith(end)
        assert [line for line, _ in verify(log).faults] == sorted({line for line, _ in before}), "what was added follows"
        damaged = log.read_bytes().replace(end[-6:], b"#" + end[-5:], 1)
        log.write_bytes(damaged)
        assert len(verify(log).faults) > 1, "the damage cannot be changed again"


def test_a_last_line_that_only_lacks_its_line_feed_is_whole_again_when_more_is_added(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-1])
    assert verify(log).faults == ((5, "the last line is not complete"),)
    append(log, "look", {"question": "after"})
    assert verify(log).intact


def test_a_break_is_explained_and_never_clean_again(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:1] + lines[2:]))
    assert not log_status(log).explained
    entry = explain(log, "restored from the backup of Monday", who="ada")
    assert entry.action == EXPLAINED
    assert (entry.facts["line"], entry.facts["reason"]) == (2, "restored from the backup of Monday")
    for _ in range(3):
        append(log, "look", {"question": "later"}, who="bob")
    verdict = verify(log)
    assert not verdict.intact
    assert verdict.open_faults == ()
    said = log_status(log)
    assert said.explained
    assert not said.broken
    date = entry.time[:10]
    assert said.words == (f"log broken at line 2, explained by ada on {date}: restored from the backup of Monday",)
    with pytest.raises(UnavailableError, match="nothing to explain"):
        explain(log, "again")


def test_an_explanation_covers_no_later_fault_and_no_change_before_it(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:1] + lines[2:]))
    explain(log, "a disk", who="ada")
    explained = log.read_bytes()
    append(log, "look", {"question": "later"}, who="bob")
    log.write_bytes(log.read_bytes().replace(b'"later"', b'"laten"'))
    assert log_status(log).words[0].startswith("the audit log does not verify: line 6: the entry was changed")
    log.write_bytes(explained.replace(b'"q3"', b'"q9"'))
    assert log_status(log).words[0].startswith("the audit log does not verify"), "a change of what stood before the explanation"
    log.write_bytes(explained.replace(b"a disk", b"a duck"))
    assert log_status(log).words[0].startswith("the audit log does not verify"), "a change of the explanation"
    assert "duck" not in log_status(log).text


def test_an_explanation_needs_a_reason_and_a_break(log: Path) -> None:
    for reason in ("", "  \n"):
        with pytest.raises(UsageError, match="reason"):
            explain(log, reason)
    with pytest.raises(UnavailableError, match="nothing to explain"):
        explain(log, "why not")
    assert verify(log).entries == 5


def test_an_explanation_entered_by_other_means_counts_only_with_the_hash_of_what_is_before(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:1] + lines[2:]))
    append(log, EXPLAINED, {"line": 2, "before": "0" * 64}, reason="forged")
    assert log_status(log).broken


def test_the_standing_of_a_workspace_asks_for_a_log_and_an_entry_of_its_snapshot(log: Path, tmp_path: Path) -> None:
    name = "20240102T120000Z-0123456789ab"
    assert log_status(log).words == ()
    assert "no entry of the snapshot in use" in log_status(log, name).text
    append(log, "load", {"snapshot": name})
    assert log_status(log, name).words == ()
    missing = tmp_path / "none.jsonl"
    assert "there is none" in log_status(missing, name).text
    assert log_status(missing).words == (), "nothing was loaded: nothing is to be logged"


# -- what was followed once is not followed again, and nobody else can say that it was ---------------------------------


@pytest.fixture
def followed(log: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that was followed, of which a state is kept."""
    monkeypatch.setattr(chain, "_WORTH_KEEPING", 1)
    assert log_status(log).words == ()
    assert list((key_path().parent / "logs").iterdir())
    return log


def test_only_what_was_added_is_followed_again(followed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(followed, "look", {"question": "new"})
    read: list[bytes] = []

    def counting(raw: bytes) -> object:
        read.append(raw)
        return parse_entry(raw)

    monkeypatch.setattr(chain, "parse_entry", counting)
    assert log_status(followed).words == ()
    assert len(read) == 1
    assert b'"new"' in read[0]
    assert len(list((key_path().parent / "logs").iterdir())) == 1


@pytest.mark.parametrize("place", [0, 100, -200, -2])
def test_a_change_of_what_was_followed_is_found(followed: Path, place: int) -> None:
    raw = bytearray(followed.read_bytes())
    raw[place] ^= 1
    followed.write_bytes(raw)
    assert log_status(followed).broken
    followed.write_bytes(bytes(raw[:-50]))
    assert log_status(followed).broken


def test_a_state_by_another_hand_is_not_believed(followed: Path) -> None:
    """Whoever can write beside the key but not read it cannot vouch for a log."""
    raw = followed.read_bytes().replace(b'"q3"', b'"q9"')
    (state,) = (key_path().parent / "logs").iterdir()
    _, _, content = state.read_bytes().partition(b"\n")
    followed.write_bytes(raw)
    values = json.loads(content) | {"sha256": hashlib.sha256(raw).hexdigest(), "length": len(raw)}
    text = json.dumps(values).encode()
    for seal in (hashlib.sha256(text).hexdigest().encode(), signed(b"0" * 32, f"logs/{state.name}", text).split(b"\n")[0], b""):
        state.write_bytes(seal + b"\n" + text)
        assert log_status(followed).broken


def test_a_state_of_a_broken_log_remembers_the_break(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_WORTH_KEEPING", 1)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:2], b"gone\n", *lines[3:], b"gone\n"]))
    first = log_status(log)
    append(log, "look", {"question": "new"})
    assert log_status(log) == first
    explain(log, "a disk", who="ada")
    for _ in range(2):
        assert log_status(log).explained
        append(log, "look", {"question": "later"})


# -- the key ----------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_for_its_owner_only() -> None:
    key = user_key()
    assert key is not None
    assert len(key) == 32
    assert user_key() == key
    assert stat.S_IMODE(key_path().stat().st_mode) == 0o600
    assert [p.name for p in key_path().parent.iterdir()] == [key_path().name]
    assert key_id(key) not in key.hex()


def test_a_key_that_others_can_read_or_that_is_none_is_not_used() -> None:
    assert user_key() is not None
    path = key_path()
    content = path.read_bytes()
    for mode in (0o640, 0o604, 0o622):
        path.chmod(mode)
        assert user_key() is None
    path.chmod(0o600)
    assert user_key() == content
    for bad in (b"", content[:31], content + b"0"):
        path.write_bytes(bad)
        assert user_key() is None
    other = path.with_name("other")
    other.write_bytes(content)
    other.chmod(0o600)
    path.unlink()
    path.symlink_to(other)
    assert user_key() is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert user_key() is None, "nobody waits for a pipe"


def test_a_seal_is_of_one_name_and_one_content() -> None:
    key = b"k" * 32
    raw = signed(key, "a", b"content")
    assert authentic(key, "a", raw) == b"content"
    assert authentic(key, "b", raw) is None
    assert authentic(b"l" * 32, "a", raw) is None
    for i in range(len(raw)):
        assert authentic(key, "a", raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :]) is None
    assert authentic(key, "a", b"") is None


def test_entries_are_written_as_they_are_read(log: Path) -> None:
    for line in log.read_bytes().splitlines():
        entry = parse_entry(line)
        assert entry is not None
        assert tuple(entry.as_dict()) == FIELDS
        assert entry_hash({k: v for k, v in entry.as_dict().items() if k != "hash"}) == entry.hash
    with pytest.raises(UsageError, match="read back"):
        append(log, "look", {"question": 1})
    assert verify(log).intact
