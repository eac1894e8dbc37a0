"""What the columns of data that are not ADaM hold, guessed from names and values: a ``[source]`` table to be corrected.

``init`` alone uses this. What is guessed is marked CHECK in the study file; what could not be told is said with the columns
that came nearest. Loading goes by the study file only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from alsbench.data.dataset import Dataset
from alsbench.data.derive.adam_like import PREFIX, SUBJECTS, is_adam_name
from alsbench.data.derive.source_columns import SourceTable
from alsbench.data.text_dates import detect_format
from alsbench.study.local_words import item_number, meaning, plain, population, visit_time, words_with
from alsbench.study.model import DateOrder, SourceMap, SourceParameter, VisitUnit
from alsbench.study.names import near

PARAMETERS = ("alsfrs", "fvc", "svc", "nfl")
BASELINE = ("AGE", "SEX", "ONSETSIT", "RILUFL", "LEADRATE")
_DATES = ("date", "death", "last_contact", "first_dose", "onset_date")
_FLAG_NAMES = {
    "FAS": "FASFL",
    "Efficacy": "EFFFL",
    "mITT": "MITTFL",
    "ITT": "ITTFL",
    "Randomised": "RANDFL",
    "PP": "PPROTFL",
    "Safety": "SAFFL",
}
_EFFICACY = {"FAS", "Efficacy", "mITT", "ITT", "Randomised"}
_PER_VISIT = re.compile(
    r"(?P<what>.+?)_?(?P<visit>(?:bl|base(?:line)?)|(?:v|visit|m|mon|month|monat|mois|mes|w|wk|week|woche)_?\d+|\d+_?(?:개월|か月|ヶ月|个月|m|mo|주|週|周))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RecognisedSource:
    """A ``[source]`` table, the unit of its visits, and what could not be told."""

    source: SourceMap
    unit: VisitUnit
    doubts: tuple[str, ...] = field(default=())


def recognise(datasets: Sequence[Dataset]) -> RecognisedSource | None:
    """What data are where they are not plain ADaM; None where they need no ``[source]``, or nothing like a trial is found."""
    if any(d.name == SUBJECTS for d in datasets):
        return _adam_like(datasets)
    found = [_Roles(d) for d in datasets]
    usable = sorted((r for r in found if r.weight), key=lambda r: (-r.weight, r.dataset.name))
    return usable[0].recognised([r for r in found if r is not usable[0]]) if usable else None


class _Roles:
    """Columns of one data set by what their names, and where needed their values, say they hold."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.names = [c.name for c in dataset.columns]
        self.roles: dict[str, str] = {}
        for name in self.names:
            self.roles.setdefault(meaning(name), name)
        self.roles.pop("", None)
        self.items = {n: c for c in self.names if (n := item_number(c))}
        self.flags = {p: c for c in self.names if (p := population(c))}
        self.per_visit = self._per_visit()
        self.measured = [p for p in PARAMETERS if p in self.roles]

    def _per_visit(self) -> dict[str, dict[str, str]]:
        """By parameter its columns by visit, for tables with a column for each visit."""
        found: dict[str, dict[str, str]] = {}
        for name in self.names:
            held = plain(name)
            match = _PER_VISIT.fullmatch(held)
            what = meaning(match["what"]) if match else ""
            if match and what in PARAMETERS:
                found.setdefault(what, {})[match["visit"]] = name
        return {what: columns for what, columns in found.items() if len(columns) > 1}

    @property
    def weight(self) -> int:
        """How much of a trial a table tells: 0 for one that holds no outcome over time."""
        if "subject" not in self.roles:
            return 0
        if self.per_visit:
            return sum(map(len, self.per_visit.values()))
        timed = any(r in self.roles for r in ("visit", "visit_number", "date"))
        outcome = self.measured or len(self.items) == 12
        return len(self.roles) + len(self.items) if timed and outcome and self._repeats() else 0

    def _repeats(self) -> bool:
        subjects = [s for s in SourceTable(self.dataset, self.roles["subject"]).subjects if s is not None]
        return len(set(subjects)) < len(subjects)

    def recognised(self, others: Sequence[_Roles]) -> RecognisedSource:
        subject = self.roles["subject"]
        beside = [r for r in others if r.roles.get("subject") == subject and not r.weight and len(r.roles) > 1]
        chosen = beside[:1]
        roles = {**{k: v for r in chosen for k, v in r.roles.items()}, **self.roles}
        doubts: list[str] = []
        parameters: dict[str, str | SourceParameter]
        left = [r.dataset.name for r in others if r not in chosen]
        if left:
            doubts.append(f"source.files: not read for the analysis: {', '.join(left)}")
        unit: VisitUnit = "month"
        visit = ""
        if not self.per_visit:
            visit, unit = self._visit()
        table = SourceTable(self.dataset, subject)
        baseline = {name: roles[name] for name in BASELINE if name in roles}
        flags: dict[str, str] = {}
        words = words_with()
        for held, reader in [*((r, SourceTable(r.dataset, subject)) for r in chosen), (self, table)]:
            flags |= {_FLAG_NAMES[p]: c for p, c in held.flags.items() if words.are_flags(reader.texts(c))}
        if not {population(f) for f in flags} & _EFFICACY:
            flags = {}
        for role in ("arm", "death", "last_contact"):
            if role not in roles:
                close = sorted({n for r in (self, *chosen) for n in near(role, [plain(x) for x in r.names])})
                doubts.append(f"source.{role}: no column tells{'; nearest: ' + ', '.join(close) if close else ''}")
        if self.per_visit:
            unit, parameters = self._columns()
        else:
            parameters = {p: roles[p] for p in self.measured}
            if len(self.items) == 12:
                items = tuple(self.items[n] for n in range(1, 13))
                parameters["alsfrs"] = SourceParameter(total=self.roles.get("alsfrs", ""), items=items)
            elif self.items:
                doubts.append(f"source.parameters.alsfrs.items: {len(self.items)} of 12 items found")
        for p, what in (("alsfrs", "ALSFRS-R"), ("nfl", "NfL")):
            if p not in parameters:
                doubts.append(f"source.parameters.{p}: no column looks like {what}")
        if not {"fvc", "svc"} & set(parameters):
            doubts.append("source.parameters: no column looks like vital capacity")
        dates = {r: roles[r] for r in _DATES if r in roles and not (self.per_visit and r == "date")}
        if self.per_visit and "first_dose" not in dates and "death" in dates:
            doubts.append("source.first_dose: no column tells the first dose, so there is no time to death")
            dates.pop("death")
        order = self._order([*chosen, self], tuple(dates.values()), subject)
        if order is None:
            doubts.append("source.dates: day and month cannot be told apart; say which, day first is assumed")
        source = SourceMap(
            layout="columns" if self.per_visit else "visits",
            files=tuple(r.dataset.name for r in (self, *chosen)),
            subject=subject,
            arm=roles.get("arm", ""),
            visit=visit,
            dates="day/month/year" if order is None else order,
            parameters=parameters,
            baseline=baseline,
            flags=flags,
            **dates,
        )
        return RecognisedSource(source, unit, tuple(doubts))

    def _visit(self) -> tuple[str, VisitUnit]:
        """The column that says the visit, and the unit: a number of months or weeks, else a text that names a time."""
        for role in ("visit", "visit_number"):
            if role not in self.roles:
                continue
            table = SourceTable(self.dataset, self.roles["subject"])
            labels = {v for v in table.texts(self.roles[role]) if v is not None}
            if role == "visit_number" or table.is_number(self.roles[role]):
                held = plain(self.roles[role])
                return self.roles[role], "week" if re.search(
                    "week|woche|semain|주", held
                ) else "day" if "day" in held else "month"
            units = [t[1] for v in labels if (t := visit_time(v)) is not None and t[1]]
            if units or "visit_number" not in self.roles:
                return self.roles[role], max(("month", "week", "day"), key=units.count)
        return "", "month"

    def _columns(self) -> tuple[VisitUnit, dict[str, str | SourceParameter]]:
        keys = {k for columns in self.per_visit.values() for k in columns}
        unit: VisitUnit = "week" if any(re.match(r"w|.*[주週周]", k, re.IGNORECASE) for k in keys) else "month"
        found: dict[str, str | SourceParameter] = {}
        for what, columns in self.per_visit.items():
            numbered = {(re.search(r"\d+", k) or [0])[0]: c for k, c in columns.items()}
            found[what] = SourceParameter(
                columns={f"{float(n):g}": c for n, c in sorted(numbered.items(), key=lambda x: float(x[0]))}
            )
        return unit, found

    @staticmethod
    def _order(tables: Sequence[_Roles], columns: Iterable[str], subject: str) -> DateOrder | None:
        """How ambiguous date columns are written, by the others; empty where none is ambiguous, None where nothing tells."""
        ways: set[DateOrder] = set()
        ambiguous = False
        for roles in tables:
            table = SourceTable(roles.dataset, subject)
            for name in (c for c in tuple(columns) if c in table):
                if table.column(name).dtype.kind == "M":
                    continue
                counts: dict[str, int] = {}
                for v in table.texts(name):
                    if v is not None:
                        counts[str(v)] = counts.get(str(v), 0) + 1
                told = detect_format(counts)
                ambiguous = ambiguous or told.ambiguous
                orders: tuple[DateOrder, ...] = ("day/month/year", "month/day/year")
                ways |= {o for o in orders if told.way is not None and told.way.name == o}
        if not ambiguous:
            return ""
        return ways.pop() if len(ways) == 1 else None


def _adam_like(datasets: Sequence[Dataset]) -> RecognisedSource | None:
    """Whether ADaM data need to be made ADaM, and how."""
    adam = [d for d in datasets if is_adam_name(d.name)]
    subjects = next(d for d in adam if d.name == SUBJECTS)
    names = {c.name.upper(): c.name for c in subjects.columns}
    subject = next((names[n] for n in ("USUBJID", "SUBJID") if n in names), None)
    if subject is None:
        return None
    table = SourceTable(subjects, subject)
    words = words_with()
    by_meaning: dict[str, str] = {}
    for name in table.names:
        by_meaning.setdefault(meaning(name), name)
    arm = names.get("TRT01P") or names.get("ARM") or by_meaning.get("arm", "")
    if not arm:
        return None
    flags: dict[str, str] = {}
    for name in table.names:
        which = population(name)
        if which and words.are_flags(table.texts(name)):
            flags.setdefault(_FLAG_NAMES[which], name)
    wanted = bool({population(f) for f in flags} & _EFFICACY)
    plain_flags = all(set(table.texts(c)) <= {"Y", "N", None} and f == c for f, c in flags.items())
    in_capitals = all(c.name == c.name.upper() for d in adam for c in d.columns)
    numbered = all(
        "AVISITN" in cs or "PARAMCD" not in cs or "AVISIT" not in cs
        for cs in ({c.name.upper() for c in d.columns} for d in adam)
    )
    if in_capitals and numbered and plain_flags and wanted and arm in ("TRT01P", "ARM"):
        return None
    unit = _unit_of(adam)
    baseline = {n: c for n, c in by_meaning.items() if n in (*BASELINE, "BLALSFR", "BLNFL") and c.upper() != n}
    first = next((names[n] for n in ("TRTSDT", "RANDDT", "RFSTDT") if n in names), by_meaning.get("first_dose", ""))
    source = SourceMap(
        layout="adam-like", files=tuple(d.name for d in adam), subject=subject, arm=arm, first_dose=first, baseline=baseline,
        flags=flags if wanted else {},
    )  # fmt: skip
    doubts = (
        () if wanted else ("source.flags: no flag of an efficacy set such as FASFL or ITTFL; FASFL is everybody with an arm",)
    )
    return RecognisedSource(source, unit, doubts)


def _unit_of(datasets: Sequence[Dataset]) -> VisitUnit:
    units: list[str] = []
    for dataset in datasets:
        column = next((c.name for c in dataset.columns if c.name.upper() == "AVISIT"), None)
        if column is not None:
            labels = {v for v in dataset.table().column(column).to_pylist() if v}
            units += [t[1] for v in labels if (t := visit_time(str(v))) is not None and t[1]]
    return max(("month", "week", "day"), key=units.count)


def renamed_sources(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Data sets whose names derived tables will bear, as SRC_ and their name."""
    return [replace(d, name=f"{PREFIX}{d.name}") if is_adam_name(d.name) else d for d in datasets]
