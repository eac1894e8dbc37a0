"""What a table that is no analysis result says of the study and the data it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.data.snapshot import Snapshot


def study_words(workspace: Path) -> tuple[tuple[str, str], ...]:
    """Study and whether its data are synthetic, for tables that need no source; nothing where there is no study file yet."""
    from alsbench.data.workspace import Workspace

    space = Workspace(workspace)
    if not space.study_path.exists():
        return ()
    info = space.read_study().info
    return (("Study", f"{info.id}{' · SYNTHETIC DATA' if info.synthetic else ''}"),)


def about(source: Source) -> tuple[tuple[str, str], ...]:
    """Study, snapshot and data cut, for the head of a table that is no analysis result."""
    info = source.study.info
    synthetic = " · SYNTHETIC DATA" if info.synthetic else ""
    blinded = " · BLINDED" if source.blinded else ""
    lock = source.lock
    locked = () if lock is None else (("Plan", "; ".join(t for t in (lock.words(), lock.note, lock.doubt) if t)),)
    logged = (("Audit log", source.log.text),) if source.log.words else ()
    return (*logged, ("Study", f"{info.id}{blinded}{synthetic}"), snapshot_words(source.snapshot), *locked)


def snapshot_words(snapshot: Snapshot) -> tuple[str, str]:
    """Which data: the beginning of the snapshot's digest, and the data cut where the data tell it."""
    cut = f"; data cut {snapshot.data_cut}" if snapshot.data_cut else ""
    return "Snapshot", f"{snapshot.digest[:12]}{cut}"
