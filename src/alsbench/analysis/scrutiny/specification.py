"""The same finding under every defensible definition of the joint rank (specification curve).

All combinations of: whether an event always loses; function compared at the last common visit, or at the horizon with
missing values carried forward (LOCF) or ranked worst; absolute or percent change; ranking the two arms or all; ranks
within strata where the endpoint has strata. Simonsohn, Simmons and Nelson 2020, doi 10.1038/s41562-020-0912-z.
"""

from __future__ import annotations

from itertools import product

from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.run import apply_overrides
from alsbench.analysis.scrutiny.finding import Answer, Finding, contrasts, no_joint_rank, spreads
from alsbench.study.model import Endpoint

Choice = tuple[str, tuple[tuple[str, str], ...]]
EVENTS: tuple[Choice, ...] = (
    ("later event", (("death_always_loses", "false"),)),
    ("event loses", (("death_always_loses", "true"),)),
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


def specification(finding: Finding) -> Answer:
    """Check 13: estimate, interval, ANCOVA p and Gehan-Wilcoxon p under each combination of options."""
    endpoint = finding.joint_rank()
    if endpoint is None:
        return no_joint_rank()
    member = finding.member()
    rows: list[Row] = []
    for name, options in specifications(endpoint):
        changed = apply_overrides(endpoint, Question(endpoint.name, options=options))
        rows += contrasts(finding, changed, member, more=("gehan_p",), variable="specification", level=name)
    return Answer(rows, spreads(finding, rows), endpoint=endpoint)


def specifications(endpoint: Endpoint) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every combination: its name, and the options that ask for it."""
    parts = (EVENTS, FUNCTION, CHANGE, ARMS, *((STRATA,) if endpoint.strata else ()))
    made = []
    for chosen in product(*parts):
        made.append((", ".join(name for name, _ in chosen), tuple(sorted(o for _, options in chosen for o in options))))
    return made
