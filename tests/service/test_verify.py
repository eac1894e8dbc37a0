"""`verify`: the second program agrees with the first on the reference trials, says what it leaves out, and finds faults.

Neither program is the reference here: the expected numbers are each other's (METHODS.md states both), within the tolerance of
their kind.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.errors import UsageError
from alsbench.service.access import Access
from alsbench.service.endpoint import endpoint
from alsbench.service.output import Output
from alsbench.service.report import report
from alsbench.service.verify import verify
from alsbench.stats.agreement import agree

REFERENCE = Path(__file__).parent.parent / "reference"
COVERED = {"ancova", "joint_rank", "time_to_event"}


@pytest.fixture(scope="module", params=["als-ref-1", "als-ref-2"])
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Access:
    directory = tmp_path_factory.mktemp(request.param)
    workspace = Workspace(directory)
    workspace.create()
    shutil.copy(REFERENCE / request.param / "study.toml", workspace.study_path)
    files = sorted(p for p in (REFERENCE / request.param).iterdir() if p.suffix in (".xpt", ".csv"))
    load(files, workspace, study=workspace.read_study(), expect={})
    return Access(directory)


def endpoints(access: Access) -> list[str]:
    return [name for name, e in Workspace(access.path).read_study().endpoints.items() if e.method in COVERED]


def numbers(made: Output) -> list[dict[str, object]]:
    sheet = made.sheets[0]
    return [dict(zip((f.key for f in sheet.fields), record, strict=True)) for record in sheet.records]


def test_both_programs_agree_overall_in_a_subgroup_and_its_complement(trial: Access) -> None:
    made = verify(trial, endpoints(trial), subgroups=("overall", "slow", "not slow"))
    found = numbers(made)
    assert [n for n in found if n["verdict"] != "agrees"] == []
    assert not made.failed and len(found) > 1000


def test_interactions_and_the_plan_are_verified_beside_the_tables(trial: Access, tmp_path: Path) -> None:
    """What only the evidence has; asked otherwise (a df method) the tables are other ones, and neither belongs to them."""
    own = tmp_path / "own"
    shutil.copytree(trial.path, own, symlinks=True)
    access = replace(trial, path=own)
    names = [n for n in endpoints(access) if Workspace(own).read_study().endpoints[n].method in ("ancova", "joint_rank")]
    comparison = Workspace(own).read_study().comparisons[0].name
    with (own / "study.toml").open("a") as study:
        study.write('\n[multiplicity]\nmethod = "holm"\n')
        for name in names:
            study.write(f'[[multiplicity.hypotheses]]\nendpoint = "{name}"\ncomparison = "{comparison}"\n')
    found = numbers(verify(access, names, subgroups=("overall", "slow")))
    kinds = {s: [n for n in found if n["statistic"] == s] for s in ("p_adjusted", "interaction_p")}
    assert len(kinds["p_adjusted"]) == len(names) > 1 and len(kinds["interaction_p"]) >= len(names)
    assert {n["verdict"] for n in found} == {"agrees"}
    assert "p_adjusted" not in {n["statistic"] for n in numbers(verify(access, names, subgroups=("slow",)))}
    asked = verify(access, names, subgroups=("overall", "slow"), options={"ls_means": "proportional"})
    assert not {"p_adjusted", "interaction_p"} & {str(n["statistic"]) for n in numbers(asked)}


def test_an_arm_or_a_subgroup_without_anybody_is_no_difference(trial: Access, tmp_path: Path) -> None:
    """Counts agree where only controls are in a part; of nobody there is nothing to compare, and that is said."""
    own = tmp_path / "own"
    shutil.copytree(trial.path, own, symlinks=True)
    study = own / "study.toml"
    arms = Workspace(own).read_study().arms
    study.write_text(
        study.read_text()
        + '\n[[subgroups]]\nname = "nobody"\nwhere = "AGE > 200"\n'
        + f'\n[[subgroups]]\nname = "controls"\nwhere = "{arms.planned} == \'{arms.reference}\'"\n'
    )
    access = replace(trial, path=own)
    made = verify(access, endpoints(access), subgroups=("controls",))
    found = numbers(made)
    assert not made.failed and {n["first"] for n in found if n["statistic"] == "n"} > {0}  # both kinds of arm are there
    made = verify(access, [n for n in endpoints(access) if "ancova" in n or "cafs" in n], subgroups=("nobody",))
    assert not made.failed and numbers(made) == [] and made.sheets[0].notes[0].startswith("No number was compared;")


def test_what_is_not_covered_is_listed_and_does_not_agree(trial: Access, tmp_path: Path) -> None:
    """Draws of multiple imputation are each program's own."""
    own = tmp_path / "own"
    shutil.copytree(trial.path, own, symlinks=True)
    study = own / "study.toml"
    imputed = 'imputation = "mar"\nimputation_method = "multiple"\nimputations = 3\ncovariance = "cs"\n'
    study.write_text(study.read_text().replace("[endpoints.alsfrs]\n", f"[endpoints.alsfrs]\n{imputed}"))
    made = verify(replace(trial, path=own), ("alsfrs",))
    assert numbers(made) == []
    (line,) = made.sheets[1].records
    assert line[:2] == ("alsfrs", "overall") and "multiple imputation" in str(line[2]) and int(str(line[3])) > 0


def test_events_are_counted_where_they_determine_no_hazard_ratio(trial: Access) -> None:
    """Among the slow of both trials events happen in one arm only; their number is the sum over the arms (no covariate is
    missing)."""
    with trial.opened() as source:
        rows = answer(Question("survival", subgroups=("slow",)), source).rows
    events = {r.arm: r.stat for r in rows if r.context == "arm" and r.stat_name == "events"}
    none = {(r.treatment, r.reference) for r in rows if r.stat_name == "hazard_ratio" and r.stat is None}
    assert none
    for r in rows:
        if r.context == "contrast" and r.stat_name == "events" and (r.treatment, r.reference) in none:
            assert r.stat == events[r.treatment] + events[r.reference] > 0


def test_a_look_is_logged(trial: Access) -> None:
    verify(trial, endpoints(trial)[:1])
    entries = [json.loads(line) for line in Workspace(trial.path).audit_path.read_text().splitlines()]
    assert entries[-1]["action"] == "look"


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [("n", 5, 5, True), ("n", 5, 6, False), ("difference", 1.0, 1.0 + 5e-10, True), ("difference", 1.0, 1.0 + 2e-9, False),
     ("p_value", 0.03, 0.03 + 5e-7, True), ("p_value", 0.03, 0.030002, False), ("hazard_ratio", 2.0, 2.0 + 1e-6, True),
     ("df", 60.0, 60.005, True), ("df", 60.0, 61.0, False), ("difference", 1.0, None, False)],
)  # fmt: skip
def test_each_kind_has_its_tolerance(name: str, one: float, other: float | None, same: bool) -> None:
    assert agree(name, one, other)[0] is same


@pytest.mark.parametrize(
    ("name", "one", "other", "se", "error", "same"),
    [("difference", 1.0, 1.0 + 9e-7, 0.5, 0, True), ("difference", 1.0, 1.0 + 2e-6, 0.5, 0, False),
     ("difference", 0.001, 0.001 + 4e-7, 0.5, 0, True), ("se", 0.5, 0.5 + 6e-7, 0.5, 0, False),
     ("log_likelihood", -2390.0, -2390.0 + 9e-7, 0, 0, True), ("log_likelihood", -2390.0, -2390.0 + 2e-6, 0, 0, False),
     ("bic", 5148.0, 5148.0 + 1.8e-6, 0, 0, True), ("den_df", 100.0, 100.009, 0, 0, True), ("num_df", 2, 3, 0, 0, False),
     ("t", 0.001, 0.001 + 9e-7, 0, 0, True), ("t", 0.001, 0.001 + 2e-6, 0, 0, False),
     ("p_adjusted", 0.1, 0.1 + 8e-5, 0, 1e-5, True), ("p_adjusted", 0.1, 0.1 + 1e-4, 0, 1e-5, False),
     ("p_adjusted", 0.2, 0.2 + 2.3e-4, 0, 1e-5, True), ("p_adjusted", 0.2, 0.2 + 2.5e-4, 0, 1e-5, False)],
)  # fmt: skip
def test_what_is_fitted_has_the_tolerances_of_a_fit(
    name: str, one: float, other: float, se: float, error: float, same: bool
) -> None:
    """METHODS 14: estimates 1e-6 of the larger of value and SE, log-likelihoods 1e-6, df 1e-4; four Monte Carlo errors."""
    assert agree(name, one, other, se, fitted=True, error=error)[0] is same


@pytest.mark.parametrize(
    ("stat_name", "broken"),
    [("df", lambda v: v + 1), ("difference", lambda v: -v), ("wins", lambda v: v + 1), ("hazard_ratio", lambda v: 1 / v)],
)
def test_a_fault_of_the_first_program_is_a_negative_verdict(
    trial: Access, monkeypatch: pytest.MonkeyPatch, stat_name: str, broken: Callable[[Any], Any]
) -> None:
    def faulty(question: Question, source: Source) -> Result:
        result = answer(question, source)
        rows = (
            replace(r, stat=broken(r.stat)) if r.stat_name == stat_name and isinstance(r.stat, int | float) else r
            for r in result.rows
        )
        return replace(result, rows=tuple(rows))

    monkeypatch.setattr("alsbench.service.endpoint.cached_answer", faulty)
    made = verify(trial, endpoints(trial))
    differing = {n["statistic"] for n in numbers(made) if n["verdict"] == "differs"}
    assert made.failed and differing == {stat_name}
    classes = {str(n["class"]) for n in numbers(made) if n["verdict"] == "differs"}
    assert ("changes a conclusion" in classes) is (stat_name in ("difference", "hazard_ratio"))  # turned round
    assert {str(n["class"]) for n in numbers(made) if n["verdict"] == "agrees"} <= {"identical", "noise"}


@pytest.mark.parametrize(("gradient", "counts"), [(1e-3, False), (1e-9, True)])
def test_a_difference_counts_where_the_first_program_reached_its_optimum(
    trial: Access, monkeypatch: pytest.MonkeyPatch, gradient: float, counts: bool
) -> None:
    """METHODS 14: both optima must have a gradient below 1e-6 before a difference counts; what does not count is listed."""

    def faulty(question: Question, source: Source) -> Result:
        result = answer(question, source)
        moved = {"gradient": lambda _: gradient, "slope": lambda v: v + 0.1}
        rows = (replace(r, stat=moved[r.stat_name](r.stat)) if r.stat_name in moved and r.stat else r for r in result.rows)
        return replace(result, rows=tuple(rows))

    monkeypatch.setattr("alsbench.service.endpoint.cached_answer", faulty)
    name = next(n for n, e in Workspace(trial.path).read_study().endpoints.items() if e.method == "slope")
    made = verify(trial, (name,))
    assert made.failed is counts
    listed = [line for line in made.sheets[1].records if "does not reach its optimum (gradient 1e-03)" in str(line[2])]
    assert bool(listed) is not counts


def test_a_report_says_what_the_second_program_says_to_its_tables(trial: Access) -> None:
    """Front page, the table itself, and a table of what was left out; the counts are those of `verify` of the same tables."""
    name = next(n for n in endpoints(trial) if "ancova" in n)
    made = report(replace(trial, destination={"format": "txt"}), endpoints=(name,), subgroups=("slow",), verify=True)
    text = " ".join("".join(made.texts("txt")).split())
    assert (
        f"Second program: {verify(trial, (name,)).sheets[0].notes[0]}" in text and text.count("Second program: ") == 6
    )  # baseline, it, safety
    assert "Second program, interactions and multiplicity plan: " in text
    assert "What a second program says to the tables of endpoints" in text and not made.failed
    plain = report(replace(trial, destination={"format": "txt"}), endpoints=(name,))
    assert "econd program" not in "".join(plain.texts("txt"))


def test_a_report_puts_another_programs_numbers_beside_its_own(trial: Access, tmp_path: Path) -> None:
    """Our own ANCOVA with one p moved over 0.05: it changes a conclusion, on the front page and in a table."""
    name = next(n for n in endpoints(trial) if "ancova" in n)
    made = json.loads("".join(endpoint(trial, name).texts("json")))
    row = next(r for r in made["results"] if r["stat_name"] == "p_value" and r["stat"] is not None)
    row["stat"] = 0.5 if row["stat"] < 0.05 else 0.01
    theirs = tmp_path / "cro.json"
    theirs.write_text(json.dumps(made))
    with_theirs = report(replace(trial, destination={"format": "txt"}), endpoints=(name,), reconcile=theirs)
    text = " ".join("".join(with_theirs.texts("txt")).split())
    assert "cro.json beside ours: " in text and "identical, 1 changes a conclusion." in text and with_theirs.failed
    assert "cro.json beside these numbers" in text and f"--reconcile{theirs}" in text.replace(" ", "")
    with pytest.raises(UsageError, match="no such file"):
        report(trial, reconcile=tmp_path / "nowhere.json")
    with pytest.raises(UsageError, match="a mapping is of another"):
        report(trial, mapping=theirs)
