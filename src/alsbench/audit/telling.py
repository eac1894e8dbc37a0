"""What tells the arm without naming it: columns that follow it by subject, data sets about nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

FEWEST = 3  # subjects of every arm before a column can be taken for the arm, and on the average of every value
MOST_VALUES = 1000

# Trial design, subject elements, drug accountability, concentrations and antibodies: each row is of an arm, or has values only
# where the drug was given.
LEFT_OUT = frozenset(
    ("TA", "TE", "TV", "TX", "TS", "SE", "DA", "PC", "PP", "IS", "ADPC", "ADPP", "ADIS", "ADDA", "ADPPK", "ADNCA", "POOLDEF")
)


def arm_values(table: pa.Table, column: str, subject: str, arms: Mapping[str, str]) -> dict[str, set[Any]]:
    """The values a column has in each arm, None among them; nothing where an arm has too few subjects or values are many."""
    order = sorted(set(arms.values()))
    known = pa.array(list(arms), pa.string())
    codes = pa.array([order.index(a) for a in arms.values()], pa.int32())
    at = pc.index_in(table[subject].cast(pa.string()).combine_chunks(), known)
    rows = pa.table(
        {"arm": pc.take(codes, at), "value": table[column].combine_chunks(), "who": table[subject].combine_chunks()}
    )
    rows = rows.filter(pc.is_valid(rows["arm"]))
    pairs = rows.group_by(["arm", "value"]).aggregate([])
    subjects = rows.group_by(["arm"]).aggregate([("who", "count_distinct")])
    if pairs.num_rows > MOST_VALUES or subjects.num_rows < 2:
        return {}
    if min(subjects["who_count_distinct"].to_pylist()) < FEWEST:
        return {}
    found: dict[str, set[Any]] = {}
    for arm, value in zip(pairs["arm"].to_pylist(), pairs["value"].to_pylist(), strict=True):
        found.setdefault(order[arm], set()).add(value)
    return found


def tells(values: Mapping[str, set[Any]], subjects: int) -> str:
    """``same`` where a column is the arm under other names, ``part`` where the arm decides it or has values of its own."""
    if len(values) < 2:
        return ""
    if all(len(v) == 1 for v in values.values()):
        single = {next(iter(v)) for v in values.values()}
        return "" if len(single) == 1 else "same" if len(single) == len(values) and None not in single else "part"
    sets = [v - {None} for v in values.values()]
    every = set().union(*sets)
    apart = all(sets) and sum(map(len, sets)) == len(every)
    return "part" if apart and FEWEST * len(every) <= subjects else ""


def supplemental(table: pa.Table, subject: str, arms: Mapping[str, str]) -> tuple[str, ...]:
    """The QNAMs of a SUPP-- data set whose values tell the arm."""
    found = []
    for name in pc.unique(table["QNAM"]).to_pylist():
        part = table.filter(pc.equal(table["QNAM"], name)) if name is not None else table.slice(0, 0)
        values = arm_values(part, "QVAL", subject, arms) if part.num_rows else {}
        if tells(values, len(pc.unique(part[subject]))):
            found.append(name)
    return tuple(found)
