"""The repeated-measures data behind R's answers in tests/reference, as arrays: the two synthetic trials and mmrm's fev_data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from trial_data import REFERENCE, TOTAL, _read, load_trial

from alsbench.stats.design import Covariate, Design, Factor, Term, Variable, build_design
from alsbench.stats.mmrm import MMRMFit, fit_mmrm

NFL = {"als-ref-1": "NFL", "als-ref-2": "NEFL"}


@dataclass(frozen=True)
class Case:
    """Rows to analyse: response, design, subject and visit of each."""

    y: NDArray[np.float64]
    design: Design
    subject: NDArray[Any]
    visit: NDArray[np.int64]
    frame: pd.DataFrame

    @property
    def n_visits(self) -> int:
        return int(self.visit.max()) + 1

    def fit(self, **options: Any) -> MMRMFit:
        return fit_mmrm(self.y, self.design, self.subject, self.visit, n_visits=self.n_visits, **options)


def factor(frame: pd.DataFrame, name: str, levels: list[str]) -> Factor:
    return Factor(name, frame[name].map({x: i for i, x in enumerate(levels)}).to_numpy().astype(np.int64), tuple(levels))


def design_of(frame: pd.DataFrame, formula: str, levels: dict[str, list[str]]) -> Design:
    """The design of an R formula ``Y ~ A * B + C``, main effects first as R orders them."""
    parts = [[x.strip() for x in term.split("*")] for term in formula.split("~")[1].split("+")]
    names = list(dict.fromkeys(x for part in parts for x in part))
    variables: list[Variable] = [
        factor(frame, n, levels[n]) if n in levels else Covariate(n, frame[n].to_numpy(dtype=np.float64)) for n in names
    ]
    mains: list[Term] = [(n,) for n in names]
    crossed: list[Term] = [tuple(sorted(part, key=names.index)) for part in parts if len(part) > 1]
    return build_design(variables, mains + crossed)


@cache
def trial_frame(trial: str, endpoint: str, part: str) -> pd.DataFrame:
    """Post-baseline rows of FAS subjects with a response: Y is CHG, or ln(AVAL/BASE) with LBASE for nfl."""
    data = load_trial(trial)
    adsl = data.adsl[data.adsl.SLOW] if part == "slow" else data.adsl
    if endpoint == "nfl":
        rows = _read(trial, "adlb")
        rows = rows[NFL[trial] == rows.PARAMCD]
        rows = rows.assign(LBASE=np.log(rows.BASE), CHG=np.log(rows.AVAL / rows.BASE))
    elif endpoint == "svc":
        rows = _read(trial, "adre")
        rows = rows[rows.PARAMCD == "SVCPP"]
    else:
        rows = _read(trial, "adqs")
        rows = rows[TOTAL[trial] == rows.PARAMCD]
    rows = rows[(rows.AVISITN > 0) & rows.CHG.notna()].drop(columns=["TRT01P"], errors="ignore")
    return rows.merge(adsl[["USUBJID", "TRT01P", "LEADRATE", "ONSETSIT"]], on="USUBJID")


@cache
def trial_case(trial: str, endpoint: str, part: str) -> Case:
    frame = trial_frame(trial, endpoint, part)
    arms = ["Placebo", *sorted(set(frame.TRT01P) - {"Placebo"})]
    visits = list(frame.sort_values("AVISITN").AVISIT.unique())
    levels = {"TRT01P": arms, "AVISIT": visits, "ONSETSIT": ["BULBAR", "LIMB"]}
    base = "LBASE" if endpoint == "nfl" else "BASE"
    design = design_of(frame, f"CHG ~ TRT01P * AVISIT + {base} * AVISIT + LEADRATE + ONSETSIT", levels)
    return Case(frame.CHG.to_numpy(), design, frame.USUBJID.to_numpy(), design.factor("AVISIT").codes, frame)


@cache
def fev_case(formula: str = "FEV1 ~ RACE + SEX + ARMCD * AVISIT") -> Case:
    frame = pd.read_csv(REFERENCE / "public/fev_data.csv")
    frame = frame[frame.FEV1.notna()].reset_index(drop=True)
    levels = {
        "RACE": ["Asian", "Black or African American", "White"],
        "SEX": ["Female", "Male"],
        "ARMCD": ["PBO", "TRT"],
        "AVISIT": ["VIS1", "VIS2", "VIS3", "VIS4"],
    }
    design = design_of(frame, formula, levels)
    visit = factor(frame, "AVISIT", levels["AVISIT"]).codes
    return Case(frame.FEV1.to_numpy(), design, frame.USUBJID.to_numpy(), visit, frame)


def parts_of(path: Path) -> tuple[str, str, str]:
    """Trial, endpoint and part of a file such as als-ref-1/expected/mmrm_svc_slow_us_krl.json."""
    _, endpoint, part, *_ = path.stem.split("_")
    return path.parts[-3], endpoint, part
