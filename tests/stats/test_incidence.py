"""Adverse-event counting by hand, on a table small enough to count with a finger, and against a brute-force count of
a trial.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alsbench.stats.errors import StatsError
from alsbench.stats.incidence import (
    ArmCount,
    compare,
    event_rate,
    exposure,
    overview,
    soc_pt_table,
)
from alsbench.stats.proportions import percentage_points

sys.path.insert(0, str(Path(__file__).parent))
from trial_data import REFERENCE

NAN = np.nan

# six subjects, arms 0 0 0 1 1 1; subject 5 has no event
ARM = np.array([0, 0, 0, 1, 1, 1])
SUBJECT = np.array([0, 0, 0, 1, 3, 3, 4, 4])
SOC = ["Nervous", "Nervous", "Infections", "Nervous", "Infections", "Nervous", "Infections", None]
PT = ["Headache", "Headache", "Cold", "Dizziness", "Cold", "Headache", "Influenza", "Odd"]


def test_soc_pt_table_by_hand() -> None:
    rows = soc_pt_table(SUBJECT, SOC, PT, ARM, 2)
    table = [(r.level, r.soc, r.pt, [a.subjects for a in r.arms], [a.events for a in r.arms], r.total.subjects) for r in rows]
    assert table == [
        ("any", "", "", [2, 2], [4, 4], 4),
        # Infections and Nervous both have three subjects: alphabetical
        ("soc", "Infections", "", [1, 2], [1, 2], 3),
        ("pt", "Infections", "Cold", [1, 1], [1, 1], 2),
        ("pt", "Infections", "Influenza", [0, 1], [0, 1], 1),
        ("soc", "Nervous", "", [2, 1], [3, 1], 3),
        ("pt", "Nervous", "Headache", [1, 1], [2, 1], 2),
        ("pt", "Nervous", "Dizziness", [1, 0], [1, 0], 1),
        ("soc", "Uncoded", "", [0, 1], [0, 1], 1),
        ("pt", "Uncoded", "Odd", [0, 1], [0, 1], 1),
    ]
    assert rows[0].arms[0].n == 3
    assert rows[0].arms[0].percent == pytest.approx(200 / 3)
    assert rows[0].total.n == 6


def test_overview_by_hand_with_missing_flags() -> None:
    rows = overview(
        SUBJECT,
        ARM,
        2,
        emergent=[1, 1, 1, 1, 1, 1, 0, NAN],
        related=[0, 0, 0, NAN, 0, 1, 1, 0],
        severe=[0, 0, 0, 0, 1, 0, 1, NAN],
        serious=[0, 0, 0, 1, 0, NAN, 1, 0],
        discontinued=[0, 0, 0, 0, 1, NAN, 0, 0],
        fatal=[0] * 8,
    )
    counts = {r.category: [a.subjects for a in r.arms] for r in rows}
    assert counts == {
        "any": [2, 2],
        "related": [1, 1],  # subject 1 by missing relatedness; subject 4's related event is not treatment-emergent
        "severe": [0, 2],  # subject 4 by missing severity of an event of unknown emergence
        "serious": [1, 1],  # subject 3 by a missing seriousness: what is not known counts as the worst
        "related serious": [1, 1],
        "leading to discontinuation": [0, 1],
        "fatal": [0, 0],
    }
    assert [a.events for a in rows[0].arms] == [4, 3]
    assert rows[0].total == ArmCount(4, 6, 7)


def test_no_events() -> None:
    nobody = np.array([], dtype=np.int64)
    rows = soc_pt_table(nobody, [], [], ARM, 2)
    assert len(rows) == 1
    assert rows[0].total == ArmCount(0, 6, 0)
    difference = compare(*rows[0].arms[::-1])
    assert difference.treated_zero is not None
    assert difference.treated_zero.one_sided == pytest.approx(1 - 0.05 ** (1 / 3))
    assert difference.reference_zero is not None


def test_compare_is_newcombe_of_the_subjects() -> None:
    treated, reference = ArmCount(9, 10, 30), ArmCount(3, 10, 3)
    ours = compare(treated, reference)
    assert ours.difference == percentage_points(9, 10, 3, 10)
    assert ours.treated_zero is None


def test_exposure_and_rates_by_hand() -> None:
    e = exposure([365.25, 730.5, NAN], [2, 5, 2])
    assert (e.n, e.n_missing, e.person_years) == (2, 1, 3.0)
    assert (e.doses.mean, e.days.max) == (3.0, 730.5)
    assert event_rate(ArmCount(2, 3, 6), e).estimate == pytest.approx(200.0)
    with pytest.raises(StatsError, match="exposure"):
        event_rate(ArmCount(0, 0, 0), exposure([]))
    with pytest.raises(StatsError, match="negative"):
        exposure([-1.0, NAN])


def test_strangers_are_refused() -> None:
    with pytest.raises(StatsError, match="outside the population"):
        soc_pt_table(np.array([6]), ["A"], ["B"], ARM, 2)
    with pytest.raises(StatsError, match="no arm"):
        soc_pt_table(SUBJECT, SOC, PT, np.array([0, 0, 0, 1, 1, -1]), 2)


def test_a_whole_trial_against_counting_by_data_frame() -> None:
    """als-ref-2: counts and order against pandas groupby, an independent way of counting."""
    adsl = pd.read_csv(REFERENCE / "als-ref-2/adsl.csv")
    adae = pd.read_csv(REFERENCE / "als-ref-2/adae.csv", keep_default_na=False)
    arms = ["Placebo", "Drug 10 mg", "Drug 20 mg", "Drug 40 mg"]
    position = {s: i for i, s in enumerate(adsl.USUBJID)}
    subject = np.array([position[s] for s in adae.USUBJID])
    arm = np.array([arms.index(a) for a in adsl.TRT01A])
    rows = soc_pt_table(subject, list(adae.AEBODSYS), list(adae.AEDECOD), arm, 4)
    by_soc = adae.groupby("AEBODSYS").USUBJID.nunique()
    assert [r.soc for r in rows if r.level == "soc"] == sorted(by_soc.index, key=lambda s: (-by_soc[s], s))
    by_pt = adae.groupby(["AEBODSYS", "AEDECOD", "TRT01A"]).USUBJID.agg(["nunique", "size"])
    seen = 0
    for r in rows:
        for name, count in zip(arms, r.arms, strict=True):
            if r.level == "pt" and count.events:
                assert (count.subjects, count.events) == tuple(by_pt.loc[r.soc, r.pt, name])
                seen += 1
    assert seen == len(by_pt)
    lines = overview(
        subject,
        arm,
        4,
        related=(adae.AEREL != "NOT RELATED").astype(float),
        severe=(adae.AESEV == "SEVERE").astype(float),
        serious=(adae.AESER == "Y").astype(float),
        discontinued=(adae.AEACN == "DRUG WITHDRAWN").astype(float),
        fatal=np.zeros(len(adae)),
    )
    found = {r.category: r.total.subjects for r in lines}
    assert found["any"] == adae.USUBJID.nunique()
    assert found["related"] == adae[adae.AEREL != "NOT RELATED"].USUBJID.nunique()
    assert found["severe"] == adae[adae.AESEV == "SEVERE"].USUBJID.nunique()
    assert found["related serious"] == adae[(adae.AESER == "Y") & (adae.AEREL != "NOT RELATED")].USUBJID.nunique()
