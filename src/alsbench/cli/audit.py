"""``alsbench audit``: the log of loads, looks and changes, and whether its chain holds."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsbench.cli.common import Common, command

if TYPE_CHECKING:
    from alsbench.audit.loads import Odd
    from alsbench.audit.log import Verdict
    from alsbench.cli.audit_verify import Checked
    from alsbench.render.sheet import Sheet


class Part(str, Enum):  # noqa: UP042  StrEnum would change what typer prints
    """What of the log is shown."""

    LOG = "log"
    LOOKS = "looks"
    VERIFY = "verify"
    EXPLAIN = "explain"


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "audit")(audit)


def audit(
    common: Common,
    part: Annotated[
        Part,
        typer.Argument(
            help="log: every entry; looks: distinct questions seen; verify: the log and all it refers to, computed again; "
            "explain: enter why the chain is broken."
        ),
    ] = Part.LOG,
    head: Annotated[
        str, typer.Option("--head", metavar="HASH", help="A hash noted earlier: it must still be in the log.")
    ] = "",
    only_verify: Annotated[bool, typer.Option("--verify", help="As `audit verify`.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="With explain: why the chain is broken.")] = "",
    answers: Annotated[
        bool, typer.Option("--answers/--no-answers", help="With verify: compute every kept answer again, which takes its time.")
    ] = True,
) -> int:
    """Show the audit log and verify its hash chain. Exits 1 if an entry was changed, removed or moved, explained or not.

    `audit verify` computes again what the log refers to: every table of every snapshot and the bytes of its file, the locked
    plan, study and claims as last entered, and kept answers. It exits 1 where something is not as the log says, and names it.
    `audit explain --reason TEXT` enters why the chain is broken: results then say so instead of that the log does not verify.
    """
    from alsbench.audit.loads import odd_snapshots
    from alsbench.audit.log import verify
    from alsbench.cli.audit_verify import check_all
    from alsbench.cli.output import emit_sheets
    from alsbench.data.workspace import Workspace
    from alsbench.errors import UnavailableError, UsageError

    path = Workspace(common.workspace).audit_path
    if not path.exists():
        raise UnavailableError("there is no audit log here", where=str(path), hint="it begins with the first load")
    part = Part.VERIFY if only_verify else part
    if reason and part is not Part.EXPLAIN:
        raise UsageError("--reason is the reason of an explanation", where="--reason", hint="alsbench audit explain")
    if part is Part.EXPLAIN:
        _explain(common, path, reason)
        part = Part.VERIFY
        answers = False
    verdict = verify(path, head or None)
    odd = odd_snapshots(path, Workspace(common.workspace).snapshot_names())
    broken = [] if verdict.intact else [_faults(verdict)]
    if part is Part.VERIFY:
        checked = check_all(common, answers=answers)
        said = _verdict(verdict, odd, checked)
        told = replace(said, fields=(), records=()) if common.format.printed else said  # the facts say it
        emit_sheets(common, told, *broken, *([_odd(odd)] if odd else []), *([checked.sheet()] if checked.faults else []))
        failed = bool(checked.faults) or any(each.fault for each in odd)
    else:
        shown = [_entries(path, verdict)] if part is Part.LOG else _looks(path, verdict, printed=common.format.printed)
        emit_sheets(common, *broken, *shown)
        failed = False
    for each in odd:
        common.note(f"snapshot {each.snapshot} {each.words()}")
    return 1 if failed or broken else 0


def _explain(common: Common, path: Path, reason: str) -> None:
    """Enter why the chain is broken."""
    from alsbench.audit.log import explain

    entered = explain(path, reason, held=common.held)
    common.note(f"entry {entered.number} explains the break at line {entered.facts['line']}; every result says so from now on")


def _facts(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """Entries, chain and head; of a broken chain what results say of it."""
    from alsbench.render.standing import LOG_FACT

    chain = "intact" if verdict.intact else f"BROKEN: {len(verdict.faults)} faults"
    if verdict.covered:
        chain += f", {verdict.covered} of them explained"
    said = (("Entries", str(verdict.entries)), ("Chain", chain), ("Head", verdict.head))
    return said if verdict.intact else (*said, (LOG_FACT, "; ".join(verdict.words())))


def _faults(verdict: Verdict) -> Sheet:
    from alsbench.render.sheet import Field, Sheet

    fields = (Field("line", "Line", number=True), Field("fault", "Fault"), Field("explained", "Explained", optional=True))
    reasons: list[str | None] = [e.reason for e in verdict.explanations for _ in range(e.faults)]
    reasons += [None] * (len(verdict.faults) - len(reasons))
    records = tuple((line, fault, reason) for (line, fault), reason in zip(verdict.faults, reasons, strict=True))
    return Sheet("faults", "Faults of the audit log", fields, records, _facts(verdict))


def _verdict(verdict: Verdict, odd: tuple[Odd, ...], checked: Checked) -> Sheet:
    from alsbench.render.sheet import Field, Sheet

    fields = (Field("entries", "Entries", number=True), Field("intact", "Intact"), Field("head", "Head"))
    faults = sum(each.fault for each in odd)
    said = ("Snapshots", f"{faults} at odds with the log" if faults else "each has its entry")
    intact = verdict.intact and not faults and not checked.faults
    records = ((verdict.entries, intact, verdict.head),)
    return Sheet("verdict", "Audit log", fields, records, (*_facts(verdict), said, *checked.facts))


def _odd(odd: tuple[Odd, ...]) -> Sheet:
    """Snapshots that the log does not account for."""
    from alsbench.render.sheet import Field, Sheet

    fields = (Field("snapshot", "Snapshot"), Field("state", "State"), Field("what", "What", prose=True))
    return Sheet("snapshots", "Snapshots and the log", fields, tuple((o.snapshot, o.state, o.words()) for o in odd))


def _entries(path: Path, verdict: Verdict) -> Sheet:
    from alsbench.audit.log import entries
    from alsbench.render.sheet import Field, Sheet

    fields = (
        Field("number", "No.", number=True),
        Field("time", "Time (UTC)", time=True),
        Field("who", "Who"),
        Field("action", "Action"),
        Field("hash", "Hash"),
        Field("what", "What"),
        Field("reason", "Reason", optional=True),
    )
    records = tuple(
        (e.number, e.time, e.who, e.action, e.hash[:12], _what(dict(e.facts)), _reason(dict(e.facts)))
        for e in entries(path, strict=False)
    )
    return Sheet("audit", "Audit log", fields, records, _facts(verdict))


def _what(facts: dict[str, object]) -> str:
    """The telling part of an entry: the command asked, the snapshot loaded, the subgroup changed."""
    for key in ("asked", "snapshot", "name"):
        if facts.get(key):
            return str(facts[key])
    return ""


def _reason(facts: dict[str, Any]) -> str | None:
    """Why: of an unblinding, and of every rule whose errors were accepted."""
    accepted = [f"{rule}: {reason}" for rule, reason in (facts.get("accepted") or {}).items()]
    return "; ".join([*([str(facts["reason"])] if facts.get("reason") else []), *accepted]) or None


def _looks(path: Path, verdict: Verdict, *, printed: bool) -> tuple[Sheet, Sheet]:
    """Questions, then the distinct contrasts whose p-values they showed. In print without what is the same in every line, and
    without what only a script compares, so that a page of 80 columns holds it."""
    from alsbench.audit.log import looks
    from alsbench.audit.looks import contrasts_seen
    from alsbench.render.sheet import Field, Sheet

    fields = (
        Field("what", "Question", prose=True),
        Field("times", "Times", number=True),
        Field("who", "Who"),
        Field("post_hoc", "Post\nhoc"),
        Field("first", "First (UTC)"),
        Field("last", "Last (UTC)"),
        Field("asked", "Asked first"),
        Field("question", "Digest"),
    )
    found = looks(path)
    records = tuple((k.what, k.times, ", ".join(k.who), k.post_hoc, k.first, k.last, k.asked, k.question[:12]) for k in found)
    tests = contrasts_seen(path)
    counted = (
        ("Distinct questions", str(len(found))),
        ("Post hoc", str(sum(k.post_hoc for k in found))),
        ("Distinct contrasts with a p-value", str(len(tests))),
        ("At 0.05, by chance alone", f"about {0.05 * len(tests):.1f} of them below it if nothing were there"),
    )
    seen = tuple((s.contrast, s.times, s.snapshots, ", ".join(s.who), s.blinded, s.first, s.last) for s in tests)
    about = (
        Field("contrast", "Contrast", prose=True),
        Field("times", "Times", number=True),
        Field("snapshots", "Snap-\nshots", number=True),
        Field("who", "Who"),
        Field("blinded", "Blinded"),
        Field("first", "First (UTC)"),
        Field("last", "Last (UTC)"),
    )
    ledger = Sheet("looks", "Looks: the multiplicity ledger", fields, records, (*counted, *_facts(verdict)))
    contrasts = Sheet("contrasts", "Contrasts seen", about, seen)
    if not printed:
        return ledger, contrasts
    several, blinded = any(s.snapshots > 1 for s in tests), any(s.blinded for s in tests)
    kept = {"contrast", "times", "who", "first", *(["snapshots"] if several else []), *(["blinded"] if blinded else [])}
    note = (
        "a question counts once, however often and in whichever table it was answered; --format csv and json have more columns"
    )
    return (
        replace(_columns(ledger, {"what", "times", "who", "post_hoc", "first"}), notes=(note,)),
        _columns(contrasts, kept),
    )


def _columns(sheet: Sheet, kept: set[str]) -> Sheet:
    """Some columns of a sheet, times to the minute."""
    at = [i for i, f in enumerate(sheet.fields) if f.key in kept]
    times = {i for i, f in enumerate(sheet.fields) if f.key == "first"}
    records = tuple(tuple(str(r[i])[:16].replace("T", " ") if i in times else r[i] for i in at) for r in sheet.records)
    return replace(sheet, fields=tuple(sheet.fields[i] for i in at), records=records)
