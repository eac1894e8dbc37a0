"""Cells of the evidence on the built trial: which side is better, the null value, and what is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.built.counted import ADSL, number, of

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.gates import Gate, _verdict, gates
from alsbench.analysis.question import Question
from alsbench.analysis.roster import ALL_ARMS, arm_counts, discontinued
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.data.frames import Frame
from alsbench.study.model import Hypothesis, Multiplicity

# endpoint: the statistic shown, and whether a larger one is better for the treated
SIDES = {
    "alsfrs": ("difference", True),
    "alsfrs_ancova": ("difference", True),
    "alsfrs_slope": ("difference", True),
    "cafs": ("difference", True),
    "nfl": ("ratio", False),
    "survival": ("hazard_ratio", False),
}


@pytest.mark.parametrize("name", SIDES)
def test_the_better_side_of_a_contrast(built_trial: Source, name: str) -> None:
    """A lower NfL and a lower hazard are better, a higher score, slope and rank; a ratio is compared with 1, else with 0."""
    statistic, upward = SIDES[name]
    null = 0.0 if statistic == "difference" else 1.0
    result = answer(Question(name), built_trial)
    judged = 0
    for cell in evidence_piece(built_trial, built_trial.endpoint(name), "overall", built_trial.study.comparisons).cells:
        assert cell.ratio == (statistic != "difference")
        if cell.estimate is None:
            assert cell.favourable is None and cell.error
            continue
        judged += 1
        at = {"context": "contrast", "treatment": cell.treatment, "subgroup": "overall", "level": None}
        if cell.visit_number is not None:
            at["visit_number"] = cell.visit_number
        assert cell.estimate == number(result, statistic, **at)
        assert cell.favourable == ((cell.estimate > null) == upward)
        assert cell.n == len(of("overall"))
    assert judged >= 2


def test_a_gate_is_of_the_whole_trial(built_trial: Source) -> None:
    """A subgroup is never confirmed by a hypothesis of the plan, whatever its p: at most nominal."""
    cell = evidence_piece(built_trial, built_trial.endpoint("nfl"), "overall", built_trial.study.comparisons[:1]).cells[0]
    gate = Gate("H1", cell.endpoint, cell.comparison, 0.01, 0.02, rejected=True)
    found = {(cell.endpoint, cell.comparison): gate}
    small = replace(cell, p=0.01)
    assert (_verdict(small, found, 0.05).verdict, _verdict(small, found, 0.05).p_adjusted) == ("rejected", 0.02)
    told = _verdict(replace(small, subgroup="slow"), found, 0.05)
    assert (told.verdict, told.p_adjusted) == ("nominal", None)
    held = {key: replace(gate, rejected=False) for key in found}
    assert _verdict(replace(cell, p=0.2), held, 0.05).verdict == "not rejected"
    assert _verdict(replace(cell, p=0.05, subgroup="slow"), found, 0.05).verdict is None  # below the level, not at it


def test_a_p_of_exactly_alpha_rejects(trial: Source) -> None:
    """A test of level alpha rejects at p <= alpha."""
    piece = evidence_piece(trial, trial.endpoint("nfl"), "overall", trial.comparisons(("G2-M12",)))
    p = piece.cells[0].p
    assert p is not None and 0 < p < 1
    for alpha, rejected in ((p, True), (p * (1 - 1e-9), False)):
        plan = Multiplicity(method="fixed_sequence", alpha=alpha, hypotheses=(Hypothesis(endpoint="nfl", comparison="G2-M12"),))
        source = replace(trial, study=trial.study.model_copy(update={"multiplicity": plan}))
        assert [g.rejected for g in gates(source)] == [rejected]


def test_deaths_are_counted_at_their_worst(built_trial: Source) -> None:
    """A word of DTHFL that is no yes and no no counts as a death, and is named."""
    no = {"", "N"}
    dead = {s: ADSL.DTHFL.fillna("")[s] not in no for s in ADSL.index}
    found = {c.arm: c.deaths for c in arm_counts(built_trial)}
    for arm in ("Placebo", "Low", "High"):
        assert found[arm] == sum(dead[s] for s in ADSL.index if ADSL.TRT01P[s] == arm), arm
    assert {str(w) for w in ADSL.DTHFL.dropna()} - {"Y", "N"}


def test_everybody_who_was_randomised(built_trial: Source) -> None:
    """By arm and in all: whoever has an arm of the study."""
    counts = {c.arm: c for c in arm_counts(built_trial)}
    arms = ADSL.TRT01P[ADSL.TRT01P != ""].value_counts().to_dict()
    assert {arm: c.randomised for arm, c in counts.items() if arm != ALL_ARMS} == arms
    assert counts[ALL_ARMS].randomised == sum(arms.values()) == 37
    assert counts[ALL_ARMS].deaths == sum(c.deaths or 0 for arm, c in counts.items() if arm != ALL_ARMS)


def test_a_blank_status_is_no_discontinuation(built_trial: Source) -> None:
    """EOSSTT: completed, ongoing and blank are not; discontinued is, and an unknown word is counted at its worst."""
    words = ["COMPLETED", "ONGOING", "", "DISCONTINUED", "WITHDRAWN BY SUBJECT", "FINIS"]
    given = [words[i % len(words)] for i in range(len(built_trial.subjects))]
    columns = {n: built_trial.subjects[n] for n in built_trial.subjects.names} | {"EOSSTT": np.array(given, dtype=object)}
    source = replace(built_trial)
    source.__dict__["subjects"] = Frame(columns, dict(built_trial.subjects.kinds))
    left = discontinued(source)
    assert left is not None and left.tolist() == [w in words[3:] for w in given]
