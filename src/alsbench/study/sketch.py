"""What a table's names and values tell about the study it belongs to: plain columns in, a small summary out.

No data are read here: the caller passes columns as Python sequences (None = missing), and only those that
:func:`wanted` names are looked at.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SUBJECT_COLUMNS = ("USUBJID", "SUBJID")
RECORD_COLUMNS = ("PARAMCD", "PARAM", "AVISIT", "AVISITN", "AVAL", "CNSR", "ABLFL", "ANL01FL", "DTYPE", "ADT", "ADY")
OTHER_COLUMNS = ("STUDYID", "AEDECOD", "TRTEMFL")
IMPUTED = frozenset({"LOCF", "WOCF", "BOCF", "AVERAGE", "MEAN", "WORST", "MI", "PHANTOM"})
MANY = 40
# a visit that is an occasion and no time: its values belong to the visits they were taken at
OCCASION = re.compile(
    r"\bend[ -]of[ -](treatment|study|trial)|\bearly[ -]?(term|disc|withdr)|\bunsch|\bunplanned|\bfollow[ -]?up"
    r"|\b(EOT|EOS|ET)\b|\b(last|final)\b.*\bvisit|\bdiscontinu|\bwithdraw|\bterminat",
    re.IGNORECASE,
)
TIME = re.compile(r"\b(month|week|day)s?\s*\d|\d\s*(month|week|day)", re.IGNORECASE)

Columns = Mapping[str, Sequence[Any]]


def wanted(table: str, columns: Sequence[str]) -> list[str]:
    """The columns of ``table`` that :func:`sketch` looks at; of the subject-level table, all."""
    if table.upper() == "ADSL":
        return list(columns)
    known = {*SUBJECT_COLUMNS, *RECORD_COLUMNS, *OTHER_COLUMNS}
    return [c for c in columns if c in known]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a table with one record per subject, parameter and visit (or event).

    ``visits`` are the (number, label) of visits with values, baseline included, in order; ``where`` a condition under which
    no subject has two records at a visit, empty where none is needed, None where none was found. ``repeats`` are the visits
    most of whose records are those of other visits again: same subject, date and value.
    """

    code: str
    title: str
    visits: tuple[tuple[float, str], ...] = ()
    where: str | None = ""
    imputed: bool = False
    repeats: tuple[float, ...] = ()


@dataclass(frozen=True)
class Sketch:
    """A table as far as names and values tell. ``levels`` holds the distinct values of columns that have few."""

    name: str
    columns: tuple[str, ...]
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    events: bool = False
    baseline: float | None = None
    arm_numbers: Mapping[str, float] = field(default_factory=dict)


def sketch(name: str, columns: Columns) -> Sketch:
    """Summarise the table ``name`` with ``columns`` (name -> values, all of one length)."""
    levels = {c: tuple(found) for c, values in columns.items() if (found := _levels(values)) is not None}
    events = "PARAMCD" in columns and "CNSR" in columns
    parameters: tuple[Parameter, ...] = ()
    if events:
        parameters = tuple(Parameter(code, title) for code, title in _titles(columns).items())
    elif {"PARAMCD", "AVAL", "AVISITN"} <= set(columns):
        parameters = tuple(_parameters(columns))
    return Sketch(name.upper(), tuple(columns), levels, parameters, events, _baseline(columns), _arm_numbers(columns))


def _levels(values: Sequence[Any]) -> list[Any] | None:
    found: dict[Any, None] = {}
    for value in values:
        if not _gone(value):
            found[value] = None
            if len(found) > MANY:
                return None
    return list(found)


def _gone(value: Any) -> bool:
    """Missing: None, or a NaN, which differs from itself."""
    return value is None or bool(value != value)


def _titles(columns: Columns) -> dict[str, str]:
    codes = columns["PARAMCD"]
    titles = columns.get("PARAM", codes)
    return {str(c): str(t or c) for c, t in sorted({(c, t) for c, t in zip(codes, titles, strict=True) if c}, key=str)}


def _baseline(columns: Columns) -> float | None:
    """The visit number that most baseline-flagged records have."""
    if not {"ABLFL", "AVISITN"} <= set(columns):
        return None
    flagged = Counter(n for f, n in zip(columns["ABLFL"], columns["AVISITN"], strict=True) if f == "Y" and n is not None)
    return float(flagged.most_common(1)[0][0]) if flagged else None


def _arm_numbers(columns: Columns) -> dict[str, float]:
    for arm, number in (("TRT01P", "TRT01PN"), ("ARM", "ARMN")):
        if {arm, number} <= set(columns):
            return {str(a): float(n) for a, n in zip(columns[arm], columns[number], strict=True) if a and n is not None}
    return {}


def _parameters(columns: Columns) -> list[Parameter]:
    n = len(columns["PARAMCD"])
    subject = next((columns[c] for c in SUBJECT_COLUMNS if c in columns), range(n))
    empty: Sequence[Any] = [None] * n
    labels, analysed, kinds = (columns.get(c, empty) for c in ("AVISIT", "ANL01FL", "DTYPE"))
    dates = columns.get("ADT", columns.get("ADY", empty))
    taken: dict[str, dict[float, list[tuple[Any, ...]]]] = defaultdict(lambda: defaultdict(list))
    visits: dict[str, dict[float, str]] = defaultdict(dict)
    counts: dict[str, dict[str, Counter[tuple[Any, Any]]]] = defaultdict(lambda: defaultdict(Counter))
    types: dict[str, set[str]] = defaultdict(set)
    for i, (code, number, value) in enumerate(zip(columns["PARAMCD"], columns["AVISITN"], columns["AVAL"], strict=True)):
        if not code or _gone(number) or _gone(value):
            continue
        visit = float(number)
        if visit not in visits[code]:
            visits[code][visit] = str(labels[i] or f"{number:g}")
        if kinds[i]:
            types[code].add(str(kinds[i]))
        real = not kinds[i] or str(kinds[i]) not in IMPUTED
        if real and not _gone(dates[i]):
            taken[code][visit].append((subject[i], dates[i], value))
        record, flagged = (subject[i], number), analysed[i] == "Y"
        for rule, kept in (("all", True), ("real", real), ("flagged", flagged), ("both", real and flagged)):
            if kept:
                counts[code][rule][record] += 1
    titles = _titles(columns)
    return [
        Parameter(
            code,
            titles[code],
            tuple(sorted(visits[code].items())),
            *_where(counts[code], types[code]),
            repeats=_repeats(visits[code], taken[code]),
        )
        for code in visits
    ]


def untimed(label: str) -> bool:
    """Whether a visit's label names an occasion (end of treatment, early termination, follow-up) and no time."""
    return bool(OCCASION.search(label)) and not TIME.search(label)


def _repeats(labels: Mapping[float, str], taken: Mapping[float, Sequence[tuple[Any, ...]]]) -> tuple[float, ...]:
    """Visits of which half the records or more stand at another visit too; occasions are judged first, then the later ones."""
    found: list[float] = []
    for visit in sorted(taken, key=lambda v: (not untimed(labels[v]), -v)):
        others = {key for v, keys in taken.items() if v != visit and v not in found for key in keys}
        if 2 * sum(key in others for key in taken[visit]) >= len(taken[visit]):
            found.append(visit)
    return tuple(sorted(found))


def _where(counts: Mapping[str, Counter[tuple[Any, Any]]], types: set[str]) -> tuple[str | None, bool]:
    """The plainest condition that leaves one real record per subject and visit; whether imputed records are there."""
    imputed = bool(types & IMPUTED)
    other = bool(types - IMPUTED)
    listed = ", ".join(f"'{t}'" for t in sorted(types & IMPUTED))
    real = f"(missing(DTYPE) or DTYPE not in ({listed}))" if other else "missing(DTYPE)"
    flagged = "ANL01FL == 'Y'"
    texts = {"all": "", "real": real, "flagged": flagged, "both": f"{flagged} and {real}"}
    for rule in ("real", "both") if imputed else ("all", "flagged"):
        if rule in counts and max(counts[rule].values()) == 1:
            return texts[rule], imputed
    return None, imputed
