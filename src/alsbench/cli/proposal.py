"""A study.toml guessed from data: what ADaM names say, and a list of what they do not.

Everything guessed is written out, so that a person can see and correct it; what nothing in the data tells (horizons,
primary comparisons, which endpoint matters) is marked CHECK in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alsbench.errors import DataError

REFERENCE = re.compile(r"placebo|sham|control|vehicle|standard of care", re.IGNORECASE)
FLAGS = {
    "FASFL": "FAS",
    "ITTFL": "ITT",
    "EFFFL": "EFF",
    "PPROTFL": "PP",
    "COMPLFL": "COMPL",
    "SAFFL": "Safety",
    "RANDFL": "RAND",
}
UNITS = {"month": "month", "week": "week", "day": "day"}
BIOMARKER = re.compile(r"neurofilament|\bNfL\b|^NFL$|^NEFL$", re.IGNORECASE)
TOTAL = re.compile(r"ALSFRS.*total|^ALSFRS?R?$|^ALSTOT$", re.IGNORECASE)
COVARIATES = ("LEADRATE", "ONSETSIT", "RILUFL")
MOST = 8


@dataclass(frozen=True)
class Parameter:
    """One parameter of a data set: its code, name and the visits after baseline that hold values."""

    dataset: str
    code: str
    title: str
    visits: tuple[float, ...]
    repeated: bool = False


@dataclass
class Found:
    """What the data hold, as far as names tell."""

    study: str = ""
    subject: str = "USUBJID"
    planned: str = ""
    actual: str = ""
    arms: tuple[str, ...] = ()
    reference: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    unit: str = ""
    baseline: float = 0
    parameters: list[Parameter] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    adverse: str = ""
    covariates: tuple[str, ...] = ()
    baseline_total: str = ""
    where: dict[str, str] = field(default_factory=dict)

    def summary(self) -> list[tuple[str, str]]:
        """Lines for the receipt."""
        return [
            ("Study", self.study),
            ("Arms", f"{', '.join(self.arms)} (reference {self.reference})"),
            ("Populations", ", ".join(f"{n} = {c}" for n, c in self.flags.items())),
            ("Visits", f"in {self.unit or 'months (a guess)'}, baseline {self.baseline:g}"),
            ("Parameters", ", ".join(f"{p.dataset}.{p.code}" for p in self.parameters) or "none"),
            ("Events", ", ".join(f"{d}.{c}" for d, c, _ in self.events) or "none"),
            ("Adverse events", self.adverse or "none"),
        ]


def look(paths: Sequence[Path]) -> Found:
    """Read the data sets and note what their names and values tell. Raises DataError where there is no subject-level table."""
    from alsbench.data.readers.registry import find_files, read

    tables = {d.name: d.table() for path in find_files(list(paths)) for d in read(path)}
    subjects = tables.get("ADSL")
    if subjects is None:
        raise DataError(
            "there is no ADSL among the files",
            where=", ".join(map(str, paths)),
            hint="name a file adsl.xpt or adsl.csv, one row per subject",
        )
    found = Found()
    names = subjects.column_names
    found.study = str((_values(subjects, "STUDYID") or ["STUDY"])[0])
    found.subject = next((c for c in ("USUBJID", "SUBJID") if c in names), names[0])
    found.planned = next((c for c in ("TRT01P", "ARM", "ACTARM") if c in names), "")
    if not found.planned:
        raise DataError("ADSL has no planned arm (TRT01P or ARM)", where="ADSL")
    found.actual = "TRT01A" if "TRT01A" in names else found.planned
    found.arms = _arms(subjects, found.planned)
    found.reference = next((a for a in found.arms if REFERENCE.search(a)), found.arms[0])
    found.flags = {FLAGS[c]: c for c in FLAGS if c in names}
    found.covariates = tuple(c for c in COVARIATES if c in names)
    found.baseline_total = "BLALSFR" if "BLALSFR" in names else ""
    for name, table in tables.items():
        _look_at(found, name, table)
    return found


def _look_at(found: Found, name: str, table: Any) -> None:
    columns = table.column_names
    if "CNSR" in columns and "PARAMCD" in columns:
        titles = dict(zip(_values(table, "PARAMCD"), _values(table, "PARAM") or _values(table, "PARAMCD"), strict=True))
        found.events += [(name, str(code), str(title)) for code, title in sorted(titles.items())]
    elif "AEDECOD" in columns:
        found.adverse = name
    elif {"PARAMCD", "AVAL", "AVISITN"} <= set(columns):
        _visits(found, table)
        found.parameters += _parameters(found, name, table)


def _visits(found: Found, table: Any) -> None:
    labels = [str(v) for v in _values(table, "AVISIT")] if "AVISIT" in table.column_names else []
    for word, unit in UNITS.items():
        if not found.unit and any(re.match(rf"{word}s?\b", text, re.IGNORECASE) for text in labels):
            found.unit = unit
    if "ABLFL" in table.column_names:
        pairs = zip(_column(table, "ABLFL"), _column(table, "AVISITN"), strict=True)
        numbers = [n for flag, n in pairs if flag == "Y" and n is not None]
        if numbers:
            found.baseline = max(set(numbers), key=numbers.count)


def _parameters(found: Found, name: str, table: Any) -> Iterable[Parameter]:
    visits: dict[str, set[float]] = {}
    keys: set[tuple[Any, ...]] = set()
    repeated: set[str] = set()
    titles = dict(zip(_column(table, "PARAMCD"), _column(table, "PARAM"), strict=True)) if "PARAM" in table.column_names else {}
    columns = (found.subject, "PARAMCD", "AVISITN", "AVAL")
    for subject, code, number, value in zip(*(_column(table, c) for c in columns), strict=True):
        if code is None or number is None or value is None:
            continue
        if (subject, code, number) in keys:
            repeated.add(code)
        keys.add((subject, code, number))
        if number > found.baseline:
            visits.setdefault(code, set()).add(number)
    made = [
        Parameter(name, code, str(titles.get(code) or code), tuple(sorted(v)), code in repeated)
        for code, v in visits.items()
        if len(v) >= 2
    ]
    totals = [p for p in made if TOTAL.search(p.code) or TOTAL.search(p.title)]
    kept = totals or made
    return kept[:MOST]


def proposal(found: Found) -> tuple[str, list[str]]:
    """The text of study.toml and the list of what a person must check."""
    doubts = [
        "the reference arm and the order of the arms",
        "each comparison's horizon and which are primary",
        "covariates, better, and level of each endpoint",
    ]
    if not found.unit:
        doubts.append("visits.unit: no visit label says months, weeks or days")
    if not found.flags:
        doubts.append("populations: ADSL has no usual flag column")
    parts = [_head(found), _comparisons(found), *_endpoints(found, doubts)]
    return "\n".join(parts), doubts


def _head(found: Found) -> str:
    flags = found.flags or {"All": "SAFFL"}
    populations = "\n".join(f"{name} = {_q(column)}" for name, column in flags.items())
    return f"""# Proposed by alsbench init from the data. Lines marked CHECK are guesses.
schema = 1

[study]
id = {_q(found.study)}
title = {_q(found.study)}  # CHECK
subject = {_q(found.subject)}

[arms]
planned = {_q(found.planned)}
actual = {_q(found.actual)}
reference = {_q(found.reference)}  # CHECK
order = [{", ".join(_q(a) for a in _ordered(found))}]

[populations]
{populations}
default = {_q(next(iter(flags)))}  # CHECK

[visits]
unit = {_q(found.unit or "month")}  # CHECK
baseline = {found.baseline:g}
"""


def _comparisons(found: Found) -> str:
    horizon = max((p.visits[-1] for p in found.parameters), default=12.0)
    lines = [
        f"[[comparisons]]\ntreatment = {_q(arm)}\nhorizon = {horizon:g}  # CHECK: the last visit found\n"
        for arm in found.arms
        if arm != found.reference
    ]
    return "\n".join(lines)


def _endpoints(found: Found, doubts: list[str]) -> list[str]:
    parts: list[str] = []
    used: set[str] = set()
    covariates = ", ".join(_q(c) for c in found.covariates)
    function = ""
    for p in found.parameters:
        name = _name(p.code, used)
        biomarker = bool(BIOMARKER.search(p.code) or BIOMARKER.search(p.title))
        lines = [
            f"[endpoints.{name}]",
            f"title = {_q(p.title)}",
            'method = "mmrm"',
            f"dataset = {_q(p.dataset)}",
            f"paramcd = {_q(p.code)}",
        ]
        lines += [f"covariates = [{covariates}]  # CHECK"] if covariates else []
        lines += ['scale = "log"', 'better = "lower"'] if biomarker else ['better = "higher"  # CHECK']
        if p.repeated:
            doubts.append(f"{p.dataset}.{p.code} has several records of a subject at a visit: see endpoints.{name}.where")
            lines.append("where = \"ANL01FL == 'Y'\"  # CHECK")
        parts.append("\n".join(lines) + "\n")
        if not function and (TOTAL.search(p.code) or TOTAL.search(p.title)):
            function = name
    for dataset, code, title in found.events:
        name = _name(code, used)
        head = [
            f"[endpoints.{name}]",
            f"title = {_q(title)}",
            'method = "time_to_event"',
            f"dataset = {_q(dataset)}",
            f"paramcd = {_q(code)}",
        ]
        parts.append("\n".join(head) + "\n")
    if function and found.events:
        dataset, code, _ = found.events[0]
        extra = ([found.baseline_total] if found.baseline_total else []) + list(found.covariates)
        name = _name("cafs", used)
        parts.append(
            f'[endpoints.{name}]\ntitle = "CAFS (joint rank)"\nmethod = "joint_rank"\nfunction = {_q(function)}\n'
            f"event = {{ dataset = {_q(dataset)}, paramcd = {_q(code)} }}  # CHECK\n"
            f"covariates = [{', '.join(_q(c) for c in extra)}]  # CHECK\n"
            'better = "higher"\nlevel = "primary"  # CHECK\n'
        )
    if found.adverse:
        parts.append(
            f'[endpoints.{_name("ae", used)}]\ntitle = "Adverse events"\nmethod = "incidence"\ndataset = {_q(found.adverse)}\n'
        )
    parts.append(f'[endpoints.{_name("baseline", used)}]\ntitle = "Baseline characteristics"\nmethod = "baseline"\n')
    return parts


def _name(code: str, used: set[str]) -> str:
    base = re.sub(r"[^a-z0-9_]+", "_", code.lower()).strip("_") or "endpoint"
    name, k = base, 2
    while name in used:
        name, k = f"{base}_{k}", k + 1
    used.add(name)
    return name


def _ordered(found: Found) -> list[str]:
    return [found.reference, *(a for a in found.arms if a != found.reference)]


def _arms(table: Any, planned: str) -> tuple[str, ...]:
    """Arm labels, by their number where the data have one, else in order of appearance."""
    labels = [str(v) if v is not None else None for v in _column(table, planned)]
    number = f"{planned}N"
    keys = _column(table, number) if number in table.column_names else range(len(labels))
    first: dict[str, Any] = {}
    for text, key in zip(labels, keys, strict=True):
        if text and key is not None:
            first[text] = min(key, first.get(text, key))
    arms = tuple(sorted(first, key=lambda a: first[a]))
    if len(arms) < 2:
        raise DataError(f"ADSL.{planned} names {len(arms)} arm; a comparison needs two", where="ADSL")
    return arms


def _values(table: Any, name: str) -> list[Any]:
    return [v for v in _column(table, name) if v is not None] if name in table.column_names else []


def _column(table: Any, name: str) -> list[Any]:
    return list(table.column(name).to_pylist())


def _q(text: str) -> str:
    """A TOML string (JSON's escapes are a subset of TOML's)."""
    return json.dumps(text, ensure_ascii=False)
