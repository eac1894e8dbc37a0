"""Tables of one record per subject, parameter and analysis visit (ADaM's basic data structure), from blocks of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.columns import Column, Floats, Values, build, date, flag, number, text
from alsbench.data.derive.windows import Flags, Grid, Ints, Placed, base_and_change


@dataclass(frozen=True)
class Subjects:
    """The subject-level facts other tables carry. ``head`` are columns (subjects,) every table begins with."""

    study: str
    ids: Values
    planned: Mapping[str, str]
    actual: Mapping[str, str]

    def head(self, subject: Values) -> list[Column]:
        """STUDYID, USUBJID and arms of records (rows,) by subject id."""
        return [
            text("STUDYID", "Study Identifier", [self.study] * len(subject)),
            text("USUBJID", "Unique Subject Identifier", subject),
            text("TRT01P", "Planned Treatment for Period 01", [self.planned.get(s) for s in subject]),
            text("TRT01A", "Actual Treatment for Period 01", [self.actual.get(s) for s in subject]),
        ]


@dataclass(frozen=True)
class Block:
    """Records (rows,) of one parameter. ``group`` numbers subjects; ``date`` is NaT where no dates are known.

    ``label`` names the visit of records that count at none; ``extra`` are further columns, the same in every block of a table.
    """

    code: str
    title: str
    subject: Values
    group: Ints
    day: Floats
    value: Floats
    placed: Placed
    date: Values | None = None
    label: Values | None = None
    grid: Grid | None = None
    extra: tuple[Column, ...] = ()

    def known(self) -> Block:
        """Without records that have no value."""
        return self.take(np.isfinite(self.value))

    def take(self, keep: Flags) -> Block:
        placed = Placed(self.placed.window[keep], self.placed.baseline[keep], self.placed.counts[keep])
        return replace(
            self,
            subject=self.subject[keep],
            group=self.group[keep],
            day=self.day[keep],
            value=self.value[keep],
            placed=placed,
            date=None if self.date is None else self.date[keep],
            label=None if self.label is None else self.label[keep],
            extra=tuple(replace(c, values=c.values[keep]) for c in self.extra),
        )


def bds(
    name: str,
    label: str,
    blocks: Sequence[Block],
    grid: Grid | None,
    subjects: Subjects,
    *,
    day_label: str = "Analysis Relative Day",
    remarks: Sequence[str] = (),
) -> Dataset:
    """The table, in the order of subjects, days and parameters. AVISITN stands only on records that count at a visit.

    ``grid`` holds for blocks without one of their own.
    """
    blocks = [b.known() for b in blocks]
    changes = [base_and_change(b.group, b.day, b.value, b.placed) for b in blocks]
    sizes = [b.value.size for b in blocks]
    which = np.repeat(np.arange(len(blocks)), sizes)
    subject = np.concatenate([b.subject for b in blocks])
    counts = np.concatenate([b.placed.counts for b in blocks])
    baseline = np.concatenate([b.placed.baseline for b in blocks])
    day = np.concatenate([b.day for b in blocks])
    value = np.concatenate([b.value for b in blocks])
    stands = [_visits(b, b.grid or grid) for b in blocks]
    labels = np.concatenate([v[0] for v in stands])
    visit, target = np.concatenate([v[1] for v in stands]), np.concatenate([v[2] for v in stands])
    dated = all(b.date is not None for b in blocks)
    columns = [
        *subjects.head(subject),
        text("PARAMCD", "Parameter Code", np.array([b.code for b in blocks], dtype=object)[which]),
        text("PARAM", "Parameter", np.array([b.title for b in blocks], dtype=object)[which]),
        text("AVISIT", "Analysis Visit", labels),
        number("AVISITN", "Analysis Visit (N)", visit),
        *([date("ADT", "Analysis Date", np.concatenate([b.date for b in blocks if b.date is not None]))] if dated else []),
        number("ADY", day_label, day),
        number("AWTARGET", "Analysis Window Target Day", target),
        number("AWTDIFF", "Days from Analysis Window Target", np.abs(day - target)),
        flag("ABLFL", "Baseline Record Flag", baseline),
        flag("ANL01FL", "Counts at its Visit", counts),
        number("AVAL", "Analysis Value", value),
        number("BASE", "Baseline Value", np.concatenate([c[0] for c in changes])),
        number("CHG", "Change from Baseline", np.concatenate([c[1] for c in changes])),
        *(
            replace(c, values=np.concatenate([b.extra[i].values for b in blocks]))
            for i, c in enumerate(blocks[0].extra if blocks else ())
        ),
    ]
    position = {s: i for i, s in enumerate(subjects.ids.tolist())}
    order = np.lexsort((which, day, np.array([position.get(s, len(position)) for s in subject], dtype=np.int64)))
    return build(name, label, [replace(c, values=c.values[order]) for c in columns], remarks)


def _visits(block: Block, grid: Grid | None) -> tuple[Values, Floats, Floats]:
    """Label, number and target day of the visit each record counts at."""
    if grid is None:
        raise ValueError(f"{block.code} has no visits")
    window = block.placed.window
    other = block.label if block.label is not None else np.full(window.size, None, dtype=object)
    labels = np.empty(window.size, dtype=object)
    labels[:] = [grid.labels[w] if w >= 0 else said or "Unscheduled" for w, said in zip(window, other, strict=True)]
    return labels, np.array([*grid.numbers, np.nan])[window], np.array([*grid.targets, np.nan])[window]
