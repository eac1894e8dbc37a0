"""Who is imputed, and from what: every subject of an MMRM with a baseline and covariates, at every analysed visit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alsbench.analysis.ask import Ask
from alsbench.analysis.endpoints.mmrm import analysed_rows, model_terms
from alsbench.analysis.model_data import (
    ARM,
    BASE,
    VISIT,
    Floats,
    arm_factor,
    covariate_columns,
    covariate_variables,
    response,
)
from alsbench.analysis.records import endpoint_records
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.stats.design import Covariate, Design, Factor, Variable, build_design
from alsbench.stats.errors import StatsError


@dataclass(frozen=True)
class Panel:
    """Every subject with a baseline and covariates, at every analysed visit.

    ``values`` (n, T), NaN missing; ``arm`` codes the arms present; ``covariates`` are (n,) variables, baseline among them.
    """

    subject: IntArray
    arm: Factor
    values: Floats
    covariates: tuple[Variable, ...]
    visits: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def n(self) -> int:
        return int(self.subject.size)

    def design(self, arm: IntArray) -> Floats:
        """(n, T, p): the MMRM's model matrix at every visit of every subject, as if in the arms ``arm`` (n,)."""
        T = len(self.visits)
        factors = [
            Factor(ARM, np.repeat(arm, T), self.arm.levels),
            Factor(VISIT, np.tile(np.arange(T, dtype=np.int64), self.n), self.labels),
        ]
        others = [_repeated(v, T) for v in self.covariates]
        names = [v.name for v in others if v.name != BASE]
        terms = model_terms(factors, names, len(names) < len(others), T > 1)
        return np.asarray(build_design([*factors, *others], terms).X.reshape(self.n, T, -1))

    def ancova(self) -> Design:
        """The model of the completed change at one visit: arm, baseline and covariates, all arms."""
        terms = [(ARM,), *((v.name,) for v in self.covariates)]
        return build_design([self.arm, *self.covariates], terms)


def panel_of(ask: Ask, mask: BoolArray) -> tuple[Panel, tuple[str, ...]]:
    """The panel of the subjects in ``mask``, with warnings of the covariates. Raises StatsError where no row is analysed."""
    rows = analysed_rows(ask, mask)
    if len(rows.records) == 0:
        raise StatsError("no analysed rows in this subgroup")
    records = endpoint_records(ask.source, ask.endpoint)
    found = response(ask, records)
    base = np.full(len(ask.source.subjects), np.nan)
    known = np.flatnonzero(np.isfinite(found.base))[::-1]
    base[records.subject[known]] = found.base[known]
    columns = covariate_columns(ask)
    codes = ask.source.planned_arm
    subject = np.flatnonzero(mask & (codes >= 0) & np.isfinite(base) & columns.complete).astype(np.int64)
    variables, warnings = covariate_variables(columns, subject)
    if np.ptp(base[subject]) > 0:
        variables = [Covariate(BASE, base[subject]), *variables]
    values = np.full((subject.size, len(rows.visits)), np.nan)
    values[np.searchsorted(subject, rows.records.subject), rows.visit_codes] = rows.y
    arm = arm_factor(ask, codes[subject])
    return Panel(subject, arm, values, tuple(variables), rows.visits, rows.labels), tuple(warnings)


def _repeated(variable: Variable, times: int) -> Variable:
    if isinstance(variable, Factor):
        return Factor(variable.name, np.repeat(variable.codes, times), variable.levels)
    return Covariate(variable.name, np.repeat(variable.values, times))
