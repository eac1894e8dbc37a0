"""Measurements of an SDTM trial: ALSFRS-R totals from their items, other tests as they are, below-limit values at half of it.

Each test has the visits planned for it; windows, baseline and change follow :mod:`alsbench.data.derive.windows`. Which
item of the ALSFRS-R a record is is told by its code or its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.sdtm_domains import Domain, planned_grid
from alsbench.data.derive.sdtm_subjects import SdtmTrial, study_day
from alsbench.data.derive.tables import Floats, ParameterRecords, Values, text
from alsbench.data.derive.windows import Flags, Ints, assign_visits, closest, last_baseline, nearest_baseline, with_windows
from alsbench.study.als import ITEM_CODES, ITEMS, MAX_ITEM
from alsbench.study.model import Derive, VisitUnit

TOTAL = "ALSFRSR"
_WORDS = (
    (r"speech", "ALSFR01"),
    (r"saliva", "ALSFR02"),
    (r"swallow", "ALSFR03"),
    (r"handwriting", "ALSFR04"),
    (r"without gastrostomy|no gastrostomy", "ALSFR05A"),
    (r"with gastrostomy|gastrostomy", "ALSFR05B"),
    (r"cutting", "ALSFR05A"),
    (r"dressing", "ALSFR06"),
    (r"turning", "ALSFR07"),
    (r"walking", "ALSFR08"),
    (r"stairs", "ALSFR09"),
    (r"dyspn", "ALSFR10"),
    (r"orthopn", "ALSFR11"),
    (r"respiratory insufficiency|insufficiency", "ALSFR12"),
)
_CODE = re.compile(r"ALSFR1?(\d\d)([AB]?)")
_TOTAL = re.compile(r"total|^ALSFRSR$|^ALSTOT$", re.IGNORECASE)
_BELOW = re.compile(r"\s*<\s*(\d+(?:\.\d+)?)\s*")
_TITLES = {code: f"ALSFRS-R Item {i.number} {i.title}" for i in ITEMS for code in i.codes} | {
    "ALSFR05A": "ALSFRS-R Item 5a Cutting, no gastrostomy",
    "ALSFR05B": "ALSFRS-R Item 5b Cutting, gastrostomy",
}


def als_code(testcd: str, test: str, category: str) -> str:
    """``ALSFR01`` to ``ALSFR12``, ``ALSFR05A``, ``ALSFR05B``, ``ALSFRSR`` for the total; empty for any other test."""
    if "ALSFRS" not in f"{category} {test}".upper() and not testcd.startswith("ALS"):
        return ""
    if _TOTAL.search(test) or _TOTAL.search(testcd):
        return TOTAL
    words = test.lower()
    for pattern, code in _WORDS:
        if re.search(pattern, words):
            return code
    match = _CODE.fullmatch(testcd)
    if match is None:
        return ""
    code = f"ALSFR{match[1]}{match[2]}"
    return "ALSFR05A" if code == "ALSFR05" else code if code in ITEM_CODES else ""


def item_number(code: str) -> int:
    """1 to 12."""
    return int(code[5:7])


def codes_of(testcds: Sequence[str], tests: Sequence[str], categories: Sequence[str]) -> list[str]:
    """:func:`als_code` of records, each distinct test looked at once."""
    known: dict[tuple[str, str, str], str] = {}
    keys = list(zip(testcds, tests, categories, strict=True))
    for key in set(keys):
        known[key] = als_code(*key)
    return [known[k] for k in keys]


@dataclass(frozen=True)
class FindingsRecords:
    """Records (rows,) of a domain that have a value or an answer, a subject and a day."""

    row: Ints
    subject: Values
    day: Floats
    date: Values
    label: Values
    planned: Floats
    code: Values
    title: Values
    category: Values
    value: Floats
    dtype: Values
    flagged: Flags  # --LOBXFL, else --BLFL

    def take(self, keep: Values) -> FindingsRecords:
        return FindingsRecords(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def __len__(self) -> int:
        return int(self.row.size)

    @property
    def group(self) -> Ints:
        """Subjects as numbers."""
        return np.unique(self.subject.astype(str), return_inverse=True)[1].astype(np.int64)


def read_rows(domain: Domain, trial: SdtmTrial, report: DerivationReport) -> FindingsRecords:
    """The usable records of a findings domain; those without a day, or of nobody in DM, are quarantined."""
    d = domain.code
    subject = domain.subject
    dates, starts = domain.dates(f"{d}DTC"), trial.starts(subject)
    day = study_day(dates, starts)
    told = domain.numbers(f"{d}DY")
    day = np.where(np.isnan(day), told, day)
    back = np.isnat(dates) & np.isfinite(day) & ~np.isnat(starts)
    offset = np.where(day > 0, day - 1, day)
    dates = np.where(back, starts + np.nan_to_num(offset).astype("timedelta64[D]"), dates)
    value, dtype = _values(domain)
    title = _titled(domain)
    code = np.array([c or "" for c in domain.texts(f"{d}TESTCD")], dtype=object)
    code = _by_specimen(code, domain.texts(f"{d}SPEC"))
    planned = domain.numbers("VISITDY")
    label, category = domain.texts("VISIT"), np.array([c or "" for c in domain.texts(f"{d}CAT")], dtype=object)
    flagged = np.array([v == "Y" for v in domain.upper(f"{d}LOBXFL", f"{d}BLFL")], dtype=bool)
    at = np.arange(1, len(domain) + 1)
    rows = FindingsRecords(at, subject, day, dates, label, planned, code, title, category, value, dtype, flagged)
    done = np.array([s != "NOT DONE" for s in domain.upper(f"{d}STAT")]) & np.isfinite(value)
    known = set(trial.subjects.ids.tolist())
    stranger = done & np.array([s not in known for s in subject])
    dayless = done & ~stranger & np.isnan(day)
    for bad, rule, why in ((stranger, "sdtm-stranger", "of nobody in DM"), (dayless, "sdtm-no-day", "without a day")):
        report.found(rule, "warning", domain.source, f"{{n}} records are quarantined: {why}", rows.row[bad], subject[bad])
        report.quarantine(domain.source, rows.row[bad], subject[bad], day[bad], why)
    return rows.take(done & ~stranger & ~dayless)


def _values(domain: Domain) -> tuple[Floats, Values]:
    """--STRESN, else --ORRES as a number; below the limit of quantification half of it, marked HALFLLOQ."""
    d = domain.code
    value = domain.numbers(f"{d}STRESN")
    value = np.where(np.isnan(value), domain.numbers(f"{d}ORRES"), value)
    dtype = np.full(len(domain), None, dtype=object)
    limit = domain.numbers(f"{d}LLOQ")
    for i, said in enumerate(domain.texts(f"{d}STRESC", f"{d}ORRES")):
        match = _BELOW.fullmatch(said) if said is not None and np.isnan(value[i]) else None
        if match is not None:
            value[i] = (limit[i] if limit[i] == limit[i] else float(match[1])) / 2
            dtype[i] = "HALFLLOQ"
    return value, dtype


def _titled(domain: Domain) -> Values:
    d = domain.code
    tests, units = domain.texts(f"{d}TEST", f"{d}TESTCD"), domain.texts(f"{d}STRESU", f"{d}ORRESU")
    made = np.empty(len(domain), dtype=object)
    made[:] = [t or "" if not u or f"({u})" in (t or "") else f"{t} ({u})" for t, u in zip(tests, units, strict=True)]
    return made


def _by_specimen(code: Values, specimen: Values) -> Values:
    """A test measured in several specimens is several parameters: NFL in SERUM and CSF becomes NFLSER and NFLCSF."""
    seen: dict[str, set[str]] = {}
    for c, s in zip(code, specimen, strict=True):
        if s is not None:
            seen.setdefault(c, set()).add(s)
    made = np.empty(code.size, dtype=object)
    pairs = zip(code, specimen, strict=True)
    made[:] = [f"{c[:5]}{s[:3].upper()}" if s is not None and len(seen[c]) > 1 else c for c, s in pairs]
    return made


def blocks_of(
    source: str, rows: FindingsRecords, unit: VisitUnit, settings: Derive, report: DerivationReport, *, best: bool = False
) -> Iterator[ParameterRecords]:
    """Every test as a parameter. ``best``: of several values on a day the highest counts (trials of a breathing test)."""
    for code in dict.fromkeys(rows.code.tolist()):
        mine = rows.take(rows.code == code)
        if best:
            slot = np.unique(np.column_stack([mine.group, mine.day.astype(np.int64)]), axis=0, return_inverse=True)[1]
            mine = mine.take(closest(slot.ravel().astype(np.int64), -mine.value, mine.day, np.isfinite(mine.value)))
        block = _block(code, str(mine.title[0]), mine, mine.value, np.isfinite(mine.value), unit, settings)
        _other_baselines(source, mine, block, settings, report)
        yield block


def _block(
    code: str, title: str, rows: FindingsRecords, value: Floats, usable: Flags, unit: VisitUnit, settings: Derive
) -> ParameterRecords:
    grid = with_windows(planned_grid(rows.label, rows.planned, unit, dropped(settings)), settings.windows)
    group = rows.group
    baseline = _baseline(group, rows, usable, settings)
    placed = assign_visits(group, rows.day, usable, baseline, grid, after=1, record=settings.record)
    kind = text("DTYPE", "Derivation Type", rows.dtype)
    return ParameterRecords(
        code, title, rows.subject, group, rows.day, value, placed, date=rows.date, label=rows.label, grid=grid, extra=(kind,)
    )


def dropped(settings: Derive) -> frozenset[str]:
    """The planned visits that the study file leaves out: labels in upper case, numbers as short as can be."""
    return frozenset(v.strip().upper() for v in settings.drop_visits)


def _baseline(group: Ints, rows: FindingsRecords, usable: Flags, settings: Derive) -> Flags:
    """The record the data flag as last before exposure; where a subject has none, or flags do not count, the last on or before
    the first dose; or the closest to the first dose."""
    if settings.baseline == "closest":
        low, high = settings.baseline_days
        return nearest_baseline(group, rows.day, usable, low=low, high=high, start=1)
    if settings.baseline == "last":
        return last_baseline(group, rows.day, usable)
    told = closest(group, -rows.day, rows.day, usable & rows.flagged)
    without = ~np.isin(group, group[told])
    return told | last_baseline(group, rows.day, usable & without)


def _other_baselines(
    source: str, rows: FindingsRecords, block: ParameterRecords, settings: Derive, report: DerivationReport
) -> None:
    """Report flagged baselines that are not the last value on or before the first dose."""
    if settings.baseline not in (None, "flagged"):
        return
    usable = np.isfinite(block.value)
    own = last_baseline(block.group, block.day, usable)
    off = block.placed.baseline & ~own
    what = f"{block.code}: {{n}} flagged baselines are not the last value on or before the first dose; the flag counts"
    report.found("sdtm-baseline", "warning", source, what, rows.row[off], rows.subject[off])


def als_records(rows: FindingsRecords) -> tuple[Flags, list[str]]:
    """Which records are of the ALSFRS-R, and as what."""
    codes = codes_of(rows.code.tolist(), rows.title.tolist(), rows.category.tolist())
    return np.array([c != "" for c in codes], dtype=bool), codes


def als_blocks(
    source: str, rows: FindingsRecords, codes: list[str], unit: VisitUnit, settings: Derive, report: DerivationReport
) -> list[ParameterRecords]:
    """Total and items. An administration is what a subject answered on one day.

    Totals are sums of items; a missing item makes a missing total; a delivered total counts only where no item was
    delivered; 5a with 5b, and an item answered twice differently, quarantine the administration.
    """
    slots: dict[tuple[str, float], int] = {}
    slot = np.array([slots.setdefault(k, len(slots)) for k in zip(rows.subject.tolist(), rows.day.tolist(), strict=True)])
    size = len(slots)
    items = {code: np.full(size, np.nan) for code in (*ITEM_CODES, TOTAL)}
    twice, wild = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    first = np.full(size, -1, dtype=np.int64)
    for i, (s, code, value) in enumerate(zip(slot.tolist(), codes, rows.value.tolist(), strict=True)):
        before = items[code][s]
        twice[s] |= before == before and before != value
        wild[s] |= code != TOTAL and not 0 <= value <= MAX_ITEM
        items[code][s] = value
        if first[s] < 0:
            first[s] = i
    both = np.isfinite(items["ALSFR05A"]) & np.isfinite(items["ALSFR05B"])
    whole = rows.take(first)
    for bad, rule, why in (
        (both, "sdtm-item-5", "items 5a and 5b are both answered"),
        (twice & ~both, "sdtm-conflict", "a question has two answers on one day"),
        (wild & ~both & ~twice, "sdtm-item-range", f"an item is outside 0 to {MAX_ITEM}"),
    ):
        what = f"{{n}} administrations are quarantined: {why}"
        report.found(rule, "warning", source, what, whole.row[bad], whole.subject[bad])
        report.quarantine(source, whole.row[bad], whole.subject[bad], whole.day[bad], why)
    keep = ~(both | twice | wild)
    whole = whole.take(keep)
    items = {code: values[keep] for code, values in items.items()}
    total = _totals(source, whole, items, report)
    blocks = [_block(TOTAL, "ALSFRS-R Total Score", whole, total, np.isfinite(total), unit, settings)]
    _other_baselines(source, whole, blocks[0], settings, report)
    for code in ITEM_CODES:
        if np.isfinite(items[code]).any():
            blocks.append(_block(code, _TITLES[code], whole, items[code], np.isfinite(total), unit, settings))
    return blocks


def _totals(source: str, whole: FindingsRecords, items: dict[str, Floats], report: DerivationReport) -> Floats:
    scores = np.full((len(whole), len(ITEMS)), np.nan)
    for code in ITEM_CODES:
        at = item_number(code) - 1
        scores[:, at] = np.where(np.isnan(scores[:, at]), items[code], scores[:, at])
    delivered, summed = items[TOTAL], scores.sum(axis=1)
    none, told = np.isnan(scores).all(axis=1), np.isfinite(delivered)
    off = told & np.isfinite(summed) & (delivered != summed)
    partial = np.isnan(summed) & ~none
    for bad, what in (
        (off, "{n} ALSFRS-R totals are not the sum of their items; the sum is used"),
        (partial, "{n} administrations miss an item; their total is missing"),
    ):
        report.found("sdtm-total", "warning", source, what, whole.row[bad], whole.subject[bad])
    only = none & told
    what = "{n} ALSFRS-R totals have no items and are used as delivered"
    report.found("sdtm-total", "note", source, what, whole.row[only], whole.subject[only])
    return np.where(none, delivered, summed)
