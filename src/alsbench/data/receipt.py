"""A load receipt: what came in, what was found, what was stored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class FileReceipt:
    """One data set of one file. ``sha256`` is of the file; ``row_count_verifiable``: format or caller said how many."""

    name: str
    dataset: str
    rows: int
    columns: int
    sha256: str
    row_count_verifiable: bool
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleFinding:
    """One rule's verdict on one table: how many rows break it, and the first of them (1-based row numbers, load order)."""

    rule: str
    severity: Severity
    table: str
    what: str
    count: int = 1
    rows: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    hint: str = ""
    accepted: str = ""


@dataclass(frozen=True)
class Receipt:
    """The outcome of a load. ``snapshot`` and ``digest`` name what was published; ``passed`` are the rules without findings,
    ``not_applicable`` those that had no dates to compare, each with the reason.

    ``blinded`` is the fingerprint of the key where the arms are dummies, else empty; ``sha256`` is of the snapshot's file,
    which cannot hold it.
    """

    files: tuple[FileReceipt, ...]
    findings: tuple[RuleFinding, ...]
    passed: tuple[str, ...]
    snapshot: str
    digest: str
    data_cut: str | None = None
    blinded: str = ""
    not_applicable: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def rows(self) -> int:
        """All rows stored."""
        return sum(f.rows for f in self.files)

    def of_severity(self, severity: Severity) -> tuple[RuleFinding, ...]:
        """Findings of one severity, accepted ones included."""
        return tuple(f for f in self.findings if f.severity == severity)

    @property
    def accepted(self) -> dict[str, str]:
        """Rules whose errors were accepted, and the reasons given."""
        return {f.rule: f.accepted for f in self.findings if f.accepted}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def for_audit(self) -> dict[str, Any]:
        """What the audit log keeps: files by hash and number of rows, accepted rules; no row of data."""
        return {
            "snapshot": self.snapshot,
            "digest": self.digest,
            "sha256": self.sha256,
            "files": [{"name": f.name, "dataset": f.dataset, "rows": f.rows, "sha256": f.sha256} for f in self.files],
            "accepted": self.accepted,
        }
