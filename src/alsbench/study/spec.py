"""Reading ``study.toml``: text to a validated :class:`Study`, and errors that name file, line, key and what is allowed."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from alsbench.errors import StudyError
from alsbench.study.checks import Fault, faults
from alsbench.study.edit import add_subgroup, remove_subgroup, replace_subgroup
from alsbench.study.model import (
    Arms,
    Comparison,
    Endpoint,
    Event,
    Populations,
    Study,
    StudyInfo,
    Subgroup,
    Visits,
)
from alsbench.study.names import nearest
from alsbench.study.toml_lines import key_lines, line_of

__all__ = ["add_subgroup", "parse_study", "read_study", "remove_subgroup", "replace_subgroup", "study_digest"]

_DATASETS = {"incidence": "ADAE", "baseline": "ADSL"}
_SYNTAX = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL)
_ALSO = 5


def read_study(path: Path) -> Study:
    """The study of ``path``. Raises StudyError with ``where`` = ``study.toml:LINE key.path``."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(
            "there is no study file", where=str(path), hint="alsbench init DIR DATA... proposes one from the data"
        ) from None
    except UnicodeDecodeError as error:
        raise StudyError("the study file is not UTF-8", where=str(path), why=f"byte {error.start} cannot be read") from None
    except OSError as error:
        raise StudyError("the study file cannot be read", where=str(path), why=error.strerror or str(error)) from None
    return parse_study(text, path.name)


def parse_study(text: str, file: str = "study.toml") -> Study:
    """The study that ``text`` says, defaults filled in. ``file`` is the name used in errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, file) from None
    except RecursionError:
        raise StudyError("the file is nested too deeply", where=file) from None
    lines = key_lines(text)
    try:
        study = _fill(Study.model_validate(raw))
    except ValidationError as error:
        ordered = sorted(
            error.errors(), key=lambda e: e["type"] != "extra_forbidden"
        )  # a misspelt key explains the missing one
        found = [_explain(e["type"], e["loc"], e["msg"], e.get("ctx", {}), raw) for e in ordered]
        raise _study_error(found, lines, file) from None
    found = list(faults(study))
    if found:
        raise _study_error(found, lines, file)
    return study


def study_digest(study: Study) -> str:
    """SHA-256 of the study's canonical content: comments, order of keys and spelled-out defaults do not matter."""
    text = json.dumps(study.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _fill(study: Study) -> Study:
    """The same study with the names and data sets that the file may leave out."""
    comparisons = tuple(
        c.model_copy(update={"name": c.name or c.treatment, "reference": c.reference or study.arms.reference})
        for c in study.comparisons
    )
    endpoints = {name: _fill_endpoint(name, e) for name, e in study.endpoints.items()}
    return study.model_copy(update={"comparisons": comparisons, "endpoints": endpoints})


def _fill_endpoint(name: str, endpoint: Endpoint) -> Endpoint:
    dataset = (endpoint.dataset or _DATASETS.get(endpoint.method, "")).upper()
    event = endpoint.event and endpoint.event.model_copy(update={"dataset": endpoint.event.dataset.upper()})
    return endpoint.model_copy(update={"name": name, "title": endpoint.title or name, "dataset": dataset, "event": event})


def _syntax_error(message: str, text: str, file: str) -> StudyError:
    match = _SYNTAX.match(message)
    what = (match.group("what") if match else message).rstrip()
    last = max(1, text.rstrip("\n").count("\n") + 1)
    line = int(match.group("line")) if match and match.group("line") else last
    source = text.splitlines()[line - 1].strip() if text.strip() and line <= len(text.splitlines()) else ""
    return StudyError(
        f"not valid TOML: {what[:1].lower()}{what[1:]}",
        where=f"{file}:{line}",
        why=f"  {source[:100]}" if source else "",
        hint='texts stand in quotes: title = "..."; lists in brackets: order = ["A", "B"]',
    )


def _study_error(found: Sequence[Fault], lines: dict[tuple[str | int, ...], int], file: str) -> StudyError:
    def where(fault: Fault) -> str:
        return f"{file}:{line_of(lines, fault.path)} {dotted(fault.path)}".rstrip()

    first, rest = found[0], found[1:]
    also = [f"also {where(f)}: {f.what}" for f in rest[:_ALSO]]
    if len(rest) > _ALSO:
        also.append(f"and {len(rest) - _ALSO} more")
    why = "\n".join(filter(None, [first.why, *also]))
    return StudyError(first.what, where=where(first), why=why, hint=first.hint)


def dotted(path: Sequence[str | int]) -> str:
    """``comparisons[1].treatment`` for ``("comparisons", 1, "treatment")``; array elements count from 1 for the reader."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def _tables(path: Sequence[str | int]) -> type[BaseModel] | None:
    """The class that describes the table at ``path``, or None for free tables such as ``arms.labels``."""
    match tuple(path):
        case ():
            return Study
        case ("study",):
            return StudyInfo
        case ("arms",):
            return Arms
        case ("populations",):
            return Populations
        case ("visits",):
            return Visits
        case ("comparisons", int()):
            return Comparison
        case ("endpoints", str()):
            return Endpoint
        case ("endpoints", str(), "event"):
            return Event
        case ("subgroups", int()):
            return Subgroup
    return None


def allowed_keys(path: Sequence[str | int]) -> list[str]:
    """The keys that may stand in the table at ``path``."""
    table = _tables(path)
    if table is None:
        return []
    hidden = {"name"} if table is Endpoint else set()
    return [f.alias or name for name, f in table.model_fields.items() if name not in hidden]


def _explain(kind: str, loc: tuple[int | str, ...], message: str, ctx: dict[str, Any], raw: dict[str, Any]) -> Fault:
    path = tuple(p for p in loc if p != "[key]")
    key = next((p for p in reversed(path) if isinstance(p, str)), "")
    parent = path[:-1]
    here = f"[{dotted(parent)}]" if parent else "the top of the file"
    match kind:
        case "extra_forbidden":
            return Fault(path, f"unknown key {key!r} in {here}", nearest(key, allowed_keys(parent)))
        case "missing":
            return Fault(path, f"{key!r} is missing from {here}", _MISSING.get(key, ""))
        case "literal_error":
            return Fault(path, f"{_shown(raw, path)} is not allowed for {key}", f"allowed: {ctx.get('expected', '')}")
        case "string_pattern_mismatch":
            return Fault(path, f"{_shown(raw, path)} is not a name", "letters, digits and _ only, not starting with a digit")
    expected = _EXPECTED.get(kind)
    if expected:
        return Fault(path, f"{_shown(raw, path)} is not {expected}", _SHAPES.get(key, f"{key} takes {expected}"))
    return Fault(path, message)


_EXPECTED = {
    "string_type": "a text",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_MISSING = {
    "schema": "the first line is: schema = 1",
    "study": 'add [study] with id = "..."',
    "arms": 'add [arms] with reference = "..." and order = [...]',
    "reference": 'the comparator arm as the data spell it: reference = "Placebo"',
    "order": 'every arm analysed: order = ["Placebo", "Active"]',
    "populations": 'add [populations] with FAS = "FASFL" and default = "FAS"',
    "default": 'the population used unless told otherwise: default = "FAS"',
    "comparisons": 'add [[comparisons]] with treatment = "..." and horizon = 12',
    "method": "mmrm, ancova, joint_rank, slope, time_to_event, incidence or baseline",
    "where": "an expression over baseline columns: LEADRATE <= mean(LEADRATE)",
    "treatment": 'an arm of arms.order: treatment = "Active"',
    "paramcd": 'the parameter of the event: paramcd = "DTHPAV"',
}
_SHAPES = {
    "comparisons": "comparisons are written [[comparisons]]",
    "subgroups": "subgroups are written [[subgroups]]",
    "endpoints": "endpoints are written [endpoints.NAME]",
    "event": 'event = { dataset = "ADTTE", paramcd = "DTHPAV" }',
    "order": 'order = ["Placebo", "Active"]',
}


def _shown(raw: dict[str, Any], path: Sequence[str | int]) -> str:
    return repr(_value(raw, path))[:60]


def _value(raw: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return None
    return raw
