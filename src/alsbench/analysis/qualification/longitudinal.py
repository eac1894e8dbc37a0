"""The engine's random slopes, REML and ML, with both kinds of degrees of freedom; here on sleepstudy and Orthodont."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.qualification.checks import ReferenceCheck, Tally
from alsbench.analysis.qualification.material import Archive, software
from alsbench.analysis.qualification.trials import Answers, Case
from alsbench.stats.design import Covariate, Factor, Variable, build_design
from alsbench.stats.slopes import (
    ARM,
    TIME,
    DfMethod,
    SlopeFit,
    arm_slopes,
    fit_slopes,
    random_slopes,
    slope_differences,
)

Floats = NDArray[np.float64]
SLOPE_METHODS = ("slope-likelihood", "slope-satterthwaite", "slope-kenward-roger")
_DF: tuple[DfMethod, ...] = ("satterthwaite", "kenward-roger")


@dataclass(frozen=True)
class Growth:
    """Records of one data set, with R's names of time and group where it has one."""

    y: Floats
    time: Floats
    subject: NDArray[np.int64]
    group: Factor | None
    names: Mapping[str, str]
    covariates: tuple[Variable, ...] = ()

    def fit(self, *, reml: bool = True) -> SlopeFit:
        if self.group is not None:
            return random_slopes(self.y, self.time, self.group, self.subject, covariates=self.covariates, reml=reml)
        design = build_design([Covariate(TIME, self.time)], [(TIME,)])
        return fit_slopes(self.y, design, self.subject, self.time, reml=reml)


def longitudinal_cases(archive: Archive) -> Iterator[Case]:
    """Both data sets, each as fits and as inference."""
    readers: dict[str, Callable[[Archive], Growth]] = {"slope_sleepstudy": _sleepstudy, "slope_orthodont": _orthodont}
    for stem, wanted in archive.answers("slope_").items():
        data, name = readers[stem](archive), f"public/{stem}"
        yield Case(SLOPE_METHODS, name, partial(compare_slopes, data, name, wanted))


def compare_slopes(data: Growth, name: str, wanted: Answers) -> list[ReferenceCheck]:
    """Fits and both kinds of inference."""
    checks = _fits(data, name, wanted)
    for df in _DF:
        checks += _inference(data, name, wanted, df)
    return checks


def _sleepstudy(archive: Archive) -> Growth:
    c = archive.columns("sleepstudy.csv")
    return Growth(c["Reaction"], c["Days"], np.unique(c["Subject"], return_inverse=True)[1], None, {"Days": TIME})


def _orthodont(archive: Archive) -> Growth:
    c = archive.columns("Orthodont.csv")
    sex = Factor(ARM, (c["Sex"] == "Female").astype(np.int64), ("Male", "Female"))
    subject = np.unique(c["Subject"], return_inverse=True)[1]
    return Growth(c["distance"], c["age"], subject, sex, {"age": TIME, "Sex": ARM})


def _fits(data: Growth, name: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("slope-likelihood", name, software(wanted))
    for method in ("reml", "ml"):
        fit, r = data.fit(reml=method == "reml"), wanted[method]
        tally.add("exact", f"{method} observations", r["n_obs"], fit.n_observations)
        tally.add("exact", f"{method} subjects", r["n_subjects"], fit.n_subjects)
        tally.add("log-likelihood", f"{method} log-likelihood", r["loglik"], fit.log_likelihood)
        tally.add("criterion", f"{method} AIC", r["aic"], fit.aic)
        tally.add("criterion", f"{method} BIC", r["bic"], fit.bic)
        tally.add("variance", f"{method} residual SD", r["sigma"], fit.sigma, scale=r["sigma"])
        tally.matrix("variance", f"{method} random effects", r["re_cov"]["data"], fit.G, symmetric=True)
        variances = np.array(r["vcov_beta"]["data"])
        for i, (term, beta) in enumerate(r["beta"].items()):
            tally.add("estimate", f"{method} {term}", beta, fit.beta[i], scale=float(np.sqrt(variances[i, i])))
        tally.matrix("matrix", f"{method} covariance of coefficients", variances, fit.vcov, symmetric=True)
    return tally.checks


def _inference(data: Growth, name: str, wanted: Answers, df: DfMethod) -> list[ReferenceCheck]:
    r = wanted[df.replace("-", "_")]
    tally = Tally(f"slope-{df}", f"{name} {df}:", software(wanted))
    fit = data.fit()
    tally.contrasts("coefficient", r["coefficients"], fit.contrast(np.eye(fit.beta.size), df=df))
    for row in r["type3"]:
        term = tuple(data.names.get(part, part) for part in row["term"].split(":"))
        tally.f_test(f"type 3 {row['term']}", row, fit.type3(term, df=df))
    if "slopes" in r:
        tally.contrasts("slope", r["slopes"], arm_slopes(fit, df=df))
        tally.contrasts("difference", r["slope_diff_vs_ref"], slope_differences(fit, df=df))
    if "lsmeans_at_times" in r:
        _at_ages(tally, fit, r, df)
    return tally.checks


def _at_ages(tally: Tally, fit: SlopeFit, r: Mapping[str, Any], df: DfMethod) -> None:
    def mean(sex: str, age: float) -> Floats:
        row: Floats = fit.design.ls_mean({ARM: sex}, at={TIME: age})
        return row

    means = np.array([mean(m["Sex"], m["age"]) for m in r["lsmeans_at_times"]])
    tally.contrasts("LS mean", r["lsmeans_at_times"], fit.contrast(means, df=df))
    differences = np.array([mean("Female", c["age"]) - mean("Male", c["age"]) for c in r["contrasts_at_times"]])
    tally.contrasts("LS mean", r["contrasts_at_times"], fit.contrast(differences, df=df))
