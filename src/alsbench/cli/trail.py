"""What the shell writes into the audit log: every load, every change of the study, every result shown or exported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alsbench.cli.common import Common

if TYPE_CHECKING:
    from alsbench.analysis.result import Result


def looked(common: Common, result: Result) -> None:
    """A result is about to be shown, or written to a file. The log keeps the question, never the answer."""
    from alsbench.analysis.looks import look_facts

    origin = result.provenance
    facts = {
        "question": question_digest(result.question),
        "asked": origin.command,
        "post_hoc": origin.post_hoc,
        "snapshot": origin.snapshot,
        "study": origin.study,
        "format": common.format.value,
        **look_facts(result),
    }
    if common.output is not None:
        facts["file"] = common.output.name
    record(common, "look" if common.output is None else "export", facts)


def question_digest(question: Mapping[str, Any]) -> str:
    """SHA-256 of a question as results carry it: equal questions are one look, however often they are asked."""
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def record(common: Common, action: str, facts: Mapping[str, Any]) -> None:
    """Append one entry to the workspace's audit log."""
    from alsbench.audit.log import append
    from alsbench.data.workspace import Workspace

    append(Workspace(common.workspace).audit_path, action, facts)
