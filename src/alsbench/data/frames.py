"""Columns of a table as NumPy arrays: what analyses read.

number: float64, NaN is missing. text: object array of ``str`` or ``None``. date: datetime64[D], NaT is missing.
boolean: float64 of 1, 0 or NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from alsbench.study.sql import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray  # NumPy comes with the first frame, not with the names of columns


@dataclass(frozen=True)
class ColumnInfo:
    """A column: its name as in the file, label, kind, and the display format of the source (``DATE9.``), if it had one.

    ``type`` and ``length`` (bytes or characters, 0: not told) are what the source file says of it; two columns that differ in
    nothing else are the same column.
    """

    name: str
    label: str = ""
    kind: Kind = "number"
    format: str = ""
    type: str = field(default="", compare=False)
    length: int = field(default=0, compare=False)


@dataclass(frozen=True, eq=False)
class Frame:
    """Named columns of equal length, in order. Arrays are read-only; ``take`` gives a new frame."""

    columns: Mapping[str, NDArray[Any]]
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import numpy as np  # waits: numpy

        lengths = {len(a) for a in self.columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of unequal length: {sorted(lengths)}")
        frozen: dict[str, NDArray[Any]] = {}
        for name, array in self.columns.items():
            view = np.asarray(array).view()
            view.flags.writeable = False
            frozen[name] = view
        kinds: dict[str, Kind] = {n: self.kinds.get(n) or _kind_of(a) for n, a in frozen.items()}
        object.__setattr__(self, "columns", MappingProxyType(frozen))
        object.__setattr__(self, "kinds", MappingProxyType(kinds))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return next((len(a) for a in self.columns.values()), 0)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.columns)

    def kind(self, name: str) -> Kind:
        """number, text, date or boolean."""
        return self.kinds[name]

    def take(self, index: NDArray[Any]) -> Frame:
        """The rows of a boolean mask or of an integer index, in its order."""
        return Frame({n: a[index] for n, a in self.columns.items()}, dict(self.kinds))

    def select(self, *names: str) -> Frame:
        """Only the named columns, in that order."""
        return Frame({n: self.columns[n] for n in names}, {n: self.kinds[n] for n in names})


def from_database(array: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """An array as DuckDB delivers it (masked where missing) in the representation of its kind."""
    import numpy as np  # waits: numpy

    missing = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    values = np.asarray(array.data) if isinstance(array, np.ma.MaskedArray) else np.asarray(array)
    match kind:
        case "number" | "boolean":
            out = values.astype(np.float64)
            blank: Any = np.nan
        case "date":
            out = values.astype("datetime64[D]")
            blank = np.datetime64("NaT")
        case "text":
            out = values.astype(object)
            blank = None
    if missing is not None and missing.any():
        out[missing] = blank
    return out


def _kind_of(array: NDArray[Any]) -> Kind:
    match array.dtype.kind:
        case "M":
            return "date"
        case "O" | "U":
            return "text"
        case "b":
            return "boolean"
    return "number"
