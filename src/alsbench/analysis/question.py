"""A question: endpoint x population x subgroup x comparison x options; hashable and serialisable."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

OVERALL = "overall"


@dataclass(frozen=True)
class Question:
    """What is asked of the data. Equal questions have equal hashes in every process.

    ``subgroups`` are subgroup phrases (``overall``, ``slow``, ``not slow``, ``slow and nfl_low``), each answered by a block
    of rows. ``comparisons`` are comparison names (empty: all of the study's). ``visits`` are visit numbers (empty: the
    endpoint's own); a joint rank takes a visit as its horizon. Empty ``population``, ``method``, ``covariance`` and ``df``
    mean the endpoint's own. ``options`` holds further (name, value) pairs in sorted order.
    """

    endpoint: str
    subgroups: tuple[str, ...] = (OVERALL,)
    comparisons: tuple[str, ...] = ()
    visits: tuple[float, ...] = ()
    population: str = ""
    method: str = ""
    covariance: str = ""
    df: str = ""
    subjects: bool = False
    options: tuple[tuple[str, str], ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, keys in field order."""
        values = asdict(self)
        values["options"] = dict(self.options)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Question:
        """The inverse of :meth:`as_dict`."""
        known = dict(values)
        for key in ("subgroups", "comparisons", "visits"):
            known[key] = tuple(known.get(key, ()))
        known["options"] = tuple(sorted(known.get("options", {}).items()))
        return cls(**known)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON form."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def for_subgroup(self, phrase: str) -> Question:
        """The same question asked of one subgroup phrase only."""
        return replace(self, subgroups=(phrase,))


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
