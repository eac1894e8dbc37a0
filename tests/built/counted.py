"""The built trial counted a second way: who is in which part, values and times straight from the rows that were written."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from tests.built import trial as built
from tests.built.results import SUBGROUPS

from alsbench.analysis.result import Result

PARTS = SUBGROUPS
PAIRS = (("Low", 6), ("High", 12), ("Solo", 6))
TEXTS = {"USUBJID", "SITEID", "TRT01P", "TRT01A", "PARAMCD"}


def frame_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a frame, blanks missing, columns of numbers as numbers."""
    found = pd.DataFrame({c: [None if r[c] == "" else r[c] for r in rows] for c in rows[0]})
    for column in found.columns:
        if column not in TEXTS and all(v is None or isinstance(v, int | float) for v in found[column]):
            found[column] = found[column].astype(float)
    return found


ADSL = frame_of(built.adsl()).set_index("USUBJID")
FAS = [s for s in ADSL.index if ADSL.FASFL[s] == "Y"]
ADQS = frame_of(built.adqs())
TOTAL = ADQS[(ADQS.PARAMCD == "ALSFRSR") & ADQS.AVISITN.notna()]
TIMES = {str(r["USUBJID"]): (r["AVAL"], r["CNSR"]) for r in built.adtte()}


def inside(part: str, subject: str) -> bool:
    """Whether a subject of the analysis set is in a part: decided by the value there, by nothing where it is missing."""
    row = ADSL.loc[subject]
    if part == "overall":
        return True
    column = {"slow": "LEADRATE", "nfl_low": "BLNFL", "limb": "ONSETSIT"}[part.removeprefix("not ")]
    value = row[column]
    if pd.isna(value):
        return False
    yes = {"slow": lambda v: v <= 1.0, "nfl_low": lambda v: v < 52, "limb": lambda v: v == "LIMB"}[part.removeprefix("not ")]
    return bool(yes(value)) != part.startswith("not ")


def of(part: str, *arms: str) -> list[str]:
    return [s for s in FAS if inside(part, s) and ADSL.TRT01P[s] in (arms or built.ARMS)]


def change(subject: str, visit: int) -> float:
    row = TOTAL[(subject == TOTAL.USUBJID) & (visit == TOTAL.AVISITN)]
    return float(row.CHG.iloc[0]) if len(row) else math.nan


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def number(result: Result, name: str, **where: object) -> float:
    found = list(result.select(stat_name=name, **where))
    assert len(found) == 1, (name, where, found)
    assert found[0].stat is not None, found[0]
    return found[0].number()
