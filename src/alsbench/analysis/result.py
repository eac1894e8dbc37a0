"""A result: long rows of one statistic each (CDISC Analysis Results Data), with provenance. All that renderers see.

Numbers are raw doubles; formatting is done once, from the raw value, by :mod:`alsbench.render.formats`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal

SCHEMA = "alsbench.ard/1"
Context = Literal["arm", "contrast", "model", "subgroup", "subject"]


@dataclass(frozen=True)
class Row:
    """One statistic. ``(context, subgroup, arm | treatment + reference, visit, variable, level, stat_name)`` is unique
    within a result of one endpoint. ``stat`` is a raw double (or an integer count, or text such as a covariance name),
    None where it could not be computed: then ``error`` says why."""

    endpoint: str
    method: str
    population: str
    subgroup: str
    context: Context
    stat_name: str
    stat: float | int | str | None
    arm: str | None = None
    treatment: str | None = None
    reference: str | None = None
    visit: str | None = None
    visit_number: float | None = None
    variable: str | None = None
    level: str | None = None
    warning: str | None = None
    error: str | None = None

    def key(self) -> tuple[str | None, ...]:
        """What makes the row unique in its result."""
        number = None if self.visit_number is None else repr(self.visit_number)
        return (
            self.endpoint,
            self.context,
            self.subgroup,
            self.arm,
            self.treatment,
            self.reference,
            self.visit,
            number,
            self.variable,
            self.level,
            self.stat_name,
        )

    def number(self) -> float:
        """The statistic as a double; NaN where it is missing or text."""
        return float(self.stat) if isinstance(self.stat, (int, float)) else math.nan


@dataclass(frozen=True)
class Provenance:
    """Where a result came from. No clock: the same bytes in give the same bytes out."""

    snapshot: str
    study: str
    engine: str
    post_hoc: bool
    synthetic: bool
    command: str = ""
    sources: tuple[str, ...] = ()
    data_cut: str | None = None
    blinded: bool = False
    deviations: tuple[str, ...] = ()
    study_id: str = ""
    audit_log: str = ""  # what is wrong with it, or was and is explained; empty where it verifies


@dataclass(frozen=True)
class Facts:
    """What a table must print to stand alone, in words: title, population, subgroup definitions with realised cuts, model,
    df method, interval type, rules for ties and missing data. ``attempts`` lists every fit tried, in order."""

    title: str
    lines: tuple[tuple[str, str], ...] = ()
    attempts: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    question: dict[str, Any]
    provenance: Provenance
    rows: tuple[Row, ...]
    facts: Facts
    warnings: tuple[str, ...] = ()

    def select(self, **wanted: Any) -> Iterator[Row]:
        """Rows whose attributes equal all of ``wanted``; a tuple value means any of its members."""
        found: Iterable[Row] = self.rows
        for name, value in wanted.items():
            of = attrgetter(name)
            found = [r for r in found if of(r) in value] if isinstance(value, tuple) else [r for r in found if of(r) == value]
        return iter(found)

    def get(self, stat_name: str, **wanted: Any) -> Row | None:
        """The first row of that statistic matching ``wanted``, or None."""
        return next(self.select(stat_name=stat_name, **wanted), None)

    def with_command(self, command: str) -> Result:
        """The same result, carrying the shell command that repeats it."""
        return replace(self, provenance=replace(self.provenance, command=command))


def merge_warnings(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All warnings, in order of first appearance, each once."""
    return tuple(dict.fromkeys(w for part in parts for w in part))
