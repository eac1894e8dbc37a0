"""Every screen and dialog as plain text, at 80x24 and 120x40, and at 160x45 those that use the room; of the sample trial and of
a trial that is not ours: the CDISC pilot study under a multiplicity plan, so that nominal p-values stand in it. What compares
two snapshots is looked at on a small trial that was loaded twice.

A changed screen is a changed promise: look at it, then write the goldens again: ``ALSBENCH_GOLDENS=write pytest tests/tui``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alsbench.audit.log import append
from alsbench.data.workspace import Workspace
from alsbench.tui.session import SCREENS

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(80, 24), (120, 40)]
WIDE = (160, 45)
PANES = ("evidence", "endpoint", "forest", "scrutiny", "diff")  # screens whose use of room is looked at there too

# A step is a name and the keys that lead to it from the step before; ``:line`` is a command line.
Step = tuple[str, tuple[str, ...]]

SAMPLE: tuple[Step, ...] = (
    ("evidence", ()),
    ("evidence-cursor", ("j", "j", "l", "l")),
    ("evidence-opened", ("enter",)),
    ("arms", ("2",)),
    ("arms-subjects", ("j", "enter")),
    ("arms-profile", ("enter",)),
    ("arms-profile-end", ("G",)),
    ("subgroups", ("3",)),
    ("subgroups-bulbar", ("j", "j")),
    ("subgroup-opened", ("enter",)),
    ("endpoint-joint-rank", ("escape", ":endpoint cafs", "4")),
    ("behind-ranks", ("j", "j", "l", "enter")),
    ("behind-pairs", ("j", "enter")),
    ("endpoint-joint-rank-plot", ("escape", "escape", "p")),
    ("endpoint-joint-rank-model", ("m",)),
    ("endpoint-options", ("o",)),
    ("endpoint-options-choose", ("enter",)),
    ("endpoint-mmrm", ("escape", "right_curly_bracket", "t")),
    ("endpoint-mmrm-visit", ("greater_than_sign",)),
    ("behind-mmrm", ("less_than_sign", "l", "l", "enter")),
    ("endpoint-mmrm-plot", ("escape", "p")),
    ("endpoint-mmrm-difference", ("d",)),
    ("endpoint-mmrm-model", ("m",)),
    ("endpoint-ancova", (":endpoint alsfrs_ancova", "t")),
    ("endpoint-ancova-model", ("m",)),
    ("endpoint-slope", (":endpoint alsfrs_slope", "t")),
    ("endpoint-slope-plot", ("p",)),
    ("endpoint-nfl", (":endpoint nfl", "t")),
    ("endpoint-nfl-plot", ("p",)),
    ("endpoint-survival-plot", (":endpoint survival",)),
    ("endpoint-survival", ("t",)),
    ("endpoint-survival-model", ("m",)),
    ("endpoint-other-method", (":endpoint cafs", "t", ":option method ancova")),
    ("endpoint-two-subgroups", (":option method", ":endpoint alsfrs", "s", "j", "j", "space", "enter")),
    ("forest", ("5",)),
    ("behind-forest", ("j", "j", "enter")),
    ("forest-survival", ("escape", ":endpoint survival")),
    ("scrutiny", (":endpoint alsfrs", "6")),
    ("scrutiny-check", ("j", "j", "j", "j", "enter")),
    ("safety", ("escape", "7")),
    ("safety-right", (*"lllll",)),
    ("safety-filter", ("slash", *"head", "enter")),
    ("data", ("escape", "8")),
    ("data-adlb", ("j", "j", "enter")),
    ("data-adlb-right", (*"llllllll",)),
    ("data-frozen", ("h", "h", "h", "f", *"lllllll")),
    ("data-column-text", (":table ADSL", *"lllllllll", "F")),
    ("data-column-number", ("escape", "h", "h", "F")),
    ("data-profile", ("escape", "enter")),
    ("data-filter", ("escape", "slash", *"AGE>60 an")),
    ("data-filtered", ("backspace", "backspace", "backspace", "enter")),
    ("data-sorted", ("S",)),
    ("data-row", ("escape", ":row 40")),
    ("data-no-rows", ("slash", *"AGE>200", "enter")),
    ("log", ("escape", "9")),
    ("claims", ("0", "j")),
    ("claim", ("enter",)),
    ("claim-number", ("l", "l", "l", "enter")),
    ("help", ("escape", "escape", "3", "question_mark")),
    ("palette", ("escape", "ctrl+p", *"sub")),
    ("palette-nothing", (*"zzz",)),
    ("command-line", ("escape", "colon", *"vis")),
    ("command-fault", ("escape", ":endpoint ae")),
    ("editor", ("a", *"BLNFL<52")),
    ("editor-fault", ("<",)),
    ("editor-unknown", (*(("backspace",) * 3), *" AGEE")),
    ("editor-factor", (*(("backspace",) * 11), *"ONSETSIT == 'B")),
    ("editor-edit", ("escape", "g", "j", "e")),
    ("confirm", ("escape", "D")),
    ("chips", ("n", "1", "s")),
    ("shell", ("escape", "c")),
    ("export", ("escape", "x")),
    ("export-fault", tuple("evidence.doc")),
)

PILOT: tuple[Step, ...] = (
    ("evidence", ()),
    ("evidence-chips", ("s", "space", "enter")),
    ("evidence-opened", ("j", "l", "l", "enter")),
    ("arms", ("2",)),
    ("arms-subjects", ("j", "enter")),
    ("arms-profile", ("enter",)),
    ("subgroups", ("3",)),
    ("subgroups-mild", ("j", "j")),
    ("endpoint-ancova", ("4", ":endpoint adas_locf")),
    ("behind-ancova", ("l", "l", "enter")),
    ("endpoint-ancova-plot", ("escape", "p")),
    ("endpoint-ancova-model", ("m",)),
    ("endpoint-options", ("o",)),
    ("endpoint-mmrm", (":endpoint adas", "t")),
    ("endpoint-mmrm-plot", ("p",)),
    ("endpoint-mmrm-model", ("m",)),
    ("endpoint-survival", (":endpoint dermatologic", "t")),
    ("endpoint-survival-plot", ("p",)),
    ("forest", (":endpoint adas_locf", "5")),
    ("forest-survival", (":endpoint dermatologic",)),
    ("scrutiny", (":endpoint adas_locf", "6")),
    ("scrutiny-check", ("j", "j", "j", "enter")),
    ("safety", ("escape", "7")),
    ("safety-end", ("G",)),
    ("data", ("8",)),
    ("data-adadas", ("enter",)),
    ("data-adadas-right", (*"llllllllllll",)),
    ("data-column", ("F",)),
    ("data-filter", ("escape", "slash", *"PARAMCD=='ACTOT' and AVISITN=")),
    ("data-row", ("escape", ":row 12000")),
    ("log", ("9",)),
    ("claims", ("0",)),
    ("help", ("5", "question_mark")),
    ("palette", ("escape", "ctrl+p", *"adas")),
    ("command-line", ("escape", "colon", *"end")),
    ("editor", ("escape", "3", "a", *"AGE >= median(AGE) and SEX == 'F'")),
    ("confirm", ("escape", "g", "D")),
    ("shell", ("n", "5", "c")),
    ("export", ("escape", "x")),
)

TWICE: tuple[Step, ...] = (
    ("diff", (":diff",)),
    ("diff-class-opened", ("j", "enter")),
    ("diff-contrast-opened", ("escape", *"jjjjj", "enter")),
    ("diff-end", ("escape", "G")),
    ("diff-why", ("g", "w")),
    ("diff-keys", ("question_mark",)),
    ("diff-export", ("escape", "x")),
    ("diff-shell", ("escape", "c")),
)

TRIALS = {"sample": SAMPLE, "pilot": PILOT}
STEPS = {**TRIALS, "twice": TWICE}
RUNS = [*((trial, size) for trial in STEPS for size in SIZES), ("sample", WIDE), ("twice", WIDE)]


def looked_at(name: str, size: tuple[int, int]) -> bool:
    """Whether there is a golden of a step at a size."""
    return size != WIDE or name.startswith(PANES)


def steady(text: str) -> str:
    """The text without what differs from one run or processor to the next: when a snapshot was made, which its name says;
    digits past the tenth of a statistic; the size of a gradient that is nearly zero."""
    text = re.sub(r"\d{8}T\d{6}Z", "20240102T120000Z", text)  # when it was loaded
    text = re.sub(r"-?\d+\.\d{10,}(?:e[+-]\d+)?", lambda m: f"{float(m.group()):.10g}", text)
    return re.sub(r"(?m)^(gradient +)\S+$", r"\1(nearly zero)", text)


@pytest.mark.parametrize(("trial", "size"), RUNS, ids=lambda v: v if isinstance(v, str) else f"{v[0]}x{v[1]}")
async def test_screens_are_as_reviewed(
    trial: str,
    workspace_of: Callable[[str], Path],
    tui: Any,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    workspace = workspace_of(trial)
    monkeypatch.chdir(workspace)
    log = workspace / "audit.jsonl"
    log.unlink(missing_ok=True)  # what other tests of this process entered
    facts = {"snapshot": Workspace(workspace).current_name(), "file": "the trial's files"}
    append(log, "load", facts, who="ada", now=datetime(2024, 1, 2, 12, tzinfo=UTC))
    write = os.environ.get("ALSBENCH_GOLDENS") == "write"
    wrong = []
    async with tui.run(workspace, size=size) as pilot:
        for name, keys in STEPS[trial]:
            text = (await tui.press(pilot, *keys)) if keys else tui.text(pilot.app)
            text = steady(text.replace(str(workspace), "WORKSPACE").replace(str(tmp_path), "STATE"))
            path = GOLDENS / trial / f"{name}-{size[0]}x{size[1]}.txt"
            if not looked_at(name, size):
                continue
            if write:
                path.parent.mkdir(exist_ok=True, parents=True)
                path.write_text(text, encoding="utf-8")
            elif not path.exists() or path.read_text(encoding="utf-8") != text:
                wrong.append(name)
            assert all(len(line) <= size[0] for line in text.splitlines())
    assert not wrong, f"changed screens of {trial} at {size[0]}x{size[1]}: {', '.join(wrong)}"


@pytest.mark.parametrize("trial", TRIALS)
def test_the_steps_cover_every_screen(trial: str) -> None:
    names = [name for name, _ in STEPS[trial]]
    assert not [s for s in SCREENS if not any(name.startswith(s) for name in names)]
    assert len(names) == len(set(names))


def test_every_golden_has_its_step() -> None:
    found = {p.relative_to(GOLDENS).as_posix() for p in GOLDENS.rglob("*.txt")}
    assert found == {f"{t}/{name}-{s[0]}x{s[1]}.txt" for t, s in RUNS for name, _ in STEPS[t] if looked_at(name, s)}
