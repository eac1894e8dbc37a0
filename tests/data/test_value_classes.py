"""The classes in the database are those of one pair at a time (`stats/agreement.py`), for random and for awkward values."""

from __future__ import annotations

import math
import random

import duckdb
import pytest

from alsbench.data.value_classes import CODES, ColumnRule, class_sql, decimals_sql, largest_sql
from alsbench.stats.agreement import SaidValue, ValueRule, classify

AWKWARD = [
    None, 0.0, -0.0, 1.0, 2.0, 0.5, 0.25, 2.675, 2.68, 2.67, -2.675, -2.68, 0.1 + 0.2, 0.3, 1e300, -1e300, 5e-324, 2e-323,
    2.5e-323, math.inf, -math.inf, math.nan, 2.0**50, 2.0**60, 2.0**60 + 1024, 0.005, 0.01, 1.005, 1.01, 1.0, 100.5, 100.25,
]  # fmt: skip


def _beside(value: float | None, random_: random.Random) -> float | None:
    """A neighbour: some steps of the last place, a relative whisker, a rounded one, or another altogether."""
    if value is None or not math.isfinite(value):
        return random_.choice(AWKWARD)
    way = random_.randrange(6)
    if way == 0:
        for _ in range(random_.randrange(7)):
            value = math.nextafter(value, math.inf)
        return value
    if way == 1:
        return value * (1 + random_.choice([0.5e-12, 0.99e-12, 1.01e-12, 3e-12, 1e-9]))
    return random_.choice([round(value, 2), round(value, 1), value + 0.01, -value, random_.choice(AWKWARD)])


def _expected(one: float | None, other: float | None, rule: ColumnRule) -> str:
    """By the rule for one pair: the coarser side is said to be rounded."""
    said = [SaidValue(v) for v in (one, other)]
    if rule.coarser is not None:
        places, ours = rule.coarser
        at = 0 if ours else 1
        # its values are raw for noise, and rounded for what is printed
        plain = classify(*said, ValueRule(largest=rule.largest))
        if plain != "different":
            return plain
        said[at] = SaidValue(said[at].value, places, rounded=True)
    return classify(*said, ValueRule(largest=rule.largest, absolute=rule.absolute, relative=rule.relative))


@pytest.mark.parametrize(
    "rule",
    [
        ColumnRule("number"),
        ColumnRule("number", largest=48.0),
        ColumnRule("number", largest=1e13),  # 1e-12 of it is 10: whole numbers that differ are no noise all the same
        ColumnRule("number", absolute=0.02),
        ColumnRule("number", relative=0.01),
        ColumnRule("number", largest=3.0, decimals=(None, 2)),
        ColumnRule("number", largest=3.0, decimals=(1, 4)),
    ],
)
def test_numbers(rule: ColumnRule) -> None:
    random_ = random.Random(3)
    values = [
        *AWKWARD,
        *(random_.uniform(-3, 3) for _ in range(300)),
        *(random_.randrange(-3000, 3000) / 1000 for _ in range(300)),
    ]
    pairs = [(v, _beside(v, random_)) for v in values for _ in range(8)] + [(a, b) for a in AWKWARD for b in AWKWARD]
    if rule.coarser is not None:  # what is said to be rounded is
        places, ours = rule.coarser
        fit = lambda v: None if v is None or not math.isfinite(v) or abs(v) > 1e6 else round(v, places)  # noqa: E731
        keep = lambda v: v if v is None or (math.isfinite(v) and abs(v) < 1e6) else 0.125  # noqa: E731
        pairs = [(fit(a), keep(b)) if ours else (keep(a), fit(b)) for a, b in pairs]
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE TABLE pairs (i INTEGER, o DOUBLE, t DOUBLE)")
    connection.executemany("INSERT INTO pairs VALUES (?, ?, ?)", [(i, a, b) for i, (a, b) in enumerate(pairs)])
    rows = connection.execute(f"SELECT {class_sql('o', 't', rule)} FROM pairs ORDER BY i").fetchall()
    found = [(pair, CODES[code]) for pair, (code,) in zip(pairs, rows, strict=True)]
    wrong = [(pair, got, _expected(*pair, rule)) for pair, got in found if got != _expected(*pair, rule)]
    assert wrong == []
    assert len({got for _, got in found}) >= 5


def test_texts_and_dates() -> None:
    rows = duckdb.sql(
        f"SELECT {class_sql('o', 't', ColumnRule('text'))} FROM "
        "(VALUES ('a', 'a'), ('a', 'b'), (NULL, 'b'), ('a', NULL), (NULL, NULL), ('a', 'A')) v(o, t)"
    ).fetchall()
    assert [CODES[c] for (c,) in rows] == ["identical", "different", "only theirs", "only ours", "identical", "different"]
    rows = duckdb.sql(
        f"SELECT {class_sql('o', 't', ColumnRule('date'))} FROM "
        "(VALUES (DATE '2026-01-01', DATE '2026-01-01'), (DATE '2026-01-01', DATE '2026-01-02')) v(o, t)"
    ).fetchall()
    assert [CODES[c] for (c,) in rows] == ["identical", "different"]


def test_decimals_and_size_of_a_column() -> None:
    sql = f"SELECT {decimals_sql('v')}, {largest_sql('v')} FROM (VALUES (2.35::DOUBLE), (-7.1), (NULL), ('nan'), (3)) v(v)"
    assert duckdb.sql(sql).fetchall() == [(2, 7.1)]
    assert duckdb.sql(f"SELECT {decimals_sql('v')} FROM (VALUES (2.35::DOUBLE), (1 / 3.0::DOUBLE)) v(v)").fetchall() == [(9,)]
