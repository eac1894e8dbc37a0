"""What the app enters in the audit log of the workspace: results looked at and exported, subjects, tables and claims shown.

The entries are the service's, as of the shell: the question and where it came from, never the answer. They are written off the
interface thread; each question, table and file of claims counts once while a snapshot and study are open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.tui.host import Host

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.service.access import Access


class AccessLog:
    """Enters what is looked at on one workspace."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.counted: set[str] = set()  # what was entered since the workspace was opened

    def look(self, result: Result) -> None:
        """A result is on the screen."""
        from alsbench.analysis.looks import question_digest  # waits: pydantic
        from alsbench.service.trail import log_look  # waits: pydantic

        source = self.host.ready.source
        if self._first(question_digest(result.question, source.study)):
            self._enter(lambda access: log_look(access, result, source.study))

    def export(self, result: Result, file: str) -> None:
        """A result was written to a file."""
        from alsbench.service.trail import log_look  # waits: pydantic

        source, destination = self.host.ready.source, {"format": Path(file).suffix.lstrip("."), "file": file}
        self._enter(lambda access: log_look(access, result, source.study), destination)

    def subject(self, command: str) -> None:
        """One subject's data are on the screen: the command that shows them, not what it shows."""
        from alsbench.service.trail import log_shown  # waits: pydantic

        facts = {"asked": command, "snapshot": self.host.session.snapshot}
        self._enter(lambda access: log_shown(access, "subject", facts))

    def rows(self, command: str, table: str, where: str) -> None:
        """Rows of a table are on the screen."""
        from alsbench.service.trail import log_shown  # waits: pydantic

        facts = {"asked": command, "table": table, "where": where, "snapshot": self.host.session.snapshot}
        if self._first(command):
            self._enter(lambda access: log_shown(access, "data", facts))

    def claims(self, file: Path, names: Sequence[str]) -> None:
        """Claims were checked."""
        from alsbench.service.trail import log_entry  # waits: pydantic

        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        facts = {"file": file.name, "sha256": digest, "claims": list(names)}
        if self._first(digest):
            self._enter(lambda access: log_entry(access, "claims", facts))

    def _first(self, key: str) -> bool:
        """Whether this was not entered yet, and is to be."""
        if not self.host.audit or key in self.counted:
            return False
        self.counted.add(key)
        return True

    def _enter(self, entry: Callable[[Access], None], destination: dict[str, str] | None = None) -> None:
        """Write an entry in a worker."""
        host = self.host
        if host.audit:
            access = replace(host.ready.access, destination=destination) if destination else host.ready.access
            host.jobs.start(f"audit-{host.jobs.started}", "", lambda _: entry(access))
