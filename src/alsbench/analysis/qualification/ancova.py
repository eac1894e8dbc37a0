"""The engine's analysis of covariance, of values and of ranks, against one reference file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.qualification.checks import Tally
from alsbench.analysis.qualification.trials import Answers
from alsbench.stats import ancova
from alsbench.stats.design import Covariate, Variable, build_design
from alsbench.stats.lsmeans import ls_differences, ls_means
from alsbench.stats.ties import mid_ranks

Floats = NDArray[np.float64]


def compare_ancova(tally: Tally, y: Floats, variables: list[Variable], wanted: Answers) -> None:
    """The response as it is, ranked, and ranked with ranked covariates; the arm is the first variable."""
    ranked = [Covariate(v.name, mid_ranks(v.values)) if isinstance(v, Covariate) else v for v in variables]
    _ols(tally, "raw", y, variables, wanted["raw"])
    _ols(tally, "ranked response", mid_ranks(y), variables, wanted["rank_response"])
    _ols(tally, "ranked response and covariates", mid_ranks(y), ranked, wanted["rank_response_and_covariates"])


def _ols(tally: Tally, part: str, y: Floats, variables: list[Variable], wanted: Answers) -> None:
    design = build_design(variables, [(v.name,) for v in variables])
    fit = ancova.fit_ols(y, design)
    tally.add("exact", f"{part} n", wanted["n"], y.size)
    tally.add("closed", f"{part} sigma", wanted["sigma"], fit.sigma)
    tally.add("closed", f"{part} R squared", wanted["r_squared"], fit.r_squared)
    tally.add("log-likelihood", f"{part} log-likelihood", wanted["loglik"], fit.log_likelihood)
    rows = {row["term"]: row for row in wanted["coefficients"]}
    ordered = [rows[name] for name in design.names]
    tally.contrasts(f"{part} coefficient", ordered, fit.coefficients())
    kinds: tuple[ancova.Robust, ...] = ("HC0", "HC1", "HC2", "HC3")
    for kind in kinds:
        for row, se in zip(ordered, fit.robust_se(kind), strict=True):
            tally.add("se", f"{part} {row['term']} {kind} SE", row[f"se_{kind.lower()}"], se)
    arm, reference = variables[0].name, design.factor(variables[0].name).levels[0]
    tests: tuple[ancova.FTestType, ...] = (2, 3)
    for number in tests:
        theirs = {t["term"]: t for t in wanted[f"type{number}"]}
        for test in ancova.f_tests(fit, number):
            row = theirs[test.term]
            tally.add("f", f"{part} type {number} {test.term} F", row["f"], test.f)
            tally.add("p", f"{part} type {number} {test.term} p", row["p"], test.p)
    for weights in ("equal", "proportional"):
        table = wanted[f"lsm_{weights}"]
        tally.contrasts(f"{part} {weights}", table["lsmeans"], ls_means(fit, design, (arm,), weights=weights).values)
        against = ls_differences(fit, design, arm, reference=reference, weights=weights).values
        tally.contrasts(f"{part} {weights}", table["vs_ref"], against)
