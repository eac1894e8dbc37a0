"""Which data have to be derived from, and the derivation: PRO-ACT files, or analysis data taken as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from alsbench.data.dataset import Dataset
from alsbench.data.receipt import Finding
from alsbench.errors import DataError, UsageError
from alsbench.study.names import nearest

Layout = Literal["adam", "proact"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SUBJECTS = "ADSL"


@dataclass(frozen=True)
class Derived:
    """Tables to store beside the source files. Their ``remarks`` list the derivations; ``study`` is a proposed study file."""

    layout: Layout
    tables: tuple[Dataset, ...] = ()
    findings: tuple[Finding, ...] = ()
    study: str = ""


def layout_of(datasets: Sequence[Dataset]) -> Layout:
    """What the names and columns of data sets say. Data with a subject-level analysis data set are taken as they are."""
    from alsbench.data.derive.proact_tables import looks_like_proact

    if any(d.name == SUBJECTS for d in datasets):
        return "adam"
    return "proact" if looks_like_proact(datasets) else "adam"


def derive(datasets: Sequence[Dataset], layout: str | None = None) -> Derived:
    """Analysis data from data sets; none where they are analysis data. ``layout`` overrides what the data look like.

    Raises UsageError for an unknown layout, DataError where the data do not have the layout asked for.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout}", where="--as", hint=nearest(layout, LAYOUTS))
    chosen: Layout = layout_of(datasets) if layout is None else next(known for known in LAYOUTS if known == layout)
    if chosen == "adam":
        return Derived("adam")
    present = {d.name for d in datasets}
    if SUBJECTS in present:
        raise DataError(f"there is a data set {SUBJECTS} already", why=f"{chosen} data have none", hint="load it without --as")
    from alsbench.data.derive.proact import derive_proact, proposed_study
    from alsbench.data.derive.qc import Report

    report = Report()
    made = derive_proact(datasets, report)
    tables = (*made, *report.tables())
    taken = [d.name for d in tables if d.name in present]
    if taken:
        raise DataError(f"a data set is named {taken[0]} already", why="a derived one would have its name")
    return Derived(chosen, tables, tuple(report.findings), proposed_study(made))
