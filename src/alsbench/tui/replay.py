"""A recorded session as shell commands: each view that was looked at, in order, once.

``alsbench replay LOG`` runs them: the log of a session reproduces its tables without a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from alsbench.tui import actions as act
from alsbench.tui.session import Session, reduce
from alsbench.tui.state import read_log
from alsbench.tui.twin import command


def replay_commands(log: Path, workspace: Path | None = None) -> tuple[str, ...]:
    """The commands of a log, for ``workspace`` (default: the one it was recorded on). Raises DataError for a damaged log."""
    recorded, actions = read_log(log)
    space = workspace or recorded
    subjects = _subjects(space) if any(isinstance(a, act.OpenSubject) for a in actions) else ()
    arm_column, default = _study_names(space)
    return tuple(dict.fromkeys(_commands(actions, str(space), subjects, arm_column, default)))


def _commands(
    actions: Sequence[act.Action], workspace: str, subjects: Sequence[str], arm_column: str, default: str
) -> Iterator[str]:
    session = Session()
    for action in actions:
        session = reduce(session, action)
        place = session.place
        known = place.record is not None and 1 <= place.record <= len(subjects)
        subject = subjects[place.record - 1] if known and place.record is not None else ""
        if place.record is not None and not subject:
            continue
        where = f"{arm_column} == {place.arm!r}" if place.screen == "arms" and place.arm and place.record is None else ""
        line = command(session, workspace=workspace, default_population=default, subject=subject, where=where)
        if line and session.study:
            yield line


def _subjects(workspace: Path) -> tuple[str, ...]:
    from alsbench.analysis.source import open_source

    source = open_source(workspace)
    with source.snapshot:
        return source.subject_ids


def _study_names(workspace: Path) -> tuple[str, str]:
    """The planned arm's column and the default population."""
    from alsbench.study.spec import read_study

    study = read_study(workspace / "study.toml")
    return study.arms.planned, study.populations.default
