"""``alsbench check``: the data rules, run again on the current snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.masking import MaskOption

if TYPE_CHECKING:
    from alsbench.data.snapshot import Snapshot
    from alsbench.render.sheet import Sheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "check")(check)


def check(common: Common, mask: MaskOption = 0) -> int:
    """Run every data check on the current snapshot. Exits 1 if an error-level finding stands that was not accepted."""
    from alsbench.cli.masking import limit
    from alsbench.cli.output import emit_sheets
    from alsbench.data.workspace import Workspace

    with Workspace(common.workspace).open_current() as snapshot:
        sheet, errors = findings_of(common, snapshot, limit(common, mask))
    emit_sheets(common, sheet)
    return 1 if errors else 0


def findings_of(common: Common, snapshot: Snapshot, k: int) -> tuple[Sheet, int]:
    """What the rules find in a snapshot, masked below ``k``, and how many errors of it stand."""
    from dataclasses import replace

    from alsbench.cli.load import findings_sheet, unfit_words
    from alsbench.cli.source import study_words
    from alsbench.data.checks import run_checks
    from alsbench.data.workspace import Workspace

    space = Workspace(common.workspace)
    checked = run_checks(snapshot, space.read_study() if space.study_path.exists() else None)
    accepted = dict(snapshot.receipt.get("allowed") or {})
    judged = tuple(replace(f, accepted=accepted.get(f.rule, "")) for f in checked.findings)
    errors = [f for f in judged if f.severity == "error" and not f.accepted]
    verdict = f"{len(checked.passed)} rules passed, {len({f.rule for f in judged})} with findings, {len(errors)} errors stand"
    facts = (
        *study_words(common.workspace),
        ("Snapshot", snapshot.name),
        ("Verdict", verdict),
        *unfit_words(checked.not_applicable),
    )
    sheet = findings_sheet(judged)
    return replace(_masked(sheet, k) if k else sheet, title="Checks", facts=facts), len(errors)


def _masked(sheet: Sheet, k: int) -> Sheet:
    """The findings without what tells a single subject: how often below ``k``, in which rows, of whom."""
    from dataclasses import replace

    from alsbench.render.mask_counts import small

    hidden = {"what", "rows", "keys"}
    keys = [f.key for f in sheet.fields]
    records = tuple(
        tuple(
            None if key in hidden else small(value, k) if key == "count" and isinstance(value, int) else value
            for key, value in zip(keys, record, strict=True)
        )
        for record in sheet.records
    )
    return replace(sheet, records=records, notes=(*sheet.notes, f"counts below {k}, rows and keys are masked"))
