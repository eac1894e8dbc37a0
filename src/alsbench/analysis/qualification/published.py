"""Printed tables and hand calculations: intervals for proportions and rates, multiplicity, critical values, CAFS by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from alsbench.analysis.qualification.checks import ReferenceCheck, Tally
from alsbench.analysis.qualification.trials import Case
from alsbench.stats import multiplicity
from alsbench.stats.joint_rank import FollowUp, Rules, score_pairs
from alsbench.stats.max_t import inside_probability
from alsbench.stats.proportions import clopper_pearson, poisson_rate, risk_difference, wilson, zero_events
from alsbench.stats.wins import finkelstein_schoenfeld, win_statistics

_FOUR = 5.1e-5  # half a unit of the fourth decimal, and a little for the paper's own rounding
_THREE = 5.1e-4
# Newcombe 1998a, Table I: count, n, method 5 (Clopper-Pearson), method 3 (Wilson score)
_SINGLE = (
    (81, 263, (0.2527, 0.3676), (0.2553, 0.3662)),
    (15, 148, (0.0578, 0.1617), (0.0624, 0.1605)),
    (0, 20, (0.0, 0.1684), (0.0, 0.1611)),
    (1, 29, (0.0009, 0.1776), (0.0061, 0.1718)),
)
# Newcombe 1998b, Table II, method 10 (hybrid score), examples (a) to (h)
_DIFFERENCES = (
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0)),
    ((10, 10, 0, 10), (0.6075, 1.0)),
)
# Dunnett 1964: m treatments against a control, df, two-sided 5 % point at correlation 1/2
_DUNNETT = ((2, 10.0, 2.57), (3, 20.0, 2.54), (4, 30.0, 2.58), (5, 60.0, 2.58), (9, 20.0, 2.95), (2, math.inf, 2.21))


def published_cases() -> Iterator[Case]:
    """Every published example and hand calculation."""
    yield Case(("proportions",), "published/proportions", _proportions)
    yield Case(("multiplicity",), "published/multiplicity", _multiplicity)
    yield Case(("max-t",), "published/dunnett", _dunnett)
    yield Case(("joint-rank", "gehan-wilcoxon", "wins"), "published/worked check", _worked_check)


def _proportions() -> list[ReferenceCheck]:
    single = Tally("proportions", "published/single proportions", "Newcombe 1998, Stat Med 17:857, Table I")
    for count, n, exact, score in _SINGLE:
        for kind, interval, printed in (
            ("Clopper-Pearson", clopper_pearson(count, n), exact),
            ("Wilson", wilson(count, n), score),
        ):
            single.add("printed", f"{kind} {count}/{n} low", printed[0], interval.low, scale=_FOUR)
            single.add("printed", f"{kind} {count}/{n} high", printed[1], interval.high, scale=_FOUR)
    two = Tally("proportions", "published/risk differences", "Newcombe 1998, Stat Med 17:873, Table II")
    for table, limits in _DIFFERENCES:
        found, where = risk_difference(*table), "{}/{} - {}/{}".format(*table)
        two.add("printed", f"{where} low", limits[0], found.low, scale=_FOUR)
        two.add("printed", f"{where} high", limits[1], found.high, scale=_FOUR)
    rates = Tally("proportions", "published/rates", "Garwood 1936, Biometrika 28:437")
    ten = poisson_rate(10, 50.0)
    rates.add("printed", "10 events low", 4.795, ten.low / 2, scale=_THREE)
    rates.add("printed", "10 events high", 18.390, ten.high / 2, scale=_THREE)
    hand = Tally("proportions", "published/no events", "hand calculation")
    hand.add("closed", "0 of 190 one-sided", 1 - 0.05 ** (1 / 190), zero_events(190).one_sided)
    hand.add("closed", "0 of 190 two-sided", 1 - 0.025 ** (1 / 190), zero_events(190).two_sided)
    return [*single.checks, *two.checks, *rates.checks, *hand.checks]


def _multiplicity() -> list[ReferenceCheck]:
    """p = 0.01, 0.04, 0.03, 0.005 by hand; the Holm graph and the graph of Bretz et al. in gMCP's tests."""
    hand = Tally("multiplicity", "published/four p-values", "hand calculation")
    p = [0.01, 0.04, 0.03, 0.005]
    for name, adjusted, wanted in (
        ("Bonferroni", multiplicity.bonferroni(p), (0.04, 0.16, 0.12, 0.02)),
        ("Holm", multiplicity.holm(p), (0.03, 0.06, 0.06, 0.02)),
        ("Hochberg", multiplicity.hochberg(p), (0.03, 0.04, 0.04, 0.02)),
        ("fixed sequence", multiplicity.fixed_sequence(p), (0.01, 0.04, 0.04, 0.04)),
    ):
        hand.matrix("closed", name, wanted, adjusted)
    graph = Tally("multiplicity", "published/graphs", "R gMCP (unit tests); Bretz et al. 2011, doi 10.1002/bimj.201000239")
    three = multiplicity.graphical([0.02, 0.055, 0.012], multiplicity.holm_graph(3))
    graph.matrix("closed", "Holm graph", (0.04, 0.055, 0.036), three.adjusted)
    six = multiplicity.graphical([0.1, 0.008, 0.005, 0.15, 0.04, 0.006], _bretz_2011(), alpha=0.05)
    graph.matrix("exact", "rejected", (0, 1, 1, 0, 0, 1), np.asarray(six.rejected, dtype=np.float64))
    left = np.zeros((6, 6))
    left[0, [3, 4]], left[3, [0, 4]], left[4, 0] = (2 / 3, 1 / 3), (0.5, 0.5), 1.0
    graph.matrix("closed", "edges left", left, six.final.transitions)
    return [*hand.checks, *graph.checks]


def _bretz_2011() -> multiplicity.Graph:
    t = 1 / 3
    transitions = [
        [0, 0.5, 0, 0.5, 0, 0],
        [t, 0, t, 0, t, 0],
        [0, 0.5, 0, 0, 0, 0.5],
        [0, 1, 0, 0, 0, 0],
        [0.5, 0, 0.5, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
    ]
    return multiplicity.Graph(np.array([t, t, t, 0, 0, 0]), np.array(transitions, dtype=np.float64))


def _dunnett() -> list[ReferenceCheck]:
    """The probability inside the printed critical value is 0.95, up to what its two decimals leave open."""
    tally = Tally("max-t", "published/dunnett", "Dunnett 1964, Biometrics 20:482")
    for m, df, critical in _DUNNETT:
        R = np.full((m, m), 0.5) + 0.5 * np.eye(m)
        low, high = (inside_probability(critical + d, R, df) for d in (-0.006, 0.006))
        inside = inside_probability(critical, R, df)
        where = f"{m} treatments, df {df:g}, {critical}"
        tally.add("printed", where, 0.95, inside, scale=max(high - inside, inside - low))
    return tally.checks


def _worked_check() -> list[ReferenceCheck]:
    """A died on day 100, B on 150, C left at month 3 (day 90), D and E were seen to month 6; treated {C, D}."""
    tally = Tally("joint-rank", "published/worked check", "hand calculation")
    na = math.nan
    follow_up = FollowUp(
        event_day=np.array([100, 150, na, na, na]),
        contact_day=np.array([100, 150, 90, 183, 183.0]),
        changes=np.array([[-2, na], [-6, na], [-4, na], [-3, -9], [-5, -6.0]]),
        visits=np.array([3.0, 6.0]),
    )
    treated = np.array([0, 0, 1, 1, 0])
    rank = score_pairs(follow_up, groups=treated)
    tally.matrix("exact", "U", (-2, -2, 0, 2, 2), rank.scores)
    tally.matrix("exact", "rank", (1.5, 1.5, 3, 4.5, 4.5), rank.ranks)
    always = score_pairs(follow_up, rules=Rules(death_always_loses=True))
    tally.matrix("exact", "U, death always loses", (-4, -2, 2, 2, 2), always.scores)
    tests = Tally("gehan-wilcoxon", "published/worked check", "hand calculation")
    test = finkelstein_schoenfeld(rank.scores, treated == 1)
    tests.add("exact", "W", 2, test.W)
    tests.add("closed", "variance", 4.8, test.variance)
    tests.add("closed", "z", 2 / math.sqrt(4.8), test.z)
    wins = Tally("wins", "published/worked check", "hand calculation")
    found = win_statistics(rank, 1, 0)
    for name, wanted, ours in (("wins", 4, found.wins), ("losses", 2, found.losses), ("ties", 0, found.ties)):
        wins.add("exact", name, wanted, ours)
    wins.add("closed", "win ratio", 2.0, found.win_ratio.estimate)
    wins.add("closed", "win odds", 2.0, found.win_odds.estimate)
    wins.add("closed", "net benefit", 1 / 3, found.net_benefit.estimate)
    return [*tally.checks, *tests.checks, *wins.checks]
