"""What a result lets its reader test, and which question it answers, for the ledger of looks.

Two questions are one where their answers must be the same: subgroups by their expressions (a named complement is the
complement), comparisons by their arms and horizons, options that repeat what the study file says. An endpoint that was edited
since is another question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.errors import AlsbenchError
from alsbench.study.model import Study
from alsbench.study.phrase import parse_phrase, subgroup_names

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
        "asked": origin.command,
        "post_hoc": origin.post_hoc,
        "snapshot": origin.snapshot,
        "study": origin.study,
        "blinded": origin.blinded,
        "deviations": len(origin.deviations),
        "contrasts": contrasts_shown(result),
    }


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
        from alsbench.analysis.run import apply_overrides

        asked = {f.name: values[f.name] for f in fields(Question) if f.name in values}
        resolved = apply_overrides(endpoint, Question.from_dict(asked))
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
