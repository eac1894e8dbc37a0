"""The rule of the bottom line: METHODS 12's table row by row, its borders, and trials whose truth is known."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shared import built_once

from alsbench.analysis.judgement import (
    Inputs,
    Judgement,
    SignCount,
    Thresholds,
    changed_words,
    judge,
    reasons,
    rule_words,
)
from alsbench.analysis.looks import Looked, looked_at
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import catalogue, run_check
from alsbench.analysis.scrutiny.bottom_line import judged
from alsbench.analysis.scrutiny.finding import asked
from alsbench.analysis.scrutiny.selection import search_of, search_table
from alsbench.analysis.search import Share, WholeSearch, interactions
from alsbench.analysis.source import Source, open_source
from alsbench.errors import UsageError

SAMPLE = Path(__file__).parent.parent.parent / "sample_data"


def of(p: float) -> Share:
    """A resampled p with hardly any Monte Carlo error."""
    return Share(round(p * 10**9) - 1, 10**9 - 1)


FOUND = Inputs(
    subgroup=True,
    p=0.01,
    favourable=True,
    overall_p=0.4,
    overall_favourable=True,
    p_search=of(0.01),
    tests=1232,
    p_int_definitions=of(0.01),
    p_int_search=of(0.02),
    p_rerandomised=0.01,
    larger=True,
    signs={"specifications": SignCount(48, 48)},
)
OVERALL = replace(FOUND, subgroup=False, overall_p=None, larger=None, p_int_definitions=None, p_int_search=None)


def level(**changes: object) -> str:
    return judge(replace(FOUND, **changes)).level  # type: ignore[arg-type]


def test_the_levels_in_the_order_of_the_table() -> None:
    """METHODS 12: the first that applies."""
    assert level(p=None) == "not judged"
    assert level(standing="locked", rejected=True) == "confirmed as planned"
    assert level(standing="declared", rejected=True) == "as declared, no lock proves it"
    assert level(standing="locked", rejected=True, favourable=False) == "against the treatment"
    assert level(favourable=False, p=0.05) == "against the treatment"
    assert level(overall_p=0.05, p_int_search=of(0.051)).startswith("the whole trial's")
    assert level(overall_p=0.05, p=0.3, p_int_search=None).startswith("the whole trial's")
    assert level(p=0.0501) == "no finding" and level(p=0.3, favourable=False) == "no finding"
    assert level() == "holds up, post hoc"
    assert level(overall_p=0.01) == "holds up, post hoc"  # everybody gains, these gain more
    assert level(p_search=of(0.1)) == "worth a new trial"
    assert level(p_search=of(0.2)) == "what chance offers"


@pytest.mark.parametrize(
    "changes",
    [
        {"p_search": of(0.051)},
        {"p_rerandomised": 0.051},
        {"p_rerandomised": None},
        {"p_int_search": of(0.051)},
    ],
)
def test_what_keeps_a_finding_from_holding_up(changes: dict[str, object]) -> None:
    assert level(**changes) == "worth a new trial"


@pytest.mark.parametrize(
    "changes",
    [
        {"p_search": of(0.151)},
        {"p_search": None},
        {"signs": {"specifications": SignCount(47, 48)}},
        {"signs": {"specifications": SignCount(47, 47, failed=1)}},
        {"signs": {"specifications": SignCount(0, 0)}},
        {"larger": False},
        {"larger": None},
        {"p_int_definitions": of(0.101), "p_int_search": of(0.2)},
        {"p_int_definitions": None, "p_int_search": None},
    ],
)
def test_what_leaves_a_finding_to_chance(changes: dict[str, object]) -> None:
    """Also what cannot be computed counts against."""
    assert level(**changes) == "what chance offers"


def test_thresholds_are_met_at_equality() -> None:
    assert level(p=0.05, p_search=of(0.05), p_rerandomised=0.05, p_int_search=of(0.05)) == "holds up, post hoc"
    assert level(p_search=of(0.15), p_int_definitions=of(0.10)) == "worth a new trial"


def test_in_whom_is_said_only_where_it_is_shown() -> None:
    assert judge(replace(FOUND, p_search=of(0.1), p_int_search=of(0.15))).where == "in this subgroup"
    assert judge(replace(FOUND, p_search=of(0.1), p_int_search=of(0.151))).where == "in whom is open"
    assert judge(replace(OVERALL, p_search=of(0.1))).words == "worth a new trial"


def test_for_everybody_no_interaction_is_asked() -> None:
    assert judge(OVERALL).level == "holds up, post hoc"
    assert judge(replace(OVERALL, p=0.06)).level == "no finding"


def test_near_a_threshold_it_is_borderline() -> None:
    """4.4 % of 999: two Monte Carlo errors are 1.3 points."""
    near = judge(replace(FOUND, p_search=Share(43, 999)))
    assert near.level == "holds up, post hoc" and near.borderline == ("p of the search",)
    assert near.words.endswith("(borderline)")
    assert judge(replace(FOUND, p_search=Share(20, 999))).borderline == ()


def test_frequencies_are_natural() -> None:
    assert judge(replace(FOUND, p_search=Share(955, 999))).sentence.startswith(
        "Of 1,000 trials like this without any effect, 956 offer"
    )
    assert "fewer than 1 offers" in judge(replace(FOUND, p_search=Share(0, 9999))).sentence
    assert judge(replace(FOUND, p=0.2)).sentence == ""


def test_every_input_is_for_or_against() -> None:
    good, bad = reasons(judge(replace(FOUND, p_search=of(0.3), signs={"specifications": SignCount(47, 48, 1)})))
    assert good == (
        "larger than in its complement",
        "gains more than the rest: p 0.020 ± 0.0000, of definitions 0.010 ± 0.0000",
        "re-randomised p 0.010",
    )
    assert bad == (
        "overall p 0.400",
        "whole search p 0.300 ± 0.0000",
        "the sign turns: specifications",
    )


def test_the_study_file_may_set_other_constants() -> None:
    """METHODS 12: constants are study settings, printed when changed."""
    from alsbench.study.model import JudgementRule

    limits = Thresholds(**JudgementRule(new_trial=0.3, nominal=0.01).model_dump())
    found = replace(FOUND, p_search=of(0.2))
    assert judge(found).level == "what chance offers" and judge(found, limits).level == "worth a new trial"
    assert judge(replace(FOUND, p=0.02), limits).level == "no finding"
    assert changed_words(limits) == "nominal p 0.01 (0.05), new trial 0.3 (0.15)"
    assert changed_words(Thresholds()) == ""
    assert rule_words(Thresholds()) == (
        "nominal p 0.05, holds up 0.05, new trial 0.15, new trial, of definitions 0.1, in this subgroup 0.15"
    )
    assert Thresholds(**JudgementRule().model_dump()) == Thresholds()  # the study file's defaults are METHODS'


def simulated(tmp_path_factory: pytest.TempPathFactory, name: str, *options: str) -> Source:
    """A simulated trial, loaded; made once for all processes of a run."""
    from tests.shell import run_here

    def build(folder: Path) -> None:
        folder.mkdir()
        for words in (
            ["simulate", str(folder / "data"), *options],
            ["load", "data", "-w", str(folder), "--study", "data/study.toml"],
        ):
            ran = run_here([*words, "-q"], cwd=folder)
            assert ran.code == 0, ran.err

    return open_source(built_once(tmp_path_factory, name, build))


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 499)


def sample(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The sample trial, loaded from sample_data/."""
    from tests.shell import run_here

    def build(folder: Path) -> None:
        folder.mkdir()
        ran = run_here(["load", str(SAMPLE), "-w", str(folder), "--study", str(SAMPLE / "study.toml"), "-q"], cwd=folder)
        assert ran.code == 0, ran.err

    return open_source(built_once(tmp_path_factory, "judged-sample", build))


def line(source: Source, subgroup: str, endpoint: str, draws: int = 499) -> Judgement:
    finding = replace(asked(source, subgroup, endpoint=endpoint, comparisons=("G2-M12",)), draws=draws)
    return judged(finding, finding.comparisons[0])


def test_a_chance_finding_is_told_as_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`alsbench simulate --seed 103` holds no effect; slow, CAFS, five doses has p 0.018."""
    null = simulated(tmp_path_factory, "null103", "--seed", "103")
    found = line(null, "slow", "cafs")
    assert found.inputs.p == pytest.approx(0.018, abs=5e-4)  # as the plan for the rule printed it
    assert found.level == "what chance offers"
    assert found.inputs.p_search is not None and found.inputs.p_search.p > 0.9
    assert found.inputs.tests == 1232


def test_the_sample_cannot_show_what_is_true_in_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its effect in slow progressors was put in, but among 43 subjects and 1,232 tests nothing tells it from chance."""
    found = line(sample(tmp_path_factory), "slow", "cafs")
    assert found.inputs.p == pytest.approx(0.024, abs=5e-4)
    assert found.level == "what chance offers" and found.inputs.larger is True
    assert found.inputs.sign_holds and found.inputs.p_rerandomised is not None and found.inputs.p_rerandomised < 0.05


def test_a_large_true_effect_in_a_part_holds_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    """150 an arm, in slow progressors 60 % less decline: more than chance, and more than in the others."""
    folder = tmp_path_factory.mktemp("large")
    effect = folder / "effect.toml"
    effect.write_text(
        '[[effects]]\narm = "Group 2"\nwhere = "LEADRATE <= mean(LEADRATE)"\n'
        "slope_ratio = 0.4\nsvc_ratio = 0.5\nnfl_ratio = 0.6\nhazard_ratio = 0.3\n"
    )
    sizes = [w for k in range(3) for w in ("--set", f"arms.{k}.n=150")]
    source = simulated(tmp_path_factory, "slow150", "--seed", "5", "--parameters", str(effect), *sizes)
    found = line(source, "slow", "cafs", draws=255)
    assert found.level == "holds up, post hoc"
    assert line(source, "not slow", "cafs", draws=255).level != "holds up, post hoc"


def test_the_bottom_line_fits_a_terminal(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As `scrutinise` prints it: at most 12 lines of 80 columns, where and what first."""
    from tests.shell import run_here

    source = sample(tmp_path_factory)
    assert source.held is not None
    words = ["scrutinise", "-s", "slow", "-e", "cafs", "--comparison", "G2-M12", "--check", "bottom_line"]
    printed = run_here([*words, "-w", str(source.held.path), "-q"], env={"COLUMNS": "80"}).out.splitlines()
    first = next(i for i, text in enumerate(printed) if text.startswith("Group 2 vs Placebo, Month 12: WHAT CHANCE OFFERS"))
    last = next(i for i, text in enumerate(printed) if text.startswith("    rule: "))
    assert last - first + 1 <= 12 and all(len(text) <= 80 for text in printed)
    assert "    found: CAFS (joint rank) in slow, post hoc: p 0.024 for the treatment" in printed[first:last]


def test_a_search_that_is_written_down_no_more_still_counts(tmp_path: Path) -> None:
    """Looked at in five subgroups, with another covariance and against another horizon; then all but one subgroup is taken
    out of study.toml: the search is no smaller, and its p does not fall."""
    from tests.shell import run_here

    for words in (
        ["load", str(SAMPLE), "-w", "w", "--study", str(SAMPLE / "study.toml"), "-q"],
        ["forest", "alsfrs_ancova", "-w", "w", "-q"],
        ["endpoint", "alsfrs_ancova", "-w", "w", "-q", "--option", "covariates=['LEADRATE']"],
    ):
        ran = run_here(words, cwd=tmp_path)
        assert ran.code == 0, ran.err
    before = open_source(tmp_path / "w")
    known = WholeSearch(before, looked=looked_at(before))
    assert any("asked otherwise" in e.name for e in known.endpoints)
    for name in [s.name for s in before.study.subgroups if s.name != "slow"]:
        ran = run_here(["subgroup", "remove", name, "-w", "w", "-q"], cwd=tmp_path)
        assert ran.code == 0, ran.err
    study = tmp_path / "w" / "study.toml"
    study.write_text(study.read_text().replace("horizon = 6\n", "horizon = 8\n"))
    after = open_source(tmp_path / "w")
    assert [s.name for s in after.study.subgroups] == ["slow"]
    found = looked_at(after)
    assert (
        len(found.definitions) == len(before.study.subgroups) - 1 and len(found.endpoints) == 1 and len(found.comparisons) == 1
    )
    search = WholeSearch(after, looked=found)
    assert len(search.places) > len(known.places) and search.parts[0] == "slow" and len(search.parts) == len(known.parts)
    p_before, p_after = (line(source, "slow", "cafs", draws=255).inputs.p_search for source in (before, after))
    assert p_before is not None and p_after is not None and p_after.p >= p_before.p - 2 * p_before.error
    assert Looked.from_plain(found.plain()) == found


PRIMARY = """
[multiplicity]
method = "bonferroni"
[[multiplicity.hypotheses]]
name = "H1"
endpoint = "cafs"
comparison = "G2-M12"
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A workspace of a trial in which everybody treated with five doses declines by half less: its primary is significant."""
    from tests.shell import run_here

    (tmp_path / "effect.toml").write_text('[[effects]]\narm = "Group 2"\nslope_ratio = 0.4\nhazard_ratio = 0.3\n')
    simulate = ["simulate", "data", "--seed", "5", "--parameters", "effect.toml"]
    for words in (simulate, ["load", "data", "-w", "w", "--study", "data/study.toml"]):
        ran = run_here([*words, "-q"], cwd=tmp_path)
        assert ran.code == 0, ran.err
    return tmp_path / "w"


def overall(workspace: Path, population: str = "") -> Judgement:
    finding = asked(open_source(workspace), "overall", endpoint="cafs", comparisons=("G2-M12",), population=population)
    return judged(finding, finding.comparisons[0])


def test_what_was_planned_is_confirmed_only_by_a_lock_before_any_look(large: Path) -> None:
    """Without a plan for two primary hypotheses nothing is rejected; with one it is declared; locked first, confirmed;
    locked after a look, or asked in another population, it is not."""
    from tests.shell import run_here

    assert overall(large).inputs.p is not None and overall(large).inputs.p < 0.05
    assert overall(large).level not in ("confirmed as planned", "as declared, no lock proves it")
    study = large / "study.toml"
    study.write_text(study.read_text() + PRIMARY)
    assert overall(large).level == "as declared, no lock proves it"
    locked = large.parent / "locked"
    shutil.copytree(large, locked, symlinks=True)
    assert run_here(["lock", "-w", str(locked), "-q"], cwd=large).code == 0
    assert overall(locked).level == "confirmed as planned"
    assert overall(locked, "PP").level not in ("confirmed as planned", "as declared, no lock proves it")
    assert run_here(["endpoint", "nfl", "-w", str(large), "-q"], cwd=large).code == 0
    assert run_here(["lock", "-w", str(large), "-q"], cwd=large).code == 0
    assert overall(large).level == "as declared, no lock proves it"


def test_an_empty_subgroup_says_why_it_is_not_judged(large: Path) -> None:
    from tests.shell import run_here

    ran = run_here(["subgroup", "add", "nobody", "--where", "AGE > 200", "-w", str(large), "-q"], cwd=large)
    assert ran.code == 0, ran.err
    result = run_check("bottom_line", open_source(large), "nobody", endpoint="cafs", comparisons=("G2-M12",))
    said = dict(result.facts.lines)["Group 2 vs Placebo, Month 12"]
    assert said == "NOT JUDGED: no ranked subjects of Placebo or Group 2 in this subgroup" and "For" not in dict(
        result.facts.lines
    )


def test_under_a_mask_it_counts_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The level and its inputs are shown where the arms are large enough, and hidden with them where they are not."""
    from alsbench.service.masks import mask_check

    source = sample(tmp_path_factory)
    result = run_check("bottom_line", source, "slow", endpoint="cafs", comparisons=("G2-M12",))
    shown = mask_check("bottom_line", result, source, "slow", "", 5)
    words = " ".join(text for _, text in shown.facts.lines)
    assert "WHAT CHANCE OFFERS" in words and "n = " not in words and "26" not in words.replace("1,232", "")
    assert "WHAT CHANCE OFFERS" not in " ".join(
        t for _, t in mask_check("bottom_line", result, source, "slow", "", 20).facts.lines
    )


def test_a_finding_at_another_visit_is_judged_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its p is the endpoint table's at that visit, its place in the search that visit's; the interaction is compared with the
    largest over definitions and visits, counted anew from every permutation; no plan covers it; at the horizon as ever."""
    source = sample(tmp_path_factory)
    finding = replace(asked(source, "slow", endpoint="alsfrs", comparisons=("G2-M12",)), draws=255)
    comparison = finding.comparisons[0]
    found = judged(finding, comparison, 9.0)
    table = answer(Question("alsfrs", ("slow",), comparisons=("G2-M12",), visits=(9.0,)), source)
    p = next(r.number() for r in table.rows if r.context == "contrast" and r.stat_name == "p_value" and r.visit_number == 9.0)
    assert found.inputs.p == pytest.approx(p, rel=1e-12) and found.inputs.standing == "post hoc"
    place = search_table(finding).place("slow", "alsfrs", "G2-M12", 9.0)
    assert place is not None and found.inputs.p_search == Share(place.hits, 255)
    search = search_of(finding)
    crossed = interactions(search, 255, [float(v) for v in range(1, 13)])
    size = crossed.observed["alsfrs", "G2-M12", 9.0]["slow"]
    mine = np.array([v for (e, c, _), v in crossed.largest.items() if (e, c) == ("alsfrs", "G2-M12")])
    every = np.array(list(crossed.largest.values()))
    assert mine.shape == (12, 255) and every.shape[0] > 100  # twelve visits; five endpoints and two comparisons
    for share, largest in ((found.inputs.p_int_definitions, mine), (found.inputs.p_int_search, every)):
        assert share == Share(int((np.nanmax(largest, axis=0) >= size * (1 - 1e-9)).sum()), 255)
    assert judged(finding, comparison, 12.0) == judged(finding, comparison)
    with pytest.raises(UsageError, match=r"not analysed at visit 9\.5"):
        judged(finding, comparison, 9.5)


def test_what_no_input_can_change_is_not_computed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The quick way reaches the same level: for the chance finding of the sample without a single refit."""
    source = sample(tmp_path_factory)
    finding = replace(asked(source, "slow", endpoint="cafs", comparisons=("G2-M12",)), draws=255)
    quick = judged(finding, finding.comparisons[0], whole=False)
    assert quick.level == judged(finding, finding.comparisons[0]).level and quick.inputs.p_rerandomised is None


def test_constants_of_the_study_file_are_obeyed_and_printed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The sample's finding among 1,232 tests is worth a new trial to whoever asks for no more; every line says so, and what
    was kept under another rule is not shown."""
    from tests.shell import run_here

    source = sample(tmp_path_factory)
    assert source.held is not None
    mine = tmp_path / "w"
    shutil.copytree(source.held.path, mine, symlinks=True)
    study = mine / "study.toml"
    study.write_text(study.read_text() + "\n[judgement]\nnew_trial = 0.999\nnew_trial_definitions = 0.5\n")
    words = [
        "scrutinise",
        "-s",
        "slow",
        "-e",
        "alsfrs",
        "--comparison",
        "G2-M12",
        "--check",
        "bottom_line",
        "-w",
        str(mine),
        "-q",
    ]
    told = run_here(words, env={"COLUMNS": "80"})
    assert "WORTH A NEW TRIAL" in told.out
    folded = " ".join(told.out.split())
    assert "changed by the study file: new trial 0.999 (0.15), new trial, of definitions 0.5 (0.1)" in folded
    rows = json.loads(run_here([*words, "--format", "json"]).out)["results"]
    rule = next(row["stat"] for row in rows if row["stat_name"] == "rule")
    assert rule.startswith("nominal p 0.05, holds up 0.05, new trial 0.999")
