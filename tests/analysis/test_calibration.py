"""Trials of known truth: the short cuts reach what judging every finding in full reaches, a run that is broken off goes on, and
marks are met as METHODS says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.shell import run_here

from alsbench.analysis import calibration
from alsbench.analysis.calibration import (
    HOLDS,
    IN_THIS,
    OPEN,
    TRUTHS,
    CalibrationTrial,
    Reached,
    Truth,
    calibration_trial,
    judged_trial,
    simulated,
)
from alsbench.analysis.calibration_file import CalibrationFile
from alsbench.analysis.calibration_marks import MARKS, Mark, Operating, operating_characteristics
from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.scrutiny.bottom_line import judged
from alsbench.analysis.scrutiny.finding import asked
from alsbench.analysis.search import WholeSearch, share
from alsbench.analysis.search_table import late_interactions
from alsbench.errors import DataError

DRAWS = 255


@pytest.mark.parametrize(("seed", "highest"), [(2, HOLDS), (8, IN_THIS)])
def test_nothing_is_missed_by_what_is_not_computed(seed: int, highest: int, tmp_path: Path) -> None:
    """Every finding with a p of the search of at most 0.15 judged in full, one by one: the highest level of each endpoint is
    the one that the quick way reaches."""
    slow = simulated(TRUTHS["slow"], seed, tmp_path)
    quick = judged_trial(slow, seed, DRAWS)
    search = WholeSearch(slow, seed=seed)
    gatherer = calibration._Drawn(search, search.run([np.arange(len(search.places))], DRAWS)[0][:, 0], DRAWS)
    late = late_interactions(search, DRAWS)
    t, p = search.observed
    found: dict[str, int] = {}
    judgements = 0
    for i, place in enumerate(search.places):
        upward = 1.0 if higher_is_better(place.endpoint) else -1.0
        if place.definition == "overall" or not (p[i] <= 0.05 and t[i] * upward > 0):
            continue
        if share(gatherer.smallest, float(p[i])).p > 0.15:
            continue
        finding = asked(slow, place.definition, endpoint=place.endpoint.name, comparisons=(place.comparison.name,))
        made = judged(finding, finding.comparisons[0], None if place.at_horizon else place.visit, gatherer)
        level = {"holds up, post hoc": HOLDS, "worth a new trial": IN_THIS if "in this" in made.where else OPEN}.get(
            made.level, 0
        )
        found[place.endpoint.name] = max(level, found.get(place.endpoint.name, 0))
        judgements += 1
        if not place.at_horizon:
            crossed = late.interaction(place.endpoint.name, place.comparison.name, place.definition[-4:], place.visit)
            chance = gatherer.at(place, i)
            assert crossed == (chance.among_definitions, chance.everywhere) and place.definition.endswith("slow")
    assert judgements >= 2 and max(found.values()) == highest  # the trial has what the test is about
    assert {name: r.level for name, r in quick.reached.items() if name != "overall"} == {k: v for k, v in found.items() if v}
    assert quick.drawn == DRAWS and quick.tests == 1904
    slow.snapshot.close()


def test_drawing_stops_only_where_the_answer_is_known() -> None:
    """Two trials without an effect. After the first tile the smallest p was met so often in one that no further draw could
    bring it down to 0.15 (above 0.15 of 512); in the other not, and it is drawn to the end."""
    known, open_ = calibration_trial(TRUTHS["none"], 3, 511), calibration_trial(TRUTHS["none"], 1, 511)
    assert known.drawn == 256 and 1 + known.hits > 0.15 * 512
    assert open_.drawn == 511 and known.reached == open_.reached == {}


def test_what_is_true_is_in_the_trials() -> None:
    """Absolute effects are differences, ratios are ratios; the effect in slow progressors is in nobody else; 150 per arm."""
    by_name = {name: truth.parameters for name, truth in TRUTHS.items()}
    assert by_name["none"].effects == ()
    for name in ("even-50", "even-90"):
        assert {e.arm for e in by_name[name].effects} == {"Group 1", "Group 2"}
        assert all(e.slope_ratio == e.svc_ratio == e.hazard_ratio == 1.0 and not e.where for e in by_name[name].effects)
        assert all(e.slope_difference > 0 and e.svc_difference > 0 and e.nfl_ratio < 1 for e in by_name[name].effects)
    assert [arm.n for arm in by_name["slow-150"].arms] == [150, 150, 150]
    strong = by_name["slow-150"].effects[1]
    assert (strong.slope_ratio, strong.svc_ratio, strong.nfl_ratio, strong.hazard_ratio) == (0.4, 0.5, 0.6, 0.3)  # METHODS 12
    assert all(e.where == "LEADRATE <= mean(LEADRATE)" for name in ("slow", "slow-150") for e in by_name[name].effects)


def trial(seed: int, **levels: int) -> CalibrationTrial:
    reached = {name: Reached(level, 0.01, "slow", "G2-M12", 12.0) for name, level in levels.items()}
    return CalibrationTrial(seed, 1904, 999, 3, {"G2-M12": 0.2}, reached)


def test_levels_are_counted_as_the_marks_say() -> None:
    """By hand: three trials without an effect, one of which holds up in everybody, one in a subgroup."""
    trials = {
        "none": [trial(1), trial(2, overall=HOLDS), trial(3, nfl=OPEN)],
        "even-50": [trial(1, nfl=IN_THIS, overall=HOLDS)],
    }
    found = {(o.mark.truth, o.mark.words): (o.count, o.of) for o in operating_characteristics(trials)}
    assert found["none", "holds up, any finding"] == (1, 3)
    assert found["none", "worth a trial or more"] == (2, 3)
    assert found["even-50", "holds up, a subgroup"] == (0, 1)
    assert found["even-50", "worth a trial in this one"] == (1, 1)
    assert {truth for truth, _ in found} == {"none", "even-50"}
    assert {(m.truth, m.share, m.least) for m in MARKS if m.share is not None} == {
        ("none", 0.05, False),
        ("none", 0.10, False),
        ("even-50", 0.05, False),
        ("even-50", 0.10, False),
        ("even-90", 0.05, False),
        ("even-90", 0.10, False),
        ("slow-150", 0.90, True),
        ("slow-150", 0.70, True),
    }  # METHODS 12


@pytest.mark.parametrize(
    ("count", "of", "least", "met"),
    [
        (45, 1000, False, "yes"),  # 3.30 to 5.98
        (50, 1000, False, "more trials"),  # 3.73 to 6.54: 1.54 points beyond
        (51, 1000, False, "no"),
        (5, 100, False, "more trials"),  # 1.64 to 11.28: within, but not surely
        (0, 20, False, "more trials"),  # 0 to 16.8
        (0, 60, False, "yes"),  # 0 to 5.96
        (900, 1000, True, "more trials"),  # 87.97 to 91.79, of 90 %: 2 points below
        (920, 1000, True, "yes"),  # 90.1 to 93.6
        (899, 1000, True, "no"),
    ],
)
def test_a_mark_is_met_within_its_interval(count: int, of: int, least: bool, met: str) -> None:
    """Limits by R's binom.test; the interval may lie beyond the mark by 1.5 points."""
    share = 0.90 if least else 0.05
    assert Operating(Mark("none", "", lambda t: True, share, least), count, of).met == met


def test_a_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line at the end is a trial that is run again; what is there is not; in the end the file is as from one run. The
    trials of another rule are refused, and nothing is lost."""
    monkeypatch.chdir(tmp_path)
    words = ["calibrate", "none", "--draws", "255", "--into", "c.jsonl", "--format", "json"]
    first = run_here([*words, "--trials", "2"], cwd=tmp_path)
    assert first.code == 0, first.err
    file = tmp_path / "c.jsonl"
    whole = file.read_text()
    assert len(whole.splitlines()) == 3 and file.stat().st_mode & 0o777 == 0o600
    file.write_text(whole[:-20])
    again = run_here([*words, "--trials", "2"], cwd=tmp_path)
    assert again.code == 0 and file.read_text() == whole and again.out == first.out
    rows = json.loads(again.out)["rows"]
    assert rows[0]["trials"] == 2 and rows[0]["met"] == "more trials"
    ran = run_here([*words[:2], "--draws", "511", "--into", "c.jsonl", "--trials", "0"], cwd=tmp_path)
    assert ran.code == 3 and "another rule" in ran.err and file.read_text() == whole
    file.write_text(whole + '{"truth": "none"}\n')
    ran = run_here([*words, "--trials", "0"], cwd=tmp_path)
    assert ran.code == 3 and "line 4" in ran.err


def test_a_truth_that_has_changed_counts_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = CalibrationFile(tmp_path / "c.jsonl", 255)
    kept.write()
    kept.add("slow", trial(1, nfl=HOLDS))
    assert CalibrationFile(tmp_path / "c.jsonl", 255).ordered() == {"slow": [trial(1, nfl=HOLDS)]}
    changed = {**TRUTHS, "slow": Truth("slow", "another", ("course.dropout=0",))}
    monkeypatch.setattr("alsbench.analysis.calibration_file.TRUTHS", changed)
    assert CalibrationFile(tmp_path / "c.jsonl", 255).ordered() == {}
    with pytest.raises(DataError):
        CalibrationFile(tmp_path / "c.jsonl", 999)


def test_the_validation_document_holds_the_trials_that_were_run() -> None:
    """``make validation``: docs/calibration.jsonl, put to the rule as it stands, gives the table of the document."""
    root = Path(__file__).parents[2]
    ran = run_here(
        ["calibrate", "--trials", "0", "--into", str(root / "docs" / "calibration.jsonl"), "--format", "md", "-q"], cwd=root
    )
    assert ran.code == 0, ran.err  # 1: a mark is missed
    assert ran.out.strip() in (root / "docs" / "validation.md").read_text(encoding="utf-8")
