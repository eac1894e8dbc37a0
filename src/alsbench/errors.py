"""Errors a user can act on.

Each says what is wrong, where (file, row, column, key), why and what to do, and carries the shell's exit code:
1 a negative verdict, 2 usage or configuration, 3 data, 4 locked or unavailable.
"""

from __future__ import annotations

import errno
import re

INTERRUPTED = 130  # the exit code of Ctrl-C
LONGEST_WORD, LONGEST_LINE, MOST_LINES = 160, 1000, 200  # of a message
NEEDS = "a gigabyte of memory and, where address space is limited (ulimit -v), 1.5 gigabytes of it"
_NO_ROOM = re.compile(
    r"failed to map segment|annot allocate memory|can't start new thread|bad_alloc|Out of Memory Error|llocation failure"
)
_RUN = re.compile(rf"[^\s/]{{{LONGEST_WORD},}}|'[^'\n/]{{{LONGEST_WORD},}}'")


def shorten(text: str, most: int = 120) -> str:
    """``text``, its middle left out where it is longer than ``most`` characters: names of users in messages go through here."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}…{text[len(text) - end :]}"


def bounded(text: str) -> str:
    """A message that no name, value or list of a user's can blow up: unbroken runs, quoted texts and lines are shortened.

    Runs with a slash are paths, in commands too, and stay whole up to the length of a line.
    """
    if len(text) <= LONGEST_WORD:
        return text
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"and {len(lines) - MOST_LINES + 1} more lines"]
    return "\n".join(shorten(_RUN.sub(lambda m: shorten(m.group()), line), LONGEST_LINE) for line in lines)


class AlsbenchError(Exception):
    """Base of every error that reaches the user as one message, never as a traceback.

    ``what`` is one sentence; ``where`` a place (``study.toml:12 endpoints.nfl.scale``); ``why`` and ``hint`` are optional.
    """

    exit_code = 1
    kind = "error"

    def __init__(self, what: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        self.what = bounded(what)
        self.where = bounded(where)
        self.why = bounded(why)
        self.hint = bounded(hint)
        super().__init__(self.message)

    @property
    def message(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head]
        if self.why:
            parts.append(self.why)
        if self.hint:
            parts.append(self.hint)
        return "\n".join(parts)

    def as_dict(self) -> dict[str, str | int]:
        """The error for ``--json-errors``: kind, what, where, why, hint, exit_code (empty parts left out)."""
        parts: dict[str, str | int] = {"kind": self.kind, "what": self.what}
        parts |= {k: v for k in ("where", "why", "hint") if (v := getattr(self, k))}
        return parts | {"exit_code": self.exit_code}


class UsageError(AlsbenchError):
    """A bad option, an unknown name, an expression that cannot be read."""

    exit_code = 2
    kind = "usage"


class StudyError(UsageError):
    """``study.toml`` is invalid: file, line, key, what is allowed."""

    kind = "study"


class ExpressionError(UsageError):
    """A subgroup or record expression is refused; ``position`` is the 0-based offset of the fault in the text."""

    kind = "expression"

    def __init__(self, what: str, *, text: str = "", position: int = 0, where: str = "", why: str = "", hint: str = "") -> None:
        self.text = text
        self.position = position
        super().__init__(what, where=where, why=why, hint=hint)


class DataError(AlsbenchError):
    """Data could not be read, are invalid, or do not fit the study."""

    exit_code = 3
    kind = "data"


class ReaderGone(Exception):
    """Whoever read our standard output has closed it: stop quietly. Not an OSError, which the option parser would take."""


class UnavailableError(AlsbenchError):
    """A lock is held by somebody else, or what is needed is not there now."""

    exit_code = 4
    kind = "unavailable"


class PublishedError(UnavailableError):
    """What was to be published is published, and something that follows failed: ``what`` says the first, ``why`` the second."""

    kind = "published"


def unwritable(fault: OSError, where: str) -> UnavailableError:
    """A file that the system does not let be written: a full disk, a read-only place, somebody else's file."""
    return UnavailableError(f"this cannot be written: {fault.strerror or fault}", where=where)


def out_of_memory(fault: BaseException) -> bool:
    """Whether there was no memory left for this, or for what it came of, in whatever words the library at work says so."""
    link: BaseException | None = fault
    for _ in range(20):  # a chain of causes may be a ring
        if link is None:
            return False
        if isinstance(link, MemoryError) or type(link).__name__ == "OutOfMemoryException":
            return True
        if isinstance(link, OSError) and link.errno == errno.ENOMEM:
            return True
        if not isinstance(link, AlsbenchError) and _NO_ROOM.search(str(link)):
            return True
        link = link.__cause__ or link.__context__
    return False


def not_enough_memory(where: str = "") -> UnavailableError:
    """What is said wherever there was none left."""
    return UnavailableError("there is not enough memory", where=where, hint=f"free some; alsbench needs {NEEDS}")


def is_interrupt(fault: BaseException) -> bool:
    """Whether this is Ctrl-C as the database passes it on from inside a query: an error of its own, a plain RuntimeError, or an
    error that says what ended the reading of its input."""
    name, text = type(fault).__name__, str(fault)
    if type(fault) is RuntimeError:
        return text == "Query interrupted"
    return name == "InterruptException" or (type(fault).__module__ == "_duckdb" and "failed: KeyboardInterrupt" in text)
