"""Small cells: what is hidden cannot be worked out from what is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.analysis.result import Facts, Provenance, Result, Row
from alsbench.errors import UsageError
from alsbench.render.ard import row_dict
from alsbench.render.mask import is_masked, mask_rows, masked

ARMS = ("P", "A", "B")


def row(subgroup: str, stat_name: str, stat: Any, **more: Any) -> Row:
    values = {"endpoint": "e", "method": "mmrm", "population": "FAS", "context": "subgroup"} | more
    return Row(subgroup=subgroup, stat_name=stat_name, stat=stat, **values)


def table(slow: tuple[int, ...], fast: tuple[int, ...]) -> list[Row]:
    """Subgroup sizes by arm with totals, and an LS mean for each arm and a difference for each pair."""
    rows = []
    for name, sizes in (("overall", tuple(a + b for a, b in zip(slow, fast, strict=True))), ("slow", slow), ("not slow", fast)):
        rows.append(row(name, "n", sum(sizes)))
        rows += [row(name, "n", n, arm=arm) for arm, n in zip(ARMS, sizes, strict=True)]
        rows += [row(name, "ls_mean", 1.5, arm=arm, context="arm", visit_number=6.0) for arm in ARMS]
        rows += [
            row(name, "difference", 0.5, context="contrast", treatment=t, reference="P", visit_number=6.0) for t in ("A", "B")
        ]
    return rows


def hidden(rows: tuple[Row, ...]) -> set[tuple[str, str | None]]:
    return {(r.subgroup, r.arm) for r in rows if is_masked(r) and r.stat_name == "n"}


def test_a_small_count_takes_its_complement_and_totals_with_it() -> None:
    # slow A = 3 is hidden; overall A = 13 is shown, so fast A must go; 20 + ? + 12 = 35 would tell it, so the totals go too
    made = mask_rows(table((20, 3, 12), (20, 10, 12)), 5)
    assert hidden(made) == {("slow", "A"), ("not slow", "A"), ("slow", None), ("not slow", None)}
    shown = {(r["subgroup"], r["arm"]): r for r in map(row_dict, made) if r["stat_name"] == "n"}
    assert (shown["slow", "A"]["stat"], shown["slow", "A"]["stat_fmt"]) == (None, "<5")
    assert (shown["not slow", "A"]["stat"], shown["not slow", "A"]["stat_fmt"]) == (None, "masked")
    assert shown["overall", "A"]["stat"] == 13


def test_what_rests_on_a_hidden_count_goes_and_nothing_else() -> None:
    made = mask_rows(table((20, 3, 12), (20, 10, 12)), 5)
    gone = {(r.subgroup, r.arm or r.treatment) for r in made if is_masked(r) and r.stat_name in ("ls_mean", "difference")}
    assert gone == {("slow", "A"), ("not slow", "A")}


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    rows = table((20, 13, 12), (20, 10, 12))
    assert mask_rows(rows, 5) == tuple(rows)


def test_a_small_number_of_undecided_is_not_left_over() -> None:
    rows = [
        row("overall", "n", 50),
        row("slow", "n", 20, warning="2 subjects undecided: a value is missing"),
        row("not slow", "n", 28),
    ]
    made = mask_rows(rows, 5)
    assert sum(is_masked(r) for r in made) == 1
    assert "2 subjects" not in str(list(made))


def test_levels_and_percentages() -> None:
    # 2 women of 22: the men are 20 and would tell them
    rows = [row("overall", "n", 22, context="arm", arm="A", variable="SEX", method="baseline")]
    for level, count in (("F", 2), ("M", 20)):
        rows += [
            row("overall", name, value, context="arm", arm="A", variable="SEX", level=level, method="baseline")
            for name, value in (("count", count), ("percent", 100 * count / 22))
        ]
    made = mask_rows(rows, 5)
    assert [is_masked(r) for r in made] == [False, True, True, True, True]


def test_the_other_arm_of_a_fit_of_two_goes_but_for_its_count() -> None:
    # residual degrees of freedom of a fit of two arms are n1 + n0 less a constant
    about = {"context": "arm", "treatment": "A", "reference": "P", "visit_number": 6.0, "method": "ancova"}
    rows = [row("overall", s, v, arm=a, **about) for a, n in (("A", 3), ("P", 20)) for s, v in (("n", n), ("df", 17.0))]
    assert [is_masked(r) for r in mask_rows(rows, 5)] == [True, True, False, True]


def test_a_small_complement_that_is_not_shown_is_kept_safe() -> None:
    rows = table((20, 13, 12), (20, 10, 2))
    mine = tuple(r for r in rows if r.subgroup == "slow")
    others = [r for r in rows if r.subgroup != "slow"]
    origin = Provenance(snapshot="a", study="b", engine="0", post_hoc=False, synthetic=True)
    facts = Facts("t", (("Subgroup", "slow: X < 1; n = 45 (P 20, A 13, B 12); 3 undecided (value missing); POST HOC"),))
    made = masked(Result({}, origin, mine, facts), 5, others)
    assert ("slow", "B") in hidden(made.rows)  # overall B = 14, shown elsewhere, minus 12 would tell 2
    assert made.facts.lines == (("Subgroup", "slow: X < 1; n as in the table; POST HOC"),)


def test_subjects_and_senseless_limits_are_refused() -> None:
    origin = Provenance(snapshot="a", study="b", engine="0", post_hoc=False, synthetic=True)
    one = row("overall", "score", 3, context="subject", level="S1")
    with pytest.raises(UsageError):
        masked(Result({}, origin, (one,), Facts("t")), 5)
    with pytest.raises(UsageError):
        masked(Result({}, origin, (), Facts("t")), 1)


sizes = st.tuples(*(st.integers(0, 30) for _ in ARMS))


@settings(max_examples=150, deadline=None)
@given(slow=sizes, fast=sizes, k=st.integers(2, 11))
def test_no_hidden_count_can_be_worked_out(slow: tuple[int, ...], fast: tuple[int, ...], k: int) -> None:
    """Solve for the hidden counts with everything shown: none is determined, and none below k is shown."""
    made = [r for r in mask_rows(table(slow, fast), k) if r.stat_name == "n"]
    cells = {(r.subgroup, r.arm): r for r in made}
    assert all(is_masked(r) or r.number() >= k for r in made)
    unknown = [c for c, r in cells.items() if is_masked(r)]
    sums = [[((s, None), -1.0), *(((s, a), 1.0) for a in ARMS)] for s in ("overall", "slow", "not slow")]
    sums += [[(("overall", a), -1.0), (("slow", a), 1.0), (("not slow", a), 1.0)] for a in (None, *ARMS)]
    matrix = np.array([[dict(s).get(c, 0.0) for c in unknown] for s in sums]).reshape(len(sums), len(unknown))
    if unknown:
        _, values, right = np.linalg.svd(matrix)
        free = right[int((values > 1e-9).sum()) :]
        assert all(np.abs(free[:, i]).max(initial=0.0) > 1e-9 for i in range(len(unknown)))


def test_none_is_shown_like_any_count_below_the_limit() -> None:
    """A count of 0 that read otherwise than one of 4 would be told by how it reads; 5 stays."""
    rows = [Row("e", "mmrm", "FAS", "overall", "arm", "n", n, arm=arm) for arm, n in (("A", 0), ("B", 4), ("C", 5), ("D", 40))]
    assert [r.stat if r.stat is not None else r.error for r in mask_rows(rows, 5)] == ["masked: <5", "masked: <5", 5, 40]
