"""Every screen says which shell command prints it; run in the workspace, the command gives the same numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.contrast import EvidenceCell
from alsbench.analysis.looks import question_digest
from alsbench.audit.chain import verify
from alsbench.audit.log import entries
from alsbench.tui.exporter import command_lines
from alsbench.tui.session import Choice, ScreenPlace, Session
from alsbench.tui.shell_command import view_request


def numbers(text: str) -> set[Any]:
    return {row["stat"] for row in json.loads(text)["results"]}


async def test_evidence_and_forest(here: Path, tui: Any) -> None:
    async with tui.run(here) as pilot:
        for key in ("1", "5"):
            await tui.press(pilot, key)
            view = pilot.app.view
            stats = numbers(tui.shell(pilot.app.exporter.shell_command(), here, "--format", "json"))
            shown = 0
            for row in view.full.sections[0].rows:
                for source in (*row.sources, row.source):
                    for cell in source if isinstance(source, tuple) else ():
                        if isinstance(cell, EvidenceCell):
                            assert {cell.estimate, cell.low, cell.high, cell.p} <= stats
                            shown += 1
            assert shown > 10


async def test_endpoint_with_options(here: Path, tui: Any) -> None:
    async with tui.run(here) as pilot:
        app = pilot.app
        await tui.press(pilot, "4")
        for line in ("", "endpoint alsfrs", "option covariance cs", "comparison G2-M12", "visit 6", "endpoint alsfrs_ancova"):
            await app.keys.run_line(line)
            await tui.settle(pilot)
            made = json.loads(tui.shell(app.exporter.shell_command(), here, "--format", "json"))
            seen = app.view.seen()
            assert made["question"] == json.loads(json.dumps(seen.question)), app.exporter.shell_command()
            cells = [s for section in app.view.full.sections for row in section.rows for s in row.sources if s]
            assert cells
            stats = {row["stat"] for row in made["results"]}
            for rows, _ in cells:
                assert all(r.stat in stats for r in rows)
            assert {r.stat for r in seen.rows} == stats  # what is exported: these numbers and no others


DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?![\w.]*\w)")


@pytest.mark.parametrize("endpoint", ["cafs", "alsfrs", "survival", "alsfrs_slope", "nfl"])
async def test_every_decimal_of_every_tab_is_printed_by_its_command(here: Path, tui: Any, endpoint: str) -> None:
    """Of the comparison that the command names and no other; but for the marks of an axis."""
    async with tui.run(here, size=(118, 60)) as pilot:  # one pane
        await tui.press(pilot, "4", f":endpoint {endpoint}")
        for tab in ("t", "p", "m"):
            text = await tui.press(pilot, tab)
            printed = tui.shell(pilot.app.exporter.shell_command(), here)
            lines = [line for line in text.split("\n")[1:-2] if "│" not in line and "axis from" not in line]
            if endpoint in {"cafs", "alsfrs_slope"} and tab == "p":
                lines = [re.sub(r"^.*[─■┼│] ", "", line) for line in text.split("\n") if "■" in line]
                assert len(lines) == 3  # overall, slow, not slow; one comparison
            found = {n for line in lines for n in DECIMAL.findall(line)}
            assert found <= set(DECIMAL.findall(printed))
            assert found or tab == "p"


@pytest.mark.parametrize("endpoint", ["survival", "nfl", "svc"])
async def test_ratios_have_the_decimals_of_their_page(here: Path, tui: Any, endpoint: str) -> None:
    """A hazard ratio to two decimals and a ratio of means to three, on every page and screen."""
    async with tui.run(here, size=(160, 45)) as pilot:
        text = await tui.press(pilot, "5", f":endpoint {endpoint}")
        intervals = re.findall(r"-?\d+\.\d+ \( *-?\d+\.\d+, +-?\d+\.\d+\)", text)
        assert len(intervals) > 5
        squeezed = re.sub(r"([(,]) +", r"\1", tui.shell(pilot.app.exporter.shell_command(), here))
        assert all(re.sub(r"([(,]) +", r"\1", i) in squeezed for i in intervals)


ADEX = "USUBJID STUDYID TRT01P TRT01A EXSEQ EXTRT EXDOSE EXDOSU EXROUTE ASTDT ASTDY"
COLUMNS = "".join(f" -c {c}" for c in ADEX.split())  # the subject first, as on the screen


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("2",), "alsbench arms"),
        (("2", "enter"), "alsbench data ADSL --where \"TRT01P == 'Placebo'\""),
        (("3",), "alsbench subgroup show slow"),
        (("7",), "alsbench safety --subgroup overall --subgroup slow"),
        (("8",), "alsbench data"),
        (("8", "j", "enter"), "alsbench data ADEX" + COLUMNS + " --limit 520"),
    ],
)
async def test_other_screens(here: Path, tui: Any, keys: tuple[str, ...], expected: str) -> None:
    import shlex

    async with tui.run(here) as pilot:
        await tui.press(pilot, *keys)
        line = pilot.app.exporter.shell_command()
        assert shlex.split(line) == shlex.split(expected)
        printed = tui.shell(line, here)
        model = pilot.app.view.table.model
        for row in range(min(len(model), 1 if keys == ("3",) else 5)):
            first = model.row(row)[0][0].strip().removeprefix("[x] ")
            if first and not model.heading(row):
                assert first in printed


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_long_command_is_shown_whole_in_lines_a_shell_joins_again(width: int) -> None:
    import shlex

    line = "alsbench endpoint svc --subgroup 'not slow and it'\"'\"'s more' --subgroup overall --model -w '/data/my trial/x'"
    found = command_lines(line, width)
    assert shlex.split("\n".join(found).replace("\\\n", "")) == shlex.split(line)
    assert all(len(part) <= width for part in found) or width < 45
    assert len(found) == 1 or width < 200


async def test_subject(here: Path, tui: Any) -> None:
    async with tui.run(here) as pilot:
        await tui.press(pilot, "2", "enter", "enter")
        line = pilot.app.exporter.shell_command()
        assert line.startswith("alsbench subject ALSDEMO-")
        assert line.split()[-1] in tui.shell(line, here)


def test_the_workspace_is_named_where_it_is_not_here() -> None:
    session = Session(choice=Choice("PP", ("slow",), "cafs", "G1-M6", 6.0), place=ScreenPlace("endpoint"))
    assert view_request(session, default_population="FAS").command("/data/my trial") == (
        "alsbench endpoint cafs --subgroup overall --subgroup slow --subgroup 'not slow' --population PP"
        " --comparison G1-M6 --visit 6 -w '/data/my trial'"
    )
    request = view_request(Session(place=ScreenPlace("scrutiny")), name="slow", check="balance")
    assert request.command() == "alsbench scrutinise --subgroup slow --check balance"


async def test_looks_and_exports_are_counted_once_and_as_the_shell_counts_them(here: Path, tui: Any) -> None:
    async with tui.run(here, audit=True) as pilot:
        await tui.press(pilot, "4", "p", "t", "1", "4")
        line = pilot.app.exporter.shell_command()
        seen = question_digest(pilot.app.view.seen().question, pilot.app.ready.source.study)
        pilot.app.exporter.export(str(here / "endpoint.csv"))
        await tui.settle(pilot)
    tui.shell(line, here)
    found = list(entries(here / "audit.jsonl"))[1:]  # after the load
    assert [e.action for e in found] == ["look", "look", "export", "look"]
    assert [e.facts["question"] for e in found[1:]] == [seen] * 3
    assert all(e.facts["post_hoc"] for e in found)
    assert verify(here / "audit.jsonl").intact


async def test_a_recorded_session_becomes_the_commands_of_its_views(here: Path, tui: Any) -> None:
    from alsbench.tui.session_log import SessionLog, recorded_views

    log = SessionLog(here / "session.jsonl", here)
    async with tui.run(here, log=log) as pilot:
        shown = [pilot.app.exporter.shell_command()]
        for keys in (("4",), ("right_curly_bracket",), ("p",), ("5",), ("2", "enter", "enter")):
            await tui.press(pilot, *keys)
            shown.append(pilot.app.exporter.shell_command())
    log.close()
    found = list(recorded_views(log.path)[1])
    tail = f" -w {here}"
    assert [line for line in found if line.removesuffix(tail) in shown] == [f"{line}{tail}" for line in dict.fromkeys(shown)]
    for line in found[:2]:
        assert "CAFS" in tui.shell(line, here)


async def test_opening_a_subject_is_entered_as_the_shell_enters_it(here: Path, tui: Any) -> None:
    async with tui.run(here, audit=True) as pilot:
        await tui.press(pilot, "2", "enter", "enter")
        line = pilot.app.exporter.shell_command()
        await tui.settle(pilot)
    tui.shell(line, here)
    found = [e for e in entries(here / "audit.jsonl") if e.action == "subject"]
    assert [e.facts["asked"].split(" -w ")[0].split(" --workspace ")[0] for e in found] == [line.split(" -w ")[0]] * 2


async def test_rows_of_a_table_are_entered_once_as_the_shell_enters_them(here: Path, tui: Any) -> None:
    async with tui.run(here, audit=True) as pilot:
        await tui.press(pilot, "8", "enter")
        line = pilot.app.exporter.shell_command()
        await tui.press(pilot, "escape", "enter")
        await tui.settle(pilot)
    tui.shell(line, here)
    found = [e.facts for e in entries(here / "audit.jsonl") if e.action == "data"]
    assert [(f["asked"].split(" -w ")[0].split(" --workspace ")[0], f["table"], f["where"]) for f in found] == [
        (line.split(" -w ")[0], line.split()[2], "")
    ] * 2
