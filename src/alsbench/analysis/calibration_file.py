"""Trials of known truth that were run, as they are kept: lines of JSON that belong to one rule."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alsbench.analysis.calibration import DEFINITIONS, TRUTHS, CalibrationTrial, Reached
from alsbench.analysis.judgement import METHODS
from alsbench.errors import DataError
from alsbench.files import write_file


class CalibrationFile:
    """Trials that were run, kept as lines of JSON after one that says by which rule: a run can be broken off at any time and
    goes on where it was."""

    def __init__(self, path: Path | None, draws: int) -> None:
        """Raises DataError for a file that is none of these, or holds another rule's trials."""
        self.path = path
        self.head = {"calibration": 1, "draws": draws, "rule": asdict(METHODS), "definitions": _digest(DEFINITIONS)}
        self.trials: dict[str, dict[int, CalibrationTrial]] = {}
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if not lines or not self._same_rule(lines[0]):
            raise DataError(
                "these trials were put to another rule, or this is no calibration",
                where=str(path),
                hint="name another file: trials of one rule say nothing about another",
            )
        for number, line in enumerate(lines[1:], start=2):
            if not line.endswith("\n"):
                break  # a run was ended while it wrote this trial: it is run again
            try:
                values = json.loads(line)
                truth, digest = values.pop("truth"), values.pop("set")
                found = _trial(values)
            except (ValueError, KeyError, TypeError) as fault:
                raise DataError("this line is no trial", where=f"{path}, line {number}", why=str(fault)) from fault
            if truth in TRUTHS and digest == _digest(*TRUTHS[truth].changed):
                self.trials.setdefault(truth, {})[found.seed] = found

    def _same_rule(self, line: str) -> bool:
        try:
            return bool(json.loads(line) == self.head)
        except ValueError:
            return False

    def missing(self, truth: str, seeds: Iterable[int]) -> list[int]:
        """The seeds that have not been run."""
        done = self.trials.get(truth, {})
        return [seed for seed in seeds if seed not in done]

    def add(self, truth: str, trial: CalibrationTrial) -> None:
        """Keep a trial."""
        self.trials.setdefault(truth, {})[trial.seed] = trial
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(truth, trial))

    def write(self) -> None:
        """Write the file anew, by truth and seed."""
        if self.path is not None:
            found = [_line(truth, trial) for truth, trials in self.ordered().items() for trial in trials]
            write_file(self.path, (f"{json.dumps(self.head)}\n", *found))

    def ordered(self) -> dict[str, list[CalibrationTrial]]:
        """The trials of each truth, in the order of the truths, by seed."""
        return {truth: [t for _, t in sorted(self.trials[truth].items())] for truth in TRUTHS if truth in self.trials}


def _line(truth: str, trial: CalibrationTrial) -> str:
    return json.dumps({"truth": truth, "set": _digest(*TRUTHS[truth].changed), **asdict(trial)}) + "\n"


def _trial(values: Mapping[str, Any]) -> CalibrationTrial:
    reached = {name: Reached(**r) for name, r in values["reached"].items()}
    return CalibrationTrial(**{**values, "reached": reached})


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
