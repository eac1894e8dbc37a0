"""The subgroup language on any DataFrame: ``LEADRATE <= mean(LEADRATE)``, ``BLNFL < 52 and ONSETSIT == "LIMB"``.

The language, its three-valued logic and its tolerance for floating-point noise are those of study.toml (``study.expression``):
where a value is missing the expression is unknown, and the row is neither in the subgroup nor in its complement. A blank text
is a missing value, as in a load. Cuts taken from the data are means and type 2 quantiles (SAS PCTLDEF=5) over all rows, or over
those given, never arm by arm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alsbench.errors import DataError, UsageError
from alsbench.models.frames import CategoricalColumn, as_frame, read_column, series
from alsbench.stats.summaries import mean, quantile
from alsbench.study import syntax_tree as tree
from alsbench.study.expression import parse
from alsbench.study.sql import APART, NOISE, Kind, check_columns, noise

Truth = NDArray[np.float64]  # 1 true, 0 false, NaN unknown
WHERE = "expression"


@dataclass(frozen=True)
class FrameExpression:
    """An expression of the subgroup language, as ``expression`` reads it; it can be asked of any frame with its columns."""

    parsed: tree.Expression

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it names, in order of appearance."""
        return self.parsed.columns

    def __str__(self) -> str:
        return self.parsed.text

    def cuts(self, data: Any, *, over: Any = None) -> dict[str, float]:
        """The value of each cut taken from the data, by its text: ``{"mean(LEADRATE)": 0.97}``.

        ``over`` (n,) is True for the rows the cuts are taken from, all of them unless given; missing values are left out.
        DataError where a column has no value there.
        """
        frame = as_frame(data, WHERE)
        check_columns(self.parsed, _Kinds(frame))
        rows = _rows(frame, over)
        return {str(a): _cut(a, frame, rows) for a in self.parsed.aggregates}

    def evaluate(self, data: Any, *, over: Any = None, cuts: Mapping[str, float] | None = None) -> pd.Series:
        """Which rows it is true for: a Series of True, False and NA (unknown) on the frame's index, (n,).

        Give one row for each subject, and ``over`` as in ``cuts``: the rows the cuts are taken from. ``cuts`` gives values that
        are known already, such as those of another data cut. The realised cuts stand in ``.attrs["cuts"]``. ExpressionError
        for a column that is not there or cannot be compared; DataError for a cut without a value.
        """
        frame = as_frame(data, WHERE)
        check_columns(self.parsed, _Kinds(frame))
        rows = _rows(frame, over)
        known = dict(cuts or {})
        realised = {a: float(known[str(a)]) if str(a) in known else _cut(a, frame, rows) for a in self.parsed.aggregates}
        truth = _Evaluator(frame, realised).node(self.parsed.root)
        values = pd.array(np.where(np.isnan(truth), 0.0, truth) == 1.0, dtype="boolean")
        values[np.isnan(truth)] = pd.NA
        found = pd.Series(values, index=frame.index, name=self.parsed.text)
        found.attrs["cuts"] = {str(a): v for a, v in realised.items()}
        return found


def expression(text: str) -> FrameExpression:
    """Read an expression of the subgroup language, to be asked of a frame.

    Comparisons (chained ones too), and, or, not, ``in`` with lists and closed ranges (``AGE in (50..65)``), numbers, texts in
    quotation marks, True and False, ``missing(COLUMN)``, and the cuts mean, median and quantile(COLUMN, q). Text is never
    evaluated as Python. Raises ExpressionError (a UsageError), which shows the place, for text that cannot be read.

    Source: the language of ``study.toml``; quantiles are type 2 of Hyndman and Fan 1996, doi 10.1080/00031305.1996.10473566.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"LEADRATE": [0.6, 1.0, 1.4, None], "ONSET": ["LIMB", "LIMB", "BULBAR", "LIMB"]})
    >>> slow = als.expression('LEADRATE <= mean(LEADRATE) and ONSET == "LIMB"')
    >>> slow.evaluate(df).tolist()
    [True, True, False, <NA>]
    >>> slow.cuts(df)
    {'mean(LEADRATE)': 1.0}
    """
    if not isinstance(text, str):
        raise UsageError(f"an expression is a text, not {type(text).__name__}", where=WHERE)
    return FrameExpression(parse(text))


class _Kinds(Mapping[str, Kind]):
    """The kind of each column of a frame, found when it is asked for."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.names = [c for c in [*frame.columns, *frame.index.names] if isinstance(c, str)]

    def __getitem__(self, name: str) -> Kind:
        if name not in self.names:
            raise KeyError(name)
        if _dates(series(self.frame, name, WHERE)) is not None:
            return "date"
        column = read_column(self.frame, name, WHERE)
        if not isinstance(column, CategoricalColumn):
            return "number"
        if column.order == "truth values":
            return "boolean"
        numeric = all(isinstance(v, (int, float, np.number)) for v in column.levels)
        return "number" if numeric and column.levels else "text"

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _dates(column: pd.Series) -> NDArray[np.datetime64] | None:
    """The column as dates, if it holds dates: of pandas, or Python's."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        if getattr(column.dtype, "tz", None) is not None:
            column = column.dt.tz_localize(None)
        return np.asarray(column.to_numpy(dtype="datetime64[us]"))
    known = column.dropna()
    if column.dtype == object and len(known) and all(isinstance(v, date) for v in known):
        return np.asarray(pd.to_datetime(column).to_numpy(dtype="datetime64[us]"))
    return None


def _rows(frame: pd.DataFrame, over: Any) -> NDArray[np.bool_]:
    """The rows cuts are taken from; UsageError unless ``over`` is one truth value for each row."""
    if over is None:
        return np.ones(len(frame), dtype=bool)
    if isinstance(over, pd.Series) and not over.index.equals(frame.index):
        raise UsageError("over has another index than the frame", where=WHERE)
    mask = pd.array(np.asarray(over, dtype=object) if not isinstance(over, pd.Series) else over, dtype="boolean")
    if len(mask) != len(frame):
        raise UsageError(f"over has {len(mask)} values for {len(frame)} rows", where=WHERE)
    return np.asarray(mask.fillna(False).to_numpy(dtype=bool))  # type: ignore[no-any-return, unused-ignore]


def _cut(aggregate: tree.Aggregate, frame: pd.DataFrame, rows: NDArray[np.bool_]) -> float:
    values = _numbers(frame, aggregate.column)[rows]
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise DataError(f"{aggregate} has no value: {aggregate.column} is missing in every row", where=WHERE)
    if aggregate.function == "mean":
        return mean(values)
    return quantile(values, 0.5 if aggregate.q is None else aggregate.q)


def _numbers(frame: pd.DataFrame, name: str) -> Truth:
    column = read_column(frame, name, WHERE)
    if isinstance(column, CategoricalColumn):
        return np.asarray([*column.levels, np.nan], dtype=np.float64)[column.codes]
    return column.values


class _Evaluator:
    """The truth of each part of a tree, row by row. Kinds have been checked before."""

    def __init__(self, frame: pd.DataFrame, cuts: Mapping[tree.Aggregate, float]) -> None:
        self.frame = frame
        self.cuts = cuts
        self.kinds = _Kinds(frame)

    def node(self, node: tree.Node) -> Truth:
        match node:
            case tree.Compare(op, left, right):
                return self._comparison(op, left, right)
            case tree.InList(column, values, negated):
                found = np.max([self._equal(column, value) for value in values], axis=0)
                return 1.0 - found if negated else np.asarray(found)
            case tree.Between(column, low, high, negated):
                found = np.minimum(self._comparison(">=", column, low), self._comparison("<=", column, high))
                return 1.0 - found if negated else found
            case tree.Missing(column):
                return self._missing(column.name).astype(np.float64)
            case tree.Not(term):
                return 1.0 - self.node(term)
            case tree.Junction(word, terms):
                parts = np.array([self.node(term) for term in terms])
                decided = (parts == 0.0).any(axis=0) if word == "and" else (parts == 1.0).any(axis=0)
                unknown = np.isnan(parts).any(axis=0) & ~decided
                return np.where(unknown, np.nan, np.where(decided, float(word == "or"), float(word == "and")))
        raise TypeError(type(node))

    def _equal(self, column: tree.ColumnRef, value: tree.Value) -> Truth:
        return self._comparison("==", column, value)

    def _comparison(self, op: tree.Comparator, left: Any, right: Any) -> Truth:
        if not isinstance(left, tree.ColumnRef):
            return self._comparison(tree.MIRRORED[op], right, left)
        kind = self.kinds[left.name]
        a, b = self._operand(left, kind), self._operand(right, kind)
        known = ~(self._unknown(left) | self._unknown(right))
        if kind == "number":
            slack = (
                np.fmin(NOISE * np.fmax(np.abs(a), np.abs(b)), APART) if isinstance(right, tree.ColumnRef) else noise(float(b))
            )
            result = _compare_numbers(op, a, b - slack, b + slack)
        else:
            result = _compare(op, a, b)
        return np.where(known, result, np.nan)

    def _operand(self, operand: Any, kind: Kind) -> Any:
        if isinstance(operand, tree.ColumnRef):
            if kind == "number":
                return _numbers(self.frame, operand.name)
            column = series(self.frame, operand.name, WHERE)
            if kind == "date":
                return _dates(column)
            return np.asarray(column.astype(object).where(column.notna(), None).to_numpy(dtype=object))
        if isinstance(operand, tree.Aggregate):
            return self.cuts[operand]
        return np.datetime64(str(operand.value)) if kind == "date" else operand.value

    def _missing(self, name: str) -> NDArray[np.bool_]:
        column = series(self.frame, name, WHERE)
        missing = np.asarray(column.isna().to_numpy(dtype=bool))
        if self.kinds[name] == "text":
            missing = missing | np.array([isinstance(v, str) and not v.strip() for v in column.tolist()], dtype=bool)
        return missing

    def _unknown(self, operand: Any) -> NDArray[np.bool_]:
        if isinstance(operand, tree.ColumnRef):
            return self._missing(operand.name)
        nothing = isinstance(operand, tree.Aggregate) and bool(np.isnan(self.cuts[operand]))
        return np.full(len(self.frame), nothing)


def _compare_numbers(op: str, a: Truth, low: Any, high: Any) -> Truth:
    """a op b, where b is any number from ``low`` to ``high``: what lies between them is equal to it."""
    with np.errstate(invalid="ignore"):
        match op:
            case "<":
                result = a < low
            case "<=":
                result = a <= high
            case ">":
                result = a > high
            case ">=":
                result = a >= low
            case _:
                result = ((a >= low) & (a <= high)) == (op == "==")
    return np.asarray(result, dtype=np.float64)


def _compare(op: str, a: Any, b: Any) -> Truth:
    """a op b for texts, truth values and dates."""
    if op in ("==", "!="):
        return np.asarray((np.asarray(a) == np.asarray(b)) == (op == "=="), dtype=np.float64)
    order = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[op]
    return np.asarray(order(a, b), dtype=np.float64)
