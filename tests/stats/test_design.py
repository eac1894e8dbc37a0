"""Model matrices as R's model.matrix, aliasing as R's lm, reference grids as emmeans: small cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from alsbench.stats.design import Covariate, Factor, aliased_columns, build_design
from alsbench.stats.errors import NotEstimable, StatsError

A = Factor("A", np.array([0, 1, 2, 0, 1, 2, 0, 1]), ("a", "b", "c"))
B = Factor("B", np.array([0, 0, 0, 1, 1, 1, 1, 1]), ("x", "y"))
Z = Covariate("Z", np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 10.0]))


def test_columns_stand_in_the_order_of_r() -> None:
    """model.matrix(~ A*B + Z): intercept, main effects in order, then the interaction with the first factor fastest."""
    design = build_design([A, B, Z], [("A",), ("B",), ("Z",), ("A", "B")])
    assert design.names == ("(Intercept)", "Ab", "Ac", "By", "Z", "Ab:By", "Ac:By")
    assert design.X[4].tolist() == [1, 1, 0, 1, 5, 1, 0]
    assert design.column_terms.tolist() == [0, 1, 1, 2, 3, 4, 4]
    assert not design.aliased.any() and design.n == 8 and design.estimable.shape == (8, 7)


def test_ls_mean_stands_at_the_mean_of_covariates_and_averages_factors() -> None:
    design = build_design([A, B, Z], [("A",), ("B",), ("Z",)])
    mean = Z.values.mean()
    assert design.ls_mean({"A": "b"}).tolist() == [1, 1, 0, 0.5, mean]
    assert design.ls_mean({"A": "b"}, weights="proportional").tolist() == [1, 1, 0, 5 / 8, mean]
    assert design.ls_mean({"A": "c", "B": "x"}, at={"Z": 2.0}).tolist() == [1, 0, 1, 0, 2]


def test_proportional_weights_are_joint_over_the_other_factors() -> None:
    """With three factors the weight of a combination is its share of the rows, not the product of the margins."""
    C = Factor("C", np.array([0, 0, 1, 1, 1, 1, 1, 0]), ("p", "q"))
    design = build_design([A, B, C], [("A",), ("B",), ("C",), ("B", "C")])
    row = design.ls_mean({"A": "a"}, weights="proportional")
    both = np.mean((B.codes == 1) & (C.codes == 1))
    assert row[design.names.index("By:Cq")] == pytest.approx(both)


def test_later_columns_are_aliased_to_earlier_ones() -> None:
    twice = Covariate("TWICE", 2 * Z.values - 3)
    design = build_design([A, Z, twice], [("A",), ("Z",), ("TWICE",)])
    assert design.aliased.tolist() == [False, False, False, False, True]
    X = np.column_stack([np.ones(5), np.arange(5.0), np.zeros(5), np.arange(5.0) * 2, np.arange(5.0) ** 2])
    assert aliased_columns(X).tolist() == [False, False, True, True, False]


def test_nearly_collinear_columns_are_kept_as_r_keeps_them() -> None:
    """R's lm drops a column only when what is left of it is below 1e-7 of its length."""
    x = np.linspace(1, 2, 30)
    wobble = np.sin(np.arange(30.0) * 7)
    for size, dropped in ((1e-4, False), (1e-6, False), (1e-9, True)):
        assert aliased_columns(np.column_stack([np.ones(30), x, x + size * wobble]))[2] == dropped


def test_an_empty_cell_is_not_estimable_but_what_avoids_it_is() -> None:
    keep = ~((A.codes == 2) & (B.codes == 1))
    a, b = Factor("A", A.codes[keep], A.levels), Factor("B", B.codes[keep], B.levels)
    design = build_design([a, b], [("A",), ("B",), ("A", "B")])
    assert design.names[int(np.flatnonzero(design.aliased)[0])] == "Ac:By"
    with pytest.raises(NotEstimable, match=r"A=c B=y.*Ac:By"):
        design.ls_mean({"A": "c", "B": "y"})
    assert design.ls_mean({"A": "c", "B": "x"}).shape == (6,)
    whole = np.eye(6)[[4, 5]]
    part = design.estimable_part(whole)
    assert part.shape == (1, 6) and part[0, 5] == pytest.approx(0.0)
    assert design.estimable_part(np.eye(6)[[0, 1]]).shape == (2, 6)
    assert design.estimable_part(np.zeros((0, 6))).shape == (0, 6)


def test_wrong_input_is_named() -> None:
    with pytest.raises(StatsError, match="differ in length"):
        build_design([A, Covariate("Q", np.ones(3))], [("A",)])
    with pytest.raises(StatsError, match="Z has missing"):
        build_design([Covariate("Z", np.array([1.0, np.nan]))], [("Z",)])
    with pytest.raises(StatsError, match="term A:Q names an unknown variable Q"):
        build_design([A], [("A", "Q")])
    design = build_design([A, Z], [("A",), ("Z",)])
    with pytest.raises(StatsError, match="A has no level 'z'; there are a, b, c"):
        design.ls_mean({"A": "z"})
    with pytest.raises(StatsError, match="no covariate AGE"):
        design.ls_mean({"A": "a"}, at={"AGE": 60.0})
    with pytest.raises(KeyError):
        design.factor("Z")


def test_names_that_repeat_are_refused() -> None:
    """Levels are asked for by name: two of one name would be taken together, and the LS mean be that of neither."""
    twice = Factor("VISIT", np.array([0, 1, 2], dtype=np.int64), ("Week 4", "Unscheduled", "Unscheduled"))
    with pytest.raises(StatsError, match="VISIT has two levels called Unscheduled"):
        build_design([twice], [("VISIT",)])
    x = Covariate("X", np.arange(3.0))
    with pytest.raises(StatsError, match="two variables are called X"):
        build_design([x, x], [("X",)])
