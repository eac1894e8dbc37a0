"""The evidence table repeats what the endpoints answer, and adds the interaction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.evidence import evidence, evidence_columns, iter_evidence
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source


@pytest.fixture(scope="module")
def table(trial: Source):
    return evidence(trial, ["slow"])


def test_columns_put_the_complement_beside_the_subgroup(trial: Source) -> None:
    assert evidence_columns(trial, ["slow", "slow and nfl_low", "slow"]) == (
        "overall",
        "slow",
        "not slow",
        "slow and nfl_low",
    )


@pytest.mark.parametrize("phrase", ["overall", "slow", "not slow"])
def test_cells_are_the_endpoints_answers(trial: Source, table, phrase: str) -> None:
    for cell in table.cells:
        if cell.subgroup != phrase:
            continue
        question = Question(
            cell.endpoint,
            subgroups=(phrase,),
            comparisons=(cell.comparison,),
            visits=(cell.visit_number,) if cell.visit_number is not None else (),
        )
        result = answer(question, trial)
        where = {"context": "contrast", "treatment": cell.treatment, "level": None, "visit_number": cell.visit_number}
        names = [n for n in ("hazard_ratio", "ratio", "difference") if result.get(n, **where)]
        assert cell.estimate == result.get(names[0], **where).stat
        assert cell.p == result.get("p_value", **where).stat


def test_post_hoc_marks_the_subgroup_and_its_complement_only(table) -> None:
    for cell in table.cells:
        assert cell.post_hoc == (cell.subgroup != "overall")


def test_interaction_stands_on_the_subgroup_only(table) -> None:
    for cell in table.cells:
        where = {"context": "subgroup", "subgroup": cell.subgroup, "treatment": cell.treatment, "endpoint": cell.endpoint}
        row = table.result.get("interaction_p", **where, visit_number=cell.visit_number)
        row = row or table.result.get("interaction_p", **where)
        if cell.subgroup != "slow":
            assert cell.interaction_p is None
            assert row is None
        elif cell.interaction_p is None:
            assert row.error, cell
        else:
            assert row.stat == cell.interaction_p
    assert sum(c.interaction_p is not None for c in table.cells) >= 15


def test_interaction_of_ancova_against_statsmodels(trial: Source, table) -> None:
    """CHG ~ arm * part + base + covariates among two arms at month 6: statsmodels OLS as an independent fit."""
    import pandas as pd
    import statsmodels.formula.api as smf

    from alsbench.analysis.records import endpoint_records
    from alsbench.analysis.subgroups import members

    records = endpoint_records(trial, trial.endpoint("alsfrs_ancova"))
    part = members(trial, "slow").mask
    subject = records.subject
    frame = pd.DataFrame(
        {
            "chg": records.chg,
            "base": records.base,
            "visit": records.visit,
            "arm": trial.planned_arm[subject],
            "part": part[subject].astype(int),
            "fas": trial.population()[subject],
            **{c: trial.subjects[c][subject] for c in ("LEADRATE", "ONSETSIT", "RILUFL")},
        }
    )
    frame = frame[(frame.visit == 6) & frame.fas & frame.arm.isin([0, 1]) & frame.chg.notna()]
    fit = smf.ols("chg ~ C(arm) * part + base + LEADRATE + ONSETSIT + RILUFL", frame).fit()
    cell = next(c for c in table.cells if (c.endpoint, c.comparison, c.subgroup) == ("alsfrs_ancova", "G1-M6", "slow"))
    assert cell.interaction_p == pytest.approx(fit.pvalues["C(arm)[T.1]:part"], abs=1e-9)


def test_rows_are_unique(table) -> None:
    keys = [r.key() for r in table.result.rows]
    assert len(keys) == len(set(keys))


def test_it_can_be_stopped(trial: Source) -> None:
    seen = []
    pieces = iter_evidence(trial, ["slow"], cancelled=lambda: len(seen) >= 2)
    for piece in pieces:
        seen.append(piece.cells)
    assert len(seen) == 2


def test_a_higher_joint_rank_is_better_whatever_the_direction_of_the_endpoint(trial: Source, table) -> None:
    """Scoring turns a lower-is-better function round (METHODS 3): ranks always favour upwards."""
    turned = trial.endpoint("cafs").model_copy(update={"better": "lower"})
    study = trial.study.model_copy(update={"endpoints": {**trial.study.endpoints, "cafs": turned}})
    cells = evidence_piece(replace(trial, study=study), turned, "overall", trial.study.comparisons).cells
    assert [c.favourable for c in cells] == [(c.estimate or 0.0) > 0 for c in cells]
    assert [c.favourable for c in cells] == [table.cell("cafs", c.comparison, "overall").favourable for c in cells]


def test_an_endpoint_with_a_population_of_its_own_says_so(trial: Source) -> None:
    own = trial.endpoint("svc").model_copy(update={"population": "PP"})
    study = trial.study.model_copy(update={"endpoints": {**trial.study.endpoints, "svc": own}})
    lines = evidence(replace(trial, study=study)).result.facts.lines
    n = int(trial.population("PP").sum())
    flag = trial.study.populations.flags["PP"]
    assert ("Population", f"svc: PP ({flag} = 'Y'); overall n = {n}") in lines


def test_slope_interaction_is_of_the_endpoints_own_model(trial: Source) -> None:
    """With a shared baseline the arms start from one mean in each part (Liang and Zeger 2000), in the interaction as well."""

    def interaction_p(**changes: object) -> list[float]:
        endpoint = trial.endpoint("alsfrs_slope").model_copy(update=changes)
        study = trial.study.model_copy(update={"endpoints": {**trial.study.endpoints, "alsfrs_slope": endpoint}})
        cells = evidence_piece(replace(trial, study=study), endpoint, "slow", trial.study.comparisons).cells
        return [c.interaction_p or -1.0 for c in cells]

    free, shared = interaction_p(), interaction_p(shared_baseline=True)
    assert all(0 < p < 1 for p in (*free, *shared)) and free != shared
