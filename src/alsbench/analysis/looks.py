"""What a result lets its reader test, and which question it answers, for the ledger of looks.

A question is of one endpoint, population, subgroup, comparison and set of options: a table that answers many counts as
many, and a question counts once, whichever table answered it. Two questions are one where their answers must be the same:
subgroups by their expressions (a named complement is the complement), comparisons by their arms and horizons, options that
repeat what the study file says. An endpoint that was edited since is another question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pydantic import ValidationError

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.source import Source
from alsbench.audit.log import LOOK_ACTIONS, entries
from alsbench.audit.workspace_identity import LOG_NAME
from alsbench.errors import AlsbenchError
from alsbench.study.model import Comparison, Endpoint, Study
from alsbench.study.phrase import is_post_hoc, parse_phrase, subgroup_names

Model = TypeVar("Model", Endpoint, Comparison)
P_VALUES = frozenset({"p_value", "log_rank_p", "gehan_p", "permutation_p", "interaction_p"})
RESOLVED = ("method", "covariance", "df", "options")


def contrasts_shown(result: Result) -> list[str]:
    """``alsfrs [mmrm] slow: Group 2 vs Placebo, Month 12`` for every contrast with a p-value, in order, each once."""
    found: dict[str, None] = {}
    for row in result.rows:
        if row.stat_name in P_VALUES and row.stat is not None and row.treatment is not None:
            visit = row.visit or (None if row.visit_number is None else f"{row.visit_number:g}")
            parts = [visit, row.variable, "interaction" if row.stat_name == "interaction_p" else None]
            about = ", ".join([f"{row.treatment} vs {row.reference}", *(p for p in parts if p)])
            found[f"{row.endpoint} [{row.method}] {row.subgroup}: {about}"] = None
    return list(found)


def look_facts(result: Result, study: Study) -> dict[str, object]:
    """What the audit log keeps of a look: the question and where it came from, its contrasts, never their outcome, and the
    marks they bore."""
    origin = result.provenance
    return {
        "question": question_digest(result.question, study),
        "questions": questions_shown(result, study),
        "asked": origin.command,
        "post_hoc": origin.post_hoc,
        "snapshot": origin.snapshot,
        "study": origin.study,
        "blinded": origin.blinded,
        "deviations": len(origin.deviations),
        "contrasts": contrasts_shown(result),
        **places_looked_at(result, study),
    }


def places_looked_at(result: Result, study: Study) -> dict[str, object]:
    """Where a result looked, so that it can be searched again when the study file says otherwise: ``definitions``
    (expressions of subgroups, by name), ``endpoints`` (their keys, as analysed) and ``comparisons`` (treatment, reference,
    horizon)."""
    phrases = {*result.question.get("subgroups", ()), *(row.subgroup for row in result.rows)}
    where = {s.name: s.where for s in study.subgroups}
    names = {word.removeprefix("not ") for phrase in phrases for word in phrase.split(" and ")}
    pairs = {(row.treatment, row.reference) for row in result.rows}
    asked = dict.fromkeys([str(result.question.get("endpoint", "")), *(row.endpoint for row in result.rows)])
    endpoints = [e for name in asked if (e := study.endpoints.get(name)) is not None]
    if "options" in result.question and endpoints:
        endpoints = [_as_analysed(endpoints[0], result.question), *endpoints[1:]]
    return {
        "definitions": {name: where[name] for name in sorted(names) if name in where},
        "endpoints": [e.model_dump(mode="json", exclude_defaults=True, exclude={"title"}) for e in endpoints],
        "comparisons": [
            [c.treatment, c.reference, c.horizon] for c in study.comparisons if (c.treatment, c.reference) in pairs
        ],
    }


def _as_analysed(endpoint: Endpoint, question: Mapping[str, Any]) -> Endpoint:
    from alsbench.analysis.run import apply_overrides  # waits: numpy

    asked = {f.name: question[f.name] for f in fields(Question) if f.name in question}
    return apply_overrides(endpoint, Question.from_dict(asked))


def questions_shown(result: Result, study: Study) -> dict[str, dict[str, object]]:
    """Every question a result answers, by the start of its digest: in words (``what``), and whether it is post hoc.

    A check of scrutiny is one question, whatever it computes on its way.
    """
    asked, found = result.question, dict[str, dict[str, object]]()
    departs = any(name == "POST HOC" for name, _ in result.facts.lines)
    if "check" in asked:
        what = f"{asked['endpoint']} {', '.join(asked['subgroups'])}: check {asked['check']}"
        return {_short(asked, study): {"what": what, "post_hoc": result.provenance.post_hoc}}
    where = dict.fromkeys((r.endpoint, r.method, r.population, r.subgroup, r.treatment, r.reference) for r in result.rows)
    compared = {key[:4] for key in where if key[4] is not None}
    for endpoint, method, population, subgroup, treatment, reference in where:
        if treatment is None and (endpoint, method, population, subgroup) in compared:
            continue
        whole = asked if "options" in asked else Question(endpoint).as_dict() | {"comparisons": asked.get("comparisons", [])}
        one = {**whole, "endpoint": endpoint, "method": method, "population": population, "subgroups": [subgroup]}
        post_hoc = result.provenance.post_hoc and (departs or is_post_hoc(study, subgroup, locked=True))
        for comparison in _compared(treatment, reference, whole["comparisons"], study):
            if comparison:
                one["comparisons"] = [comparison]
            what = f"{endpoint} [{method}] {subgroup}{_pair(treatment, reference, comparison, study)}{_beside(one, study)}"
            found[_short(one, study)] = {"what": what, "post_hoc": post_hoc}
    return found or {_short(asked, study): {"what": result.provenance.command, "post_hoc": result.provenance.post_hoc}}


def planned_question(
    endpoint: str, method: str, population: str, subgroup: str, comparison: str, study: Study
) -> dict[str, dict[str, object]]:
    """A contrast asked as the study file says, as :func:`questions_shown` names it."""
    compared = (comparison,)
    one = Question(endpoint, subgroups=(subgroup,), comparisons=compared, population=population).as_dict() | {"method": method}
    about = next((_pair(c.treatment, c.reference, c.name, study) for c in study.comparisons if c.name == comparison), "")
    return {
        _short(one, study): {
            "what": f"{endpoint} [{method}] {subgroup}{about}",
            "post_hoc": is_post_hoc(study, subgroup, locked=True),
        }
    }


def _compared(treatment: str | None, reference: str | None, asked: Sequence[str], study: Study) -> list[str]:
    """The comparisons of two arms that were asked for, by name: their horizons may differ. An empty name: of no two arms."""
    names = [c.name for c in study.comparisons if (c.treatment, c.reference) == (treatment, reference)]
    return [n for n in names if n in asked] or names or [""]


def _pair(treatment: str | None, reference: str | None, comparison: str, study: Study) -> str:
    if treatment is None:
        return ""
    several = sum((c.treatment, c.reference) == (treatment, reference) for c in study.comparisons) > 1
    return f": {treatment} vs {reference}" + (f" ({comparison})" if several else "")


def _short(question: Mapping[str, Any], study: Study) -> str:
    return question_digest(question, study)[:16]


def _beside(question: Mapping[str, Any], study: Study) -> str:
    """What was asked otherwise than the study file says, in words."""
    endpoint = study.endpoints.get(question["endpoint"])
    usual = (endpoint.population if endpoint is not None else "") or study.populations.default
    words = [f"population {question['population']}"] if question["population"] != usual else []
    words += [f"visits {', '.join(f'{v:g}' for v in question['visits'])}"] if question["visits"] else []
    words += [f"{name} {question[name]}" for name in ("covariance", "df") if question[name]]
    words += [f"{name}={value}" for name, value in sorted(question["options"].items())]
    return "".join(f"; {w}" for w in words)


def question_digest(question: Mapping[str, Any], study: Study) -> str:
    """SHA-256 of a question as results carry it: equal questions are one look, however and wherever they are asked."""
    text = json.dumps(canonical(question, study), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(question: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """A question in one form: what its names mean, in an order that does not depend on how it was asked."""
    values = dict(question)
    if "subgroups" in values:
        values["subgroups"] = sorted({_meaning(phrase, study) for phrase in values["subgroups"]})
    if "comparisons" in values:
        values["comparisons"] = _comparisons(values["comparisons"], study)
    endpoint = study.endpoints.get(str(values.get("endpoint")))
    if endpoint is not None and "options" in values:
        resolved = _as_analysed(endpoint, values)
        values = {k: v for k, v in values.items() if k not in RESOLVED} | {"visits": sorted(values["visits"])}
        values["resolved"] = resolved.model_dump(mode="json", exclude={"title"})
    return values


def _meaning(phrase: str, study: Study) -> str:
    try:
        parts = parse_phrase(phrase, subgroup_names(study)).parts
    except AlsbenchError:  # of a study file that was changed since
        return phrase
    where = {s.name: s.where for s in study.subgroups}
    return " and ".join(sorted(f"not ({where[n]})" if negated else f"({where[n]})" for n, negated in parts))


def _comparisons(names: list[str], study: Study) -> list[list[Any]]:
    found = [c for c in study.comparisons if not names or c.name in names or c.treatment in names]
    return sorted(([c.treatment, c.reference, c.horizon] for c in found), key=str)


@dataclass(frozen=True)
class Looked:
    """Where somebody has looked, by the audit log, and the study file of today would not lead: ``definitions``
    (expressions), ``endpoints`` (as they were analysed) and ``comparisons``."""

    definitions: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    def plain(self) -> list[Any]:
        """As JSON keeps it."""
        return [
            list(self.definitions),
            [e.model_dump(mode="json", exclude_defaults=True) for e in self.endpoints],
            [c.model_dump(mode="json") for c in self.comparisons],
        ]

    @classmethod
    def from_plain(cls, values: list[Any]) -> Looked:
        """What :meth:`plain` wrote."""
        definitions, endpoints, comparisons = values
        return cls(
            tuple(definitions),
            tuple(Endpoint.model_validate(e) for e in endpoints),
            tuple(Comparison.model_validate(c) for c in comparisons),
        )


def looked_at(source: Source) -> Looked:
    """What the audit log says was looked at and the study file of today would not lead to: definitions since edited or
    removed, endpoints as they were analysed with other options or before an edit, comparisons since removed."""
    if source.held is None:
        return Looked()
    study = source.study
    declared = {s.where for s in study.subgroups}
    compared = {(c.treatment, c.reference, c.horizon) for c in study.comparisons}
    definitions: dict[str, None] = {}
    endpoints: dict[str, Endpoint] = {}
    comparisons: dict[str, Comparison] = {}
    for entry in entries(source.held.path / LOG_NAME, strict=False):
        if entry.action not in LOOK_ACTIONS:
            continue
        definitions |= dict.fromkeys(str(text) for text in dict(entry.facts.get("definitions", {})).values())
        for values in entry.facts.get("endpoints", ()):
            endpoint = _valid(Endpoint, values)
            if endpoint is not None and not any(_same(endpoint, e) for e in (*study.endpoints.values(), *endpoints.values())):
                name = f"{endpoint.name}, asked otherwise {len(endpoints) + 1}"
                endpoints[name] = endpoint.model_copy(update={"name": name})
        for treatment, reference, horizon in entry.facts.get("comparisons", ()):
            known = {treatment, reference} <= set(study.arms.order)
            if known and (treatment, reference, horizon) not in compared:
                name = f"{treatment} vs {reference}, no longer compared at {horizon}"
                values = {"name": name, "treatment": treatment, "reference": reference, "horizon": horizon}
                comparison = _valid(Comparison, values)
                comparisons |= {name: comparison} if comparison is not None else {}
    return Looked(
        tuple(text for text in definitions if text not in declared), tuple(endpoints.values()), tuple(comparisons.values())
    )


def _valid(kind: type[Model], values: object) -> Model | None:
    """An endpoint or a comparison as the log has it; None where this version has no such key, method or horizon."""
    try:
        return kind.model_validate(values)
    except ValidationError:
        return None


def _same(one: Endpoint, other: Endpoint) -> bool:
    """Whether two endpoints are analysed alike, whatever they are called."""
    unsaid = {"name", "title", "level"}
    return one.model_dump(exclude=unsaid) == other.model_dump(exclude=unsaid)
