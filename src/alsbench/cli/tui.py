"""The terminal app, and all that the shell asks of it: the one place where the shell reaches the app."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.settings import Settings, read_settings

if TYPE_CHECKING:
    from alsbench.service.output import Operation


def open_app(workspace: Path | None, *, ascii_only: bool = False, no_mouse: bool = False) -> int:
    """Run the app with the user's settings; its exit code."""
    gc.disable()  # nothing made while starting is garbage; the app collects again once the workspace is open
    own = read_settings()
    return _app()(
        workspace or Path(),
        ascii=ascii_only or own.ascii,
        no_mouse=no_mouse or own.no_mouse,
        theme=own.theme,
        keymap=dict(own.keys),
    )


def checked_settings() -> Settings:
    """The user's settings, their keys held against the commands of the app. Raises UsageError."""
    found = read_settings()
    if found.keys:
        _app()(None, keymap=dict(found.keys))
    return found


def recorded_views(log: Path, workspace: Path | None) -> list[tuple[Path, str, Callable[[], Operation], bool]]:
    """Of each view of a recorded session: the workspace (None: the one it was recorded on), its shell command, what gives
    the operation behind it, and whether the command takes a mask. Raises DataError for a damaged log."""
    views: list[tuple[Path, str, Callable[[], Operation], bool]] = []
    _app()(workspace, recorded=log, view=lambda *view: views.append(view))
    return views


def _app() -> Callable[..., int]:
    """The app, as the shell knows it: one function."""
    from alsbench.tui.launch import launch  # waits: textual

    return launch


def is_workspace(path: Path | None) -> bool:
    """Whether a directory holds a study file."""
    return ((path or Path()) / "study.toml").is_file()
