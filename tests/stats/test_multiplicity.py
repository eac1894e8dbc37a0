"""Multiplicity: adjusted p-values by hand, gMCP's published cases, and the procedures that are special cases of a graph."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.stats.errors import StatsError
from alsbench.stats.multiplicity import (
    Graph,
    bonferroni,
    fixed_sequence,
    graphical,
    hochberg,
    holm,
    holm_graph,
)

# Two doses (rows of a pair) and a secondary endpoint each: the level of a primary goes half to the other dose's primary and
# half to the dose's own secondary, a secondary's to the other dose's primary.
TWO_BY_TWO = Graph(
    np.array([0.5, 0.5, 0.0, 0.0]),
    np.array([[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5], [0, 1, 0, 0], [1, 0, 0, 0.0]]),
)


def test_by_hand() -> None:
    """p = 0.01, 0.04, 0.03, 0.005. Bonferroni: x 4. Holm: 4 x .005 = .02; 3 x .01 = .03; 2 x .03 = .06; then max(.04, .06).
    Hochberg: .04; min(.04, 2 x .03) = .04; min(.04, 3 x .01) = .03; min(.03, 4 x .005) = .02."""
    p = [0.01, 0.04, 0.03, 0.005]
    assert bonferroni(p) == pytest.approx([0.04, 0.16, 0.12, 0.02])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert hochberg(p) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert fixed_sequence(p) == pytest.approx([0.01, 0.04, 0.04, 0.04])


def test_holm_in_gmcp() -> None:
    """R gMCP's unit test of adjusted p-values on the Holm graph of three."""
    p = [0.02, 0.055, 0.012]
    assert graphical(p, holm_graph(3)).adjusted == pytest.approx([0.04, 0.055, 0.036])
    assert holm(p) == pytest.approx([0.04, 0.055, 0.036])


def test_bretz_2011_graph_in_gmcp() -> None:
    """The graph of Bretz et al. (2011, doi 10.1002/bimj.201000239) with the p-values of R gMCP's unit test: H21, H31 and H32
    are rejected, and the edges left are H11 -> H12 2/3, H22 1/3; H12 -> H11 1/2, H22 1/2; H22 -> H11 1."""
    third = 1 / 3
    graph = Graph(
        np.array([third, third, third, 0, 0, 0]),
        np.array(
            [
                [0, 0.5, 0, 0.5, 0, 0],
                [third, 0, third, 0, third, 0],
                [0, 0.5, 0, 0, 0, 0.5],
                [0, 1, 0, 0, 0, 0],
                [0.5, 0, 0.5, 0, 0, 0],
                [0, 1, 0, 0, 0, 0],
            ]
        ),
    )
    test = graphical([0.1, 0.008, 0.005, 0.15, 0.04, 0.006], graph, alpha=0.05)
    assert test.rejected.tolist() == [False, True, True, False, False, True]
    left = np.zeros((6, 6))
    left[0, [3, 4]] = 2 / 3, 1 / 3
    left[3, [0, 4]] = 0.5, 0.5
    left[4, 0] = 1
    assert test.final.transitions == pytest.approx(left)
    # by hand: .005 x 3 comes first and leaves H21 with 1/3 + 1/6 = 1/2, so .008 x 2
    assert test.adjusted[2] == pytest.approx(0.015)
    assert test.adjusted[1] == pytest.approx(0.016)


def test_level_is_passed_on_by_hand() -> None:
    """alpha = 0.05. H1 (0.02 <= 0.025) is rejected: 0.0125 to H2 (now 0.0375), 0.0125 to H3. H2 (0.04) stays, H3 (0.01) is
    rejected: its 0.0125 goes to H2 (now 0.05), which falls. H4 then has the whole 0.05 and 0.2 stays. Adjusted: H1
    .02/.5 = .04; H3 max(.04, .01/.25) = .04; H2 max(.04, .04/1) = .04; H4 .2."""
    test = graphical([0.02, 0.04, 0.01, 0.2], TWO_BY_TWO, alpha=0.05)
    assert test.order == (0, 2, 1)
    assert test.adjusted == pytest.approx([0.04, 0.04, 0.04, 0.2])
    assert test.rejected.tolist() == [True, True, True, False]
    assert test.levels == pytest.approx([0.025, 0.05, 0.0125, 0.05])


def test_a_closed_gate() -> None:
    """Neither primary reaches its level: the secondaries keep level 0 however small their p."""
    test = graphical([0.03, 0.04, 0.0001, 0.0001], TWO_BY_TWO, alpha=0.05)
    assert not test.rejected.any()
    assert test.levels == pytest.approx([0.025, 0.025, 0, 0])
    assert test.adjusted == pytest.approx([0.06, 0.06, 0.06, 0.06])


def test_a_hypothesis_no_level_reaches() -> None:
    graph = Graph(np.array([1.0, 0.0]), np.zeros((2, 2)))
    assert graphical([0.001, 0.001], graph).adjusted == pytest.approx([0.001, 1.0])


p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(p_lists)
def test_holm_and_fixed_sequence_are_graphs(p: list[float]) -> None:
    assert graphical(p, holm_graph(len(p))).adjusted == pytest.approx(holm(p), abs=1e-9)
    assert graphical(p, Graph(np.eye(len(p))[0], np.eye(len(p), k=1))).adjusted == pytest.approx(fixed_sequence(p), abs=1e-9)
    assert (hochberg(p) <= holm(p) + 1e-12).all() and (holm(p) <= bonferroni(p) + 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0005, 0.2), min_size=4, max_size=4), st.sampled_from([0.01, 0.025, 0.05, 0.1]))
def test_the_graph_is_the_closed_test_of_its_weighted_bonferroni_tests(p: list[float], alpha: float) -> None:
    """Bretz 2009, section 2: H is rejected iff every intersection that contains it is, each by the Bonferroni test with the
    weights the graph leaves when all others are passed on."""
    local = {}
    for size in range(1, 5):
        for subset in itertools.combinations(range(4), size):
            graph = TWO_BY_TWO
            for j in set(range(4)) - set(subset):
                graph = graph.without(j)
            local[subset] = any(p[j] <= alpha * graph.weights[j] for j in subset if graph.weights[j] > 0)
    closed = [all(hit for subset, hit in local.items() if j in subset) for j in range(4)]
    assert graphical(p, TWO_BY_TWO, alpha=alpha).rejected.tolist() == closed


def test_a_missing_p_keeps_its_place() -> None:
    """Three tests were declared; the one without a p-value still costs."""
    assert bonferroni([0.01, np.nan, 0.02]) == pytest.approx([0.03, np.nan, 0.06], nan_ok=True)
    assert holm([0.01, np.nan, 0.02]) == pytest.approx([0.03, np.nan, 0.04], nan_ok=True)
    assert fixed_sequence([0.01, np.nan, 0.02]) == pytest.approx([0.01, np.nan, 1.0], nan_ok=True)
    test = graphical([0.01, np.nan, 0.001], Graph(np.eye(3)[0], np.eye(3, k=1)))
    assert test.rejected.tolist() == [True, False, False]


def test_none_at_all() -> None:
    assert holm([]).size == hochberg([]).size == bonferroni([]).size == fixed_sequence([]).size == 0


@pytest.mark.parametrize(
    ("weights", "transitions", "says"),
    [
        ([0.6, 0.6], [[0, 1], [1, 0]], "more than 1"),
        ([0.5, 0.5], [[0, 1.5], [1, 0]], "row of transitions"),
        ([0.5, 0.5], [[0.5, 0.5], [1, 0]], "to itself"),
        ([0.5, -0.5], [[0, 1], [1, 0]], "at least 0"),
        ([0.5, 0.5], [[0, 1]], "square"),
    ],
)
def test_a_graph_that_is_none_is_refused(weights: list[float], transitions: list[list[float]], says: str) -> None:
    with pytest.raises(StatsError, match=says):
        Graph(np.array(weights, dtype=float), np.array(transitions, dtype=float))


def test_bad_p_values_are_refused() -> None:
    with pytest.raises(StatsError, match="between 0 and 1"):
        holm([0.5, 1.2])
    with pytest.raises(StatsError, match="hypotheses"):
        graphical([0.1], TWO_BY_TWO)
