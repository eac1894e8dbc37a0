"""A three-subject trial and its study, as texts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "reference"
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

STUDY = """
schema = 1
[study]
id = "T1"
[arms]
reference = "Placebo"
order = ["Placebo", "Active"]
[populations]
FAS = "FASFL"
default = "FAS"
[[comparisons]]
treatment = "Active"
horizon = 6
[endpoints.alsfrs]
method = "mmrm"
dataset = "ADQS"
paramcd = "ALSFRSR"
covariates = ["LEADRATE"]
[endpoints.survival]
method = "time_to_event"
dataset = "ADTTE"
paramcd = "DEATH"
"""
ADSL = """\
USUBJID,TRT01P,TRT01A,FASFL,LEADRATE,TRTSDT
01,Placebo,Placebo,Y,0.8,2024-01-01
02,Active,Active,Y,1.1,2024-01-01
03,Active,Active,Y,,2024-01-02
"""
ADQS = """\
USUBJID,PARAMCD,PARAM,AVISIT,AVISITN,ADT,AVAL,BASE,CHG,ABLFL
01,ALSFRSR,ALSFRS-R Total,Baseline,0,2024-01-01,40,40,,Y
01,ALSFRSR,ALSFRS-R Total,Month 6,6,2024-07-01,35,40,-5,
02,ALSFRSR,ALSFRS-R Total,Baseline,0,2024-01-01,42,42,,Y
02,ALSFRSR,ALSFRS-R Total,Month 6,6,2024-07-01,41,42,-1,
03,ALSFRSR,ALSFRS-R Total,Baseline,0,2024-01-02,39,39,,Y
"""
ADTTE = """\
USUBJID,PARAMCD,PARAM,AVAL,CNSR
01,DEATH,Time to death (days),180,1
02,DEATH,Time to death (days),170,0
03,DEATH,Time to death (days),20,1
"""
