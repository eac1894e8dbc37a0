"""Results of the CDISC Analysis Results Standard (JSON of a ``ReportingEvent``): results of operations by group.

``rawValue`` is the number, ``formattedValue`` how it is printed; identifiers of groups, groupings, operations, analysis sets
and data subsets are replaced by what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alsbench.analysis.reconcile.stated import StatedNumber, cell_numbers, said_number
from alsbench.errors import DataError
from alsbench.stats.agreement import SaidValue

Named = Mapping[str, str]


def is_ars_json(content: Any) -> bool:
    """Whether it is a reporting event with analyses."""
    return isinstance(content, dict) and isinstance(content.get("analyses"), list)


def ars_json(content: Any, where: str) -> tuple[StatedNumber, ...]:
    """The results of all analyses, in their order. Raises DataError for a part that is not as the standard has it."""
    names = {
        "groupings": _named(content, "analysisGroupings", ("groupingVariable", "label", "name")),
        "groups": {
            g["id"]: _called(g, ("label", "name"))
            for grouping in _parts(content, "analysisGroupings")
            for g in _parts(grouping, "groups")
        },
        "operations": {
            o["id"]: _called(o, ("name", "label"))
            for method in _parts(content, "methods")
            for o in _parts(method, "operations")
        },
        "sets": _named(content, "analysisSets", ("label", "name")),
        "subsets": _named(content, "dataSubsets", ("label", "name")),
    }
    return tuple(_results(content, names, where))


def _results(content: Any, names: Mapping[str, Named], where: str) -> Iterator[StatedNumber]:
    for analysis in _parts(content, "analyses"):
        about = [("analysis", str(analysis.get("name") or analysis["id"]))]
        about += [(k, str(analysis[k])) for k in ("dataset", "variable") if analysis.get(k)]
        for key, group in (("analysisSetId", "sets"), ("dataSubsetId", "subsets")):
            if analysis.get(key):
                about.append((key.removesuffix("Id"), names[group].get(str(analysis[key]), str(analysis[key]))))
        for i, result in enumerate(_parts(analysis, "results", identified=False), start=1):
            place = f"analysis {analysis['id']} result {i}"
            operation = str(result.get("operationId") or "")
            if not operation:
                raise DataError("a result names no operation", where=f"{where} {place}")
            groups = [_group(g, names) for g in _parts(result, "resultGroups", identified=False)]
            raw, shown = (str(result.get(k) or "") for k in ("rawValue", "formattedValue"))
            statistic = names["operations"].get(operation, operation)
            yield StatedNumber(place, statistic, _said(raw, shown), shown or raw, (*about, *groups))


def _group(group: Mapping[str, Any], names: Mapping[str, Named]) -> tuple[str, str]:
    grouping = str(group.get("groupingId") or "")
    value = str(group.get("groupValue") or "") or names["groups"].get(
        str(group.get("groupId")), str(group.get("groupId") or "")
    )
    return f"group {names['groupings'].get(grouping, grouping)}", value


def _said(raw: str, shown: str) -> SaidValue:
    printed = cell_numbers(shown)
    number = said_number(raw) if raw else None
    if number is None:
        return printed[0].said if printed else SaidValue(None)
    decimals = printed[0].said.decimals if printed and not printed[0].said.bound else None
    return SaidValue(number.value, decimals)


def _parts(holder: Mapping[str, Any], key: str, *, identified: bool = True) -> list[dict[str, Any]]:
    found = holder.get(key) or []
    if not isinstance(found, list) or not all(isinstance(p, dict) and (p.get("id") or not identified) for p in found):
        raise DataError(f"{key} is not as the Analysis Results Standard has it", hint="a list of objects with an id")
    return found


def _named(content: Any, key: str, words: tuple[str, ...]) -> dict[str, str]:
    return {str(p["id"]): _called(p, words) for p in _parts(content, key)}


def _called(part: Mapping[str, Any], words: tuple[str, ...]) -> str:
    return str(next((part[w] for w in words if part.get(w)), part["id"]))
