"""``als.expression`` on frames means what the same text means in a study file: held against the SQL it is compiled to there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alsbench as als
from alsbench.study.expression import parse
from alsbench.study.sql import Kind, compile_sql

KINDS: dict[str, Kind] = {
    "AGE": "number",
    "RATE": "number",
    "SEX": "text",
    "SITE": "text",
    "RANDDT": "date",
    "DAY2": "date",
    "TREATED": "boolean",
}
TYPES = {"number": "DOUBLE", "text": "VARCHAR", "date": "DATE", "boolean": "BOOLEAN"}
ROWS = [
    (50, 50.0, "M", "M", "2021-01-31", "2021-01-31", True),
    (65, 65.00000000000001, "F", "LIMB", "2021-02-01", "2021-01-31", False),
    (40, 1.4, "M", "BULBAR", None, "2021-03-01", True),
    (None, 0.8, None, "it's", "2022-01-01", None, None),
    (0.30000000000000004, 0.3, "F", None, "2022-01-01", "2022-01-02", False),
    (-1e9, None, "", "F", "1999-12-31", "2000-01-01", None),
]


@pytest.fixture(scope="module")
def table() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t (i INTEGER, {', '.join(f'{c} {TYPES[k]}' for c, k in KINDS.items())})")
    loaded = [(i, *(None if value == "" else value for value in row)) for i, row in enumerate(ROWS)]  # a blank is missing
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", loaded)
    return connection


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    data = pd.DataFrame(ROWS, columns=list(KINDS), index=[f"S{i}" for i in range(len(ROWS))])
    return data.assign(RANDDT=pd.to_datetime(data.RANDDT), DAY2=pd.to_datetime(data.DAY2))


def by_sql(table: duckdb.DuckDBPyConnection, frame: pd.DataFrame, text: str) -> list[bool | None]:
    parsed = parse(text)
    columns = {c: frame[c].to_numpy(dtype=float) for c, kind in KINDS.items() if kind == "number"}
    cuts = {}
    for a in parsed.aggregates:
        x = columns[a.column][np.isfinite(columns[a.column])]
        at = 0.5 if a.q is None else a.q
        cuts[a] = x.mean() if a.function == "mean" else float(np.quantile(x, at, method="averaged_inverted_cdf"))
    where = compile_sql(parsed, KINDS, cuts)
    return [row[0] for row in table.execute(f"SELECT {where.sql} FROM t ORDER BY i", where.params).fetchall()]


def answers(found: pd.Series) -> list[bool | None]:
    return [None if value is pd.NA else bool(value) for value in found]


TEXTS = [
    "AGE > 50",
    "50 < AGE",
    "40 <= AGE < 65",
    "AGE == 0.3 and RATE == 0.3",
    "AGE != 0.3",
    "AGE <= RATE",
    "AGE == RATE or SEX == 'F'",
    "AGE < RATE",
    "not AGE > RATE",
    "AGE in (40, 50, 0.3)",
    "AGE not in (40, 50)",
    "AGE in (40..50)",
    "AGE not in (40..50)",
    "AGE <= mean(AGE)",
    "median(RATE) < RATE",
    "RATE >= quantile(RATE, 0.75)",
    'SEX == "M"',
    'SEX != "M" or missing(SEX)',
    "SEX == SITE",
    "SEX != SITE",
    "SEX in ('M', 'X')",
    "missing(SEX) or SITE not in ('F')",
    'SITE == "it\'s"',
    'RANDDT < "2021-02-01"',
    'RANDDT == "2021-02-01"',
    'RANDDT in ("2021-01-31".."2021-12-31")',
    'RANDDT not in ("2021-01-31", "2022-01-01")',
    "RANDDT < DAY2",
    "TREATED == True",
    "TREATED != True",
    "not (TREATED == False)",
    "missing(TREATED) and not missing(AGE)",
    "AGE > 45 and (SEX == 'F' or RATE < 2)",
    "AGE > 45 or TREATED == True and missing(RANDDT)",
]


@pytest.mark.parametrize("text", TEXTS)
def test_means_what_it_means_in_a_study_file(text: str, table: duckdb.DuckDBPyConnection, frame: pd.DataFrame) -> None:
    found = als.expression(text).evaluate(frame)
    assert answers(found) == by_sql(table, frame, text)
    assert found.index.equals(frame.index) and found.dtype == "boolean" and found.name == text


sentences = st.recursive(
    st.sampled_from(TEXTS),
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(text=sentences)
def test_every_combination_means_the_same(text: str, table: duckdb.DuckDBPyConnection, frame: pd.DataFrame) -> None:
    assert answers(als.expression(text).evaluate(frame)) == by_sql(table, frame, text)


FORMS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "nullable": lambda f: f.convert_dtypes(),
    "Arrow": lambda f: f.convert_dtypes(dtype_backend="pyarrow").assign(RANDDT=f.RANDDT, DAY2=f.DAY2),
    "objects": lambda f: f.astype(dict.fromkeys(("AGE", "RATE", "SEX", "SITE", "TREATED"), object)),
    "categories": lambda f: f.astype(dict.fromkeys(("SEX", "SITE", "AGE", "RATE"), "category")),
    "dates of Python": lambda f: f.assign(
        RANDDT=[None if pd.isna(d) else date(d.year, d.month, d.day) for d in f.RANDDT],
    ),
    "in the index": lambda f: f.set_index(["SEX", "AGE"]),
    "time zones": lambda f: f.assign(RANDDT=f.RANDDT.dt.tz_localize("UTC"), DAY2=f.DAY2.dt.tz_localize("UTC")),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_values_in_another_form(form: str, frame: pd.DataFrame) -> None:
    other = FORMS[form](frame)
    for text in TEXTS:
        read = als.expression(text)
        assert answers(read.evaluate(other)) == answers(read.evaluate(frame)), text


def test_cuts_are_taken_over_the_rows_that_are_given() -> None:
    data = pd.DataFrame({"X": [1.0, 2.0, 3.0, 100.0, None], "FASFL": ["Y", "Y", "Y", "N", "Y"]})
    read = als.expression("X <= mean(X)")
    assert read.cuts(data) == {"mean(X)": 26.5}
    assert read.cuts(data, over=data.FASFL == "Y") == {"mean(X)": 2.0}
    found = read.evaluate(data, over=data.FASFL == "Y")
    assert answers(found) == [True, True, False, False, None] and found.attrs["cuts"] == {"mean(X)": 2.0}
    assert answers(read.evaluate(data, cuts={"mean(X)": 3.0})) == [True, True, True, False, None]
    assert read.columns == ("X",) and str(read) == "X <= mean(X)"


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("X <= mean(Y)", {}, "there is no column Y"),
        ("XX > 1", {}, r"(?s)there is no column XX.*did you mean X"),
        ("X == 'a'", {}, "X is a number and .a. a text"),
        ("S < 'a'", {}, "S is a text and has no order"),
        ("X > 1 and", {}, r"(?s)cannot be read.*\^"),
        ("__import__('os') == 1", {}, "__import__ is not a function of this language"),
        ("X <= mean(X)", {"over": [True]}, "over has 1 values for 2 rows"),
        ("X <= mean(X)", {"over": pd.Series([True, True], index=[5, 6])}, "another index"),
        (5, {}, "an expression is a text, not int"),
    ],
)
def test_what_cannot_be_meant(text: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(als.UsageError, match=says):
        als.expression(text).evaluate(pd.DataFrame({"X": [1.0, 2.0], "S": ["a", "b"]}), **options)


def test_a_cut_without_a_value_is_an_error() -> None:
    data = pd.DataFrame({"X": [1.0, None]})
    with pytest.raises(als.DataError, match=r"mean\(X\) has no value: X is missing in every row"):
        als.expression("X > mean(X)").evaluate(data, over=[False, True])
