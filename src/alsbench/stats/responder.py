"""Responders and time to threshold: who kept or lost at least so much, and when.

A responder meets a threshold of change at a visit; a subject with an event by then is none, and a missing value is none either
(non-responder imputation, the usual conservative rule) or left out. Cutting a score in two costs power (Altman and Royston
2006, doi 10.1136/bmj.332.7549.1080): read it beside the analysis of the score itself. Time to threshold is the first visit
at which the change is at or beyond a threshold of worsening, confirmed at the next visit if asked, an event counting as
reaching it; the result is input for survival methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.proportions import percent
from alsbench.stats.ties import at_least, at_most, merge_together

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Direction = Literal["higher", "lower"]
Missing = Literal["nonresponder", "left out"]


@dataclass(frozen=True)
class Responders:
    """``response`` (n,) is 1, 0, or NaN where left out; ``imputed`` counts missing values taken as no response; ``by_event``
    subjects who are none because of an event."""

    response: Array
    imputed: int
    by_event: int


@dataclass(frozen=True)
class ArmResponse:
    """Responders among ``n`` subjects of one arm."""

    responders: int
    n: int

    @property
    def percent(self) -> float:
        return percent(self.responders, self.n) if self.n else float("nan")


@dataclass(frozen=True)
class TimeToThreshold:
    """``day`` (n,) of reaching the threshold (or an event), or of last observation; ``reached`` (n,) 1 or 0; ``cause`` (n,) is
    ``threshold``, ``event`` or ``censored``. A subject never observed has day NaN."""

    day: Array
    reached: IntArray
    cause: NDArray[np.object_]


def responders(
    change: ArrayLike,
    threshold: float,
    *,
    better: Direction = "higher",
    had_event: ArrayLike | None = None,
    missing: Missing = "nonresponder",
) -> Responders:
    """Who has a ``change`` (n,) at least as good as ``threshold``: >= if higher is better, <= if lower is.

    ``had_event`` (n,) marks subjects with a terminal event by the visit: never responders, whatever was measured.
    """
    value = np.asarray(change, dtype=np.float64)
    event = np.zeros(value.size, dtype=bool) if had_event is None else np.asarray(had_event, dtype=bool)
    if value.ndim != 1 or event.shape != value.shape:
        raise StatsError("changes and events must be of one length")
    met = _at_least(value, threshold, better).astype(np.float64)
    gone = np.isnan(value) & ~event
    met[event] = 0.0
    met[gone] = 0.0 if missing == "nonresponder" else np.nan
    return Responders(met, int(gone.sum()) if missing == "nonresponder" else 0, int(event.sum()))


def response_by_arm(response: ArrayLike, arms: ArrayLike, n_arms: int) -> tuple[ArmResponse, ...]:
    """Responders and subjects of each arm code 0 .. n_arms - 1; NaN is left out of both."""
    value, arm = np.asarray(response, dtype=np.float64), np.asarray(arms, dtype=np.int64)
    known = ~np.isnan(value)
    return tuple(ArmResponse(int(value[known & (arm == a)].sum()), int((known & (arm == a)).sum())) for a in range(n_arms))


def time_to_threshold(
    changes: ArrayLike,
    days: ArrayLike,
    threshold: float,
    *,
    worse: Direction = "lower",
    confirmed: bool = False,
    event_day: ArrayLike | None = None,
) -> TimeToThreshold:
    """First day on which the change is at or beyond ``threshold`` in the direction ``worse``.

    ``changes`` and ``days`` (n, V) are in visit order, NaN where missing; ``event_day`` (n,) is NaN without an event. With
    ``confirmed`` the next observed change must be beyond the threshold too; a last observation beyond it is confirmed only by
    an event after it. Subjects who do not reach it are censored at their last observation.
    """
    c, d = np.asarray(changes, dtype=np.float64), np.asarray(days, dtype=np.float64)
    if c.ndim != 2 or c.shape != d.shape or c.shape[1] == 0:
        raise StatsError("changes and days must be matrices of one shape: subjects by visits")
    n, visits = c.shape
    event = np.full(n, np.nan) if event_day is None else np.asarray(event_day, dtype=np.float64)
    if event.shape != (n,):
        raise StatsError("event days must be one per subject")
    d, event = merge_together(d, event)
    seen = ~np.isnan(c) & ~np.isnan(d)
    seen &= ~(d > event[:, None])  # nothing measured after the event counts
    beyond = seen & _at_least(c, threshold, worse)
    if confirmed:
        next_beyond = np.isfinite(event)
        kept = np.zeros_like(beyond)
        for v in range(visits - 1, -1, -1):
            kept[:, v] = beyond[:, v] & next_beyond
            next_beyond = np.where(seen[:, v], beyond[:, v], next_beyond)
        beyond = kept
    crossed = beyond.any(axis=1)
    first = np.where(crossed, np.take_along_axis(d, beyond.argmax(axis=1)[:, None], axis=1)[:, 0], np.nan)
    last = np.where(seen.any(axis=1), np.max(np.where(seen, d, -np.inf), axis=1), np.nan)
    died = np.isfinite(event) & ~crossed
    day = np.where(crossed, first, np.where(died, event, last))
    cause = np.where(crossed, "threshold", np.where(died, "event", "censored")).astype(object)
    return TimeToThreshold(day, (crossed | died).astype(np.int64), cause)


def _at_least(value: Array, threshold: float, direction: Direction) -> NDArray[np.bool_]:
    """At or beyond the threshold in the direction; False where missing."""
    return at_least(value, threshold) if direction == "higher" else at_most(value, threshold)
