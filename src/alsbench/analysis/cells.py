"""One contrast of the evidence table, and the cells that one endpoint gives in one subgroup."""

from __future__ import annotations

from dataclasses import dataclass

from alsbench.analysis.result import Row


@dataclass(frozen=True)
class Cell:
    """One contrast. ``estimate``, ``low`` and ``high`` are ratios when ``ratio`` is true, else differences.

    ``favourable``: the estimate lies on the better side; None where there is no estimate. ``interaction_p`` stands on the
    subgroup's cell, not on its complement's. ``error`` says why there is no
    estimate. ``p_adjusted`` and ``verdict`` (rejected, not rejected, nominal) are those of the study's multiplicity plan.
    ``plan`` is ``post hoc`` or ``deviation`` where the endpoint or comparison is not as the locked plan has it.
    """

    endpoint: str
    title: str
    method: str
    level: str
    comparison: str
    treatment: str
    reference: str
    primary: bool
    subgroup: str
    post_hoc: bool
    n: int
    visit: str | None = None
    visit_number: float | None = None
    ratio: bool = False
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    favourable: bool | None = None
    first_lasting_visit: float | None = None
    first_visit: float | None = None
    visits_tested: int | None = None
    interaction_p: float | None = None
    p_adjusted: float | None = None
    verdict: str | None = None
    error: str | None = None
    warning: str | None = None
    plan: str = ""


@dataclass(frozen=True)
class Piece:
    """The cells of one endpoint in one subgroup, a cell per comparison, with the rows they were taken from."""

    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
