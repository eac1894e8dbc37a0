"""The analysis frame: one row per subject, parameter and analysis visit, tied to the subject-level table.

Delivered BASE, CHG and AVISIT are used as they are; BASE and CHG are derived where the column is absent or empty for the
parameter (METHODS 2): from the records flagged as baseline, else those at the baseline visit, else the last on or before day 1.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.source import BoolArray, IntArray, Source
from alsbench.data import codelists
from alsbench.data.frames import Frame
from alsbench.errors import DataError, UsageError
from alsbench.stats.ties import below as falls_below
from alsbench.stats.ties import visit_numbers
from alsbench.study.als import ITEM_CODES
from alsbench.study.expression import parse
from alsbench.study.model import Endpoint
from alsbench.study.names import nearest
from alsbench.study.sql import compile_sql

Floats = NDArray[np.float64]
# DTYPE of values that were never observed (CDISC controlled terminology, Derivation Type)
FILLED_IN = frozenset(
    {"BCF", "BLCF", "BLOCF", "BOCF", "BOV", "COPY", "EXTRAP", "INTERP", "LOCF", "LOV", "LVPD", "MI", "ML", "MOV", "PHANTOM"}
    | {"POCF", "POV", "SOCF", "WC", "WOCF", "WOV"}
)

OFF_SCHEDULE = re.compile(r"\bunsch|\bunplanned|\bearly (term|disc|withdr)|^\s*end of (treatment|study)\b", re.IGNORECASE)
SPARSE = 0.25  # a visit between whole numbers with fewer than this share of the fullest visit's records is nobody's schedule


@dataclass(frozen=True)
class Records:
    """Rows of one parameter, sorted by subject and visit. All arrays are (rows,).

    ``subject`` indexes ``Source.subjects``; values are in the units of the data set, NaN where missing. ``below`` marks values
    below the limit of quantification, which stand at half of it; ``day`` is the study day (ADY) where the data set has it;
    ``weight`` is 1 unless the endpoint names a column of weights, NaN where that is missing or not positive; ``imputed`` counts
    the records by a DTYPE that says their value was never observed; ``unscheduled`` the visits after baseline that are outside
    the schedule by their label, or by number and fewness, with their records: none where the endpoint names its visits.
    """

    subject: IntArray
    visit: Floats
    aval: Floats
    base: Floats
    chg: Floats
    below: BoolArray
    labels: dict[float, str]
    n_unknown_subject: int
    day: Floats
    weight: Floats
    imputed: tuple[tuple[str, int], ...] = ()
    unscheduled: tuple[tuple[float, int], ...] = ()
    visit_column: str = "AVISITN"

    def __len__(self) -> int:
        return int(self.subject.size)

    def take(self, mask: BoolArray) -> Records:
        """The rows where ``mask`` is true."""
        return replace(
            self,
            subject=self.subject[mask],
            visit=self.visit[mask],
            aval=self.aval[mask],
            base=self.base[mask],
            chg=self.chg[mask],
            below=self.below[mask],
            day=self.day[mask],
            weight=self.weight[mask],
        )


def endpoint_records(source: Source, endpoint: Endpoint) -> Records:
    """Every record of an endpoint's parameter that its ``where`` lets in, all visits. The source keeps them: every
    subgroup, and every endpoint of the same parameter, is of the same records.

    Raises DataError when the data set, the parameter or a needed column is not there, or a subject has two records at one
    visit.
    """
    data = (endpoint.dataset.upper(), endpoint.paramcd, endpoint.where)
    asked = (*data, endpoint.lloq, endpoint.weights)
    if asked not in source.records_read:
        source.records_read[asked] = _read_records(source, endpoint)
    records: Records = source.records_read[asked]
    return replace(records, unscheduled=()) if endpoint.visits else records


def _read_records(source: Source, endpoint: Endpoint) -> Records:
    frame = parameter_frame(source, endpoint.dataset, endpoint.paramcd, endpoint.where, label=f"endpoints.{endpoint.name}")
    visits = source.study.visits
    for column in (visits.number, "AVAL"):
        if column not in frame.columns or frame.kind(column) != "number":
            raise DataError(
                f"{endpoint.dataset}.{column} is {'not numeric' if column in frame.columns else 'not there'}",
                where=f"endpoint {endpoint.name}",
                hint="the study's visits.number names the numeric analysis visit" if column == visits.number else "",
            )
    _refuse_mixed_units(frame, endpoint)
    ids = frame[source.study.info.subject]
    index = np.array([source.subject_index.get(str(s), -1) for s in ids], dtype=np.int64)
    number = visit_numbers(frame[visits.number])
    unknown = int((~((index >= 0) & np.isfinite(number))).sum())
    order = np.lexsort((number, index))
    order = order[index[order] >= 0]
    frame, index, number = frame.take(order), index[order], number[order]
    aval = np.asarray(frame["AVAL"], dtype=np.float64)
    aval, below = _quantified(frame, aval, endpoint.lloq)
    base = _base(source, endpoint, frame, index, number, aval)  # of records of no visit too: one of them may be the baseline
    placed = np.isfinite(number)
    frame, index, number = frame.take(placed), index[placed], number[placed]
    aval, below, base = aval[placed], below[placed], base[placed]
    halved = np.abs(aval - np.asarray(frame["AVAL"], dtype=np.float64)) > 0
    if endpoint.lloq is not None:
        low = falls_below(base, endpoint.lloq)
        halved |= low
        base = np.where(low, endpoint.lloq / 2.0, base)
    # a delivered change does not know of values halved here
    told = _delivered(frame, "CHG")
    chg = np.where(halved, aval - base, told) if told is not None else aval - base
    labels = visit_labels(frame, number, visits.label)
    records = Records(
        index,
        number,
        aval,
        base,
        chg,
        below,
        labels,
        unknown,
        _days(frame),
        _weights(source, endpoint, frame, index),
        _imputed(frame),
        _unscheduled(labels, number[np.isfinite(aval)], visits.baseline),
        visits.number,
    )
    _refuse_duplicates(source, endpoint, records)
    return records


def parameter_frame(source: Source, dataset: str, paramcd: str, where: str, *, label: str) -> Frame:
    """Rows of one parameter of a data set, restricted by a record expression. Raises DataError when there are none."""
    name = dataset.upper()
    if name not in source.snapshot.tables:
        raise DataError(
            f"the snapshot has no data set {name}",
            where=f"study.toml {label}.dataset",
            hint=nearest(name, source.snapshot.tables),
        )
    column_kinds = {c.name: c.kind for c in source.snapshot.tables[name].columns}
    clauses = []
    if paramcd:
        if "PARAMCD" not in column_kinds:
            raise DataError(f"{name} has no column PARAMCD", where=f"study.toml {label}.paramcd")
        clauses.append(f"PARAMCD == {_quoted(paramcd)}")
    if where:
        clauses.append(f"({where})")
    compiled = compile_sql(parse(" and ".join(clauses)), column_kinds, {}) if clauses else None
    frame = source.snapshot.frame(name, where=compiled, order_by=(source.study.info.subject,))
    if len(frame) == 0:
        raise DataError(
            f"{name} holds no record of {paramcd or 'anything'}" + (f" with {where}" if where else ""),
            where=f"study.toml {label}",
            hint="see which parameters there are: alsbench data " + name,
        )
    return frame


def _quoted(text: str) -> str:
    """A string literal of the expression language."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _delivered(frame: Frame, column: str) -> Floats | None:
    """A column of numbers as it was delivered; None where it is absent or empty for the parameter."""
    if column not in frame.columns:
        return None
    values = np.asarray(frame[column], dtype=np.float64)
    return values if np.isfinite(values).any() else None


def _base(source: Source, endpoint: Endpoint, frame: Frame, index: IntArray, number: Floats, aval: Floats) -> Floats:
    """BASE of every row: as delivered, else the subject's baseline value; NaN where there is none.

    Where the endpoint's ``where`` lets no baseline record in, those of the whole parameter tell it.
    """
    told = _delivered(frame, "BASE")
    if told is not None:
        return told
    value = _baseline_values(source, frame, index, number, aval)
    if not value and endpoint.where:
        whole = parameter_frame(source, endpoint.dataset, endpoint.paramcd, "", label=f"endpoints.{endpoint.name}")
        subject = np.array([source.subject_index.get(str(s), -1) for s in whole[source.study.info.subject]], dtype=np.int64)
        values, _ = _quantified(whole, np.asarray(whole["AVAL"], dtype=np.float64), endpoint.lloq)
        value = _baseline_values(source, whole, subject, visit_numbers(whole[source.study.visits.number]), values)
    return np.array([value.get(subject, np.nan) for subject in index.tolist()], dtype=np.float64)


def _baseline_values(source: Source, frame: Frame, index: IntArray, number: Floats, aval: Floats) -> dict[int, float]:
    """Baseline by subject: the flagged records (ABLFL), else those at the baseline visit, else the last up to day 1."""
    day = _days(frame)
    known = np.isfinite(aval) & (index >= 0)
    flagged = np.zeros(known.size, dtype=bool)
    if "ABLFL" in frame.columns:
        flagged = np.array([codelists.yes(codelists.word(v)) == 1.0 for v in frame["ABLFL"].tolist()], dtype=bool)
    for rule in (flagged, number == source.study.visits.baseline, day <= 1):
        rows = np.flatnonzero(known & rule)
        if rows.size:
            rows = rows[np.lexsort((rows, np.nan_to_num(day[rows], nan=-np.inf)))]  # the last of a subject counts
            return dict(zip(index[rows].tolist(), aval[rows].tolist(), strict=True))
    return {}


def _days(frame: Frame) -> Floats:
    """ADY, NaN where missing or absent."""
    if "ADY" in frame.columns and frame.kind("ADY") == "number":
        return np.asarray(frame["ADY"], dtype=np.float64)
    return np.full(len(frame), np.nan)


def _weights(source: Source, endpoint: Endpoint, frame: Frame, index: IntArray) -> Floats:
    """The endpoint's weights per record: a column of the data set, else of the subject-level table."""
    name = endpoint.weights
    if not name:
        return np.ones(index.size)
    column = frame[name] if name in frame.columns else source.subject_column(name)[index]
    kind = frame.kind(name) if name in frame.columns else source.subjects.kind(name)
    if kind != "number":
        raise UsageError(f"the weights {name} are not numeric", where=f"study.toml endpoints.{endpoint.name}.weights")
    values = np.asarray(column, dtype=np.float64)
    return np.where(values > 0, values, np.nan)


def _imputed(frame: Frame) -> tuple[tuple[str, int], ...]:
    """How many records carry each DTYPE of a value filled in for a missing one."""
    kinds = Counter(str(v).strip().upper() for v in frame["DTYPE"].tolist() if v) if "DTYPE" in frame.columns else Counter()
    return tuple(sorted((kind, n) for kind, n in kinds.items() if kind in FILLED_IN))


def _unscheduled(labels: dict[float, str], number: Floats, baseline: float) -> tuple[tuple[float, int], ...]:
    """Visits after baseline that are outside the schedule, and how many values they hold."""
    counts = {v: int((number == v).sum()) for v in labels if v > baseline}
    fullest = max(counts.values(), default=0)
    return tuple(
        (v, n)
        for v, n in counts.items()
        if n and (OFF_SCHEDULE.search(labels[v]) or (not v.is_integer() and n < SPARSE * fullest))
    )


def _refuse_mixed_units(frame: Frame, endpoint: Endpoint) -> None:
    units = sorted({str(v).strip() for v in frame["AVALU"].tolist() if v}) if "AVALU" in frame.columns else []
    if len(units) > 1:
        raise DataError(
            f"{endpoint.dataset}.AVAL of {endpoint.paramcd} is in more than one unit: {', '.join(units)}",
            where=f"endpoint {endpoint.name}",
            hint="say which records count: where = \"AVALU == '" + units[0] + "'\"",
        )


def _quantified(frame: Frame, aval: Floats, lloq: float | None) -> tuple[Floats, BoolArray]:
    """Values with those below the limit of quantification at half of it, and which they are.

    Records with DTYPE = HALFLLOQ have been halved by whoever delivered them.
    """
    below = np.zeros(aval.size, dtype=bool)
    if "DTYPE" in frame.columns:
        below = np.asarray(frame["DTYPE"] == "HALFLLOQ", dtype=np.bool_)
    if lloq is None:
        return aval, below
    to_halve = falls_below(aval, lloq) & ~below
    return np.where(to_halve, lloq / 2.0, aval), below | to_halve


def visit_labels(frame: Frame, number: Floats, column: str, *, unit: str = "") -> dict[float, str]:
    """Visit number -> its label in the data; the number itself, after ``unit``, where the data have none.

    Visits that share a label ("Unscheduled") are told apart by their numbers: they are different visits, and a model that
    names its levels by label would take them for one.
    """
    labels: dict[float, str] = {}
    texts = frame[column] if column in frame.columns else None
    for row, value in enumerate(number.tolist()):
        if value not in labels:
            text = texts[row] if texts is not None else None
            labels[value] = str(text) if text else f"{unit} {number_text(value)}".strip()
    shared = {label for label, n in Counter(labels.values()).items() if n > 1}
    return {v: f"{label} ({number_text(v)})" if label in shared else label for v, label in sorted(labels.items())}


def number_text(value: float) -> str:
    """A number as a level's name: as short as tells it from any other, 1000001 and not 1e+06."""
    return f"{value:.15g}"


def _refuse_duplicates(source: Source, endpoint: Endpoint, records: Records) -> None:
    if len(records) < 2:
        return
    same = (np.diff(records.subject) == 0) & (np.diff(records.visit) == 0)
    if same.any():
        row = int(np.flatnonzero(same)[0])
        subject = source.subject_ids[int(records.subject[row])]
        raise DataError(
            f"{int(same.sum())} duplicate subject-visit rows of {endpoint.paramcd} in {endpoint.dataset}; "
            f"the first: {subject} at {records.labels[float(records.visit[row])]}",
            where=f"endpoint {endpoint.name}",
            hint="say which record counts with where = \"ANL01FL == 'Y'\" or the like in study.toml",
        )


def post_baseline_visits(source: Source, records: Records) -> tuple[float, ...]:
    """Visit numbers after baseline, ascending."""
    return tuple(v for v in records.labels if v > source.study.visits.baseline)


def visit_label(source: Source, records: Records, number: float) -> str:
    """The data's label of a visit, or ``Month 6`` made from the study's unit where the data have none."""
    return records.labels.get(number, f"{source.study.visits.unit.capitalize()} {number:g}")


WITHOUT_VISITS = frozenset({"time_to_event", "incidence", "baseline"})


def resolve_visit(source: Source, endpoint: Endpoint, text: str) -> float:
    """A visit number from a number or a label, as ``--visit`` takes it.

    It must be a visit after baseline that the data hold; the horizon of a joint rank may lie between visits. Raises
    UsageError otherwise, and for a method that has no visits.
    """
    where = f"endpoint {endpoint.name}"
    if endpoint.method in WITHOUT_VISITS:
        raise UsageError(f"{endpoint.method} has no visits to choose from", where=where, hint="leave out --visit")
    carrier = source.endpoint(endpoint.function) if endpoint.method == "joint_rank" else endpoint
    if endpoint.method == "staging":
        carrier = endpoint.model_copy(update={"paramcd": (endpoint.items or ITEM_CODES)[0]})
    records = endpoint_records(source, carrier)
    known = {number: records.labels[number] for number in post_baseline_visits(source, records)}
    try:
        wanted = float(text)
    except ValueError:
        wanted = next((n for n, label in known.items() if label.casefold() == text.strip().casefold()), np.nan)
    horizon = endpoint.method == "joint_rank" and source.study.visits.baseline < wanted < np.inf
    if wanted not in known and not horizon:
        hint = nearest(text, [*known.values(), *(f"{n:g}" for n in known)])
        raise UsageError(f"there is no visit {text!r} after baseline", where=where, hint=hint)
    return float(wanted)
