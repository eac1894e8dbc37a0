"""What is entered in the audit log: every load, every change of the study, every result shown or exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alsbench.analysis.looks import look_facts
from alsbench.audit.log import ANNOUNCED, LOADED, append
from alsbench.data.workspace import Workspace
from alsbench.errors import AlsbenchError, PublishedError
from alsbench.service.access import Access
from alsbench.study.study_file import study_digest

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.data.receipt import Receipt
    from alsbench.study.model import Study


def log_result(access: Access, result: Result, study: Study) -> Result:
    """Enter that a result is about to be shown, or written to a file: its question, never the answer. The result with the
    command that repeats it."""
    told = result.with_command(access.repeat(result.provenance.command))
    log_look(access, told, study)
    return told


def log_look(access: Access, result: Result, study: Study) -> None:
    """As :func:`log_result`, of a result that has its command."""
    log_shown(access, "look", look_facts(result, study))


def log_shown(access: Access, action: str, facts: Mapping[str, Any]) -> None:
    """Enter that something is shown, and which cluster its arrays were sent to; a ``look`` that goes to a file is an
    ``export``."""
    sent = {"cluster": access.compute.said} if access.compute.said else {}
    exported = action == "look" and "file" in access.destination
    log_entry(access, "export" if exported else action, {**facts, **access.destination, **sent})


class Load:
    """A load in the log: announced before it is published, so that whatever happens next the snapshot has an entry, and entered
    when it is done."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.receipt: Receipt | None = None

    def announce(self, receipt: Receipt) -> None:
        """A snapshot of this name and digest is about to be published."""
        facts = {"snapshot": receipt.snapshot, "digest": receipt.digest, "sha256": receipt.sha256}
        log_entry(self.access, ANNOUNCED, facts)
        self.receipt = receipt

    def enter(self, load: Callable[[], Receipt], more: Callable[[], Mapping[str, Any]] = dict) -> Receipt:
        """Load and enter it, with ``more`` facts. What is published is entered, and said, even where what follows fails."""
        try:
            receipt = load()
        except PublishedError:
            if self.receipt is not None:
                self._done(self.receipt, more())
            raise
        self._done(receipt, more())
        return receipt

    def _done(self, receipt: Receipt, more: Mapping[str, Any]) -> None:
        try:
            log_entry(self.access, LOADED, {**receipt.for_audit(), **more})
        except AlsbenchError as fault:
            what = f"snapshot {receipt.snapshot} is published and current, but could not be entered as loaded: {fault.what}"
            raise PublishedError(what, where=fault.where, why=fault.why, hint=fault.hint) from fault


def study_facts(access: Access) -> dict[str, str]:
    """The digest of the study file as it now is, for the entries that change it; nothing where there is none."""
    space = Workspace(access.path)
    return {"study": study_digest(space.read_study())} if space.study_path.exists() else {}


def log_entry(access: Access, action: str, facts: Mapping[str, Any]) -> None:
    """Append one entry to the workspace's audit log."""
    append(Workspace(access.path).audit_path, action, facts, held=access.held)
