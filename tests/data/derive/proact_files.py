"""Synthetic files in PRO-ACT's shape, with every quirk its importer has rules for. No real data."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ALSFRS = (
    "subject_id",
    *("Q1_Speech", "Q2_Salivation", "Q3_Swallowing", "Q4_Handwriting"),
    *("Q5a_Cutting_without_Gastrostomy", "Q5b_Cutting_with_Gastrostomy"),
    *("Q6_Dressing_and_Hygiene", "Q7_Turning_in_Bed", "Q8_Walking", "Q9_Climbing_Stairs", "Q10_Respiratory"),
    *("ALSFRS_Delta", "ALSFRS_Total", "ALSFRS_R_Total"),
    *("R_1_Dyspnea", "R_2_Orthopnea", "R_3_Respiratory_Insufficiency"),
)
Row = Sequence[object]
Files = dict[str, tuple[Sequence[str], list[Row]]]


def revised(subject: int, day: object, score: int, total: object = None, *, five: tuple[object, object] | None = None) -> Row:
    """An ALSFRS-R administration with every item at ``score``."""
    a, b = (score, None) if five is None else five
    return (subject, *[score] * 4, a, b, *[score] * 4, None, day, None, 12 * score if total is None else total, *[score] * 3)


def original(subject: int, day: object, score: int) -> Row:
    """An administration of the ten-item ALSFRS with every item at ``score``."""
    return (subject, *[score] * 4, score, None, *[score] * 5, day, 10 * score, None, None, None, None)


def quirks() -> Files:
    """Subjects 1-12, each with its own quirk; see the tests for who has which."""
    alsfrs: list[Row] = [
        revised(1, -40, 4), revised(1, -5, 4), revised(1, 5, 3), revised(1, 31, 3), revised(1, 29, 2), revised(1, 61, 2),
        revised(2, 0, 4), revised(2, 0, 4), revised(2, 30, 3),
        revised(3, 0, 4), revised(3, 30, 3), revised(3, 30, 2), revised(3, 60, 2),
        revised(4, 0, 4), revised(4, 30, 3, five=(3, 3)), revised(4, 60, 3, five=(None, 3)),
        original(5, 0, 4), original(5, 30, 3),
        revised(6, 0, 4), revised(6, 90, 2),
        revised(7, 10, 4), revised(7, 60, 3),
        revised(8, 0, 4, 40), revised(8, 30, 3),
        (9, *[4] * 4, 4, None, *[4] * 4, None, 0, None, 48, 4, 4, None), revised(9, 30, 3),
        (10, *[None] * 11, 0, None, 44, None, None, None), (10, *[None] * 11, 30, None, 40, None, None, None),
        revised(11, None, 4), revised(11, 0, 4), (11, 7, *[4] * 3, 4, None, *[4] * 4, None, 30, None, None, 4, 4, 4),
        revised(12, 0, 4), revised(12, 30, 4),
    ]  # fmt: skip
    fvc_columns = (
        *("subject_id", "Subject_Liters_Trial_1", "Subject_Liters_Trial_2", "Subject_Liters_Trial_3"),
        *("pct_of_Normal_Trial_1", "pct_of_Normal_Trial_2", "pct_of_Normal_Trial_3"),
        *("Subject_Normal", "Forced_Vital_Capacity_Delta"),
    )
    svc_columns = (
        *("subject_id", "Subject_Liters_Trial_1", "Subject_Liters__Trial_2_", "Subject_Liters__Trial_3_"),
        *("pct_of_Normal_Trial_1", "Subject_Normal", "Slow_vital_Capacity_Delta"),
    )
    return {
        "ALSFRS": (ALSFRS, alsfrs),
        "FVC": (
            fvc_columns,
            [
                (1, 2, 3, 2.5, None, None, None, 4, 0),
                (1, 2, 2.2, None, 50, 60, 55, 4, 30),
                (2, 4, None, None, 80, None, None, 0, 0),
            ],
        ),
        "SVC": (svc_columns, [(2, 2, 2.4, 2.2, None, 4, 0), (2, 2, None, None, 51, 4, 31)]),
        "ALSHISTORY": (
            ("subject_id", "Site_of_Onset", "Onset_Delta", "Diagnosis_Delta"),
            [
                (1, None, -730.5, None),
                (1, "Onset: Bulbar", None, -365.25),
                (2, "Onset: Limb", -20, -10),
                (2, "Onset: Other", None, None),
            ],
        ),
        "DEMOGRAPHICS": (
            ("subject_id", "Age", "Date_of_Birth", "Sex", "Race_Asian", "Race_Caucasian", "Race_Other_Specify"),
            [
                (1, 63, None, "Male", None, 1, None),
                (2, None, -20440, "Female", 1, 1, None),
                (3, 55, None, "Female", None, None, None),
            ],
        ),
        "DEATHDATA": (
            ("subject_id", "Subject_Died", "Death_Days"),
            [(6, "Yes", 80), (3, "Yes", None), (2, "No", None), (8, "Yes", 100), (8, "Yes", 120)],
        ),
        "TREATMENT": (
            ("subject_id", "Study_Arm", "Treatment_Group_Delta"),
            [
                *((s, "Active" if s % 2 else "Placebo", 0) for s in range(1, 10)),
                (10, "Active", 5),
                (11, "Active", 0),
                (11, "Placebo", 0),
            ],
        ),
        "RILUZOLE": (("subject_id", "Subject_used_Riluzole", "Riluzole_use_Delta"), [(1, "Yes", 0), (2, "No", 0)]),
        "LABS": (
            ("subject_id", "Test_Name", "Test_Result", "Laboratory_Delta"),
            [(1, "Sodium", "140", 200), (6, "Sodium", "140", 300)],
        ),
        "VITALSIGNS": (("subject_id", "Pulse", "Vital_Signs_Delta"), [(2, 70, 45)]),
        "ADVERSEEVENTS": (
            (
                "subject_id",
                "Lowest_Level_Term",
                "Preferred_Term",
                "System_Organ_Class",
                "Severity",
                "Start_Date_Delta",
                "End_Date_Delta",
            ),
            [
                (1, "Fell", "Fall", "Injury", "MILD", 10, 10),
                (1, "Fell", "Fall", "Injury", "MILD", 10, 10),
                (10, "Cough", "Cough", "Respiratory", "MILD", 3, 9),
                (10, "Itch", "Pruritus", "Skin", "MILD", 5, 6),
                (10, "Cold", "Nasopharyngitis", "Infections", None, None, None),
            ],
        ),
    }


def whole_trial(n: int = 120, seed: int = 5) -> Files:
    """A trial without quirks, large enough for models: monthly ALSFRS-R with items that sum to it, FVC, deaths."""
    draw = np.random.default_rng(seed)
    files: Files = {name: (columns, []) for name, (columns, _) in quirks().items() if name not in ("LABS", "VITALSIGNS", "SVC")}
    for s in range(1, n + 1):
        arm = "Active" if s % 3 else "Placebo"
        slope, level = draw.normal(1.0, 0.4), draw.normal(38, 3)
        died = int(draw.integers(150, 400)) if draw.random() < 0.2 else None
        files["TREATMENT"][1].append((s, arm, 0))
        files["DEATHDATA"][1].append((s, "Yes" if died else "No", died))
        files["DEMOGRAPHICS"][1].append((s, int(draw.integers(35, 75)), None, "Male", None, 1, None))
        files["ALSHISTORY"][1].append(
            (s, "Onset: Bulbar" if draw.random() < 0.3 else "Onset: Limb", -int(draw.integers(200, 900)), None)
        )
        files["RILUZOLE"][1].append((s, "Yes", 0))
        files["ADVERSEEVENTS"][1].append((s, "Fell", "Fall", "Injury", "MILD", 10, 10))
        for month in range(7):
            day = round(month * 30.4375) + int(draw.integers(-3, 4))
            if died and day > died:
                break
            total = int(np.clip(round(level - slope * month + draw.normal(0, 1)), 0, 48))
            items = [total // 12 + (i < total % 12) for i in range(12)]
            row = (s, *items[:4], items[4], None, *items[5:9], None, day, None, total, *items[9:])
            files["ALSFRS"][1].append(row)
            files["FVC"][1].append((s, 3.0, None, None, 85 - 2.5 * month + round(draw.normal(0, 3), 1), None, None, 3.5, day))
    return files


def write(folder: Path, files: Files, *, style: str = "new") -> Path:
    """``new``: F_PROACT_ALSFRS.csv; ``proact``: PROACT_ALSFRS.csv; ``old``: alsfrs.csv."""
    folder.mkdir(parents=True)
    for name, (columns, rows) in files.items():
        file = {"new": f"F_PROACT_{name}.csv", "proact": f"PROACT_{name}.csv", "old": f"{name.lower()}.csv"}[style]
        with (folder / file).open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(columns)
            writer.writerows([["" if v is None else v for v in row] for row in rows])
    return folder
