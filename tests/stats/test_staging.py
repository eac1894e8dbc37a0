"""King's and MiToS stages: cases worked by hand from the papers' rules, and what missing items leave unknown."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from alsbench.stats.errors import StatsError
from alsbench.stats.staging import kings_stage, mitos_stage
from alsbench.study import als

NA = np.nan


def items(**scores: float) -> np.ndarray:
    """All items at 4 but those named: items(i8=3)."""
    row = np.full(12, 4.0)
    for name, score in scores.items():
        row[int(name[1:]) - 1] = score
    return row[None, :]


@pytest.mark.parametrize(
    ("scores", "stage"),
    [
        ({}, 0),
        ({"i1": 3}, 1),
        ({"i1": 3, "i2": 0, "i3": 2}, 1),  # one region however many of its items
        ({"i4": 3}, 1),
        ({"i5": 3}, 1),
        ({"i8": 3}, 1),
        ({"i6": 0, "i7": 0, "i9": 0}, 0),  # dressing, turning and stairs are in no region
        ({"i3": 3, "i8": 3}, 2),
        ({"i2": 3, "i5": 2, "i8": 1}, 3),
        ({"i10": 1}, 0),
        ({"i10": 0}, 4),
        ({"i11": 0}, 0),  # orthopnoea does not count
        ({"i12": 3}, 4),
        ({"i1": 0, "i4": 0, "i8": 0, "i12": 0}, 4),
    ],
)
def test_kings_by_hand(scores: dict[str, float], stage: int) -> None:
    assert kings_stage(items(**scores)).tolist() == [stage]


@pytest.mark.parametrize(
    ("scores", "stage"),
    [
        ({}, 0),
        ({"i8": 2, "i6": 2}, 0),
        ({"i8": 1}, 1),
        ({"i6": 1}, 1),
        ({"i8": 0, "i6": 0}, 1),
        ({"i3": 1}, 1),
        ({"i1": 1}, 0),  # communication needs speech and handwriting
        ({"i4": 1}, 0),
        ({"i1": 1, "i4": 1}, 1),
        ({"i10": 1}, 1),
        ({"i12": 2}, 1),
        ({"i12": 3, "i10": 2}, 0),
        ({"i8": 1, "i3": 1, "i1": 1, "i4": 1, "i10": 1}, 4),
    ],
)
def test_mitos_by_hand(scores: dict[str, float], stage: int) -> None:
    assert mitos_stage(items(**scores)).tolist() == [stage]


def test_gastrostomy_and_death() -> None:
    assert kings_stage(items(), gastrostomy=[True]).tolist() == [4]
    assert kings_stage(items(i1=0), died=[True]).tolist() == [5]
    assert mitos_stage(items(), died=[1]).tolist() == [5]
    assert kings_stage(np.full((1, 12), NA), died=[True]).tolist() == [5]


def test_missing_items_matter_only_where_they_decide() -> None:
    known = kings_stage(np.vstack([items(i1=3, i2=NA), items(i10=0, i1=NA, i12=NA), items(i9=NA)]))
    assert known.tolist() == [1, 4, 0]
    unknown = kings_stage(np.vstack([items(i2=NA), items(i12=NA), items(i8=NA)]))
    assert np.isnan(unknown).all()
    assert mitos_stage(np.vstack([items(i1=4, i4=NA), items(i8=1, i6=NA)])).tolist() == [0, 1]
    assert np.isnan(mitos_stage(np.vstack([items(i1=1, i4=NA), items(i8=2, i6=NA)]))).all()
    assert np.isnan(kings_stage(items(), gastrostomy=[NA])).all()


def test_missing_is_unknown_exactly_where_two_fillings_differ() -> None:
    """Every filling of one or two missing items: one stage if all agree, otherwise none."""
    rng = np.random.default_rng(3)
    for _ in range(150):
        row = rng.integers(0, 5, 12).astype(float)
        gaps = rng.choice(12, rng.integers(1, 3), replace=False)
        with_gaps = row.copy()
        with_gaps[gaps] = NA
        fillings = np.repeat(row[None, :], 5 ** len(gaps), axis=0)
        fillings[:, gaps] = list(itertools.product(range(5), repeat=len(gaps)))
        for stage in (kings_stage, mitos_stage):
            possible, ours = set(stage(fillings).tolist()), stage(with_gaps[None, :])[0]
            assert np.isnan(ours) or possible == {ours}
            if len(gaps) == 1:
                assert np.isnan(ours) == (len(possible) > 1)


def test_the_rules_stated_as_data_are_the_rules_computed() -> None:
    """The study room states the same rules for display; both must say the same."""
    rows = np.random.default_rng(5).integers(0, 5, (400, 12)).astype(float)
    for row, king, mitos in zip(rows, kings_stage(rows), mitos_stage(rows), strict=True):

        def holds(threshold: als.Threshold, row: np.ndarray = row) -> bool:
            return any(row[i - 1] <= threshold.at_most for i in threshold.items)

        late = any(holds(t) for t in als.KINGS_STAGE_4)
        assert king == (4 if late else sum(holds(t) for t in als.KINGS_REGIONS))
        lost = [any(all(holds(t) for t in alternative) for alternative in d) for d in als.MITOS_DOMAINS.values()]
        assert mitos == sum(lost)


def test_bad_items_are_refused() -> None:
    with pytest.raises(StatsError, match="0 to 4"):
        kings_stage(items(i1=5))
    with pytest.raises(StatsError, match="twelve"):
        mitos_stage(np.zeros((3, 10)))
    with pytest.raises(StatsError, match="one per row"):
        kings_stage(items(), died=[0, 1])
