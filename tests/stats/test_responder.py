"""Responders and time to threshold, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from alsbench.stats.errors import StatsError
from alsbench.stats.responder import responders, response_by_arm, time_to_threshold

NA = np.nan


def test_responders_by_hand() -> None:
    """Threshold -3, higher better: -3 and 0 respond, -4 does not, the missing one and the one who died do not."""
    r = responders([-3, 0, -4, NA, 1], -3, had_event=[0, 0, 0, 0, 1])
    assert r.response.tolist() == [1, 1, 0, 0, 0]
    assert (r.imputed, r.by_event) == (1, 1)
    left_out = responders([-3, 0, -4, NA, 1], -3, had_event=[0, 0, 0, 0, 1], missing="left out")
    assert np.array_equal(left_out.response, [1, 1, 0, NA, 0], equal_nan=True)
    assert left_out.imputed == 0


def test_an_event_with_a_missing_value_is_no_response_under_either_rule() -> None:
    assert responders([NA], -3, had_event=[1], missing="left out").response.tolist() == [0]


def test_lower_is_better() -> None:
    assert responders([-0.5, -0.2, 0.1], -0.2, better="lower").response.tolist() == [1, 1, 0]


def test_threshold_is_met_through_binary_subtraction() -> None:
    assert 63.3 - 69.9 < -6.6
    assert responders([63.3 - 69.9], -6.6).response.tolist() == [1]


def test_by_arm() -> None:
    arms = response_by_arm([1, 0, NA, 1, 1], [0, 0, 0, 1, 1], 3)
    assert [(a.responders, a.n) for a in arms] == [(1, 2), (2, 2), (0, 0)]
    assert arms[0].percent == 50.0
    assert np.isnan(arms[2].percent)


DAYS = [[30, 60, 90, 120]] * 6
CHANGES = [
    [-1, -6, -7, -8],  # reaches at 60
    [-1, -6, -2, -8],  # reaches at 60, not confirmed until ... never: day 120 is the last
    [-1, -2, -3, -4],  # never
    [-1, NA, NA, NA],  # dies on 80
    [-6, NA, -7, NA],  # reaches at 30, confirmed at 90
    [NA, NA, NA, NA],  # never seen
]
EVENTS = [NA, NA, NA, 80, NA, NA]


def test_time_to_threshold_by_hand() -> None:
    t = time_to_threshold(CHANGES, DAYS, -6, event_day=EVENTS)
    assert np.array_equal(t.day, [60, 60, 120, 80, 30, NA], equal_nan=True)
    assert t.reached.tolist() == [1, 1, 0, 1, 1, 0]
    assert t.cause.tolist() == ["threshold", "threshold", "censored", "event", "threshold", "censored"]


def test_confirmed_time_to_threshold_by_hand() -> None:
    t = time_to_threshold(CHANGES, DAYS, -6, confirmed=True, event_day=EVENTS)
    assert np.array_equal(t.day, [60, 120, 120, 80, 30, NA], equal_nan=True)
    assert t.reached.tolist() == [1, 0, 0, 1, 1, 0]


def test_an_event_confirms_the_last_observation() -> None:
    once = time_to_threshold([[-1, -6]], [[30, 60]], -6, confirmed=True, event_day=[75])
    assert (once.day.tolist(), once.cause.tolist()) == ([60], ["threshold"])


def test_what_was_measured_after_the_event_does_not_count() -> None:
    t = time_to_threshold([[-1, -9]], [[30, 60]], -6, event_day=[45])
    assert (t.day.tolist(), t.cause.tolist()) == ([45], ["event"])


def test_higher_is_worse() -> None:
    assert time_to_threshold([[0.1, 0.7]], [[30, 60]], 0.5, worse="higher").day.tolist() == [60]


def test_bad_input_is_named() -> None:
    with pytest.raises(StatsError, match="one shape"):
        time_to_threshold([[1, 2]], [[1]], 0)
    with pytest.raises(StatsError, match="one per subject"):
        time_to_threshold([[1, 2]], [[1, 2]], 0, event_day=[1, 2])
    with pytest.raises(StatsError, match="one length"):
        responders([1, 2], 0, had_event=[1])
