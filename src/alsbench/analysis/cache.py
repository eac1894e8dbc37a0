"""Answers kept between sessions, by the hash of everything they depend on: question, snapshot, study and program.

Only aggregate rows are kept: an answer that holds subject-level rows is never written. An entry that cannot be read back
whole (its own hash does not match) is computed anew. Where the directory cannot be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import alsbench
from alsbench.analysis.cells import Cell, Piece
from alsbench.analysis.question import Question
from alsbench.analysis.result import Facts, Provenance, Result, Row
from alsbench.analysis.source import Source
from alsbench.data.workspace import is_own
from alsbench.errors import DataError, UsageError
from alsbench.study.model import Comparison

FORMAT = 1
OWN_ROOMS = ("analysis", "stats", "study", "data", "audit")


def cached_answer(question: Question, source: Source) -> Result:
    """The answer to a question, read from the source's ``results_dir`` when it is there. Raises what ``run.answer`` raises."""
    key = entry_key(source, "answer", question.as_dict())
    body = None if question.subjects else read_entry(source.results_dir, key)
    if body is not None:
        return _result(body)
    from alsbench.analysis.run import answer

    result = answer(question, source)
    if not any(row.context == "subject" for row in result.rows):
        write_entry(source.results_dir, key, _body(result))
    return result


def cached_piece(
    source: Source,
    endpoint: str,
    phrase: str,
    comparisons: Sequence[Comparison],
    population: str,
) -> Piece:
    """One endpoint's cells in one subgroup, read from the source's ``results_dir`` when they are there."""
    names = [c.model_dump() for c in comparisons]
    key = entry_key(source, "piece", [endpoint, phrase, names, population])
    body = read_entry(source.results_dir, key)
    if body is not None:
        rows = tuple(Row(**row) for row in body["rows"])
        return Piece(tuple(Cell(**cell) for cell in body["cells"]), rows, tuple(body["warnings"]))
    from alsbench.analysis.evidence import evidence_piece

    piece = evidence_piece(source, source.endpoint(endpoint), phrase, comparisons, population)
    write_entry(source.results_dir, key, asdict(piece))
    return piece


def piece_or_fault(source: Source, endpoint: str, phrase: str, comparisons: Sequence[Comparison], population: str) -> Piece:
    """As :func:`cached_piece`; where the endpoint's own data cannot be analysed, cells that say why: in a table of many
    endpoints one does not take the others with it. Raises UsageError for a subgroup or population that cannot be meant."""
    try:
        return cached_piece(source, endpoint, phrase, comparisons, population)
    except (DataError, UsageError) as fault:
        from alsbench.analysis.evidence import fault_piece

        return fault_piece(source, source.endpoint(endpoint), phrase, comparisons, population, fault)


def cached_check(
    name: str,
    source: Source,
    subgroup: str,
    *,
    endpoint: str = "",
    comparisons: tuple[str, ...] = (),
    population: str = "",
) -> Result:
    """One check of a finding, read from the source's ``results_dir`` when it is there. Raises what ``run_check`` raises.

    A check whose rows name single subjects is not kept.
    """
    key = entry_key(source, "check", [name, subgroup, endpoint, list(comparisons), population])
    body = read_entry(source.results_dir, key)
    if body is not None:
        return _result(body)
    from alsbench.analysis.scrutiny import run_check

    result = run_check(name, source, subgroup, endpoint=endpoint, comparisons=comparisons, population=population)
    people = frozenset(source.subject_ids)
    if not any(row.context == "subject" or row.level in people for row in result.rows):
        write_entry(source.results_dir, key, _body(result))
    return result


def entry_key(source: Source, kind: str, asked: object) -> str:
    """SHA-256 over what was asked, of which data and study, and by which program."""
    lock = "" if source.lock is None else source.lock.hash + source.lock.words() + source.lock.note + source.lock.doubt
    marks = [source.blinded, lock]
    parts = [FORMAT, kind, asked, source.snapshot.digest, source.study_digest, marks, alsbench.__version__, program_print()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def program_print() -> str:
    """A hash that changes whenever a source file of the rooms that make numbers does."""
    root = Path(alsbench.__file__).parent
    seen = hashlib.sha256()
    for room in OWN_ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            stat = path.stat()
            seen.update(f"{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def read_entry(directory: Path | None, key: str) -> Any | None:
    """The body of an entry, or None where it is absent or damaged."""
    if directory is None or not is_own(directory):
        return None
    try:
        digest, _, text = (directory / f"{key}.json").read_text("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        return None
    return json.loads(text)


def write_entry(directory: Path | None, key: str, body: object) -> bool:
    """Write an entry (0600, whole or not at all); False where the directory does not let us."""
    if directory is None or not is_own(directory):
        return False
    text = json.dumps(body, allow_nan=False)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=directory, prefix=".", suffix=".part")  # created 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
        Path(name).replace(directory / f"{key}.json")
    except OSError:
        return False
    return True


def _body(result: Result) -> dict[str, Any]:
    """A result as plain values: rows hold nothing nested, so that they need no deep copies."""
    return {
        "question": result.question,
        "provenance": asdict(result.provenance),
        "rows": [vars(row) for row in result.rows],
        "facts": asdict(result.facts),
        "warnings": list(result.warnings),
    }


def _result(body: dict[str, Any]) -> Result:
    facts = body["facts"]
    return Result(
        question=body["question"],
        provenance=Provenance(**_tupled(Provenance, body["provenance"])),
        rows=tuple(Row(**row) for row in body["rows"]),
        facts=Facts(
            title=facts["title"],
            lines=tuple((name, text) for name, text in facts["lines"]),
            attempts=tuple(facts["attempts"]),
            footnotes=tuple(facts["footnotes"]),
        ),
        warnings=tuple(body["warnings"]),
    )


def _tupled(kind: type[Provenance], values: dict[str, Any]) -> dict[str, Any]:
    """JSON lists back as tuples."""
    return {f.name: tuple(v) if isinstance(v := values[f.name], list) else v for f in fields(kind)}
