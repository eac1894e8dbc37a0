"""A user's settings: found, shown, refused with the nearest name, and obeyed by shell and app."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def write(run: Run) -> Callable[[str], Path]:
    """Writes the settings file."""

    def do(text: str) -> Path:
        path = Path(os.environ["XDG_CONFIG_HOME"]) / "alsbench" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return do


def test_without_a_file_all_is_default(run: Run) -> None:
    ran = run("config", "show", "--format", "json")
    assert ran.code == 0
    assert {r["source"] for r in ran.json["rows"]} == {"default"}
    assert run("config", "validate").code == 0
    assert run("config", "path").out == f"{os.environ['XDG_CONFIG_HOME']}/alsbench/config.toml\n"


def test_what_the_file_says_is_shown_and_obeyed(run: Run, write: Any, loaded: Path) -> None:
    write('format = "json"\nascii = true\n[keys]\nquit = "Q"\nundo = ["u", "U"]\n')
    shown = {r["setting"]: (r["value"], r["source"]) for r in run("config", "show", "--format", "json").json["rows"]}
    assert shown["ascii"] == ("true", "file")
    assert shown["theme"] == ("", "default")
    assert shown["keys.undo"] == ("u U", "file")
    assert json.loads(run("arms", "-w", loaded).out)["schema"] == "alsbench.table/1"
    assert run("arms", "-w", loaded, "--format", "table").out.lstrip()[0] != "{"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("themes = 'dark'\n", (":1 themes", "did you mean theme?")),
        ("ascii = true\ntheme = 'drak'\n", (":2 theme", "did you mean dark?")),
        ("ascii = 'yes'\n", ("neither true nor false",)),
        ("format = 3\n", ("no format",)),
        ("keys = 'x'\n", ("a table",)),
        ("[keys]\nquti = 'Q'\n", ("did you mean quit?",)),
        ("[keys]\nquit = 3\n", ("no key",)),
        ("[keys]\nquit = 'ctrl+b'\n", ("cannot be bound",)),
        ("[keys]\nquit = '?'\n", ("the key of help",)),
        ("theme = \n", ("not valid TOML",)),
    ],
)
def test_what_it_cannot_hold_is_refused(run: Run, write: Any, text: str, words: tuple[str, ...]) -> None:
    write(text)
    for part in ("validate", "show"):
        ran = run("config", part)
        assert ran.code == 2
        assert all(w in ran.err for w in words), ran.err
    assert run("config", "path").code == 0


def test_a_fault_stops_other_commands_with_the_place(run: Run, write: Any, loaded: Path) -> None:
    path = write("themes = 'dark'\n")
    ran = run("arms", "-w", loaded)
    assert (ran.code, ran.out) == (2, "")
    assert f"{path}:1" in ran.err


def test_the_app_is_opened_with_them(run: Run, write: Any, loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    app = importlib.import_module("alsbench.tui.launch")
    monkeypatch.setattr(app, "launch", lambda workspace, **options: given.update(options) or 0)
    write('theme = "light"\nno_mouse = true\n[keys]\nquit = "Q"\n')
    assert run("tui", "--ascii", "-w", loaded).code == 0
    assert given == {"ascii": True, "no_mouse": True, "theme": "light", "keymap": {"quit": ("Q",)}}
