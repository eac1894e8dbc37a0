"""A question becomes a result: overrides applied, each subgroup answered by the endpoint's method, facts gathered.

Pure: the same study, snapshot and question give the same result, whatever the clock says. Requests that cannot be meant
(an unknown name, a parameter that is not there) raise; what cannot be computed in one subgroup is a row with an error.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from alsbench.analysis.context import AnalysisContext, MethodResult
from alsbench.analysis.gates import plan_lines
from alsbench.analysis.methods import analysed, method_info
from alsbench.analysis.plan import marked, provenance, synthetic_line
from alsbench.analysis.question import Question, endpoint_command
from alsbench.analysis.result import Facts, Result, Row, merge_warnings
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import Membership, members, subgroup_line, subgroup_rows
from alsbench.errors import UsageError
from alsbench.stats.threads import one_blas_thread
from alsbench.study.checks import option_faults, unread_faults
from alsbench.study.model import Covariance, DfMethod, Endpoint, Method
from alsbench.study.names import nearest
from alsbench.study.toml_text import toml_value
from alsbench.study.validation_errors import explain

if TYPE_CHECKING:
    from alsbench.analysis.question import Question
    from alsbench.analysis.source import Source
    from alsbench.stats.survival import SurvivalCurve


# keys that say what an endpoint is, or have a flag of their own; every other one can be asked otherwise by --option
FIXED = frozenset({"name", "title", "dataset", "paramcd", "better", "level", "function", "event", "tolerance"})
FLAGGED = frozenset({"method", "population", "covariance", "df"})
OPTIONS = tuple(name for name in Endpoint.model_fields if name not in FIXED | FLAGGED)


# what a question asks by a flag of its own, under every name that it may be looked for
FLAGS = {name: f"--{name}" for name in (*sorted(FLAGGED), "visit", "comparison", "subgroup", "subjects")}
FLAGS |= {"horizon": "--visit", "comparisons": "--comparison", "subgroups": "--subgroup"}


def answer(question: Question, source: Source) -> Result:
    """Answer a question. Raises UsageError for an unknown name, DataError where the snapshot does not hold what is asked."""
    endpoint = apply_overrides(source.endpoint(question.endpoint), question)
    population = question.population or source.default_population(endpoint)
    comparisons = source.comparisons(question.comparisons)
    rows: list[Row] = []
    blocks: list[MethodResult] = []
    parts: list[Membership] = []
    for phrase in dict.fromkeys(question.subgroups):
        member = members(source, phrase, population)
        analysis = AnalysisContext(source, endpoint, question, population, member, comparisons)
        rows += subgroup_rows(analysis)
        found = analysed(analysis)
        for each in (found, *_beside(analysis, found)):
            rows += each.rows
            blocks.append(each)
        parts.append(member)
    planned = []
    if method_info(endpoint.method).summary is not None:  # its p-values stand in this table as in any other
        planned = plan_lines(source, question.population, endpoint=endpoint.name)
    result = Result(
        question=question.as_dict() | {"method": endpoint.method, "population": population},
        provenance=provenance(source, parts, endpoint_command(question), endpoint),
        rows=tuple(rows),
        facts=_facts(source, endpoint, population, parts, blocks, planned),
        warnings=merge_warnings(block.warnings for block in blocks),
    )
    return marked(
        result,
        source,
        endpoints=[endpoint],
        comparisons=comparisons,
        parts=parts,
        question=question,
        planned_population=source.default_population(endpoint),
    )


def _beside(analysis: AnalysisContext, found: MethodResult) -> list[MethodResult]:
    """What stands beside an endpoint's main analysis ``found``: further rows of its fit, and, where the endpoint asks for it,
    missing values imputed."""
    blocks: list[MethodResult] = []
    with one_blas_thread():
        if found.later is not None:
            blocks.append(MethodResult(found.later()))
        if analysis.endpoint.method == "mmrm" and analysis.endpoint.imputation != "none":
            from alsbench.analysis.endpoints.imputed import sensitivity  # waits: scipy

            blocks.append(sensitivity(analysis))
    return blocks


def apply_overrides(endpoint: Endpoint, question: Question) -> Endpoint:
    """The endpoint with the question's method, covariance, df and options. Raises UsageError for a value not allowed."""
    changes: dict[str, str] = {k: v for k in ("method", "covariance", "df") if (v := getattr(question, k))}
    for name, allowed in (("method", Method), ("covariance", Covariance), ("df", DfMethod)):
        if name in changes and changes[name] not in get_args(allowed):
            raise UsageError(f"{changes[name]} is no {name}", where=f"--{name}", hint=nearest(changes[name], get_args(allowed)))
    changed = endpoint.model_copy(update=changes)
    for name, text in question.options:
        changed = with_option(changed, name, text)
    if changed.method == "joint_rank" and (not changed.function or changed.event is None):
        raise UsageError(
            f"endpoint {endpoint.name} cannot be answered by joint_rank",
            why="a joint rank needs the keys function and event in study.toml",
        )
    if changed.method not in {"joint_rank", "baseline"} and not changed.dataset:
        raise UsageError(
            f"endpoint {endpoint.name} cannot be answered by {changed.method}",
            why="it names no dataset in study.toml",
        )
    path, options = ("endpoints", endpoint.name), [name for name, _ in question.options]
    for fault in (*option_faults(path, changed), *unread_faults(path, changed, options)):
        raise UsageError(fault.what, where=f"--option {fault.path[-1]}", hint=fault.hint)
    return changed


def with_option(endpoint: Endpoint, name: str, text: str) -> Endpoint:
    """The endpoint with one key of its table in study.toml set from text (a TOML value; bare words are strings)."""
    if name not in OPTIONS:
        raise UsageError(f"no option is named {name}", where="--option", hint=_instead(name, text))
    changed = {**endpoint.model_dump(), name: toml_value(text)}
    try:
        return Endpoint.model_validate(changed)
    except ValidationError as error:
        first = explain(error, changed, Endpoint)[0]
        raise UsageError(f"{text} is no value of {name}: {first.what}", where="--option", hint=first.hint) from error


def _instead(name: str, text: str) -> str:
    """What to write for a name that is no option: the flag of its own, the key of study.toml, or the nearest option."""
    key = name.strip().lower().lstrip("-")
    if key in FLAGS:
        return f"it has a flag of its own: {FLAGS[key]} {shlex.quote(text) if text else '...'}"
    if key in Endpoint.model_fields and key not in OPTIONS:
        return f"{key} is a key of the endpoint in study.toml: change it there"
    return nearest(name, OPTIONS)


def _facts(
    source: Source,
    endpoint: Endpoint,
    population: str,
    parts: list[Membership],
    blocks: list[MethodResult],
    planned: list[tuple[str, str]],
) -> Facts:
    n = int(source.population(population).sum())
    lines: list[tuple[str, str]] = [("Population", f"{population} ({source.population_words(population)}), N = {n}")]
    for member in parts:
        lines.append(("Subgroup", subgroup_line(source, member, actual=endpoint.method == "incidence")))
    for block in blocks:
        lines += [line for line in block.model if line not in lines]
    lines.append(("Intervals", "95%, two-sided"))
    lines += planned
    lines += synthetic_line(source.study)
    named, method = endpoint.title or endpoint.name, method_info(endpoint.method).title
    title = named if named.casefold() == method.casefold() else f"{named}: {method}"
    attempts = tuple(dict.fromkeys(a for block in blocks for a in block.attempts))
    footnotes = tuple(dict.fromkeys(f for block in blocks for f in block.footnotes))
    return Facts(title=title, lines=tuple(lines), attempts=attempts, footnotes=footnotes)


def curves_of(question: Question, source: Source) -> dict[str, dict[str, SurvivalCurve]]:
    """The curve of every arm that has subjects, by subgroup phrase and arm, with the overrides of the question.

    Raises AlsbenchError as its answer would, UsageError where the endpoint is no time to event."""
    from alsbench.analysis.endpoints.time_to_event import curves  # waits: scipy

    endpoint = apply_overrides(source.endpoint(question.endpoint), question)
    if endpoint.method != "time_to_event":
        raise UsageError(f"endpoint {endpoint.name} is no time to event: it has no survival curve")
    population = question.population or source.default_population(endpoint)
    comparisons = source.comparisons(question.comparisons)
    found = {}
    for phrase in dict.fromkeys(question.subgroups):
        analysis = AnalysisContext(source, endpoint, question, population, members(source, phrase, population), comparisons)
        found[phrase] = curves(analysis)
    return found
