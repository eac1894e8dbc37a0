"""Derived tables stored beside their sources, with a line of the receipt each that lists how they were derived."""

from __future__ import annotations

from collections.abc import Callable

from alsbench.data.derive.layout import Derived, derive
from alsbench.data.progress import Progress
from alsbench.data.publish import Builder
from alsbench.data.receipt import FileReceipt, Finding
from alsbench.study.model import Derive, Study

Told = Callable[[Derived], Study | None]


def store_derived(
    builder: Builder, layout: str | None, told: Told | None, progress: Progress | None, rules: Derive | None = None
) -> tuple[list[FileReceipt], tuple[Finding, ...], Study | None]:
    """Derive what the builder's data sets need by the study's ``rules`` and add it: receipts, findings, and the study that
    ``told`` answers with."""
    derived = derive([t.dataset for t in builder.tables], layout, rules)
    source = f"derived from {derived.layout.upper()}"
    receipts = []
    for dataset in derived.tables:
        stored = builder.add(dataset, source, progress)
        remarks = tuple(dataset.remarks)
        receipts.append(FileReceipt(source, dataset.name, stored.rows, len(dataset.columns), stored.sha256, True, remarks))
    return receipts, derived.findings, told(derived) if told is not None and derived.tables else None
