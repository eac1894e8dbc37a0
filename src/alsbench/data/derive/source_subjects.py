"""What tables that are no ADaM say of each subject: arms, dates, flags, baseline; ADSL and the time to death from it.

A fact is the first value that is there, in the tables of subjects before those of visits; contradictions are reported. A
subject with two arms is in none. The rate of progression is (48 - baseline total) / months from onset to the first dose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.source_columns import NAT, SourceTable, safe
from alsbench.data.derive.source_visits import days_between
from alsbench.data.derive.tables import (
    DerivedColumn,
    Floats,
    ParameterRecords,
    SubjectArms,
    Values,
    build,
    date,
    flag,
    number,
    text,
)
from alsbench.data.derive.windows import Flags, Ints
from alsbench.errors import DataError
from alsbench.study.als import MAX_TOTAL
from alsbench.study.local_words import Words, said_word
from alsbench.study.model import DAYS_PER_UNIT, SourceMap

TOTAL = "ALSFRSR"
SHORTEST_ONSET = 30  # days before baseline; a rate over less is missing
_LABELS = {
    "AGE": "Age", "SEX": "Sex", "ONSETSIT": "Site of Onset", "RILUFL": "Riluzole Use Flag",
    "LEADRATE": "Progression Rate before Baseline",
}  # fmt: skip
_BASELINES = {TOTAL: "BLALSFR", "SVCPP": "BLSVC", "FVCPP": "BLFVC", "NFL": "BLNFL"}


@dataclass(frozen=True)
class SubjectFacts:
    """The subjects that tables name and what these say of them; every answer is in the order of ``ids`` (subjects,)."""

    tables: Sequence[SourceTable]
    source: SourceMap
    words: Words
    report: DerivationReport

    @cached_property
    def position(self) -> dict[str, int]:
        """Where each subject stands: those of the last table first."""
        found: dict[str, int] = {}
        for table in reversed(self.tables):
            for subject in table.coded(table.subject).counts():
                found.setdefault(subject, len(found))
        return found

    @cached_property
    def ids(self) -> Values:
        return np.array(list(self.position), dtype=object)

    def who(self, table: SourceTable) -> Ints:
        """The position of the subject of each row (rows,), -1 where none is named."""
        held = table.coded(table.subject)
        return np.array([*(self.position.get(w, -1) for w in held.words), -1], dtype=np.int64)[held.at]

    @cached_property
    def arms(self) -> SubjectArms:
        """Arms by subject; ways to write one arm that differ in case and blanks only are one."""
        said, apart = self._first(self.source.arm, SourceTable.texts)
        often = Counter(v for v in said if v is not None)
        spellings: dict[str, list[str]] = {}
        for arm, _ in often.most_common():
            spellings.setdefault(said_word(arm), []).append(arm)
        for several in (s for s in spellings.values() if len(s) > 1):
            rows = np.flatnonzero([v in several[1:] for v in said])
            what = f"{{n}} subjects have another spelling of the arm {safe(several[0])}: {safe(', '.join(several[1:]))}"
            self.report.found("source-arm-spelling", "warning", self.tables[-1].name, what, rows + 1, self.ids[rows])
        one = [None if v is None else spellings[said_word(v)][0] for v in said]
        two = [i for i, others in apart.items() if said_word(said[i]) not in {said_word(o) for o in others} or len(others) > 1]
        what = f"{{n}} subjects have more than one arm in {safe(self.source.arm)}: they are in no arm and in no analysis set"
        self.report.found(
            "source-two-arms", "warning", self.tables[-1].name, what, np.array(two, dtype=np.int64) + 1, self.ids[two]
        )
        for i in two:
            one[i] = None
        without = np.array([i for i, v in enumerate(one) if v is None and i not in two], dtype=np.int64)
        what = "{n} subjects have no arm; they are in no analysis set"
        self.report.found("source-no-arm", "warning", self.tables[-1].name, what, without + 1, self.ids[without])
        arms = {s: v for s, v in zip(self.ids.tolist(), one, strict=True) if v is not None}
        return SubjectArms("STUDY", self.ids, arms, arms)

    @cached_property
    def armed(self) -> Flags:
        return np.array([s in self.arms.planned for s in self.ids], dtype=bool)

    def texts(self, column: str) -> Values:
        return self._reported(column, SourceTable.texts)

    def numbers(self, column: str) -> Floats:
        found = self._reported(column, lambda t, c: t.numbers(c, self.report))
        return np.array([np.nan if v is None else v for v in found], dtype=np.float64)

    def dates(self, column: str) -> Values:
        found = self._reported(column, lambda t, c: t.dates(c, self.source.dates, self.report))
        return np.array([NAT if v is None else v for v in found], dtype="datetime64[D]")

    def is_number(self, column: str) -> bool:
        return all(t.is_number(column) for t in self._holders(column))

    def _holders(self, column: str) -> list[SourceTable]:
        found = [t for t in reversed(self.tables) if column in t]
        if not found:
            raise self.tables[0].absent(column, list(dict.fromkeys(n for t in self.tables for n in t.names)))
        return found

    def _reported(self, column: str, read: Callable[[SourceTable, str], Values]) -> Values:
        if not column:
            return np.full(self.ids.size, None, dtype=object)
        found, apart = self._first(column, read)
        rows = np.array(sorted(apart), dtype=np.int64)
        what = f"{{n}} subjects have more than one value of {safe(column)}: the first counts"
        self.report.found("source-conflict", "warning", self._holders(column)[0].name, what, rows + 1, self.ids[rows])
        return found

    def _first(self, column: str, read: Callable[[SourceTable, str], Values]) -> tuple[Values, dict[int, set[object]]]:
        """The first value of each subject (subjects,), None where there is none; and the other values of those who have any."""
        found: Values = np.full(self.ids.size, None, dtype=object)
        apart: dict[int, set[object]] = {}
        for table in self._holders(column):
            values, who = read(table, column), self.who(table)
            there = (who >= 0) & ~_gone(values)
            rows = np.flatnonzero(there)
            subjects, first = np.unique(who[rows], return_index=True)
            new = np.array([found[s] is None for s in subjects.tolist()], dtype=bool)
            found[subjects[new]] = values[rows[first[new]]]
            other = rows[_differ(values[rows], found[who[rows]])]
            for s, v in zip(who[other].tolist(), values[other].tolist(), strict=True):
                apart.setdefault(s, set()).add(v)
        return found, apart


def _gone(values: Values) -> Flags:
    if values.dtype == object:
        return np.array([v is None for v in values], dtype=bool)
    return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)


def _differ(values: Values, others: Values) -> Flags:
    """Where values differ from those of an object array (rows,)."""
    if values.dtype.kind == "M":
        return np.asarray(values != others.astype("datetime64[D]"), dtype=bool)
    return np.asarray(values != (others if values.dtype == object else others.astype(np.float64)), dtype=bool)


def subject_table(facts: SubjectFacts, start: Values, blocks: Mapping[str, Sequence[ParameterRecords]]) -> Dataset:
    """ADSL: arms, analysis sets, baseline, first dose, death, and the baseline of each outcome."""
    source, ids, report = facts.source, facts.ids, facts.report
    columns: list[DerivedColumn] = [*facts.arms.head(ids), *_flags(facts)]
    for name, column in source.baseline.items():
        columns.append(_baseline_column(facts, name, column))
    if not np.isnat(start).all():
        columns.append(date("TRTSDT", "Date of First Exposure", start))
    if source.death or source.died:
        when, died = death_dates(facts)
        columns += [date("DTHDT", "Date of Death", when), flag("DTHFL", "Death Flag", died)]
    taken = {c.name for c in columns}
    for block in (b for held in blocks.values() for b in held if b.code in _BASELINES and _BASELINES[b.code] not in taken):
        base = _baseline_of(block, facts)
        columns.append(number(_BASELINES[block.code], f"Baseline {block.title}", base))
        if block.code == TOTAL and source.onset_date:
            since = days_between(start, facts.dates(source.onset_date))
            months = np.where(since >= SHORTEST_ONSET, since / DAYS_PER_UNIT["month"], np.nan)
            columns.append(number("PROGRATE", "(48 - Baseline ALSFRS-R) / Months since Onset", (MAX_TOTAL - base) / months))
            how = f"months from {source.onset_date} to TRTSDT; none below {SHORTEST_ONSET} d"
            report.step("ADSL", f"PROGRATE: (48 - baseline total) / {how}")
            early = np.flatnonzero(since < 0)
            what = f"{{n}} subjects have an onset ({safe(source.onset_date)}) after the first dose: no rate of progression"
            report.found("source-onset", "warning", "ADSL", what, early + 1, ids[early])
    named = ", ".join(t.name for t in facts.tables)
    report.step("ADSL", f"subjects: everybody {named} name; arms from {source.arm} (planned and actual are one)")
    return build("ADSL", "Subject-Level Analysis", columns, report.remarks("ADSL"))


def _baseline_of(block: ParameterRecords, facts: SubjectFacts) -> Floats:
    found = np.full(facts.ids.size, np.nan)
    at = block.placed.baseline
    found[block.group[at]] = block.value[at]
    return found


def _flags(facts: SubjectFacts) -> list[DerivedColumn]:
    """Analysis sets by the words of yes and no, or everybody with an arm where no column tells; else in none."""
    source, report = facts.source, facts.report
    if not source.flags:
        report.step("ADSL", "FASFL, SAFFL: an arm is known, for the data have no flag")
        return [flag(n, t, facts.armed, no="N") for n, t in (("FASFL", "Full Analysis Set Flag"), ("SAFFL", "Safety Flag"))]
    listed = ", ".join(f"{n} from {c}" for n, c in source.flags.items())
    report.step("ADSL", f"analysis sets: {listed}, by the words of yes and no")
    columns = []
    for name, column in source.flags.items():
        said = facts.texts(column)
        _unread(facts, column, said)
        found = [facts.words.flag(v) for v in said]
        columns.append(text(name, name, ["N" if v == "Y" and not a else v for v, a in zip(found, facts.armed, strict=True)]))
    return columns


def _unread(facts: SubjectFacts, column: str, said: Values) -> None:
    odd = np.flatnonzero([v is not None and facts.words.flag(v) is None for v in said])
    words = safe(", ".join(sorted(set(said[odd].tolist()))))
    what = f"{{n}} subjects have a word in {safe(column)} that says neither yes nor no ([words] may say): {words}"
    facts.report.found("source-word", "warning", "ADSL", what, odd + 1, facts.ids[odd])


def _baseline_column(facts: SubjectFacts, name: str, column: str) -> DerivedColumn:
    """A subject-level column under its ADaM name: numbers as is; flags, sexes and sites of onset by the table of words."""
    label = _LABELS.get(name, column)
    known = facts.words.meanings(name)
    if not known and name != "RILUFL" and facts.is_number(column):
        return number(name, label, facts.numbers(column))
    said = facts.texts(column)
    if name == "RILUFL":
        _unread(facts, column, said)
        facts.report.step("ADSL", f"{name}: {column} by the words of yes and no")
        return text(name, label, [facts.words.flag(v) for v in said])
    if known:
        facts.report.step("ADSL", f"{name}: {column} by the table of words; a word that is not in it stays")
        odd = np.flatnonzero([v is not None and said_word(v) not in known for v in said])
        words = safe(", ".join(sorted(set(said[odd].tolist()))[:6]))
        what = f"{{n}} subjects have a word in {safe(column)} that the table of words does not know ([words] may say): {words}"
        facts.report.found("source-word", "warning", "ADSL", what, odd + 1, facts.ids[odd])
    return text(name, label, [None if v is None else known.get(said_word(v), v) for v in said])


def death_dates(facts: SubjectFacts) -> tuple[Values, Flags]:
    """Dates of death (subjects,), and who died: a date, or a yes of ``source.died``, which the last contact then dates."""
    source, report = facts.source, facts.report
    when = facts.dates(source.death)
    died: Flags = ~np.isnat(when)
    if source.died:
        said = facts.texts(source.died)
        yes = np.array([facts.words.died(v) is True for v in said])
        odd = np.flatnonzero([v is not None and facts.words.died(v) is None for v in said])
        words = safe(", ".join(sorted(set(said[odd].tolist()))[:6]))
        what = f"{{n}} subjects have a word in {safe(source.died)} that says neither dead nor alive: {words}"
        report.found("source-word", "warning", "ADSL", what, odd + 1, facts.ids[odd])
        contradict = np.flatnonzero(died & np.array([facts.words.died(v) is False for v in said]))
        what = f"{{n}} subjects have a date of death though {safe(source.died)} says alive: the date counts"
        report.found("source-death", "warning", "ADSL", what, contradict + 1, facts.ids[contradict])
        contact = facts.dates(source.last_contact)
        when = np.where(yes & np.isnat(when), contact, when)
        lost = np.flatnonzero(yes & np.isnat(when))
        what = "{n} subjects died at no known date: their time ends at the last value, with the event"
        report.found("source-death", "warning", "ADSL", what, lost + 1, facts.ids[lost])
        died = died | yes
        report.step(
            "ADSL", f"DTHFL: a date of death, or yes in {source.died}, which {source.last_contact or 'no column'} dates"
        )
    return when, died


def time_to_death(facts: SubjectFacts, start: Values, latest: Values) -> list[Dataset]:
    """DEATH in days from the first dose, which is day 1; censored at the last contact, else at the last visit with a value."""
    source, report = facts.source, facts.report
    if not (source.death or source.died):
        return []
    if np.isnat(start).all():
        raise DataError(
            "time to death needs a date of the first dose or of visits",
            where="study.toml source",
            hint="source.first_dose, or leave out source.death",
        )
    when, everybody_died = death_dates(facts)
    keep = ~np.isnat(start)
    ids, begin, died, when = facts.ids[keep], start[keep], everybody_died[keep], when[keep]
    left = np.flatnonzero(~keep & facts.armed)
    what = "{n} subjects have no first dose and no dated visit: no time to death"
    report.found("source-no-start", "warning", "ADTTE", what, left + 1, facts.ids[left])
    last = np.fmax(np.fmax(facts.dates(source.last_contact)[keep], latest[keep]), begin)
    end = np.where(np.isnat(when), last, when)
    early = np.flatnonzero(end < begin)
    what = "{n} times end before the first dose: they end on it"
    report.found("source-early", "warning", "ADTTE", what, early + 1, ids[early])
    after = np.flatnonzero(~np.isnat(when) & (latest[keep] > when))
    what = "{n} subjects have a value after their death"
    report.found("source-after-death", "warning", "ADTTE", what, after + 1, ids[after])
    end = np.where(end < begin, begin, end)
    told = source.death or source.died
    how = f"DEATH: {told}; censored at {source.last_contact or 'no date'} or the last value, the later; AVAL = ADT - TRTSDT + 1"
    report.step("ADTTE", how)
    columns = [
        *facts.arms.head(ids),
        text("PARAMCD", "Parameter Code", ["DEATH"] * ids.size),
        text("PARAM", "Parameter", ["Time to Death (days)"] * ids.size),
        number("AVAL", "Analysis Value", (end - begin).astype(float) + 1),
        number("CNSR", "Censor", (~died).astype(float)),
        text("EVNTDESC", "Event or Censoring Description", np.where(died, "DEATH", "LAST CONTACT")),
        date("STARTDT", "Time to Event Origin Date for Subject", begin),
        date("ADT", "Analysis Date", end),
    ]
    return [build("ADTTE", "Time to Death", columns, report.remarks("ADTTE"))]
