"""``alsbench check``: the data rules, run again on the current snapshot."""

from __future__ import annotations

import typer

from alsbench.cli.common import Common, command


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "check")(check)


def check(common: Common) -> int:
    """Run every data check on the current snapshot. Exits 1 if an error-level finding stands that was not accepted."""
    from alsbench.cli.load import findings_sheet
    from alsbench.cli.output import emit_sheets
    from alsbench.cli.source import study_words
    from alsbench.data.checks import run_checks
    from alsbench.data.workspace import Workspace

    space = Workspace(common.workspace)
    with space.open_current() as snapshot:
        findings, passed = run_checks(snapshot, space.read_study() if space.study_path.exists() else None)
        accepted = {f["rule"]: f["accepted"] for f in snapshot.receipt.get("findings", ()) if f.get("accepted")}
        name = snapshot.name
    from dataclasses import replace

    judged = tuple(replace(f, accepted=accepted.get(f.rule, "")) for f in findings)
    errors = [f for f in judged if f.severity == "error" and not f.accepted]
    verdict = f"{len(passed)} rules passed, {len({f.rule for f in judged})} with findings, {len(errors)} errors stand"
    emit_sheets(
        common,
        replace(
            findings_sheet(judged),
            title="Checks",
            facts=(*study_words(common.workspace), ("Snapshot", name), ("Verdict", verdict)),
        ),
    )
    return 1 if errors else 0
