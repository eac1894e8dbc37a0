"""A workspace: a directory with ``study.toml``, ``snapshots/``, ``results/`` and ``audit.jsonl``.

``snapshots/current`` is a one-line file naming the current snapshot; it only ever changes by an atomic replacement.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.errors import DataError, UnavailableError

if TYPE_CHECKING:
    from alsbench.data.snapshot import Snapshot
    from alsbench.study.model import Study

POINTER = "current"
SNAPSHOT_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}(-\d+)?")
_DIRECTORY_MODE = 0o700


@dataclass(frozen=True)
class Workspace:
    """Where a study lives. Nothing is read or created until asked for."""

    path: Path

    @property
    def study_path(self) -> Path:
        return self.path / "study.toml"

    @property
    def snapshots_dir(self) -> Path:
        return self.path / "snapshots"

    @property
    def results_dir(self) -> Path:
        return self.path / "results"

    @property
    def audit_path(self) -> Path:
        return self.path / "audit.jsonl"

    def create(self) -> Workspace:
        """Make the directories that are missing, open to their owner only."""
        for directory in (self.path, self.snapshots_dir, self.results_dir):
            try:
                directory.mkdir(mode=_DIRECTORY_MODE, parents=directory == self.path, exist_ok=True)
            except OSError as fault:
                raise UnavailableError(f"the directory cannot be made: {fault.strerror}", where=str(directory)) from fault
            if not is_own(directory):
                raise UnavailableError(
                    "this is a link to somebody else's directory",
                    where=str(directory),
                    hint="data go only where their owner is the only one who can put a link",
                )
        return self

    def read_study(self) -> Study:
        """The study file, validated. Raises StudyError."""
        from alsbench.study.study_file import read_study  # waits: pydantic

        return read_study(self.study_path)

    def current_name(self) -> str | None:
        """Name of the current snapshot, or None before the first load. Raises DataError if the pointer is damaged."""
        try:
            name = (self.snapshots_dir / POINTER).read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as fault:
            raise self._pointer_fault() from fault
        if not SNAPSHOT_NAME.fullmatch(name):
            raise self._pointer_fault()
        return name

    def snapshot_path(self, name: str) -> Path:
        """The file of a snapshot of that name."""
        from alsbench.data.snapshot import SUFFIX  # waits: duckdb

        return self.snapshots_dir / f"{name}{SUFFIX}"

    def snapshot_names(self) -> tuple[str, ...]:
        """The published snapshots, oldest first."""
        from alsbench.data.snapshot import SUFFIX  # waits: duckdb

        names = (p.name.removesuffix(SUFFIX) for p in self.snapshots_dir.glob(f"*{SUFFIX}"))
        return tuple(sorted((n for n in names if SNAPSHOT_NAME.fullmatch(n)), key=self._age))

    def _age(self, name: str) -> tuple[str, int]:
        """What orders snapshots: the second in the name, then when the file was written (0: pruned meanwhile)."""
        try:
            written = self.snapshot_path(name).stat().st_mtime_ns
        except FileNotFoundError:
            written = 0
        return name.partition("-")[0], written

    def open_current(self) -> Snapshot:
        """The current snapshot, read-only. Raises UnavailableError where none was loaded, DataError where it is damaged."""
        from alsbench.data.snapshot import open_snapshot  # waits: duckdb

        for _ in range(3):
            name = self.current_name()
            if name is None:
                raise UnavailableError("no data have been loaded here", where=str(self.path), hint="run: alsbench load PATH...")
            path = self.snapshot_path(name)
            if path.is_file() or name == self.current_name():  # else it was pruned after a newer load: read the pointer again
                break
        return open_snapshot(path)

    def blinded(self) -> str:
        """The fingerprint of the key where the current snapshot holds dummy arms; empty where it does not, or there is none."""
        try:
            name = self.current_name()
            if name is None:
                return ""
            from alsbench.data.snapshot import blinded_by  # waits: duckdb

            return blinded_by(self.snapshot_path(name))
        except (DataError, UnavailableError):  # whoever needs the data says what is wrong with them
            return ""

    def _pointer_fault(self) -> DataError:
        return DataError(
            "the pointer to the current snapshot is damaged",
            where=str(self.snapshots_dir / POINTER),
            hint="load the data again: that makes another snapshot current",
        )


def is_own(directory: Path) -> bool:
    """Whether a directory is what it seems: no link, or a link to a place that is ours."""
    return not directory.is_symlink() or directory.stat().st_uid == os.geteuid()
