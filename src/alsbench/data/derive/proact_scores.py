"""PRO-ACT's ALSFRS file: items, both totals checked against them, and what has to be quarantined.

ALSFRS has ten items, the tenth "respiratory"; ALSFRS-R keeps the first nine and asks three respiratory items in its place
(Cedarbaum 1999, doi 10.1016/s0022-510x(99)00210-5). The two totals are different scales.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from alsbench.data.derive.columns import Floats, Values
from alsbench.data.derive.proact_tables import RawTable, Rows, one_per_day
from alsbench.data.derive.qc import Report
from alsbench.data.derive.windows import Flags
from alsbench.data.receipt import Severity
from alsbench.study.als import ITEMS, MAX_ITEM

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


def read_scores(raw: RawTable, report: Report) -> Scores:
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


def _total(raw: RawTable, column: str, items: Floats, scale: str, report: Report) -> Floats:
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
