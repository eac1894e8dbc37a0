"""The engine on survival's lung and veteran data: curves, log-rank tests, Cox models and restricted means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.qualification.checks import Check, Sheet
from alsbench.analysis.qualification.material import Archive, software
from alsbench.analysis.qualification.trials import Answers, Case
from alsbench.stats.cox import ChiSquare, CoxFit, Ties, fit_cox
from alsbench.stats.design import Covariate, Factor, Variable, build_design
from alsbench.stats.rmst import rmst, rmst_difference
from alsbench.stats.survival import ConfType, kaplan_meier, log_rank

_TIES: tuple[Ties, ...] = ("efron", "breslow")
_MODELS = ("unadjusted", "adjusted", "stratified", "stratified_adjusted")
_LOG_RANKS = (("logrank", 0.0, False), ("peto_wilcoxon_rho1", 1.0, False), ("logrank_stratified", 0.0, True))


@dataclass(frozen=True)
class FollowUp:
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
        yield Case(("kaplan-meier",), name, partial(_curves, data, name, wanted))
        yield Case(("log-rank",), name, partial(_log_rank, data, name, wanted))
        yield Case(("cox",), name, partial(_cox, data, name, wanted))
        yield Case(("rmst",), name, partial(_restricted_means, data, name, wanted))


def _read(archive: Archive, stem: str) -> FollowUp:
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
) -> FollowUp:
    known = np.isfinite(strata)
    codes = np.full(strata.size, -1, dtype=np.int64)
    codes[known] = np.unique(strata[known], return_inverse=True)[1]
    return FollowUp(time, event, arm, tuple(Covariate(n, v) for n, v in covariates.items()), codes)


def _curves(data: FollowUp, name: str, wanted: Answers) -> list[Check]:
    sheet = Sheet("kaplan-meier", name, software(wanted))
    for code, arm in enumerate(wanted["arm_levels"]):
        inside = data.arm.codes == code
        time, event = data.time[inside], data.event[inside]
        curve, rows = kaplan_meier(time, event), wanted["km_curve"][arm]
        sheet.add("exact", f"{arm} steps", len(rows), curve.time.size)
        for i, row in enumerate(rows):
            for key in ("time", "n_risk", "n_event", "n_censor"):
                sheet.add("exact", f"{arm} step {i + 1} {key}", row[key], getattr(curve, key)[i])
            sheet.add("closed", f"{arm} step {i + 1} survival", row["survival"], curve.survival[i])
        types: tuple[ConfType, ...] = get_args(ConfType)
        for kind in types:
            _intervals(sheet, f"{arm} {kind}", wanted["km"][kind][arm], time, event, kind)
    return sheet.checks


def _intervals(
    sheet: Sheet, where: str, wanted: Answers, time: NDArray[np.float64], event: NDArray[np.bool_], kind: ConfType
) -> None:
    curve = kaplan_meier(time, event, conf_type=kind)
    for row in wanted["at_times"]:
        at, here = curve.at(row["time"]), f"{where} at {row['time']:g}"
        pairs = (("survival", at.survival), ("se_greenwood", at.se), ("lower", at.low), ("upper", at.high))
        sheet.add("exact", f"{here} at risk", row["n_risk"], at.n_risk)
        for key, ours in pairs:
            sheet.add("closed", f"{here} {key}", row[key], ours)
    for row in wanted["quantiles"]:
        q = curve.quantile(row["prob"])
        for key, ours in (("estimate", q.estimate), ("lower", q.low), ("upper", q.high)):
            sheet.add("closed", f"{where} quantile {row['prob']:g} {key}", row[key], ours)


def _log_rank(data: FollowUp, name: str, wanted: Answers) -> list[Check]:
    sheet = Sheet("log-rank", name, software(wanted))
    for key, rho, stratified in _LOG_RANKS:
        r = wanted[key]
        has = data.strata >= 0 if stratified else np.ones(data.time.size, dtype=bool)
        strata = data.strata[has] if stratified else None
        test = log_rank(data.time[has], data.event[has], data.arm.codes[has], rho=rho, strata=strata)
        for i, level in enumerate(wanted["arm_levels"]):
            sheet.add("closed", f"{key} {level} observed", r["observed"][i], test.observed[i])
            sheet.add("closed", f"{key} {level} expected", r["expected"][i], test.expected[i])
        sheet.add("closed", f"{key} chi-square", r["chisq"], test.chisq)
        sheet.add("exact", f"{key} df", r["df"], test.df)
        sheet.add("closed", f"{key} p", r["p"], test.p)
        if r["signed_z_arm2"] is not None:
            sheet.add("closed", f"{key} z", r["signed_z_arm2"], test.z)
    return sheet.checks


def _cox(data: FollowUp, name: str, wanted: Answers) -> list[Check]:
    sheet = Sheet("cox", name, software(wanted))
    for model in _MODELS:
        for ties in _TIES:
            _model(sheet, f"{model} {ties}", data.model(model, ties), wanted["cox"][model][ties])
    return sheet.checks


def _model(sheet: Sheet, where: str, fit: CoxFit, r: Answers) -> None:
    sheet.add("exact", f"{where} n", r["n"], fit.n)
    sheet.add("exact", f"{where} events", r["events"], fit.events)
    sheet.add("log-likelihood", f"{where} null log-likelihood", r["loglik_null"], fit.log_likelihood_null)
    sheet.add("log-likelihood", f"{where} log-likelihood", r["loglik"], fit.log_likelihood)
    for test, found in (("lr", fit.likelihood_ratio), ("wald", fit.wald), ("score", fit.score)):
        _chi_square(sheet, f"{where} {test}", r[test]["test"], r[test]["pvalue"], found)
    for i, row in enumerate(r["coefficients"]):
        here, hr = f"{where} {row['term']}", fit.hazard_ratio(row["term"])
        scale = max(abs(row["coef"]), row["se"])
        sheet.add("estimate", f"{here} log hazard ratio", row["coef"], fit.beta[i], scale=row["se"])
        sheet.add("se", f"{here} SE", row["se"], fit.se[i])
        sheet.add("t", f"{here} z", row["z"], hr.z)
        sheet.add("p", f"{here} p", row["p"], hr.p)
        sheet.add("limit", f"{here} log lower", math.log(row["hr_lower"]), math.log(hr.low), scale=scale)
        sheet.add("limit", f"{here} log upper", math.log(row["hr_upper"]), math.log(hr.high), scale=scale)
    tests = fit.proportional_hazards()
    for row in r["zph"]:
        _chi_square(sheet, f"{where} proportional hazards {row['term']}", row["chisq"], row["p"], tests[row["term"]])


def _chi_square(sheet: Sheet, where: str, statistic: float, p: float, found: ChiSquare) -> None:
    sheet.add("chi-square", f"{where} chi-square", statistic, found.chisq)
    sheet.add("p", f"{where} p", p, found.p)


def _restricted_means(data: FollowUp, name: str, wanted: Answers) -> list[Check]:
    sheet = Sheet("rmst", name, software(wanted))
    means = []
    for code, row in enumerate(wanted["arms"]):
        inside = data.arm.codes == code
        means.append(rmst(data.time[inside], data.event[inside], wanted["tau"]))
        sheet.add("closed", f"{row['arm']} mean", row["rmean"], means[-1].mean)
        sheet.add("closed", f"{row['arm']} SE", row["se_rmean"], means[-1].se)
    for arm, r in wanted["rmst"].items():
        found = rmst_difference(means[wanted["arm_levels"].index(arm)], means[0])
        ours = {
            "difference": (found.difference, found.low, found.high, found.p),
            "ratio": (found.ratio, found.ratio_low, found.ratio_high, found.ratio_p),
        }
        for part, values in ours.items():
            for key, value in zip(("Est.", "lower .95", "upper .95", "p"), values, strict=True):
                sheet.add("closed", f"{arm} {part} {key}", r[part][key], value)
    return sheet.checks
