"""The same finding looked at in other ways that the protocol might have chosen.

The effect at every visit, not only at those that were picked: all are shown, the horizon among them.

What drives a joint rank: how many pairs an event decided, how many the function, how many are tied, and who won them.

The test of the protocol beside its nearest relatives: without covariates, and without a model.

The same finding under every defensible definition of the joint rank (specification curve).

All combinations of: whether an event always loses; whether two events on one day tie or function decides, where there are such
days; function compared at the last common visit, or at the horizon with missing values carried forward (LOCF) or ranked worst;
absolute or percent change; ranking the two arms or all; ranks within strata where the endpoint has strata. Simonsohn, Simmons
and Nelson 2020, doi 10.1038/s41562-020-0912-z.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from alsbench.analysis.contrast import BY_VISIT, at_horizon, p_text, rows_of, summary_names
from alsbench.analysis.follow_up import event_days
from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.run import answer, apply_overrides
from alsbench.analysis.scrutiny.finding import (
    CheckAnswer,
    Finding,
    analysed,
    contrasts,
    no_joint_rank,
    per_comparison,
    spread_words,
    spreads,
)
from alsbench.analysis.scrutiny.outcomes import searched_visits
from alsbench.stats.rounding import percent_text
from alsbench.study.model import Comparison, Endpoint


def visits(finding: Finding) -> CheckAnswer:
    """Check 10: estimate, interval and p at each analysed visit; a joint rank is made at each visit as its horizon."""
    endpoint = finding.endpoint
    if endpoint.method not in BY_VISIT:
        return CheckAnswer([], f"not applicable: {endpoint.method.replace('_', ' ')} has no visits")
    asked = searched_visits(finding.source, endpoint) if endpoint.method == "joint_rank" else ()
    question = Question(
        endpoint.name,
        subgroups=(finding.subgroup,),
        comparisons=tuple(c.name for c in finding.comparisons),
        visits=tuple(v for v in asked if v is not None),
        population=finding.population,
    )
    names = summary_names(endpoint)
    found = answer(question, finding.source).select(context="contrast", stat_name=names, level=None)
    rows: list[Row] = [_marked(finding, r) for r in found if r.visit_number is not None]
    words = {c.name: spread_words(rows_of(rows, c)) for c in finding.comparisons}
    return CheckAnswer(rows, per_comparison(finding, words))


def _marked(finding: Finding, row: Row) -> Row:
    pair = (row.treatment, row.reference)
    here = any((c.treatment, c.reference) == pair and c.horizon == row.visit_number for c in finding.comparisons)
    return replace(row, warning=row.warning or "the comparison's horizon") if here else row


SHOWN = ("wins", "losses", "ties", "win_probability", "win_probability_low", "win_probability_high", "pairs")


def components(finding: Finding) -> CheckAnswer:
    """Check 12: wins, losses and ties of the treated, pairs by what decided them, and events per arm."""
    endpoint = finding.joint_rank()
    if endpoint is None:
        return no_joint_rank()
    made = analysed(finding, endpoint, finding.member()).rows
    rows = [r for r in made if r.context == "contrast" and r.stat_name in SHOWN]
    rows += [r for r in made if r.context == "arm" and r.stat_name == "events"]
    return CheckAnswer(rows, per_comparison(finding, {c.name: _words(rows, c) for c in finding.comparisons}), endpoint=endpoint)


def _words(rows: list[Row], comparison: Comparison) -> str:
    pairs = [r for r in at_horizon(rows, comparison) if r.stat_name == "pairs" and isinstance(r.stat, int)]
    found = {str(r.level): int(r.number()) for r in pairs}
    total = sum(found.values())
    if not total:
        return "not estimable"
    return ", ".join(f"{percent_text(n, total)} % {name}" for name, n in found.items())


def alternatives(finding: Finding) -> CheckAnswer:
    """Check 14: adjusted and unadjusted; for a joint rank also Gehan-Wilcoxon, within strata and not."""
    member, endpoint = finding.member(), finding.endpoint
    bare = endpoint.model_copy(update={"covariates": (), "factors": (), "at": {}})
    variants: list[tuple[str, Endpoint]] = [("adjusted", endpoint), ("unadjusted", bare)]
    rows: list[Row] = []
    for name, variant in variants:
        rows += contrasts(finding, variant, member, variable="model", level=name)
    if endpoint.method == "joint_rank":
        plain = endpoint.model_copy(update={"strata": (), "rank_within_strata": False})
        tests = [("Gehan-Wilcoxon, stratified", endpoint)] if endpoint.strata else []
        for name, variant in (*tests, ("Gehan-Wilcoxon, unstratified", plain)):
            found = contrasts(finding, variant, member, more=("gehan_p",), variable="model", level=name)
            kept = [r for r in found if r.stat_name in {"gehan_p", "n_treatment", "n_reference"}]
            rows += [replace(r, stat_name="p_value") if r.stat_name == "gehan_p" else r for r in kept]
    return CheckAnswer(rows, per_comparison(finding, {c.name: _alternative_words(rows, c) for c in finding.comparisons}))


def _alternative_words(rows: list[Row], comparison: Comparison) -> str:
    mine = [r for r in at_horizon(rows, comparison) if r.stat_name == "p_value"]
    return ", ".join(f"{r.level} p {'not estimable' if r.stat is None else p_text(r.number())}" for r in mine)


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
