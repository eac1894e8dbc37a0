"""The engine's MMRM against one reference file: fit, coefficients, LS means, differences and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.qualification.checks import Tally, row_name
from alsbench.analysis.qualification.trials import Answers
from alsbench.stats.contrasts import Contrasts
from alsbench.stats.design import Covariate, Design, Factor, Term, Variable, build_design
from alsbench.stats.lsmeans import Cells, ls_differences, ls_means, type3_tests
from alsbench.stats.mmrm import MMRMFit, fit_mmrm

Columns = Mapping[str, NDArray[Any]]
VISIT = "AVISIT"


@dataclass(frozen=True)
class Measurements:
    """The analysed rows: a response, its columns, and the levels of those that are factors, in R's order."""

    response: NDArray[np.float64]
    columns: Columns
    levels: Mapping[str, tuple[str, ...]]

    def factor(self, name: str) -> Factor:
        levels = self.levels[name]
        return Factor(name, np.array([levels.index(v) for v in self.columns[name]], dtype=np.int64), levels)

    def variable(self, name: str) -> Variable:
        return self.factor(name) if name in self.levels else Covariate(name, np.asarray(self.columns[name], dtype=np.float64))

    def design(self, formula: str) -> Design:
        """The design of an R formula, main effects first as R orders them; ``us(AVISIT | USUBJID)`` is not part of the mean."""
        terms = [t.strip() for t in formula.split("~")[1].split(" + ")]
        parts = [[x.strip() for x in term.split("*")] for term in terms if "|" not in term]
        names = list(dict.fromkeys(x for part in parts for x in part))
        mains: list[Term] = [(n,) for n in names]
        crossed: list[Term] = [tuple(sorted(part, key=names.index)) for part in parts if len(part) > 1]
        return build_design([self.variable(n) for n in names], mains + crossed)

    def fit(self, design: Design, **options: Any) -> MMRMFit:
        subject, visit = self.columns["USUBJID"], self.factor(VISIT).codes
        return fit_mmrm(self.response, design, subject, visit, n_visits=len(self.levels[VISIT]), fallback=False, **options)


def compare_mmrm(tally: Tally, data: Measurements, arm: str, df: str, wanted: Answers, *, group: str = "") -> None:
    """Every number of the file that the engine gives; ``group`` is the factor whose levels have a covariance each."""
    design = data.design(wanted["formula"])
    fit = data.fit(
        design,
        covariance=wanted["covariance"],
        method="reml" if wanted["reml"] else "ml",
        df=df,
        group=data.columns[group] if group else None,
    )
    tally.add("exact", "observations", wanted["n_obs"], fit.n_observations)
    tally.add("exact", "subjects", wanted["n_subjects"], fit.n_subjects)
    tally.add("exact", "covariance parameters", wanted["n_theta"], fit.n_theta)
    tally.add("log-likelihood", "log-likelihood", wanted["loglik"], fit.log_likelihood)
    for name, value in (("deviance", fit.deviance), ("aic", fit.aic), ("bic", fit.bic)):
        tally.add("criterion", name, wanted[name], value)
    for name, theirs, ours in _sigmas(fit, wanted):
        tally.matrix("matrix", f"covariance over visits{name}", theirs, ours, symmetric=True)
    tally.matrix("matrix", "covariance of coefficients", wanted["vcov_used"]["data"], fit.vcov, symmetric=True)
    tally.contrasts("coefficient", wanted["coefficients"], fit.coefficients())
    _means(tally, fit, design, arm, wanted)
    for term, test in type3_tests(fit, design).items():
        row = next(w for w in wanted["type3"] if w["term"] == ":".join(term))
        tally.f_test(f"type 3 {row['term']}", row, test)


def _sigmas(fit: MMRMFit, wanted: Answers) -> list[tuple[str, Any, Any]]:
    """R's and our covariance over visits: one, or one per group."""
    if fit.sigma.ndim == 2:
        return [("", wanted["cov_matrix"]["data"], fit.sigma)]
    return [(f" of {g}", wanted["cov_matrix"][g]["data"], fit.sigma[i]) for i, g in enumerate(fit.groups)]


def _means(tally: Tally, fit: MMRMFit, design: Design, arm: str, wanted: Answers) -> None:
    weights = wanted["lsm_weights"]
    visits = (VISIT,)
    tables: tuple[tuple[str, Cells], ...] = (
        ("lsmeans", ls_means(fit, design, (arm, *visits), weights=weights)),
        ("contrasts_vs_ref", ls_differences(fit, design, arm, by=visits, weights=weights)),
        ("contrasts_pairwise", ls_differences(fit, design, arm, by=visits, against="pairwise", weights=weights)),
        ("lsmeans_over_visits", ls_means(fit, design, (arm,), weights=weights)),
        ("contrasts_over_visits", ls_differences(fit, design, arm, weights=weights)),
    )
    for name, cells in tables:
        tally.contrasts(name, wanted[name], _in_order(cells, wanted[name]))


def _in_order(cells: Cells, wanted: list[Mapping[str, Any]]) -> Contrasts:
    """Our rows in R's order; R writes a difference as "treatment - reference"."""
    contrast = "contrast" in wanted[0]
    labels = [" / ".join([" - ".join(c[:2]), *c[2:]] if contrast else c) for c in cells.labels]
    order = [labels.index(row_name(w)) for w in wanted]
    v = cells.values
    return Contrasts(*(getattr(v, n)[order] for n in ("estimate", "se", "df", "t", "p", "low", "high")))
