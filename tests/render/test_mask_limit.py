"""The limit of a mask: a count of exactly K is shown, one below it is not, wherever a count stands alone or in a check."""

from __future__ import annotations

import pytest

from alsbench.analysis.result import Facts, Provenance, Result, Row
from alsbench.render.mask_counts import small
from alsbench.render.mask_scrutiny import masked_check


@pytest.mark.parametrize(
    ("count", "k", "shown"), [(5, 5, 5), (4, 5, "<5"), (1, 5, "<5"), (0, 5, "<5"), (6, 5, 6), (None, 5, None), (3, 0, 3)]
)
def test_a_count_that_stands_alone(count: int | None, k: int, shown: object) -> None:
    assert small(count, k) == shown


def test_a_count_of_a_check() -> None:
    rows = tuple(Row("e", "mmrm", "FAS", "overall", "arm", "n", n, arm=f"arm {n}") for n in (4, 5, 6))
    result = Result({}, Provenance("s", "s", "e", post_hoc=False, synthetic=True), rows, Facts("t"))
    sizes = [Row("", "mmrm", "FAS", "overall", "subgroup", "n", n, arm=arm) for n, arm in ((40, None), (20, "A"), (20, "B"))]
    found = masked_check("overall", result, 5, sizes, {"overall"})
    assert [r.stat for r in found.rows] == [None, 5, 6]
