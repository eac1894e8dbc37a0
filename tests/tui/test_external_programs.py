"""$EDITOR and $PAGER get the terminal and what they need, and their absence is said."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import Any

import pytest

from alsbench.errors import UnavailableError
from alsbench.study.study_file import read_study
from alsbench.tui import external_programs
from alsbench.tui.external_programs import subgroup_line


def script(path: Path, text: str) -> str:
    """A program of a test."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_which_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VISUAL", "EDITOR", "PAGER"):
        monkeypatch.delenv(name, raising=False)
    own = script(tmp_path / "own", "true")
    nano = script(tmp_path / "nano", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert external_programs.editor(Path("study.toml"), 7) == ["nano", "+7", "study.toml"], "the spare that is installed"
    monkeypatch.setenv("EDITOR", f"{nano} --mouse")
    assert external_programs.editor(Path("study.toml"), 7) == [nano, "--mouse", "+7", "study.toml"]
    monkeypatch.setenv("VISUAL", f"{own} -w")
    assert external_programs.editor(Path("study.toml"), 7) == [own, "-w", "study.toml"], "a line only where it is understood"
    with pytest.raises(UnavailableError, match=r"no pager: \$PAGER is set") as none:
        external_programs.pager()
    assert none.value.hint == "set PAGER"
    monkeypatch.setenv("PAGER", "/nowhere/less")
    with pytest.raises(UnavailableError, match="is not installed"):
        external_programs.pager()


def test_the_line_of_a_subgroup(workspace: Path) -> None:
    path = workspace / "study.toml"
    line = subgroup_line(path, "slow")
    assert path.read_text().splitlines()[line - 1].startswith('name = "slow"')
    assert subgroup_line(path, "nobody") == 0


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The app without a terminal to lend: what happened to it."""
    from alsbench.tui.app import Workbench

    done: list[str] = []

    @contextlib.contextmanager
    def suspend(_: Workbench) -> Any:
        done.append("lent")
        yield
        done.append("back")

    monkeypatch.setattr(Workbench, "suspend", suspend)
    return done


async def test_the_pager_reads_the_table_that_is_shown(
    workspace: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lent: list[str]
) -> None:
    monkeypatch.setenv("PAGER", script(tmp_path / "pager", f'cat > "{tmp_path}/read.txt"'))
    async with tui.run(workspace) as pilot:
        for keys, part in (
            (("4", "right_curly_bracket"), "LS mean (SE)"),
            (("2", "enter", "enter"), "ALSFRS-R"),
            (("8", "enter"), "ALSDEMO-"),
            (("7",), "Headache"),
        ):
            await tui.press(pilot, *keys, "P")
            text = (tmp_path / "read.txt").read_text()
            assert part in text, keys
            assert "\x1b" not in text
    assert lent == ["lent", "back"] * 4


async def test_the_editor_changes_the_study_and_a_program_that_is_not_there_is_said(
    own_workspace: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lent: list[str]
) -> None:
    path = own_workspace / "study.toml"
    does = f"""echo "$@" > {tmp_path}/asked; sed -i 's/LEADRATE <= mean/LEADRATE < mean/' "$2" """
    monkeypatch.setenv("VISUAL", script(tmp_path / "vi", does))
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "3", "E")
        assert (tmp_path / "asked").read_text() == f"+{subgroup_line(path, 'slow')} {path}\n"
        found = read_study(path).subgroup("slow")
        assert found is not None
        assert found.where == "LEADRATE < mean(LEADRATE)"
        assert pilot.app.opened.source.study.subgroup("slow").where == found.where
        await tui.press(pilot, "1", "E")
        assert "unchanged" in tui.text(pilot.app)
        monkeypatch.setenv("VISUAL", "no-such-editor")
        text = await tui.press(pilot, "E")
        assert "the editor of $VISUAL is not installed" in text
    assert lent == ["lent", "back"] * 2


async def test_a_pager_gets_no_more_than_a_mask_lets_out(
    own_workspace: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lent: list[str]
) -> None:
    path = own_workspace / "study.toml"
    path.write_text(path.read_text().replace("[study]\n", "[study]\nmask = 5\n"))
    monkeypatch.setenv("PAGER", script(tmp_path / "pager", f'cat > "{tmp_path}/read.txt"'))
    monkeypatch.chdir(own_workspace)
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "7", "P")
        assert "<5" in (tmp_path / "read.txt").read_text()
        (tmp_path / "read.txt").unlink()
        text = await tui.press(pilot, "2", "enter", "enter", "P")
        assert not (tmp_path / "read.txt").exists(), "one subject cannot be masked"
        assert "mask" in text.splitlines()[-1]
    assert not (tmp_path / "state" / "alsbench" / "copied.txt").exists()


def test_an_interrupt_typed_around_another_program_is_not_for_the_app(tmp_path: Path) -> None:
    """The terminal is already, or still, the other program's: ^C reached the app between its going and the program's coming."""
    import os
    import signal
    from collections.abc import Iterator
    from contextlib import contextmanager

    from alsbench.tui.external_programs import run_on_terminal

    class Handing:
        @contextmanager
        def suspend(self) -> Iterator[None]:
            os.kill(os.getpid(), signal.SIGINT)
            yield
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    assert run_on_terminal(Handing(), ["true"]) == 0  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGINT) == before
