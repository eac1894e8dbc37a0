"""Answers kept between sessions, by the hash of everything they depend on: question, snapshot, study and program.

Only aggregate rows are kept: an answer that holds subject-level rows is never written. An entry is signed with the key of the
user who kept it (:mod:`alsbench.audit.signature`) and read back by that user only: one that was changed, given another name, or
kept by somebody else is computed anew, so that a workspace can be shared. Where the directory or the key cannot be written,
nothing is kept. `alsbench audit verify` computes what is kept again (:mod:`alsbench.analysis.kept`).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from alsbench import version
from alsbench.analysis.contrast import Piece
from alsbench.analysis.result import Facts, Provenance, Result, Row
from alsbench.analysis.source import Source
from alsbench.audit.signature import authentic, key_id, key_path, signed, user_key
from alsbench.data.workspace import is_own
from alsbench.errors import UnavailableError

FORMAT = 3
OWN_ROOMS = ("analysis", "stats", "study", "data", "audit")


def entry_key(source: Source, kind: str, asked: object) -> str:
    """SHA-256 over what was asked, of which data and study, and by which program."""
    lock = "" if source.lock is None else source.lock.hash + source.lock.words() + source.lock.note + source.lock.doubt
    marks = [source.blinded, lock, list(source.log.words)]
    parts = [FORMAT, kind, asked, source.snapshot.digest, source.study_digest, marks, version.__version__, program_print()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def program_print() -> str:
    """A hash that changes whenever a source file of the rooms that make numbers does."""
    root = Path(version.__file__).parent
    seen = hashlib.sha256()
    for room in OWN_ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            stat = path.stat()
            seen.update(f"{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def read_entry(directory: Path | None, key: str) -> Any | None:
    """The body of an entry that this user kept, or None where there is none, or none to be believed."""
    user = _user(directory)
    if directory is None or user is None:
        return None
    try:
        raw = entry_path(directory, key, user).read_bytes()
    except OSError:
        return None
    content = authentic(user, key, raw)
    return None if content is None else json.loads(content)


def write_entry(directory: Path | None, key: str, body: Mapping[str, Any]) -> bool:
    """Write an entry (0600, whole or not at all); False where the directory does not let us."""
    user = _user(directory)
    if directory is None or user is None:
        return False
    content = signed(user, key, json.dumps(body, allow_nan=False).encode())
    try:
        directory.mkdir(mode=0o700, exist_ok=True)  # never the workspace: one that is gone stays gone
        handle, name = tempfile.mkstemp(dir=directory, prefix=".", suffix=".part")  # created 0600
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(entry_path(directory, key, user))
    except OSError:
        return False
    return True


def entry_path(directory: Path, key: str, user: bytes) -> Path:
    """Where an entry of a user is kept: each has files of their own."""
    return directory / f"{key}.{key_id(user)}.json"


def _user(directory: Path | None) -> bytes | None:
    """The user's key; None where nothing may be kept or believed: a directory of somebody else's, a key in the workspace."""
    if directory is None or not is_own(directory) or key_path().resolve().is_relative_to(directory.parent.resolve()):
        return None
    return user_key()


def keep(source: Source, key: str, kind: str, asked: object, body: Mapping[str, Any]) -> None:
    """Keep an answer with the question it answers, unless the workspace is not there any more."""
    try:
        if source.held is not None:
            source.held.check()
    except UnavailableError:  # whoever enters the look in the log says it
        return
    write_entry(source.results_dir, key, {"kind": kind, "asked": asked, "state": key, **body})


def result_body(result: Result) -> dict[str, Any]:
    """A result as plain values: rows hold nothing nested, so that they need no deep copies."""
    return {
        "question": result.question,
        "provenance": asdict(result.provenance),
        "rows": [vars(row) for row in result.rows],
        "facts": asdict(result.facts),
        "warnings": list(result.warnings),
    }


def piece_body(piece: Piece) -> dict[str, Any]:
    """A piece of the evidence as plain values: cells and rows hold nothing nested either."""
    return {
        "cells": [vars(cell) for cell in piece.cells],
        "rows": [vars(row) for row in piece.rows],
        "warnings": list(piece.warnings),
    }


def result_from(body: dict[str, Any]) -> Result:
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
