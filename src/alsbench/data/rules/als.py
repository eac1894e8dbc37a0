"""The ALSFRS-R: items 0 to 4, item 5 asked one way, totals that are the sum of their items (Cedarbaum 1999)."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.rules.core import RuleData, Violation, broken, rule
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import constant, quote
from alsbench.study.als import ITEM_CODES, ITEMS, MAX_ITEM, MAX_TOTAL

_FIFTH = ITEMS[4].codes
_TOTAL = "(contains(lower(\"PARAM\"), 'alsfrs-r') AND contains(lower(\"PARAM\"), 'total'))"
_CODES = ", ".join(constant(c) for c in ITEM_CODES)


@rule("als-item-range", "warning", "ALSFRS-R items are whole numbers from 0 to 4")
def als_item_range(trial: RuleData) -> Iterator[Violation]:
    for table in _scales(trial):
        off = f'"PARAMCD" IN ({_CODES}) AND ("AVAL" < 0 OR "AVAL" > {MAX_ITEM} OR "AVAL" <> round("AVAL"))'
        yield from broken(table, "{n} items are no whole number from 0 to 4", trial.where(table, off))


@rule("als-total-range", "warning", "ALSFRS-R totals are from 0 to 48")
def als_total_range(trial: RuleData) -> Iterator[Violation]:
    for table in _totals(trial):
        hits = trial.where(table, f'{_TOTAL} AND ("AVAL" < 0 OR "AVAL" > {MAX_TOTAL})')
        yield from broken(table, "{n} ALSFRS-R totals lie outside 0 to 48", hits)


@rule("als-item-5", "error", "item 5 is asked as 5a or as 5b, never both at one visit")
def als_item_5(trial: RuleData) -> Iterator[Violation]:
    for table, visit in _visits(trial):
        if trial.codes(table).isdisjoint(_FIFTH):
            continue
        keep = f'"PARAMCD" IN ({", ".join(constant(c) for c in _FIFTH)}) AND "AVAL" IS NOT NULL AND {quote(visit)} IS NOT NULL'
        hits = trial.among(table, [trial.subject, visit], 'min("PARAMCD"){over} < max("PARAMCD"){over}', keep)
        yield from broken(table, "{n} records hold item 5a and item 5b of one subject and visit", hits)


@rule("als-total-items", "warning", "ALSFRS-R totals are the sum of their twelve items")
def als_total_items(trial: RuleData) -> Iterator[Violation]:
    totals = list(_totals(trial))
    for table, visit in _visits(trial):
        if table in totals:
            yield from broken(
                table,
                "{n} ALSFRS-R totals are not the sum of their twelve items",
                trial.find(_compare(trial, table, visit, "t.total <> i.total")),
            )


@rule("als-total-incomplete", "warning", "no ALSFRS-R total where an item is missing")
def als_total_incomplete(trial: RuleData) -> Iterator[Violation]:
    totals = list(_totals(trial))
    for table, visit in _visits(trial):
        if table in totals:
            incomplete = trial.find(_compare(trial, table, visit, f"i.items < {len(ITEMS)}", complete=False))
            yield from broken(table, "{n} ALSFRS-R totals stand where items are missing", incomplete)


def _compare(trial: RuleData, table: TableInfo, visit: str, condition: str, *, complete: bool = True) -> str:
    """Totals (t) beside the sum and number of items of their subject and visit (i): totals that meet a condition."""
    keys = f"{quote(trial.subject)} AS subject, {quote(visit)} AS visit"
    whole = f'HAVING count("AVAL") = {len(ITEMS)}' if complete else ""
    return (
        f'SELECT t.row, t.subject AS key FROM (SELECT rowid AS row, {keys}, "AVAL" AS total FROM {quote(table.name)} '
        f'WHERE {_TOTAL} AND "AVAL" IS NOT NULL) t JOIN (SELECT {keys}, sum("AVAL") AS total, count("AVAL") AS items '
        f'FROM {quote(table.name)} WHERE "PARAMCD" IN ({_CODES}) GROUP BY ALL {whole}) i '
        f"ON t.subject = i.subject AND t.visit = i.visit WHERE {condition}"
    )


def _scales(trial: RuleData) -> Iterator[TableInfo]:
    for table in trial.records:
        if not trial.codes(table).isdisjoint(ITEM_CODES):
            yield table


def _visits(trial: RuleData) -> Iterator[tuple[TableInfo, str]]:
    number = trial.study_or_none.visits.number if trial.study_or_none else "AVISITN"
    for table in _scales(trial):
        if number in table:
            yield table, number


def _totals(trial: RuleData) -> Iterator[TableInfo]:
    """Tables that hold an ALSFRS-R total: there may be items without one."""
    for table in trial.records:
        if table.kinds.get("PARAM") == "text" and trial.holds(table, _TOTAL):
            yield table
