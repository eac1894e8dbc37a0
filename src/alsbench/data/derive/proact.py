"""PRO-ACT as a study: ADSL, ADQS, ADRE, ADTTE and ADAE from its release files.

Day 0 is trial entry and ADY counts from it. Baseline is the record closest to day 0 in [-30, +7]; months are windows around
multiples of 30.4375 days. ALSFRS (10 items, 0 to 40) and ALSFRS-R (12 items, 0 to 48) are parameters of their own; a
conversion stands beside them as ALSFRSRC, named a sensitivity, and nothing else uses it. No death recorded means that vital
status is unknown after the last contact, not that the subject lived. Atassi 2014 (doi 10.1212/WNL.0000000000000951).

ALSFRS has ten items, the tenth "respiratory"; ALSFRS-R keeps the first nine and asks three respiratory items in its place
(Cedarbaum 1999, doi 10.1016/s0022-510x(99)00210-5). Totals are checked against the items, and what contradicts them is
quarantined. A study file for the derived tables is proposed of what they hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.proact_subjects import Baseline, ProactSubjects, read_subjects, subject_table
from alsbench.data.derive.proact_tables import RawTable, Rows, one_per_day, read_tables
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.tables import DerivedColumn, Floats, ParameterRecords, Values, bds, build, flag, number, text
from alsbench.data.derive.windows import (
    AssignedVisits,
    Flags,
    Grid,
    Ints,
    assign_visits,
    last_baseline,
    month_grid,
    nearest_baseline,
    which_record,
    with_windows,
)
from alsbench.data.receipt import Severity
from alsbench.errors import DataError
from alsbench.study.als import ITEMS, MAX_ITEM
from alsbench.study.model import DAYS_PER_UNIT, Derive

_COLUMNS = {
    1: ("q1speech", "1speech", "speech"),
    2: ("q2salivation", "2salivation", "salivation"),
    3: ("q3swallowing", "3swallowing", "swallowing"),
    4: ("q4handwriting", "4handwriting", "handwriting"),
    6: ("q6dressingandhygiene", "6dressingandhygiene", "dressingandhygiene"),
    7: ("q7turninginbed", "7turninginbed", "turninginbed"),
    8: ("q8walking", "8walking", "walking"),
    9: ("q9climbingstairs", "9climbingstairs", "climbingstairs"),
    10: ("r1dyspnea", "dyspnea"),
    11: ("r2orthopnea", "orthopnea"),
    12: ("r3respiratoryinsufficiency", "respiratoryinsufficiency"),
}
_CUTTING_A = ("q5acuttingwithoutgastrostomy", "5acuttingwithoutgastrostomy", "cuttingwithoutgastrostomy")
_CUTTING_B = ("q5bcuttingwithgastrostomy", "5bcuttingwithgastrostomy", "cuttingwithgastrostomy")
_TENTH = ("q10respiratory", "10respiratory", "respiratory")
DAY = "Days from Trial Entry"
_BASELINE = (
    "AGE",
    "SEX",
    "RACE",
    "ONSETSIT",
    "RILUFL",
    "DURDIS",
    "DIAGDUR",
    "PROGRATE",
    "BLALSFR",
    "BLALSFRS",
    "BLFVC",
    "BLSVC",
)
TOTAL, OLD_TOTAL, CONVERTED = "ALSFRSR", "ALSFRS", "ALSFRSRC"
_MOST_MONTHS = 12
_MEASURES = (
    ("alsfrs", "ADQS", "ALSFRSR", "ALSFRS-R total score"),
    ("alsfrs_10", "ADQS", "ALSFRS", "ALSFRS total score (10 items, 0-40)"),
    ("alsfrs_converted", "ADQS", "ALSFRSRC", "Sensitivity: ALSFRS-R with ALSFRS converted"),
    ("fvc", "ADRE", "FVCPP", "Forced vital capacity (% predicted)"),
    ("svc", "ADRE", "SVCPP", "Slow vital capacity (% predicted)"),
)


@dataclass(frozen=True)
class Scores:
    """Administrations (rows,): items 1-12 of the ALSFRS-R (rows, 12), item 10 of the ALSFRS, totals, and the conversion."""

    source: str
    rows: Rows
    subject: Values
    day: Floats
    items: Floats
    tube: Flags  # item 5 was asked as 5b
    tenth: Floats
    revised: Floats
    original: Floats
    converted: Floats


def read_scores(raw: RawTable, report: DerivationReport) -> Scores:
    """Clean administrations and their totals. Totals are recomputed; every disagreement with a delivered one is counted."""
    raw, day = one_per_day(raw, raw.numbers(report, "alsfrsdelta"), report)
    a, b = raw.numbers(report, *_CUTTING_A), raw.numbers(report, *_CUTTING_B)
    columns = {n: raw.numbers(report, *names) for n, names in _COLUMNS.items()}
    tenth = raw.numbers(report, *_TENTH)
    columns[5] = np.where(np.isnan(a), b, a)
    items = np.column_stack([columns[n] for n in range(1, 13)])
    both = np.isfinite(a) & np.isfinite(b)
    wild = _outside(np.column_stack([items, tenth, a, b])) & ~both
    for bad, rule, what in (
        (both, "proact-item-5", "items 5a and 5b are both answered"),
        (wild, "proact-item-range", f"an item is outside 0 to {MAX_ITEM}"),
    ):
        report.found(rule, "warning", raw.source, f"{{n}} records are quarantined: {what}", raw.rows[bad], raw.subjects[bad])
        report.quarantine(raw.source, raw.rows[bad], raw.subjects[bad], day[bad], what)
    keep = ~(both | wild)
    raw, day, items, tenth, tube = raw.take(keep), day[keep], items[keep], tenth[keep], np.isfinite(b[keep])
    revised = _total(raw, "alsfrsrtotal", items, "ALSFRS-R", report)
    original = _total(raw, "alsfrstotal", np.column_stack([items[:, :9], tenth]), "ALSFRS", report)
    converted = items[:, :9].sum(axis=1) + 3 * tenth
    old = np.isfinite(original) & np.isnan(revised)
    what = "{n} records are ALSFRS, not ALSFRS-R: they have no ALSFRS-R total"
    report.found("proact-not-revised", "note", raw.source, what, raw.rows[old], raw.subjects[old])
    return Scores(raw.source, raw.rows, raw.subjects, day, items, tube, tenth, revised, original, converted)


def _outside(values: Floats) -> Flags:
    with np.errstate(invalid="ignore"):
        found: Flags = np.any((values < 0) | (values > MAX_ITEM), axis=1)
    return found


def _total(raw: RawTable, column: str, items: Floats, scale: str, report: DerivationReport) -> Floats:
    """The total from its items; as delivered where no item of it was; missing where an item is."""
    delivered = raw.numbers(report, column)
    summed = items.sum(axis=1)
    known, none = np.isfinite(summed), np.isnan(items).all(axis=1)
    told = np.isfinite(delivered)
    off = known & told & (summed != delivered)
    partial = told & ~known & ~none & np.isfinite(items[:, 9:]).any(axis=1)
    alien = told & ~known & ~none & np.isnan(items[:, 9:]).all(axis=1)
    faults: tuple[tuple[Flags, Severity, str], ...] = (
        (off, "warning", "are not the sum of their items; the sum is used"),
        (partial, "warning", "stand where items are missing; they count as missing"),
        (alien, "warning", "stand without their respiratory items; they count as missing"),
        (told & none, "note", "have no items and are used as delivered"),
    )
    for rows, severity, what in faults:
        report.found("proact-total", severity, raw.source, f"{{n}} {scale} totals {what}", raw.rows[rows], raw.subjects[rows])
    return np.where(known, summed, np.where(none, delivered, np.nan))


def item_codes(scores: Scores) -> Iterator[tuple[str, str, Floats]]:
    """Code, title and values (rows,) of every item."""
    for item in ITEMS:
        value = scores.items[:, item.number - 1]
        if len(item.codes) == 1:
            yield item.codes[0], f"ALSFRS-R Item {item.number} {item.title}", value
        else:
            yield item.codes[0], f"ALSFRS-R Item 5a {item.title}, no gastrostomy", np.where(scores.tube, np.nan, value)
            yield item.codes[1], f"ALSFRS-R Item 5b {item.title}, gastrostomy", np.where(scores.tube, value, np.nan)
    yield "ALSFQ10", "ALSFRS Item 10 Respiratory (not of the ALSFRS-R)", scores.tenth


def derive_proact(datasets: Sequence[Dataset], report: DerivationReport, settings: Derive) -> list[Dataset]:
    """The analysis tables. Raises DataError where no subject has an arm or a measurement."""
    tables = read_tables(datasets, report)
    scores = read_scores(tables["ALSFRS"], report) if "ALSFRS" in tables else None
    capacities = [_Capacity(name, tables[name], report) for name in ("FVC", "SVC") if name in tables]
    if scores is None and not capacities:
        raise DataError("the PRO-ACT files hold neither ALSFRS nor FVC nor SVC")
    who = read_subjects(tables, report)
    days = [scores.day] if scores is not None else []
    days += [c.day for c in capacities]
    grid = month_grid(max(int(np.max(np.concatenate(days), initial=0) / DAYS_PER_UNIT["month"] + 0.5), 1))
    grid = with_windows(grid, settings.windows)
    made: list[Dataset] = []
    baselines: dict[str, dict[str, Baseline]] = {}
    if scores is not None and any(np.isfinite(v).any() for v in (scores.items, scores.tenth, scores.revised, scores.original)):
        made.append(_adqs(scores, grid, who, settings, report, baselines))
    if capacities:
        made.append(_adre(capacities, grid, who, settings, report, baselines))
    if not any(t.rows for t in made):
        raise DataError("no usable record is left in ALSFRS, FVC or SVC", why="; ".join(f.what for f in report.findings[:3]))
    made.insert(0, subject_table(who, baselines, report))
    made.append(_adtte(who, report))
    if "ADVERSEEVENTS" in tables:
        made.append(_adae(tables["ADVERSEEVENTS"], who, report))
    return made


def proposed_study(tables: Sequence[Dataset]) -> str:
    """A study file for the derived tables; empty where no subject has an arm."""
    held = {t.name: t for t in tables}
    adsl = held["ADSL"].table()
    arms = sorted({a for a in adsl.column("TRT01P").to_pylist() if a is not None})
    if len(arms) < 2:
        return ""
    months: dict[tuple[str, str], list[int]] = {}
    for name in ("ADQS", "ADRE"):
        if name in held:
            table = held[name].table()
            pairs = zip(table.column("PARAMCD").to_pylist(), table.column("AVISITN").to_pylist(), strict=True)
            for code, month in sorted({(c, m) for c, m in pairs if m}):
                months.setdefault((name, code), []).append(int(month))
    known = [c.name for c in held["ADSL"].columns if len(set(adsl.column(c.name).to_pylist()) - {None}) > 1]
    covariates = [c for c in ("ONSETSIT",) if c in known]
    baseline = [c for c in _BASELINE if c in known]
    return proact_study(arms, months, covariates, baseline, events="ADAE" in held)


def _after_death(source: str, rows: Ints, subject: Values, day: Floats, who: ProactSubjects, report: DerivationReport) -> Flags:
    died = np.array([who.death_day.get(s, np.nan) for s in subject])
    late = day > died
    what = "{n} records are dated after the subject's death; they are flagged AFTDTHFL and count at no visit"
    report.found("proact-after-death", "warning", source, what, rows[late], subject[late])
    return late


def _placed(subject: Values, day: Floats, usable: Flags, grid: Grid, settings: Derive) -> tuple[Ints, AssignedVisits]:
    group = np.unique(subject.astype(str), return_inverse=True)[1].astype(np.int64)
    if settings.baseline == "last":
        baseline = last_baseline(group, day, usable, first_dose=0)
    else:
        low, high = settings.baseline_days
        baseline = nearest_baseline(group, day, usable, low=low, high=high)
    return group, assign_visits(group, day, usable, baseline, grid, after=0, record=settings.record)


def _baseline_records(block: ParameterRecords) -> dict[str, Baseline]:
    at = block.placed.baseline
    return dict(
        zip(block.subject[at].tolist(), zip(block.value[at].tolist(), block.day[at].tolist(), strict=True), strict=True)
    )


def _adqs(
    scores: Scores,
    grid: Grid,
    who: ProactSubjects,
    settings: Derive,
    report: DerivationReport,
    baselines: dict[str, dict[str, Baseline]],
) -> Dataset:
    late = _after_death(scores.source, scores.rows, scores.subject, scores.day, who, report)
    extra = (flag("AFTDTHFL", "Recorded after Death Flag", late),)
    blocks: list[ParameterRecords] = []

    def add(code: str, title: str, value: Floats, usable: Flags, dtype: Values | None = None) -> None:
        group, placed = _placed(scores.subject, scores.day, usable & ~late, grid, settings)
        kind = text("DTYPE", "Derivation Type", dtype if dtype is not None else np.full(value.size, None, object))
        block = ParameterRecords(code, title, scores.subject, group, scores.day, value, placed, extra=(*extra, kind))
        if np.isfinite(value).any():
            blocks.append(block)
        baselines[code] = _baseline_records(block)

    add(TOTAL, "ALSFRS-R Total Score", scores.revised, np.isfinite(scores.revised))
    add(OLD_TOTAL, "ALSFRS Total Score (10 items, 0-40)", scores.original, np.isfinite(scores.original))
    converted = np.where(np.isfinite(scores.revised), scores.revised, scores.converted)
    how = np.where(np.isfinite(scores.revised), "", "CONVERTED").astype(object)
    if np.any(np.isfinite(converted) & ~np.isfinite(scores.revised)):
        title = "ALSFRS-R Score, ALSFRS Converted where Not Revised (sensitivity)"
        add(CONVERTED, title, converted, np.isfinite(converted), how)
        report.step("ADQS", f"{CONVERTED}, a sensitivity only: items 1-9 plus three times item 10 where no ALSFRS-R was asked")
    either = np.isfinite(scores.revised) | np.isfinite(scores.original)
    for code, title, value in item_codes(scores):
        add(code, title, value, either)
    report.step(
        "ADQS", "totals are sums of their items; a total with a missing item is missing, one without items is as delivered"
    )
    report.step("ADQS", "ALSFRS (10 items) and ALSFRS-R (12 items) are separate parameters")
    _common_steps("ADQS", settings, report)
    return bds("ADQS", "ALSFRS and ALSFRS-R", blocks, grid, who.subjects, day_label=DAY, remarks=report.remarks("ADQS"))


class _Capacity:
    """Forced or slow vital capacity: best litres and best percentage of normal of each test (rows,)."""

    def __init__(self, name: str, raw: RawTable, report: DerivationReport) -> None:
        word = {"FVC": "forced", "SVC": "slow"}[name]
        raw, self.day = one_per_day(raw, raw.numbers(report, f"{word}vitalcapacitydelta", f"{name.lower()}delta"), report)
        self.name, self.title = name, f"{word.capitalize()} Vital Capacity"
        self.source, self.rows, self.subject = raw.source, raw.rows, raw.subjects
        trials = sorted({n[-1] for n in raw.matching(r"subjectliterstrial\d|pctofnormaltrial\d")})
        normal = raw.numbers(report, "subjectnormal")
        shape = (len(raw), max(len(trials), 1))
        litres, percent = np.full(shape, np.nan), np.full(shape, np.nan)
        for i, t in enumerate(trials):
            litres[:, i] = raw.numbers(report, f"subjectliterstrial{t}")
            percent[:, i] = raw.numbers(report, f"pctofnormaltrial{t}")
        with np.errstate(divide="ignore", invalid="ignore"):
            computed = np.where(normal[:, None] > 0, 100 * litres / normal[:, None], np.nan)
        filled = np.where(np.isnan(percent), computed, percent)
        self.litres, self.percent = _best(litres), _best(filled)
        self.computed = np.isfinite(self.percent) & ~(_best(percent) == self.percent)
        nothing = np.isnan(self.litres) & np.isnan(self.percent)
        report.found("proact-no-value", "note", raw.source, "{n} tests have no value", raw.rows[nothing], raw.subjects[nothing])
        report.step("ADRE", f"{name}: best of {len(trials)} trials; 100 * litres / normal where a percentage is absent")


def _best(trials: Floats) -> Floats:
    best: Floats = np.max(np.where(np.isnan(trials), -np.inf, trials), axis=1, initial=-np.inf)
    return np.where(np.isfinite(best), best, np.nan)


def _adre(
    capacities: Sequence[_Capacity],
    grid: Grid,
    who: ProactSubjects,
    settings: Derive,
    report: DerivationReport,
    baselines: dict[str, dict[str, Baseline]],
) -> Dataset:
    blocks = []
    for c in capacities:
        late = _after_death(c.source, c.rows, c.subject, c.day, who, report)
        measured = (
            (f"{c.name}PP", f"{c.title} (% predicted)", c.percent, np.where(c.computed, "COMPUTED", "")),
            (f"{c.name}L", f"{c.title} (L)", c.litres, np.full(late.size, "")),
        )
        for code, title, value, dtype in measured:
            group, placed = _placed(c.subject, c.day, np.isfinite(value) & ~late, grid, settings)
            extra = (flag("AFTDTHFL", "Recorded after Death Flag", late), text("DTYPE", "Derivation Type", dtype))
            blocks.append(ParameterRecords(code, title, c.subject, group, c.day, value, placed, extra=extra))
            baselines[code] = _baseline_records(blocks[-1])
    _common_steps("ADRE", settings, report)
    return bds("ADRE", "Vital Capacity", blocks, grid, who.subjects, day_label=DAY, remarks=report.remarks("ADRE"))


def _common_steps(table: str, settings: Derive, report: DerivationReport) -> None:
    low, high = settings.baseline_days
    closest = f"the record closest to day 0 in [{low:+g}, {high:+g}]; of two equally close the later"
    report.step(table, f"baseline: {'the last record up to day 0' if settings.baseline == 'last' else closest}")
    report.step(table, f"AVISITN: months of 30.4375 days, windows at midpoints, {which_record(settings)}")
    report.given_windows(table, settings.windows)
    report.step(table, "records after death are flagged AFTDTHFL and count at no visit")


def _adtte(who: ProactSubjects, report: DerivationReport) -> Dataset:
    """Time to death; censored at the last contact where no day of death is known."""
    ids = who.subjects.ids
    day = np.array([who.death_day.get(s, np.nan) for s in ids])
    last = np.array([max(who.last_contact.get(s, 0.0), 0.0) for s in ids])
    event = np.isfinite(day)
    unknown = np.array([who.died.get(s) == "Y" for s in ids]) & ~event
    why = np.where(event, "DEATH", np.where(unknown, "DIED, DAY UNKNOWN; LAST CONTACT", "LAST CONTACT"))
    report.step("ADTTE", "DEATH: Death_Days; without it censored at the last day on record (vital status then unknown)")
    columns: list[DerivedColumn] = [
        *who.subjects.head(ids),
        text("PARAMCD", "Parameter Code", ["DEATH"] * len(ids)),
        text("PARAM", "Parameter", ["Time to Death from Trial Entry (days)"] * len(ids)),
        number("AVAL", "Analysis Value", np.where(event, day, last)),
        number("CNSR", "Censor", (~event).astype(float)),
        text("EVNTDESC", "Event or Censoring Description", why),
    ]
    return build("ADTTE", "Time to Death", columns, report.remarks("ADTTE"))


def _adae(raw: RawTable, who: ProactSubjects, report: DerivationReport) -> Dataset:
    """Adverse events by SOC and PT. PRO-ACT does not say which were serious or related."""
    start = raw.numbers(report, "startdatedelta", "startdelta", "adverseeventdelta")
    end = raw.numbers(report, "enddatedelta", "enddelta")
    subject = raw.subjects
    first = np.array([who.treated.get(s, 0.0) for s in subject])
    emergent = ~(start < first)  # an unknown start counts
    term = raw.texts("preferredterm", "pt", "preferredtermname")
    report.step("ADAE", "TRTEMFL: start on or after the start of treatment (day 0 where that is unknown), or start unknown")
    report.step("ADAE", "the source holds no seriousness and no causality")
    columns = [
        *who.subjects.head(subject),
        text("AETERM", "Reported Term for the Adverse Event", _or(raw.texts("lowestlevelterm", "adverseevent"), term)),
        text("AEDECOD", "Dictionary-Derived Term", term),
        text("AEBODSYS", "Body System or Organ Class", raw.texts("systemorganclass", "soc", "socname", "socabbreviation")),
        text("AESEV", "Severity/Intensity", [None if v is None else v.upper() for v in raw.texts("severity")]),
        text("AEOUT", "Outcome of Adverse Event", raw.texts("outcome")),
        number("ASTDY", f"Start, {DAY}", start),
        number("AENDY", f"End, {DAY}", end),
        flag("TRTEMFL", "Treatment Emergent Analysis Flag", emergent),
    ]
    return build("ADAE", "Adverse Events", columns, report.remarks("ADAE"))


def _or(first: Values, second: Values) -> Values:
    return np.array([a if a is not None else b for a, b in zip(first, second, strict=True)], dtype=object)


def proact_study(
    arms: Sequence[str],
    months: Mapping[tuple[str, str], Sequence[int]],
    covariates: Sequence[str],
    baseline: Sequence[str],
    *,
    events: bool,
) -> str:
    """The text of a study file. ``months`` are those with records, by table and parameter; ``events``: there is an ADAE."""
    seen = [m for found in months.values() for m in found if m <= _MOST_MONTHS]
    last = max(seen, default=1)
    reference = next((a for a in arms if a.lower() == "placebo"), arms[0])
    order = [reference, *(a for a in arms if a != reference)]
    parts = [
        "# Proposed for PRO-ACT: pooled trials, so arms are Active and Placebo of many studies. Check every line.",
        'schema = 1\n\n[study]\nid = "PROACT"\ntitle = "PRO-ACT, pooled trials"',
        f'[arms]\nplanned = "TRT01P"\nactual = "TRT01A"\nreference = {_listed([reference])}\norder = [{_listed(order)}]',
        '[populations]\nFAS = "FASFL"\nSafety = "SAFFL"\ndefault = "FAS"',
        '[visits]\nunit = "month"\nbaseline = 0',
        *(f"[[comparisons]]\ntreatment = {_listed([a])}\nhorizon = {last}" for a in order[1:]),
    ]
    named = f"covariates = [{_listed(covariates)}]\n" if covariates else ""
    for name, dataset, code, title in _MEASURES:
        visits = ", ".join(str(m) for m in months.get((dataset, code), ()) if m <= _MOST_MONTHS)
        if visits:
            what = f'dataset = "{dataset}"\nparamcd = "{code}"\n{named}better = "higher"'
            parts.append(f'[endpoints.{name}]\ntitle = "{title}"\nmethod = "mmrm"\nvisits = [{visits}]\n{what}')
            parts.append(
                f'[endpoints.{name}_ancova]\ntitle = "{title}, by month"\nmethod = "ancova"\nvisits = [{visits}]\n{what}'
            )
            parts.append(f'[endpoints.{name}_slope]\ntitle = "{title}, slope"\nmethod = "slope"\n{what}')
    parts.append(
        '[endpoints.survival]\ntitle = "Death"\nmethod = "time_to_event"\ndataset = "ADTTE"\nparamcd = "DEATH"\n'
        f'{named}better = "higher"'
    )
    if months.get(("ADQS", "ALSFRSR")):
        parts.append(
            '[endpoints.cafs]\ntitle = "CAFS (joint rank)"\nmethod = "joint_rank"\nfunction = "alsfrs"\n'
            f'event = {{ dataset = "ADTTE", paramcd = "DEATH" }}\n{named}better = "higher"'
        )
    if events:
        parts.append(
            '[endpoints.ae]\ntitle = "Adverse events"\nmethod = "incidence"\ndataset = "ADAE"\n'
            'population = "Safety"\nbetter = "lower"'
        )
    parts.append(
        f'[endpoints.baseline]\ntitle = "Baseline characteristics"\nmethod = "baseline"\ncovariates = [{_listed(baseline)}]'
    )
    return "\n\n".join(parts) + "\n"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(json.dumps(n, ensure_ascii=False) for n in names)
