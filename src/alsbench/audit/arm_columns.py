"""Which columns of a data set hold the arm, and the same data set under dummy arms.

Columns are found by their names (ADaM and SDTM), by the study file, and by what they hold: a subject-level column that
repeats the arm is an arm column whatever it is called, and one that the arm decides is left empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from alsbench.audit.blinding import SHORTEST, Key, hide_words, word_pattern
from alsbench.audit.telling import arm_values, supplemental, tells
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


@dataclass(frozen=True)
class Columns:
    """What of a data set holds the arm: label columns, code columns with their dummy codes, columns left empty."""

    labels: frozenset[str] = frozenset()
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    qualifiers: tuple[str, ...] = ()  # QNAMs whose QVAL is left empty


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


def find_columns(tables: Mapping[str, pa.Table], study: Study, key: Key) -> dict[str, Columns]:
    """The columns of each data set that hold or tell the arm, with dummy codes; codes the key knows keep theirs."""
    found = {name: (set(_label_columns(t, study)), set(_named(t, _CODES)), set(_hidden(name, t))) for name, t in tables.items()}
    extra_codes: set[str] = set()
    arm_of = _arm_of(tables.get(SUBJECT_TABLE), study, key)
    for name, table in tables.items():
        labels, codes, hidden = found[name]
        if not arm_of or study.info.subject not in table.column_names:
            continue
        for column in table.column_names:
            if column in labels | codes | hidden | {study.info.subject, "QVAL", "QNAM"}:
                continue
            told = tells(arm_values(table, column, study.info.subject, arm_of), len(arm_of))
            if told == "same" and name == SUBJECT_TABLE:
                extra_codes.add(column)
            elif told:
                hidden.add(column)
    learned: dict[str, dict[str, str]] = {column: dict(codes) for column, codes in key.codes.items()}
    for name, table in tables.items():
        labels, codes, hidden = found[name]
        codes |= extra_codes & set(table.column_names)
        hidden -= codes
        for column in sorted(codes):
            partner = _partner(column, table, study)
            if partner:
                _learn(learned.setdefault(column, {}), table, column, partner, key.arms)
    made = {}
    for name, table in tables.items():
        labels, codes, hidden = found[name]
        unknown = {c for c in codes if _unknown_codes(table[c], learned.get(c, {}))}
        kept = {c: learned[c] for c in sorted(codes - unknown)}
        qualifiers = _qualifiers(name, tables[name], study, arm_of)
        made[name] = Columns(frozenset(labels), kept, frozenset(hidden | unknown), qualifiers)
    return made


def blind_table(table: pa.Table, columns: Columns, key: Key, words: Sequence[str] = ()) -> tuple[pa.Table, tuple[str, ...]]:
    """A table under dummy arms, and the other columns in which arm names stood.

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


def unblind_table(table: pa.Table, key: Key, study: Study) -> pa.Table:
    """The inverse, for what the key can give back: arm names and codes. What was emptied or swept stays so."""
    back = {dummy: label for label, dummy in key.arms.items()}
    labels = set(_label_columns(table, study))
    for at, name in enumerate(table.column_names):
        column, kind = table[name], table.schema.field(at)
        if name in key.codes:
            new = _mapped(column, {dummy: code for code, dummy in key.codes[name].items()})
        elif name in labels:
            new = _rewritten(column, lambda text: _inside(text, back))
        else:
            continue
        table = table.set_column(at, kind, new.cast(kind.type))
    return table


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


def _arm_of(subjects: pa.Table | None, study: Study, key: Key) -> dict[str, str]:
    """Subject -> planned arm, of those whose arm the key knows."""
    if subjects is None or not {study.arms.planned, study.info.subject} <= set(subjects.column_names):
        return {}
    pairs = zip(subjects[study.info.subject].to_pylist(), subjects[study.arms.planned].to_pylist(), strict=True)
    return {str(subject): arm for subject, arm in pairs if subject is not None and arm in key.arms}


def _qualifiers(name: str, table: pa.Table, study: Study, arm_of: Mapping[str, str]) -> tuple[str, ...]:
    """The qualifiers of a SUPP-- data set that hold or tell the arm."""
    if not name.upper().startswith("SUPP") or not {"QNAM", "QVAL", study.info.subject} <= set(table.column_names):
        return ()
    every = [q for q in pc.unique(table["QNAM"]).to_pylist() if q is not None]
    named = [q for q in every if any(p.fullmatch(q.upper()) for p in (_LABELS, _CODES, _TREATMENTS, _HIDDEN))]
    return tuple(dict.fromkeys([*named, *supplemental(table, study.info.subject, arm_of)]))


def _partner(column: str, table: pa.Table, study: Study) -> str:
    """The label column whose codes a column holds: its own name without N or CD, else the planned arm."""
    bare = re.sub(r"(CD|N)$", "", column.upper())
    names = {n.upper(): n for n in table.column_names}
    for candidate in (bare, study.arms.planned.upper()):
        if candidate in names and candidate != column.upper():
            return str(names[candidate])
    return ""


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
