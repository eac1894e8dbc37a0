"""What was loaded, planned and looked at: ``alsbench snapshots``, ``diff``, ``audit``, ``lock``, ``unblind``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.output import show
from alsbench.cli.start import accepted_rules
from alsbench.errors import UsageError

commands = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@command(commands, "snapshots")
def snapshots(
    common: Common,
    prune: Annotated[
        int | None,
        typer.Option(
            "--prune",
            metavar="KEEP",
            min=1,
            help="Remove all but the newest KEEP; never the current one. Entered in the audit log.",
        ),
    ] = None,
) -> int:
    """Published snapshots, oldest first; the current one is marked."""
    from alsbench.service.snapshots import snapshots as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, prune=prune))


@command(commands, "diff")
def diff(
    common: Common,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A snapshot: its name, the beginning of it, current or previous.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another; default: current.")] = "current",
    results: Annotated[
        bool, typer.Option("--results/--no-results", help="Ask the study's contrasts of both and list those that changed.")
    ] = True,
    records: Annotated[
        int, typer.Option("--records", metavar="N", min=0, help="How many records of each kind and table are listed.")
    ] = 20,
    why: Annotated[bool, typer.Option("--why/--no-why", help="Look for the records that account for changed results.")] = False,
    budget: Annotated[
        int, typer.Option("--budget", metavar="N", min=0, help="Analyses at most for each endpoint of --why; 0: 400.")
    ] = 0,
    mask: MaskOption = 0,
) -> int:
    """Records added, removed and changed between two snapshots, by key, and which results changed; 1 where they differ.

    Each difference has a class, worst first; differences that rounding in the computer makes are one line, "noise", and no
    verdict, and neither are values that one side holds rounded.
    The study as it stands is asked of both: every endpoint with a contrast, overall and in every subgroup and complement.
    With --why the records are sought that account for the changed contrasts of an endpoint, in the first subgroup where any did
    change: a set of which none can be left out; another may exist.
    Two snapshots beside each other tell of single records: under a mask they are not compared.
    """
    from alsbench.service.snapshots import diff as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, old, new, results=results, records=records, mask=mask, why=why, budget=budget))


class Part(str, Enum):  # noqa: UP042  StrEnum would change what typer prints
    """What of the log is shown."""

    LOG = "log"
    LOOKS = "looks"
    VERIFY = "verify"
    EXPLAIN = "explain"


@command(commands, "audit")
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


@command(commands, "lock")
def lock(
    common: Common,
    show_plan: Annotated[bool, typer.Option("--show", help="Show the locked plan.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare study.toml, lock file and audit log with it.")] = False,
) -> int:
    """Lock the analysis plan: endpoints, comparisons, pre-specified subgroups, populations, arms, visits, multiplicity.

    Done once. What is added afterwards is post hoc and what is edited a deviation, wherever it is shown. --verify exits 1
    where anything departs from the plan. Note the head of the log that it prints outside the workspace: only who has it
    finds out that log and lock were rewritten together.
    """
    from alsbench.service import lock as service  # waits: pydantic

    if show_plan and verify:
        raise UsageError("--show and --verify are two questions", hint="ask one of them")
    asked = service.locked_plan if show_plan else service.departures if verify else service.lock
    return show(common, asked(common.access))


@command(commands, "unblind")
def unblind(
    common: Common,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The key written by load --blinded.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why the blind is lifted; kept in the log.")],
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="RULE=REASON", help="Let errors of this check stand, for a reason; repeats."),
    ] = None,
) -> int:
    """Publish the current data under their real arms. It is logged and cannot be taken back."""
    from alsbench.service.unblinding import unblind as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, key, reason, accepted_rules(accept or (), "")))
