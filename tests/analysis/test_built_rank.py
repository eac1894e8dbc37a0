"""Options of the joint rank on the built trial, every pair scored by loops as METHODS says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tests.analysis.test_built_trial import followed, ranked, score
from tests.built.counted import number

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.errors import UsageError

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
