"""The answers of the app: what it can ask of a source, and what was already computed, shared between threads.

Nothing heavy is imported before something is computed, in a worker. Kaplan-Meier curves are never part of a cached result: they
are aggregate, but a single subject left at risk can be told from them, as in the printed figure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alsbench.analysis.question import Question
from alsbench.errors import AlsbenchError, UnavailableError, not_enough_memory, out_of_memory

if TYPE_CHECKING:
    from alsbench.analysis.contrast import Piece
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.service.verify import BothPrograms
    from alsbench.stats.survival import SurvivalCurve


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


@dataclass(frozen=True)
class CurveKey:
    """The curves behind a time-to-event question of one subgroup phrase."""

    question: Question


@dataclass(frozen=True)
class VerifiedKey:
    """What a second program says to a question of one subgroup phrase; asked for by a key, never by a view."""

    question: Question


@dataclass(frozen=True)
class Curves:
    """The curve of every arm that has subjects."""

    by_arm: Mapping[str, SurvivalCurve]


AnswerKey = Question | PieceKey | CurveKey | CheckKey | VerifiedKey


@dataclass
class Answers:
    """What was already computed from one source, one subgroup phrase each. Shared between threads."""

    found: dict[AnswerKey, Result | Piece | Curves | BothPrograms | AlsbenchError] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: AnswerKey) -> Result | Piece | Curves | BothPrograms | AlsbenchError | None:
        with self.lock:
            return self.found.get(key)

    def ask(self, key: AnswerKey, source: Source, check: Callable[[], None]) -> None:
        """Compute and store an answer that is not there yet. An error is an answer too: it is shown in its place.

        ``check`` raises where nobody wants the answer any more: an interrupted query is no error of the question, which is
        asked anew the next time.
        """
        if self.get(key) is not None:
            return
        made = compute_or_fault(key, source)
        if isinstance(made, AlsbenchError):
            check()
        self.keep(key, made)

    def keep(self, key: AnswerKey, found: Result | Piece | Curves | BothPrograms | AlsbenchError) -> None:
        """Store an answer that was found elsewhere."""
        with self.lock:
            self.found[key] = found

    def clear(self) -> None:
        with self.lock:
            self.found.clear()


def compute_or_fault(key: AnswerKey, source: Source) -> Result | Piece | Curves | AlsbenchError:
    """An answer, or why there is none: one must not take the others with it, and the fault is shown in its place."""
    try:
        return compute(key, source)
    except AlsbenchError as error:
        return error
    except Exception as error:  # noqa: BLE001 - nobody foresaw it, and it is said
        return unexpected(error)


def kept(key: AnswerKey, source: Source) -> Result | Piece | None:
    """An answer that need not be computed, since it lies beside the data; None where it does not, or where a multiplicity plan
    has first to be decided."""
    from alsbench.analysis.cells import known_piece  # waits: duckdb, pydantic
    from alsbench.analysis.gates import gated  # waits: duckdb, pydantic
    from alsbench.analysis.kept import known_answer, known_check  # waits: duckdb, pydantic

    if isinstance(key, Question):
        return known_answer(key, source)
    if isinstance(key, CheckKey):
        return known_check(key.check, source, key.subgroup, endpoint=key.endpoint, population=key.population)
    if not isinstance(key, PieceKey) or source.study.multiplicity is not None:
        return None
    piece = known_piece(source, key.endpoint, key.phrase, source.study.comparisons, key.population)
    return None if piece is None else gated(source, piece, key.population)


def words(key: AnswerKey) -> str:
    """An answer by what it is of, for the status line: ``alsfrs slow``."""
    if isinstance(key, Question):
        return " ".join((key.endpoint, *key.subgroups))
    if isinstance(key, PieceKey):
        return f"{key.endpoint} {key.phrase}"
    if isinstance(key, CheckKey):
        return f"{key.check.replace('_', ' ')} {key.endpoint} {key.subgroup}"
    return words(key.question)


def compute(key: AnswerKey, source: Source) -> Result | Piece | Curves:
    """Answer a question, an evidence piece or a plot's curves. Workers end with it: idle ones hold memory that somebody else
    may need."""
    try:
        return _computed(key, source)
    finally:
        source.compute.close()


def _computed(key: AnswerKey, source: Source) -> Result | Piece | Curves:
    """Here models are imported, never before the first paint."""
    from alsbench.analysis.cells import piece_or_fault  # waits: duckdb, pydantic
    from alsbench.analysis.gates import gated  # waits: duckdb, pydantic
    from alsbench.analysis.kept import cached_answer, cached_check  # waits: duckdb, pydantic

    if isinstance(key, Question):
        return cached_answer(key, source)
    if isinstance(key, CurveKey):
        from alsbench.analysis.run import curves_of  # waits: numpy

        return Curves(curves_of(key.question, source)[key.question.subgroups[0]])
    if isinstance(key, CheckKey):
        return cached_check(key.check, source, key.subgroup, endpoint=key.endpoint, population=key.population)
    if isinstance(key, VerifiedKey):
        raise TypeError("what a second program says is kept by the dialog that asks it")
    piece = piece_or_fault(source, key.endpoint, key.phrase, source.study.comparisons, key.population)
    return gated(source, piece, key.population)


def unexpected(error: Exception) -> UnavailableError:
    """An error nobody foresaw, as a message."""
    if out_of_memory(error):
        return not_enough_memory()
    return UnavailableError(
        f"{type(error).__name__}: {error}", why="This is a fault in alsbench; the session log tells what led here."
    )
