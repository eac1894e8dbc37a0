"""Which columns of a data set hold the arm, and the same data set under dummy arms.

Columns are found by their names (ADaM and SDTM), by the study file, and by what they hold: a subject-level column that
repeats the arm is an arm column whatever it is called, and one that sets arms apart is left empty. Records of a parameter or a
visit that only some arms have are left out, and so are columns that are named after an arm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alsbench.audit.blinding import SHORTEST, Key, hide_words, names_arm, word_pattern
from alsbench.audit.disclosure import Allocation, Codes, coded, follow, tells
from alsbench.study.model import Study

SUBJECT_TABLE = "ADSL"
BLINDED_TREATMENT = "Blinded treatment"
NEUTRAL = frozenset(
    (
        "screen failure", "screen fail", "scrnfail", "not assigned", "notassgn", "not treated", "nottrt", "unplanned treatment",
        "unplan", "not randomized", "not randomised", "missing", "none",
    )
)  # fmt: skip
_LABELS = re.compile(
    r"ARM|ACTARM|TRT|TREATMENT|STUDY_ARM|TRT[PA]|TRT\d\d[PA]|TRTSEQ[PA]|TRTG\d?|TR\d\dPG\d|TR\d\dAG\d|ARMUA|ACTARMUD"
)
_CODES = re.compile(r"(ACT)?ARM(CD|N)|TRT[PA]N|TRT\d\d[PA]N|TRTSEQ[PA]N|TRTG\d?N|TR\d\d[PA]G\dN|TRT(CD|N)")
_TREATMENTS = re.compile(r"E[XC]TRT|EXTRTV|TRTGIVEN")
_HIDDEN = re.compile(
    r".*DOS(E|TOT|TXT|FRM|FRQ|RGM|U|P|A).*|.*DOSE.*|NDOS.*|E[XC](LOT|ROUTE|LOC|CAT|SCAT|FAST|VAMT.*|TRTN|TRTCD)"
)
_DOSE = re.compile(r"DOS", re.IGNORECASE)
_PARAMETER = re.compile(r"PARAMCD|..TESTCD|QNAM")
_VISIT = re.compile(r"AVISITN?|VISIT(NUM)?")


@dataclass(frozen=True)
class Columns:
    """What of a data set holds the arm: label columns, code columns with their dummy codes, columns left empty or out.

    ``rows`` are the numbers of records left out, None where the whole data set is.
    """

    labels: frozenset[str] = frozenset()
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    qualifiers: tuple[str, ...] = ()  # QNAMs whose QVAL is left empty
    rows: Codes | None = field(default_factory=lambda: np.empty(0, int))

    @property
    def told(self) -> frozenset[str]:
        """Every column that tells the arm; a condition on one of them would tell it too."""
        return self.labels | self.hidden | self.named | frozenset(self.codes)


def arm_labels(tables: Mapping[str, pa.Table], study: Study) -> tuple[str, ...]:
    """Every arm the data or the study name: what label columns hold, but for neutral words and texts made of other arms."""
    known = list(study.arms.order)
    for table in tables.values():
        for name in _label_columns(table, study):
            for value in pc.unique(table[name]).to_pylist():
                if value is None or value in known or value.strip().lower() in NEUTRAL:
                    continue
                if not any(len(k) >= SHORTEST and _within(k).search(value) for k in study.arms.order):
                    known.append(value)
    return tuple(known)


def find_columns(
    tables: Mapping[str, pa.Table],
    study: Study,
    key: Key,
    words: Sequence[str] = (),
    marks: Mapping[str, Mapping[str, Codes]] | None = None,
) -> dict[str, Columns]:
    """What of each data set holds or tells the arm, with dummy codes; codes the key knows keep theirs.

    ``marks`` are special missing values by data set and column: a number from 1 for each row that holds one, 0 elsewhere.
    """
    found = {name: (set(_label_columns(t, study)), set(_named(t, _CODES)), set(_hidden(name, t))) for name, t in tables.items()}
    learned: dict[str, dict[str, str]] = {column: dict(codes) for column, codes in key.codes.items()}
    for name, table in tables.items():
        _learn_all(learned, table, found[name][1], study, key)
    known_key = replace(key, codes=learned)
    named = {
        name: {c for c in t.column_names if c not in found[name][0] | found[name][1] and names_arm(c, known_key, words)}
        for name, t in tables.items()
    }
    extra_codes: set[str] = set()
    left_out: dict[str, Codes | None] = {}
    for name, table in tables.items():
        labels, codes, hidden = found[name]
        for subjects in _subjects(tables.get(SUBJECT_TABLE), study, key):
            if study.info.subject not in table.column_names:
                continue
            known = labels | codes | hidden | named[name] | {study.info.subject, "QNAM"}
            seen = _Told(name, table, study, subjects, known, (marks or {}).get(name, {}))
            extra_codes |= seen.same if name == SUBJECT_TABLE else set()
            hidden |= seen.columns | (set() if name == SUBJECT_TABLE else seen.same)
            before = left_out.get(name, np.empty(0, int))
            left_out[name] = None if before is None or seen.rows is None else np.union1d(before, seen.rows)
    for name, table in tables.items():
        labels, codes, hidden = found[name]
        codes |= (extra_codes & set(table.column_names)) - named[name]
        hidden -= codes
        _learn_all(learned, table, codes, study, key)
    made = {}
    for name, table in tables.items():
        labels, codes, hidden = found[name]
        unknown = {c for c in codes if _unknown_codes(table[c], learned.get(c, {}))}
        kept = {c: learned[c] for c in sorted(codes - unknown)}
        rows = left_out.get(name, np.empty(0, int))
        every = frozenset(hidden | unknown) - named[name]
        made[name] = Columns(frozenset(labels), kept, every, frozenset(named[name]), _qualifiers(name, table), rows)
    return made


class _Told:
    """What sets arms apart in one data set: columns that are the arm (``same``), that tell it, and rows; None for all rows."""

    def __init__(
        self, name: str, table: pa.Table, study: Study, subjects: Allocation, known: set[str], marks: Mapping[str, Codes]
    ) -> None:
        self.table, self.subjects = table, subjects
        self.who = subjects.rows(table, study.info.subject)
        self.kept = self.who >= 0
        self.same: set[str] = set()
        self.columns: set[str] = set()
        self.rows: Codes | None = np.empty(0, int)
        if name != SUBJECT_TABLE and self._whole():
            self.rows = None
            return
        self.candidates = {c: coded(table[c]) for c in table.column_names if c not in known}
        for column, mark in marks.items():
            if column in self.candidates:  # a special missing value is a value here
                codes = self.candidates[column]
                self.candidates[column] = np.where(mark > 0, codes.max(initial=-1) + mark, codes)
        first = {c: self._tells(c, self.kept) for c in self.candidates}
        if name != SUBJECT_TABLE:
            self._rows(study)
        for column, told in first.items():
            if told and column not in self.columns and (told := self._tells(column, self.kept)):
                (self.same if told == "same" else self.columns).add(column)
        if name != SUBJECT_TABLE:
            self.rows = None if self._number_tells() else np.flatnonzero((self.who >= 0) & ~self.kept)

    def _whole(self) -> bool:
        return bool(follow(np.where(self.who >= 0, 0, -1), self.who, self.subjects))

    def _tells(self, column: str, rows: Any, *, seldom: bool = False) -> str:
        if not rows.any():
            return ""
        return tells(self.candidates[column][rows], self.who[rows], self.subjects, self._numbers(column, rows), seldom=seldom)

    def _numbers(self, column: str, rows: Any) -> Any:
        """Values in their order: numbers and dates as they are, texts (ISO dates, identifiers) by the alphabet."""
        values, kind = self.table[column], self.table.schema.field(column).type
        if pa.types.is_string(kind):
            values = pc.rank(values, sort_keys="ascending", tiebreaker="dense").cast(pa.float64())
            values = pc.if_else(pc.is_null(self.table[column]), pa.scalar(None, pa.float64()), values)
        elif pa.types.is_date32(kind):
            values = values.cast(pa.int32())
        return np.asarray(pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy())[rows]

    def _rows(self, study: Study) -> None:
        """Records of parameters and visits that only some arms have, or in which another column sets them apart."""
        names = self.table.column_names
        parameters = [coded(self.table[c]) for c in names if _PARAMETER.fullmatch(c.upper())][:1]
        visits = [
            coded(self.table[c]) for c in names if _VISIT.fullmatch(c.upper()) or c in (study.visits.number, study.visits.label)
        ]
        crossed = [np.where((p >= 0) & (v >= 0), p * (v.max(initial=0) + 1) + v, -1) for p in parameters for v in visits]
        for keys in (*parameters, *visits, *crossed):
            some = np.unique(keys, return_inverse=True)[1] - int((keys < 0).any())  # from 0 without gaps, -1 for none
            self.kept &= ~np.isin(some, follow(np.where(self.kept, some, -1), self.who, self.subjects))
        for keys in parameters:
            self._by_parameter(keys)

    def _by_parameter(self, keys: Codes) -> None:
        """A column that sets arms apart in most parameters is emptied; one that does in a few takes their records with it."""
        found = [p for p in np.unique(keys[self.kept]) if p >= 0]
        apart: dict[str, list[int]] = {}
        for parameter in found:
            rows = self.kept & (keys == parameter)
            for column in self.candidates:
                if self._tells(column, rows, seldom=True):
                    apart.setdefault(column, []).append(int(parameter))
        self.columns |= {c for c, where in apart.items() if 2 * len(where) > len(found)}
        self.kept &= ~np.isin(keys, [p for c, where in apart.items() if c not in self.columns for p in where])

    def _number_tells(self) -> bool:
        """Whether how many records a subject has sets arms apart."""
        many = np.bincount(self.who[self.kept], minlength=len(self.subjects.arm))
        return bool(tells(many, np.arange(len(many)), self.subjects, many.astype(float)))


def blind_table(table: pa.Table, columns: Columns, key: Key, words: Sequence[str] = ()) -> tuple[pa.Table, tuple[str, ...]]:
    """A table under dummy arms, and the other columns in which arm names stood. Rows and columns stay where they are.

    ``words`` are further texts that tell an arm (its labels in the study file). Outside arm columns a name becomes
    ``[blinded]``: a dummy name in its place could tell by its context.
    """
    swept: list[str] = []
    hide = hide_words(key, words)
    whole = {label.lower(): dummy for label, dummy in key.arms.items()}
    for at, name in enumerate(table.column_names):
        column, kind = table[name], table.schema.field(at)
        if name == "QVAL" and columns.qualifiers:
            gone = pc.is_in(table["QNAM"], pa.array(columns.qualifiers, pa.string()))
            new = _rewritten(pc.if_else(gone, pa.scalar(None, pa.string()), column), hide)
        elif name in columns.hidden:
            new = _filled(column, BLINDED_TREATMENT) if _TREATMENTS.fullmatch(name.upper()) else _emptied(column)
        elif name in columns.codes:
            new = _mapped(column, columns.codes[name])
        elif name in columns.labels:
            new = _rewritten(column, lambda text: whole.get(text.strip().lower()) or _inside(text, key.arms))
        elif pa.types.is_string(kind.type):
            new = _rewritten(column, hide)
            if not new.equals(column):
                swept.append(name)
        else:
            continue
        table = table.set_column(at, kind, new.cast(kind.type))
    return table, tuple(swept)


# -- columns ---------------------------------------------------------------------------------------------------------------


def _label_columns(table: pa.Table, study: Study) -> list[str]:
    return [
        n
        for n in table.column_names
        if (_LABELS.fullmatch(n.upper()) or n in (study.arms.planned, study.arms.actual))
        and pa.types.is_string(table.schema.field(n).type)
    ]


def _named(table: pa.Table, pattern: re.Pattern[str]) -> list[str]:
    return [n for n in table.column_names if pattern.fullmatch(n.upper())]


def _hidden(name: str, table: pa.Table) -> list[str]:
    """Treatments given, doses, lots, routes; the values of an exposure data set whose parameters are doses."""
    found = [*_named(table, _TREATMENTS), *_named(table, _HIDDEN)]
    if name.upper() in ("ADEX", "EX", "EC", "ADEC"):
        told = [v or "" for c in ("PARAMCD", "PARAM") if c in table.column_names for v in pc.unique(table[c]).to_pylist()]
        if any(_DOSE.search(v) for v in told):
            found += [c for c in table.column_names if re.fullmatch(r"AVALC?|AVALCA\d*N?|BASE|P?CHG", c.upper())]
    return found


def _subjects(table: pa.Table | None, study: Study, key: Key) -> tuple[Allocation, ...]:
    """The subjects by planned arm, and by the arm they were given where that is another."""
    found: list[dict[str, str]] = []
    for column in dict.fromkeys((study.arms.planned, study.arms.actual)):
        if table is None or not {column, study.info.subject} <= set(table.column_names):
            continue
        pairs = zip(table[study.info.subject].to_pylist(), table[column].to_pylist(), strict=True)
        arm_of = {str(subject): arm for subject, arm in pairs if subject is not None and arm in key.arms}
        if arm_of and arm_of not in found:
            found.append(arm_of)
    return tuple(map(Allocation.of, found))


def _qualifiers(name: str, table: pa.Table) -> tuple[str, ...]:
    """The qualifiers of a SUPP-- data set that hold the arm or a treatment by their name."""
    if not name.upper().startswith("SUPP") or not {"QNAM", "QVAL"} <= set(table.column_names):
        return ()
    every = [q for q in pc.unique(table["QNAM"]).to_pylist() if q is not None]
    return tuple(q for q in every if any(p.fullmatch(q.upper()) for p in (_LABELS, _CODES, _TREATMENTS, _HIDDEN)))


def _partner(column: str, table: pa.Table, study: Study) -> str:
    """The label column whose codes a column holds: its own name without N or CD, else the planned arm."""
    bare = re.sub(r"(CD|N)$", "", column.upper())
    names = {n.upper(): n for n in table.column_names}
    for candidate in (bare, study.arms.planned.upper()):
        if candidate in names and candidate != column.upper():
            return str(names[candidate])
    return ""


def _learn_all(learned: dict[str, dict[str, str]], table: pa.Table, columns: Iterable[str], study: Study, key: Key) -> None:
    for column in sorted(columns):
        if partner := _partner(column, table, study):
            _learn(learned.setdefault(column, {}), table, column, partner, key.arms)


def _learn(codes: dict[str, str], table: pa.Table, column: str, partner: str, arms: Mapping[str, str]) -> None:
    """Real code -> dummy code, from the labels beside the codes; a code of two arms is not learned."""
    text = pa.types.is_string(table.schema.field(column).type)
    beside: dict[str, set[str]] = {}
    for code, label in zip(table[column].to_pylist(), table[partner].to_pylist(), strict=True):
        if code is not None and label is not None:
            beside.setdefault(_code(code), set()).add(label)
    for code, labels in beside.items():
        label = next(iter(labels))
        if len(labels) != 1 or code in codes:
            continue
        if label in arms:
            letters = arms[label].rsplit(" ", 1)[-1]
            codes[code] = letters if text else str(1 + sorted(arms.values(), key=lambda d: (len(d), d)).index(arms[label]))
        elif label.strip().lower() in NEUTRAL:
            codes[code] = code


def _unknown_codes(column: Any, codes: Mapping[str, str]) -> bool:
    return any(v is not None and _code(v) not in codes for v in pc.unique(column).to_pylist())


def _code(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# -- values ----------------------------------------------------------------------------------------------------------------


def _rewritten(column: Any, change: Callable[[str], str]) -> Any:
    """A text column with every distinct value changed once."""
    encoded = column.combine_chunks().dictionary_encode() if isinstance(column, pa.ChunkedArray) else column.dictionary_encode()
    values = [v if v is None else change(v) for v in encoded.dictionary.to_pylist()]
    return pa.chunked_array([pc.take(pa.array(values, pa.string()), encoded.indices)])


def _mapped(column: Any, codes: Mapping[str, str]) -> Any:
    if pa.types.is_string(column.type):
        return _rewritten(column, lambda text: codes.get(text, text))
    values = [v if v is None else float(codes.get(_code(v), _code(v))) for v in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.float64())])


def _emptied(column: Any) -> Any:
    return pa.chunked_array([pa.nulls(len(column), column.type)])


def _filled(column: Any, text: str) -> Any:
    if not pa.types.is_string(column.type):
        return _emptied(column)
    return pc.if_else(pc.is_null(column), pa.scalar(None, pa.string()), pa.scalar(text))


def _inside(text: str, names: Mapping[str, str]) -> str:
    for name in sorted((n for n in names if len(n) >= SHORTEST), key=len, reverse=True):
        text = _within(name).sub(lambda _: names[name], text)  # noqa: B023  used at once
    return text


def _within(name: str) -> re.Pattern[str]:
    return re.compile(word_pattern(name), re.IGNORECASE)
