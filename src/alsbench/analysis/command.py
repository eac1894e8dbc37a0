"""The shell command that repeats a question: what ``c`` shows and what every result carries."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from alsbench.analysis.question import OVERALL, Question


def endpoint_command(question: Question) -> str:
    """``alsbench endpoint NAME ...`` with only the options that differ from the defaults, quoted for a POSIX shell."""
    words = ["alsbench", "endpoint", question.endpoint]
    if question.subgroups != (OVERALL,):
        words += _repeat("--subgroup", question.subgroups)
    words += _repeat("--comparison", question.comparisons)
    words += _repeat("--visit", [f"{v:g}" for v in question.visits])
    for option in ("population", "method", "covariance", "df"):
        if value := getattr(question, option):
            words += [f"--{option}", value]
    if question.subjects:
        words.append("--subjects")
    for name, value in question.options:
        words += ["--option", f"{name}={value}"]
    return shlex.join(words)


def evidence_command(subgroups: Sequence[str], comparisons: Sequence[str] = ()) -> str:
    """``alsbench evidence ...`` for these subgroups."""
    words = ["alsbench", "evidence", *_repeat("--subgroup", subgroups), *_repeat("--comparison", comparisons)]
    return shlex.join(words)


def _repeat(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
