"""A study.toml guessed from the data: what ADaM names and values tell, and a list of what they do not.

What is guessed is written out and marked CHECK; what is left out (items beside their total, laboratory parameters nobody
named) is listed in a comment, so that nothing found is lost unseen. The text is valid as it stands.

No data are read here: the caller passes columns as Python sequences (None = missing), and only those that
:func:`columns_to_read` names are looked at.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alsbench.errors import DataError
from alsbench.study.als import ITEM_CODES
from alsbench.study.local_words import REFERENCE, meaning, population, visit_time
from alsbench.study.model import SourceColumns, SourceMap, SourceParameter, VisitUnit

SUBJECT_COLUMNS = ("USUBJID", "SUBJID")
RECORD_COLUMNS = ("PARAMCD", "PARAM", "AVISIT", "AVISITN", "AVAL", "CNSR", "ABLFL", "ANL01FL", "DTYPE", "ADT", "ADY")
OTHER_COLUMNS = ("STUDYID", "AEDECOD", "TRTEMFL")
IMPUTED = frozenset({"LOCF", "WOCF", "BOCF", "AVERAGE", "MEAN", "WORST", "MI", "PHANTOM"})
MANY = 40
SPARSE = 0.1
# a visit that is an occasion and no time: its values belong to the visits they were taken at
OCCASION = re.compile(
    r"\bend[ -]of[ -](treatment|study|trial)|\bearly[ -]?(term|disc|withdr)|\bunsch|\bunplanned|\bfollow[ -]?up"
    r"|\b(EOT|EOS|ET)\b|\b(last|final)\b.*\bvisit|\bdiscontinu|\bwithdraw|\bterminat"
    r"|abbruch|studienende|therapieende|behandlungsende|ungeplant|außerplanm|nachbeobachtung"
    r"|non programm|non planifi|fin (d|de l)['’]|arr[êe]t|no programad|fin de(l)? (estudio|tratamiento)|abandono|seguimiento"
    r"|조기|종료|비계획|예정외|추적|中止|終了|予定外|追跡|提前|终止|计划外|随访",
    re.IGNORECASE,
)
TIME = re.compile(r"\b(month|week|day)s?\s*\d|\d\s*(month|week|day)", re.IGNORECASE)

Columns = Mapping[str, Sequence[Any]]
SUBJECTS = "ADSL"
_NOT_AN_ARM = re.compile(r"screen\s*fail|not assigned|not treated|^$", re.IGNORECASE)
_POPULATIONS = {
    "FASFL": "FAS",
    "EFFFL": "Efficacy",
    "ITTFL": "ITT",
    "MITTFL": "mITT",
    "RANDFL": "Randomised",
    "PPROTFL": "PP",
    "SAFFL": "Safety",
}
_COVARIATES = ("LEADRATE", "ONSETSIT", "RILUFL", "STRATA1", "SITEGR1")
_RATES = ("LEADRATE", "PROGRATE")  # of these one is a covariate
_BASELINE = (
    "AGE", "SEX", "RACE", "ONSETSIT", "RILUFL", "DURDIS", "LEADRATE", "BLALSFR", "BLSVC", "BLNFL", "MMSETOT", "BMIBL",
    "PROGRATE", "BLFVC",
)  # fmt: skip
_ALS_TOTAL = re.compile(r"ALSFRS.*(total|gesamt|총점|合計|总分)|^ALSFRS_?R?T?$|^ALSTOT$", re.IGNORECASE)
_TOTAL = re.compile(r"total|score\b|subscore|TOT\d*$", re.IGNORECASE)
_BIOMARKER = re.compile(r"neurofilament|\bNfL\b|^N[FE]+L$", re.IGNORECASE)
_CAPACITY = re.compile(r"vital ?capacity|vitalkapazit|^[FS]?VC(PP?|PCT)?$|\b[FS]VC\b|폐활량|肺活量", re.IGNORECASE)
_SLOW = re.compile(r"slow|^SVC|\bSVC\b|langsam", re.IGNORECASE)
_HIGHER = re.compile(r"ALSFRS|\b[FS]VC\b|vital capacity|VC(PP)?$|MMSE|strength|survival", re.IGNORECASE)
_LOWER = re.compile(r"neurofilament|\bNfL\b|^N[FE]+L$|ADAS|event", re.IGNORECASE)
_FATAL = re.compile(
    r"death|surviv|tracheo|ventilat|mortality|überleb|\btod\b|décès|survie|muerte|supervivencia|생존|사망|生存|死亡",
    re.IGNORECASE,
)
_FATAL_CODE = re.compile(r"^(OS|DEATH|DTH\w*|SURV\w*)$", re.IGNORECASE)
_VENTILATED = re.compile(r"tracheo|ventilat", re.IGNORECASE)
_UNITS = ("month", "week", "day")
_DOSE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:mg|mcg|µg|g)\b", re.IGNORECASE)
_MOST = 6
_DOSE_WORDS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\b(very|extra)[ -]low\b",
        r"\blow\b|niedrig|\bfaible|\bbaja?\b|저용량|低(用量|剂量|劑量)",
        r"\b(mid|middle|medium|intermediate)\b|mittler|moyenne|\bmedia\b|중용량|中(用量|剂量|劑量)",
        r"\bhigh\b|\bhoch|hohe|[ée]lev[ée]|\balta?\b|고용량|高(用量|剂量|劑量)",
    )
)


def columns_to_read(table: str, columns: Sequence[str]) -> list[str]:
    """The columns of ``table`` that :func:`profile_table` looks at; of the subject-level table, all."""
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
    sparse: tuple[float, ...] = ()  # visits with less than a tenth of the records of the fullest


@dataclass(frozen=True)
class TableProfile:
    """A table as far as names and values tell. ``levels`` holds the distinct values of columns that have few."""

    name: str
    columns: tuple[str, ...]
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    events: bool = False
    baseline: float | None = None
    arm_numbers: Mapping[str, float] = field(default_factory=dict)
    every: int = 1  # of its subjects each so many-th was looked at


def profile_table(name: str, columns: Columns) -> TableProfile:
    """Summarise the table ``name`` with ``columns`` (name -> values, all of one length)."""
    levels = {c: tuple(found) for c, values in columns.items() if (found := _levels(values)) is not None}
    events = "PARAMCD" in columns and "CNSR" in columns
    parameters: tuple[Parameter, ...] = ()
    if events:
        parameters = tuple(Parameter(code, title) for code, title in _titles(columns).items())
    elif {"PARAMCD", "AVAL", "AVISITN"} <= set(columns):
        parameters = tuple(_parameters(columns))
    return TableProfile(name.upper(), tuple(columns), levels, parameters, events, _baseline(columns), _arm_numbers(columns))


def _levels(values: Sequence[Any]) -> list[Any] | None:
    found = [v for v in dict.fromkeys(values) if not _gone(v)]
    return found if len(found) <= MANY else None


def _gone(value: Any) -> bool:
    """Missing: None, or a NaN, which differs from itself."""
    return value is None or bool(value != value)


def _number(value: Any) -> float | None:
    """A value as a number, None where it is missing or none: one word among numbers makes a column text."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _titles(columns: Columns) -> dict[str, str]:
    codes = columns["PARAMCD"]
    titles = columns.get("PARAM", codes)
    return {str(c): str(t or c) for c, t in sorted({(c, t) for c, t in zip(codes, titles, strict=True) if c}, key=str)}


def _baseline(columns: Columns) -> float | None:
    """The visit number that most baseline-flagged records have."""
    if not {"ABLFL", "AVISITN"} <= set(columns):
        return None
    numbers = (_number(n) for f, n in zip(columns["ABLFL"], columns["AVISITN"], strict=True) if f == "Y")
    flagged = Counter(n for n in numbers if n is not None)
    return flagged.most_common(1)[0][0] if flagged else None


def _arm_numbers(columns: Columns) -> dict[str, float]:
    for arm, number in (("TRT01P", "TRT01PN"), ("ARM", "ARMN")):
        if {arm, number} <= set(columns):
            pairs = ((str(a), _number(n)) for a, n in zip(columns[arm], columns[number], strict=True) if a)
            return {a: n for a, n in pairs if n is not None}
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
        visit = _number(number)
        if not code or visit is None or _number(value) is None:
            continue
        if visit not in visits[code]:
            visits[code][visit] = str(labels[i] or f"{visit:g}")
        if kinds[i]:
            types[code].add(str(kinds[i]))
        real = not kinds[i] or str(kinds[i]) not in IMPUTED
        if real and not _gone(dates[i]):
            taken[code][visit].append((subject[i], dates[i], value))
        record, flagged = (subject[i], visit), analysed[i] == "Y"
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
            sparse=_sparse(counts[code]["all"]),
        )
        for code in visits
    ]


def _sparse(records: Counter[tuple[Any, Any]]) -> tuple[float, ...]:
    """Visits at which next to nobody was seen: a slip of the pen, or visits nobody planned."""
    at = Counter(float(number) for _, number in records.elements())
    return tuple(v for v, n in sorted(at.items()) if n < SPARSE * max(at.values()))


def untimed(label: str) -> bool:
    """Whether a visit's label names an occasion (end of treatment, early termination, follow-up) and no time."""
    return bool(OCCASION.search(label)) and not TIME.search(label) and visit_time(label) is None


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


@dataclass(frozen=True)
class Proposal:
    """``text`` is a study.toml; ``doubts`` what a person must decide; ``found`` lines of (what, value) for a receipt."""

    text: str
    doubts: tuple[str, ...]
    found: tuple[tuple[str, str], ...]


def propose(tables: Sequence[TableProfile], unit: VisitUnit | None = None) -> Proposal:
    """A study file for ``tables``, their visits in ``unit`` where it is known. Raises DataError where there is no subject-level
    table or no arm in it."""
    return _Writer(tables, unit).proposal()


def source_text(source: SourceMap) -> str:
    """The ``[source]`` table of a study file; every line is a guess."""
    lines = ["# What the columns of the data files hold: guessed from their names and values.", "[source]"]
    lines.append(f"layout = {_q(source.layout)}")
    lines.append(f"files = {_list(source.files)}  # CHECK")
    for key in (
        "subject",
        "arm",
        "visit",
        "date",
        "first_dose",
        "death",
        "died",
        "last_contact",
        "onset_date",
        "dates",
        "test",
    ):
        if getattr(source, key) or key == "arm":
            lines.append(f"{key} = {_q(getattr(source, key))}  # CHECK")
    times = {k: f"{v:g}" for k, v in source.visit_times.items()}
    lines += [f"visit_times = {{ {', '.join(f'{_q(k)} = {v}' for k, v in times.items())} }}  # CHECK"] if times else []
    tables = (("date_columns", source.date_columns), ("flags", source.flags), ("baseline", source.baseline))
    lines += [f"{key} = {{ {_pairs(held)} }}  # CHECK" for key, held in tables if held]
    if source.tables:
        lines.append("[source.tables]")
        lines += [f"{_q(name)} = {{ {_own_columns(own)} }}  # CHECK" for name, own in source.tables.items()]
    if source.parameters:
        lines.append("[source.parameters]")
        lines += [f"{name} = {_parameter(given)}  # CHECK" for name, given in source.parameters.items()]
    return "\n".join(lines) + "\n"


def _own_columns(own: SourceColumns) -> str:
    named = [f"{key} = {_q(value)}" for key in ("subject", "visit", "date") if (value := getattr(own, key))]
    return ", ".join([*named, *([f"at = {own.at:g}"] if own.at is not None else [])])


def _parameter(given: str | SourceParameter) -> str:
    if isinstance(given, str):
        return _q(given)
    parts = [f"{key} = {_q(value)}" for key in ("file", "test", "total") if (value := getattr(given, key))]
    parts += [f"items = {_list(given.items)}"] if given.items else []
    parts += [f"columns = {{ {_pairs(given.columns)} }}"] if given.columns else []
    by_item = ", ".join(f"{_q(k)} = {_list(v)}" for k, v in given.item_columns.items())
    return f"{{ {', '.join([*parts, *([f'item_columns = {{ {by_item} }}'] if by_item else [])])} }}"


def _pairs(held: Mapping[str, str]) -> str:
    return ", ".join(f"{_q(k)} = {_q(v)}" for k, v in held.items())


class _Writer:
    def __init__(self, tables: Sequence[TableProfile], unit: VisitUnit | None = None) -> None:
        self.unit = unit
        self.tables = sorted(tables, key=lambda t: t.name)
        subjects = next((t for t in tables if t.name == SUBJECTS), None)
        if subjects is None:
            hint = "name a file adsl.xpt or adsl.csv, one row per subject"
            raise DataError(f"there is no {SUBJECTS} among the data sets", hint=hint)
        self.subjects = subjects
        self.planned = next((c for c in ("TRT01P", "ARM") if subjects.levels.get(c)), "")
        if not self.planned:
            raise DataError(f"{SUBJECTS} has no planned arm", hint="expected TRT01P or ARM with at most 40 values")
        self.actual = next((c for c in ("TRT01A", "ACTARM") if subjects.levels.get(c)), self.planned)
        self.doubts: list[str] = []
        self.names: set[str] = set()
        self.als: tuple[str, str, list[str]] | None = None
        self.repeated = [(t, p) for t in self.tables for p in t.parameters if not t.events]
        self.fatal = any(t.events and any(map(_is_fatal, t.parameters)) for t in self.tables)
        baselines = [t.baseline for t in self.tables if t.baseline is not None]
        self.baseline = max(set(baselines), key=baselines.count) if baselines else 0.0
        self.arms, self.reference = self._arms()

    def proposal(self) -> Proposal:
        flags = self._flags()
        parts = [self._head(), self._populations(flags), self._visits(), *self._comparisons()]
        endpoints = [*self._measured(), *self._further(), *self._timed(), *self._counted(flags)]
        parts += [*endpoints, self._subgroups()]
        self.doubts.append("covariates, direction (better) and level of each endpoint")
        found = (
            ("Arms", f"{', '.join(self.arms)} (reference {self.reference})"),
            ("Populations", ", ".join(f"{n} = {c}" for n, c in flags.items()) or "none"),
            ("Parameters", ", ".join(f"{t.name}.{p.code}" for t, p in self.repeated) or "none"),
            ("Events", ", ".join(f"{t.name}.{p.code}" for t in self.tables if t.events for p in t.parameters) or "none"),
            ("Endpoints", ", ".join(sorted(self.names))),
        )
        parts.append("\n".join(["# Not told by the data:", *(f"# - {d}" for d in self.doubts)]))
        return Proposal("\n\n".join(p.strip("\n") for p in parts if p) + "\n", tuple(self.doubts), found)

    def _arms(self) -> tuple[list[str], str]:
        arms = [str(a) for a in self.subjects.levels[self.planned] if not _NOT_AN_ARM.search(str(a))]
        if not arms:
            raise DataError(f"{SUBJECTS}.{self.planned} names no arm")
        if len(arms) < 2:
            what = f"{SUBJECTS}.{self.planned} names one arm only, {arms[0]}"
            raise DataError(what, hint="a comparison needs two: is another column the arm?")
        controls = [a for a in arms if REFERENCE.search(a)]
        reference = controls[0] if controls else sorted(arms)[0]
        if len(controls) != 1:
            self.doubts.append(f"arms.reference: {'several arms look' if controls else 'no arm looks'} like a control")
        numbers = self.subjects.arm_numbers or _doses(arms)
        return sorted(arms, key=lambda a: (a != reference, numbers.get(a, 0.0), a)), reference

    def _head(self) -> str:
        study = str(next(iter(self.subjects.levels.get("STUDYID", ())), "STUDY"))
        subject = next((c for c in ("USUBJID", "SUBJID") if c in self.subjects.columns), self.subjects.columns[0])
        lines = [
            "# Proposed from the data. Lines marked CHECK are guesses; see the end for what could not be guessed.",
            "schema = 1",
            "",
            "[study]",
            f"id = {_q(study)}",
            f"title = {_q(study)}  # CHECK",
            *([f"subject = {_q(subject)}"] if subject != "USUBJID" else []),
            "",
            "[arms]",
            f"planned = {_q(self.planned)}",
            f"actual = {_q(self.actual)}",
            f"reference = {_q(self.reference)}  # CHECK",
            f"order = {_list(self.arms)}",
        ]
        doses = _in_milligrams(self.arms)
        if len(doses) >= 2 and set(doses) == set(self.arms) - {self.reference}:
            listed = ", ".join(f"{_q(a)} = {doses.get(a, 0.0):g}" for a in self.arms)
            lines.append(f"doses = {{ {listed} }}  # CHECK")
        return "\n".join(lines)

    def _flags(self) -> dict[str, str]:
        levels = self.subjects.levels
        named = {**_POPULATIONS, **{c: p for c in self.subjects.columns if c not in _POPULATIONS and (p := population(c))}}
        found: dict[str, str] = {}
        for column, name in named.items():
            if set(levels.get(column, ())) <= {"Y", "N", ""} and "Y" in levels.get(column, ()):
                found.setdefault(name, column)
        order = list(dict.fromkeys(_POPULATIONS.values()))
        return dict(sorted(found.items(), key=lambda f: order.index(f[0])))

    def _populations(self, flags: dict[str, str]) -> str:
        if not flags:
            self.doubts.append(f"populations: {SUBJECTS} has no analysis set flag such as FASFL or ITTFL; add one to the data")
            flags = {"FAS": "FASFL"}
        lines = ["[populations]", *(f"{name} = {_q(column)}" for name, column in flags.items())]
        return "\n".join([*lines, f"default = {_q(next(iter(flags)))}  # CHECK"])

    def _visits(self) -> str:
        labels = [label for _, p in self.repeated for number, label in p.visits if number != self.baseline]
        named = {time[1] for label in labels if (time := visit_time(label)) is not None}
        told: tuple[str, ...] = (self.unit,) if self.unit else _UNITS
        unit = next((u for u in told if u in named or self.unit), "")
        if not unit:
            self.doubts.append("visits.unit: no visit label says months, weeks or days")
        lines = ["[visits]", f"unit = {_q(unit or 'month')}{'' if unit else '  # CHECK'}", f"baseline = {self.baseline:g}"]
        return "\n".join(lines)

    def _later(self, parameter: Parameter) -> list[float]:
        """The visits after baseline that are times; all of them where none is."""
        later = {number: label for number, label in parameter.visits if number > self.baseline}
        timed = [v for v, label in later.items() if v not in parameter.repeats and not untimed(label)]
        return timed or list(later)

    def _horizon(self, parameter: Parameter) -> list[float]:
        """As :meth:`_later`, without follow-up after treatment and visits at which next to nobody was seen."""
        labels = dict(parameter.visits)
        later = self._later(parameter)
        return [v for v in later if not OCCASION.search(labels[v]) and v not in parameter.sparse] or later

    def _condition(self, parameter: Parameter) -> str:
        """The records that count: one a visit, and none of a visit that repeats others or is no time."""
        later = self._later(parameter)
        out = [n for n, label in parameter.visits if n > self.baseline and n not in later and "follow" not in label.lower()]
        parts = [parameter.where] if parameter.where else []
        parts += [f"AVISITN not in ({', '.join(f'{n:g}' for n in out)})"] if out else []
        return " and ".join(parts)

    def _comparisons(self) -> Iterator[str]:
        scale = [p for _, p in self.repeated if _is_als(p)]
        last = max((v for p in scale or [p for _, p in self.repeated] for v in self._horizon(p)), default=12.0)
        self.doubts.append("the horizon of each comparison, and which are primary")
        for arm in self.arms:
            if arm != self.reference:
                yield f"[[comparisons]]\ntreatment = {_q(arm)}\nhorizon = {last:g}  # CHECK: the last visit found"

    def _measured(self) -> Iterator[str]:
        for table in self.tables:
            if not table.parameters and {"PARAMCD", "AVAL"} <= set(table.columns) and "CNSR" not in table.columns:
                lacks = "has no AVISITN" if "AVISITN" not in table.columns else "holds no value at a visit"
                self.doubts.append(f"parameters of {table.name}: none is proposed, for it {lacks}")
            if table.every > 1:
                self.doubts.append(f"outcomes and visits of {table.name}: judged by every {table.every}th of its subjects")
            if table.events or not table.parameters:
                continue
            usable = [p for p in table.parameters if self._later(p)]
            chosen = _choose(usable)
            for parameter in chosen:
                yield self._repeated_measures(table, parameter)
            rest = [p.code for p in table.parameters if p not in chosen]
            if rest:
                yield f"# Not proposed from {table.name}: {', '.join(rest)}"

    def _repeated_measures(self, table: TableProfile, parameter: Parameter) -> str:
        both = f"{parameter.code} {parameter.title}"
        biomarker = bool(_BIOMARKER.search(parameter.code) or _BIOMARKER.search(parameter.title))
        name = self._name(_short_name(parameter))
        later = self._later(parameter)
        lines = [
            f"[endpoints.{name}]",
            f"title = {_q(parameter.title)}",
            f"method = {_q('mmrm' if len(later) > 1 else 'ancova')}",
            f"dataset = {_q(table.name)}",
            f"paramcd = {_q(parameter.code)}",
        ]
        condition = self._condition(parameter)
        if parameter.where is not None and condition:
            lines.append(f"where = {_q(condition)}  # CHECK")
            if parameter.imputed:
                lines.append("# imputed records are left out; an ANCOVA on them would ask for them in its where")
        elif parameter.where is None:
            self.doubts.append(f"endpoints.{name}.where: subjects have several records at a visit; say which one counts")
            lines.append("# CHECK: several records per subject and visit: where = ...")
        covariates = self._covariates()
        lines += [f"covariates = {_list(covariates)}  # CHECK"] if covariates else []
        lines += ['factors = ["SITEGR1"]'] if "SITEGR1" in covariates else []
        lines += ['scale = "log"'] if biomarker else []
        known = _LOWER.search(both) or _HIGHER.search(both)
        better = "lower" if _LOWER.search(both) else "higher"
        lines.append(f"better = {_q(better)}{'' if known else '  # CHECK'}")
        first = name == "alsfrs" and not self.fatal  # where no event is known there is no CAFS to be primary
        lines += [f'level = "{"primary" if first else "secondary"}"  # CHECK'] if _is_known(parameter) else []
        if name == "alsfrs":
            shared = [line for line in lines if line.startswith(("where", "covariates", "factors"))]
            self.als = (table.name, parameter.code, shared)
        return "\n".join(lines)

    def _further(self) -> Iterator[str]:
        """Slope and responders of the ALSFRS-R, and stages where its items are there."""
        if self.als is None:
            return
        dataset, code, shared = self.als
        about = [f"dataset = {_q(dataset)}", f"paramcd = {_q(code)}"]
        head = [f"[endpoints.{self._name('alsfrs_slope')}]", 'title = "ALSFRS-R, slope"', 'method = "slope"']
        yield "\n".join([*head, *about, *shared, 'better = "higher"'])
        where = [line for line in shared if line.startswith("where")]
        head = [f"[endpoints.{self._name('alsfrs_responder')}]", 'title = "ALSFRS-R, no decline"', 'method = "responder"']
        yield "\n".join([*head, *about, *where, "threshold = 0  # CHECK", 'better = "higher"'])
        items = {i for i in ITEM_CODES if i != "ALSFR05B"}
        holders = [t for t in self.tables if items <= {p.code for p in t.parameters}]
        for table in sorted(holders, key=lambda t: t.name != dataset)[:1]:
            condition = self._condition(next(p for p in table.parameters if p.code in items))
            head = [f"[endpoints.{self._name('stages')}]", 'title = "King\'s and MiToS stages"', 'method = "staging"']
            rule = [f"where = {_q(condition)}  # CHECK"] if condition else []
            yield "\n".join([*head, f"dataset = {_q(table.name)}", *rule])

    def _covariates(self) -> list[str]:
        """The rate of progression, site of onset and riluzole by name, else by what a column's name means."""
        known = self._known(_COVARIATES)
        if not any(rate in known for rate in _RATES):
            known = [*self._by_meaning("LEADRATE"), *known]
        for name in ("ONSETSIT", "RILUFL"):
            known += [c for c in self._by_meaning(name) if name not in known]
        return known

    def _by_meaning(self, what: str) -> list[str]:
        """The first column that by its name holds ``what``."""
        return self._known([c for c in self.subjects.columns if meaning(c) == what])[:1]

    def _timed(self) -> Iterator[str]:
        fatal: list[tuple[bool, str, str]] = []  # whether it is death alone, data set, parameter
        for table in self.tables:
            for parameter in table.parameters if table.events else ():
                deadly = _is_fatal(parameter)
                fatal += [(not _VENTILATED.search(parameter.title), table.name, parameter.code)] if deadly else []
                lines = [
                    f"[endpoints.{self._name('survival' if deadly else parameter.code)}]",
                    f"title = {_q(parameter.title)}",
                    'method = "time_to_event"',
                    f"dataset = {_q(table.name)}",
                    f"paramcd = {_q(parameter.code)}",
                    'better = "higher"' + ("" if deadly else "  # CHECK"),
                    *(['level = "secondary"  # CHECK'] if deadly else []),
                ]
                yield "\n".join(lines)
        if fatal and "alsfrs" in self.names:
            _, dataset, paramcd = min(fatal, key=lambda f: f[0])  # an event of CAFS is death or what is equal to it
            allowed = self._covariates()
            first = self._known(("BLALSFR",)) or self._by_meaning("BLALSFR")
            covariates = [*first, *(c for c in allowed if c not in _COVARIATES[3:])]
            lines = [
                f"[endpoints.{self._name('cafs')}]",
                'title = "CAFS (joint rank)"',
                'method = "joint_rank"',
                'function = "alsfrs"',
                f"event = {{ dataset = {_q(dataset)}, paramcd = {_q(paramcd)} }}  # CHECK",
                f"covariates = {_list(covariates)}  # CHECK",
                'better = "higher"',
                'level = "primary"  # CHECK',
            ]
            yield "\n".join(lines)

    def _counted(self, flags: dict[str, str]) -> Iterator[str]:
        for table in self.tables:
            if "AEDECOD" in table.columns:
                lines = [f"[endpoints.{self._name('ae')}]", 'title = "Adverse events"', 'method = "incidence"']
                lines += [f"dataset = {_q(table.name)}"]
                lines += ['population = "Safety"'] if "Safety" in flags else []
                yield "\n".join([*lines, 'better = "lower"'])
        columns = self._known(_BASELINE)
        for name in _BASELINE:
            columns += [c for c in self._by_meaning(name) if name not in columns and c not in columns]
        lines = [f"[endpoints.{self._name('baseline')}]", 'title = "Baseline characteristics"', 'method = "baseline"']
        yield "\n".join([*lines, *([f"covariates = {_list(columns)}"] if columns else [])])

    def _subgroups(self) -> str:
        self.doubts.append("subgroups: data do not tell which are of interest")
        known = {"LEADRATE": "LEADRATE <= mean(LEADRATE)", "PROGRATE": "PROGRATE <= mean(PROGRATE)", "AGE": "AGE >= 65"}
        example = next((e for c, e in known.items() if c in self.subjects.columns), "...")
        lines = ["# [[subgroups]]", '# name = "..."', f"# where = {_q(example)}", "# prespecified = false"]
        return "\n".join(["# Subgroups are added here, or with: alsbench subgroup add NAME --where EXPRESSION", *lines])

    def _known(self, names: Sequence[str]) -> list[str]:
        """Those of ``names`` that the subject-level table has, with more than one value."""
        levels = self.subjects.levels
        return [n for n in names if n in self.subjects.columns and len(levels.get(n, (0, 1))) > 1]

    def _name(self, code: str) -> str:
        base = re.sub(r"\W+", "_", code, flags=re.ASCII).strip("_").lower() or "endpoint"
        name, n = base, 1
        while name in self.names:
            n += 1
            name = f"{base}_{n}"
        self.names.add(name)
        return name


def _in_milligrams(arms: Sequence[str]) -> dict[str, float]:
    """The number before the unit of a dose, of arms that have one."""
    return {a: float(m.group(1).replace(",", ".")) for a in arms if (m := _DOSE.search(a))}


def _doses(arms: Sequence[str]) -> dict[str, float]:
    """The order of arms: by their doses, else by words such as low and high."""
    words = {a: float(i + 1) for a in arms for i, form in enumerate(_DOSE_WORDS) if form.search(a)}
    return _in_milligrams(arms) or words


def _is_als(parameter: Parameter) -> bool:
    return bool(_ALS_TOTAL.search(parameter.code) or _ALS_TOTAL.search(parameter.title))


def _is_fatal(parameter: Parameter) -> bool:
    return bool(_FATAL.search(parameter.title) or _FATAL_CODE.match(parameter.code))


def _is_biomarker(parameter: Parameter) -> bool:
    return bool(_BIOMARKER.search(parameter.code) or _BIOMARKER.search(parameter.title))


def _is_capacity(parameter: Parameter) -> bool:
    return bool(_CAPACITY.search(parameter.code) or _CAPACITY.search(parameter.title))


def _is_known(parameter: Parameter) -> bool:
    return _is_als(parameter) or _is_biomarker(parameter) or _is_capacity(parameter)


def _short_name(parameter: Parameter) -> str:
    """nfl, alsfrs, svc and fvc for what they are; the code of any other parameter."""
    if _is_biomarker(parameter):
        return "nfl"
    if _is_als(parameter):
        return "alsfrs"
    if _is_capacity(parameter):
        return "svc" if _SLOW.search(parameter.code) or _SLOW.search(parameter.title) else "fvc"
    return parameter.code


def _choose(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Outcomes of ALS that are known, totals where there are any, named biomarkers among many, else the first few."""
    chosen = _totals_or_first(parameters)
    known = [p for p in parameters if _is_known(p)]
    return [p for p in parameters if p in known or p in chosen][: max(_MOST, len(known))]


def _totals_or_first(parameters: Sequence[Parameter]) -> list[Parameter]:
    totals = [p for p in parameters if _is_als(p)] or [p for p in parameters if _TOTAL.search(p.code) or _TOTAL.search(p.title)]
    if totals and len(totals) < len(parameters):
        return totals[:_MOST]
    if len(parameters) > _MOST:
        return [p for p in parameters if _BIOMARKER.search(p.code) or _BIOMARKER.search(p.title)] or list(parameters[:_MOST])
    return list(parameters)


def _q(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_q, texts))}]"
