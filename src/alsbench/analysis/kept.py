"""Answers, read back where they are kept; and kept answers computed again: whether what lies in ``results/`` is what this
program makes of these data and this study.

Only an entry of the snapshot, study and program in use can be computed again. One that this user kept must have its seal; of
one that somebody else kept the seal is not known here, and nothing of it is ever shown to this user. Numbers are the same
within 1e-7 of their size: another processor may sum in another order, and no printed digit depends on it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from alsbench.analysis.cache import entry_key, keep, piece_body, read_entry, result_body, result_from
from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.looks import looked_at
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.scrutiny import catalogue, run_check
from alsbench.analysis.source import Source
from alsbench.audit.signature import authentic, key_id, user_key
from alsbench.errors import AlsbenchError
from alsbench.study.model import Comparison

State = Literal["same", "different", "not sealed", "of other data or program", "of somebody else"]
_CLOSE, _NOTHING = 1e-7, 1e-12


@dataclass(frozen=True)
class Kept:
    """One file of ``results/``, by the beginning of its name: its question, what became of it, and where it differs."""

    file: str
    question: str
    state: State
    what: str = ""

    @property
    def fault(self) -> bool:
        return self.state in ("different", "not sealed")


def cached_answer(question: Question, source: Source) -> Result:
    """The answer to a question, read from the source's ``results_dir`` when it is there. Raises what ``run.answer`` raises."""
    known = known_answer(question, source)
    if known is not None:
        return known
    from alsbench.analysis.run import answer  # waits: numpy

    asked = question.as_dict()
    key = entry_key(source, "answer", asked)
    result = answer(question, source)
    if not any(row.context == "subject" for row in result.rows):
        keep(source, key, "answer", asked, result_body(result))
    return result


def known_answer(question: Question, source: Source) -> Result | None:
    """As :func:`cached_answer`, where it is kept already; None where it would have to be computed."""
    if question.subjects:
        return None
    body = read_entry(source.results_dir, entry_key(source, "answer", question.as_dict()))
    return None if body is None else result_from(body)


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
    key, asked = _check_key(name, source, subgroup, endpoint, comparisons, population)
    body = read_entry(source.results_dir, key)
    if body is not None:
        return result_from(body)
    result = run_check(name, source, subgroup, endpoint=endpoint, comparisons=comparisons, population=population)
    people = frozenset(source.subject_ids)
    if not any(row.context == "subject" or row.level in people for row in result.rows):
        keep(source, key, "check", asked, result_body(result))
    return result


def known_check(
    name: str,
    source: Source,
    subgroup: str,
    *,
    endpoint: str = "",
    comparisons: tuple[str, ...] = (),
    population: str = "",
) -> Result | None:
    """As :func:`cached_check`, where it is kept already; None where it would have to be computed."""
    key, _ = _check_key(name, source, subgroup, endpoint, comparisons, population)
    body = read_entry(source.results_dir, key)
    return None if body is None else result_from(body)


def _check_key(
    name: str, source: Source, subgroup: str, endpoint: str, comparisons: tuple[str, ...], population: str
) -> tuple[str, list[Any]]:
    """Where a check is kept, and what was asked."""
    looked = looked_at(source).plain() if name in catalogue.SEARCHING else None  # who looks further searches more widely
    asked = [name, subgroup, endpoint, list(comparisons), population, catalogue.DRAWS, looked]
    return entry_key(source, "check", asked), asked


def kept_files(directory: Path) -> list[Path]:
    """The entries of a directory of answers, by name."""
    return sorted(directory.glob("*.json"))


def check_kept(path: Path, source: Source | None) -> Kept:
    """Compute one entry again, where there is a source and the entry is of its state."""
    key, _, rest = path.name.partition(".")
    short = f"{path.parent.name}/{key[:16]}"
    if rest == "json":  # a version before answers were sealed kept it, and none after it reads it
        return Kept(short, "", "of other data or program")
    user = user_key()
    own = user is not None and rest == f"{key_id(user)}.json"
    try:
        raw = path.read_bytes()
    except OSError as fault:
        return Kept(short, "", "of somebody else", f"it cannot be read: {fault.strerror}")
    content = authentic(user, key, raw) if user is not None and own else raw.partition(b"\n")[2]
    if content is None:
        return Kept(short, "", "not sealed", "it was changed after it was kept, or kept for another question")
    try:
        values = json.loads(content)
        kind, asked = values.pop("kind"), values.pop("asked")
        current = source is not None and values.pop("state") == key == entry_key(source, kind, asked)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Kept(short, "", "not sealed", "it is no answer of this program")
    words = f"{kind} {asked if isinstance(asked, str) else json.dumps(asked)}"
    if (
        current and source is not None and kind == "check"
    ):  # of other draws, or before somebody looked further: not shown any more
        draws, looked = asked[-2:]
        current = draws == catalogue.DRAWS and (looked is None or looked == looked_at(source).plain())
    if not current or source is None:
        return Kept(short, words, "of other data or program" if own else "of somebody else")
    try:
        made = _made(kind, asked, source)
    except AlsbenchError as fault:
        return Kept(short, words, "different", f"it cannot be computed: {fault.what}")
    except (ValueError, KeyError, TypeError):
        return Kept(short, words, "different", "the question cannot be read")
    where = next(_differences(made, values), "")
    return Kept(short, words, "different" if where else "same", where)


def _made(kind: str, asked: Any, source: Source) -> dict[str, Any]:
    """What the program answers now, as it would keep it."""
    from alsbench.analysis.run import answer  # waits: numpy

    if kind == "answer":
        body = result_body(answer(Question.from_dict(asked), source))
    elif kind == "piece":
        endpoint, phrase, names, population = asked
        comparisons = [Comparison.model_validate(c) for c in names]
        body = piece_body(evidence_piece(source, source.endpoint(endpoint), phrase, comparisons, population))
    elif kind == "search":
        from alsbench.analysis.scrutiny.selection import search_again  # waits: numpy

        body = asdict(search_again(source, asked))
    elif kind == "interactions":
        from alsbench.analysis.scrutiny.selection import late_again  # waits: numpy

        body = asdict(late_again(source, asked))
    elif kind == "nested search":
        from alsbench.analysis.scrutiny.selection import nested_again  # waits: numpy

        body = nested_again(source, asked)
    else:
        name, subgroup, endpoint, compared, population, *_ = asked
        chosen = {"endpoint": endpoint, "comparisons": tuple(compared), "population": population}
        body = result_body(run_check(name, source, subgroup, **chosen))
    plain: dict[str, Any] = json.loads(json.dumps(body, allow_nan=False))
    return plain


def _differences(made: Any, kept: Any, where: str = "") -> Iterator[str]:
    """Where two plain JSON values differ, in words; a row is named by what it is of."""
    if isinstance(made, Mapping) and isinstance(kept, Mapping):
        about = _about(made) or where
        if made.keys() != kept.keys():
            yield f"{about}: other keys"
            return
        for name in made:
            yield from _differences(made[name], kept[name], f"{about} {name}".strip())
    elif isinstance(made, list) and isinstance(kept, list):
        if len(made) != len(kept):
            yield f"{where}: {len(kept)} instead of {len(made)}"
            return
        for one, other in zip(made, kept, strict=True):
            yield from _differences(one, other, where)
    elif not _equal(made, kept):
        yield where or "the answer"


def _about(values: Mapping[str, Any]) -> str:
    names = ("endpoint", "subgroup", "phrase", "arm", "treatment", "visit", "variable", "stat_name")
    return " ".join(str(values[n]) for n in names if isinstance(values.get(n), str)) if "endpoint" in values else ""


def _equal(made: Any, kept: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (made, kept))
    if numbers:
        return math.isclose(made, kept, rel_tol=_CLOSE, abs_tol=_NOTHING)
    return type(made) is type(kept) and bool(made == kept)
