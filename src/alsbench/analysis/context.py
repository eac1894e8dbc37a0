"""One question asked of one subgroup: what an endpoint method is given, and what it gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alsbench.analysis.contrast import horizon_visit
from alsbench.analysis.question import Question
from alsbench.analysis.result import Context, Row
from alsbench.analysis.source import Source
from alsbench.study.model import Comparison, Endpoint

if TYPE_CHECKING:  # NumPy and SciPy come with them, and a kept answer needs neither
    from alsbench.analysis.subgroups import Membership
    from alsbench.stats.contrasts import Contrasts


@dataclass(frozen=True)
class AnalysisContext:
    """An endpoint, with the question's overrides applied, asked of the members of one subgroup.

    ``at_horizon``: only the visits at which the comparisons are read are wanted, and nothing about the model."""

    source: Source
    endpoint: Endpoint
    question: Question
    population: str
    member: Membership
    comparisons: tuple[Comparison, ...]
    at_horizon: bool = False

    @property
    def arms(self) -> tuple[str, ...]:
        return self.source.study.arms.order

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(treatment, reference) of every comparison asked for, each once."""
        return tuple(dict.fromkeys((c.treatment, c.reference) for c in self.comparisons))

    def shown(self, visits: Sequence[float]) -> tuple[float, ...]:
        """Which of the analysed ``visits`` rows are wanted of: those asked for, those of the horizons, or all."""
        if self.question.visits:
            return tuple(v for v in visits if v in self.question.visits)
        read = {horizon_visit(visits, c.horizon) for c in self.comparisons} if self.at_horizon else {None}
        return tuple(v for v in visits if None in read or v in read)  # read nowhere: the rows say why

    def row(self, context: Context, stat_name: str, stat: float | int | str | None, **where: Any) -> Row:
        """A row of this question; a NaN or infinite statistic becomes an error row."""
        if isinstance(stat, float):
            stat = float(stat)
            if not math.isfinite(stat):
                where.setdefault("error", "not a number" if math.isnan(stat) else "infinite")
                stat = None
        return Row(
            endpoint=self.endpoint.name,
            method=self.endpoint.method,
            population=self.population,
            subgroup=self.member.phrase,
            context=context,
            stat_name=stat_name,
            stat=stat,
            **where,
        )

    def failed(self, context: Context, stat_names: Sequence[str], reason: str, **where: Any) -> list[Row]:
        """Rows without a value that say why."""
        return [self.row(context, name, None, error=reason, **where) for name in stat_names]

    def inference(self, context: Context, first: str, found: Contrasts, index: int, **where: Any) -> list[Row]:
        """Estimate (named ``first``), SE, df, interval and, for a contrast, t and p of row ``index`` of ``found``."""
        values = [
            (first, found.estimate),
            ("se", found.se),
            ("df", found.df),
            ("conf_low", found.low),
            ("conf_high", found.high),
        ]
        if context == "contrast":
            values += [("t", found.t), ("p_value", found.p)]
        return [self.row(context, name, float(column[index]), **where) for name, column in values]


@dataclass(frozen=True)
class MethodResult:
    """What a method answers for one subgroup: rows, and what the table must say about the model.

    ``later`` makes further rows from the same fit, for whoever shows them: they cost about as much as the fit."""

    rows: list[Row]
    model: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = field(default=())
    later: Callable[[], list[Row]] | None = field(default=None, compare=False, repr=False)


ARM_STATS = ("ls_mean", "se", "df", "conf_low", "conf_high")
CONTRAST_STATS = ("difference", "se", "df", "conf_low", "conf_high", "t", "p_value")
