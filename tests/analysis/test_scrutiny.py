"""Each check gives what the engine gives when asked the same thing another way, or what NumPy gives by the definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result, Row
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import ALL, CHECKS, catalogue, run_check, verdict
from alsbench.analysis.scrutiny.contexts import by_chance
from alsbench.analysis.scrutiny.variants import specifications
from alsbench.analysis.source import Source
from alsbench.errors import UsageError
from alsbench.study.model import Subgroup

G1 = {"treatment": "Group 1", "reference": "Placebo"}
IDS = [c.id for c in ALL]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer trials dealt again than a user gets: what is tested here does not depend on their number."""
    monkeypatch.setattr(catalogue, "DRAWS", 199)


def stats(rows: Result, **where: object) -> dict[str, float]:
    return {r.stat_name: r.number() for r in rows.select(context="contrast", **where)}


def ask(source: Source, subgroup: str, **options: str) -> Result:
    """The joint rank of the reference trial, asked directly."""
    return answer(
        Question("cafs", subgroups=(subgroup,), comparisons=("G1-M6",), options=tuple(sorted(options.items()))), source
    )


def with_subgroup(source: Source, where: str) -> Source:
    study = source.study.model_copy(update={"subgroups": (Subgroup(name="other", where=where),)})
    return replace(source, study=study)


def test_the_list_is_that_of_the_methods() -> None:
    assert [c.number for c in CHECKS] == list(range(1, 23))
    assert len({c.id for c in CHECKS}) == 22


@pytest.mark.parametrize("check", IDS)
@pytest.mark.parametrize("endpoint", ["cafs", "alsfrs_ancova", "survival"])
def test_every_check_answers_every_kind_of_endpoint(trial: Source, quarterly: Source, check: str, endpoint: str) -> None:
    source = quarterly if check == "missingness" else trial
    found = run_check(check, source, "slow", endpoint=endpoint, comparisons=("G1-M6",))
    assert found.rows or "not applicable" in verdict(found)
    assert found.provenance.post_hoc
    assert found.provenance.synthetic
    assert len({r.key() for r in found.rows}) == len(found.rows)
    assert run_check(check, source, "slow", endpoint=endpoint, comparisons=("G1-M6",)) == found


def test_overall_and_complement_are_the_endpoint_asked_of_them(trial: Source) -> None:
    for check, phrase in (("overall", "overall"), ("complement", "not slow")):
        found = run_check(check, trial, "slow")
        for part in (phrase, "slow"):
            mine = stats(found, subgroup=part, visit_number=6.0, **G1)
            direct = stats(ask(trial, part), level=None)
            assert {k: direct[k] for k in ("difference", "conf_low", "conf_high", "p_value")} == {
                k: v for k, v in mine.items() if not k.startswith("n_")
            }


def test_balance_is_the_pooled_sd_formula(trial: Source) -> None:
    """(mean treated - mean reference) / sqrt((var treated + var reference) / 2), variances with n - 1 (Austin 2009)."""
    rate = np.asarray(trial.subject_column("LEADRATE"), dtype=float)
    fas = trial.population("FAS")
    slow = fas & (rate <= rate[fas].mean())
    age = np.asarray(trial.subject_column("AGE"), dtype=float)
    arm = trial.subject_column("TRT01P")
    a, b = age[slow & (arm == "Group 1")], age[slow & (arm == "Placebo")]
    expected = (a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    found = run_check("balance", trial, "slow").get("smd", variable="AGE", **G1)
    assert found is not None
    assert found.number() == pytest.approx(expected, rel=1e-12)


def test_sweep_is_the_endpoint_in_each_group(trial: Source) -> None:
    found = run_check("sweep", trial, "slow", comparisons=("G1-M6",))
    rate = np.asarray(trial.subject_column("LEADRATE"), dtype=float)
    fas, arm = trial.population("FAS"), trial.subject_column("TRT01P")
    own = rate[fas].mean()
    cuts = sorted([own, *np.quantile(rate[fas], np.arange(1, 10) / 10, method="averaged_inverted_cdf")])
    levels = list(dict.fromkeys(r.level for r in found.rows))
    assert levels == [*(f"<= {c:.6g}" for c in cuts), "all cuts"]
    for cut, level in zip(cuts, levels[:-1], strict=True):
        mine = stats(found, level=level)
        assert mine["n_treatment"] == (fas & (rate <= cut) & (arm == "Group 1")).sum()
        assert mine["n_reference"] == (fas & (rate <= cut) & (arm == "Placebo")).sum()
    third = with_subgroup(trial, f"LEADRATE <= {float(cuts[3])!r}")
    assert stats(found, level=levels[3])["p_value"] == stats(ask(third, "other"), level=None)["p_value"]
    assert {r.level for r in found.rows if r.warning} == {f"<= {own:.6g}"}


def test_sweep_of_a_complement_lies_on_the_other_side(trial: Source) -> None:
    found = run_check("sweep", trial, "not slow", comparisons=("G1-M6",))
    assert {str(r.level)[:2] for r in found.rows} == {"> ", "al"}


def test_sweep_of_what_is_no_cut_says_so(trial: Source) -> None:
    other = with_subgroup(trial, 'LEADRATE < 1 and ONSETSIT == "LIMB"')
    assert "not one cut" in verdict(run_check("sweep", other, "other"))


def test_visits_are_all_of_them_with_the_horizon_marked(trial: Source) -> None:
    found = run_check("visits", trial, "slow", comparisons=("G1-M6",))
    visits = {r.visit_number for r in found.rows}
    assert visits == {float(v) for v in range(1, 13)}
    assert {r.visit_number for r in found.rows if r.warning} == {6.0}
    at9 = answer(Question("cafs", subgroups=("slow",), comparisons=("G1-M6",), visits=(9.0,)), trial)
    assert stats(found, visit_number=9.0)["p_value"] == stats(at9, level=None)["p_value"]


def test_specifications_are_the_options_asked_directly(trial: Source) -> None:
    found = run_check("specification", trial, "slow", comparisons=("G1-M6",))
    made = specifications(trial.endpoint("cafs"))
    assert len(made) == len({name for name, _ in made}) == 2 * 3 * 2 * 2 * 2
    assert {r.level for r in found.rows} == {name for name, _ in made}
    for name, options in made[::11]:
        direct = stats(ask(trial, "slow", **dict(options)), level=None)
        mine = stats(found, level=name)
        assert (mine["p_value"], mine["gehan_p"]) == (direct["p_value"], direct["gehan_p"])


def test_alternatives(trial: Source) -> None:
    found = run_check("alternatives", trial, "slow", comparisons=("G1-M6",))
    p = {str(r.level): r.number() for r in found.rows if r.stat_name == "p_value"}
    adjusted, plain = (stats(ask(trial, "slow", **o), level=None) for o in ({}, {"covariates": "[]", "strata": "[]"}))
    assert p == {
        "adjusted": adjusted["p_value"],
        "unadjusted": plain["p_value"],
        "Gehan-Wilcoxon, stratified": adjusted["gehan_p"],
        "Gehan-Wilcoxon, unstratified": plain["gehan_p"],
    }


def test_rerandomisation_is_the_option_asked_directly(trial: Source) -> None:
    found = stats(run_check("rerandomisation", trial, "slow", comparisons=("G1-M6",)))
    direct = stats(ask(trial, "slow", permutations="199"), level=None)
    for name in ("permutation_p", "permutation_gehan_p", "permutations", "gehan_p", "p_value"):
        assert found[name] == direct[name]


def test_a_control_left_out_is_a_subgroup_without_that_subject(trial: Source) -> None:
    found = run_check("controls", trial, "slow", comparisons=("G1-M6",))
    levels = list(dict.fromkeys(str(r.level) for r in found.rows))
    arm = dict(zip(trial.subject_ids, trial.subject_column("TRT01P"), strict=True))
    assert levels[0] == "nobody"
    assert {arm[s] for s in levels[1:]} == {"Placebo"}
    other = with_subgroup(trial, f'LEADRATE <= mean(LEADRATE) and USUBJID != "{levels[5]}"')
    direct = stats(ask(other, "other"), level=None)
    mine = stats(found, level=levels[5])
    assert (mine["difference"], mine["p_value"]) == (direct["difference"], direct["p_value"])


def test_components_add_up(trial: Source) -> None:
    found = run_check("components", trial, "slow", comparisons=("G1-M6",))
    pairs: list[Row] = [r for r in found.rows if r.stat_name == "pairs"]
    wins = stats(found, level=None)
    assert sum(r.number() for r in pairs) == wins["wins"] + wins["losses"] + wins["ties"]


def test_verdict_reads_each_comparison_at_its_own_horizon(trial: Source) -> None:
    found = run_check("overall", trial, "slow")
    for part in verdict(found).split("; "):
        name, _, words = part.partition(": ")
        comparison = next(c for c in trial.study.comparisons if c.name == name)
        question = Question("cafs", subgroups=("slow",), comparisons=(name,))
        row = answer(question, trial).get("p_value", visit_number=comparison.horizon)
        assert row is not None
        assert words.endswith(f"slow p {row.number():.3g}")


def test_overall_has_neither_complement_nor_interaction(trial: Source) -> None:
    for check in ("complement", "interaction", "sweep"):
        assert "not applicable" in verdict(run_check(check, trial, "overall"))


def test_what_is_not_there_is_refused(trial: Source) -> None:
    with pytest.raises(UsageError, match="did you mean sweep"):
        run_check("swep", trial, "slow")
    with pytest.raises(UsageError, match="no single contrast"):
        run_check("overall", trial, "slow", endpoint="baseline")


def test_a_difference_by_chance(trial: Source) -> None:
    """Two groups of 200: the SE of a standardised difference is 0.1, and 31.73 % lie beyond one standard error."""
    assert by_chance(200, 200) == pytest.approx(0.3173, abs=5e-5)
    assert "by chance" in verdict(run_check("balance", trial, "slow"))


def test_unadjusted_has_neither_covariates_nor_factors(trial: Source) -> None:
    endpoint = trial.endpoint("alsfrs_ancova").model_copy(update={"factors": ("SITEID",)})
    endpoints = {**trial.study.endpoints, "alsfrs_ancova": endpoint}
    other = replace(trial, study=trial.study.model_copy(update={"endpoints": endpoints}))
    found = run_check("alternatives", other, "slow", endpoint="alsfrs_ancova", comparisons=("G1-M6",))
    plain = answer(
        Question("alsfrs_ancova", subgroups=("slow",), comparisons=("G1-M6",), visits=(6.0,), options=(("covariates", "[]"),)),
        trial,
    )
    mine, direct = found.get("p_value", level="unadjusted"), plain.get("p_value", context="contrast")
    assert mine is not None
    assert direct is not None
    assert mine.number() == direct.number()


@pytest.mark.parametrize("endpoint", ["alsfrs_ancova", "alsfrs", "alsfrs_slope", "survival"])
def test_every_endpoint_is_rerandomised(trial: Source, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 1,999 arrangements the p is near the model's: least squares and log-rank are nearly exact at these sizes."""
    monkeypatch.setattr(catalogue, "DRAWS", 1999)
    found = stats(run_check("rerandomisation", trial, "slow", endpoint=endpoint, comparisons=("G2-M12",)))
    assert found["permutations"] == 1999
    direct = answer(Question(endpoint, subgroups=("slow",), comparisons=("G2-M12",)), trial)
    log_rank = direct.get("log_rank_p")
    model = found["p_value"] if log_rank is None else log_rank.number()
    assert abs(found["permutation_p"] - model) < (0.05 if endpoint == "alsfrs_ancova" else 0.25)


def test_the_controls_counted_are_those_left_out(trial: Source) -> None:
    found = run_check("controls", trial, "slow", comparisons=("G1-M6",))
    arm, fas = trial.subject_column("TRT01P"), trial.population("FAS")
    rate = np.asarray(trial.subject_column("LEADRATE"), dtype=float)
    n = int((fas & (rate <= rate[fas].mean()) & (arm == "Placebo")).sum())
    assert f"of {n} below" in verdict(found)


def test_every_check_has_a_title_that_a_narrow_list_shows_whole() -> None:
    assert [c.title for c in CHECKS if len(c.short) > 36] == []
