"""Columns that came under another name, and columns whose values got other names: told once, not by record.

A column was *renamed* where one that is gone and one that is new hold the same values in every record that both sides have, but
for noise, and no other pair does. A column was *recoded* where each old value has exactly one new value in all records, and the
other way round; a name that is new stands in at least two records and was no value before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from alsbench.data.frames import ColumnInfo
from alsbench.data.sql import quote
from alsbench.data.value_classes import NOISE, ColumnRule, class_sql, largest_sql

Run = Callable[[str], duckdb.DuckDBPyConnection]
SIDES = ("old_side", "new_side")  # the databases that ``run`` sees
MOST_VALUES = 50  # of a column that holds categories
MOST_COLUMNS = 30  # that are gone, or new, and are looked at


def renamed_columns(
    run: Run, table: str, keys: Sequence[str], gone: Sequence[ColumnInfo], come: Sequence[ColumnInfo]
) -> dict[str, str]:
    """Old name -> new name."""
    pairs = [(a, b) for a in gone[:MOST_COLUMNS] for b in come[:MOST_COLUMNS] if a.kind == b.kind]
    if not keys or not pairs:
        return {}
    sums = ", ".join(
        f"count(*) FILTER ({class_sql(f'o.{quote(a.name)}', f'n.{quote(b.name)}', _rule(run, table, a, b))} > {NOISE})"
        for a, b in pairs
    )
    filled = ", ".join(f"count(o.{quote(a.name)})" for a, _ in pairs)
    row = run(f"SELECT {sums}, {filled} FROM {_joined(table, keys)}").fetchone() or ()
    same = [p for p, apart, values in zip(pairs, row[: len(pairs)], row[len(pairs) :], strict=True) if not apart and values]
    olds, news = [a.name for a, _ in same], [b.name for _, b in same]
    return {a.name: b.name for a, b in same if olds.count(a.name) == 1 and news.count(b.name) == 1}


def recoded_columns(
    run: Run, table: str, keys: Sequence[str], columns: Sequence[str]
) -> dict[str, tuple[tuple[Any, Any, int], ...]]:
    """Column -> (old value, new value, records) for each value that got another name."""
    found = {}
    for column in _with_other_values(run, table, columns) if keys else ():
        o, n = f"o.{quote(column)}", f"n.{quote(column)}"
        sql = (
            f"SELECT {o}, {n}, count(*) FROM {_joined(table, keys)} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {MOST_VALUES + 1}"
        )
        pairs = run(sql).fetchall()
        changed = tuple((a, b, count) for a, b, count in pairs if a != b)
        one_to_one = len(pairs) == len({a for a, _, _ in pairs}) == len({b for _, b, _ in pairs})
        if len(pairs) <= MOST_VALUES and one_to_one and changed and all(count > 1 for _, _, count in changed):
            found[column] = changed
    return found


def _with_other_values(run: Run, table: str, columns: Sequence[str]) -> list[str]:
    """The columns of few values of which some are gone and some are new: names that only change places are no other names."""
    few = list(columns)
    for side in SIDES:
        counts = ", ".join(f"approx_count_distinct({quote(c)})" for c in few)
        row = run(f"SELECT {counts} FROM {side}.{quote(table)}").fetchone() if few else ()
        few = [c for c, number in zip(few, row or (), strict=True) if number <= 2 * MOST_VALUES]
    found = []
    for column in few:
        old, new = ({v for (v,) in run(f"SELECT DISTINCT {quote(column)} FROM {s}.{quote(table)}").fetchall()} for s in SIDES)
        if old - new and new - old and None not in (old - new) | (new - old):
            found.append(column)
    return found


def _rule(run: Run, table: str, old: ColumnInfo, new: ColumnInfo) -> ColumnRule:
    if old.kind != "number":
        return ColumnRule(old.kind)
    sides = zip(SIDES, (old, new), strict=True)
    sizes = [(run(f"SELECT {largest_sql(quote(c.name))} FROM {s}.{quote(table)}").fetchone() or (None,))[0] for s, c in sides]
    return ColumnRule("number", max(size or 0.0 for size in sizes))


def _joined(table: str, keys: Sequence[str]) -> str:
    """Records of both sides by the hash of their key."""
    hashed = f"hash({', '.join(quote(k) for k in keys)})"
    old, new = (f"(SELECT {hashed} AS key_hash, * FROM {side}.{quote(table)})" for side in SIDES)
    return f"{old} o JOIN {new} n ON o.key_hash = n.key_hash"
