"""The records behind R's random slopes in tests/reference, as arrays: the two synthetic trials, sleepstudy and Orthodont."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from trial_data import REFERENCE, REFERENCE_ARM, files, load_trial

from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.slopes import SlopeFit, fit_slopes, random_slopes

ALS = files("als-ref-*/expected/slope_*.json")
PUBLIC = files("public/expected/slope_*.json")


@dataclass(frozen=True)
class Case:
    y: np.ndarray
    time: np.ndarray
    subject: np.ndarray
    arm: Factor | None
    covariates: tuple[Factor | Covariate, ...]


def als_case(path: Path) -> Case:
    trial = load_trial(path.parts[-3])
    adsl = trial.adsl[trial.adsl.SLOW] if "slow" in path.stem else trial.adsl
    records = trial.adqs.drop(columns="TRT01P").merge(adsl[["USUBJID", "TRT01P", "LEADRATE", "ONSETSIT"]], on="USUBJID")
    month = records.AVISITN.to_numpy(np.float64) * (7 / 30.4375 if trial.name == "als-ref-2" else 1.0)
    arms = (REFERENCE_ARM, *sorted(set(adsl.TRT01P) - {REFERENCE_ARM}))
    onset = tuple(sorted(set(adsl.ONSETSIT)))
    return Case(
        records.AVAL.to_numpy(np.float64),
        month,
        pd.factorize(records.USUBJID)[0],
        Factor("ARM", np.array([arms.index(a) for a in records.TRT01P]), arms),
        (
            Covariate("LEADRATE", records.LEADRATE.to_numpy(np.float64)),
            Factor("ONSETSIT", np.array([onset.index(a) for a in records.ONSETSIT]), onset),
        ),
    )


def public_case(path: Path) -> Case:
    if "sleepstudy" in path.stem:
        d = pd.read_csv(REFERENCE / "public/sleepstudy.csv")
        return Case(d.Reaction.to_numpy(np.float64), d.Days.to_numpy(np.float64), pd.factorize(d.Subject)[0], None, ())
    d = pd.read_csv(REFERENCE / "public/Orthodont.csv")
    sexes = ("Male", "Female")
    arm = Factor("ARM", np.array([sexes.index(a) for a in d.Sex]), sexes)
    return Case(d.distance.to_numpy(np.float64), d.age.to_numpy(np.float64), pd.factorize(d.Subject)[0], arm, ())


def fit(case: Case, *, reml: bool = True) -> SlopeFit:
    if case.arm is None:
        return fit_slopes(case.y, build_design([Covariate("TIME", case.time)], [("TIME",)]), case.subject, case.time, reml=reml)
    return random_slopes(case.y, case.time, case.arm, case.subject, covariates=case.covariates, reml=reml)


def case_of(path: Path) -> Case:
    return als_case(path) if "als-ref" in str(path) else public_case(path)
