"""Files are their owner's alone whatever the umask says, and links that others put somewhere lead nowhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
SOMEBODY = 12345  # a user id that is not ours


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that closes nothing, as on a careless machine."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): oct(p.stat().st_mode & 0o777)
        for p in folder.rglob("*")
        if p.stat().st_mode & 0o777 != (0o700 if p.is_dir() else 0o600)
    }


def test_whatever_a_command_makes_is_its_owners(
    small: Any, run: Run, tmp_path: Path, open_umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    made = tmp_path / "made"
    study = ("--study", small.study)
    commands = [
        ("load", small.folder, *study, "-w", made / "deep" / "ws", "-q"),
        ("load", small.folder, *study, "-w", made / "blind", "--blinded", "--key", made / "key.json", "-q"),
        ("lock", "-w", made / "deep" / "ws", "-q"),
        ("subgroup", "add", "old", "--where", "AGE > 55", "-w", made / "deep" / "ws", "-q"),
        ("init", made / "proposed", small.folder, "-q"),
        ("simulate", made / "simulated", "--seed", "1"),
    ]
    for suffix in ("txt", "csv", "tsv", "md", "json"):
        commands.append(("endpoint", "score", "-w", made / "deep" / "ws", "-o", made / f"out.{suffix}"))
        commands.append(("evidence", "-w", made / "deep" / "ws", "-o", made / f"evidence.{suffix}"))
    for words in commands:
        os.umask(0)
        ran = run(*words)
        assert ran.code == 0, (words, ran.err)
    assert modes(made) == {}


def test_the_app_writes_private_files(tmp_path: Path, open_umask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from alsbench.tui.exporter import clipboard_file, write_new
    from alsbench.tui.session import Session
    from alsbench.tui.session_log import new_log
    from alsbench.tui.session_restore import save_session

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    target = tmp_path / "victim.txt"
    target.write_text("mine")
    (tmp_path / "state").mkdir()
    copied = tmp_path / "state" / "alsbench" / "copied.txt"
    clipboard_file("first")
    copied.unlink()
    copied.symlink_to(target)
    assert clipboard_file("41.5").read_text() == "41.5"
    assert target.read_text() == "mine"
    new_log(tmp_path).close()
    save_session(tmp_path, Session(study="S"))
    write_new(tmp_path / "picture.svg", "<svg/>")
    assert (tmp_path / "picture.svg").stat().st_mode & 0o777 == 0o600
    assert {p: m for p, m in modes(tmp_path / "state" / "alsbench").items() if m != "0o700" or "." in p} == {}


def test_an_answer_goes_through_no_link(small: Any, run: Run, tmp_path: Path) -> None:
    """Neither somebody else's where everybody may write, nor one of our own."""
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    link = public / "out.csv"
    link.symlink_to(victim)
    ran = run("arms", "-w", small.workspace, "-o", link)
    assert ran.code == 2 and "this is a link" in ran.err
    assert victim.read_text() == "mine" and link.is_symlink()


def test_no_data_go_into_somebody_elses_directory(
    small: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    results = small.workspace / "results"
    shutil.rmtree(results)
    results.symlink_to(theirs)
    with monkeypatch.context() as we:
        we.setattr(os, "geteuid", lambda: SOMEBODY)
        assert run("endpoint", "score", "-w", small.workspace).code == 0  # answered, and kept nowhere
        assert list(theirs.iterdir()) == []
        ran = run("load", small.folder, "-w", small.workspace)
    assert ran.code == 4 and "somebody else's directory" in ran.err
    results.unlink()
    own = tmp_path / "large_disk"
    own.mkdir()
    results.symlink_to(own)  # a place of ours on another disk is fine
    assert run("load", small.folder, "-w", small.workspace).code == 0


def test_links_planted_in_a_workspace_harm_nothing(small: Any, run: Run, tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    victim.write_text("mine")
    folder.mkdir()
    (folder / "kept").write_text("mine")
    snapshots = small.workspace / "snapshots"
    (snapshots / ".building-folder").symlink_to(folder)
    assert run("load", small.folder, "-w", small.workspace).code == 0
    assert (folder / "kept").read_text() == "mine"
    (snapshots / ".lock").unlink()
    (snapshots / ".lock").symlink_to(victim)
    assert run("load", small.folder, "-w", small.workspace).code == 4
    assert victim.read_text() == "mine"
    log = small.workspace / "audit.jsonl"
    log.unlink()
    log.symlink_to(victim)
    ran = run("endpoint", "score", "-w", small.workspace)
    assert ran.code == 4 and "link" in ran.err
    assert victim.read_text() == "mine"
