"""Responders and disease stages: counts by hand from the delivered files, and the times they lead to.

Expected counts are made here with pandas from the XPT files, by the rules of METHODS 2 and 5; Newcombe's interval is tested
against published examples in ``tests/stats``. Nothing here shares code with what it tests.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.records import resolve_visit
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.errors import DataError, StudyError, UsageError
from alsbench.render.ard import to_json
from alsbench.render.delimited import page_markdown
from alsbench.render.layout import page_text
from alsbench.render.tables import endpoint_page
from alsbench.study.model import Endpoint, Event, Subgroup
from alsbench.study.study_file import parse_study

TRIAL = Path(__file__).parent.parent / "reference" / "als-ref-1"
ARMS = ("Placebo", "Group 1", "Group 2")
EVENT = Event(paramcd="DTHPAV")
RESPONDER = Endpoint(name="kept", method="responder", dataset="ADQS", paramcd="ALSFRSR", threshold=-6, event=EVENT)
STAGES = Endpoint(name="stages", method="staging", dataset="ADQS", event=EVENT)


def with_endpoint(source: Source, endpoint: Endpoint, where: str = "") -> Source:
    changes: dict[str, object] = {"endpoints": {endpoint.name: endpoint}}
    if where:
        changes["subgroups"] = (Subgroup(name="edge", where=where),)
    return replace(source, study=source.study.model_copy(update=changes))


def asked(source: Source, endpoint: Endpoint, *visits: float, **options: str) -> Result:
    question = Question(endpoint.name, visits=visits, options=tuple(sorted(options.items())))
    return answer(question, with_endpoint(source, endpoint))


def says_why(result: Result) -> bool:
    keys = [r.key() for r in result.rows]
    return len(keys) == len(set(keys)) and all(r.error or r.warning for r in result.rows if r.stat is None)


@cache
def files() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    adsl, adqs, adtte = (pyreadstat.read_xport(str(TRIAL / f"{n}.xpt"))[0] for n in ("adsl", "adqs", "adtte"))
    adsl = adsl[adsl.FASFL == "Y"].set_index("USUBJID")
    return adsl, adqs[adqs.USUBJID.isin(adsl.index)], adtte.set_index("USUBJID")


def event_day(subject: str) -> float:
    row = files()[2].loc[subject]
    return float(row.AVAL) if row.CNSR == 0 else math.inf


def change(month: float) -> dict[str, float]:
    adqs = files()[1]
    total = adqs[(adqs.PARAMCD == "ALSFRSR") & (month == adqs.AVISITN)]
    return dict(zip(total.USUBJID, total.CHG, strict=True))


@pytest.mark.parametrize(("month", "day"), [(6.0, 183), (12.0, 365)])
@pytest.mark.parametrize("nonresponse", ["non-responder", "left-out"])
def test_responders_by_hand(trial: Source, month: float, day: int, nonresponse: str) -> None:
    result = asked(trial, RESPONDER, month, nonresponse=nonresponse)
    changes = change(month)
    for arm in ARMS:
        members = [s for s, a in files()[0].TRT01P.items() if a == arm]
        gone = {s for s in members if event_day(s) <= day}
        unknown = [s for s in members if s not in changes and s not in gone]
        count = sum(1 for s in members if s not in gone and changes.get(s, -99.0) >= -6)
        n = len(members) - (len(unknown) if nonresponse == "left-out" else 0)
        at = {"arm": arm, "visit_number": month}
        assert (result.get("n", **at).stat, result.get("count", **at).stat) == (n, count)
        assert result.get("percent", **at).stat == pytest.approx(100 * count / n)
        assert result.get("n_missing", **at).stat == len(unknown)
        assert result.get("n_event", **at).stat == len(gone)
    for arm in ARMS[1:]:
        low, mid, high = (
            result.get(f"risk_difference{end}", treatment=arm, visit_number=month).number() for end in ("_low", "", "_high")
        )
        shares = [result.get("percent", arm=a, visit_number=month).number() for a in (arm, "Placebo")]
        assert mid == pytest.approx(shares[0] - shares[1])
        assert low < mid < high
    assert says_why(result)


def test_time_to_threshold_by_hand(trial: Source) -> None:
    """First study day with a loss of 6 points or more, or the event; events by arm, and the earliest of them."""
    result = asked(trial, RESPONDER)
    adsl, adqs, _ = files()
    total = adqs[(adqs.PARAMCD == "ALSFRSR") & (adqs.AVISITN > 0) & adqs.CHG.notna()]
    for arm in ARMS:
        reached, seen = 0, 0
        for subject in adsl.index[arm == adsl.TRT01P]:
            mine = total[(subject == total.USUBJID) & (event_day(subject) >= total.ADY)]
            seen += int(len(mine) > 0 or math.isfinite(event_day(subject)))
            reached += int((mine.CHG <= -6).any() or math.isfinite(event_day(subject)))
        at = {"arm": arm, "variable": "time to threshold"}
        assert (result.get("n", **at).stat, result.get("events", **at).stat) == (seen, reached)
    assert result.get("hazard_ratio", treatment="Group 2").number() > 0
    assert result.get("log_rank_p", treatment="Group 2").number() < 1


def test_a_gain_has_no_time_to_loss_unless_asked(trial: Source) -> None:
    gain = RESPONDER.model_copy(update={"threshold": 2.0})
    assert asked(trial, gain).get("hazard_ratio") is None
    later = asked(trial, gain, worsening="-4")
    assert later.get("hazard_ratio", treatment="Group 1").stat is not None
    assert any("<= -4" in text for _, text in later.facts.lines)


def test_confirmed_worsening_is_never_more_frequent(trial: Source) -> None:
    once, twice = (asked(trial, RESPONDER, confirmed=c) for c in ("false", "true"))
    for arm in ARMS:
        at = {"arm": arm, "variable": "time to threshold"}
        assert twice.get("events", **at).stat <= once.get("events", **at).stat


def kings(items: dict[str, float]) -> int:
    """Balendra 2014 for a visit with every item answered."""
    score = {int(code[5:7]): value for code, value in items.items()}
    if "ALSFR05B" in items or score[10] == 0 or score[12] < 4:
        return 4
    return sum([min(score[1], score[2], score[3]) < 4, min(score[4], score[5]) < 4, score[8] < 4])


def mitos(items: dict[str, float]) -> int:
    """Chio 2015 for a visit with every item answered."""
    score = {int(code[5:7]): value for code, value in items.items()}
    return sum(
        [
            score[8] <= 1 or score[6] <= 1,
            score[3] <= 1,
            score[1] <= 1 and score[4] <= 1,
            score[10] <= 1 or score[12] <= 2,
        ]
    )


@pytest.mark.parametrize(("month", "nominal"), [(0.0, 0), (6.0, 183), (12.0, 365)])
def test_stages_by_hand(trial: Source, month: float, nominal: int) -> None:
    adsl, adqs, _ = files()
    items = adqs[adqs.PARAMCD.str.fullmatch(r"ALSFR\d\d[AB]?") & (month == adqs.AVISITN) & adqs.AVAL.notna()]
    visits = {s: (dict(zip(g.PARAMCD, g.AVAL, strict=True)), float(g.ADY.iloc[-1])) for s, g in items.groupby("USUBJID")}
    result = asked(trial, STAGES, month)
    for variable, rule in (("King's stage", kings), ("MiToS stage", mitos)):
        for arm in ARMS:
            counts = dict.fromkeys(range(6), 0)
            members = list(adsl.index[arm == adsl.TRT01P])
            for subject in members:
                scores, day = visits.get(subject, (None, float(nominal)))
                if event_day(subject) <= day:
                    counts[5] += 1
                elif scores is not None:
                    counts[rule(scores)] += 1
            at = {"arm": arm, "visit_number": month, "variable": variable}
            got = {int(r.level): r.stat for r in result.select(stat_name="count", **at)}
            assert got == counts
            assert result.get("n", **at).stat == sum(counts.values())
            assert result.get("n_missing", **at).stat == len(members) - sum(counts.values())
    assert says_why(result)


def test_time_to_a_higher_stage_by_hand(trial: Source) -> None:
    result = asked(trial, STAGES, systems='["kings"]')
    assert {r.variable for r in result.rows if r.variable} == {"King's stage", "time to a higher King's stage"}
    adsl, adqs, _ = files()
    items = adqs[adqs.PARAMCD.str.fullmatch(r"ALSFR\d\d[AB]?") & adqs.AVAL.notna()]
    for arm in ARMS:
        reached = 0
        for subject in adsl.index[arm == adsl.TRT01P]:
            mine = items[subject == items.USUBJID]
            stage = {
                (m, float(g.ADY.iloc[0])): kings(dict(zip(g.PARAMCD, g.AVAL, strict=True))) for m, g in mine.groupby("AVISITN")
            }
            start = next(s for (m, _), s in stage.items() if m == 0)
            later = [s for (m, day), s in stage.items() if m > 0 and day <= event_day(subject)]
            reached += int(any(s > start for s in later) or math.isfinite(event_day(subject)))
        assert result.get("events", arm=arm, variable="time to a higher King's stage").stat == reached


def test_codes_of_a_trials_own(trial: Source) -> None:
    """Twelve codes: nobody's gastrostomy is known from item 5; a code that is not in the data is named."""
    own = [f"ALSFR{k:02d}" if k != 5 else "ALSFR05A" for k in range(1, 13)]
    listed = asked(trial, STAGES, 0.0, items=repr(own).replace("'", '"'))
    fours = [sum(r.number() for r in x.select(stat_name="count", variable="King's stage", level="4")) for x in (
        asked(trial, STAGES, 0.0), listed)]  # fmt: skip
    assert fours[1] < fours[0]
    with pytest.raises(DataError, match="QS01"):
        asked(trial, STAGES, items=repr(["QS01", *own[1:]]).replace("'", '"'))
    with pytest.raises(UsageError, match="2 codes"):
        asked(trial, STAGES, items='["A", "B"]')


@pytest.mark.parametrize("endpoint", [RESPONDER, STAGES])
@pytest.mark.parametrize("where", ["AGE > 200", "USUBJID == 'ALSREF01-02-1001'", "TRT01PN != 2"])
def test_edges(trial: Source, endpoint: Endpoint, where: str) -> None:
    """Nobody, one subject, an arm without data: rows that say why, in every format."""
    source = with_endpoint(trial, endpoint, where)
    result = answer(Question(endpoint.name, subgroups=("edge",), visits=(6.0,)), source)
    assert says_why(result)
    page = endpoint_page(result)
    assert page_text(page) and page_markdown(page) and to_json(result)
    gone = [r for r in result.rows if r.treatment == "Group 2" and r.stat_name == "hazard_ratio"]
    assert gone and all(r.stat is None and r.error for r in gone)


def test_visits_by_label_and_without_data(trial: Source) -> None:
    for endpoint in (RESPONDER, STAGES):
        assert resolve_visit(with_endpoint(trial, endpoint), endpoint, "month 6") == 6.0
    result = asked(trial, RESPONDER, 99.0)
    assert "99" in result.get("risk_difference", treatment="Group 2").error


def test_the_other_reference_trial(sources: dict[str, Source]) -> None:
    """Weeks, four arms, other codes for the total: every subject of the set is in a stage or unknown at every visit."""
    result = asked(sources["als-ref-2"], STAGES.model_copy(update={"where": "ANL01FL == 'Y'"}))
    total = sum(r.number() for r in result.select(context="subgroup", stat_name="n") if r.arm)
    for visit in {r.visit_number for r in result.rows if r.visit_number is not None}:
        at = {"visit_number": visit, "variable": "MiToS stage", "level": None}
        both = [r.number() for name in ("n", "n_missing") for r in result.select(stat_name=name, **at)]
        assert sum(both) == total


MINIMAL = """schema = 1
[study]
id = "S"
[arms]
reference = "P"
order = ["P", "A"]
[populations]
FAS = "FASFL"
default = "FAS"
[[comparisons]]
treatment = "A"
horizon = 6
[endpoints.e]
dataset = "ADQS"
"""


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('method = "responder"\nparamcd = "X"', "threshold"),
        ('method = "responder"\nthreshold = -3', "paramcd"),
        ('method = "staging"\nitems = ["A"]', "items"),
        ('method = "staging"\nsystems = ["kings", "kings"]', "systems"),
        ('method = "mmrm"\nparamcd = "X"\ntipping_deltas = [1, 2]', "tipping_deltas"),
        ('method = "mmrm"\nparamcd = "X"\nimputation = "jump"', "jump-to-reference"),
    ],
)
def test_study_faults(keys: str, says: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(MINIMAL + keys + "\n")
    assert says in str(caught.value) + str(caught.value.where) + str(caught.value.hint)


def test_study_keys_are_read() -> None:
    study = parse_study(MINIMAL + 'method = "staging"\nevent = { paramcd = "DTH" }\nsystems = ["mitos"]\n')
    assert study.endpoints["e"].systems == ("mitos",)
