"""Looks and exports of the app in the workspace's audit log: the question and where it came from, never the answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alsbench.analysis.looks import look_facts
from alsbench.analysis.result import Result
from alsbench.audit.log import append


def question_digest(question: Mapping[str, Any]) -> str:
    """SHA-256 of a question as results carry it, as the shell computes it: equal questions are one look."""
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def record(path: Path, action: str, result: Result, file: str = "") -> None:
    """Append one entry. Raises UnavailableError where the log cannot be written."""
    origin = result.provenance
    facts: dict[str, Any] = {
        "question": question_digest(result.question),
        "asked": origin.command,
        "post_hoc": origin.post_hoc,
        "snapshot": origin.snapshot,
        "study": origin.study,
        "format": "screen" if not file else Path(file).suffix.lstrip("."),
        **look_facts(result),
    }
    append(path, action, facts | ({"file": file} if file else {}))


def record_subject(path: Path, command: str, snapshot: str) -> None:
    """Append that one subject's data were shown, as the shell does. Raises UnavailableError where the log cannot be written."""
    append(path, "subject", {"asked": command, "snapshot": snapshot, "format": "screen"})
