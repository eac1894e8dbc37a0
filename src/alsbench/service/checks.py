"""What the data rules find in a snapshot, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.data.checks import run_checks
from alsbench.data.workspace import Workspace
from alsbench.render.mask_counts import small
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.service.output import Output, sheets_output, study_fact

if TYPE_CHECKING:
    from alsbench.data.receipt import RuleFinding
    from alsbench.data.snapshot import Snapshot


def check(access: Access, *, mask: int = 0) -> Output:
    """Every data rule run again on the current snapshot. An error that stands and was not accepted is a negative verdict."""
    with Workspace(access.path).open_current() as snapshot:
        sheet, errors = findings_of(access, snapshot, access.mask(mask))
    return sheets_output(access, sheet, failed=errors > 0)


def findings_of(access: Access, snapshot: Snapshot, k: int) -> tuple[Sheet, int]:
    """What the rules find in a snapshot, masked below ``k``, and how many errors of it stand."""
    space = Workspace(access.path)
    checked = run_checks(snapshot, space.read_study() if space.study_path.exists() else None)
    accepted = dict(snapshot.receipt.get("allowed") or {})
    judged = tuple(replace(f, accepted=accepted.get(f.rule, "")) for f in checked.findings)
    errors = [f for f in judged if f.severity == "error" and not f.accepted]
    verdict = f"{len(checked.passed)} rules passed, {len({f.rule for f in judged})} with findings, {len(errors)} errors stand"
    facts = (
        *study_fact(access),
        ("Snapshot", snapshot.name),
        ("Verdict", verdict),
        *unfit_words(checked.not_applicable),
    )
    sheet = findings_sheet(judged)
    return replace(_masked(sheet, k) if k else sheet, title="Checks", facts=facts), len(errors)


def _masked(sheet: Sheet, k: int) -> Sheet:
    """The findings without what tells a single subject: how often below ``k``, in which rows, of whom."""
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


def unfit_words(not_applicable: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Checks that had no dates to compare, by reason."""
    reasons: dict[str, list[str]] = {}
    for text in not_applicable:
        rule, _, reason = text.partition(": ")
        reasons.setdefault(reason, []).append(rule)
    told = "; ".join(f"{', '.join(rules)} ({reason})" for reason, rules in reasons.items())
    return (("Not applicable", told),) if told else ()


def findings_sheet(findings: tuple[RuleFinding, ...]) -> Sheet:
    """What the checks found: rule, severity, where, how often, the first rows."""
    fields = (
        Field("rule", "Rule"),
        Field("severity", "Severity"),
        Field("table", "Table"),
        Field("count", "Count", number=True),
        Field("what", "What"),
        Field("rows", "First rows", optional=True),
        Field("keys", "First keys", optional=True),
        Field("accepted", "Accepted because", optional=True),
    )
    records = tuple(
        (
            f.rule,
            f.severity,
            f.table,
            f.count,
            f.what,
            ", ".join(str(r) for r in f.rows) or None,
            ", ".join(str(k) for k in f.keys) or None,
            f.accepted or None,
        )
        for f in findings
    )
    return Sheet("findings", "Findings", fields, records)
