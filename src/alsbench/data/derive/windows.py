"""Analysis visits of records that only have a day: windows, one record per window, baseline and change.

METHODS: windows are the midpoints between target days; of several records in a window the one closest to the target day
counts, of two equally close the later; a baseline is chosen by its own rule and is never a later visit's record as well.
A month is 30.4375 days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alsbench.study.model import DAYS_PER_UNIT, Derive, VisitUnit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

DECIMALS = 10  # what decimal fractions lose in subtraction is cut off here


@dataclass(frozen=True)
class Grid:
    """Analysis visits in order, baseline first: number, label and target day of each (visits,)."""

    numbers: tuple[float, ...]
    labels: tuple[str, ...]
    targets: tuple[float, ...]
    windows: tuple[tuple[float, float] | None, ...] = ()  # those the study gives, visit by visit


@dataclass(frozen=True)
class AssignedVisits:
    """Where each record stands (rows,): position of its window in the grid (-1 outside any), whether it is the baseline
    record, and whether it is the record that counts at its visit."""

    window: Ints
    baseline: Flags
    counts: Flags


def with_windows(grid: Grid, windows: Mapping[str, tuple[float, float]]) -> Grid:
    """The grid with the windows (first and last day) that are given by label or by number."""
    names = [(label, f"{number:g}") for label, number in zip(grid.labels, grid.numbers, strict=True)]
    return replace(grid, windows=tuple(next((windows[n] for n in both if n in windows), None) for both in names))


def which_record(settings: Derive) -> str:
    """In words which of several records in a window counts."""
    if settings.record == "closest":
        return "the closest record counts, of two equally close the later"
    return f"the {settings.record} record counts"


def target_day(number: float, unit: VisitUnit) -> int:
    """The day of a visit, rounded half away from zero."""
    days = number * DAYS_PER_UNIT[unit]
    return int(np.sign(days) * np.floor(abs(days) + 0.5))


def month_grid(last: int, *, first_day: int = 0) -> Grid:
    """Baseline on ``first_day`` and every month up to ``last``."""
    months = range(1, last + 1)
    return Grid(
        (0.0, *map(float, months)),
        ("Baseline", *(f"Month {m}" for m in months)),
        (float(first_day), *(float(target_day(m, "month")) for m in months)),
    )


def window_of(day: Floats, grid: Grid) -> Ints:
    """Position of the window each day falls into. A day on a midpoint belongs to the later window; NaN to none.

    A window that is given counts instead of the midpoints around its visit.
    """
    targets = np.array(grid.targets)
    limits = (targets[1:] + targets[:-1]) / 2
    found = np.searchsorted(limits, np.nan_to_num(day), side="right")
    last = targets[-1] + (targets[-1] - targets[-2]) / 2 if targets.size > 1 else np.inf
    found = np.where(np.isnan(day) | (day > last), -1, found).astype(np.int64)
    for position, given in enumerate(grid.windows):
        if given is not None:
            found[found == position] = -1
    for position, given in enumerate(grid.windows):
        if given is not None:
            found[(day >= given[0]) & (day <= given[1])] = position
    return found


def closest(group: Ints, distance: Floats, day: Floats, candidates: Flags) -> Flags:
    """One record per group: the least distance, then the later day, then the later row."""
    rows = np.flatnonzero(candidates)
    order = rows[np.lexsort((-rows, -day[rows], distance[rows], group[rows]))]
    first = np.ones(order.size, dtype=bool)
    first[1:] = group[order][1:] != group[order][:-1]
    chosen = np.zeros(group.size, dtype=bool)
    chosen[order[first]] = True
    return chosen


def nearest_baseline(group: Ints, day: Floats, usable: Flags, *, low: float = -30, high: float = 7, start: float = 0) -> Flags:
    """The record closest to day ``start``, from ``low`` to ``high`` days from it."""
    away = day - start
    return closest(group, np.abs(away), day, usable & (away >= low) & (away <= high))


def last_baseline(group: Ints, day: Floats, usable: Flags, *, first_dose: float = 1) -> Flags:
    """The last record on or before the first dose."""
    return closest(group, -day, day, usable & (day <= first_dose))


def assign_visits(
    group: Ints, day: Floats, usable: Flags, baseline: Flags, grid: Grid, *, after: float, record: str = "closest"
) -> AssignedVisits:
    """Windows of records (rows,) of subject-parameter ``group``; only ``usable`` ones count.

    ``record`` says which of several in a window counts: the closest to the target day, the first or the last. Records up to
    day ``after``, and those up to the subject's own baseline record, count at no visit but baseline.
    """
    window = window_of(day, grid)
    own = np.full(int(group.max(initial=-1)) + 1, after, dtype=np.float64)
    own[group[baseline]] = np.maximum(own[group[baseline]], day[baseline])
    later = usable & (window > 0) & (day > own[group])  # so never the baseline itself
    slot = group * len(grid.targets) + np.maximum(window, 0)
    distance = {"first": day, "last": -day}.get(record, np.abs(day - np.array(grid.targets)[np.maximum(window, 0)]))
    counts = closest(slot, distance, day, later)
    window = np.where(baseline, 0, np.where(counts, window, -1))
    return AssignedVisits(window, baseline, counts | baseline)


def base_and_change(group: Ints, day: Floats, value: Floats, placed: AssignedVisits) -> tuple[Floats, Floats]:
    """BASE of every record and CHG of those later than their baseline (rows,); NaN where there is no baseline."""
    size = int(group.max(initial=-1)) + 1
    base, when = np.full(size, np.nan), np.full(size, np.nan)
    base[group[placed.baseline]] = value[placed.baseline]
    when[group[placed.baseline]] = day[placed.baseline]
    mine = base[group]
    return mine, np.where(day > when[group], np.round(value - mine, DECIMALS), np.nan)
