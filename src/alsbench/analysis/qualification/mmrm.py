"""The engine's MMRM (fit, coefficients, LS means, differences and tests) and analysis of covariance, of values and of ranks,
against one reference file.

On mmrm's fev_data: nine covariances and every kind of degrees of freedom, and the analysis of visit 4 alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.qualification.checks import ReferenceCheck, Tally, row_name
from alsbench.analysis.qualification.material import Archive, software
from alsbench.analysis.qualification.trials import Answers, Case
from alsbench.stats import ancova
from alsbench.stats.contrasts import Contrasts
from alsbench.stats.design import Covariate, Design, Factor, Term, Variable, build_design
from alsbench.stats.lsmeans import Cells, ls_differences, ls_means, type3_tests
from alsbench.stats.mmrm import MMRMFit, fit_mmrm
from alsbench.stats.ties import mid_ranks

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


FACTORS = {
    "RACE": ("Asian", "Black or African American", "White"),
    "SEX": ("Female", "Male"),
    "ARMCD": ("PBO", "TRT"),
    "AVISIT": ("VIS1", "VIS2", "VIS3", "VIS4"),
}
ARM = "ARMCD"
# SAS PROC MIXED, unstructured, ddfm=satterthwaite: TRT - PBO by visit, as (estimate, SE, whole df)
SAS = ((3.7745, 1.0741, 146), (3.7322, 0.8588, 145), (3.0806, 0.6896, 131), (4.3985, 1.6805, 133))
SAS_STOPS = 3e-4  # SAS agrees with the optimum to about this; its df are printed as whole numbers


def _read(archive: Archive, *, visit: str = "") -> Measurements:
    """The rows with a value of FEV1, of all visits or one."""
    found = archive.columns("fev_data.csv")
    keep = np.isfinite(found["FEV1"]) & ((found["AVISIT"] == visit) if visit else True)
    return Measurements(found["FEV1"][keep], {name: values[keep] for name, values in found.items()}, FACTORS)


def fev_cases(archive: Archive) -> Iterator[Case]:
    """Every reference answer on fev_data that the engine also gives."""
    data = _read(archive)
    for stem, wanted in archive.answers("fev_").items():
        method = _method(stem)
        if method:
            yield Case((method,), f"public/{stem}", partial(_mmrm, data, method, stem, wanted))
    for stem, wanted in archive.answers("exact_fev_").items():
        yield Case(("mmrm-exact",), f"public/{stem}", partial(_exact, data, stem, wanted))
    yield Case(("mmrm-sas",), "public/fev_us_sas", partial(_sas, data))
    last = _read(archive, visit="VIS4")
    wanted = archive.answers("ancova_fev")["ancova_fev_vis4"]
    yield Case(("ancova",), "public/ancova_fev_vis4", partial(_ancova, last, wanted))


def _method(stem: str) -> str:
    """The method a file name asks for; empty for what the engine does not have (robust covariances, between-within df, and
    mmrm's own Kenward-Roger for an unstructured covariance, which differs from SAS)."""
    if "Empirical" in stem or "BetweenWithin" in stem or stem == "fev_us_Kenward-Roger_reml":
        return ""
    if stem.endswith("_ml"):
        return "mmrm-ml"
    if "Kenward-Roger-Linear" in stem:
        return "mmrm-kenward-roger"
    return "mmrm-kenward-roger-full" if "Kenward-Roger" in stem else "mmrm-satterthwaite"


_DF = {"mmrm-kenward-roger": "kenward-roger", "mmrm-kenward-roger-full": "kenward-roger-mmrm"}


def _mmrm(data: Measurements, method: str, stem: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally(method, f"public/{stem}", software(wanted))
    group = "SEX" if "groupSEX" in stem else ""
    compare_mmrm(tally, data, ARM, _DF.get(method, "satterthwaite"), wanted, group=group)
    return tally.checks


def _exact(data: Measurements, stem: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("mmrm-exact", f"public/{stem}", software(wanted))
    design = data.design(wanted["formula"])
    method = "reml" if wanted["reml"] else "ml"
    fit = data.fit(design, covariance=wanted["cov"], method=method, df="satterthwaite")
    tally.add("log-likelihood", "log-likelihood", wanted["loglik"], fit.log_likelihood)
    tally.matrix("matrix", "covariance over visits", wanted["cov_matrix"]["data"], fit.sigma, symmetric=True)
    table = fit.coefficients()
    adjusted = data.fit(design, covariance=wanted["cov"], df="kenward-roger").coefficients() if wanted["reml"] else None
    for i, row in enumerate(wanted["coefficients"]):
        tally.add("estimate", row["term"], row["estimate"], table.estimate[i], scale=row["se_model"])
        tally.add("se", f"{row['term']} SE", row["se_model"], table.se[i])
        tally.add("df", f"{row['term']} df", row["df_satterthwaite_observed"], table.df[i])
        if adjusted is not None:
            tally.add("se", f"{row['term']} Kenward-Roger SE", row["se_kr_linear_observed"], adjusted.se[i])
    return tally.checks


def _sas(data: Measurements) -> list[ReferenceCheck]:
    tally = Tally("mmrm-sas", "public/fev_us_sas", "SAS PROC MIXED, ddfm=satterthwaite, as printed")
    design = data.design("FEV1 ~ RACE + SEX + ARMCD * AVISIT")
    found = ls_differences(data.fit(design, df="satterthwaite"), design, ARM, by=("AVISIT",)).values
    for i, (estimate, se, df) in enumerate(SAS):
        tally.add("printed", f"VIS{i + 1} difference", estimate, found.estimate[i], scale=SAS_STOPS)
        tally.add("printed", f"VIS{i + 1} SE", se, found.se[i], scale=SAS_STOPS)
        tally.add("printed", f"VIS{i + 1} df", df, found.df[i], scale=0.5)
    return tally.checks


def _visit_4(data: Measurements) -> list[Variable]:
    return [data.variable(name) for name in (ARM, "FEV1_BL", "RACE")]


def _ancova(data: Measurements, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("ancova", "public/ancova_fev_vis4", software(wanted))
    compare_ancova(tally, data.response, _visit_4(data), wanted)
    return tally.checks
