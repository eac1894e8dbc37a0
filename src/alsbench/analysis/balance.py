"""Whether the arms of a subgroup are alike at baseline: standardised mean differences in it and in its complement.

The variables are those of the study's own baseline endpoint, whose command prints the same numbers; without one the usual
(:mod:`alsbench.analysis.endpoints.baseline`). Nothing is tested: randomisation makes any difference chance, and what matters
is its size.
"""

from __future__ import annotations

from alsbench.analysis.ask import Ask
from alsbench.analysis.command import endpoint_command
from alsbench.analysis.endpoints import baseline
from alsbench.analysis.plan import provenance
from alsbench.analysis.question import Question
from alsbench.analysis.result import Facts, Result, Row
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members, subgroup_line, subgroup_rows
from alsbench.study.model import Endpoint

SPARE = Endpoint(name="balance", method="baseline")


def balance(source: Source, name: str) -> Result:
    """Counts per arm and baseline balance of a subgroup and its complement. Raises AlsbenchError where it cannot be
    evaluated."""
    own = next((e for e in source.study.endpoints.values() if e.method == "baseline"), None)
    endpoint = own or SPARE
    population = endpoint.population or source.study.populations.default
    phrases = (name, f"not {name}")
    question = Question(endpoint.name, phrases)
    parts = [members(source, phrase, population) for phrase in phrases]
    rows: list[Row] = []
    for part in parts:
        ask = Ask(source, endpoint, question, population, part, source.comparisons())
        rows += [*subgroup_rows(ask), *baseline.analyse(ask).rows]
    command = endpoint_command(question) if own else f"alsbench subgroup show {name}"
    lines = [("Population", f"{population} ({source.population_words(population)})")]
    lines += [("Subgroup", subgroup_line(source, part)) for part in parts]
    return Result(
        question=question.as_dict() | {"method": endpoint.method, "population": population},
        provenance=provenance(source, parts, command, endpoint),
        rows=tuple(rows),
        facts=Facts(title=f"Baseline balance in {name} and its complement", lines=tuple(lines)),
    )
