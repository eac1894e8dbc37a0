"""Who is in the trial: subjects per arm by analysis set, discontinuations and deaths, and one subject's course.

Counts are by planned arm. Discontinuation and death are read from the subject-level table (EOSSTT or DCSREAS; DTHFL or
DTHDT); a table without these columns, or with nothing in them, gives no count rather than zero. DTHFL is Y or blank (SDTM,
ADaM): a blank is no death; a word that says neither yes nor no counts as the worst.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsbench.analysis.source import SUBJECT_TABLE, BoolArray, Source
from alsbench.data import codelists
from alsbench.errors import UsageError
from alsbench.study.names import nearest
from alsbench.study.sql import Where, quote

ALL_ARMS = "all arms"
STAYED = re.compile(r"^(?!.*\bNOT\b).*(?:COMPLET|ONGOING|CONTINUING)")  # words of EOSSTT
LEFT = re.compile(r"DISCONTINU|WITHDR|TERMINAT|DROP|DEATH|DIED|LOST|NOT COMPLETED")
COURSE = ("PARAMCD", "PARAM", "AVISITN", "AVISIT", "ADY", "AVAL", "BASE", "CHG")
EVENTS: dict[str, tuple[str, ...]] = {
    "ADTTE": ("PARAMCD", "PARAM", "AVAL", "CNSR", "EVNTDESC", "ADT"),
    "ADAE": ("AEDECOD", "AEBODSYS", "ASTDT", "AENDT", "AESEV", "AESER", "AEREL", "TRTEMFL"),
    "ADEX": ("EXTRT", "EXDOSE", "EXDOSU", "ASTDT", "ASTDY", "AENDT", "VISIT", "AVISIT"),
}


@dataclass(frozen=True)
class ArmDisposition:
    """Subjects of one planned arm. ``populations`` is by name; ``discontinued`` and ``deaths`` are None where unknown."""

    arm: str
    label: str
    randomised: int
    populations: dict[str, int]
    discontinued: int | None
    deaths: int | None


@dataclass(frozen=True)
class TableRows:
    """Rows of one table: column names and values, None where missing."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Profile:
    """One subject: ``facts`` (column, label, value) of the subject-level table, the ``course`` of every analysed
    parameter, and ``events`` by table."""

    subject: str
    facts: tuple[tuple[str, str, Any], ...]
    course: tuple[TableRows, ...]
    events: tuple[TableRows, ...]


def arm_counts(source: Source, members: BoolArray | None = None) -> tuple[ArmDisposition, ...]:
    """A count for each arm of the study, in its order, and one for all of them; of ``members`` only where given."""
    inside = np.ones(len(source.subjects), dtype=np.bool_) if members is None else members
    study, codes = source.study, source.planned_arm
    gone, dead = discontinued(source), died(source)
    groups = [(arm, study.arms.labels.get(arm, ""), inside & (codes == i)) for i, arm in enumerate(study.arms.order)]
    groups.append((ALL_ARMS, "", inside & (codes >= 0)))
    return tuple(
        ArmDisposition(
            arm,
            title,
            int(mask.sum()),
            {name: int((mask & source.population(name)).sum()) for name in study.populations.flags},
            None if gone is None else int((mask & gone).sum()),
            None if dead is None else int((mask & dead).sum()),
        )
        for arm, title, mask in groups
    )


def discontinued(source: Source) -> BoolArray | None:
    """Who left the study early; None where the data do not say."""
    words = _words(source, "EOSSTT")
    if any(words):
        return np.array([bool(w) and not STAYED.search(w) for w in words], dtype=np.bool_)
    reasons = _words(source, "DCSREAS")
    return np.array([bool(w) and not STAYED.search(w) for w in reasons], dtype=np.bool_) if any(reasons) else None


def died(source: Source) -> BoolArray | None:
    """Who died; None where the data do not say."""
    told = np.array([bool(w) and codelists.yes(w) != 0.0 for w in _words(source, "DTHFL")], dtype=np.bool_)
    dated = np.zeros(told.size, dtype=np.bool_)
    if "DTHDT" in source.subjects.columns and source.subjects.kind("DTHDT") == "date":
        dated = np.asarray(~np.isnat(source.subjects["DTHDT"]), dtype=np.bool_)
    return told | dated if dated.any() or any(_words(source, "DTHFL")) else None


def roster_notes(source: Source) -> tuple[str, ...]:
    """What the columns of death and discontinuation do not tell, and how it was counted."""
    flags, ends = _words(source, "DTHFL"), _words(source, "EOSSTT")
    notes = [
        *_unknown_words("DTHFL", [w for w in flags if w and codelists.yes(w) != codelists.yes(w)], "deaths"),
        *_unknown_words("EOSSTT", [w for w in ends if w and not (STAYED.search(w) or LEFT.search(w))], "discontinuations"),
    ]
    blank = sum(not w for w in ends)
    if blank and any(ends):
        notes.append(f"EOSSTT is blank for {_subjects(blank)}: not counted as discontinuations")
    for columns, what, told in (
        (("DTHFL", "DTHDT"), "deaths", died(source)),
        (("EOSSTT", "DCSREAS"), "discontinuations", discontinued(source)),
    ):
        present = [c for c in columns if c in source.subjects.columns]
        if told is None and "DTHDT" in present and source.subjects.kind("DTHDT") != "date" and any(source.subjects["DTHDT"]):
            notes.append("DTHDT is no date: deaths are not counted")
        elif present and told is None:
            verb = "are" if len(present) > 1 else "is"
            notes.append(f"{' and '.join(present)} {verb} blank throughout: how many {what} there were is unknown, not zero")
    return tuple(notes)


def _unknown_words(column: str, words: Sequence[str], what: str) -> list[str]:
    return (
        [f"{column} not known for {_subjects(len(words))} ({codelists.listed(set(words))}): counted as {what}"] if words else []
    )


def _subjects(n: int) -> str:
    return f"{n} subject{'s' * (n != 1)}"


def _words(source: Source, column: str) -> list[str]:
    if column not in source.subjects.columns or source.subjects.kind(column) == "date":
        return [""] * len(source.subjects)
    return [codelists.word(v) for v in source.subjects[column].tolist()]


def subject_profile(source: Source, subject: str) -> Profile:
    """Everything a page on one subject needs. Raises UsageError, naming the nearest id, where there is no such subject."""
    if subject not in source.subject_index:
        raise UsageError(f"no subject has the id {subject}", where=SUBJECT_TABLE, hint=nearest(subject, source.subject_ids))
    key = source.study.info.subject
    info = source.snapshot.table(SUBJECT_TABLE)
    own = _rows(source, SUBJECT_TABLE, [c.name for c in info.columns], subject, ())
    values = own.rows[0]
    facts = tuple((c.name, c.label, v) for c, v in zip(info.columns, values, strict=True) if v is not None)
    course = []
    for dataset, codes in _parameters(source).items():
        columns = [c for c in COURSE if c in source.snapshot.table(dataset)]
        found = _rows(source, dataset, columns, subject, [c for c in ("PARAMCD", "AVISITN") if c in columns])
        if "PARAMCD" in columns:
            at = columns.index("PARAMCD")
            found = TableRows(dataset, found.columns, tuple(r for r in found.rows if r[at] in codes))
        if found.rows:
            course.append(found)
    events = []
    for table, wanted in EVENTS.items():
        if table in source.snapshot.tables and key in source.snapshot.tables[table]:
            columns = [c for c in wanted if c in source.snapshot.tables[table]]
            order = [c for c in ("ASTDT", "PARAMCD") if c in columns]
            happened = _rows(source, table, columns, subject, order) if columns else TableRows(table, (), ())
            if happened.rows:
                events.append(happened)
    return Profile(subject, facts, tuple(course), tuple(events))


def _parameters(source: Source) -> dict[str, set[str]]:
    """Data sets and parameter codes of the endpoints that are followed over visits."""
    found: dict[str, set[str]] = {}
    for endpoint in source.study.endpoints.values():
        dataset = endpoint.dataset.upper()
        if endpoint.method in {"mmrm", "ancova", "slope"} and dataset in source.snapshot.tables and endpoint.paramcd:
            found.setdefault(dataset, set()).add(endpoint.paramcd)
    return found


def _rows(source: Source, table: str, columns: Sequence[str], subject: str, order_by: Sequence[str]) -> TableRows:
    where = Where(f"{quote(source.study.info.subject)} = ?", (subject,))
    limit = source.snapshot.table(table).rows
    rows = source.snapshot.page(table, columns, offset=0, limit=limit, where=where, order_by=order_by)
    return TableRows(table, tuple(columns), tuple(tuple(r) for r in rows))
