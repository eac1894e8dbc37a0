"""``alsbench lineup``: what the file tells and what it does not, the key, the log, and who found the trial."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ASKED = ("lineup", "--view", "km", "-e", "survival", "--panels", "8")


def made(run: Run, workspace: Path, tmp_path: Path, *more: str) -> tuple[str, dict[str, Any]]:
    key, page = tmp_path / "key.json", tmp_path / "lineup.html"
    ran = run(*ASKED, "-w", workspace, "--key", key, "-o", page, *more)
    assert ran.code == 0, ran.err
    return page.read_text("utf-8"), json.loads(key.read_text("utf-8"))


def last(workspace: Path) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads((workspace / "audit.jsonl").read_text().splitlines()[-1])
    return entry


def test_the_file_tells_nothing_of_the_place(run: Run, workspace: Path, tmp_path: Path) -> None:
    """Neither secret, fingerprint nor seed; the drawings of the panels have one structure; said of one is said of all."""
    page, key = made(run, workspace, tmp_path, "--seed", "41")
    assert (
        key["secret"] not in page
        and key["fingerprint"] not in page
        and "seed" not in page
        and "41" not in page.split("<svg")[0]
    )
    assert page.count("<svg") == 1 and re.findall(r'font-weight="700"[^>]*>(\d+)<', page) == [str(k) for k in range(1, 9)]
    figure = page[page.index("<svg") : page.index("</svg>")]
    panels = re.split(r'(?=<text[^>]*font-weight="700")', figure)[1:]
    strokes = [re.findall(r'stroke="[^"]+" stroke-width="1.3"[^/]*', p) for p in panels]
    assert len(panels) == 8 and strokes == [strokes[0]] * 8 and len(strokes[0]) == 3
    for word in ("p =", "SYNTHETIC"):
        assert not any(word in p for p in panels)


def test_the_key_is_the_holders_own(run: Run, workspace: Path, tmp_path: Path) -> None:
    made(run, workspace, tmp_path)
    key = tmp_path / "key.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = run(*ASKED, "-w", workspace, "--key", key, "-o", tmp_path / "two.html")
    assert again.code == 2 and "a file already" in again.err and not (tmp_path / "two.html").exists()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    through = run(*ASKED, "-w", workspace, "--key", tmp_path / "link", "-o", tmp_path / "two.html")
    assert through.code == 2 and not (tmp_path / "elsewhere").exists()
    same = run(*ASKED, "-w", workspace, "--key", tmp_path / "x", "-o", tmp_path / "x", "--format", "html")
    assert same.code == 2 and "overwritten" in same.err


def test_the_log_keeps_that_it_was_made_and_no_place(run: Run, workspace: Path, tmp_path: Path) -> None:
    _, key = made(run, workspace, tmp_path)
    entry = last(workspace)
    assert entry["action"] == "export" and entry["facts"]["lineup"] == key["fingerprint"]
    assert entry["facts"]["contrasts"] == [] and key["secret"] not in json.dumps(entry) and "place" not in entry["facts"]
    assert [q["what"] for q in entry["facts"]["questions"].values()] == ["survival overall: check lineup"]


def test_revealed_it_says_which_it_was_and_p(run: Run, workspace: Path, tmp_path: Path) -> None:
    """Two judges of 8 panels, one right: 1 - (7/8)^2 = 0.234375."""
    _, key = made(run, workspace, tmp_path)
    other = key["place"] % 8 + 1
    words = ("lineup", "-w", workspace, "--reveal", tmp_path / "key.json", "--pick", key["place"], "--pick", other)
    first = run(*words, "--format", "json").json
    assert not any("BEFORE" in note for note in first["notes"])
    told = first["rows"][0]
    assert (told["trial"], told["judges"], told["right"], told["panels"]) == (key["place"], 2, 1, 8)
    assert told["p"] == pytest.approx(0.234375)
    entry = last(workspace)
    assert entry["facts"]["picks"] == [key["place"], other] and entry["facts"]["place"] == key["place"]
    assert run("lineup", "-w", workspace, "--reveal", tmp_path / "key.json", "--pick", "9").code == 2
    again = run(*words, "--format", "json").json["notes"]
    assert any("REVEALED BEFORE: 1 in the audit log" in note for note in again)
    assert run("audit", "verify", "--no-answers", "-w", workspace).code == 0


def test_a_key_that_was_edited_or_is_of_another_log_is_refused(run: Run, workspace: Path, loaded: Path, tmp_path: Path) -> None:
    _, key = made(run, workspace, tmp_path)
    path = tmp_path / "key.json"
    elsewhere = run("lineup", "-w", loaded, "--reveal", path)
    assert elsewhere.code == 3 and "belongs to no lineup" in elsewhere.err
    path.write_text(json.dumps(key | {"place": key["place"] % 8 + 1}))
    assert run("lineup", "-w", workspace, "--reveal", path).code == 3
    path.write_text("{}")
    assert run("lineup", "-w", workspace, "--reveal", path).code == 3
    assert run("lineup", "-w", workspace, "--reveal", tmp_path / "none").code == 3


def test_who_has_looked_is_told_not_to_judge(run: Run, workspace: Path, tmp_path: Path) -> None:
    """A lineup is no such look until it is revealed; a look at the endpoint is, in whatever part."""
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir(), (tmp_path / "c").mkdir(), (tmp_path / "d").mkdir()
    assert "Cannot judge" not in made(run, workspace, tmp_path / "a")[0]
    assert "Cannot judge" not in made(run, workspace, tmp_path / "b")[0]
    run("lineup", "-w", workspace, "--reveal", tmp_path / "a" / "key.json")
    assert "has looked at survival (1 time," in made(run, workspace, tmp_path / "c")[0]
    run("endpoint", "survival", "-s", "slow", "-w", workspace)
    ran = run(*ASKED, "-w", workspace, "--key", tmp_path / "d" / "k", "-o", tmp_path / "d" / "l.html")
    assert "cannot judge" in ran.err and "(2 times," in ran.err


def test_the_same_seed_makes_the_same_file(run: Run, workspace: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        pages.append(made(run, workspace, tmp_path / name, "--seed", "7" if name != "c" else "8")[0])
    assert pages[0] == pages[1] != pages[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "k"), "to be looked at"),
        (("--format", "html"), "a file for its key"),
        (("--key", "k", "--format", "html", "--mask", "5"), "cannot be masked"),
        (("--pick", "3"), "--reveal KEY"),
    ],
)
def test_what_is_refused(
    run: Run, loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*ASKED, "-w", loaded, *words)
    assert ran.code == 2 and said in ran.err and not (tmp_path / "k").exists()


@pytest.mark.parametrize(("view", "count"), [("months", 20), ("forest", 20), ("evidence", 20)])
def test_the_other_views_are_drawn(run: Run, loaded: Path, tmp_path: Path, view: str, count: int) -> None:
    page = tmp_path / "page.html"
    ran = run("lineup", "--view", view, "-w", loaded, "--key", tmp_path / "k", "-o", page)
    assert ran.code == 0, ran.err
    text = page.read_text("utf-8")
    assert len(re.findall(r'font-weight="700"[^>]*>\d+<', text)) == count and "nan" not in text.lower().split("<svg")[1]
