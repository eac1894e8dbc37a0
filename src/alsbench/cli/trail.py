"""What the shell writes into the audit log: every load, every change of the study, every result shown or exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alsbench.cli.common import Common

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.data.receipt import Receipt


def looked(common: Common, result: Result, source: Source) -> None:
    """A result is about to be shown, or written to a file. The log keeps the question, never the answer."""
    from alsbench.analysis.looks import look_facts

    shown(common, "look", look_facts(result, source.study))


def shown(common: Common, action: str, facts: Mapping[str, Any]) -> None:
    """Enter that something is shown; a ``look`` that goes to a file is an ``export``."""
    where = {"format": common.format.value} | ({"file": common.output.name} if common.output is not None else {})
    record(common, "export" if action == "look" and common.output is not None else action, {**facts, **where})


def announce(common: Common, receipt: Receipt) -> None:
    """A snapshot of this name and digest is about to be published: whatever happens next, it has an entry."""
    from alsbench.audit.loads import ANNOUNCED

    record(common, ANNOUNCED, {"snapshot": receipt.snapshot, "digest": receipt.digest})


def record(common: Common, action: str, facts: Mapping[str, Any]) -> None:
    """Append one entry to the workspace's audit log."""
    from alsbench.audit.log import append
    from alsbench.data.workspace import Workspace

    append(Workspace(common.workspace).audit_path, action, facts)
