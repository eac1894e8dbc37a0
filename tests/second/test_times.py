"""Responders, stages and times to events of the second program: against R, by hand, and against the first program.

R: survival 3.5.3 on the reference trials (``tests/reference/*/expected/surv_*``): ``cox.zph`` of the stratified adjusted model.
By hand: Balendra 2014 (King's) and Chio 2015 (MiToS) read out for single items.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest
from tests.second.verifying import TESTS, Both, disagreements, left_out

from alsbench.second.program import answer
from alsbench.second.staging import ITEMS, kings, mitos
from alsbench.second.trial import TrialTables, read_tables

BUILT = ("overall", "not slow", "slow and limb")
RESPONDERS: tuple[dict[str, object], ...] = (
    {},
    {"nonresponse": "left-out"},
    {"confirmed": True},
    {"confirmed": True, "visits": [6]},
    {"worsening": -3},
    {"threshold": -6},
    {"threshold": 2},
    {"change": "percent", "threshold": -10},
    {"where": "AVISITN > 3"},
    {"strata": ["ONSETSIT"], "covariates": ["LEADRATE"]},
    {"ties": "breslow", "intervals": "plain"},
    {"intervals": "log"},
)
STAGES: tuple[dict[str, object], ...] = (
    {},
    {"confirmed": True},
    {"worsening": 2},
    {"systems": ["mitos"]},
    {"visits": [6, 12]},
    {"strata": ["ONSETSIT"], "covariates": ["LEADRATE"], "ties": "breslow"},
)
TIMES: tuple[dict[str, object], ...] = (
    {},
    {"ties": "breslow"},
    {"intervals": "log"},
    {"intervals": "plain"},
    {"strata": []},
    {"covariates": []},
    {"strata": [], "covariates": []},
    {"strata": ["ONSETSIT", "SEX"]},
    {"covariates": ["LEADRATE", "AGE", "SEX"]},
    {"covariates": ["ONSETSIT"], "strata": ["RILUFL"]},
)


@pytest.mark.parametrize(
    ("endpoint", "options"),
    [*(("responder", o) for o in RESPONDERS), *(("stages", o) for o in STAGES), *(("survival", o) for o in TIMES)],
)
def test_both_programs_agree_on_the_built_trial(both: Callable[[str], Both], endpoint: str, options: dict[str, object]) -> None:
    for phrase in BUILT:
        found = both("built").asked(endpoint, phrase, **options)
        assert disagreements(found) == []
        assert left_out(found) == [] and len(found.compared) > 20


@pytest.mark.parametrize(
    ("name", "phrases"),
    [("sample", ("overall", "slow", "not slow")), ("als-ref-1", ("overall", "slow")), ("als-ref-2", ("overall", "slow")),
     ("pilot", ("overall", "women", "not women", "old")), ("extra", ("overall",))],
)  # fmt: skip
@pytest.mark.parametrize("options", TIMES[:6])
def test_both_programs_agree_on_times(
    both: Callable[[str], Both], name: str, phrases: tuple[str, ...], options: dict[str, object]
) -> None:
    endpoint = "dermatologic" if name == "pilot" else "survival"
    for phrase in phrases:
        found = both(name).asked(endpoint, phrase, **options)
        assert disagreements(found) == [] and left_out(found) == []


MORE = """
[endpoints.gain]
method = "responder"
dataset = "ADQS"
paramcd = "ALSFRSR"
better = "lower"
threshold = -5
worsening = -2
confirmed = true
[endpoints.no_event]
method = "staging"
dataset = "ADQS"
[endpoints.nobody_dies]
method = "responder"
dataset = "ADQS"
paramcd = "ALSFRSR"
threshold = -3
[endpoints.none_happen]
method = "time_to_event"
dataset = "ADTTE"
paramcd = "DTHPAV"
where = "CNSR == 1"
covariates = ["LEADRATE"]
[endpoints.one_of_placebo]
method = "time_to_event"
dataset = "ADTTE"
paramcd = "DTHPAV"
where = "AVAL < 160 or CNSR == 1"
"""


@pytest.mark.parametrize("endpoint", ["gain", "no_event", "nobody_dies", "none_happen", "one_of_placebo"])
def test_both_programs_agree_where_less_is_better_without_an_event_and_without_events(
    both: Callable[[str], Both], endpoint: str
) -> None:
    trial = both("built").with_study(MORE)
    for phrase in BUILT:
        found = trial.asked(endpoint, phrase)
        assert disagreements(found) == [] and left_out(found) == []


@pytest.mark.parametrize(("name", "arm", "treatment"), [("als-ref-1", "group1", "Group 1"), ("als-ref-1", "group2", "Group 2")])
def test_proportional_hazards_are_tested_as_cox_zph_does(
    both: Callable[[str], Both], name: str, arm: str, treatment: str
) -> None:
    source = both(name).source
    expected = json.loads((TESTS / "reference" / name / "expected" / f"surv_{arm}_overall.json").read_text())
    trial = TrialTables(source.study, read_tables(source.snapshot.path))
    endpoint = source.study.endpoints["survival"]
    for ties in ("efron", "breslow"):
        found = answer(trial, endpoint.model_copy(update={"ties": ties}))
        (p,) = {n.stat for n in found if n.stat_name == "ph_p" and n.treatment == treatment}
        term = next(t for t in expected["cox"]["stratified_adjusted"][ties]["zph"] if t["term"] == "arm")
        assert p == pytest.approx(term["p"], abs=1e-8)


def items(**changed: float | None) -> pd.DataFrame:
    """One visit with every item at 4, item 5 asked as 5a, but for what is changed (``i5b``: asked that way)."""
    row: dict[str, float | None] = dict.fromkeys(ITEMS, 4.0) | {"5b": None}
    if "i5b" in changed:
        row["5a"] = None
    row |= {name.removeprefix("i"): value for name, value in changed.items()}
    return pd.DataFrame([row]).astype(float).assign(split=True)


@pytest.mark.parametrize(
    ("changed", "king", "mito"),
    [({}, 0, 0), ({"i1": 3}, 1, 0), ({"i1": 3, "i2": 0, "i3": 2}, 1, 0), ({"i1": 3, "i4": 3}, 2, 0), ({"i5a": 3}, 1, 0),
     ({"i1": 3, "i4": 3, "i8": 3}, 3, 0), ({"i5b": 4}, 4, 0), ({"i10": 0}, 4, 1), ({"i10": 1}, 0, 1), ({"i12": 3}, 4, 0),
     ({"i12": 2}, 4, 1), ({"i11": 0}, 0, 0), ({"i8": 1}, 1, 1), ({"i6": 1}, 0, 1), ({"i8": 1, "i6": 0}, 1, 1),
     ({"i3": 1}, 1, 1), ({"i1": 1}, 1, 0), ({"i1": 1, "i4": 1}, 2, 1), ({"i8": 0, "i3": 0, "i1": 0, "i4": 0, "i10": 0}, 4, 4),
     ({"i1": None}, None, 0), ({"i1": None, "i2": 3}, 1, 0), ({"i1": None, "i4": 0}, None, None), ({"i12": None}, None, None),
     ({"i12": None, "i10": 0}, 4, 1), ({"i5a": None}, None, 0), ({"i5a": None, "i12": 0}, 4, 1), ({"i8": None}, None, None),
     ({"i8": None, "i6": 0}, None, 1), ({"i11": None, "i7": None, "i9": None}, 0, 0)],
)  # fmt: skip
def test_stages_by_their_definitions(changed: dict[str, float | None], king: int | None, mito: int | None) -> None:
    for stage, expected in ((kings(items(**changed)), king), (mitos(items(**changed)), mito)):
        assert [None if pd.isna(v) else v for v in stage] == [expected]
