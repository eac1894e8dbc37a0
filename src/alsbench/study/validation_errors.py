"""Faults of a study file in words: what pydantic found, as a key path, one sentence and what is allowed there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, time
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from alsbench.errors import shorten
from alsbench.study.checks import Fault
from alsbench.study.model import Endpoint, Study
from alsbench.study.names import nearest


def explain(error: ValidationError, raw: dict[str, Any], root: type[BaseModel] = Study) -> list[Fault]:
    """One fault for each thing wrong with ``raw``, a file of the shape ``root``; unknown keys first, since a misspelt key
    explains a missing one."""
    ordered = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    return [_explain(e["type"], e["loc"], e["msg"], e.get("ctx", {}), raw, root) for e in ordered]


def dotted(path: Sequence[str | int]) -> str:
    """``comparisons[1].treatment`` for ``("comparisons", 1, "treatment")``; array elements count from 1 for the reader."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = shorten(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False))
            text += f".{name}" if text else name
    return text


def _table(path: Sequence[str | int], root: type[BaseModel]) -> type[BaseModel] | None:
    """The class that describes the table at ``path``, or None for free tables such as ``arms.labels``."""
    found: Any = root
    for part in path:
        found = _inside(found, part)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _inside(annotation: Any, part: str | int) -> Any:
    """The annotation of what stands at ``part`` of a value annotated so; None where nothing is declared."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        named = {f.alias or name: f.annotation for name, f in annotation.model_fields.items()}
        return _required(named.get(str(part)))
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if get_origin(annotation) in {tuple, list} else None


def _required(annotation: Any) -> Any:
    """``X`` for ``X | None``."""
    if get_origin(annotation) in {UnionType, Union}:
        return next((a for a in get_args(annotation) if a is not type(None)), None)
    return annotation


def allowed_keys(path: Sequence[str | int], root: type[BaseModel] = Study) -> list[str]:
    """The keys that may stand in the table at ``path``."""
    table = _table(path, root)
    if table is None:
        return []
    hidden = {"name"} if table is Endpoint else set()
    return [f.alias or name for name, f in table.model_fields.items() if name not in hidden]


def _explain(
    kind: str, loc: tuple[int | str, ...], message: str, ctx: dict[str, Any], raw: dict[str, Any], root: type[BaseModel]
) -> Fault:
    path = tuple(p for p in loc if p != "[key]")
    key = next((p for p in reversed(path) if isinstance(p, str)), "")
    parent = path[:-1]
    here = f"[{dotted(parent)}]" if parent else "the top of the file"
    match kind:
        case "extra_forbidden":
            return Fault(path, f"unknown key {shorten(repr(key))} in {here}", nearest(key, allowed_keys(parent, root)))
        case "missing":
            return Fault(path, f"{key!r} is missing from {here}", _MISSING.get(key, ""))
        case "literal_error":
            return Fault(path, f"{_shown(raw, path)} is not allowed for {key}", f"allowed: {ctx.get('expected', '')}")
        case "string_pattern_mismatch":
            return Fault(path, f"{_shown(raw, path)} is not a name", "letters, digits and _ only, not starting with a digit")
        case "finite_number":
            return Fault(path, f"{_shown(raw, path)} is no number that can be used for {key}", "numbers are finite")
        case "too_long":
            what = f"{key} holds {ctx.get('actual_length', 'too many')} entries"
            return Fault(path, what, f"at most {ctx.get('max_length')}")
        case "string_too_long":
            return Fault(path, f"the text of {key} is too long", f"at most {ctx.get('max_length')} characters")
    if kind in _BOUNDS:
        word, name = _BOUNDS[kind]
        bound = f"{ctx[name]:,.12g}" if isinstance(ctx[name], int | float) else ctx[name]
        return Fault(path, f"{_shown(raw, path)} is out of range for {key}", f"{word} {bound}")
    expected = _EXPECTED.get(kind)
    if expected:
        return Fault(path, f"{_shown(raw, path)} is not {expected}", _SHAPES.get(key, f"{key} takes {expected}"))
    return Fault(path, message.removeprefix("Value error, "))


_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_EXPECTED = {
    "string_type": "a text",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
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
    value = _value(raw, path)
    if isinstance(value, int) and abs(value) > 10**50:  # Python refuses to write more than 4300 digits
        return "this number"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, date | time) else shorten(repr(value), 60)


def _value(raw: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return None
    return raw
