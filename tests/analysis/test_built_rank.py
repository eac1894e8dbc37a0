"""Options of the joint rank on the built trial, every pair scored by loops as METHODS says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.analysis.test_built_times import partly_known, stage_of
from tests.analysis.test_built_trial import followed, ranked, score
from tests.built import trial as built
from tests.built.counted import ADSL, TIMES, TOTAL, number, of

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.endpoints.staging import PROGRESSION
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members
from alsbench.errors import UsageError
from alsbench.stats.permutation import permute_ancova

Followed = tuple[float | None, float, dict[int, float]]
AT = {"subgroup": "overall", "treatment": "Low", "visit_number": 6.0}


def changed(source: Source, **endpoints: dict[str, object]) -> Source:
    """The trial with keys of endpoints changed."""
    made = dict(source.study.endpoints)
    for name, keys in endpoints.items():
        made[name] = made[name].model_copy(update=keys)
    return replace(source, study=source.study.model_copy(update={"endpoints": made}))


def scores(result: Result) -> dict[str | None, float]:
    return {r.level: r.number() for r in result.select(context="subject", stat_name="score", **AT)}


def asked(source: Source) -> Result:
    return answer(Question("cafs", comparisons=("Low-M6",), subjects=True), source)


def test_of_a_function_that_is_better_low(built_trial: Source) -> None:
    who = {s: (e, c, {v: -x for v, x in f.items()}) for s, (e, c, f) in ranked("overall", "Low", 6).items()}
    found = scores(asked(changed(built_trial, alsfrs={"better": "lower"})))
    assert found == {s: sum(score(who[s], who[t]) for t in who if t != s) for s in who}
    assert found != scores(asked(built_trial))


@pytest.mark.parametrize("missing", ["none", "locf", "worst"])
def test_compared_at_the_horizon_only(built_trial: Source, missing: str) -> None:
    """Where the horizon's value is missing: no comparison, the last one before it, or worse than any."""
    who = ranked("overall", "Low", 6)

    def value(f: dict[int, float]) -> float | None:
        if 6 in f:
            return f[6]
        if missing == "locf":
            return f[max(f)] if f else None
        return -math.inf if missing == "worst" else None

    def pair(a: Followed, b: Followed) -> int:
        by_event = score((a[0], a[1], {}), (b[0], b[1], {}))
        if by_event or (a[0] is not None and b[0] is not None):
            return by_event
        x, y = value(a[2]), value(b[2])
        return 0 if x is None or y is None else (x > y) - (x < y)

    found = scores(asked(changed(built_trial, cafs={"function_at": "horizon", "missing": missing})))
    assert found == {s: sum(pair(who[s], who[t]) for t in who if t != s) for s in found}
    gone = [s for s, (event, _, f) in who.items() if event is None and 6 not in f and f]
    assert gone, "somebody's value at the horizon is missing"


def test_a_comparison_without_a_horizon_needs_a_visit(built_trial: Source) -> None:
    comparisons = tuple(c.model_copy(update={"horizon": None}) for c in built_trial.study.comparisons)
    source = replace(built_trial, study=built_trial.study.model_copy(update={"comparisons": comparisons}))
    with pytest.raises(UsageError, match="has no horizon"):
        answer(Question("cafs", comparisons=("Low-M6",)), source)
    found = answer(Question("cafs", comparisons=("Low-M6",), visits=(6.0,)), source)
    told = answer(Question("cafs", comparisons=("Low-M6",)), built_trial)
    assert number(found, "wins", context="contrast", **AT) == number(told, "wins", context="contrast", **AT)
    assert followed("B-05", 6)[0] == 183.0


def test_permutations_of_the_adjusted_ranks_are_of_those_with_their_covariates(built_trial: Source) -> None:
    """Who lacks a covariate is ranked but not modelled; the same test asked of the rows picked out by their values."""
    source = changed(built_trial, cafs={"permutations": 400, "seed": 11, "strata": ("ONSETSIT",), "rank_within_strata": False})
    result = answer(Question("cafs", comparisons=("High-M12",), subjects=True), source)
    at = {"subgroup": "overall", "treatment": "High", "visit_number": 12.0}
    rank = {r.level: r.number() for r in result.select(context="subject", stat_name="rank", **at)}
    who = [s for s in map(str, source.subject_ids) if s in rank and ADSL.loc[s, ["LEADRATE", "ONSETSIT"]].notna().all()]
    assert built.MISSING_RATE in rank and built.MISSING_RATE not in who
    words = sorted({str(ADSL.ONSETSIT[s]) for s in who})
    columns = [[1.0, float(ADSL.LEADRATE[s]), *(float(ADSL.ONSETSIT[s] == w) for w in words[1:])] for s in who]
    expected = permute_ancova(
        [rank[s] for s in who],
        np.array([ADSL.TRT01P[s] == "High" for s in who]),
        np.array(columns),
        strata=[words.index(str(ADSL.ONSETSIT[s])) for s in who],
        draws=400,
        seed=11,
    )
    assert number(result, "permutation_p", context="contrast", **at) == expected.p


def test_the_interaction_of_ranks_of_all_arms_is_of_all_arms(trial: Source) -> None:
    """statsmodels: the ranks of everybody, as the endpoint prints them, on arm by part and the covariates."""
    import statsmodels.formula.api as smf

    source = changed(trial, cafs={"arms": "all"})
    piece = evidence_piece(source, source.endpoint("cafs"), "slow", source.comparisons(("G2-M12",)))
    result = answer(Question("cafs", comparisons=("G2-M12",), subjects=True), source)
    rank = {r.level: r.number() for r in result.select(context="subject", stat_name="rank", visit_number=12.0)}
    slow = {str(s) for s, m in zip(source.subject_ids, members(source, "slow").mask, strict=True) if m}
    names = ("TRT01P", "BLALSFR", "LEADRATE", "ONSETSIT", "RILUFL")
    frame = pd.DataFrame({n: source.subject_column(n) for n in names}, index=[str(s) for s in source.subject_ids])
    frame = frame.loc[list(rank)].assign(y=list(rank.values()), inside=[float(s in slow) for s in rank])
    fit = smf.ols("y ~ C(TRT01P, Treatment('Placebo')) * inside + BLALSFR + LEADRATE + ONSETSIT + RILUFL", frame).fit()
    assert len(set(frame.TRT01P)) == 3 and len(rank) > 100
    term = "C(TRT01P, Treatment('Placebo'))[T.Group 2]:inside"
    assert [c.interaction_p for c in piece.cells] == [pytest.approx(float(fit.pvalues[term]), abs=1e-9)]


@pytest.mark.parametrize("arms", ["comparison", "all"])
def test_permutations_where_an_arm_has_nobody_say_so(built_trial: Source, arms: str) -> None:
    """The only subject of Solo is not in the complement: nothing to permute, and the other comparisons are as they were."""
    assert of("not slow", "Solo") == [] and of("not slow", "Low")
    source = changed(built_trial, cafs={"permutations": 99, "arms": arms})
    result = answer(Question("cafs", subgroups=("not slow",)), source)
    found = {r.treatment: r for r in result.select(stat_name="permutation_p")}
    assert found["Solo"].error == "no ranked subjects of Solo in this subgroup" and found["Low"].stat is not None


def test_a_worsening_that_must_be_confirmed(built_trial: Source) -> None:
    """The next change known must be as bad, or the event come after the last; times end at the last visit otherwise."""
    result = answer(Question("responder"), changed(built_trial, responder={"confirmed": True}))
    fewer = 0
    for arm in ("Placebo", "Low", "High"):
        n = confirmed = 0
        for s in of("overall", arm):
            day, censored = TIMES.get(s, ("", ""))
            event = float(day) if day != "" and censored == 0 else math.inf
            rows = TOTAL[(s == TOTAL.USUBJID) & (TOTAL.AVISITN > 0) & TOTAL.CHG.notna()].sort_values("AVISITN")
            actual = rows.ADY.where(rows.ADY.notna(), rows.AVISITN.map(built.DAY))
            beyond = [c <= -6 for c, d in zip(rows.CHG, actual, strict=True) if d <= event]
            after = [*beyond[1:], event < math.inf]
            n += bool(beyond) or event < math.inf
            crossed = any(b and a for b, a in zip(beyond, after, strict=True)) if beyond else False
            confirmed += crossed or event < math.inf
            fewer += any(beyond) and not crossed
        at = {"context": "arm", "arm": arm, "subgroup": "overall", "variable": "time to threshold", "level": None}
        assert (number(result, "n", **at), number(result, "events", **at)) == (n, confirmed)
    assert fewer >= 1


def test_the_baseline_is_no_horizon_of_a_time(built_trial: Source) -> None:
    """Stages are counted at baseline too; the time to progression has no restricted mean up to then."""
    result = answer(Question("stages", visits=(0.0, 6.0)), built_trial)
    assert {r.visit_number for r in result.rows if r.visit_number is not None} == {0.0, 6.0}
    assert {r.level for r in result.rows if r.stat_name.startswith("rmst")} == {"day 183"}


@pytest.mark.parametrize("intervals", ["log-log", "log", "plain"])
def test_intervals_of_a_survival_curve(built_trial: Source, intervals: str) -> None:
    """Greenwood's variance on the scale of the option, by its formula (Kalbfleisch and Prentice, 1.4)."""
    result = answer(Question("survival"), changed(built_trial, survival={"intervals": intervals}))
    at = {"context": "arm", "arm": "Placebo", "subgroup": "overall", "level": "day 183"}
    known = [TIMES[s] for s in of("overall", "Placebo") if "" not in TIMES.get(s, ("", ""))]
    times = [(float(day), censored == 0) for day, censored in known]
    share, greenwood = 1.0, 0.0
    for day in sorted({d for d, event in times if event and d <= 183}):
        n, d = sum(t >= day for t, _ in times), sum(t == day and e for t, e in times)
        share, greenwood = share * (1 - d / n), greenwood + d / (n * (n - d))
    z, root = 1.959963984540054, math.sqrt(greenwood)
    if intervals == "plain":
        low, high = share - z * share * root, min(1.0, share + z * share * root)
    elif intervals == "log":
        low, high = share * math.exp(-z * root), min(1.0, share * math.exp(z * root))
    else:
        spread = z * root / math.log(share)
        low, high = share ** math.exp(-spread), share ** math.exp(spread)
    assert number(result, "survival", **at) == pytest.approx(share, rel=1e-12)
    assert number(result, "survival_low", **at) == pytest.approx(low, rel=1e-9)
    assert number(result, "survival_high", **at) == pytest.approx(high, rel=1e-9)


def test_tied_events_of_a_cox_model(built_trial: Source) -> None:
    """statsmodels' PHReg with the rate as covariate, both rules for ties; B-12 and B-16 have their event on one day."""
    from statsmodels.duration.hazard_regression import PHReg

    who = [s for s in of("overall", "Low", "High") if "" not in TIMES.get(s, ("", "")) and ADSL.LEADRATE.notna()[s]]
    columns = np.array([[float(ADSL.TRT01P[s] == "High"), float(ADSL.LEADRATE[s])] for s in who])
    days, events = (np.array([float(TIMES[s][0]) for s in who]), np.array([TIMES[s][1] == 0 for s in who]))
    at = {"context": "contrast", "treatment": "High", "reference": "Low", "subgroup": "overall", "level": None}
    high = built_trial.study.comparisons[1].model_copy(update={"reference": "Low"})
    source = replace(built_trial, study=built_trial.study.model_copy(update={"comparisons": (high,)}))
    ratios = []
    for ties in ("efron", "breslow"):
        fit = PHReg(days, columns, status=events.astype(int), ties=ties).fit()
        result = answer(Question("survival"), changed(source, survival={"ties": ties, "strata": ()}))
        ratios.append(number(result, "hazard_ratio", **at))
        assert ratios[-1] == pytest.approx(math.exp(fit.params[0]), rel=1e-6)
        assert number(result, "p_value", **at) == pytest.approx(float(fit.pvalues[0]), abs=1e-6)
    assert abs(ratios[0] / ratios[1] - 1) > 1e-3


def test_interaction_of_a_cox_model(built_trial: Source) -> None:
    """statsmodels' PHReg with arm, part and their product: the p of the product, wherever the parts hold events enough."""
    from statsmodels.duration.hazard_regression import PHReg

    source = changed(built_trial, survival={"covariates": (), "strata": ()})
    known = [s for s in map(str, source.subject_ids) if "" not in TIMES.get(s, ("", ""))]
    index = {str(s): i for i, s in enumerate(source.subject_ids)}
    seen = 0
    for name in ("slow", "nfl_low", "limb"):
        member = members(source, name)
        for c in evidence_piece(source, source.endpoint("survival"), name, source.comparisons(())).cells:
            if c.interaction_p is None:
                continue
            seen += 1
            who = [s for s in known if member.decided[index[s]] and ADSL.TRT01P[s] in (c.treatment, "Placebo")]
            treated = np.array([float(ADSL.TRT01P[s] == c.treatment) for s in who])
            part = np.array([float(member.mask[index[s]]) for s in who])
            days, events = (np.array([float(TIMES[s][0]) for s in who]), np.array([int(TIMES[s][1] == 0) for s in who]))
            fit = PHReg(days, np.column_stack([treated, part, treated * part]), status=events, ties="efron").fit()
            assert c.interaction_p == pytest.approx(float(fit.pvalues[2]), abs=1e-5), (name, c.treatment)
    assert seen >= 1


@pytest.mark.parametrize(("system", "variable"), list(zip(("King's", "MiToS"), PROGRESSION.values(), strict=True)))
def test_who_has_a_time_to_progression(built_trial: Source, system: str, variable: str) -> None:
    """A known stage at baseline, and a known one after it or the event."""
    result = answer(Question("stages"), built_trial)
    only_baseline = 0
    for arm in ("Placebo", "Low", "High"):
        n = 0
        for s in of("overall", arm):
            day, censored = TIMES.get(s, ("", ""))
            event = day != "" and censored == 0
            if partly_known(s, 6) or math.isnan(stage_of(s, 0, system)):
                continue
            after = any(not math.isnan(stage_of(s, v, system)) for v in (6, 12))
            n += after or event
            only_baseline += not (after or event)
        n += sum(partly_known(s, 6) for s in of("overall", arm))
        assert number(result, "n", context="arm", arm=arm, subgroup="overall", variable=variable, level=None) == n
    assert only_baseline >= 1


def test_without_a_stage_at_baseline_an_event_on_that_day_is_no_progression(
    built_trial: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alsbench.analysis.endpoints import staging

    read = staging.read_items

    def counted(event: float) -> list[float]:
        """How many have a time, where the first subject of an arm has no stage at baseline, and an event on a day or none."""

        def read_other(ask: object) -> object:
            items = read(ask)
            score, day = items.score.copy(), items.event_day.copy()
            score[first, list(items.visits).index(0.0), :] = np.nan
            day[first] = event
            return replace(items, score=score, event_day=day)

        monkeypatch.setattr(staging, "read_items", read_other)
        result = answer(Question("stages"), built_trial)
        at = {"context": "arm", "arm": "Low", "subgroup": "overall", "level": None}
        return [number(result, "n", variable=variable, **at) for variable in PROGRESSION.values()]

    first = next(i for i, s in enumerate(of("overall")) if ADSL.TRT01P[s] == "Low" and not math.isnan(stage_of(s, 0, "King's")))
    assert counted(1.0) == counted(math.nan)


def slope_frame(source: Source, part: str) -> pd.DataFrame:
    """The total score of the analysis set at every visit, baseline included, with its time in months."""
    frame, member = source.snapshot.frame("ADQS"), members(source, part)
    index = {str(s): i for i, s in enumerate(source.subject_ids)}
    at = np.array([index[str(s)] for s in frame["USUBJID"]])
    arms = np.array(["", *source.study.arms.order], dtype=object)[source.planned_arm[at] + 1]
    made = pd.DataFrame({"ID": frame["USUBJID"], "ARM": arms, "MONTH": frame["AVISITN"], "AVAL": frame["AVAL"]})
    made["PART"], made["IN"] = member.mask[at].astype(float), member.decided[at]
    for name in ("LEADRATE", "ONSETSIT"):
        made[name] = source.subjects[name][at]
    return made[(frame["PARAMCD"] == "ALSFRSR") & made.IN & (made.ARM != "") & (frame["ANL01FL"] == "Y")].drop(columns="IN")


def test_interaction_of_slopes(trial: Source) -> None:
    """als.slopes (held to R's lmerTest and pbkrtest), one model by formula: the product of time, arm and part."""
    import alsbench as als

    piece = evidence_piece(trial, trial.endpoint("alsfrs_slope"), "slow", trial.comparisons(("G2-M12",)))
    formula = "AVAL ~ MONTH * C(ARM, Treatment('Placebo')) * PART + LEADRATE + ONSETSIT"
    m = als.slopes(formula, slope_frame(trial, "slow"), subject="ID", time="MONTH")
    (name,) = [n for n in m.pvalues.index if "Group 2" in n and "MONTH" in n and "PART" in n]
    assert [c.interaction_p for c in piece.cells] == [pytest.approx(float(m.pvalues[name]), abs=1e-6)]


def test_slopes_by_maximum_likelihood(trial: Source) -> None:
    import alsbench as als

    result = answer(Question("alsfrs_slope", df="satterthwaite", options=(("estimation", "ml"),)), trial)
    formula = "AVAL ~ MONTH * C(ARM, Treatment('Placebo')) + LEADRATE + ONSETSIT"
    m = als.slopes(formula, slope_frame(trial, "overall"), subject="ID", time="MONTH", df_method="satterthwaite", reml=False)
    (name,) = [n for n in m.params.index if "Group 2" in n and "MONTH" in n]
    found = number(result, "se", context="contrast", treatment="Group 2", level=None)
    assert found == pytest.approx(float(m.bse[name]), rel=1e-6)
    restricted = answer(Question("alsfrs_slope", df="satterthwaite"), trial)
    assert abs(found / number(restricted, "se", context="contrast", treatment="Group 2", level=None) - 1) > 1e-3


def test_item_five_answered_in_both_ways_is_unknown() -> None:
    """5a and 5b at one visit: neither counts, and the score of item 5 is missing."""
    from alsbench.analysis.endpoints.staging import ITEM_5, _gastrostomy

    score = np.zeros((2, 1, 12))
    who, at, item = np.array([0, 0, 1]), np.zeros(3, dtype=int), np.full(3, ITEM_5)
    tube, both = _gastrostomy(who, at, item, np.array([False, True, True]), np.array([3.0, 2.0, 1.0]), score, split=True)
    assert both == 1 and np.isnan(tube[0, 0]) and np.isnan(score[0, 0, ITEM_5])
    assert tube[1, 0] == 1.0 and score[1, 0, ITEM_5] == 1.0
