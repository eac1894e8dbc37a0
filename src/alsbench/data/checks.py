"""Checks: every rule run on a snapshot. A rule that finds nothing has passed, one that compares dates and has none (or not all
of those that should be dates) is not applicable; severity error blocks a load."""

from __future__ import annotations

from dataclasses import dataclass

from alsbench.data.progress import report_progress
from alsbench.data.receipt import RuleFinding, Severity
from alsbench.data.rules import als, dates, endpoints, records, subjects, values
from alsbench.data.rules.core import REGISTRY, Rule, RuleData, Violation
from alsbench.data.sanitize import visible
from alsbench.data.snapshot import Snapshot
from alsbench.study.model import Study

THEMES = (subjects, endpoints, records, values, dates, als)
RULES: dict[str, Rule] = REGISTRY
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class CheckReport:
    """Findings (errors first), the ids of the rules that passed, and those not applicable, each with the reason."""

    findings: tuple[RuleFinding, ...]
    passed: tuple[str, ...]
    not_applicable: tuple[str, ...]


def run_checks(snapshot: Snapshot, study: Study | None = None) -> CheckReport:
    """Run the rules; those about the study only when there is one."""
    findings: list[RuleFinding] = []
    passed: list[str] = []
    unfit: list[str] = []
    trial = RuleData(snapshot, study)
    for done, rule in enumerate(RULES.values()):
        if rule.needs_study and study is None:
            continue
        report_progress("checks", done)
        trial.dates_asked.clear()
        faults = list(rule.check(trial))
        findings += [_finding(rule, f) for f in faults]
        if reason := trial.dates_asked.reason:
            unfit.append(f"{rule.id}: {visible(reason)}")
        elif not faults:
            passed.append(rule.id)
    return CheckReport(tuple(sorted(findings, key=lambda f: _ORDER[f.severity])), tuple(passed), tuple(unfit))


def _finding(rule: Rule, fault: Violation) -> RuleFinding:
    """Names and values in the text come from data: nothing in it may steer a terminal."""
    what, hint, table = visible(fault.what), visible(fault.hint), visible(fault.table)
    return RuleFinding(rule.id, fault.severity or rule.severity, table, what, fault.count, fault.rows, fault.keys, hint)
