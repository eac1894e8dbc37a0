"""One finding under scrutiny: an endpoint in a subgroup, and the rows that any check takes from the engine about it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from alsbench.analysis.context import AnalysisContext, MethodResult
from alsbench.analysis.contrast import BY_VISIT, at_horizon, p_text, rows_of, summary_names
from alsbench.analysis.methods import analysed as method_answer
from alsbench.analysis.methods import evidence_endpoints, method_info
from alsbench.analysis.plan import marked, provenance, synthetic_line
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Context, Facts, Result, Row
from alsbench.analysis.scrutiny import catalogue
from alsbench.analysis.scrutiny.catalogue import VERDICT, Check
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import Membership, counts_by_arm, members, subgroup_line
from alsbench.errors import UsageError
from alsbench.study.model import Comparison, Endpoint

ALPHA = 0.05
UNADJUSTED = ", not adjusted for multiplicity or for the choice of the subgroup"
ADJUSTING = frozenset({"selection", "multiplicity"})  # checks whose columns say which p is adjusted, and how


@dataclass(frozen=True)
class Finding:
    """What is scrutinised."""

    source: Source
    subgroup: str
    endpoint: Endpoint
    comparisons: tuple[Comparison, ...]
    population: str
    command: str
    draws: int = catalogue.DRAWS

    def member(self, phrase: str = "") -> Membership:
        """Members of the subgroup, or of another phrase, within the population."""
        return members(self.source, phrase or self.subgroup, self.population)

    def row(
        self,
        name: str,
        value: float | int | str | None,
        comparison: Comparison | None = None,
        *,
        context: Context = "contrast",
        endpoint: Endpoint | None = None,
        **where: Any,
    ) -> Row:
        """A row about the finding; a statistic that is no number is an error."""
        about = endpoint or self.endpoint
        if isinstance(value, float) and not math.isfinite(value):
            value = None
            where.setdefault("error", "not estimable")
        if comparison is not None:
            where = {"treatment": comparison.treatment, "reference": comparison.reference} | where
        where.setdefault("subgroup", self.subgroup)
        return Row(about.name, about.method, self.population, context=context, stat_name=name, stat=value, **where)

    def joint_rank(self) -> Endpoint | None:
        """The endpoint where it is a joint rank, else the study's first one, None without any."""
        if self.endpoint.method == "joint_rank":
            return self.endpoint
        return next((e for e in evidence_endpoints(self.source) if e.method == "joint_rank"), None)


@dataclass(frozen=True)
class CheckAnswer:
    """What a check found: rows, the sentence that sums them up, further lines, and the endpoint where it is another one."""

    rows: list[Row]
    verdict: str
    lines: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    endpoint: Endpoint | None = field(default=None)


def asked(
    source: Source, subgroup: str, *, endpoint: str = "", comparisons: tuple[str, ...] = (), population: str = ""
) -> Finding:
    """The finding that names mean. Raises UsageError for an unknown name or an endpoint without a contrast."""
    known = evidence_endpoints(source)
    if not endpoint and not known:
        raise UsageError("the study has no endpoint with a contrast", where="study.toml endpoints")
    chosen = source.endpoint(endpoint) if endpoint else known[0]
    if method_info(chosen.method).summary is None:
        hint = ", ".join(e.name for e in known)
        raise UsageError(f"endpoint {chosen.name} has no single contrast to scrutinise", hint=f"there are: {hint}")
    words = ["alsbench", "scrutinise", "--subgroup", subgroup]
    words += ["--endpoint", endpoint] if endpoint else []
    words += [w for name in comparisons for w in ("--comparison", name)]
    words += ["--population", population] if population else []
    found = members(source, subgroup or OVERALL, population)
    name = population or source.default_population(chosen)
    return Finding(source, found.phrase, chosen, source.comparisons(comparisons), name, shlex.join(words), catalogue.DRAWS)


def analysed(
    finding: Finding, endpoint: Endpoint, member: Membership, *, source: Source | None = None, at_horizons: bool = False
) -> MethodResult:
    """The endpoint, as given, answered for these members; ``at_horizons``: only where the comparisons are read."""
    question = Question(endpoint.name, subgroups=(member.phrase,), population=finding.population)
    analysis = AnalysisContext(
        source or finding.source, endpoint, question, finding.population, member, finding.comparisons, at_horizon=at_horizons
    )
    return method_answer(analysis)


def contrasts(
    finding: Finding,
    endpoint: Endpoint,
    member: Membership,
    *,
    source: Source | None = None,
    more: tuple[str, ...] = (),
    variable: str | None = None,
    level: str | None = None,
) -> list[Row]:
    """For each comparison n per arm, estimate, interval and p at its horizon, and the statistics ``more``, labelled."""
    block = analysed(finding, endpoint, member, source=source, at_horizons=True)
    counts = counts_by_arm(finding.source, member.mask)
    rows: list[Row] = []
    for comparison in finding.comparisons:
        found = summary_rows(block.rows, endpoint, comparison, more)
        if not found:
            continue
        first = found[0]
        for name, arm in (("n_treatment", comparison.treatment), ("n_reference", comparison.reference)):
            found.append(replace(first, stat_name=name, stat=counts[arm], error=None, warning=None))
        rows += [replace(r, variable=variable, level=level) for r in found]
    return list(dict.fromkeys(rows))  # two comparisons of the same arms may share a visit


def summary_rows(rows: Iterable[Row], endpoint: Endpoint, comparison: Comparison, more: tuple[str, ...] = ()) -> list[Row]:
    """The rows that sum a comparison up, where it is read, and those of the statistics ``more``."""
    names = (*summary_names(endpoint), *more)
    mine = [r for r in rows if r.context == "contrast" and r.level is None and r.stat_name in names]
    return at_horizon(mine, comparison) if endpoint.method in BY_VISIT else rows_of(mine, comparison)


def p_values(rows: Iterable[Row], name: str = "p_value") -> list[float]:
    """The p-values among rows, in order; those that could not be computed left out."""
    return [r.number() for r in rows if r.stat_name == name and r.stat is not None]


def p_words(rows: Iterable[Row], comparison: Comparison, name: str = "p_value") -> str:
    """``p 0.041``, or ``p not estimable``."""
    found = p_values(at_horizon(rows, comparison), name)
    return f"p {p_text(found[0])}" if found else "p not estimable"


def spread_words(rows: Iterable[Row]) -> str:
    """``p from 0.01 to 0.3, 4 of 9 below 0.05``."""
    found = p_values(rows)
    if not found:
        return "p not estimable"
    below = sum(p < ALPHA for p in found)
    return f"p from {p_text(min(found))} to {p_text(max(found))}, {below} of {len(found)} below {ALPHA:g}"


def spreads(finding: Finding, rows: list[Row]) -> str:
    """The spread of p of each comparison at its horizon."""
    return per_comparison(finding, {c.name: spread_words(at_horizon(rows, c)) for c in finding.comparisons})


def per_comparison(finding: Finding, words: dict[str, str]) -> str:
    """A clause for each comparison, by its name."""
    return "; ".join(f"{c.name}: {words[c.name]}" for c in finding.comparisons)


def each_comparison(finding: Finding, one: Callable[[Comparison], tuple[Iterable[Row], str]]) -> tuple[list[Row], str]:
    """What ``one`` makes of every comparison: the rows of all, and a clause for each by its name."""
    made = {c.name: one(c) for c in finding.comparisons}
    rows = [row for mine, _ in made.values() for row in mine]
    return rows, per_comparison(finding, {name: words for name, (_, words) in made.items()})


def no_joint_rank() -> CheckAnswer:
    """The answer where the study ranks nothing."""
    return CheckAnswer([], "not applicable: the study has no joint rank endpoint")


def result_of(check: Check, finding: Finding, answer: CheckAnswer) -> Result:
    """A check's answer as a result, with what it needs to stand alone."""
    source, endpoint = finding.source, answer.endpoint or finding.endpoint
    member = finding.member()
    lines = [(VERDICT, answer.verdict)]
    lines += [
        ("Endpoint", endpoint.title or endpoint.name),
        ("Population", f"{finding.population} ({source.population_words(finding.population)})"),
    ]
    lines += [("Subgroup", subgroup_line(source, member)), *answer.lines]
    lines.append(("p-values", "two-sided" + ("" if check.id in ADJUSTING else UNADJUSTED)))
    lines += synthetic_line(source.study)
    question = {
        "check": check.id,
        "endpoint": endpoint.name,
        "method": "scrutiny",
        "population": finding.population,
        "subgroups": [member.phrase],
        "comparisons": [c.name for c in finding.comparisons],
    }
    origin = provenance(source, [member], f"{finding.command} --check {check.id}", endpoint)
    facts = Facts(f"{check.number}. {check.title}", tuple(lines))
    result = Result(question, origin, tuple(answer.rows), facts, answer.warnings)
    other = "" if finding.population == source.default_population(finding.endpoint) else finding.population
    return marked(result, source, endpoints=[endpoint], comparisons=finding.comparisons, parts=[member], population=other)
