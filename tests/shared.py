"""What the processes of one test run share: a folder, workspaces built once in it, and the answers kept beside them.

Answers are kept under hashes of question, data, study and program, so that any test may find what any other has computed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED_NAME = "shared"
REACHABLE: set[tuple[str, int]] = set()  # ports of the loopback that a test of this process opened


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that is the same in all worker processes of a run, and of this run only."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / SHARED_NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A folder that the first process to need it builds; the others wait for it. Nobody changes it afterwards.

    ``build`` gets the path of a folder that is not there yet.
    """
    built = shared_folder(factory) / name
    with (built.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            making = built.with_name(f"{name}.part")
            shutil.rmtree(making, ignore_errors=True)
            build(making)
            making.rename(built)
    return built


def workspace_copy(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """This process's own copy of a workspace that is built once; the answers that any process keeps serve all."""
    built = built_once(factory, name, build)
    copy = factory.mktemp(name) / name
    shutil.copytree(built, copy, ignore=shutil.ignore_patterns("results"))
    keep_answers(factory, name, copy)
    return copy


def keep_answers(factory: pytest.TempPathFactory, name: str, workspace: Path) -> None:
    """Let a workspace, made here if it is not there yet, keep its answers with all others of that name in this run."""
    kept = shared_folder(factory) / f"{name}-answers"
    kept.mkdir(mode=0o700, exist_ok=True)
    workspace.mkdir(mode=0o700, exist_ok=True)
    (workspace / "results").symlink_to(kept, target_is_directory=True)
