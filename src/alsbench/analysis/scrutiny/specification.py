"""The same finding under every defensible definition of the joint rank (specification curve).

All combinations of: whether an event always loses; whether two events on one day tie or function decides, where there are such
days; function compared at the last common visit, or at the horizon with missing values carried forward (LOCF) or ranked worst;
absolute or percent change; ranking the two arms or all; ranks within strata where the endpoint has strata. Simonsohn, Simmons
and Nelson 2020, doi 10.1038/s41562-020-0912-z.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from alsbench.analysis.follow_up import event_days
from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.run import apply_overrides
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, contrasts, no_joint_rank, spreads
from alsbench.study.model import Endpoint

Choice = tuple[str, tuple[tuple[str, str], ...]]
EVENTS: tuple[Choice, ...] = (
    ("later event", (("death_always_loses", "false"),)),
    ("event loses", (("death_always_loses", "true"),)),
)
SAME_DAY: tuple[Choice, ...] = (
    ("same day tied", (("event_ties", "tie"),)),
    ("same day by function", (("event_ties", "function"),)),
)
FUNCTION: tuple[Choice, ...] = (
    ("last visit", (("function_at", "last_common"), ("missing", "none"))),
    ("LOCF", (("function_at", "horizon"), ("missing", "locf"))),
    ("worst rank", (("function_at", "horizon"), ("missing", "worst"))),
)
CHANGE: tuple[Choice, ...] = (("change", (("change", "absolute"),)), ("percent", (("change", "percent"),)))
ARMS: tuple[Choice, ...] = (("two arms", (("arms", "comparison"),)), ("all arms", (("arms", "all"),)))
STRATA: tuple[Choice, ...] = (
    ("unstratified", (("rank_within_strata", "false"),)),
    ("in strata", (("rank_within_strata", "true"),)),
)


def specification(finding: Finding) -> CheckAnswer:
    """Check 13: estimate, interval, ANCOVA p and Gehan-Wilcoxon p under each combination of options."""
    endpoint = finding.joint_rank()
    if endpoint is None:
        return no_joint_rank()
    member = finding.member()
    rows: list[Row] = []
    for name, options in specifications(endpoint, same_day=_same_day(finding, endpoint)):
        changed = apply_overrides(endpoint, Question(endpoint.name, options=options))
        rows += contrasts(finding, changed, member, more=("gehan_p",), variable="specification", level=name)
    return CheckAnswer(rows, spreads(finding, rows), endpoint=endpoint)


def _same_day(finding: Finding, endpoint: Endpoint) -> bool:
    """Whether any two subjects of the finding have their events on one day."""
    days = event_days(finding.source, endpoint, np.flatnonzero(finding.member().mask).astype(np.int64))
    days = days[np.isfinite(days)]
    return bool(np.unique(days).size < days.size)


def specifications(endpoint: Endpoint, *, same_day: bool = False) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every combination: its name, and the options that ask for it; ``same_day``: there are events on one day."""
    parts = (EVENTS, *((SAME_DAY,) if same_day else ()), FUNCTION, CHANGE, ARMS, *((STRATA,) if endpoint.strata else ()))
    made = []
    for chosen in product(*parts):
        made.append((", ".join(name for name, _ in chosen), tuple(sorted(o for _, options in chosen for o in options))))
    return made
