"""The two synthetic reference trials as plain arrays, read without the program's own data room."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat

from alsbench.stats.design import Covariate, Factor, Variable

REFERENCE = Path(__file__).parents[1] / "reference"
TOTAL = {"als-ref-1": "ALSFRSR", "als-ref-2": "ALSTOT"}
REFERENCE_ARM = "Placebo"


@dataclass(frozen=True)
class Trial:
    """ADSL, the ALSFRS-R total records (ADQS) and the event record (ADTTE) of one trial; SLOW marks the slow half of ADSL."""

    name: str
    adsl: pd.DataFrame
    adqs: pd.DataFrame
    adtte: pd.DataFrame


@cache
def load_trial(name: str) -> Trial:
    adsl, adqs, adtte = (_read(name, table) for table in ("adsl", "adqs", "adtte"))
    adsl = adsl[adsl.FASFL == "Y"]
    adsl = adsl.assign(SLOW=adsl.LEADRATE.mean() >= adsl.LEADRATE)
    adqs = adqs[TOTAL[name] == adqs.PARAMCD]
    return Trial(name, adsl, adqs, adtte[adtte.PARAMCD == "DTHPAV"])


def expected(path: Path) -> Any:
    return json.loads(path.read_text())


def files(pattern: str) -> list[Path]:
    found = sorted(REFERENCE.glob(pattern))
    assert found, pattern
    return found


def arm_of(path: Path, trial: Trial) -> str:
    """The treatment arm a file name such as cafs_v6_group1_slow.json speaks of."""
    arms = {a.lower().replace(" ", ""): a for a in trial.adsl.TRT01P.unique()}
    return next(arm for key, arm in arms.items() if f"_{key}_" in path.name)


def factor(name: str, values: pd.Series, levels: list[str] | None = None) -> Factor:
    levels = levels or sorted(values.unique())
    return Factor(name, np.array([levels.index(v) for v in values]), tuple(levels))


def covariate(name: str, values: pd.Series) -> Covariate:
    return Covariate(name, values.to_numpy(np.float64))


def trial_model(path: Path) -> tuple[np.ndarray, list[Variable]]:
    """CHG and the variables of the ANCOVA that an ``ancova_alsfrs_v<visit>_<arm>_<part>.json`` answers; the arm is first."""
    trial = load_trial(path.parts[-3])
    arm, visit = arm_of(path, trial), float(path.name.split("_v")[1].split("_")[0])
    adsl = trial.adsl[trial.adsl.SLOW] if path.stem.endswith("slow") else trial.adsl
    columns = ["USUBJID", "TRT01P", "LEADRATE", "ONSETSIT", "RILUFL"]
    rows = trial.adqs[(visit == trial.adqs.AVISITN) & trial.adqs.CHG.notna()][["USUBJID", "CHG", "BASE"]]
    rows = rows.merge(adsl[adsl.TRT01P.isin(["Placebo", arm])][columns], on="USUBJID")
    return rows.CHG.to_numpy(np.float64), [
        factor("TRT01P", rows.TRT01P, ["Placebo", arm]),
        covariate("BASE", rows.BASE),
        covariate("LEADRATE", rows.LEADRATE),
        factor("ONSETSIT", rows.ONSETSIT),
        factor("RILUFL", rows.RILUFL),
    ]


def fev_model() -> tuple[np.ndarray, list[Variable]]:
    """FEV1 at visit 4 of mmrm's fev_data, with arm, baseline and race."""
    rows = pd.read_csv(REFERENCE / "public/fev_data.csv")
    rows = rows[(rows.AVISIT == "VIS4") & rows.FEV1.notna()]
    races = ["Asian", "Black or African American", "White"]
    return rows.FEV1.to_numpy(), [
        factor("ARMCD", rows.ARMCD, ["PBO", "TRT"]),
        covariate("FEV1_BL", rows.FEV1_BL),
        factor("RACE", rows.RACE, races),
    ]


def _read(name: str, table: str) -> pd.DataFrame:
    xpt = REFERENCE / name / f"{table}.xpt"
    if xpt.exists():
        # pandas reads a SAS zero as 5.4e-79
        frame: pd.DataFrame = pyreadstat.read_xport(str(xpt))[0]
        return frame.replace("", None)
    return pd.read_csv(REFERENCE / name / f"{table}.csv", keep_default_na=False, na_values=[""])
