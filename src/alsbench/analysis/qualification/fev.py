"""The engine on mmrm's fev_data: nine covariances and every kind of degrees of freedom, and the analysis of visit 4 alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from alsbench.analysis.qualification.ancova import compare_ancova
from alsbench.analysis.qualification.checks import Check, Tally
from alsbench.analysis.qualification.material import Archive, software
from alsbench.analysis.qualification.mmrm import Measurements, compare_mmrm
from alsbench.analysis.qualification.trials import Answers, Case
from alsbench.stats.design import Variable
from alsbench.stats.lsmeans import ls_differences

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


def _mmrm(data: Measurements, method: str, stem: str, wanted: Answers) -> list[Check]:
    tally = Tally(method, f"public/{stem}", software(wanted))
    group = "SEX" if "groupSEX" in stem else ""
    compare_mmrm(tally, data, ARM, _DF.get(method, "satterthwaite"), wanted, group=group)
    return tally.checks


def _exact(data: Measurements, stem: str, wanted: Answers) -> list[Check]:
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


def _sas(data: Measurements) -> list[Check]:
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


def _ancova(data: Measurements, wanted: Answers) -> list[Check]:
    tally = Tally("ancova", "public/ancova_fev_vis4", software(wanted))
    compare_ancova(tally, data.response, _visit_4(data), wanted)
    return tally.checks
