"""Where a session on a workspace was left, and how the next one starts there. Under XDG state, versioned, no patient data.

What is kept is a list of actions, as in a session log, without the subject that was open: names of arms, tables, endpoints and
subgroups of the study file, never a value from the data. What the study no longer has is left out when it is read back.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from alsbench.tui import actions as act
from alsbench.tui.session import Catalogue, Session
from alsbench.tui.session_log import open_private, state_dir

FORMAT = "alsbench.place/1"


def restore_path(workspace: Path) -> Path:
    """The file of a workspace, named by a digest of where it is."""
    name = hashlib.sha256(str(workspace.resolve()).encode()).hexdigest()[:16]
    return state_dir() / "places" / f"{name}.json"


def save_session(workspace: Path, session: Session) -> None:
    """Write where the session stands. Raises OSError where that cannot be written."""
    if not session.study:
        return
    path = restore_path(workspace)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    text = json.dumps({"format": FORMAT, "study": session.study, "actions": [act.as_dict(a) for a in actions_to(session)]})
    beside = path.with_suffix(f".{os.getpid()}")
    beside.unlink(missing_ok=True)
    with open_private(beside, "x") as out:
        out.write(text + "\n")
    beside.replace(path)


def restored_actions(workspace: Path, start: act.Open, known: Catalogue) -> tuple[act.Action, ...]:
    """``start``, changed to where the last session on this study was left, then what leads to its screen.

    A file that is not there, of another version or another study gives ``start`` alone.
    """
    try:
        values = json.loads(restore_path(workspace).read_text("utf-8"))
        if values["format"] != FORMAT or values["study"] != start.study:
            return (start,)
        actions = [act.from_dict(v) for v in values["actions"]]
    except (OSError, ValueError, KeyError, TypeError):
        return (start,)
    return still_there(actions, start, known)


def still_there(actions: Sequence[act.Action], start: act.Open, known: Catalogue) -> tuple[act.Action, ...]:
    """``actions``, of which an ``Open`` is the first, as far as the study and data now have what they name; ``start`` where
    they begin otherwise or name something that is gone."""
    first, *rest = actions or (start,)
    if not isinstance(first, act.Open):
        return (start,)
    names = {k: {i.name for i in getattr(known, k)} for k in ("endpoints", "comparisons", "populations", "subgroups")}
    opened = replace(
        start,
        population=first.population if first.population in names["populations"] else start.population,
        subgroups=tuple(n for n in first.subgroups if n in names["subgroups"]),
        endpoint=first.endpoint if first.endpoint in names["endpoints"] else start.endpoint,
        comparison=first.comparison if first.comparison in names["comparisons"] else start.comparison,
    )
    return (opened, *(a for a in rest if _still_there(a, opened, known)))


def actions_to(session: Session) -> Iterator[act.Action]:
    """Actions that lead a new session to this one, but for its history and the subject open."""
    choice, place = session.choice, session.place
    yield act.Open(session.study, "", choice.population, choice.subgroups, choice.endpoint, choice.comparison)
    if choice.visit is not None:
        yield act.SetVisit(choice.visit)
    for name, value in choice.options:
        yield act.SetOption(name, value)
    if place.screen != "evidence":
        yield act.GoTo(place.screen)
    if place.tab != "table":
        yield act.SetTab(place.tab)
    if place.arm is not None:
        yield act.OpenArm(place.arm)
    if place.table is not None:
        yield act.OpenTable(place.table)


def _still_there(action: act.Action, opened: act.Open, known: Catalogue) -> bool:
    match action:
        case act.SetVisit():
            return action.visit in known.visits_of(opened.endpoint)
        case act.OpenArm():
            return action.arm in {i.name for i in known.arms}
        case act.OpenTable():
            return action.table in {i.name for i in known.tables}
        case _:
            return True
