"""King's and MiToS stages, visit by visit, from the items of the ALSFRS-R; and the time until a subject's stage goes up.

Rules: ``stats.staging`` (Balendra et al. 2014, doi 10.3109/21678421.2013.865753; Chio et al. 2015, doi
10.1136/jnnp-2013-306589). The endpoint's ``event`` is stage 5 from its day on; it should be death.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alsbench.analysis.context import AnalysisContext, MethodResult
from alsbench.analysis.endpoints.responder import threshold_rows, time_words
from alsbench.analysis.follow_up import event_days
from alsbench.analysis.model_data import Floats, unplaced_words
from alsbench.analysis.records import parameter_frame, visit_labels
from alsbench.analysis.result import Row, merge_warnings
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.data.frames import Frame
from alsbench.errors import DataError
from alsbench.stats.proportions import percent
from alsbench.stats.responder import time_to_threshold
from alsbench.stats.staging import DEATH, N_ITEMS, kings_stage, mitos_stage
from alsbench.stats.ties import at_most, visit_numbers
from alsbench.study.als import ITEM_CODES
from alsbench.study.model import Endpoint, StagingSystem

NAMES: dict[StagingSystem, str] = {"kings": "King's stage", "mitos": "MiToS stage"}
PROGRESSION: dict[StagingSystem, str] = {"kings": "time to a higher King's stage", "mitos": "time to a higher MiToS stage"}
STAGES = tuple(str(k) for k in range(int(DEATH) + 1))
ITEM_5 = 4  # its position among the items


@dataclass(frozen=True)
class Items:
    """Scores (n, V, 12) of the members (indices into the source) at ``visits`` (V,), NaN missing; ``gastrostomy`` (n, V) is
    1 where item 5 was asked as 5b, NaN where unknown; ``day`` (n, V). ``both`` counts visits with 5a and 5b, ``unplaced``
    records of no visit or of nobody in the subject-level table."""

    subject: IntArray
    arm: IntArray
    score: Floats
    gastrostomy: Floats
    day: Floats
    event_day: Floats
    visits: tuple[float, ...]
    labels: tuple[str, ...]
    both: int
    unplaced: int


def analyse(analysis: AnalysisContext) -> MethodResult:
    """Subjects in each stage by arm and visit, and time to the first higher stage, for each staging system."""
    items = read_items(analysis)
    rows: list[Row] = []
    warnings = unplaced_words(items.unplaced)
    for system in analysis.endpoint.systems:
        rows += _counts(analysis, items, system)
        found, more = _progression(analysis, items, system)
        rows += found
        warnings += more
    if items.both:
        warnings.append(f"{items.both} visits hold item 5 as 5a and as 5b: item 5 and the gastrostomy are taken as unknown")
    split = len(item_codes(analysis.endpoint)) > N_ITEMS
    tube = "gastrostomy, " if split else ""
    if not split and "kings" in analysis.endpoint.systems:
        warnings.append("item 5 is not told apart as 5a and 5b: a gastrostomy is not known and does not make King's stage 4")
    event = "from the day of the event on" if analysis.endpoint.event is not None else "not known: the endpoint names no event"
    return MethodResult(
        rows,
        model=(
            ("King's", f"4: {tube}item 10 = 0 or item 12 < 4; else regions involved (items 1-3, 4-5, 8 below 4)"),
            ("MiToS", "functions lost: items 8 or 6 <= 1; 3 <= 1; 1 and 4 <= 1; 10 <= 1 or 12 <= 2"),
            ("Stage 5", event),
            ("Missing data", "a stage that a missing item leaves open is unknown and not in the denominator"),
            ("Time to a higher stage", _time_words(analysis.endpoint)),
            *time_words(analysis),
        ),
        warnings=merge_warnings([warnings]),
    )


def stages_up(endpoint: Endpoint) -> float:
    """How many stages above baseline's the time is until: ``worsening``, or one."""
    return 1.0 if endpoint.worsening is None else endpoint.worsening


def _time_words(endpoint: Endpoint) -> str:
    above = "above baseline's" if stages_up(endpoint) <= 1 else f"at least {stages_up(endpoint):g} above baseline's"
    confirmed = ", confirmed at the next visit" if endpoint.confirmed else ""
    return f"first day with a stage {above}{confirmed}; the event counts"


def stages(items: Items, system: StagingSystem, *, died: bool = True) -> Floats:
    """(n, V) stages, NaN where unknown; ``died`` makes the event stage 5 from its day on."""
    n, V = items.gastrostomy.shape
    flat = items.score.reshape(n * V, N_ITEMS)
    late = at_most(np.broadcast_to(items.event_day[:, None], items.day.shape), items.day)
    dead = late.ravel().astype(np.float64) if died else None
    rule: Callable[[], Floats] = {
        "kings": lambda: kings_stage(flat, gastrostomy=items.gastrostomy.ravel(), died=dead),
        "mitos": lambda: mitos_stage(flat, died=dead),
    }[system]
    return rule().reshape(n, V)


def item_codes(endpoint: Endpoint) -> dict[str, tuple[int, bool]]:
    """PARAMCD -> (position of the item, whether it is 5b)."""
    codes = endpoint.items or ITEM_CODES
    if len(codes) == N_ITEMS:
        return {code: (i, False) for i, code in enumerate(codes)}
    places = [*range(ITEM_5 + 1), *range(ITEM_5, N_ITEMS)]
    return {code: (at, i == ITEM_5 + 1) for i, (code, at) in enumerate(zip(codes, places, strict=True))}


def read_items(analysis: AnalysisContext) -> Items:
    """The items of every member at every visit. Raises DataError for an item that is not in the data or is there twice."""
    source, endpoint = analysis.source, analysis.endpoint
    codes = item_codes(endpoint)
    listed = ", ".join("'" + c.replace("\\", "\\\\").replace("'", "\\'") + "'" for c in codes)
    where = f"PARAMCD in ({listed})" + (f" and ({endpoint.where})" if endpoint.where else "")
    frame = parameter_frame(source, endpoint.dataset, "", where, label=f"endpoints.{endpoint.name}")
    _check(frame, source.study.visits.number, codes, endpoint)
    number = visit_numbers(frame[source.study.visits.number])
    index = np.array([source.subject_index.get(str(s), -1) for s in frame[source.study.info.subject]], dtype=np.int64)
    frame = frame.take(keep := (index >= 0) & np.isfinite(number))
    number, index, unplaced = number[keep], index[keep], int((~keep).sum())
    subject = np.flatnonzero(analysis.member.mask & (source.planned_arm >= 0)).astype(np.int64)
    labels = visit_labels(frame, number, source.study.visits.label, unit=source.study.visits.unit.capitalize())
    visits = np.array(list(labels))
    position = np.full(len(source.subjects), -1, dtype=np.int64)
    position[subject] = np.arange(subject.size)
    mine = position[index] >= 0
    frame, number, index = frame.take(mine), number[mine], index[mine]
    who, at = position[index], np.searchsorted(visits, number)
    item = np.array([codes[str(c)][0] for c in frame["PARAMCD"]], dtype=np.int64)
    second = np.array([codes[str(c)][1] for c in frame["PARAMCD"]], dtype=bool)
    value = np.asarray(frame["AVAL"], dtype=np.float64)
    _refuse_duplicates(analysis, np.column_stack([who, at, item, second]))
    score = np.full((subject.size, visits.size, N_ITEMS), np.nan)
    score[who, at, item] = value
    tube, both = _gastrostomy(who, at, item, second, value, score, split=len(codes) > N_ITEMS)
    nominal = np.array([float(source.study.visits.horizon_day(float(v))) for v in visits])
    day = np.repeat(nominal[None, :], subject.size, axis=0)
    if "ADY" in frame.columns and frame.kind("ADY") == "number":
        known = np.isfinite(np.asarray(frame["ADY"], dtype=np.float64))
        day[who[known], at[known]] = frame["ADY"][known]
    events = event_days(source, endpoint, subject)
    arm = source.planned_arm[subject]
    return Items(subject, arm, score, tube, day, events, tuple(labels), tuple(labels.values()), both, unplaced)


def _gastrostomy(
    who: IntArray, at: IntArray, item: IntArray, second: BoolArray, value: Floats, score: Floats, *, split: bool
) -> tuple[Floats, int]:
    """1 where item 5 was answered as 5b, 0 as 5a, NaN as neither or both; both make item 5 unknown in ``score``."""
    n, V, _ = score.shape
    if not split:
        return np.zeros((n, V)), 0
    answered = np.isfinite(value) & (item == ITEM_5)
    first_asked, second_asked = np.zeros((n, V), dtype=bool), np.zeros((n, V), dtype=bool)
    first_asked[who[answered & ~second], at[answered & ~second]] = True
    second_asked[who[answered & second], at[answered & second]] = True
    for asked, form in ((first_asked, ~second), (second_asked, second)):
        # the answer given, whichever of the two records came last
        rows = answered & form & asked[who, at]
        score[who[rows], at[rows], ITEM_5] = value[rows]
    tube = np.where(second_asked, 1.0, np.where(first_asked, 0.0, np.nan))
    double = first_asked & second_asked
    tube[double] = np.nan
    score[double, ITEM_5] = np.nan
    return tube, int(double.sum())


def _check(frame: Frame, visit: str, codes: dict[str, tuple[int, bool]], endpoint: Endpoint) -> None:
    for column in (visit, "AVAL"):
        if column not in frame.columns or frame.kind(column) != "number":
            raise DataError(f"{endpoint.dataset}.{column} is missing or not numeric", where=f"endpoint {endpoint.name}")
    present = set(frame["PARAMCD"].tolist())
    # nobody need have a gastrostomy, or be without one
    forms = {c for c, (item, _) in codes.items() if item == ITEM_5}
    missing = [c for c in codes if c not in present and (c not in forms or not forms & present)]
    if missing:
        raise DataError(
            f"{endpoint.dataset} has no records of {', '.join(missing)}",
            where=f"study.toml endpoints.{endpoint.name}.items",
            hint='name the twelve items by their PARAMCD: items = ["ALSFR01", ...]',
        )


def _refuse_duplicates(analysis: AnalysisContext, keys: IntArray) -> None:
    if np.unique(keys, axis=0).shape[0] < keys.shape[0]:
        raise DataError(
            "an item is recorded twice for one subject and visit",
            where=f"endpoint {analysis.endpoint.name}",
            hint="say which record counts with where = \"ANL01FL == 'Y'\" or the like in study.toml",
        )


def _counts(analysis: AnalysisContext, items: Items, system: StagingSystem) -> list[Row]:
    stage = stages(items, system)
    wanted = analysis.question.visits or analysis.endpoint.visits
    rows: list[Row] = []
    for j, (visit, label) in enumerate(zip(items.visits, items.labels, strict=True)):
        if wanted and visit not in wanted:
            continue
        for code, arm in enumerate(analysis.arms):
            mine = stage[items.arm == code, j]
            known = mine[np.isfinite(mine)]
            at = {"arm": arm, "visit": label, "visit_number": visit, "variable": NAMES[system]}
            rows.append(analysis.row("arm", "n", int(known.size), **at))
            rows.append(analysis.row("arm", "n_missing", int(mine.size - known.size), **at))
            for level in STAGES:
                count = int((known == float(level)).sum())
                reason = None if known.size else f"no known stage of {arm} at {label}"
                if level == STAGES[-1] and analysis.endpoint.event is None:
                    unknown = "unknown: the endpoint names no event"
                    rows += analysis.failed("arm", ("count", "percent"), unknown, level=level, **at)
                    continue
                share = percent(count, known.size) if known.size else None
                rows.append(analysis.row("arm", "count", count, level=level, **at))
                rows.append(analysis.row("arm", "percent", share, level=level, error=reason, **at))
    return rows


def _progression(analysis: AnalysisContext, items: Items, system: StagingSystem) -> tuple[list[Row], list[str]]:
    """Time to a stage above baseline's, by ``worsening`` stages or more; who has no known stage at baseline has none."""
    variable = PROGRESSION[system]
    stage = stages(items, system, died=False)
    baseline = analysis.source.study.visits.baseline
    at = [j for j, v in enumerate(items.visits) if v == baseline]
    after = [j for j, v in enumerate(items.visits) if v > baseline]
    start = stage[:, at[0]] if at else np.full(items.subject.size, np.nan)
    known = np.isfinite(start)
    warnings = []
    if not known.all():
        warnings.append(f"{variable}: {int((~known).sum())} without a known stage at baseline, left out")
    if not known.any() or not after:
        reason = "no subject has a known stage at baseline" if not known.any() else "no visit after baseline"
        rows = [analysis.row("contrast", "hazard_ratio", None, treatment=t, reference=r, variable=variable, error=reason)
                for t, r in analysis.pairs]  # fmt: skip
        return rows, warnings
    change = stage[known][:, after] - start[known, None]
    reached = time_to_threshold(
        change,
        items.day[known][:, after],
        stages_up(analysis.endpoint),
        worse="higher",
        confirmed=analysis.endpoint.confirmed,
        event_day=items.event_day[known],
    )
    found, more = threshold_rows(analysis, items.subject[known], items.arm[known], reached.day, reached.reached == 1, variable)
    return found, [*warnings, *more]
