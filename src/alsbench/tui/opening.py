"""Opening a workspace for the app: the source, what there is to choose from, and where a session starts.

Runs in a worker after the first paint; nothing heavy is imported before it is called.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.analysis.question import Question
from alsbench.errors import AlsbenchError, UnavailableError, not_enough_memory, out_of_memory
from alsbench.tui.actions import Open
from alsbench.tui.session import Catalogue, Item
from alsbench.tui.survival import CurveKey, Curves, survival_curves

if TYPE_CHECKING:
    from alsbench.analysis.cells import Piece
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.study.model import Study

HASH = 8  # characters of a hash on the screen


@dataclass(frozen=True)
class Opened:
    """A workspace ready to be asked."""

    source: Source
    catalogue: Catalogue
    start: Open


def open_workspace(workspace: Path, *, audit: bool = False) -> Opened:
    """Read the study, open the current snapshot. Raises AlsbenchError as the shell would; with ``audit`` also where looks
    cannot be entered in the log."""
    from alsbench.analysis.source import open_source  # numpy and duckdb: after the first paint
    from alsbench.audit.log import check_writable

    if audit:
        check_writable(workspace / "audit.jsonl")
    source = open_source(workspace)
    known = catalogue(source)
    return Opened(source, known, first_action(source.study, known, source.snapshot.digest))


def catalogue(source: Source) -> Catalogue:
    """Names and titles of everything that can be chosen."""
    from alsbench.analysis.methods import evidence_endpoints

    study = source.study
    return Catalogue(
        endpoints=tuple(Item(e.name, e.title or e.name, e.method) for e in evidence_endpoints(source)),
        comparisons=tuple(
            Item(c.name or c.treatment, f"{c.treatment} vs {c.reference or study.arms.reference}", horizon(study, c.horizon))
            for c in study.comparisons
        ),
        populations=tuple(Item(name, name, flag) for name, flag in study.populations.flags.items()),
        subgroups=tuple(
            Item(s.name, s.label or s.name, "pre-specified" if s.prespecified else "post hoc") for s in study.subgroups
        ),
        arms=tuple(Item(a, a, study.arms.labels.get(a, "")) for a in study.arms.order),
        tables=tuple(Item(name, name, info.label or "") for name, info in source.snapshot.tables.items()),
        visits=tuple((name, analysed_visits(source, name)) for name in study.endpoints),
    )


def horizon(study: Study, value: float | None) -> str:
    """``M6``: a horizon in visit units; empty for none."""
    return "" if value is None else f"{study.visits.unit[0].upper()}{value:g}"


def first_action(study: Study, known: Catalogue, digest: str) -> Open:
    """Where a session on this study starts: its default population, first subgroup, first endpoint, first comparison."""
    return Open(
        study=study.info.id,
        snapshot=digest,
        population=study.populations.default,
        subgroups=tuple(s.name for s in study.subgroups[:1]),
        endpoint=known.endpoints[0].name if known.endpoints else "",
        comparison=known.comparisons[0].name if known.comparisons else "",
    )


@dataclass(frozen=True)
class PieceKey:
    """One endpoint in one subgroup phrase of the Evidence and Forest screens: a cell per comparison."""

    endpoint: str
    phrase: str
    population: str = ""


@dataclass(frozen=True)
class CheckKey:
    """One check of the Scrutiny screen, of an endpoint in a subgroup; empty ``population`` is the study's default."""

    check: str
    subgroup: str
    endpoint: str
    population: str = ""


Key = Question | PieceKey | CurveKey | CheckKey


@dataclass
class Answers:
    """What was already computed from one source, one subgroup phrase each. Shared between threads."""

    found: dict[Key, Result | Piece | Curves | AlsbenchError] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Key) -> Result | Piece | Curves | AlsbenchError | None:
        with self.lock:
            return self.found.get(key)

    def ask(self, key: Key, source: Source, check: Callable[[], None]) -> None:
        """Compute and store an answer that is not there yet. An error is an answer too: it is shown in its place.

        ``check`` raises where nobody wants the answer any more: an interrupted query is no error of the question, which is
        asked anew the next time.
        """
        if self.get(key) is not None:
            return
        made: Result | Piece | Curves | AlsbenchError
        try:
            made = compute(key, source)
        except AlsbenchError as error:
            check()
            made = error
        except Exception as error:  # noqa: BLE001 - one answer must not take the others with it; the fault is shown in its place
            check()
            made = unexpected(error)
        with self.lock:
            self.found[key] = made

    def clear(self) -> None:
        with self.lock:
            self.found.clear()


def compute(key: Key, source: Source) -> Result | Piece | Curves:
    """Answer a question, an evidence piece or a plot's curves: here models are imported, never before the first paint."""
    from alsbench.analysis.cache import cached_answer, cached_check, piece_or_fault

    if isinstance(key, Question):
        return cached_answer(key, source)
    if isinstance(key, CurveKey):
        return survival_curves(key, source)
    if isinstance(key, CheckKey):
        return cached_check(key.check, source, key.subgroup, endpoint=key.endpoint, population=key.population)
    from alsbench.analysis.gates import gated

    piece = piece_or_fault(source, key.endpoint, key.phrase, source.study.comparisons, key.population)
    return gated(source, piece, key.population)


def unexpected(error: Exception) -> UnavailableError:
    """An error nobody foresaw, as a message."""
    if out_of_memory(error):
        return not_enough_memory()
    return UnavailableError(
        f"{type(error).__name__}: {error}", why="This is a fault in alsbench; the session log tells what led here."
    )


def analysed_visits(source: Source, name: str) -> tuple[float, ...]:
    """Post-baseline visits of an endpoint, or of the function a joint rank compares; empty where it has none."""
    from alsbench.data.sql import quote

    endpoint = source.study.endpoints[name]
    if endpoint.visits:
        return endpoint.visits
    endpoint = source.study.endpoints.get(endpoint.function, endpoint)
    info = source.snapshot.tables.get(endpoint.dataset.upper())
    number = source.study.visits.number
    if info is None or number not in info or endpoint.method in {"time_to_event", "incidence", "baseline"}:
        return ()
    sql = f"SELECT DISTINCT {quote(number)} FROM {quote(info.name)} WHERE {quote(number)} > ?"
    params: list[object] = [float(source.study.visits.baseline)]
    if endpoint.paramcd and "PARAMCD" in info:
        sql += ' AND "PARAMCD" = ?'
        params.append(endpoint.paramcd)
    return tuple(sorted(float(value) for (value,) in source.snapshot.rows(sql, params)))
