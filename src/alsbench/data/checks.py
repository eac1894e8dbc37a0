"""Checks: every rule run on a snapshot. A rule that finds nothing has passed; severity error blocks a load."""

from __future__ import annotations

from alsbench.data.progress import tell
from alsbench.data.receipt import Finding, Severity
from alsbench.data.rules import als, dates, design, records, subjects, values
from alsbench.data.rules.core import REGISTRY, Fault, Rule, Trial
from alsbench.data.safe_text import visible
from alsbench.data.snapshot import Snapshot
from alsbench.study.model import Study

THEMES = (subjects, design, records, values, dates, als)
RULES: dict[str, Rule] = REGISTRY
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


def run_checks(snapshot: Snapshot, study: Study | None = None) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Findings (errors first) and the ids of the rules that passed. Rules about the study run only when there is one."""
    trial = Trial(snapshot, study)
    findings: list[Finding] = []
    passed: list[str] = []
    for done, rule in enumerate(RULES.values()):
        if rule.needs_study and study is None:
            continue
        tell("checks", done)
        faults = list(rule.check(trial))
        findings += [_finding(rule, f) for f in faults]
        if not faults:
            passed.append(rule.id)
    return tuple(sorted(findings, key=lambda f: _ORDER[f.severity])), tuple(passed)


def _finding(rule: Rule, fault: Fault) -> Finding:
    """Names and values in the text come from data: nothing in it may steer a terminal."""
    what, hint, table = visible(fault.what), visible(fault.hint), visible(fault.table)
    return Finding(rule.id, fault.severity or rule.severity, table, what, fault.count, fault.rows, fault.keys, hint)
