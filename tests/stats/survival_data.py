"""The time-to-event reference cases as arrays: both synthetic trials, lung and veteran."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from trial_data import REFERENCE, arm_of, files, load_trial

from alsbench.stats.design import Covariate, Factor

FILES = files("*/expected/surv_*.json")


@dataclass(frozen=True)
class SurvivalCase:
    """``covariates`` are those of R's adjusted models, NaN where missing; ``strata`` codes are -1 where missing."""

    time: np.ndarray
    event: np.ndarray
    arm: Factor
    covariates: tuple[Covariate, ...]
    strata: np.ndarray

    def complete(self, *, covariates: bool, strata: bool) -> np.ndarray:
        keep = np.ones(self.time.size, dtype=bool)
        if covariates:
            keep &= np.all([np.isfinite(c.values) for c in self.covariates], axis=0)
        if strata:
            keep &= self.strata >= 0
        return keep


@cache
def case_of(path: Path) -> SurvivalCase:
    if path.stem == "surv_lung":
        d = pd.read_csv(REFERENCE / "public/lung.csv")
        return _case(d.time, d.status == 2, d.sex.astype(str), ("1", "2"), d[["age", "ph.ecog"]], d["inst"])
    if path.stem == "surv_veteran":
        d = pd.read_csv(REFERENCE / "public/veteran.csv")
        levels = ("squamous", "adeno", "large", "smallcell")
        return _case(d.time, d.status == 1, d.celltype, levels, d[["age", "karno"]], d["trt"])
    trial = load_trial(path.parts[-3])
    arms = ("Placebo", arm_of(path, trial))
    adsl = trial.adsl[trial.adsl.TRT01P.isin(arms)]
    adsl = adsl[adsl.SLOW] if "slow" in path.stem else adsl
    d = trial.adtte.drop(columns="TRT01P").merge(adsl[["USUBJID", "TRT01P", "LEADRATE", "ONSETSIT"]], on="USUBJID")
    return _case(d.AVAL, d.CNSR == 0, d.TRT01P, arms, d[["LEADRATE"]], d.ONSETSIT)


def name_of(path: Path) -> str:
    return f"{path.parts[-3]}/{path.stem}"


def _case(
    time: pd.Series, event: pd.Series, arm: pd.Series, levels: tuple[str, ...], covariates: pd.DataFrame, strata: pd.Series
) -> SurvivalCase:
    return SurvivalCase(
        time.to_numpy(np.float64),
        event.to_numpy(bool),
        Factor("arm", np.array([levels.index(a) for a in arm]), levels),
        tuple(Covariate(str(name), covariates[name].to_numpy(np.float64)) for name in covariates),
        np.asarray(pd.factorize(strata, sort=True)[0], dtype=np.int64),
    )
