"""What the rule of the bottom line is to reach in trials of known truth, set before any trial was run, and whether it does.

Shares carry exact intervals (Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alsbench.analysis.calibration import HOLDS, IN_THIS, OPEN, TRUTHS, CalibrationTrial
from alsbench.stats.proportions import clopper_pearson


@dataclass(frozen=True)
class Mark:
    """What the rule is to reach in trials of a ``truth``: the share of trials in which ``reached`` is at most, or (``least``)
    at least ``share``; None is reported only."""

    truth: str
    words: str
    reached: Callable[[CalibrationTrial], bool]
    share: float | None = None
    least: bool = False


def _any(level: int) -> Callable[[CalibrationTrial], bool]:
    return lambda trial: trial.level >= level


def _subgroup(level: int, *endpoints: str) -> Callable[[CalibrationTrial], bool]:
    return lambda trial: trial.of_subgroups(endpoints) >= level


CLINICAL = ("cafs", "alsfrs", "alsfrs_ancova", "alsfrs_slope", "svc")
ENDPOINTS = (*CLINICAL, "nfl", "survival")
HOLDS_WORDS, WORTH_WORDS = "holds up, any finding", "worth a trial or more"
PART_WORDS, IN_WORDS = "holds up, a subgroup", "worth a trial in this one"
EVEN: tuple[tuple[str, Callable[[CalibrationTrial], bool], float], ...] = (
    (PART_WORDS, _subgroup(HOLDS), 0.05),
    (IN_WORDS, _subgroup(IN_THIS), 0.10),
)
MARKS: tuple[Mark, ...] = (
    Mark("none", HOLDS_WORDS, _any(HOLDS), 0.05),
    Mark("none", WORTH_WORDS, _any(OPEN), 0.10),
    *(Mark(truth, words, reached, share) for truth in ("even-50", "even-90") for words, reached, share in EVEN),
    *(Mark("ratios", words, reached) for words, reached, _ in EVEN),
    *(Mark(truth, HOLDS_WORDS, _any(HOLDS)) for truth in ("even-50", "even-90", "ratios")),
    Mark("slow-150", HOLDS_WORDS, _any(HOLDS), 0.90, least=True),
    Mark("slow-150", "holds up, a clinical endpoint", _subgroup(HOLDS, *CLINICAL), 0.70, least=True),
    *(Mark("slow-150", f"holds up, {name}", _subgroup(HOLDS, name)) for name in ENDPOINTS),
    Mark("slow", HOLDS_WORDS, _any(HOLDS)),
    Mark("slow", WORTH_WORDS, _any(OPEN)),
    *(Mark("slow", f"holds up, {name}", _subgroup(HOLDS, name)) for name in ENDPOINTS),
)
BEYOND = 0.015  # by how much the interval of a share within its mark may lie beyond it


@dataclass(frozen=True)
class Operating:
    """How often a mark's level was reached: ``count`` of ``of`` trials, with the exact interval of the share (Clopper and
    Pearson), and whether the mark is met: ``yes``, ``no``, ``more trials`` where the interval is too wide to say, or empty."""

    mark: Mark
    count: int
    of: int

    @property
    def share(self) -> float:
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        found = clopper_pearson(self.count, self.of)
        return found.low, found.high

    @property
    def met(self) -> str:
        if self.mark.share is None:
            return ""
        low, high = self.interval
        over = (
            (self.mark.share - self.share, self.mark.share - low)
            if self.mark.least
            else (
                self.share - self.mark.share,
                high - self.mark.share,
            )
        )
        within, sure = over[0] <= 0.0, over[1] <= BEYOND
        if within:
            return "yes" if sure else "more trials"
        return "no"


def operating_characteristics(trials: Mapping[str, Sequence[CalibrationTrial]]) -> list[Operating]:
    """Every mark of the truths that were run, by truth."""
    ran = [(mark, trials[truth]) for truth in TRUTHS if trials.get(truth) for mark in MARKS if mark.truth == truth]
    return [Operating(mark, sum(map(mark.reached, found)), len(found)) for mark, found in ran]
