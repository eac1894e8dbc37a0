"""A fit in print, in the manner of statsmodels: two columns of facts, the coefficients, further tables, notes. No clock."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alsbench.stats.contrasts import Contrasts
from alsbench.stats.rounding import round_half_away

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

WIDTH = 78
Facts = Sequence[tuple[str, str]]


def number(value: float, places: int = 4) -> str:
    """A number with ``places`` decimals, rounded half away from zero; a very large or very small one with a power of ten."""
    if not np.isfinite(value):
        return str(float(value))
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3e}"
    return round_half_away(value, places)


def p_value(p: float) -> str:
    """0.024, or <0.001."""
    if not np.isfinite(p):
        return "nan"
    return "<0.001" if p < 0.0005 else round_half_away(p, 3)


class PrintableResults(ABC):
    """Results that print as statsmodels' do."""

    @abstractmethod
    def summary(self) -> Summary:
        """The tables of the fit as statsmodels prints them: ``print(m.summary())``, ``.as_html()``, ``.as_latex()``."""

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())


@dataclass(frozen=True)
class SummaryTable:
    """A table of a summary: its title, the heads of its columns, the stubs of its rows, and its cells as texts."""

    title: str
    heads: Sequence[str]
    stubs: Sequence[str]
    cells: Sequence[Sequence[str]]


def coefficient_table(names: Sequence[str], table: Contrasts) -> SummaryTable:
    """Coefficients with 95 % limits, in statsmodels' columns and df."""
    columns = zip(table.estimate, table.se, table.df, table.t, table.p, table.low, table.high, strict=True)
    cells = [
        [number(b), number(s), number(d, 1), number(t, 3), p_value(p), number(lo), number(hi)]
        for b, s, d, t, p, lo, hi in columns
    ]
    return SummaryTable("", ["coef", "std err", "df", "t", "P>|t|", "[0.025", "0.975]"], names, cells)


def make_summary(title: str, facts: Facts, *, tables: Sequence[SummaryTable], notes: Sequence[str] = ()) -> Summary:
    """statsmodels' Summary: ``facts`` in two columns, the tables, and notes."""
    from statsmodels.iolib.summary import Summary, fmt_2cols, fmt_params  # waits: statsmodels
    from statsmodels.iolib.table import SimpleTable  # waits: statsmodels

    half = (len(facts) + 1) // 2
    right = [*facts[half:], ("", "")][:half]
    left, more = (
        SimpleTable(
            [[value] for _, value in side], stubs=[name and f"{name}:" for name, _ in side], title=title, txt_fmt=fmt_2cols
        )
        for side in (facts[:half], right)
    )
    left.extend_right(more)
    found = Summary()
    found.tables.append(left)
    for t in tables:
        cells = [list(row) for row in t.cells]
        found.tables.append(
            SimpleTable(cells, headers=list(t.heads), stubs=list(t.stubs), title=t.title or None, txt_fmt=fmt_params)
        )
    if notes:
        lines = [textwrap.fill(f"[{i}] {note}", WIDTH, subsequent_indent="    ") for i, note in enumerate(notes, start=1)]
        found.add_extra_txt(["Notes:", *lines])
    return found
