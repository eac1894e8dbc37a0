"""Looks and exports of the app in the workspace's audit log: the question and where it came from, never the answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alsbench.analysis.looks import look_facts
from alsbench.analysis.result import Result
from alsbench.audit.held import Held
from alsbench.audit.log import append
from alsbench.study.model import Study


def record(path: Path, action: str, result: Result, study: Study, file: str = "", *, held: Held | None = None) -> None:
    """Append one entry, as the shell does. Raises UnavailableError where the log cannot be written."""
    facts: dict[str, Any] = {**look_facts(result, study), "format": "screen" if not file else Path(file).suffix.lstrip(".")}
    append(path, action, facts | ({"file": file} if file else {}), held=held)


def record_subject(path: Path, command: str, snapshot: str, *, held: Held | None = None) -> None:
    """Append that one subject's data were shown, as the shell does. Raises UnavailableError where the log cannot be written."""
    append(path, "subject", {"asked": command, "snapshot": snapshot, "format": "screen"}, held=held)


def record_claims(path: Path, file: str, sha256: str, names: Sequence[str], *, held: Held | None = None) -> None:
    """Append that claims were checked, as the shell does. Raises UnavailableError where the log cannot be written."""
    append(path, "claims", {"file": file, "sha256": sha256, "claims": list(names)}, held=held)


def record_rows(path: Path, command: str, table: str, where: str, snapshot: str, *, held: Held | None = None) -> None:
    """Append that rows of a table were shown, as the shell does. Raises UnavailableError where the log cannot be written."""
    append(
        path, "data", {"asked": command, "table": table, "where": where, "snapshot": snapshot, "format": "screen"}, held=held
    )
