"""One contrast, one horizon rule, one direction rule: what they say, and that nobody else says it."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

import alsbench
from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.claims.reproduced import reproduce
from alsbench.analysis.contrast import (
    NO_VISIT,
    Contrast,
    at_horizon,
    contrast_of,
    contrasts_by_visit,
    higher_is_better,
    horizon_visit,
    rows_behind,
    visits_to_horizon,
)
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny.effect_size import effect_of
from alsbench.analysis.scrutiny.finding import asked
from alsbench.analysis.scrutiny.outcomes import own_visit
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members
from alsbench.stats.errors import StatsError
from alsbench.study.claims import Claim
from alsbench.study.model import Comparison, Endpoint
from alsbench.study.phrase import is_post_hoc

SOURCES = Path(alsbench.__file__).parent
PAIR = {"treatment": "T", "reference": "R"}


@pytest.mark.parametrize(
    ("horizon", "visit", "up_to"),
    [(6, 6.0, [1.0, 3.0, 6.0]), (5.9, 3.0, [1.0, 3.0]), (0.5, None, []), (None, 12.0, [1.0, 3.0, 6.0, 12.0]), (99, 12.0, None)],
)
def test_a_comparison_is_read_at_the_last_visit_up_to_its_horizon(
    horizon: float | None, visit: float | None, up_to: list[float] | None
) -> None:
    visits = [12.0, 1.0, None, 6.0, 3.0]
    assert horizon_visit(visits, horizon) == visit
    assert up_to is None or sorted(visits_to_horizon(visits, horizon)) == up_to


@pytest.mark.parametrize(
    ("method", "better", "upward"),
    [
        ("mmrm", "higher", True),
        ("mmrm", "lower", False),
        ("ancova", "lower", False),
        ("slope", "higher", True),
        ("joint_rank", "lower", True),  # the ranking has turned a lower-is-better function round
        ("joint_rank", "higher", True),
        ("time_to_event", "higher", False),  # a hazard of bad events
        ("time_to_event", "lower", False),
    ],
)
def test_which_side_is_better(method: str, better: str, upward: bool) -> None:
    endpoint = Endpoint.model_construct(name="x", method=method, better=better)
    assert higher_is_better(endpoint) is upward


def test_a_contrast_knows_its_better_side() -> None:
    assert Contrast(**PAIR, estimate=1.0).favourable is True
    assert Contrast(**PAIR, estimate=1.0, upward=False).favourable is False
    assert Contrast(**PAIR, estimate=0.0).favourable is None
    assert Contrast(**PAIR).favourable is None
    assert Contrast(**PAIR, unit="hazard_ratio", upward=False, estimate=0.8).favourable is True
    assert Contrast(**PAIR, unit="ratio", estimate=1.0).favourable is None
    # delta method: SE(ratio) = ratio x SE(log ratio)
    assert Contrast(**PAIR, unit="ratio", estimate=0.5, se=0.2).own_se == pytest.approx(0.1)
    assert Contrast(**PAIR, estimate=0.5, se=0.2).own_se == 0.2


@pytest.mark.parametrize("endpoint", ["cafs", "alsfrs", "alsfrs_ancova", "alsfrs_slope", "nfl", "survival"])
def test_everybody_reads_the_same_contrast(trial: Source, endpoint: str) -> None:
    """Evidence, the endpoint's own answer by visit, the rows behind, scrutiny's effect and its visit: one contrast."""
    about = trial.study.endpoints[endpoint]
    rows = answer(Question(endpoint, subgroups=("slow",)), trial).rows
    piece = evidence_piece(trial, about, "slow", trial.study.comparisons)
    finding = asked(trial, "slow", endpoint=endpoint)
    for cell, comparison in zip(piece.cells, trial.study.comparisons, strict=True):
        one = contrast_of(rows, about, comparison)
        assert {name: getattr(cell, name) for name in vars(one)} == vars(one)
        assert one in contrasts_by_visit(rows, about, comparison)
        told = {r.stat: r for r in rows_behind(piece.rows, cell)}
        assert {one.estimate, one.low, one.high, one.p} <= set(told)
        assert cell.visit_number == (own_visit(trial, about, comparison) if cell.visit is not None else None)
        if one.estimate is None:  # no finite hazard ratio: everybody has the same reason
            with pytest.raises(StatsError, match=re.escape(one.error or "")):
                effect_of(finding, finding.member(), comparison)
            continue
        effect = effect_of(finding, finding.member(), comparison)
        assert (effect.estimate > 0) == (one.estimate > one.null)
        assert (effect.upward > 0) == one.upward


def moved(source: Source, horizon: float) -> Source:
    comparisons = tuple(c.model_copy(update={"horizon": horizon}) for c in source.study.comparisons)
    return replace(source, study=source.study.model_copy(update={"comparisons": comparisons}))


def test_a_horizon_before_every_visit_is_read_nowhere(trial: Source) -> None:
    """No visit after the horizon stands in for it, in the evidence or beside a claim, and the reason is the true one."""
    early = moved(trial, 0.5)
    endpoint = early.study.endpoints["alsfrs"]
    cell = evidence_piece(early, endpoint, "overall", early.study.comparisons).cells[0]
    assert (cell.estimate, cell.visit, cell.error) == (None, None, NO_VISIT)
    told = {"name": "a", "endpoint": "alsfrs", "comparison": cell.comparison, "contrast": {"difference": "1.23"}}
    (number,), result = reproduce(Claim.model_validate(told), early, lambda question: answer(question, early))
    assert (number.outcome, number.value) == ("not available", None)
    assert number.why.startswith(NO_VISIT)
    assert result is not None
    assert at_horizon(result.rows, early.study.comparisons[0])[0].visit_number is None
    # a claim that names its visit is of that visit, whatever the horizon
    (named,), _ = reproduce(Claim.model_validate(told | {"visit": 6}), early, lambda question: answer(question, early))
    assert named.visit == "Month 6"
    late = moved(trial, 99)
    (last,), _ = reproduce(Claim.model_validate(told), late, lambda question: answer(question, late))
    assert last.row is not None and last.row.visit_number == 12.0


def modules() -> dict[str, ast.Module]:
    """Every module but those of the second program, which has rules of its own on purpose."""
    paths = {str(p.relative_to(SOURCES)): p for p in sorted(SOURCES.rglob("*.py"))}
    assert any(name.startswith("second/") for name in paths)
    return {name: ast.parse(p.read_text("utf-8")) for name, p in paths.items() if not name.startswith("second/")}


def test_the_horizon_rule_stands_once() -> None:
    """Nobody else compares a visit with a horizon."""
    found = []
    for name, tree in modules().items():
        for node in ast.walk(tree):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            ordered = isinstance(node, ast.Compare) and any(
                isinstance(o, ast.LtE | ast.GtE | ast.Lt | ast.Gt) for o in node.ops
            )
            if ordered and any(re.search(r"\bhorizon\b", ast.unparse(side)) for side in sides):
                found.append((name, ast.unparse(node)))
    allowed = {
        ("analysis/contrast.py", "v <= horizon"),
        ("analysis/scrutiny/surrogate.py", "v < horizon"),  # a mediator is measured before the outcome
        ("analysis/scrutiny/surrogate.py", "v <= horizon / 2"),
        ("analysis/scrutiny/surrogate.py", "records.visit <= horizon"),  # slopes between the two
    }
    assert {f for f in found if not f[0].startswith(("stats/", "simulate/", "study/"))} == allowed


def test_the_direction_rule_stands_once() -> None:
    """Nobody else compares an endpoint's direction with a word."""
    found = set()
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and re.search(r"\bbetter\b", ast.unparse(node.left)):
                found.add(name)
    assert {n for n in found if not n.startswith("stats/")} == {"analysis/contrast.py"}


def test_limits_are_read_in_one_place() -> None:
    """Whoever wants a contrast's limits asks for a contrast: their names stand where rows are made, where they are printed, and
    in one place between."""
    makers = ("analysis/endpoints/", "analysis/contrast.py", "analysis/ask.py", "analysis/model_data.py", "render/", "models/")
    found = set()
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value in {"hr_low", "hr_high", "ratio_low", "ratio_high"}:
                found.add(name)
    of_publications = {"analysis/claims/relations.py", "analysis/qualification/trials.py"}  # numbers of a paper, of R
    of_tolerances = {"stats/agreement.py"}  # names how closely two programs are to agree, and reads none
    of_tolerances |= {"analysis/reconcile/restated.py"}  # reads rows as other tables would print them
    assert {n for n in found if not n.startswith(makers)} == of_publications | of_tolerances


def test_comparisons_of_two_arms_at_two_horizons(trial: Source) -> None:
    first = trial.study.comparisons[0]
    rows = answer(Question("alsfrs"), trial).rows
    other = Comparison.model_validate(first.model_dump() | {"name": "early", "horizon": 3})
    visits = [contrast_of(rows, trial.study.endpoints["alsfrs"], c).visit_number for c in (first, other)]
    assert visits == [first.horizon, 3.0]


def test_what_is_post_hoc_synthetic_and_nominal_is_decided_once() -> None:
    """Words of honesty: one module decides each, all others ask it."""
    found: dict[str, set[str]] = {"synthetic": set(), "nominal": set(), "post hoc": set()}
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "synthetic" and ast.unparse(node).endswith("info.synthetic"):
                found["synthetic"].add(name)
            if isinstance(node, ast.Compare) and re.search(r"(self|cell|c)\.verdict", ast.unparse(node)):
                found["nominal"].add(name)
            if isinstance(node, ast.IfExp) and "prespecified" in ast.unparse(node.test):
                found["post hoc"].add(name)
    # provenance carries the flag; the app's bar has a chip, a report a provenance of its own
    assert found["synthetic"] == {"analysis/plan.py", "tui/widgets/bars.py", "service/report.py"}
    assert found["nominal"] == {"analysis/contrast.py"}
    # the list of subgroups, and the editor of one, are about a subgroup itself
    assert found["post hoc"] <= {"study/model.py", "tui/screens/subgroups.py", "tui/screens/subgroup_editor.py"}


def test_a_phrase_is_post_hoc_where_a_part_of_it_is(trial: Source) -> None:
    """Two planned subgroups are planned together only without a lock: a locked plan names what it has."""
    old = trial.study
    third = old.subgroups[0].model_copy(update={"name": "third", "complement": ""})
    given = tuple(s.model_copy(update={"prespecified": s is not third}) for s in (*old.subgroups, third))
    trial = replace(trial, study=old.model_copy(update={"subgroups": given}))
    study = trial.study
    planned = [s.name for s in study.subgroups if s.prespecified]
    late = next(s.name for s in study.subgroups if not s.prespecified)
    assert not is_post_hoc(study, "overall")
    assert not is_post_hoc(study, planned[0]) and not is_post_hoc(study, f"not {planned[0]}")
    assert is_post_hoc(study, late) and is_post_hoc(study, f"not {late}") and is_post_hoc(study, f"{planned[0]} and {late}")
    assert is_post_hoc(study, "gone")
    assert not is_post_hoc(study, planned[0], locked=True)
    both = f"{planned[0]} and {planned[1]}"
    assert (is_post_hoc(study, both), is_post_hoc(study, both, locked=True)) == (False, True)
    for phrase in (planned[0], late, f"not {late}"):
        assert members(trial, phrase).post_hoc == is_post_hoc(study, phrase)
