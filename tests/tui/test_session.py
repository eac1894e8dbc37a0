"""A session moves only by actions, the same way every time; a log rebuilds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.errors import DataError
from alsbench.tui import actions as act
from alsbench.tui.session import (
    SCREENS,
    Catalogue,
    CatalogueItem,
    Choice,
    ScreenPlace,
    Session,
    neighbour,
    next_visit,
    reduce,
    replay,
)
from alsbench.tui.session_log import SessionLog, read_log

NAMES = st.sampled_from(["slow", "nfl_low", "bulbar"])
ACTIONS = st.one_of(
    st.builds(act.ToggleSubgroup, NAMES),
    st.builds(act.SetSubgroups, st.lists(NAMES).map(tuple)),
    st.builds(act.SetEndpoint, st.sampled_from(["cafs", "alsfrs"])),
    st.builds(act.SetComparison, st.sampled_from(["G1-M6", "G2-M12"])),
    st.builds(act.SetVisit, st.one_of(st.none(), st.floats(1, 12))),
    st.builds(act.SetPopulation, st.sampled_from(["FAS", "PP"])),
    st.builds(act.SetOption, st.sampled_from(["covariance", "df", "other"]), st.sampled_from(["us", "cs", ""])),
    st.builds(act.GoTo, st.sampled_from([*SCREENS, "nowhere"])),
    st.builds(act.SetTab, st.sampled_from(["plot", "model", "nothing"])),
    st.builds(act.OpenArm, st.just("Group 1")),
    st.builds(act.OpenSubject, st.integers(1, 115)),
    st.builds(act.OpenTable, st.just("ADSL")),
    st.just(act.Back()),
    st.just(act.Undo()),
    st.just(act.Redo()),
)
START = act.Open("ALSDEMO", "fb92", "FAS", ("slow",), "cafs", "G1-M6")


def test_toggle_and_phrases() -> None:
    session = reduce(Session(), START)
    assert session.phrases == ("overall", "slow", "not slow")
    session = reduce(session, act.ToggleSubgroup("nfl_low"))
    assert session.phrases == ("overall", "slow", "not slow", "nfl_low", "not nfl_low")
    assert reduce(session, act.ToggleSubgroup("slow")).phrases == ("overall", "nfl_low", "not nfl_low")


def test_another_endpoint_forgets_the_visit() -> None:
    session = replay(Session(), [START, act.SetVisit(6.0), act.SetEndpoint("alsfrs")])
    assert session.choice.visit is None
    assert reduce(session, act.SetEndpoint("alsfrs")) == session


def test_back_goes_up_one_level_and_never_leaves() -> None:
    session = replay(Session(), [START, act.GoTo("arms"), act.OpenArm("Group 1"), act.OpenSubject(3)])
    assert session.place.record == 3
    session = reduce(session, act.Back())
    assert (session.place.arm, session.place.record) == ("Group 1", None)
    session = replay(session, [act.Back(), act.Back(), act.Back()])
    assert session.place == ScreenPlace("arms")


@given(st.lists(ACTIONS, max_size=12))
def test_undo_returns_through_every_choice(steps: list[act.Action]) -> None:
    session = reduce(Session(), START)
    seen: list[Choice] = [session.choice]
    for step in steps:
        if isinstance(step, act.Undo | act.Redo):
            continue
        session = reduce(session, step)
        if session.choice != seen[-1]:
            seen.append(session.choice)
    for choice in reversed(seen[:-1]):
        session = reduce(session, act.Undo())
        assert session.choice == choice
    assert reduce(session, act.Undo()) == session
    for choice in seen[1:]:
        session = reduce(session, act.Redo())
        assert session.choice == choice


@given(st.lists(ACTIONS, max_size=15))
def test_actions_survive_a_log(steps: list[act.Action]) -> None:
    read = [act.loads(act.dumps(a)) for a in [START, *steps]]
    assert read == [START, *steps]
    assert replay(Session(), read) == replay(Session(), [START, *steps])


def test_log_file_round_trip(tmp_path: Path) -> None:
    log = SessionLog(tmp_path / "log.jsonl", tmp_path)
    for action in (START, act.ToggleSubgroup("nfl_low")):
        log.append(action)
    assert read_log(log.path) == (tmp_path.resolve(), (START, act.ToggleSubgroup("nfl_low")))
    log.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json\n", "this is not a session log"),
        ('{"format": "alsbench.session/1", "workspace": "."}\n{"action": "fly"}\n', "log.jsonl:2"),
        ('{"format": "alsbench.session/1", "workspace": "."}\n{"action": "go", "where": "x"}\n', "has no field"),
    ],
)
def test_a_damaged_log_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_log(path)
    assert said in error.value.message


def test_neighbours_go_round() -> None:
    items = (CatalogueItem("a"), CatalogueItem("b"), CatalogueItem("c"))
    assert [neighbour(items, "c", 1), neighbour(items, "a", -1), neighbour(items, "?", 1), neighbour((), "x", 1)] == [
        "a",
        "c",
        "a",
        "x",
    ]
    assert [next_visit((3.0, 6.0), v, 1) for v in (None, 3.0, 6.0)] == [3.0, 6.0, None]
    assert Catalogue(endpoints=items).label("endpoints", "zz") == "zz"


def test_session_and_registry_need_no_terminal_library() -> None:
    rooms = ", ".join(f"alsbench.tui.{name}" for name in ("actions", "session", "commands", "shell_command", "session_log"))
    heavy = ("textual", "numpy", "duckdb", "pandas", "scipy")
    code = f"import sys; import {rooms}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
