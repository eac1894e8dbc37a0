"""The key of a lineup: which of its panels is the trial, and the secret that put it there.

The place follows from the secret alone, which is random unless a seed was asked for. The log keeps the fingerprint of the key
(SHA-256 of all of it, the secret too), from which nothing can be told without the key, and by which a key that was edited, or
is of another lineup, is known.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from pathlib import Path

from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.files import refuse_link, write_file

SCHEMA = "alsbench.lineup-key/1"


@dataclass(frozen=True)
class LineupKey:
    """``what`` is shown, in words, of which ``study`` and ``snapshot`` (its digest); ``place`` is the panel of the trial, from
    1."""

    study: str
    snapshot: str
    what: str
    panels: int
    secret: str
    place: int

    @property
    def fingerprint(self) -> str:
        """What the log keeps of the key."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def new_secret(seed: int | None = None) -> str:
    """64 hexadecimal digits from the system's randomness; from ``seed``, where one is asked for: who knows it knows the key."""
    return secrets.token_hex(32) if seed is None else hashlib.sha256(f"alsbench lineup {seed}".encode()).hexdigest()


def place_of(secret: str, panels: int) -> int:
    """The panel of the trial, from 1: the secret's hash, of 256 bits, modulo the panels."""
    return int.from_bytes(hashlib.sha256(f"place {secret}".encode()).digest(), "big") % panels + 1


def write_key(path: Path, key: LineupKey) -> None:
    """Write the key to a new file, 0600, in one step, never through a link. Raises UsageError where there is a file."""
    refuse_link(path)
    if path.exists():
        raise UsageError("there is a file already", where=str(path), hint="name a new file for the key")
    values = {"schema": SCHEMA, "fingerprint": key.fingerprint, **asdict(key)}
    try:
        write_file(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n",))
    except UnavailableError as fault:
        raise UnavailableError(f"the key cannot be written: {fault.what}", where=str(path), why=fault.why) from fault


def read_key(path: Path) -> LineupKey:
    """The key of a file. Raises DataError where it is none, or was edited."""
    try:
        values = json.loads(path.read_text("utf-8"))
        if values.pop("schema") != SCHEMA:
            raise ValueError
        fingerprint = values.pop("fingerprint")
        key = LineupKey(**values)
        genuine = key.fingerprint == fingerprint and key.place == place_of(key.secret, key.panels)
    except FileNotFoundError:
        raise DataError("there is no such key file", where=str(path)) from None
    except OSError as fault:
        raise DataError(f"the key cannot be read: {fault.strerror}", where=str(path)) from fault
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        raise DataError("the file is no key of a lineup", where=str(path)) from None
    if not genuine:
        raise DataError("the key was edited", where=str(path), hint="restore the file as it was written")
    return key


def judged(key: LineupKey, picks: Sequence[int]) -> tuple[int, float]:
    """How many of the judges picked the trial, and the p of so many or more by guessing: P(X >= x), X binomial of the judges
    and 1 / panels (Majumder, Hofmann and Cook 2013, doi 10.1080/01621459.2013.808157, of judges who know nothing of each
    other). Raises UsageError for a panel that is not there."""
    for pick in picks:
        if not 1 <= pick <= key.panels:
            raise UsageError(f"there is no panel {pick}", where="--pick", hint=f"1 to {key.panels}")
    right, n = sum(pick == key.place for pick in picks), len(picks)
    share = 1.0 / key.panels
    return right, sum(comb(n, x) * share**x * (1.0 - share) ** (n - x) for x in range(right, n + 1))
