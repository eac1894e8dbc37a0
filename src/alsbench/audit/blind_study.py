"""The study file under dummy arms, and the one that comes back.

Whatever says in the words of the protocol who is who is withheld: it stands in the key's copy of the study file only. That is
a condition that names an arm, its code or a column that tells the arm (which dummy would be ``TRT01P != 'Placebo'``?), together
with the subgroup, endpoint or population it belongs to, because their names say the same; and what rests on something withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from alsbench.audit.blinding import Key, hide_words, names_arm
from alsbench.errors import DataError
from alsbench.study.expression import Expression, parse
from alsbench.study.model import Endpoint, Study, Subgroup
from alsbench.study.tree import Aggregate, Column, Comparison, Junction, Membership, Node, Not, Value, operands

PARTS = ("schema", "study", "arms", "populations", "visits", "comparisons", "endpoints", "subgroups")


def blind_study(study: Study, key: Key, words: Sequence[str], told: Iterable[str]) -> tuple[str, Mapping[str, Sequence[str]]]:
    """``study.toml`` under dummy arms, and the names of what is withheld by part of the file.

    Every arm stands against the first one at every horizon, so that neither the reference nor a horizon tells who is who.
    Labels, doses, primary comparisons, the multiplicity plan and comments are left out. ``told`` are the columns that hold or
    tell the arm. Raises DataError where the default population is withheld.
    """
    import tomlkit

    judge = _Judge(key, words, told)
    withheld: dict[str, list[str]] = {
        "populations": [n for n, flag in study.populations.flags.items() if judge.name(n) or judge.columns([flag])],
        "endpoints": [],
        "subgroups": [s.name for s in study.subgroups if judge.subgroup(s)],
    }
    if study.populations.default in withheld["populations"]:
        raise DataError("the default population tells an arm", where="populations.default", hint="name another one")
    withheld["endpoints"] = _endpoints(study, judge, withheld["populations"])
    hide = hide_words(key, words)
    values = study.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    values["schema"] = 1
    values["study"] = {"id": study.info.id, **{k: v for k, v in values["study"].items() if k != "id"}}
    values |= _dummy_arms(study, key, values["arms"])
    for part in ("populations", "endpoints"):
        values[part] = {n: v for n, v in values.get(part, {}).items() if n not in withheld[part]}
    values["subgroups"] = [s for s in values.get("subgroups", []) if s["name"] not in withheld["subgroups"]]
    for endpoint in values["endpoints"].values():
        endpoint.pop("name", None)
    hidden = _swept(values, hide)
    text = tomlkit.dumps({k: hidden[k] for k in PARTS if hidden.get(k)})
    return "# Blinded: the arms are dummies.\n" + text, withheld


def real_subgroup(subgroup: Subgroup, key: Key) -> Subgroup | None:
    """A subgroup that was added under the blind with real arms in the place of dummies; None where it orders dummy codes, which
    has no meaning in real ones."""
    codes = {column.upper(): {dummy: code for code, dummy in known.items()} for column, known in key.codes.items()}
    arms = {dummy.lower(): arm for arm, dummy in key.arms.items()}
    expression = parse(subgroup.where)
    coded = [n for n in _nodes(expression.root) if any(isinstance(o, Column) and o.name.upper() in codes for o in operands(n))]
    if any(not isinstance(n, Membership) and getattr(n, "op", "") not in ("==", "!=") for n in coded):
        return None

    def real(value: Any, column: str) -> Any:
        if not isinstance(value, Value) or value.kind == "boolean":
            return value
        known = codes.get(column.upper())
        if known is None:
            return replace(value, value=arms.get(str(value.value).lower(), value.value)) if value.kind == "text" else value
        found = known.get(f"{value.value:g}" if isinstance(value.value, float) else str(value.value))
        return value if found is None else replace(value, value=float(found) if value.kind == "number" else found)

    root = _changed(expression.root, real)
    return subgroup if root == expression.root else subgroup.model_copy(update={"where": Expression("", root).canonical()})


class _Judge:
    """What tells an arm: names and texts by the arm's name, conditions also by the columns they are about."""

    def __init__(self, key: Key, words: Sequence[str], told: Iterable[str]) -> None:
        self.key, self.words = key, words
        self.told = {c.upper() for c in told}

    def name(self, *names: str) -> bool:
        return any(names_arm(n, self.key, self.words) for n in names if n)

    def columns(self, names: Iterable[str]) -> bool:
        return any(n.upper() in self.told or self.name(n) for n in names)

    def condition(self, text: str) -> bool:
        return bool(text) and (hide_words(self.key, self.words)(text) != text or self.columns(parse(text).columns))

    def subgroup(self, subgroup: Subgroup) -> bool:
        named = self.name(subgroup.name, subgroup.label, subgroup.complement)
        return named or self.condition(subgroup.where)

    def endpoint(self, name: str, endpoint: Endpoint) -> bool:
        used = [*endpoint.covariates, *endpoint.factors, *endpoint.strata, *endpoint.at, endpoint.weights]
        named = self.name(name, endpoint.paramcd, endpoint.dataset, *endpoint.visit_contrasts)
        return named or self.condition(endpoint.where) or self.columns(c for c in used if c)


def _endpoints(study: Study, judge: _Judge, populations: Sequence[str]) -> list[str]:
    """The endpoints that tell an arm, and those that rest on one of them or on a population that is withheld."""
    found = [n for n, e in study.endpoints.items() if judge.endpoint(n, e) or e.population in populations]
    while more := [n for n, e in study.endpoints.items() if e.function in found and n not in found]:
        found += more
    return found


def _dummy_arms(study: Study, key: Key, arms: Mapping[str, Any]) -> dict[str, Any]:
    dummies = sorted(key.arms[a] for a in study.arms.order)
    horizons: list[float | None] = [*sorted({c.horizon for c in study.comparisons if c.horizon is not None})] or [None]
    letter = study.visits.unit[0].upper()
    kept = {k: v for k, v in arms.items() if k in ("planned", "actual")}
    comparisons = [
        {"name": dummy, "treatment": dummy}
        if horizon is None
        else {"name": f"{dummy}-{letter}{horizon:g}", "treatment": dummy, "horizon": horizon}
        for dummy in dummies[1:]
        for horizon in horizons
    ]
    return {"arms": {**kept, "reference": dummies[0], "order": dummies}, "comparisons": comparisons}


def _nodes(node: Node) -> list[Node]:
    match node:
        case Junction(_, terms):
            return [n for t in terms for n in _nodes(t)]
        case Not(term):
            return _nodes(term)
    return [node]


def _changed(node: Node, real: Callable[[Any, str], Any]) -> Node:
    """The tree with every value that is compared with a column as ``real`` makes it."""
    match node:
        case Junction(word, terms):
            return Junction(word, tuple(_changed(t, real) for t in terms))
        case Not(term):
            return Not(_changed(term, real))
        case Membership(column, values):
            return replace(node, values=tuple(real(v, column.name) for v in values))
        case Comparison(_, left, right):
            name = next((o.name for o in (left, right) if isinstance(o, Column)), "")
            fixed = isinstance(left, Aggregate) or isinstance(right, Aggregate)
            return node if fixed else replace(node, left=real(left, name), right=real(right, name))
    return node


def _swept(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_swept(v, change) for v in value]
    return {k: _swept(v, change) for k, v in value.items()} if isinstance(value, dict) else value
