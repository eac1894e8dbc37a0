"""Reading ``study.toml``: text to a validated :class:`Study`, and errors that name file, line, key and what is allowed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from alsbench.errors import StudyError
from alsbench.study.checks import Fault, faults
from alsbench.study.model import Endpoint, Multiplicity, Study
from alsbench.study.toml_text import file_text, key_lines, line_of, toml_table
from alsbench.study.validation_errors import dotted, explain

_DATASETS = {"incidence": "ADAE", "baseline": "ADSL"}
_ALSO = 5


def read_study(path: Path) -> Study:
    """The study of ``path``. Raises StudyError with ``where`` = ``study.toml:LINE key.path``."""
    hint = "alsbench init DIR DATA... proposes one from the data"
    return parse_study(file_text(path, named="study file", hint=hint), path.name)


def parse_study(text: str, file: str = "study.toml") -> Study:
    """The study that ``text`` says, defaults filled in. ``file`` is the name used in errors."""
    raw = toml_table(text, file)
    lines = key_lines(text)
    try:
        study = _fill(Study.model_validate(raw))
    except ValidationError as error:
        raise study_error(explain(error, raw), lines, file) from None
    found = list(faults(study))
    if found:
        raise study_error(found, lines, file)
    return study


def study_digest(study: Study) -> str:
    """SHA-256 of the study's canonical content: comments, order of keys and spelled-out defaults do not matter, nor where it
    may be computed."""
    content = study.model_dump(mode="json", by_alias=True, exclude={"info": {"cluster"}})
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _fill(study: Study) -> Study:
    """The same study with the names and data sets that the file may leave out."""
    comparisons = tuple(
        c.model_copy(update={"name": c.name or c.treatment, "reference": c.reference or study.arms.reference})
        for c in study.comparisons
    )
    endpoints = {name: _fill_endpoint(name, e) for name, e in study.endpoints.items()}
    return study.model_copy(
        update={"comparisons": comparisons, "endpoints": endpoints, "multiplicity": _fill_plan(study.multiplicity)}
    )


def _fill_plan(plan: Multiplicity | None) -> Multiplicity | None:
    if plan is None:
        return None
    named = tuple(h.model_copy(update={"name": h.name or f"{h.endpoint}:{h.comparison}"}) for h in plan.hypotheses)
    return plan.model_copy(update={"hypotheses": named})


def _fill_endpoint(name: str, endpoint: Endpoint) -> Endpoint:
    dataset = (endpoint.dataset or _DATASETS.get(endpoint.method, "")).upper()
    event = endpoint.event and endpoint.event.model_copy(update={"dataset": endpoint.event.dataset.upper()})
    return endpoint.model_copy(update={"name": name, "title": endpoint.title or name, "dataset": dataset, "event": event})


def study_error(found: Sequence[Fault], lines: dict[tuple[str | int, ...], int], file: str) -> StudyError:
    """The first of the faults, with its line and what is allowed there; the others are named after it."""

    def where(fault: Fault) -> str:
        return f"{file}:{line_of(lines, fault.path)} {dotted(fault.path)}".rstrip()

    first, rest = found[0], found[1:]
    also = [f"also {where(f)}: {f.what}" for f in rest[:_ALSO]]
    if len(rest) > _ALSO:
        also.append(f"and {len(rest) - _ALSO} more")
    why = "\n".join(filter(None, [first.why, *also]))
    return StudyError(first.what, where=where(first), why=why, hint=first.hint)
