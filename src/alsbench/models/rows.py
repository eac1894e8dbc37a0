"""Which rows of a frame a model is fitted to: those with nothing missing in any column it needs, counted where they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alsbench.errors import DataError, UsageError
from alsbench.models.formula import Formula
from alsbench.models.frames import (
    CategoricalColumn,
    Column,
    NumericColumn,
    check_finite,
    read_classes,
    read_column,
    read_numbers,
    series,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CompleteRows:
    """The rows (n,) without a missing value, and how many rows each column has a missing value in. A row may miss several."""

    kept: Mask
    missing: Mapping[str, int]

    @property
    def n_left_out(self) -> int:
        return int((~self.kept).sum())

    @property
    def dropped(self) -> pd.Series:
        """Rows with a missing value, by column."""
        return pd.Series(dict(self.missing), name="rows", dtype=np.int64)

    def note(self) -> str:
        """One sentence, or nothing where no row is left out."""
        if not self.n_left_out:
            return ""
        where = ", ".join(f"{name} in {count}" for name, count in self.missing.items() if count)
        return f"{self.n_left_out} of {self.kept.size} rows are left out for missing values: {where}"


def complete_rows(missing: Mapping[str, Mask], where: str) -> CompleteRows:
    """The rows in which none of the columns is missing. DataError where there is no such row."""
    found = CompleteRows(~np.logical_or.reduce(list(missing.values())), {k: int(v.sum()) for k, v in missing.items()})
    if not found.kept.any():
        raise DataError("no row has a value in every column the model needs", where=where, why=found.note())
    return found


def formula_columns(formula: Formula, frame: pd.DataFrame, where: str, *, visit: str = "") -> dict[str, Column]:
    """The columns a formula names, all rows: numbers for the response, classes for C(...), else what the column holds. The
    ``visit`` is a classification whatever its texts are."""
    found: dict[str, Column] = {}
    for name in formula.columns:
        if name in formula.response.columns:
            found[name] = read_numbers(frame, name, where)
        elif name in formula.classified:
            found[name] = read_classes(frame, name, where)
        else:
            column = read_column(frame, name, where)
            found[name] = column if name == visit else _as_it_is(column, where)
    for column in found.values():
        if isinstance(column, NumericColumn):
            check_finite(column, where)
    return found


def _as_it_is(column: Column, where: str) -> Column:
    """UsageError for texts that are decimal numbers, which as a classification would be a level for nearly every row."""
    if isinstance(column, CategoricalColumn) and column.order == "texts":
        try:
            decimal = any(not float(level).is_integer() for level in column.levels)
        except (ValueError, OverflowError):
            return column
        if decimal:
            name = column.name
            hint = f"data[{name!r}] = pd.to_numeric(data[{name!r}]), or C({name}) in the formula for a classification"
            raise UsageError(f"{name} holds texts that are numbers", where=where, hint=hint)
    return column


def analysed(columns: Mapping[str, Column], kept: Mask) -> tuple[dict[str, Column], list[str]]:
    """The columns over the rows ``kept``, without the levels none of them has, and a note for each column that lost some."""
    out: dict[str, Column] = {}
    notes = []
    for name, column in columns.items():
        part = column.take(kept)
        if isinstance(part, CategoricalColumn):
            seen = part.observed()
            gone = [label for label in part.labels if label not in seen.labels]
            if gone:
                levels = "the level" if len(gone) == 1 else "the levels"
                notes.append(f"{name}: no analysed row has {levels} {', '.join(gone)}, left out of the model")
            part = seen
        out[name] = part
    return out, notes


def labels_of(frame: pd.DataFrame, name: str, where: str) -> tuple[NDArray[Any], Mask]:
    """Labels of any kind (n,), and where they are missing."""
    column = series(frame, name, where)
    missing = column.isna().to_numpy(dtype=bool)
    labels = np.empty(len(column), dtype=object)
    labels[:] = column.astype(object).tolist()
    return labels, missing


def read_weights(frame: pd.DataFrame, given: Any, where: str) -> NumericColumn:
    """Weights as the name of a column, or as one number for each row of the frame."""
    if isinstance(given, str):
        found = read_numbers(frame, given, where)
    else:
        if isinstance(given, pd.Series) and not given.index.equals(frame.index):
            raise UsageError("the weights have another index than the frame", where=where, hint="make a column of them")
        values = np.asarray(given, dtype=np.float64)
        if values.shape != (len(frame),):
            raise UsageError(f"{values.size} weights for {len(frame)} rows", where=where, hint="one number for each row")
        found = NumericColumn("weights", values)
    check_finite(found, where)
    bad = int((found.values <= 0).sum())
    if bad:
        raise DataError(f"{found.name} is zero or negative in {bad} rows: a weight is positive", where=where)
    return found


def read_events(frame: pd.DataFrame, name: str, where: str) -> NumericColumn:
    """Whether there was an event: 1 or 0, NaN where missing. UsageError for anything else, such as a censoring indicator."""
    column = read_column(frame, name, where)
    numbers = (
        read_numbers(frame, name, where)
        if not isinstance(column, CategoricalColumn) or column.order == "truth values"
        else None
    )
    if numbers is None or not np.isin(numbers.values[~numbers.missing], (0.0, 1.0)).all():
        hint = f"1 or True where the event happened; from ADTTE: data[{name!r}] = data['CNSR'] == 0"
        raise UsageError(f"{name} says whether there was an event: True and False, or 1 and 0", where=where, hint=hint)
    return numbers


def read_finite(frame: pd.DataFrame, name: str, where: str) -> NumericColumn:
    """A column of numbers, none of them infinite."""
    column = read_numbers(frame, name, where)
    check_finite(column, where)
    return column


def combined(parts: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """One code (n,) for each combination of several codes."""
    return np.unique(np.column_stack(parts), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def read_strata(frame: pd.DataFrame, names: Sequence[str], where: str) -> dict[str, Column]:
    """The columns that make strata, as classes."""
    return {name: read_classes(frame, name, where) for name in names}


def listed(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name or several as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names or ())
