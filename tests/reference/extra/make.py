"""Writes the small awkward trial of this folder: three arms of 6 to 12, dropout, gaps, a missing covariate, a subject without
a baseline, one never seen again, ties, events and long numbers as sites.

Run ``python make.py``, then ``Rscript answers.R``, in this folder.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
ARMS = ("Placebo", "Low", "High")
rng = np.random.default_rng(20240229)
n, visits = 30, (4, 8, 12)
arm = np.array([0] * 12 + [1] * 6 + [2] * 12)
rate = np.round(rng.normal(1.0, 0.4, n), 2)
site = rng.choice([1000001, 1000002, 1000003], n)
onset = rng.choice(["BULBAR", "LIMB"], n, p=[0.3, 0.7])
base = np.round(rng.normal(38, 4, n))
ids = [f"T-{i + 1:02d}" for i in range(n)]
subjects = pd.DataFrame({"USUBJID": ids, "TRT01P": [ARMS[a] for a in arm], "TRT01A": [ARMS[a] for a in arm]})
subjects["FASFL"] = ["N" if i == 29 else "Y" for i in range(n)]
subjects["RATE"], subjects["SITEN"], subjects["ONSET"], subjects["BLALS"] = rate, site, onset, base
subjects.loc[7, "RATE"] = np.nan
intercept, slope = rng.normal(0, 1, n), rng.normal(-0.35 + 0.08 * arm, 0.15)
stay = rng.choice([12, 12, 12, 12, 8, 4], n)
stay[:3] = stay[12:15] = stay[18:21] = 12
stay[4] = 0
days = np.ceil(rng.exponential(140 + 40 * arm, n)).clip(20)
event = (days < 120) & (rng.random(n) < 0.7)
rows = []
for i in range(n):
    for week in (0, *visits):
        if week > stay[i] or (week == 4 and i in (10, 22)):
            continue
        day = 1 + 7 * week + int(rng.integers(-3, 4)) * (week > 0)
        if event[i] and day > days[i]:
            continue
        value = base[i] if week == 0 else np.round(base[i] + intercept[i] + slope[i] * week + rng.normal(0, 1.2), 0)
        label = f"Week {week}" if week else "Baseline"
        rows.append((ids[i], "ALS", label, week, value, base[i], value - base[i], day))
records = pd.DataFrame(rows, columns=["USUBJID", "PARAMCD", "AVISIT", "AVISITN", "AVAL", "BASE", "CHG", "ADY"])
lost = records.USUBJID.eq(ids[15])
records.loc[lost, ["BASE", "CHG"]] = np.nan
followed = np.where(event, days, days.clip(max=90))
times = pd.DataFrame({"USUBJID": ids, "PARAMCD": "EVT", "AVAL": followed, "CNSR": np.where(event, 0, 1)})
for name, table in (("adsl", subjects), ("adqs", records), ("adtte", times)):
    table.insert(0, "STUDYID", "AWKWARD")
    table.to_csv(HERE / f"{name}.csv", index=False)
