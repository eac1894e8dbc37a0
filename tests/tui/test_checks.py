"""The Scrutiny screen, and what the Log says of claims that were checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any


async def to(pilot: Any, tui: Any, check: str) -> str:
    """Go down to a check, and what the screen then shows."""
    for _ in range(len(pilot.app.view.table.model)):
        if pilot.app.view.source().id == check:
            return str(tui.text(pilot.app))
        await tui.press(pilot, "j")
    raise AssertionError(f"{check} is not in the list")


def sources(app: Any) -> list[Any]:
    """The checks of the list in its order, None for each heading."""
    model = app.view.table.model
    return [model.source(k, 0) for k in range(len(model))]


async def test_a_check_is_computed_when_asked_for_and_says_its_verdict(workspace: Path, tui: Any) -> None:
    from alsbench.analysis.scrutiny import ALL, run_check, verdict

    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "6")
        listed = [check for check in sources(app) if check is not None]
        assert sorted(c.number for c in listed) == [c.number for c in ALL]
        assert all("enter computes" in app.view.full.text(k, 3) for k, c in enumerate(sources(app)) if c is not None)
        assert not app.view.exported_results()
        await to(pilot, tui, "balance")
        text = await tui.press(pilot, "enter")
        expected = run_check("balance", app.opened.source, "slow", endpoint=app.session.choice.endpoint)
        assert app.view.exported_results() == (expected,)
        assert "Baseline balance" in text.splitlines()[0]
        text = await tui.press(pilot, "escape")
        assert verdict(expected).split("; ")[0].removeprefix("G1-M6: ")[:20] in text  # the chosen comparison's own
        assert app.exporter.shell_command().startswith("alsbench scrutinise --subgroup slow --endpoint cafs --check balance")


async def test_the_list_is_headed_by_the_bottom_line_and_grouped_by_what_is_asked(workspace: Path, tui: Any) -> None:
    """The groups of TUI.md in their order, each check once; the cursor does not stand on a heading."""
    from alsbench.analysis.scrutiny import CHECKS

    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "6")
        model, found = app.view.table.model, sources(app)
        assert found[0].id == "bottom_line"
        heads = [model.text(k, 0) for k in range(len(model)) if model.heading(k)]
        assert [h.lower() for h in heads] == ["selection", "robustness", "plausibility", "design"]
        assert sorted(c.number for c in found[1:] if c is not None) == sorted(c.number for c in CHECKS)
        seen = []
        for _ in range(len(CHECKS) + 1):
            seen.append(app.view.source())
            await tui.press(pilot, "j")
        assert None not in seen and len(set(seen)) == len(CHECKS) + 1


def test_no_title_of_the_narrow_list_is_longer_than_what_stays_in_view() -> None:
    """Sign, number and gaps take 7 of 80 columns, and what stays in view ends at the half: titles are never cut."""
    from alsbench.analysis.scrutiny import ALL

    assert [c.short for c in ALL if len(c.short) > 80 // 2 - 7] == []


async def test_a_check_says_in_one_sign_what_it_weighs_for_the_chosen_comparison(workspace: Path, tui: Any) -> None:
    """The sign is the rule's own; the clause of the chosen comparison stands first, also after another is chosen."""
    from alsbench.analysis.judgement import limits_of
    from alsbench.analysis.scrutiny import find_check, run_check, verdict
    from alsbench.analysis.scrutiny.speaks import speaks
    from alsbench.tui.screens.scrutiny import SIGNS

    async with tui.run(workspace, size=(160, 45)) as pilot:
        app = pilot.app
        await tui.press(pilot, "6")
        await to(pilot, tui, "rerandomisation")
        await tui.press(pilot, "enter")
        await tui.press(pilot, "escape")
        study = app.opened.source.study
        result = run_check("rerandomisation", app.opened.source, "slow", endpoint=app.session.choice.endpoint)
        names = [c.name for c in study.comparisons]
        assert len(names) > 1
        first = set()
        for _ in names:
            chosen = next(c for c in study.comparisons if c.name == app.session.choice.comparison)
            sign = SIGNS[speaks(find_check("rerandomisation"), result, chosen, limits_of(study))]
            row = app.view.table.cursor_row
            assert app.view.full.text(row, 0).strip() == sign
            clause = next(c for c in verdict(result).split("; ") if c.startswith(f"{chosen.name}: "))
            assert app.view.full.text(row, 3).strip() == clause.removeprefix(f"{chosen.name}: ")
            first.add(chosen.name)
            await tui.press(pilot, "]")
        assert first == set(names)


async def test_beside_the_list_stands_the_check_under_the_cursor(workspace: Path, tui: Any) -> None:
    """Its whole title, what it says of every comparison, its facts; below 120 columns the list has the width."""
    from alsbench.analysis.scrutiny import find_check

    async with tui.run(workspace, size=(160, 45)) as pilot:
        app = pilot.app
        await tui.press(pilot, "6")
        await to(pilot, tui, "balance")
        await tui.press(pilot, "enter")
        text = await tui.press(pilot, "escape")
        beside = " ".join(" ".join(line[100:].split()) for line in text.splitlines())
        assert find_check("balance").title in " ".join(beside.split())
        assert "enter opens its tables" in beside
        for name, _ in app.view.known(find_check("balance")).facts.lines[1:3]:
            assert " ".join(name.split()) in beside
        await pilot.resize_terminal(80, 24)
        await tui.settle(pilot)
        assert "enter opens its tables" not in tui.text(app)


async def test_what_runs_and_what_waits_are_told_apart(own_workspace: Path, tui: Any) -> None:
    """All checks asked for: one runs, those after it are queued; cancelled, none is either."""
    from alsbench.tui.screens.scrutiny import QUEUED, RUNNING

    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "6")
        tui.strike(app, "A")
        while not any(row.endswith(RUNNING) for row in tui.text(app).splitlines()):
            await pilot.pause(0.02)
        states = [app.view.state(c) for c in sources(app) if c is not None]
        assert states.count(RUNNING) == 1 and states.count(QUEUED) >= len(states) // 2
        assert any(row.endswith(QUEUED) for row in tui.text(app).splitlines())
        await tui.press(pilot, "ctrl+c")
        assert not any(app.view.state(c) for c in sources(app) if c is not None)


async def test_a_kept_bottom_line_is_shown_without_being_asked_for(own_workspace: Path, tui: Any) -> None:
    """The shell judged before: the screen shows its answer and enters the look; nothing is computed."""
    from tests.shell import run_here

    words = ["scrutinise", "--subgroup", "slow", "--endpoint", "cafs", "--check", "bottom_line", "-w", own_workspace, "-q"]
    assert run_here(words).code == 0
    async with tui.run(own_workspace, kept=True) as pilot:
        text = await tui.press(pilot, "6")
        assert any("bottom line" in line.lower() and "enter computes" not in line for line in text.splitlines()[1:6])
        assert [r.endpoint for result in pilot.app.view.exported_results() for r in result.rows[:1]] == ["cafs"]


async def test_the_log_names_the_claims_that_were_checked(own_workspace: Path, tui: Any) -> None:
    from alsbench.audit.log import append

    append(own_workspace / "audit.jsonl", "claims", {"file": "release.toml", "sha256": "0" * 64, "claims": ["cafs", "nfl-4"]})
    async with tui.run(own_workspace) as pilot:
        text = await tui.press(pilot, "9")
        assert "release.toml: cafs, nfl-4" in text
        assert '"nfl-4"' in await tui.press(pilot, "enter")


async def test_a_log_that_is_gone_is_not_called_intact(own_workspace: Path, tui: Any) -> None:
    """The chip on every screen and the title of the Log say the same."""
    (own_workspace / "audit.jsonl").unlink()
    async with tui.run(own_workspace, size=(120, 40)) as pilot:
        text = await tui.press(pilot, "9")
        assert "LOG DOES NOT VERIFY" in text.splitlines()[0]
        assert "intact" not in text and "0 audit entries, the audit log does not verify" in text
