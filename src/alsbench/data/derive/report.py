"""What a derivation did and what it set aside: findings for the receipt, and tables that travel with the data.

QUARANTINE lists, by file and row, every source record that was left out of the analysis data and why; QCREPORT counts
what was found; DERIVATIONS says how each derived table came about. The source files themselves are stored whole beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.tables import Values, build, number, text
from alsbench.data.receipt import RuleFinding, Severity
from alsbench.data.rules.core import SHOWN

QUARANTINE = "QUARANTINE"
DERIVATIONS = "DERIVATIONS"
QC = "QCREPORT"


@dataclass(frozen=True)
class SetAside:
    """A source record left out: file, 1-based row, subject, day, reason."""

    source: str
    row: int
    subject: str | None
    day: float
    reason: str


@dataclass
class DerivationReport:
    """Collects findings, records set aside and derivation steps while tables are made."""

    findings: list[RuleFinding] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    steps: list[tuple[str, str]] = field(default_factory=list)

    def step(self, table: str, how: str) -> None:
        """How part of a derived table came about."""
        self.steps.append((table, how))

    def given_windows(self, table: str, windows: Mapping[str, tuple[float, float]]) -> None:
        """Windows that the study gives instead of midpoints."""
        if windows:
            listed = ", ".join(f"{visit}: days {low:g} to {high:g}" for visit, (low, high) in windows.items())
            self.step(table, f"windows given by the study instead: {listed}")

    def found(
        self,
        rule: str,
        severity: Severity,
        table: str,
        what: str,
        rows: Values | Sequence[int],
        subjects: Iterable[object] = (),
    ) -> None:
        """A finding about source rows (1-based); nothing where there are none. ``{n}`` in ``what`` is their number."""
        if len(rows):
            keys = tuple(dict.fromkeys(str(s) for s in subjects if s is not None))[:SHOWN]
            first = tuple(int(r) for r in list(rows)[:SHOWN])
            self.findings.append(RuleFinding(rule, severity, table, what.format(n=len(rows)), len(rows), first, keys))

    def quarantine(self, source: str, rows: Values, subjects: Values, days: Values, reason: str) -> None:
        """Set source rows (1-based) aside."""
        for row, subject, day in zip(rows.tolist(), subjects.tolist(), days.tolist(), strict=True):
            self.aside.append(SetAside(source, int(row), subject, float(day), reason))

    def remarks(self, table: str) -> list[str]:
        """The steps of one table, for its line of the receipt."""
        return [how for name, how in self.steps if name == table]

    def tables(self) -> list[Dataset]:
        """DERIVATIONS; QCREPORT and QUARANTINE where there is anything to tell."""
        made = [
            build(
                DERIVATIONS,
                "How the analysis data were derived",
                (
                    text("TABLE", "Derived table", [t for t, _ in self.steps]),
                    text("HOW", "Rule applied", [h for _, h in self.steps]),
                ),
            ),
        ]
        if self.findings:
            made.append(
                build(
                    QC,
                    "What was found in the source data",
                    (
                        text("RULE", "Rule", [f.rule for f in self.findings]),
                        text("SEVERITY", "Severity", [f.severity for f in self.findings]),
                        text("SOURCE", "Source table", [f.table for f in self.findings]),
                        number("COUNT", "Number of records or subjects", np.array([f.count for f in self.findings])),
                        text("WHAT", "Finding", [f.what for f in self.findings]),
                        text("ROWS", "First rows in the source, from 1", [", ".join(map(str, f.rows)) for f in self.findings]),
                    ),
                )
            )
        if self.aside:
            made.append(
                build(
                    QUARANTINE,
                    "Source records left out of the analysis data",
                    (
                        text("SOURCE", "Source table", [a.source for a in self.aside]),
                        number("ROW", "Row in the source, from 1", np.array([a.row for a in self.aside])),
                        text("USUBJID", "Unique Subject Identifier", [a.subject for a in self.aside]),
                        number("ADY", "Day", np.array([a.day for a in self.aside])),
                        text("REASON", "Why it was left out", [a.reason for a in self.aside]),
                    ),
                    [f"{len(self.aside)} source records left out of the analysis data, with their reasons"],
                )
            )
        return made
