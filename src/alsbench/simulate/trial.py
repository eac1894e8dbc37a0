"""A whole simulated trial as ADaM-like tables: ADSL, ADQS (items and total), ADRE, ADLB, ADTTE, ADAE and ADEX.

METHODS: the course and the items of :mod:`alsbench.simulate.subjects`; variables as the ADaM
implementation guide 1.3 names them. Day 1 is the day of the first dose.
The study file is the ALS template with the trial's own arms and comparisons.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alsbench.files import write_bytes, write_file
from alsbench.simulate.draws import Array, Stream
from alsbench.simulate.parameters import Parameters
from alsbench.simulate.safety import AdverseEvent, Dose, simulate_adverse_events, simulate_doses
from alsbench.simulate.subjects import EVENTS, ITEMS, Measures, SimulatedSubjects, item_scores, loss_orders, simulate_subjects
from alsbench.simulate.xport import XportColumn, XportTable, to_xport
from alsbench.study.als import ITEMS as ALS_ITEMS

TOTAL = "ALSFRSR"
CREATED = datetime(2024, 1, 1)  # what the files say of their creation: a clock would make equal trials unequal
_REASONS = ("WITHDRAWAL BY SUBJECT", "ADVERSE EVENT", "LOST TO FOLLOW-UP", "PHYSICIAN DECISION")
Values = NDArray[np.generic]
_MARK = "# --- "


def simulate_trial(params: Parameters, seed: int) -> dict[str, XportTable]:
    """The trial with ``seed``, by data set name. Equal arguments give equal tables."""
    people, measures = simulate_subjects(params, seed)
    doses = simulate_doses(params, people)
    frame = _Frame(params, people, seed)
    adsl = _adsl(frame, measures, doses, Stream(seed, 100))
    return {
        "ADSL": adsl,
        "ADQS": _adqs(frame, measures, seed),
        "ADRE": _by_visit(
            frame,
            "ADRE",
            "Respiratory Analysis Dataset",
            measures,
            "SVCPP",
            "Slow Vital Capacity (% predicted)",
            measures.svc,
            1,
        ),
        "ADLB": _adlb(frame, measures),
        "ADTTE": _adtte(frame),
        "ADAE": _adae(frame, simulate_adverse_events(params, people, doses, seed)),
        "ADEX": _adex(frame, doses),
    }


def write_trial(directory: Path, params: Parameters, seed: int) -> list[Path]:
    """Write the trial as XPT files and a study.toml into ``directory`` (created if need be); the paths written, in order. What
    fails on the way leaves nothing of it."""
    tables = simulate_trial(params, seed)
    directory.mkdir(parents=True, exist_ok=True)
    contents = {f"{name.lower()}.xpt": table for name, table in tables.items()}
    written: list[Path] = []
    try:
        for name, table in contents.items():
            write_bytes(directory / name, (to_xport(table, created=CREATED),))
            written.append(directory / name)
        write_file(directory / "study.toml", (study_text(params),))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return [*written, directory / "study.toml"]


class _Frame:
    """The columns every data set begins with, and the making of columns from per-subject values."""

    def __init__(self, params: Parameters, people: SimulatedSubjects, seed: int) -> None:
        self.params = params
        self.people = people
        n = people.arm.size
        self.site = np.array([f"{int(u * params.study.sites) + 1:02d}" for u in Stream(seed, 101).uniform(n)], dtype=object)
        self.subject = np.array([f"{1001 + i}" for i in range(n)], dtype=object)
        ids = [f"{params.study.id}-{s}-{x}" for s, x in zip(self.site, self.subject, strict=True)]
        self.ids = np.array(ids, dtype=object)
        self.arm = np.array([params.arms[a].name for a in people.arm], dtype=object)
        first = (params.study.start - datetime(1970, 1, 1).date()).days
        self.day_zero = (first + people.start).astype(np.float64)  # calendar day of study day 1, minus one

    def head(self, person: NDArray[np.int64]) -> tuple[XportColumn, ...]:
        study = np.full(person.size, self.params.study.id, dtype=object)
        return (
            text("STUDYID", "Study Identifier", study),
            text("USUBJID", "Unique Subject Identifier", self.ids[person]),
            text("TRT01P", "Planned Treatment for Period 01", self.arm[person]),
            text("TRT01A", "Actual Treatment for Period 01", self.arm[person]),
        )

    def date(self, person: NDArray[np.int64], day: NDArray[np.int64]) -> Array:
        return self.day_zero[person] + day


def text(name: str, label: str, values: Values) -> XportColumn:
    return XportColumn(name, label, "text", values)


def number(name: str, label: str, values: Values) -> XportColumn:
    return XportColumn(name, label, "number", values.astype(np.float64))


def day(name: str, label: str, values: Values) -> XportColumn:
    return XportColumn(name, label, "date", values.astype(np.float64))


def _texts(n: int, make: Callable[[int], str]) -> Values:
    return np.array([make(i) for i in range(n)], dtype=object)


def _flag(values: NDArray[np.bool_], no: str = "N") -> Values:
    return np.where(values, "Y", no).astype(object)


def _adsl(frame: _Frame, measures: Measures, doses: list[Dose], stream: Stream) -> XportTable:
    people, n = frame.people, frame.arm.size
    everyone = np.arange(n)
    last_dose = np.ones(n, dtype=np.int64)
    for dose in doses:
        last_dose[dose.person] = max(last_dose[dose.person], dose.day)
    post = np.bincount(measures.person[measures.month > 0], minlength=n) > 0
    deviation = stream.uniform(n) < 0.04
    early = people.dropped & (people.end_day < 180)
    reason = _texts(n, lambda _: _REASONS[stream.choice(np.array([4.0, 2.0, 2.0, 1.0]))])
    ended = people.event >= 0
    died = people.event == 0
    why = np.where(died, "DEATH", np.where(ended, "DISEASE PROGRESSION", np.where(people.dropped, reason, "")))
    columns = people.columns
    return XportTable(
        "ADSL",
        "Subject-Level Analysis Dataset",
        (
            *frame.head(everyone),
            number("TRT01PN", "Planned Treatment for Period 01 (N)", people.arm),
            text("SUBJID", "Subject Identifier for the Study", frame.subject),
            text("SITEID", "Study Site Identifier", frame.site),
            number("AGE", "Age", columns["AGE"]),
            text("AGEU", "Age Units", np.full(n, "YEARS", dtype=object)),
            text("SEX", "Sex", columns["SEX"]),
            text("RACE", "Race", columns["RACE"]),
            text("ARM", "Description of Planned Arm", frame.arm),
            text("ONSETSIT", "Site of Onset", columns["ONSETSIT"]),
            text("RILUFL", "Riluzole Use at Baseline Flag", columns["RILUFL"]),
            number("DURDIS", "Disease Duration at Baseline (Months)", columns["DURDIS"]),
            number("LEADRATE", "ALSFRS-R Lead-in Decline (points/month)", columns["LEADRATE"]),
            number("BLALSFR", "Baseline ALSFRS-R Total", columns["BLALSFR"]),
            number("BLSVC", "Baseline SVC (% predicted)", columns["BLSVC"]),
            number("BLNFL", "Baseline Serum NfL (pg/mL)", columns["BLNFL"]),
            day("RANDDT", "Date of Randomization", frame.day_zero),
            day("TRTSDT", "Date of First Exposure to Treatment", frame.day_zero + 1),
            day("TRTEDT", "Date of Last Exposure to Treatment", frame.date(everyone, last_dose)),
            text("FASFL", "Full Analysis Set Population Flag", _flag(post)),
            text("PPROTFL", "Per-Protocol Population Flag", _flag(post & ~deviation & ~early)),
            text("SAFFL", "Safety Population Flag", np.full(n, "Y", dtype=object)),
            text("DTHFL", "Subject Death Flag", _flag(died, "")),
            text("EOSSTT", "End of Study Status", np.where(ended | people.dropped, "DISCONTINUED", "COMPLETED").astype(object)),
            text("DCSREAS", "Reason for Discontinuation from Study", why.astype(object)),
            day("EOSDT", "End of Study Date", frame.date(everyone, people.end_day)),
        ),
    )


def _visit_columns(frame: _Frame, measures: Measures, rows: NDArray[np.int64]) -> tuple[XportColumn, ...]:
    person, month, days = measures.person[rows], measures.month[rows], measures.day[rows]
    names = {m: f"Month {m}" if m else "Baseline" for m in np.unique(month)}
    return (
        text("AVISIT", "Analysis Visit", np.array([names[m] for m in month], dtype=object)),
        number("AVISITN", "Analysis Visit (N)", month),
        day("ADT", "Analysis Date", frame.date(person, days)),
        number("ADY", "Analysis Relative Day", days),
        text("ABLFL", "Baseline Record Flag", _flag(month == 0, "")),
        text("ANL01FL", "Analysis Flag 01", np.full(rows.size, "Y", dtype=object)),
    )


def _change(person: NDArray[np.int64], month: NDArray[np.int64], values: Array, digits: int) -> tuple[Array, Array]:
    """BASE and CHG of one parameter; both missing where there is no baseline, CHG missing at baseline."""
    base = np.full(int(person.max()) + 1, np.nan)
    base[person[month == 0]] = values[month == 0]
    return base[person], np.where(month == 0, np.nan, np.round(values - base[person], digits))


def _adqs(frame: _Frame, measures: Measures, seed: int) -> XportTable:
    orders = loss_orders(frame.people.onset, Stream(seed, ITEMS))
    scores = item_scores(measures.total, measures.person, orders)
    tube = _gastrostomy(measures, scores[:, 2])
    everything = np.arange(measures.person.size)
    blocks: list[tuple[str, str, NDArray[np.int64], Array]] = [
        (TOTAL, "ALSFRS-R Total Score", everything, measures.total.astype(np.float64))
    ]
    for item in ALS_ITEMS:
        score = scores[:, item.number - 1].astype(np.float64)
        asked = [everything] if len(item.codes) == 1 else [np.flatnonzero(~tube), np.flatnonzero(tube)]
        for code, rows in zip(item.codes, asked, strict=True):
            blocks.append((code, f"ALSFRS-R Item {code.removeprefix('ALSFR')}", rows, score[rows]))
    rows = np.concatenate([b[2] for b in blocks])
    base, change = (np.concatenate(x) for x in zip(
        *(_change(measures.person[r], measures.month[r], v, 0) for _, _, r, v in blocks), strict=True
    ))  # fmt: skip
    which = np.repeat(np.arange(len(blocks)), [b[2].size for b in blocks])
    order = np.lexsort((which, measures.month[rows], measures.person[rows]))
    columns = (
        *frame.head(measures.person[rows]),
        *_visit_columns(frame, measures, rows),
        text("PARAMCD", "Parameter Code", np.array([b[0] for b in blocks], dtype=object)[which]),
        text("PARAM", "Parameter", np.array([b[1] for b in blocks], dtype=object)[which]),
        number("AVAL", "Analysis Value", np.concatenate([b[3] for b in blocks])),
        number("BASE", "Baseline Value", base),
        number("CHG", "Change from Baseline", change),
    )
    columns = tuple(XportColumn(c.name, c.label, c.kind, c.values[order]) for c in columns)
    return XportTable("ADQS", "ALSFRS-R Analysis Dataset", columns)


def _gastrostomy(measures: Measures, swallowing: NDArray[np.int64]) -> NDArray[np.bool_]:
    """From the first visit after baseline at which swallowing scores 1 or less, for good; rows are in visit order."""
    tube = np.zeros(measures.person.size, dtype=bool)
    for i in range(tube.size):
        same = i > 0 and measures.person[i] == measures.person[i - 1]
        tube[i] = (measures.month[i] > 0 and swallowing[i] <= 1) or (same and tube[i - 1])
    return tube


def _by_visit(
    frame: _Frame, name: str, label: str, measures: Measures, code: str, param: str, values: Array, digits: int
) -> XportTable:
    rows = np.flatnonzero(np.isfinite(values))
    person, month = measures.person[rows], measures.month[rows]
    base, change = _change(person, month, values[rows], digits)
    return XportTable(
        name,
        label,
        (
            *frame.head(person),
            *_visit_columns(frame, measures, rows),
            text("PARAMCD", "Parameter Code", np.full(rows.size, code, dtype=object)),
            text("PARAM", "Parameter", np.full(rows.size, param, dtype=object)),
            number("AVAL", "Analysis Value", values[rows]),
            number("BASE", "Baseline Value", base),
            number("CHG", "Change from Baseline", change),
        ),
    )


def _adlb(frame: _Frame, measures: Measures) -> XportTable:
    lloq = frame.params.course.nfl_lloq
    below = measures.nfl < lloq
    values = np.where(below, lloq / 2, measures.nfl)
    table = _by_visit(
        frame, "ADLB", "Laboratory Analysis Dataset", measures, "NFL", "Serum Neurofilament Light (pg/mL)", values, 2
    )
    low = below[np.isfinite(measures.nfl)]
    return XportTable(
        table.name,
        table.label,
        (
            *table.columns,
            text("AVALC", "Analysis Value (C)", np.where(low, f"<{lloq:g}", "").astype(object)),
            text("DTYPE", "Derivation Type", np.where(low, "HALFLLOQ", "").astype(object)),
        ),
    )


def _adtte(frame: _Frame) -> XportTable:
    people, n = frame.people, frame.arm.size
    everyone = np.arange(n)
    param = "Time to Death, Tracheostomy or Permanent Assisted Ventilation (days)"
    happened = people.event >= 0
    described = _texts(n, lambda i: EVENTS[people.event[i]] if happened[i] else "LAST CONTACT")
    return XportTable(
        "ADTTE",
        "Time to Event Analysis Dataset",
        (
            *frame.head(everyone),
            text("PARAMCD", "Parameter Code", np.full(n, "DTHPAV", dtype=object)),
            text("PARAM", "Parameter", np.full(n, param, dtype=object)),
            number("AVAL", "Analysis Value", people.end_day),
            number("CNSR", "Censor", ~happened),
            text("EVNTDESC", "Event or Censoring Description", described),
            day("STARTDT", "Time to Event Origin Date for Subject", frame.day_zero + 1),
            day("ADT", "Analysis Date", frame.date(everyone, people.end_day)),
        ),
    )


def _adae(frame: _Frame, events: list[AdverseEvent]) -> XportTable:
    n = len(events)
    person = np.array([e.person for e in events], dtype=np.int64)
    days = np.array([e.day for e in events], dtype=np.int64)
    first = np.concatenate([[True], person[1:] != person[:-1]]) if n else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(first)
    sequence = np.arange(n) - np.repeat(starts, np.diff([*starts, n])) + 1

    def of(make: Callable[[AdverseEvent], str]) -> Values:
        return np.array([make(e) for e in events], dtype=object)

    return XportTable(
        "ADAE",
        "Adverse Events Analysis Dataset",
        (
            *frame.head(person),
            number("AESEQ", "Sequence Number", sequence),
            text("AETERM", "Reported Term for the Adverse Event", of(lambda e: e.term.upper())),
            text("AEDECOD", "Dictionary-Derived Term", of(lambda e: e.term)),
            text("AEBODSYS", "Body System or Organ Class", of(lambda e: e.organ_class)),
            day("ASTDT", "Analysis Start Date", frame.date(person, days) if n else np.zeros(0)),
            number("ASTDY", "Analysis Start Relative Day", days),
            text("TRTEMFL", "Treatment Emergent Analysis Flag", np.full(n, "Y", dtype=object)),
            text("AESER", "Serious Event", of(lambda e: "Y" if e.serious else "N")),
            text("AESEV", "Severity/Intensity", of(lambda e: e.severity)),
            text("AEREL", "Causality", of(lambda e: e.related)),
            text("AEACN", "Action Taken with Study Treatment", of(lambda _: "DOSE NOT CHANGED")),
            text("AEOUT", "Outcome of Adverse Event", of(lambda e: e.outcome)),
        ),
    )


def _adex(frame: _Frame, doses: list[Dose]) -> XportTable:
    n = len(doses)
    person = np.array([d.person for d in doses], dtype=np.int64)
    days = np.array([d.day for d in doses], dtype=np.int64)
    active = np.array([d.active for d in doses], dtype=bool)
    return XportTable(
        "ADEX",
        "Exposure Analysis Dataset",
        (
            *frame.head(person),
            number("EXSEQ", "Sequence Number", np.array([d.number for d in doses])),
            text("EXTRT", "Name of Treatment", np.where(active, "ACTIVE", "SHAM").astype(object)),
            number("EXDOSE", "Dose", active),
            text("EXDOSU", "Dose Units", np.full(n, "DOSE", dtype=object)),
            text("EXROUTE", "Route of Administration", np.full(n, "INTRATHECAL", dtype=object)),
            day("ASTDT", "Analysis Start Date", frame.date(person, days)),
            number("ASTDY", "Analysis Start Relative Day", days),
        ),
    )


def template() -> str:
    """The ALS study file template: valid as it stands."""
    return files("alsbench.study").joinpath("templates", "als.toml").read_text(encoding="utf-8")


def study_text(params: Parameters) -> str:
    """A study.toml for the trial of ``params``: the first arm is the reference, each other arm is compared with it at its
    horizon."""
    rest = template().partition(_MARK)[2].partition("\n")[2]
    quote = json.dumps
    arms = params.arms
    labels = ", ".join(f"{quote(a.name)} = {quote(a.label)}" for a in arms if a.label)
    doses = ", ".join(f"{quote(a.name)} = {len(a.dose_days)}" for a in arms)
    lines = [
        "# Written by `alsbench simulate`.",
        "schema = 1",
        "",
        "[study]",
        f"id = {quote(params.study.id)}",
        f"title = {quote(params.study.title)}",
        "synthetic = true                 # shown wherever results are shown",
        "",
        "[arms]",
        'planned = "TRT01P"',
        'actual = "TRT01A"',
        f"reference = {quote(arms[0].name)}",
        f"order = [{', '.join(quote(a.name) for a in arms)}]",
        *([f"labels = {{ {labels} }}"] if labels else []),
        f"doses = {{ {doses} }}",
        "",
        "[populations]",
        'FAS = "FASFL"',
        'PP = "PPROTFL"',
        'Safety = "SAFFL"',
        'default = "FAS"',
        "",
        "[visits]",
        'unit = "month"',
        "baseline = 0",
        "",
    ]
    for arm in arms[1:]:
        lines += ["[[comparisons]]", *([f"name = {quote(arm.comparison)}"] if arm.comparison else [])]
        lines += [f"treatment = {quote(arm.name)}", f"horizon = {arm.horizon or max(params.visits.months)}"]
        lines += ["primary = true", ""]
    return "\n".join(lines) + rest
