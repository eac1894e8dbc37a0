"""What printed counts tell of hidden ones, against an attacker who tries every allotment of subjects to the parts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.render.mask_audit import Atoms
from alsbench.render.mask_counts import Count, masked_counts


def printed(sets: dict[str, list[int]], sizes: list[int], k: int) -> dict[str, int | str | None]:
    """Counts by phrase as they are printed; ``sets``: the parts of each phrase, ``sizes``: how many are in each part."""
    who = {p: np.isin(np.arange(len(sizes)), parts) for p, parts in sets.items()}
    counts = {Count(p, "A"): sum(sizes[i] for i in parts) for p, parts in sets.items()}
    return {place.subgroup: value for place, value in masked_counts(counts, k, who).items()}


def feasible(sets: dict[str, list[int]], shown: dict[str, int | str | None], sizes: list[int], k: int) -> dict[str, set[int]]:
    """Every value that a hidden count can have for who reads the rest: all allotments of up to the true total are tried."""
    guesses = np.indices((sum(sizes) + k + 1,) * len(sizes)).reshape(len(sizes), -1)
    values = {p: guesses[parts].sum(axis=0) for p, parts in sets.items()}
    possible = np.ones(guesses.shape[1], bool)
    for phrase, value in shown.items():
        if value != "masked":
            possible &= values[phrase] < k if isinstance(value, str) else values[phrase] == value
    return {p: set(values[p][possible].tolist()) for p, v in shown.items() if v == f"<{k}"}


THREE = {"overall": [0, 1, 2], "under50": [0], "not under50": [1, 2], "middle": [1], "not middle": [0, 2]}
BANDS = THREE | {"over67": [2], "not over67": [0, 1]}


def test_three_bands_of_age_are_a_partition_without_saying_so() -> None:
    shown = printed(BANDS, [6, 12, 3], 5)  # 21 - 6 - 12 = 3
    assert shown["over67"] == "<5" and shown["overall"] == 21
    assert feasible(BANDS, shown, [6, 12, 3], 5)["over67"] == set(range(5))


def test_the_band_that_nobody_declared_is_kept_too() -> None:
    """Of two bands printed the third is the rest: it could be asked for as an intersection of complements."""
    shown = printed(THREE, [6, 12, 3], 5)
    left = {p: v for p, v in shown.items() if isinstance(v, int)}
    assert not ({"overall", "under50", "middle"} <= set(left) or {"not under50", "middle"} <= set(left))


def test_two_small_parts_whose_sum_is_as_large_as_it_can_be_tell_each_other() -> None:
    """4 + 4 = 8 with both below 5: nothing else is possible, so the sum is hidden."""
    sets = {"overall": [0, 1], "slow": [0], "not slow": [1]}
    shown = printed(sets, [4, 4], 5)
    assert shown["overall"] == "masked"
    assert feasible(sets, shown, [4, 4], 5)["slow"] == set(range(5))


def test_nested_subgroups_do_not_tell_who_is_between_them() -> None:
    sets = {"overall": [0, 1, 2], "over60": [0], "not over60": [1, 2], "over59": [0, 1], "not over59": [2]}
    assert Atoms.of({p: np.isin(np.arange(3), parts) for p, parts in sets.items()}).between
    shown = printed(sets, [20, 2, 20], 5)  # 22 - 20 = 2
    assert not isinstance(shown["over60"], int) or not isinstance(shown["over59"], int)


def test_nothing_small_hides_nothing() -> None:
    assert printed(BANDS, [6, 12, 7], 5) == {
        "overall": 25, "under50": 6, "not under50": 19, "middle": 12, "not middle": 13, "over67": 7, "not over67": 18
    }  # fmt: skip


parts = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)


@settings(max_examples=60, deadline=None)
@given(first=parts, second=parts, sizes=st.lists(st.integers(0, 4), min_size=4, max_size=4), k=st.integers(2, 3))
def test_whatever_overlaps_no_hidden_count_is_narrowed(first: list[int], second: list[int], sizes: list[int], k: int) -> None:
    """Two subgroups with their complements, in any relation: each ``<k`` is left free from 0 to k - 1."""
    sets = {"overall": [0, 1, 2, 3]}
    for name, inside in (("a", first), ("b", second)):
        rest = [i for i in range(4) if i not in inside]
        sets |= {name: inside} | ({f"not {name}": rest} if rest else {})
    shown = printed(sets, sizes, k)
    assert all(not isinstance(v, int) or v >= k for v in shown.values())
    for phrase, seen in feasible(sets, shown, sizes, k).items():
        assert seen >= set(range(k)), (phrase, shown)
