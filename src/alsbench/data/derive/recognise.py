"""What the columns of data that are not ADaM hold, guessed from names, labels and values: a ``[source]`` table to be corrected.

``init`` alone uses this. What is guessed is marked CHECK in the study file; what could not be told is said with the columns
that came nearest. Loading goes by the study file only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.adam_like import PREFIX, SUBJECTS, is_adam_name, visit_column
from alsbench.data.derive.guessed_columns import GuessedTable, unit_of_key
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.source import LITRES, first_doses
from alsbench.data.derive.source_columns import SourceTable, named_tables
from alsbench.data.derive.source_subjects import SubjectFacts
from alsbench.data.derive.source_visits import FAR_DAYS, days_between, median_times, names_of, told_times
from alsbench.data.derive.tables import Floats
from alsbench.data.text_dates import detect_format
from alsbench.errors import DataError
from alsbench.study.local_words import meaning, plain, population, visit_time, words_with
from alsbench.study.model import DAYS_PER_UNIT, DateOrder, SourceColumns, SourceMap, SourceParameter, VisitUnit
from alsbench.study.names import near
from alsbench.study.propose import untimed

BASELINE = ("AGE", "SEX", "ONSETSIT", "RILUFL", "LEADRATE")
_DATES = ("death", "last_contact", "first_dose", "onset_date")
_FACTS = ("arm", "died", *_DATES, *BASELINE)
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
_UNITS: tuple[VisitUnit, ...] = ("month", "week", "day")
_LIKE = {  # what one looks for, where no column has a known name
    "subject": ("subject_id", "patient", "id"), "arm": ("arm", "treatment", "group", "trt"),
    "alsfrs": ("alsfrs_total", "als_score", "als", "frs"),
    "death": ("death_date", "died"), "last_contact": ("last_contact", "end_date"), "nfl": ("nfl", "neurofilament", "neuro"),
    "visit": ("visit", "month", "week"), "date": ("visit_date", "date"), "capacity": ("fvc", "svc", "vital_capacity"),
}  # fmt: skip


@dataclass(frozen=True)
class RecognisedSource:
    """A ``[source]`` table, the unit of its visits, and what could not be told."""

    source: SourceMap
    unit: VisitUnit
    doubts: tuple[str, ...] = field(default=())


def recognise(datasets: Sequence[Dataset]) -> RecognisedSource | None:
    """What data are where they are not plain ADaM; None where they need no ``[source]``.

    Raises DataError where nothing like a trial is found, with what is missing and what comes nearest.
    """
    if any(d.name == SUBJECTS for d in datasets):
        return _adam_like(datasets)
    tables = [GuessedTable(d) for d in datasets]
    usable = sorted((t for t in tables if t.weight), key=lambda t: (-t.weight, t.name))
    if not usable:
        raise DataError(
            "no data set looks like a trial: there is no ADSL, no DM, and no rows of subjects, visits and an outcome of ALS",
            why="; ".join(_what_is_missing(t) for t in tables[:6]),
            hint="name the columns so that they tell (patient_id, arm, visit, visit_date, alsfrs_total, fvc_pct, nfl),"
            " or write [source] in study.toml",
        )
    return _Recognition(usable, [t for t in tables if not t.weight]).recognised()


def _what_is_missing(table: GuessedTable) -> str:
    """What a table lacks of a trial, with the columns that come nearest."""
    lacks = []
    for what, found in (
        ("subject", bool(table.subject)),
        ("visit", bool(table.candidates("visit", "visit_number", "date"))),
        ("alsfrs", bool(table.measured or table.per_visit or table.items)),
    ):
        if not found:
            close = nearest_columns(what, table.names)
            named = {"subject": "subject", "visit": "visit or date", "alsfrs": "outcome"}[what]
            lacks.append(f"no {named}" + (f" (nearest: {', '.join(close)})" if close else ""))
    if not table.rows:
        return f"{table.name} has no rows"
    return f"{table.name}: {', '.join(lacks) or 'no subject has two rows'}"


def nearest_columns(what: str, names: Sequence[str]) -> list[str]:
    """The columns whose names come nearest to what one looks for."""
    held = {plain(n): n for n in reversed(names)}
    found = [c for like in _LIKE.get(what, (what,)) for c in near(like, held)]
    found += [c for like in _LIKE.get(what, ()) for c in held if like in c]
    return [held[c] for c in dict.fromkeys(found)][:4]


class _Recognition:
    """The tables of a trial that is not ADaM, put together."""

    def __init__(self, timed: Sequence[GuessedTable], others: Sequence[GuessedTable]) -> None:
        self.doubts: list[str] = []
        self.main = timed[0]
        self.visits = [self.main]
        self.facts: list[GuessedTable] = []
        ids = set(self.main.subjects_of(self.main.subject))
        for table in (*timed[1:], *others):
            subject = table.subject_like(ids)
            if not table.rows:
                self.doubts.append(f"source.files: {table.name} has no rows")
            elif subject and table in timed:
                table.subject = subject
                self.visits.append(table)
            elif subject and table.candidates(*_FACTS):
                table.subject = subject
                self.facts.append(table)
            else:
                why = "no column holds its subjects" if not subject else "no column of it has a known name"
                self.doubts.append(f"source.files: {table.name} is not read for the analysis: {why}")
        if len(self.main.candidates("subject")) > 1:
            other = ", ".join(c for c in self.main.candidates("subject") if c != self.main.subject)
            self.doubts.append(f"source.subject: {self.main.subject} is taken, {other} is named like it too")

    @property
    def tables(self) -> list[GuessedTable]:
        """Those of visits first; facts are sought from the last to the first."""
        return [*self.visits, *self.facts]

    def recognised(self) -> RecognisedSource:
        by_columns = bool(self.main.per_visit)
        visit, date = ("", "") if by_columns else self.main.timing()
        unit = self._unit()
        if not by_columns and not visit and self.main.at is None:
            self.doubts.append(f"source.visit: nothing tells the visit; each date of {date} is rounded to the {unit}")
        facts = self._subject_facts()
        source = SourceMap(
            layout="columns" if by_columns else "visits",
            files=tuple(t.name for t in self.tables),
            subject=self.main.subject,
            arm=facts.get("arm", ""),
            visit=visit,
            date=date,
            date_columns=self._date_columns(unit),
            first_dose=facts.get("first_dose", ""),
            death=facts.get("death", ""),
            died=facts.get("died", ""),
            last_contact=facts.get("last_contact", ""),
            onset_date=facts.get("onset_date", ""),
            test="" if by_columns else self.main.test,
            parameters=self._parameters(unit),
            baseline={name: facts[name] for name in BASELINE if name in facts},
            flags=self._flags(),
            tables=self._columns_apart(visit, date),
        )
        source = self._with_date_order(source)
        return self._with_times(source, unit)

    def _subject_facts(self) -> dict[str, str]:
        """The column of each fact of a subject, of the table that tells it, and what cannot be told."""
        found: dict[str, str] = {}
        for table in reversed(self.tables):
            for role in _FACTS:
                for name in table.candidates(role):
                    if role in _DATES and not table.holds_dates(name):
                        if role == "death" and table.tells_death(name):
                            found.setdefault("died", name)
                        elif table.holds_anything(name):
                            self.doubts.append(f"source.{role}: {name} of {table.name} is named like it and holds no dates")
                        continue
                    if role == "died" and not table.tells_death(name):
                        continue
                    if role in found and found[role] != name:
                        self.doubts.append(
                            f"source.{role}: {found[role]} is taken, {name} of {table.name} is named like it too"
                        )
                    found.setdefault(role, name)
        for role in ("arm", "death", "last_contact"):
            if role not in found and not (role == "death" and "died" in found):
                close = list(dict.fromkeys(n for t in self.tables for n in nearest_columns(role, t.names)))
                self.doubts.append(f"source.{role}: no column tells{'; nearest: ' + ', '.join(close[:6]) if close else ''}")
        if "died" in found and "death" not in found:
            when = found.get("last_contact", "")
            dated = f"the day of {when} is taken for the day of death" if when else "their last value is taken for it"
            self.doubts.append(f"source.died: no column tells the date of death; {dated}")
        if "first_dose" not in found and not self._undated(found):
            self.doubts.append("source.first_dose: nothing tells it; the date of visit 0, else the first date, stands for it")
        if self._undated(found):
            for role in ("death", "died"):
                if found.pop(role, ""):
                    self.doubts.append(f"source.{role}: no column tells the first dose or dates of visits: no time to death")
        return found

    def _undated(self, found: Mapping[str, str]) -> bool:
        dated = any(t.per_visit_dates or (not t.per_visit and t.timing()[1]) for t in self.visits)
        return "first_dose" not in found and not dated

    def _flags(self) -> dict[str, str]:
        words, found = words_with(), dict[str, str]()
        for table in reversed(self.tables):
            for which, name in table.flags.items():
                if words.are_flags(table.source.texts(name)):
                    found.setdefault(_FLAG_NAMES[which], name)
                elif table.holds_anything(name):
                    self.doubts.append(
                        f"source.flags: {name} is named like an analysis set, but not all its words say yes or no"
                    )
        if not {population(f) for f in found} & _EFFICACY:
            if found:
                self.doubts.append(
                    f"source.flags: {', '.join(found.values())} is no set for efficacy; FASFL is everybody with an arm"
                )
            else:
                self.doubts.append("source.flags: no flag of an analysis set; FASFL and SAFFL are everybody with an arm")
            return {}
        return found

    def _parameters(self, unit: VisitUnit) -> dict[str, str | SourceParameter]:
        found: dict[str, str | SourceParameter] = {}
        for table in self.visits:
            for name, given in table.parameters(unit).items():
                known = self._in_litres(table, name, given)
                several = known in found and not (table.at is not None)
                if several:
                    self.doubts.append(
                        f"source.parameters.{known}: {table.name} holds it too; it is read from another data set"
                    )
                if known not in found:
                    apart = table is not self.main and table.at is None
                    held = SourceParameter(total=given) if isinstance(given, str) else given
                    found[known] = held.model_copy(update={"file": table.name}) if apart else given
            self.doubts += table.doubts
        if "alsfrs" not in found:
            self._missing("alsfrs", "ALSFRS-R")
        if "nfl" not in found:
            self._missing("nfl", "NfL")
        if not any(p.startswith(("fvc", "svc")) for p in found):
            self._missing("capacity", "vital capacity")
        return found

    def _missing(self, what: str, title: str) -> None:
        close = list(dict.fromkeys(n for t in self.tables for n in nearest_columns(what, t.names)))
        said = f"; nearest: {', '.join(close[:6])}" if close else ""
        where = "" if what == "capacity" else f".{what}"
        self.doubts.append(f"source.parameters{where}: no column looks like {title}{said}")

    def _in_litres(self, table: GuessedTable, name: str, given: str | SourceParameter) -> str:
        """fvc_litres for a capacity whose values are those of litres."""
        if name not in ("fvc", "svc"):
            return name
        values = table.values_of(given)
        if not values.size or float(np.median(values)) >= LITRES:
            return name
        self.doubts.append(f"source.parameters.{name}_litres: the values of {name} are below {LITRES}: litres, not % predicted")
        return f"{name}_litres"

    def _date_columns(self, unit: VisitUnit) -> dict[str, str]:
        found: dict[str, str] = {}
        for table in self.visits:
            for number, column in table.numbered(table.per_visit_dates, unit).items():
                found.setdefault(number, column)
        return found

    def _columns_apart(self, visit: str, date: str) -> dict[str, SourceColumns]:
        """What single tables call their columns of subject, visit and date."""
        found: dict[str, SourceColumns] = {}
        for table in self.tables:
            own: dict[str, str | float] = {}
            if table.subject != self.main.subject:
                own["subject"] = table.subject
            if table in self.visits and not table.per_visit:
                its_visit, its_date = table.timing()
                own |= {"visit": its_visit} if its_visit and its_visit != visit and table.at is None else {}
                own |= {"date": its_date} if its_date and its_date != date else {}
                own |= {"at": table.at} if table.at is not None else {}
            if own:
                found[table.name] = SourceColumns.model_validate(own)
        return found

    def _unit(self) -> VisitUnit:
        """The finest unit that visits name; for visits that are numbers the one their dates or the column's name tell."""
        named: list[str] = []
        for table in self.visits:
            named += table.units
        finest = next((u for u in reversed(_UNITS) if u in named), None)
        if finest is not None:
            if len(set(named)) > 1:
                self.doubts.append(
                    f"visits.unit: visits name {' and '.join(f'{u}s' for u in sorted(set(named)))}; all are in {finest}s"
                )
            return finest
        return self.main.unit_by_dates() or "month"

    def _with_date_order(self, source: SourceMap) -> SourceMap:
        ways: set[DateOrder] = set()
        unsure: list[str] = []
        named = [*(getattr(source, r) for r in _DATES), *source.date_columns.values()]
        for table in self.tables:
            dated = [*named, *(table.timing() if table in self.visits else ())]
            for name in dict.fromkeys(c for c in dated if c in table.names):
                if table.source.kind(name) != "text" or not table.holds_dates(name):
                    continue
                told = detect_format(table.source.days(name).counts())
                orders: tuple[DateOrder, ...] = ("day/month/year", "month/day/year")
                ways |= {o for o in orders if told.way is not None and told.way.name == o}
                unsure += [name] if told.ambiguous else []
        if not unsure:
            return source
        if len(ways) == 1:
            (order,) = ways
            self.doubts.append(f"source.dates: {', '.join(unsure)} could be read in two ways; other dates are {order}")
            return source.model_copy(update={"dates": order})
        why = "other dates are written both ways" if ways else "no date tells"
        self.doubts.append(
            f"source.dates: day and month of {', '.join(unsure)} cannot be told apart ({why}): day first is assumed"
        )
        return source.model_copy(update={"dates": "day/month/year"})

    def _with_times(self, source: SourceMap, unit: VisitUnit) -> RecognisedSource:
        """The numbers of visits whose texts name no time, by their dates; what dates and texts say of each other."""
        given: dict[str, float] = {}
        named = named_tables([t.dataset for t in self.tables], source)
        facts = SubjectFacts(named, source, words_with(), DerivationReport())
        start = first_doses(facts, unit)
        for table, guessed in zip(named, self.tables, strict=True):
            visit, date = names_of(table, source)
            if guessed not in self.visits or guessed.per_visit or table.columns.at is not None or not visit:
                continue
            labels, told = table.coded(visit), told_times(table, visit, source, unit)
            when = table.dates(date, source.dates) if date else None
            away = (
                np.full(len(table), np.nan)
                if when is None
                else days_between(when, np.append(start, np.datetime64("NaT"))[facts.who(table)])
            )
            ordinal = {w: n for w, n in told.items() if visit_time(w) is None}
            if ordinal and self._contradicted(ordinal, labels.at, labels.words, away, unit):
                given |= median_times(labels, away, {}, unit)
                told = {}
                self.doubts.append(f"source.visit_times: the numbers of {visit} are no {unit}s by their dates, which count")
            elif ordinal and not np.isfinite(away).any() and not unit_of_key(visit):
                self.doubts.append(f"source.visit: the numbers of {visit} are taken for {unit}s: nothing tells")
            by_dates = median_times(labels, away, told, unit)
            given |= by_dates
            if by_dates:
                listed = ", ".join(f"{k} is {unit} {v:g}" for k, v in by_dates.items())
                self.doubts.append(f"source.visit_times: by the median of their dates: {listed}")
            lost = [w for w in labels.counts() if w not in told and w not in by_dates and not untimed(w) and w not in given]
            if lost:
                self.doubts.append(f"source.visit_times: when are {', '.join(lost[:6])}? They count at no visit")
            occasions = [w for w in labels.counts() if untimed(w) and w not in told]
            if occasions:
                self.doubts.append(f"source.visit_times: {', '.join(occasions[:6])} are no planned time and count at no visit")
            self._far(labels.words, labels.at, told, away, unit)
        return RecognisedSource(source.model_copy(update={"visit_times": given}), unit, tuple(dict.fromkeys(self.doubts)))

    @staticmethod
    def _contradicted(ordinal: Mapping[str, float], at: object, words: Sequence[str], away: Floats, unit: VisitUnit) -> bool:
        """Whether numbers of visits are not the times of their dates (at most half a unit and a quarter away)."""
        off = seen = 0
        for word, number in ordinal.items():
            mine = (at == words.index(word)) & np.isfinite(away)
            if mine.any():
                days, nominal = float(np.median(away[mine])), number * DAYS_PER_UNIT[unit]
                seen += 1
                off += abs(days - nominal) > max(DAYS_PER_UNIT[unit] / 2, abs(nominal) / 4)
        return seen > 0 and off * 2 >= seen

    def _far(self, words: Sequence[str], at: object, told: Mapping[str, float], away: Floats, unit: VisitUnit) -> None:
        for word, number in told.items():
            mine = (at == words.index(word)) & np.isfinite(away)
            if mine.any():
                days, nominal = float(np.median(away[mine])), number * DAYS_PER_UNIT[unit]
                if abs(days - nominal) > max(FAR_DAYS, abs(nominal) / 2):
                    self.doubts.append(f"source.visit: {word} is on day {days:g} by its dates, day {nominal:.0f} by its name")


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
    for column in subjects.columns:
        by_meaning.setdefault(meaning(column.name) or meaning(column.label), column.name)
    arm = names.get("TRT01P") or names.get("ARM") or by_meaning.get("arm", "")
    if not arm:
        return None
    flags: dict[str, str] = {}
    odd: list[str] = []
    for name in table.names:
        which = population(name)
        if which and words.are_flags(table.texts(name)):
            flags.setdefault(_FLAG_NAMES[which], name)
        elif which and table.coded(name).counts():
            odd.append(name)
    wanted = bool({population(f) for f in flags} & _EFFICACY)
    plain_flags = all(set(table.texts(c)) <= {"Y", "N", None} and f == c for f, c in flags.items())
    in_capitals = all(c.name == c.name.upper() for d in adam for c in d.columns)
    numbered = all(
        "AVISITN" in cs or not {"PARAMCD", "AVAL"} <= cs or "CNSR" in cs or not visit_column(list(cs))
        for cs in ({c.name.upper() for c in d.columns} for d in adam)
    )
    if in_capitals and numbered and plain_flags and wanted and arm in ("TRT01P", "ARM"):
        return None
    unit = _unit_of(adam)
    baseline = {n: c for n, c in by_meaning.items() if n in (*BASELINE, "BLALSFR", "BLNFL") and c.upper() != n}
    first = next((names[n] for n in ("TRTSDT", "RANDDT", "RFSTDT") if n in names), by_meaning.get("first_dose", ""))
    doubts = [f"source.flags: {name} has words that say neither yes nor no: [words] may say" for name in odd]
    if not wanted:
        others = [n for n in table.names if n not in flags.values() and meaning(n) == "" and words.are_flags(table.texts(n))]
        near_by = f"; columns of yes and no: {', '.join(others[:6])}" if others else ""
        said = "source.flags: no flag of an efficacy set such as FASFL or ITTFL; FASFL is everybody with an arm"
        doubts.append(said + near_by)
    source = SourceMap(
        layout="adam-like", files=tuple(d.name for d in adam), subject=subject, arm=arm, first_dose=first, baseline=baseline,
        flags=flags if wanted else {},
    )  # fmt: skip
    return RecognisedSource(source, unit, tuple(doubts))


def _unit_of(datasets: Sequence[Dataset]) -> VisitUnit:
    units: list[str] = []
    for dataset in datasets:
        column = visit_column([c.name for c in dataset.columns])
        if column:
            labels = {v for v in dataset.table().column(column).to_pylist() if v}
            units += [t[1] for v in labels if (t := visit_time(str(v))) is not None and t[1]]
    return next((u for u in reversed(_UNITS) if u in units), "month")


def renamed_sources(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Data sets whose names derived tables will bear, as SRC_ and their name."""
    return [replace(d, name=f"{PREFIX}{d.name}") if is_adam_name(d.name) else d for d in datasets]
