"""The engine's curves, log-rank tests, Cox models and restricted means; here on survival's lung and veteran data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.qualification.checks import ReferenceCheck, Tally
from alsbench.analysis.qualification.material import Archive, software
from alsbench.analysis.qualification.trials import Answers, Case
from alsbench.stats.cox import ChiSquare, CoxFit, Ties, fit_cox
from alsbench.stats.design import Covariate, Factor, Variable, build_design
from alsbench.stats.survival import ConfType, kaplan_meier, log_rank, rmst, rmst_difference

_TIES: tuple[Ties, ...] = ("efron", "breslow")
_MODELS = ("unadjusted", "adjusted", "stratified", "stratified_adjusted")
_INFINITE = 1e3  # a standard error R prints for a coefficient that has no maximum
_LOG_RANKS = (("logrank", 0.0, False), ("peto_wilcoxon_rho1", 1.0, False), ("logrank_stratified", 0.0, True))


@dataclass(frozen=True)
class SurvivalData:
    """Times, events, arm, the covariates of R's adjusted models and strata codes (-1 where missing)."""

    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    arm: Factor
    covariates: tuple[Covariate, ...]
    strata: NDArray[np.int64]

    def model(self, name: str, ties: Ties) -> CoxFit:
        stratified, adjusted = name.startswith("stratified"), name in ("adjusted", "stratified_adjusted")
        keep = np.ones(self.time.size, dtype=bool)
        if adjusted:
            keep &= np.all([np.isfinite(c.values) for c in self.covariates], axis=0)
        if stratified:
            keep &= self.strata >= 0
        variables: list[Variable] = [Factor("arm", self.arm.codes[keep], self.arm.levels)]
        if adjusted:
            variables += [Covariate(f"X_{c.name}", c.values[keep]) for c in self.covariates]
        design = build_design(variables, [(v.name,) for v in variables])
        return fit_cox(self.time[keep], self.event[keep], design, strata=self.strata[keep] if stratified else None, ties=ties)


def survival_cases(archive: Archive) -> Iterator[Case]:
    """Both data sets, method by method."""
    for stem, wanted in archive.answers("surv_").items():
        data, name = _read(archive, stem), f"public/{stem}"
        yield Case(("kaplan-meier",), name, partial(curves, data, name, wanted))
        yield Case(("log-rank",), name, partial(log_ranks, data, name, wanted))
        yield Case(("cox",), name, partial(cox_models, data, name, wanted))
        yield Case(("rmst",), name, partial(restricted_means, data, name, wanted))


def compare_survival(data: SurvivalData, name: str, wanted: Answers) -> list[ReferenceCheck]:
    """Every method on one data set."""
    comparisons = (curves, log_ranks, cox_models, restricted_means)
    return [check for compare in comparisons for check in compare(data, name, wanted)]


def _read(archive: Archive, stem: str) -> SurvivalData:
    if stem == "surv_lung":
        c = archive.columns("lung.csv")
        arm = Factor("arm", (c["sex"] == 2).astype(np.int64), ("1", "2"))
        return _follow_up(c["time"], c["status"] == 2, arm, {"age": c["age"], "ph.ecog": c["ph.ecog"]}, c["inst"])
    c = archive.columns("veteran.csv")
    levels = ("squamous", "adeno", "large", "smallcell")
    arm = Factor("arm", np.array([levels.index(v) for v in c["celltype"]], dtype=np.int64), levels)
    return _follow_up(c["time"], c["status"] == 1, arm, {"age": c["age"], "karno": c["karno"]}, c["trt"])


def _follow_up(
    time: NDArray[Any], event: NDArray[np.bool_], arm: Factor, covariates: dict[str, NDArray[Any]], strata: NDArray[Any]
) -> SurvivalData:
    known = np.isfinite(strata)
    codes = np.full(strata.size, -1, dtype=np.int64)
    codes[known] = np.unique(strata[known], return_inverse=True)[1]
    return SurvivalData(time, event, arm, tuple(Covariate(n, v) for n, v in covariates.items()), codes)


def curves(data: SurvivalData, name: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("kaplan-meier", name, software(wanted))
    for code, arm in enumerate(wanted["arm_levels"]):
        inside = data.arm.codes == code
        time, event = data.time[inside], data.event[inside]
        curve, rows = kaplan_meier(time, event), wanted["km_curve"][arm]
        tally.add("exact", f"{arm} steps", len(rows), curve.time.size)
        for i, row in enumerate(rows):
            for key in ("time", "n_risk", "n_event", "n_censor"):
                tally.add("exact", f"{arm} step {i + 1} {key}", row[key], getattr(curve, key)[i])
            tally.add("closed", f"{arm} step {i + 1} survival", row["survival"], curve.survival[i])
        types: tuple[ConfType, ...] = get_args(ConfType)
        for kind in types:
            _intervals(tally, f"{arm} {kind}", wanted["km"][kind][arm], time, event, kind)
    return tally.checks


def _intervals(
    tally: Tally, where: str, wanted: Answers, time: NDArray[np.float64], event: NDArray[np.bool_], kind: ConfType
) -> None:
    curve = kaplan_meier(time, event, conf_type=kind)
    for row in wanted["at_times"]:
        at, here = curve.at(row["time"]), f"{where} at {row['time']:g}"
        pairs = (("survival", at.survival), ("se_greenwood", at.se), ("lower", at.low), ("upper", at.high))
        tally.add("exact", f"{here} at risk", row["n_risk"], at.n_risk)
        for key, ours in pairs:
            tally.add("closed", f"{here} {key}", row[key], ours)
    for row in wanted["quantiles"]:
        q = curve.quantile(row["prob"])
        for key, ours in (("estimate", q.estimate), ("lower", q.low), ("upper", q.high)):
            tally.add("closed", f"{where} quantile {row['prob']:g} {key}", row[key], ours)


def log_ranks(data: SurvivalData, name: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("log-rank", name, software(wanted))
    for key, rho, stratified in _LOG_RANKS:
        r = wanted[key]
        has = data.strata >= 0 if stratified else np.ones(data.time.size, dtype=bool)
        strata = data.strata[has] if stratified else None
        test = log_rank(data.time[has], data.event[has], data.arm.codes[has], rho=rho, strata=strata)
        for i, level in enumerate(wanted["arm_levels"]):
            tally.add("closed", f"{key} {level} observed", r["observed"][i], test.observed[i])
            tally.add("closed", f"{key} {level} expected", r["expected"][i], test.expected[i])
        tally.add("closed", f"{key} chi-square", r["chisq"], test.chisq)
        tally.add("exact", f"{key} df", r["df"], test.df)
        tally.add("closed", f"{key} p", r["p"], test.p)
        if r["signed_z_arm2"] is not None:
            tally.add("closed", f"{key} z", r["signed_z_arm2"], test.z)
    return tally.checks


def cox_models(data: SurvivalData, name: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("cox", name, software(wanted))
    for model in _MODELS:
        for ties in _TIES:
            _model(tally, f"{model} {ties}", data.model(model, ties), wanted["cox"][model][ties])
    return tally.checks


def _model(tally: Tally, where: str, fit: CoxFit, r: Answers) -> None:
    tally.add("exact", f"{where} n", r["n"], fit.n)
    tally.add("exact", f"{where} events", r["events"], fit.events)
    tally.add("log-likelihood", f"{where} null log-likelihood", r["loglik_null"], fit.log_likelihood_null)
    tally.add("log-likelihood", f"{where} log-likelihood", r["loglik"], fit.log_likelihood)
    tests = {"lr": fit.likelihood_ratio, "score": fit.score} | ({} if fit.infinite.any() else {"wald": fit.wald})
    for test, found in tests.items():
        _chi_square(tally, f"{where} {test}", r[test]["test"], r[test]["pvalue"], found)
    for i, row in enumerate(r["coefficients"]):
        here = f"{where} {row['term']}"
        tally.add("exact", f"{here} is infinite", row["se"] > _INFINITE, fit.infinite[i])
        if fit.infinite[i]:
            continue
        hr = fit.hazard_ratio(row["term"])
        scale = max(abs(row["coef"]), row["se"])
        tally.add("estimate", f"{here} log hazard ratio", row["coef"], fit.beta[i], scale=row["se"])
        tally.add("se", f"{here} SE", row["se"], fit.se[i])
        tally.add("t", f"{here} z", row["z"], hr.z)
        tally.add("p", f"{here} p", row["p"], hr.p)
        tally.add("limit", f"{here} log lower", math.log(row["hr_lower"]), math.log(hr.low), scale=scale)
        tally.add("limit", f"{here} log upper", math.log(row["hr_upper"]), math.log(hr.high), scale=scale)
    if fit.infinite.any():
        return
    proportional = fit.proportional_hazards()
    for row in r["zph"]:
        _chi_square(tally, f"{where} proportional hazards {row['term']}", row["chisq"], row["p"], proportional[row["term"]])


def _chi_square(tally: Tally, where: str, statistic: float, p: float, found: ChiSquare) -> None:
    tally.add("chi-square", f"{where} chi-square", statistic, found.chisq)
    tally.add("p", f"{where} p", p, found.p)


def restricted_means(data: SurvivalData, name: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("rmst", name, software(wanted))
    means = []
    for code, row in enumerate(wanted["arms"]):
        inside = data.arm.codes == code
        means.append(rmst(data.time[inside], data.event[inside], wanted["tau"]))
        tally.add("closed", f"{row['arm']} mean", row["rmean"], means[-1].mean)
        tally.add("closed", f"{row['arm']} SE", row["se_rmean"], means[-1].se)
    for arm, r in wanted["rmst"].items():
        found = rmst_difference(means[wanted["arm_levels"].index(arm)], means[0])
        ours = {
            "difference": (found.difference, found.low, found.high, found.p),
            "ratio": (found.ratio, found.ratio_low, found.ratio_high, found.ratio_p),
        }
        for part, values in ours.items():
            for key, value in zip(("Est.", "lower .95", "upper .95", "p"), values, strict=True):
                tally.add("closed", f"{arm} {part} {key}", r[part][key], value)
    return tally.checks
