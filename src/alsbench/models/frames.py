"""From a user's DataFrame to columns that can be trusted: numbers, NaN where missing, or classes with their levels in order.

The frame is read, never changed. Levels are the categories of a categorical column in their order, False and True, or the
sorted values of a text column; a category that no analysed row has is left out, as R's ``lm`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alsbench.errors import DataError, UsageError
from alsbench.stats.errors import NotConverged, StatsError
from alsbench.study.names import nearest

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers: ``values`` (n,), NaN where missing."""

    name: str
    values: Array

    @property
    def missing(self) -> Mask:
        found: Mask = np.isnan(self.values)
        return found

    def take(self, rows: Mask) -> NumericColumn:
        return NumericColumn(self.name, self.values[rows])


@dataclass(frozen=True)
class CategoricalColumn:
    """A classification: ``codes`` (n,) index ``levels`` in their order and are -1 where missing. ``order`` says where the order
    comes from: categories, truth values, numbers, texts that are numbers or (visits) hold one, or texts."""

    name: str
    codes: IntArray
    levels: tuple[Any, ...]
    order: str

    @property
    def missing(self) -> Mask:
        found: Mask = self.codes < 0
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(map(str, self.levels))

    def take(self, rows: Mask) -> CategoricalColumn:
        return CategoricalColumn(self.name, self.codes[rows], self.levels, self.order)

    def observed(self) -> CategoricalColumn:
        """The same without the levels that no row has."""
        used = np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels)) > 0
        if used.all():
            return self
        renumbered = np.append(np.cumsum(used) - 1, -1)
        levels = tuple(level for level, there in zip(self.levels, used, strict=True) if there)
        return CategoricalColumn(self.name, renumbered[self.codes].astype(np.int64), levels, self.order)


Column = NumericColumn | CategoricalColumn


def as_frame(data: Any, where: str) -> pd.DataFrame:
    """``data`` as a pandas DataFrame: one as it is, a polars frame or Arrow table by its ``to_pandas``, a mapping of columns.

    UsageError for anything else, and for a lazy frame, which must be collected first.
    """
    if isinstance(data, pd.DataFrame):
        frame = data
    elif callable(getattr(data, "to_pandas", None)):
        frame = data.to_pandas()
    elif isinstance(data, Mapping):
        frame = pd.DataFrame(dict(data))
    else:
        hint = "collect it first: .collect().to_pandas()" if hasattr(data, "collect") else "of another library: .to_pandas()"
        raise UsageError(f"a pandas DataFrame is needed, not {type(data).__name__}", where=where, hint=hint)
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(f"a DataFrame is needed, not {type(frame).__name__}", where=where, hint="give a table, not one column")
    if len(frame) == 0:
        raise DataError("the frame has no rows", where=where)
    return frame


def series(frame: pd.DataFrame, name: Any, where: str) -> pd.Series:
    """The column, or the level of the index, of that name. UsageError, with the nearest name, for none or several."""
    if not isinstance(name, str):
        raise UsageError(f"a column is named by a text, not by {type(name).__name__}", where=where)
    count = sum(isinstance(c, str) and c == name for c in frame.columns)
    if count == 1:
        return frame[name]
    if count > 1:
        raise UsageError(f"{count} columns are called {name}", where=where, hint="rename all but one")
    if name in frame.index.names:
        return pd.Series(frame.index.get_level_values(name), index=frame.index)
    known = [c for c in [*frame.columns, *frame.index.names] if isinstance(c, str)]
    raise UsageError(f"there is no column {name}", where=where, hint=nearest(name, known))


def read_column(frame: pd.DataFrame, name: str, where: str) -> Column:
    """The column as numbers or as classes, by what is in it: an object column of numbers is numbers."""
    column = series(frame, name, where)
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return _categories(name, column, where)
    if pd.api.types.is_bool_dtype(kind):
        return _truth(name, column)
    if pd.api.types.is_numeric_dtype(kind):
        if pd.api.types.is_complex_dtype(kind):
            raise UsageError(f"{name} holds complex numbers", where=where)
        return NumericColumn(name, np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64))
    if pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        raise UsageError(f"{name} holds dates or durations", where=where, hint="make a number of days of it first")
    return _objects(name, column, where)


def read_numbers(frame: pd.DataFrame, name: str, where: str) -> NumericColumn:
    """The column, which must hold numbers."""
    column = read_column(frame, name, where)
    if isinstance(column, CategoricalColumn) and column.order == "truth values":
        return NumericColumn(name, np.where(column.missing, np.nan, np.asarray([*column.levels, 0], dtype=float)[column.codes]))
    if isinstance(column, CategoricalColumn):
        hint = f"make numbers of it: data[{name!r}] = pd.to_numeric(data[{name!r}])"
        raise UsageError(f"{name} holds {_what(column)}, where numbers are needed", where=where, hint=hint)
    return column


def read_classes(frame: pd.DataFrame, name: str, where: str) -> CategoricalColumn:
    """The column as a classification; numbers are classes in the order of their size, and so are texts that all are numbers."""
    column = read_column(frame, name, where)
    if isinstance(column, NumericColumn):
        return classes_of_numbers(column, where)
    return _numeric_order(column) if column.order == "texts" else column


def classes_of_numbers(column: NumericColumn, where: str) -> CategoricalColumn:
    """Each number a class, in the order of their size."""
    known = ~column.missing
    check_finite(column, where)
    values, codes = np.unique(column.values[known], return_inverse=True)
    out = np.full(column.values.size, -1, dtype=np.int64)
    out[known] = codes
    return CategoricalColumn(column.name, out, tuple(_whole(v) for v in values.tolist()), "numbers")


def check_finite(column: NumericColumn, where: str) -> None:
    """DataError for infinite values, which are no missing ones: R's mmrm refuses them too."""
    count = int(np.isinf(column.values).sum())
    if count:
        raise DataError(f"{column.name} is infinite in {count} rows", where=where, hint="set them to missing, or mend them")


def _what(column: CategoricalColumn) -> str:
    return "categories" if column.order == "categories" else "text"


def _categories(name: str, column: pd.Series, where: str) -> CategoricalColumn:
    levels = tuple(_whole(v) for v in column.cat.categories)
    return _checked(CategoricalColumn(name, column.cat.codes.to_numpy(dtype=np.int64), levels, "categories"), where)


def _truth(name: str, column: pd.Series) -> CategoricalColumn:
    codes = np.full(len(column), -1, dtype=np.int64)
    known = column.notna().to_numpy(dtype=bool)
    codes[known] = column[known].astype(bool).to_numpy().astype(np.int64)
    return CategoricalColumn(name, codes, (False, True), "truth values")


def _objects(name: str, column: pd.Series, where: str) -> Column:
    """An object or text column: numbers, truth values or texts, but not a mixture."""
    known = column.notna().to_numpy(dtype=bool)
    values = column[known].tolist()
    if values and all(isinstance(v, (bool, np.bool_)) for v in values):
        return _truth(name, column)
    if all(_is_number(v) for v in values):
        numbers = np.full(len(column), np.nan)
        numbers[known] = [float(v) for v in values]
        return NumericColumn(name, numbers)
    odd = next((v for v in values if not isinstance(v, str)), None)
    if odd is not None:
        what = f"{name} holds texts and other values, such as {type(odd).__name__}"
        raise UsageError(what, where=where, hint=f"make one kind of it: data[{name!r}].astype(str), or pd.to_numeric")
    codes = np.full(len(column), -1, dtype=np.int64)
    levels = sorted(set(values))
    index = {level: i for i, level in enumerate(levels)}
    codes[known] = [index[v] for v in values]
    return CategoricalColumn(name, codes, tuple(levels), "texts")


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, Decimal)) and not isinstance(value, (bool, np.bool_))


def _numeric_order(column: CategoricalColumn) -> CategoricalColumn:
    """Texts in the order of the numbers they are, if all are."""
    try:
        values = np.array([float(level) for level in column.levels])
    except ValueError:
        return column
    if not np.all(np.isfinite(values)) or np.unique(values).size < values.size:
        return column
    order = np.argsort(values, kind="stable")
    place = np.append(np.argsort(order), -1)
    return CategoricalColumn(column.name, place[column.codes], tuple(column.levels[i] for i in order), "texts that are numbers")


def _whole(value: Any) -> Any:
    """1.0 is the level 1, so that a column with a missing value names its levels as one without does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def label_of(level: Any) -> str:
    """The label of a level as a user may write it: 1 and 1.0 are one level."""
    return str(_whole(level))


def _checked(column: CategoricalColumn, where: str) -> CategoricalColumn:
    if len(set(column.labels)) < len(column.levels):
        twice = next(x for i, x in enumerate(column.labels) if x in column.labels[:i])
        raise UsageError(f"{column.name} has two categories called {twice}", where=where)
    return column


@contextmanager
def as_data_error(where: str, unconverged: str = "") -> Iterator[None]:
    """A number that these data do not determine is a DataError: what it was, where, and what may help a fit to converge."""
    try:
        yield
    except StatsError as error:
        raise DataError(str(error), where=where, hint=unconverged if isinstance(error, NotConverged) else "") from error
