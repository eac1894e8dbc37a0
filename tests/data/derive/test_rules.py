"""Rules of derivation that the study file gives instead of the documented ones. Hand-made: the first dose is day 1."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from tests.data.derive.proact_files import whole_trial
from tests.data.derive.proact_files import write as write_proact
from tests.data.derive.sdtm_files import Record, Tables, sdtm, write
from tests.data.derive.test_sdtm import STUDY, asked, day, person
from tests.data.small_trial import NOW

from alsbench.data.derive.layout import Derived, derive
from alsbench.data.load import load
from alsbench.data.readers.files import read
from alsbench.data.workspace import Workspace
from alsbench.errors import StudyError
from alsbench.study.model import Derive
from alsbench.study.study_file import parse_study, study_digest


def made(tmp_path: Path, rules: Derive | None = None, **tables: list[Record]) -> Derived:
    everything: Tables = {"dm": [person()], "ex": [{"DOMAIN": "EX", "USUBJID": "S1", "EXSTDTC": day(1)}], **tables}
    folder = write(tmp_path / "files", everything)
    return derive([d for path in sorted(folder.iterdir()) for d in read(path)], "sdtm", rules)


def rows(derived: Derived, table: str) -> list[dict[str, Any]]:
    (found,) = [t for t in derived.tables if t.name == table]
    return found.table().to_pylist()


def totals(derived: Derived) -> list[tuple[float, float | None, str | None]]:
    """(ADY, AVISITN, ABLFL) of the totals."""
    held = [r for r in rows(derived, "ADQS") if r["PARAMCD"] == "ALSFRSR"]
    return [(r["ADY"], None if r["AVISITN"] is None or math.isnan(r["AVISITN"]) else r["AVISITN"], r["ABLFL"]) for r in held]


def steps(derived: Derived, table: str) -> str:
    return "\n".join(r["HOW"] for r in rows(derived, "DERIVATIONS") if r["TABLE"] == table)


VISITS = [
    *asked(-10, 4, "Screening"),
    *asked(1, 4, "Baseline"),
    *asked(3, 3),
    *asked(28, 3, "Month 1"),
    *asked(32, 3),
    *asked(44, 2),
    *asked(46, 2, "Month 2"),
    *asked(70, 2),
]


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        (Derive(), {-10: None, 1: 0, 3: None, 28: None, 32: 1, 44: None, 46: None, 70: 2}),
        (Derive(record="first"), {-10: None, 1: 0, 3: None, 28: 1, 32: None, 44: None, 46: 2, 70: None}),
        (Derive(record="last"), {-10: None, 1: 0, 3: None, 28: None, 32: None, 44: 1, 46: None, 70: 2}),
        (Derive(windows={"Month 1": (25, 31)}), {-10: None, 1: 0, 3: None, 28: 1, 32: None, 44: None, 46: None, 70: 2}),
        (
            Derive(windows={"1": (40, 50), "2": (65, 75)}),
            {-10: None, 1: 0, 3: None, 28: None, 32: None, 44: None, 46: None, 70: 2} | {44: 1},
        ),
    ],
)
def test_windows_and_which_record_counts(tmp_path: Path, rules: Derive, wanted: dict[int, float | None]) -> None:
    """Targets: month 1 day 30, month 2 day 61, their midpoint 45.5. Days 28 and 32 are equally close to 30; 70 is closer to 61
    than 46. In the last, 44 and 46 lie in month 1's window and 44 is closer to day 30."""
    derived = made(tmp_path, rules, qs=VISITS)
    assert {int(d): v for d, v, _ in totals(derived)} == wanted
    if rules.windows:
        assert "windows given by the study instead: " in steps(derived, "ADQS")
    else:
        assert ("closest" if rules.record == "closest" else f"the {rules.record} record counts") in steps(derived, "ADQS")


@pytest.mark.parametrize(
    ("rules", "baseline"),
    [
        (Derive(), -10),
        (Derive(baseline="flagged"), -10),
        (Derive(baseline="last"), -2),
        (Derive(baseline="closest"), 2),
        (Derive(baseline="closest", baseline_days=(-14, 0)), -2),
    ],
)
def test_the_rule_of_the_baseline(tmp_path: Path, rules: Derive, baseline: int) -> None:
    """The flag stands on day -10; day -2 is the last before the dose (three days from it); day 2 is a day after."""
    flagged = [{**r, "QSLOBXFL": "Y"} for r in asked(-10, 4, "Screening")]
    derived = made(tmp_path, rules, qs=[*flagged, *asked(-2, 4), *asked(2, 3), *asked(30, 2, "Month 1")])
    assert [d for d, _, flag in totals(derived) if flag == "Y"] == [baseline]


def _log(test: str, h: float, days: range) -> list[Record]:
    return [{"DOMAIN": "RE", "USUBJID": "S1", "RETESTCD": "HRS", "RETEST": test, "RESTRESN": h, "REDTC": day(d)} for d in days]


@pytest.mark.parametrize(
    ("rules", "event"),
    [
        (Derive(), 60),
        (Derive(ventilation_days=14), None),
        (Derive(ventilation_days=5), 40),
        (Derive(ventilation_hours=20), 20),
        (Derive(ventilation_hours=23.5), None),
        (Derive(ventilation="non-invasive"), 60),
        (Derive(ventilation="invasive"), None),
        (Derive(ventilation="invasive", ventilation_days=5), 40),
    ],
)
def test_what_permanent_ventilation_is(tmp_path: Path, rules: Derive, event: int | None) -> None:
    """21 h on days 20 to 31 and 23 h on 60 to 70, non-invasive; 23 h on days 40 to 45, invasive."""
    log = [
        *_log("Non-Invasive Ventilation Hours", 21, range(20, 32)),
        *_log("Invasive Ventilation Hours", 23, range(40, 46)),
        *_log("Non-Invasive Ventilation Hours", 23, range(60, 71)),
    ]
    derived = made(tmp_path, rules, qs=[*asked(1, 4, "Baseline"), *asked(91, 3, "Month 3")], re=log)
    (found,) = [r for r in rows(derived, "ADTTE") if r["PARAMCD"] == "DTHPAV"]
    assert (found["AVAL"], found["CNSR"]) == ((event, 0) if event else (91, 1))
    assert f"> {rules.ventilation_hours:g} h a day on {rules.ventilation_days} consecutive days" in steps(derived, "ADTTE")


@pytest.mark.parametrize(("counts", "censored"), [(True, 0), (False, 1)])
def test_whether_a_tracheostomy_is_an_event(tmp_path: Path, counts: bool, censored: int) -> None:
    opened = [{"DOMAIN": "PR", "USUBJID": "S1", "PRTRT": "TRACHEOSTOMY", "PRSTDTC": day(50)}]
    derived = made(tmp_path, Derive(tracheostomy=counts), qs=[*asked(1, 4, "Baseline"), *asked(91, 3, "Month 3")], pr=opened)
    (found,) = [r for r in rows(derived, "ADTTE") if r["PARAMCD"] == "DTHPAV"]
    assert found["CNSR"] == censored


@pytest.mark.parametrize(("shortest", "known"), [(28, False), (10, True)])
def test_over_how_many_days_a_lead_in_is_one(tmp_path: Path, shortest: float, known: bool) -> None:
    derived = made(
        tmp_path, Derive(lead_in_days=shortest), qs=[*asked(-12, 4), *asked(1, 3, "Baseline"), *asked(30, 2, "Month 1")]
    )
    (subject,) = rows(derived, "ADSL")
    assert (subject.get("LEADRATE") is not None and not math.isnan(subject["LEADRATE"])) is known


def test_a_window_of_no_visit_is_told(tmp_path: Path) -> None:
    derived = made(tmp_path, Derive(windows={"Month 11": (300, 350)}), qs=VISITS)
    assert [(f.severity, f.table) for f in derived.findings if f.rule == "derive-window"] == [("warning", "study.toml")]


def test_the_rules_of_the_study_are_those_of_the_load(tmp_path: Path) -> None:
    """Through the study file: every derived line of the receipt, and the event of whoever had a tracheostomy, follow it."""
    text = STUDY.read_text("utf-8") + '\n[derive]\nrecord = "last"\nventilation_hours = 20\ntracheostomy = false\n'
    receipt = load([write(tmp_path / "files", sdtm())], Workspace(tmp_path / "ws"), study=parse_study(text), now=NOW)
    said = {f.dataset: "\n".join(f.messages) for f in receipt.files}
    assert "the last record counts" in said["ADQS"]
    assert "> 20 h a day on 10 consecutive days" in said["ADTTE"]
    assert "tracheostomy" not in said["ADTTE"]


def test_proact_by_the_rules_of_the_study(tmp_path: Path) -> None:
    folder = write_proact(tmp_path / "proact", whole_trial())
    datasets = [d for path in sorted(folder.iterdir()) if path.suffix == ".csv" for d in read(path)]
    plain, ruled = (
        derive(datasets, "proact"),
        derive(datasets, "proact", Derive(baseline="last", windows={"Month 1": (20, 40)})),
    )
    assert "closest to day 0 in [-30, +7]" in steps(plain, "ADQS")
    assert "the last record up to day 0" in steps(ruled, "ADQS")
    assert "Month 1: days 20 to 40" in steps(ruled, "ADQS")
    baselines = [r["ADY"] for r in rows(ruled, "ADQS") if r["ABLFL"] == "Y"]
    assert baselines
    assert max(baselines) <= 0
    month = [r["ADY"] for r in rows(ruled, "ADQS") if r["AVISIT"] == "Month 1"]
    assert all(20 <= d <= 40 for d in month)


@pytest.mark.parametrize(
    ("line", "where", "says"),
    [
        ("ventilation_hour = 20", "derive.ventilation_hour", "ventilation_hours"),
        ("ventilation_hours = 24", "derive.ventilation_hours", "24"),
        ("ventilation_days = 0", "derive.ventilation_days", "1"),
        ('record = "nearest"', "derive.record", "closest"),
        ('baseline = "flag"', "derive.baseline", "flagged"),
        ("baseline_days = [7, -30]", "derive.baseline_days", "end"),
        ('windows = { "Month 1" = [40, 20] }', "derive.windows", "end"),
        ('windows = { "Month 1" = [10, 40], "Month 2" = [40, 70] }', "derive.windows", "share day 40"),
    ],
)
def test_faults_of_the_rules_name_line_key_and_what_is_allowed(line: str, where: str, says: str) -> None:
    text = STUDY.read_text("utf-8")
    with pytest.raises(StudyError) as found:
        parse_study(f"{text}\n[derive]\n{line}\n")
    last = f"{text}\n[derive]\n".count("\n") + 1
    assert found.value.where.startswith(f"study.toml:{last} {where}")
    assert says in f"{found.value.what} {found.value.why} {found.value.hint}"


def test_a_study_without_rules_has_the_digest_it_had() -> None:
    text = STUDY.read_text("utf-8")
    study = parse_study(text)
    assert "derive" not in study.model_dump(mode="json", by_alias=True)
    assert study_digest(parse_study(f"{text}\n[derive]\nventilation_days = 7\n")) != study_digest(study)
