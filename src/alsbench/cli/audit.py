"""``alsbench audit``: the log of loads, looks and changes, and whether its chain holds."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show
from alsbench.errors import UsageError


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
    from alsbench.service import audit_log  # waits: duckdb, numpy

    part = Part.VERIFY if only_verify else part
    if reason and part is not Part.EXPLAIN:
        raise UsageError("--reason is the reason of an explanation", where="--reason", hint="alsbench audit explain")
    match part:
        case Part.LOG:
            made = audit_log.log(common.access, head=head)
        case Part.LOOKS:
            made = audit_log.looks_seen(common.access, head=head)
        case Part.VERIFY:
            made = audit_log.verify(common.access, head=head, answers=answers)
        case Part.EXPLAIN:
            made = audit_log.explain_break(common.access, reason, head=head)
    return show(common, made)
