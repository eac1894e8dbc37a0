"""The two synthetic reference trials as plain arrays, read without the program's own data room."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat

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


def _read(name: str, table: str) -> pd.DataFrame:
    xpt = REFERENCE / name / f"{table}.xpt"
    if xpt.exists():
        # pandas reads a SAS zero as 5.4e-79
        frame: pd.DataFrame = pyreadstat.read_xport(str(xpt))[0]
        return frame.replace("", None)
    return pd.read_csv(REFERENCE / name / f"{table}.csv", keep_default_na=False, na_values=[""])
