"""Options of the joint rank on the built trial, every pair scored by loops as METHODS says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.analysis.test_built_trial import followed, ranked, score
from tests.built import trial as built
from tests.built.counted import ADSL, TIMES, TOTAL, number, of

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.errors import UsageError
from alsbench.stats.resampling import permute_ancova

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
    result = asked(source)
    rank = {r.level: r.number() for r in result.select(context="subject", stat_name="rank", **AT)}
    who = [s for s in map(str, source.subject_ids) if s in rank and ADSL.loc[s, ["LEADRATE", "ONSETSIT"]].notna().all()]
    assert len(who) < len(rank)
    words = sorted({str(ADSL.ONSETSIT[s]) for s in who})
    columns = [[1.0, float(ADSL.LEADRATE[s]), *(float(ADSL.ONSETSIT[s] == w) for w in words[1:])] for s in who]
    expected = permute_ancova(
        [rank[s] for s in who],
        np.array([ADSL.TRT01P[s] == "Low" for s in who]),
        np.array(columns),
        strata=[words.index(str(ADSL.ONSETSIT[s])) for s in who],
        draws=400,
        seed=11,
    )
    assert number(result, "permutation_p", context="contrast", **AT) == expected.p


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
