"""One table of a trial that is not ADaM: what its columns hold, by their names, else their labels, else their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.source_columns import SourceTable
from alsbench.data.derive.source_visits import days_between
from alsbench.data.derive.tables import Floats
from alsbench.data.text_dates import detect_format
from alsbench.study.local_words import item_of, meaning, plain, population, visit_time, words_with
from alsbench.study.model import DAYS_PER_UNIT, SourceParameter, VisitUnit

PARAMETERS = ("alsfrs", "fvc", "svc", "fvc_litres", "svc_litres", "nfl")
ITEMS = tuple(f"{i}" for i in range(1, 13))
ITEMS_5A_5B = ("1", "2", "3", "4", "5a", "5b", "6", "7", "8", "9", "10", "11", "12")
_VISIT_KEY = (
    r"(?:bl|base(?:line)?|basal|inclusion|기저|기준|ベースライン|基[線线])"
    r"|(?:v|visit|visite|visita|besuch|m|mon|month|monat|mois|mes|w|wk|week|woche|semaine|semana|d|day|tag)_?\d+"
    r"|\d+_?(?:개월|か月|ヶ月|カ月|个月|個月|月|months?|mon|mo|m|weeks?|wk|w|주|週|周|days?|d|일|日)"
)
_SUFFIXED = re.compile(rf"(?P<what>.+?)_?(?P<visit>{_VISIT_KEY})", re.IGNORECASE)
_PREFIXED = re.compile(rf"(?P<visit>{_VISIT_KEY})_(?P<what>.+)", re.IGNORECASE)
_ORDINAL = re.compile(r"(?:v|visit|visite|visita|besuch)_?\d+", re.IGNORECASE)
_DATE_NAMES = {"date", "dt", "datum", "fecha", "dat", "visit_dt"}
_UNIT_WORDS: tuple[tuple[VisitUnit, str], ...] = (
    ("week", r"w(ee)?k|woche|semain|semana|주|週|周|(?<![a-z])w_?\d|\d_?w(?![a-z])"),
    ("month", r"mon|mois|mes(?![a-z])|개월|月|(?<![a-z])m_?\d|\d_?m(?![a-z])"),
    ("day", r"day|tag|jour|d[ií]a|일|(?<![a-z])d_?\d|\d_?d(?![a-z])"),
)


def unit_of_key(name: str) -> VisitUnit | None:
    """The unit of visits that a column's name, or the part of it that names a visit, tells."""
    held = plain(name)
    return next((unit for unit, form in _UNIT_WORDS if re.search(form, held, re.IGNORECASE)), None)


class GuessedTable:
    """A data set and what its columns seem to hold. ``at`` is the visit that the table's own name tells, as a sheet's may."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.name = dataset.name
        self.names = [c.name for c in dataset.columns]
        self.source = SourceTable(dataset, "")
        self.doubts: list[str] = []
        self.roles: dict[str, list[str]] = {}
        for column in dataset.columns:
            what = meaning(column.name) or meaning(column.label)
            if what:
                self.roles.setdefault(what, []).append(column.name)
        self.items: dict[str, str] = {}
        for column in dataset.columns:
            item = item_of(column.name) or item_of(column.label)
            if item:
                self.items.setdefault(item, column.name)
        self.flags = {p: c for c in self.names if (p := population(c))}
        self.per_visit, self.per_visit_dates = self._by_visit()
        self.subject = self._subject()

    @cached_property
    def rows(self) -> int:
        return len(self.source)

    def candidates(self, *roles: str) -> list[str]:
        """The columns that are named like one of the roles."""
        return [c for r in roles for c in self.roles.get(r, ())]

    @cached_property
    def measured(self) -> dict[str, str]:
        """The column of each outcome that has one."""
        return {p: self.roles[p][0] for p in PARAMETERS if p in self.roles}

    def subjects_of(self, column: str) -> list[str]:
        return list(self.source.coded(column).counts())

    def _subject(self) -> str:
        """Of the columns named like a subject the one that repeats, where one does: a row's own number does not."""
        found = self.candidates("subject")
        if not found or not self.rows:
            return ""
        counts = {c: self.source.coded(c).counts() for c in found}
        repeated = [c for c in found if len(counts[c]) < sum(counts[c].values()) and len(counts[c]) > 1]
        return (repeated or found)[0]

    def subject_like(self, ids: set[str]) -> str:
        """The column that shares most subjects with ``ids``, empty where fewer than half of its values are among them."""
        best, most = "", 0.5
        for name in self.candidates("subject"):
            own = set(self.subjects_of(name))
            share = len(own & ids) / len(own) if own else 0.0
            if share >= most and (not best or share > most):
                best, most = name, share
        return best

    @cached_property
    def repeats(self) -> bool:
        counts = self.source.coded(self.subject).counts() if self.subject else {}
        return any(n > 1 for n in counts.values())

    @cached_property
    def at(self) -> float | None:
        """The visit that the name of a table with a row a subject tells."""
        time = visit_time(self.name.replace("_", " "))
        return time[0] if time is not None and self.subject and not self.repeats else None

    @cached_property
    def tests(self) -> dict[str, str]:
        """By outcome the word for it, where a column names what each row holds and another its value."""
        test, value = self.candidates("test"), self.candidates("value")
        if not (test and value and self.rows):
            return {}
        found: dict[str, str] = {}
        for word in self.source.coded(test[0]).counts():
            what = meaning(word)
            if what in PARAMETERS:
                found.setdefault(what, word)
        return found

    @property
    def test(self) -> str:
        return self.candidates("test")[0] if self.tests else ""

    @cached_property
    def weight(self) -> int:
        """How much of a trial a table tells: 0 for one that holds no outcome over time."""
        if not self.subject or not self.rows:
            return 0
        if self.per_visit:
            return 1 + sum(map(len, self.per_visit.values()))
        timed = self.repeats and bool(self.candidates("visit", "visit_number", "date"))
        outcome = bool(self.measured or self.tests or len(self.items) >= len(ITEMS))
        return len(self.roles) + len(self.items) if (timed or self.at is not None) and outcome else 0

    # ---- visits

    def timing(self) -> tuple[str, str]:
        """The columns of visit and date, empty where there is none."""
        dated = next((c for c in self.candidates("date") if self.holds_dates(c)), "")
        words = self.candidates("visit")
        numbers = [c for c in self.candidates("visit_number") if self.source.is_number(c)]
        texts = [c for c in words if not self.source.is_number(c)]
        told = [c for c in texts if any(visit_time(v) is not None for v in self.source.coded(c).counts())]
        return ([*told, *numbers, *texts, *words, *self.candidates("visit_number"), ""][0], dated)

    @cached_property
    def units(self) -> list[str]:
        """The units of visits by their texts, the name of a column of numbers, the names of columns, or the table's name."""
        if self.per_visit:
            return [u for k in self._keys if (u := unit_of_key(k)) and not _ORDINAL.fullmatch(k)]
        if self.at is not None:
            time = visit_time(self.name.replace("_", " "))
            return [time[1]] if time is not None and time[1] else []
        visit, _ = self.timing()
        if not visit:
            return []
        if self.source.is_number(visit):
            unit = unit_of_key(visit)
            return [unit] if unit else []
        return [t[1] for v in self.source.coded(visit).counts() if (t := visit_time(v)) is not None and t[1]]

    def unit_by_dates(self) -> VisitUnit | None:
        """The unit in which the numbers of visits are the times of their dates, None where they are in none."""
        visit, dated = ("", "") if self.per_visit else self.timing()
        if not (visit and dated and self.source.is_number(visit)):
            return None
        number = self.source.numbers(visit)
        when = self.source.dates(dated, "day/month/year")
        who = self.source.coded(self.subject)
        first = np.full(len(who.words) + 1, np.datetime64("NaT", "D"))
        np.fmin.at(first, who.at, when)
        away = days_between(when, first[who.at])
        later = np.isfinite(away) & (number > 0)
        for unit, per in DAYS_PER_UNIT.items():
            off = np.abs(away - number * per) > np.maximum(per / 2, number * per / 4)
            if later.any() and off[later].mean() < 0.25:
                return unit
        return None

    # ---- columns for each visit

    def _by_visit(self) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
        """By outcome or item (``q1`` ..) its columns by what they call the visit; and the columns of dates."""
        found: dict[str, dict[str, str]] = {}
        dates: dict[str, str] = {}
        for name in self.names:
            held = plain(name)
            for form in (_SUFFIXED, _PREFIXED):
                match = form.fullmatch(held)
                if match is None:
                    continue
                what = match["what"].strip("_")
                outcome, item = meaning(what), item_of(what)
                if item:
                    found.setdefault(f"q{item}", {})[match["visit"]] = name
                elif outcome in PARAMETERS:
                    found.setdefault(outcome, {})[match["visit"]] = name
                elif outcome == "date" or what in _DATE_NAMES:
                    dates[match["visit"]] = name
                else:
                    continue
                break
        several = {what: columns for what, columns in found.items() if len(columns) > 1}
        return several, dates if several else {}

    @property
    def _keys(self) -> list[str]:
        return list(dict.fromkeys(k for columns in self.per_visit.values() for k in columns))

    def numbered(self, columns: Mapping[str, str], unit: VisitUnit) -> dict[str, str]:
        """Columns by the number of their visit, in order. Visits that are only counted (V1, V2) begin at 0."""
        counted = [k for k in self._keys if _ORDINAL.fullmatch(k)]
        first = min((int(re.search(r"\d+", k)[0]) for k in counted), default=0)  # type: ignore[index]
        times = self._ordinal_times(unit)
        found: list[tuple[float, str]] = []
        for key, column in columns.items():
            digits = re.search(r"\d+", key)
            number = float(digits[0]) if digits else 0.0
            if _ORDINAL.fullmatch(key):
                number = times.get(key, number - first)
            else:
                own = unit_of_key(key)
                if digits and own and own != unit:
                    number = float(np.floor(number * DAYS_PER_UNIT[own] / DAYS_PER_UNIT[unit] + 0.5))
            found.append((number, column))
        return {f"{n:g}": c for n, c in sorted(found)}

    def _ordinal_times(self, unit: VisitUnit) -> dict[str, float]:
        """The times of visits that are only counted, by the median of their dates from the first."""
        dates = {k: self.source.dates(c, "day/month/year") for k, c in self.per_visit_dates.items() if self.holds_dates(c)}
        counted = {k: d for k, d in dates.items() if _ORDINAL.fullmatch(k)}
        if len(counted) < 2:
            return {}
        begin = counted[min(counted, key=lambda k: int(re.search(r"\d+", k)[0]))]  # type: ignore[index]
        found: dict[str, float] = {}
        for key, when in counted.items():
            away = days_between(when, begin)
            if np.isfinite(away).any():
                found[key] = float(np.floor(np.nanmedian(away) / DAYS_PER_UNIT[unit] + 0.5))
        return found

    # ---- outcomes

    def parameters(self, unit: VisitUnit) -> dict[str, str | SourceParameter]:
        """The outcomes the table holds, with their columns; what is not complete is a doubt."""
        return self._parameters_by_visit(unit) if self.per_visit else self._parameters_of_rows()

    def _parameters_of_rows(self) -> dict[str, str | SourceParameter]:
        found: dict[str, str | SourceParameter] = {}
        if self.tests:
            value = self.candidates("value")[0]
            return {p: SourceParameter(total=value, test=word) for p, word in self.tests.items()}
        for p, name in self.measured.items():
            found[p] = name
            others = self.roles[p][1:]
            if others:
                self.doubts.append(
                    f"source.parameters.{p}: {name} is taken, {', '.join(others)} of {self.name} is named like it too"
                )
        items = self._items(self.items)
        if items:
            found["alsfrs"] = SourceParameter(total=self.measured.get("alsfrs", ""), items=items)
        elif self.items:
            self.doubts.append(
                f"source.parameters.alsfrs.items: {len(self.items)} of {len(ITEMS)} items found in {self.name}"
                f" ({', '.join(self.items.values())}); they are not read"
            )
        return found

    @staticmethod
    def _items(items: Mapping[str, str]) -> tuple[str, ...]:
        """The columns of the items in order, with 5a and 5b apart where they are; empty where one is missing."""
        for wanted in (ITEMS_5A_5B, ITEMS):
            if all(i in items for i in wanted):
                return tuple(items[i] for i in wanted)
        only_5a = {**items, "5": items["5a"]} if "5a" in items else dict(items)
        return tuple(only_5a[i] for i in ITEMS) if all(i in only_5a for i in ITEMS) else ()

    def _parameters_by_visit(self, unit: VisitUnit) -> dict[str, str | SourceParameter]:
        found: dict[str, str | SourceParameter] = {}
        if any(_ORDINAL.fullmatch(k) for k in self._keys):
            how = (
                "by the dates of the visits"
                if self._ordinal_times(unit)
                else f"taken for {unit}s, the first for 0: nothing tells"
            )
            self.doubts.append(f"source.parameters: the visits of {self.name} are only counted; their times are {how}")
        for what in (p for p in PARAMETERS if p in self.per_visit):
            found[what] = SourceParameter(columns=self.numbered(self.per_visit[what], unit))
        by_item = {w.removeprefix("q"): self.numbered(c, unit) for w, c in self.per_visit.items() if w.startswith("q")}
        whole: dict[str, tuple[str, ...]] = {}
        for number in dict.fromkeys(n for columns in by_item.values() for n in columns):
            items = self._items({i: columns[number] for i, columns in by_item.items() if number in columns})
            if items:
                whole[number] = items
            else:
                self.doubts.append(
                    f"source.parameters.alsfrs.item_columns: not all items of visit {number} are found: not read"
                )
        if whole:
            total = found.get("alsfrs")
            columns = total.columns if isinstance(total, SourceParameter) else {}
            found["alsfrs"] = SourceParameter(columns=columns, item_columns=whole)
        return found

    def values_of(self, given: str | SourceParameter) -> Floats:
        """The numbers of an outcome's columns, without items."""
        columns = [given] if isinstance(given, str) else [c for c in (given.total, *given.columns.values()) if c]
        mine = np.full(self.rows, True)
        if not isinstance(given, str) and given.test:
            mine = self.source.coded(self.test).where(lambda w: w == given.test)
        held = [self.source.numbers(c)[mine] for c in columns]
        found = np.concatenate(held) if held else np.zeros(0)
        return found[np.isfinite(found)]

    # ---- values

    def holds_dates(self, name: str) -> bool:
        """Whether most of a column's values are dates."""
        if self.source.kind(name) == "date":
            return True
        if self.source.kind(name) != "text":
            return False
        counts = self.source.days(name).counts()
        found = detect_format(counts)
        lost = sum(counts[v] for v in found.others)
        return bool(counts) and (found.way or found.most) is not None and lost * 2 <= sum(counts.values())

    def holds_anything(self, name: str) -> bool:
        return bool(self.source.coded(name).counts())

    def tells_death(self, name: str) -> bool:
        """Whether every word of a column says dead or alive, and both are said or one of them in words of their own."""
        words = words_with()
        said = {words.died(v) for v in self.source.coded(name).counts()}
        return bool(said) and None not in said and True in said
