"""A small trial built so that faults show: a missing value in every column, a record on every boundary, ties of every sort,
a blank and an unknown word in every coded column, an arm of one subject. ``tests/built/test_built.py`` holds it to that.

Thirty-eight subjects, four arms, visits at months 3, 6, 9 and 12. Numbers are small integers or eighths, so that sums are
exact and ties are ties. Nothing is drawn at random: the same files every time.

Boundaries on purpose: B-05 and B-17 have their event on the very day of a horizon (183 is month 6, 365 month 12), B-06 and
B-18 one day after it; B-09 is followed to exactly day 183; LEADRATE of B-08 is the mean; BLNFL of B-10 is the cut 52; changes
of exactly -3 (the responder threshold) stand in every arm; a value of NfL is exactly the limit of quantification; an adverse
event begins on the day of the first dose, one the day before.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

ARMS = ("Placebo", "Low", "High", "Solo")
VISITS = (3, 6, 9, 12)
FIRST_DOSE = date(2021, 3, 1)
DAY = {3: 91, 6: 183, 9: 274, 12: 365}  # of visits: months of 30.4375 days, rounded half away from zero
LLOQ = 10.0
CUT_NFL = 52.0
THRESHOLD = -3

STUDY = """
schema = 1

[study]
id = "BUILT01"
title = "Built trial: boundaries, ties, missing values"
synthetic = true

[arms]
reference = "Placebo"
order = ["Placebo", "Low", "High", "Solo"]
labels = { "Low" = "two doses", "High" = "five doses" }
doses = { "Placebo" = 0, "Low" = 2, "High" = 5, "Solo" = 7 }

[populations]
FAS = "FASFL"
PP = "PPROTFL"
Safety = "SAFFL"
default = "FAS"

[visits]
unit = "month"
baseline = 0

[[comparisons]]
name = "Low-M6"
treatment = "Low"
horizon = 6
primary = true
[[comparisons]]
name = "High-M12"
treatment = "High"
horizon = 12
primary = true
[[comparisons]]
name = "Solo-M6"
treatment = "Solo"
horizon = 6

[endpoints.alsfrs]
title = "ALSFRS-R total score"
method = "mmrm"
covariance = "cs"
dataset = "ADQS"
paramcd = "ALSFRSR"
covariates = ["LEADRATE"]
better = "higher"
level = "secondary"
[endpoints.nfl]
title = "Serum NfL"
method = "ancova"
scale = "log"
dataset = "ADLB"
paramcd = "NFL"
covariates = ["LEADRATE"]
better = "lower"
lloq = 10
[endpoints.cafs]
title = "CAFS (joint rank)"
method = "joint_rank"
function = "alsfrs"
event = { dataset = "ADTTE", paramcd = "DTHPAV" }
covariates = ["LEADRATE", "ONSETSIT"]
strata = ["ONSETSIT"]
better = "higher"
level = "primary"
[endpoints.alsfrs_ancova]
title = "ALSFRS-R total score by visit"
method = "ancova"
dataset = "ADQS"
paramcd = "ALSFRSR"
covariates = ["LEADRATE", "ONSETSIT"]
better = "higher"
[endpoints.alsfrs_slope]
title = "ALSFRS-R slope"
method = "slope"
dataset = "ADQS"
paramcd = "ALSFRSR"
covariates = ["LEADRATE"]
better = "higher"
[endpoints.survival]
title = "Death or permanent ventilation"
method = "time_to_event"
dataset = "ADTTE"
paramcd = "DTHPAV"
strata = ["ONSETSIT"]
covariates = ["LEADRATE"]
better = "higher"
[endpoints.responder]
title = "Loss of fewer than 4 points"
method = "responder"
dataset = "ADQS"
paramcd = "ALSFRSR"
threshold = -3
worsening = -6
event = { dataset = "ADTTE", paramcd = "DTHPAV" }
better = "higher"
[endpoints.stages]
title = "King's and MiToS stages"
method = "staging"
dataset = "ADQS"
event = { dataset = "ADTTE", paramcd = "DTHPAV" }
[endpoints.ae]
title = "Adverse events"
method = "incidence"
dataset = "ADAE"
population = "Safety"
better = "lower"
[endpoints.baseline]
title = "Baseline characteristics"
method = "baseline"
dataset = "ADSL"
covariates = ["AGE", "SEX", "ONSETSIT", "RILUFL", "LEADRATE", "BLALSFR", "BLNFL"]

[[subgroups]]
name = "slow"
label = "Slow progressors"
where = "LEADRATE <= mean(LEADRATE)"
prespecified = false
rationale = "announced after the primary analysis"
[[subgroups]]
name = "nfl_low"
label = "Baseline NfL below 52 pg/mL"
where = "BLNFL < 52"
prespecified = false
[[subgroups]]
name = "limb"
label = "Limb onset"
where = "ONSETSIT == 'LIMB'"
prespecified = true
"""

SUBJECTS = tuple(f"B-{i:02d}" for i in range(1, 39))
NOT_RANDOMISED = "B-37"  # a screen failure: no arm, no flag
OUTSIDE_FAS = {"B-13": "N", "B-26": "", "B-37": "", "B-38": "U"}
SWITCHED = {"B-01": "High"}  # planned Placebo, got High
MISSING_RATE, MEAN_RATE = "B-11", "B-08"
SOLO = "B-20"


def planned(i: int) -> str:
    """Arms turn by turn, so that the order of subjects is not that of arms."""
    subject = SUBJECTS[i]
    return "" if subject == NOT_RANDOMISED else "Solo" if subject == SOLO else ARMS[(i * 2 + i // 3) % 3]


def rate(i: int) -> float | None:
    """Eighths around one; the mean over the analysis set is exactly 1, that of B-08. Outside the set they lie far off."""
    subject = SUBJECTS[i]
    if subject == MISSING_RATE:
        return None
    if subject in OUTSIDE_FAS:
        return 9.0
    inside = [s for s in SUBJECTS if s not in OUTSIDE_FAS and s not in (MISSING_RATE, MEAN_RATE)]
    if subject == MEAN_RATE:
        return 1.0
    k = inside.index(subject)
    step = 1 + (k // 2) * 5 % 4
    return 1.0 + (step if k % 2 else -step) / 8 if not (k == len(inside) - 1 and len(inside) % 2) else 1.0


def onset(i: int) -> str:
    return {9: "", 21: "UNKNOWN"}.get(i, "BULBAR" if i % 4 == 1 else "LIMB")


def base(i: int) -> int | None:
    return None if SUBJECTS[i] == "B-15" else 32 + i * 5 % 14


def change(i: int, visit: int) -> int | None:
    """Losses that grow with rate and time, less in the higher arms; None where the record is not there or has no value."""
    subject = SUBJECTS[i]
    if subject == "B-02" or (subject == "B-06" and visit > 3) or (subject == "B-14" and visit == 6) or base(i) is None:
        return None
    if visit > last_visit(i):
        return None
    gain = {"Placebo": 0, "Low": 1, "High": 2, "Solo": 1, "": 0}[planned(i)]
    return gain * visit // 12 - round((rate(i) if rate(i) not in (None, 9.0) else 1.0) * visit / 2) - (i * 7 + visit) % 5  # type: ignore[operator]


# Event or last contact, day and CNSR. None: no record; a blank CNSR or AVAL too.
TIMES: dict[str, tuple[int | None, int | None] | None] = {
    "B-05": (183, 0),
    "B-06": (184, 0),
    "B-09": (183, 1),
    "B-12": (150, 0),
    "B-16": (150, 0),
    "B-17": (365, 0),
    "B-18": (366, 0),
    "B-19": None,
    "B-22": (100, 0),
    "B-23": (100, 1),
    "B-24": (None, 1),
    "B-25": (200, None),
    "B-29": (1, 0),
    "B-31": (300, 0),
    "B-33": (92, 1),
}


def last_visit(i: int) -> int:
    """The last visit a subject can have been seen at."""
    found = TIMES.get(SUBJECTS[i], (400, 1))
    day = 400 if found is None or found[0] is None else found[0]
    return max((v for v in (0, *VISITS) if DAY.get(v, 0) <= day), default=0)


def _iso(day: int) -> str:
    return (FIRST_DOSE + timedelta(days=day - 1)).isoformat()


def adsl() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for i, subject in enumerate(SUBJECTS):
        arm = planned(i)
        last = TIMES.get(subject, (400, 1))
        end = 400 if last is None or last[0] is None else last[0]
        rows.append(
            {
                "STUDYID": "BUILT01",
                "USUBJID": subject,
                "SITEID": "" if i == 30 else f"{1 + i % 3:02d}",
                "TRT01P": arm,
                "TRT01A": SWITCHED.get(subject, arm),
                "FASFL": OUTSIDE_FAS.get(subject, "Y"),
                "PPROTFL": "" if i == 4 else "U" if i == 5 else "N" if i % 9 == 0 or subject in OUTSIDE_FAS else "Y",
                "SAFFL": "" if subject == NOT_RANDOMISED else "U" if subject == "B-34" else "N" if subject == "B-35" else "Y",
                "AGE": "" if i == 3 else 45 + i * 3 % 30,
                "SEX": "" if i == 6 else "U" if i == 7 else "FM"[i % 2],
                "ONSETSIT": onset(i),
                "RILUFL": "" if i == 8 else "UNK" if i == 10 else "YN"[i % 3 == 0],
                "LEADRATE": "" if rate(i) is None else rate(i),
                "BLALSFR": "" if base(i) is None else base(i),
                "BLNFL": "" if i in (2, 12, 27) else CUT_NFL if i == 9 else 40 + i * 11 % 31,
                "TRTSDT": "" if i == 36 else _iso(1),
                "TRTEDT": "" if i in (32, 36) else _iso(1) if i == 28 else _iso(min(end, 330)),
                "DTHFL": "" if i == 31 else "U" if i == 29 else "Y" if subject in ("B-05", "B-12", "B-22") else "N",
            }
        )
    return rows


ITEMS = (*(f"ALSFR{n:02d}" for n in range(1, 5)), "ALSFR05A", "ALSFR05B", *(f"ALSFR{n:02d}" for n in range(6, 13)))


def items(i: int, visit: int) -> dict[str, int | None]:
    """Items that bring every King's and MiToS stage and their thresholds (4, 3, 1, 0) about; 5b is a gastrostomy."""
    found: dict[str, int | None] = {}
    for k, code in enumerate(ITEMS):
        found[code] = max(0, 4 - (i + k + visit // 3) % 6 + (2 if i % 5 == 0 else 0)) if i % 7 else 4
        found[code] = min(4, found[code] or 0)
    tube = i % 6 == 5
    found["ALSFR05A" if tube else "ALSFR05B"] = None
    if i == 16 and visit == 6:
        found["ALSFR08"] = None
    return found


def adqs() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for i, subject in enumerate(SUBJECTS):
        if subject == NOT_RANDOMISED:
            continue
        for visit in (0, *VISITS):
            b, c = base(i), 0 if visit == 0 else change(i, visit)
            if visit and (visit > last_visit(i) or subject == "B-02"):
                continue
            gone = c is None or (b is None and visit == 0)
            value = "" if gone else (b or 38) + (c or 0)
            if b is None and visit:
                value = 38 - visit // 3  # a value, though no baseline
            common = {"USUBJID": subject, "AVISIT": "Baseline" if visit == 0 else f"Month {visit}", "AVISITN": visit}
            day = 1 if visit == 0 else DAY[visit] + (0 if i % 3 else -2)
            dated = {"ADT": "" if (i, visit) == (1, 0) else _iso(day), "ADY": "" if (i, visit) == (2, 3) else day}
            rows.append(
                {**common, **dated, "PARAMCD": "ALSFRSR", "PARAM": "ALSFRS-R Total", "AVAL": value}
                | {"BASE": "" if b is None else b, "CHG": "" if visit == 0 or gone or b is None else c}
                | {"ABLFL": "Y" if visit == 0 else "", "DTYPE": ""}
            )
            if visit in (0, 6, 12):
                for code, found in items(i, visit).items():
                    if found is not None:
                        start = items(i, 0).get(code)
                        rows.append(
                            {**common, **dated, "PARAMCD": code, "PARAM": f"Item {code}", "AVAL": found}
                            | {
                                "BASE": "" if start is None else start,
                                "CHG": "" if start is None or not visit else found - start,
                            }
                            | {"ABLFL": "Y" if visit == 0 else "", "DTYPE": ""}
                        )
    unscheduled = {"USUBJID": "B-01", "PARAMCD": "ALSFRSR", "PARAM": "ALSFRS-R Total", "AVISIT": "Unscheduled", "AVISITN": ""}
    rows.append({**unscheduled, "ADT": _iso(40), "ADY": 40, "AVAL": 30, "BASE": 32, "CHG": -2, "ABLFL": "", "DTYPE": ""})
    return rows


def nfl(i: int, visit: int) -> float | None:
    """NfL: below the limit, at it, zero, missing, and ordinary values that fall in the higher arms."""
    special = {(0, 6): 4.0, (3, 6): LLOQ, (4, 3): 0.0, (5, 0): 8.0, (7, 6): None, (8, 0): LLOQ, (10, 0): None}
    if (i, visit) in special:
        return special[i, visit]
    fall = {"Placebo": 0, "Low": 1, "High": 2, "Solo": 1, "": 0}[planned(i)]
    return 40.0 + i * 11 % 31 + (i + visit) % 5 - fall * visit / 3


def adlb() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for i, subject in enumerate(SUBJECTS):
        if subject == NOT_RANDOMISED:
            continue
        for visit in (0, 3, 6, 12):
            if visit > last_visit(i):
                continue
            start, value = nfl(i, 0), nfl(i, visit)
            rows.append(
                {
                    "USUBJID": subject,
                    "PARAMCD": "NFL",
                    "PARAM": "Neurofilament light (pg/mL)",
                    "AVISIT": "Baseline" if visit == 0 else f"Month {visit}",
                    "AVISITN": visit,
                    "ADY": "" if (i, visit) == (9, 3) else 1 if visit == 0 else DAY[visit],
                    "AVAL": "" if value is None else value,
                    "BASE": "" if start is None else start,
                    "CHG": "" if value is None or start is None or visit == 0 else value - start,
                }
            )
    return rows


def adtte() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for subject in SUBJECTS:
        found = TIMES.get(subject, (400, 1))
        if found is None or subject == NOT_RANDOMISED:
            continue
        day, censored = found
        rows.append(
            {
                "USUBJID": subject,
                "PARAMCD": "DTHPAV",
                "PARAM": "Time to death or permanent ventilation (days)",
                "AVAL": "" if day is None else day,
                "CNSR": "" if censored is None else censored,
            }
        )
    return rows


# Adverse events: subject, class, term, start day, then TRTEMFL AESER AEREL AESEV AEACN AEOUT. Every coded column has each of
# its words, a blank, and a word that is none of its.
AES: tuple[tuple[str, str, str, int | None, str, str, str, str, str, str], ...] = (
    ("B-01", "Nervous", "Headache", 1, "Y", "N", "NOT RELATED", "MILD", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-01", "Nervous", "Headache", 30, "Y", "N", "RELATED", "MODERATE", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-01", "Nervous", "Dizziness", 0, "", "N", "NOT RELATED", "MILD", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-02", "Nervous", "Headache", 5, "Y", "Y", "", "SEVERE", "DRUG WITHDRAWN", "NOT RECOVERED/NOT RESOLVED"),
    ("B-03", "Infections", "Pneumonia", 50, "Y", "", "NOT RELATED", "", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-04", "Infections", "Pneumonia", 60, "Y", "U", "RELATED", "SEVERE", "", "UNKNOWN"),
    ("B-05", "Respiratory", "Respiratory failure", 183, "Y", "Y", "NOT RELATED", "SEVERE", "NOT APPLICABLE", "FATAL"),
    ("B-06", "Respiratory", "Dyspnoea", 20, "Y", "N", "PERHAPS", "MILD", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-07", "Nervous", "Headache", 10, "Y", "Y", "RELATED", "MODERATE", "DRUG WITHDRAWN", "RECOVERED/RESOLVED"),
    ("B-08", "", "Fall", 12, "Y", "N", "NOT RELATED", "TERRIBLE", "DOSE NOT CHANGED", ""),
    ("B-09", "Injury", "", 12, "Y", "N", "NOT RELATED", "MILD", "STOPPED FOR A WHILE", "RECOVERED/RESOLVED"),
    ("B-10", "Injury", "Fall", None, "N", "N", "NOT RELATED", "MILD", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-12", "Respiratory", "Respiratory failure", 150, "Y", "Y", "NOT RELATED", "SEVERE", "NOT APPLICABLE", "FATAL"),
    ("B-20", "Injury", "Fall", 3, "Y", "N", "NOT RELATED", "MILD", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-35", "Injury", "Fall", 3, "Y", "Y", "RELATED", "SEVERE", "DRUG WITHDRAWN", "FATAL"),
    ("B-99", "Injury", "Fall", 3, "Y", "Y", "RELATED", "SEVERE", "DRUG WITHDRAWN", "FATAL"),
    ("B-21", "Infections", "Cystitis", 44, "Y", "N", "UNRELATED", "MILD", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
    ("B-24", "Infections", "Cystitis", 45, "MAYBE", "N", "NOT RELATED", "MILD", "DOSE NOT CHANGED", "RECOVERED/RESOLVED"),
)


def adae() -> list[dict[str, object]]:
    names = ("TRTEMFL", "AESER", "AEREL", "AESEV", "AEACN", "AEOUT")
    return [
        {"USUBJID": subject, "AEBODSYS": soc, "AEDECOD": pt, "ASTDT": "" if day is None else _iso(day)}
        | dict(zip(names, words, strict=True))
        for subject, soc, pt, day, *words in AES
    ]


TABLES = {"adsl": adsl, "adqs": adqs, "adlb": adlb, "adtte": adtte, "adae": adae}


def write(directory: Path) -> list[Path]:
    """The data sets as CSV files in ``directory``."""
    return [write_table(directory / f"{name}.csv", make()) for name, make in TABLES.items()]


def write_table(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def missing(rows: Iterable[dict[str, object]], column: str) -> int:
    """How many rows have nothing in a column."""
    return sum(row[column] == "" for row in rows)
