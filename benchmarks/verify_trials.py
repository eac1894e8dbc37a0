"""Both programs on every trial at hand: do they agree, how closely, and what does either cost?

    python benchmarks/verify_trials.py [--only TRIAL]

The sample, both reference trials, the CDISC pilot and the built trial of the tests; every endpoint, overall and in every
subgroup and complement that has subjects; MMRM and slopes by both df methods; and the evidence's interactions and adjusted p
of the plan. Prints a Markdown table by method, which
`make validation` puts into docs/validation.md.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.second.verifying import open_trial  # noqa: E402

from alsbench.analysis.methods import method_info  # noqa: E402
from alsbench.analysis.question import Question  # noqa: E402
from alsbench.analysis.run import answer, apply_overrides  # noqa: E402
from alsbench.analysis.source import Source  # noqa: E402
from alsbench.errors import AlsbenchError  # noqa: E402
from alsbench.service.verify import BothPrograms, SecondProgram, of_evidence  # noqa: E402

TRIALS = ("sample", "als-ref-1", "als-ref-2", "pilot", "built")
DF = ("kenward-roger", "satterthwaite")


@dataclass
class Tally:
    """What was found for one method: the trials, tables, and the CPU seconds of the first and the second program."""

    trials: dict[str, None] = field(default_factory=dict)
    tables: int = 0
    first: float = 0.0
    second: float = 0.0
    found: BothPrograms = field(default_factory=BothPrograms)


def questions(source: Source) -> list[Question]:
    """Every endpoint in every declared subgroup and its complement; a model with df by both methods."""
    phrases = ["overall", *(p for s in source.study.subgroups for p in (s.name, f"not {s.name}"))]
    made = []
    for name, endpoint in source.study.endpoints.items():
        for df in DF if endpoint.method in ("mmrm", "slope") else ("",):
            made += [Question(name, (p,), df=df) for p in phrases]
    return made


def tally(source: Source, trial: str, methods: dict[str, Tally]) -> None:
    """Put every question to both programs."""
    program = SecondProgram(source)
    for question in questions(source):
        endpoint = apply_overrides(source.endpoint(question.endpoint), question)
        own = methods[f"{endpoint.method}{f', {question.df}' if question.df else ''}"]
        begun = time.process_time()
        try:
            result = answer(question, source)
        except AlsbenchError as fault:
            print(f"{trial} {question.endpoint} {question.subgroups[0]}: {fault.what}", file=sys.stderr)
            continue
        then = time.process_time()
        endpoint = endpoint.model_copy(update={"population": result.question["population"]})
        own.found += program.beside(result, endpoint, question.subgroups[0])
        own.first, own.second = own.first + then - begun, own.second + time.process_time() - then
        own.trials[trial], own.tables = None, own.tables + 1
    _of_evidence(source, program, trial, methods["interactions and plan"])
    source.snapshot.close()


def _of_evidence(source: Source, program: SecondProgram, trial: str, own: Tally) -> None:
    """What only the evidence shows, as the study file has the endpoints; the time of both programs is the second's."""
    names = [name for name, endpoint in source.study.endpoints.items() if method_info(endpoint.method).summary is not None]
    begun = time.process_time()
    own.found += of_evidence(program, source, names, ["overall", *(s.name for s in source.study.subgroups)])
    own.second += time.process_time() - begun
    own.trials[trial], own.tables = None, own.tables + len(names) * len(source.study.subgroups)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only this trial")
    given = parser.parse_args()
    methods: dict[str, Tally] = defaultdict(Tally)
    with tempfile.TemporaryDirectory() as name:
        for trial in TRIALS:
            if given.only in trial:
                tally(open_trial(Path(name) / trial, trial), trial, methods)
    _print(methods)
    return 1 if any(own.found.differing for own in methods.values()) else 0


def _print(methods: dict[str, Tally]) -> None:
    print("## Two programs on the same trials\n")
    libraries = ", ".join(f"{n} {version(n)}" for n in ("pandas", "statsmodels", "scipy", "numpy"))
    print(
        f"Python {platform.python_version()}, {libraries}. A deviation is relative to the larger of value and standard error,"
    )
    print("of a p-value or log-likelihood absolute. Not compared: what the second program does not compute.\n")
    heads = ("Method", "Trials", "Tables", "Numbers", "Agree", "Largest deviation", "Not compared", "CPU s first", "second")
    print("| " + " | ".join(heads) + " |\n|" + " :--- |" * 2 + " ---: |" * 7)
    whole = Tally()
    for own in methods.values():
        whole.trials |= own.trials
        whole.tables, whole.first, whole.second = whole.tables + own.tables, whole.first + own.first, whole.second + own.second
        whole.found += own.found
    for name, own in [*methods.items(), ("all", whole)]:
        good = [c.deviation for c in own.found.compared if c.agrees]
        left = sum(u.numbers for u in own.found.uncompared)
        cells = (own.tables, len(own.found.compared), len(good), f"{max(good, default=0):.0e}", left)
        print(f"| {name} | {', '.join(own.trials)} | {' | '.join(map(str, cells))} | {own.first:.1f} | {own.second:.1f} |")
    for own in methods.values():
        for c in own.found.differing[:20]:
            print(
                f"DIFFERS: {c.endpoint} {c.subgroup} {c.row.context} {c.row.stat_name}: {c.first} {c.second}", file=sys.stderr
            )


if __name__ == "__main__":
    sys.exit(main())
