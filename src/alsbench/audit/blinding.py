"""Blinding: arms under dummy names, and the key that says which is which.

The permutation of arms to ``Arm A``, ``Arm B`` ... follows from a random secret (HMAC-SHA-256 of each arm's name, sorted), so
that neither the order of the arms nor their names tell it. The key file holds secret, permutation, codes, the study file
as it was and what was taken out of the data; what stays behind is the key's fingerprint, and nothing that could be computed
again from the originals without its secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.files import refuse_link, write_file
from alsbench.study.model import Study

SCHEMA = "alsbench.blinding-key/2"
BLINDED_TEXT = "[blinded]"
SHORTEST = 3  # labels shorter than this are replaced in arm columns only
LONG = 5  # letters of an arm's name that are looked for inside other names


@dataclass(frozen=True)
class Key:
    """Who is who. ``arms`` is real label -> dummy; ``codes`` column -> real code -> dummy code, both as text.

    ``sources`` are the files that were loaded; ``withheld`` names, by part of the study file, what the blinded one leaves out;
    ``sealed`` holds, by digest of the blinded data, what was taken out of them (``audit/sealed``).
    """

    study: str
    created: str
    secret: str
    arms: Mapping[str, str]
    study_toml: str
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sources: tuple[Mapping[str, str], ...] = ()
    withheld: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sealed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over secret, arms and study file: tells nothing without the key, and knows the key again."""
        text = json.dumps([self.study, self.secret, dict(sorted(self.arms.items())), self.study_toml])
        return hashlib.sha256(text.encode()).hexdigest()

    def mark(self, content: object) -> str:
        """HMAC-SHA-256 under the secret: the same content is known again with the key, and cannot be guessed without it."""
        text = json.dumps(content, sort_keys=True)
        return hmac.new(bytes.fromhex(self.secret), text.encode(), hashlib.sha256).hexdigest()


def new_key(study: Study, study_toml: str, labels: Iterable[str], *, now: datetime | None = None) -> Key:
    """A key for these arm labels with a fresh secret."""
    secret = secrets.token_hex(32)
    moment = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    return Key(study.info.id, moment, secret, permute(labels, secret), study_toml)


def permute(labels: Iterable[str], secret: str) -> dict[str, str]:
    """Label -> dummy name, in an order that only the secret tells."""
    found = sorted(set(labels))
    order = sorted(found, key=lambda s: hmac.new(bytes.fromhex(secret), s.encode(), hashlib.sha256).digest())
    stem = next(s for s in ("Arm", "Blind arm", "Dummy arm") if not any(label.lower().startswith(s.lower()) for label in found))
    return {label: f"{stem} {_letters(i)}" for i, label in enumerate(order)}


def hide_words(key: Key, words: Sequence[str] = ()) -> Callable[[str], str]:
    """A function that puts ``[blinded]`` in the place of every arm name, code of two or more letters, and further word."""
    names = _names(key, words)
    if not names:
        return lambda text: text
    pattern = re.compile("|".join(word_pattern(n) for n in names), re.IGNORECASE)
    return lambda text: pattern.sub(BLINDED_TEXT, text)


def names_arm(name: str, key: Key, words: Sequence[str] = ()) -> bool:
    """Whether a name (of a column, a data set, a subgroup) is made of an arm's: ``PLACEBOFL``, ``group_1``.

    Short ones count at the beginning only, before an ending of the field: ``LOWFL`` is named after an arm LOW, ``SLOW`` is not.
    """
    bare = _bare(name)
    for each in map(_bare, _names(key, words)):
        after = "" if not each[-1:].isdigit() else r"(?!\d)"
        pattern = re.escape(each) + (after if len(each) >= LONG else r"(FL|N|CD|DT|DTM|DY|P|A|\d*)$")
        if each and (re.search if len(each) >= LONG else re.match)(pattern, bare, re.IGNORECASE):
            return True
    return hide_words(key, words)(name) != name


def _names(key: Key, words: Sequence[str]) -> list[str]:
    codes = {c for codes in key.codes.values() for c in codes if re.search("[^0-9.-]", c)}
    return sorted({w.strip() for w in (*key.arms, *words, *codes) if len(w.strip()) >= SHORTEST}, key=lambda w: (-len(w), w))


def _bare(name: str) -> str:
    return "".join(c for c in name if c.isalnum())


def write_key(path: Path, key: Key, *, workspace: Path, replace: bool = False) -> None:
    """Write the key for its holder: 0600, in one step, never inside the workspace, never over a file unless ``replace``."""
    refuse_inside(path, workspace)
    refuse_link(path)
    if path.exists() and not replace:
        raise UsageError("there is a file already", where=str(path), hint="name a new file for the key")
    values = {"schema": SCHEMA, "fingerprint": key.fingerprint, **asdict(key)}
    try:
        write_file(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n",))
    except UnavailableError as fault:
        raise UnavailableError(f"the key cannot be written: {fault.what}", where=str(path), why=fault.why) from fault


def read_key(path: Path) -> Key:
    """The key of a file. Raises DataError where it is none, or was edited."""
    try:
        values = json.loads(path.read_text("utf-8"))
        if values.pop("schema") != SCHEMA:
            raise ValueError
        fingerprint = values.pop("fingerprint")
        key = Key(**{**values, "sources": tuple(values["sources"])})
        genuine = key.fingerprint == fingerprint
    except FileNotFoundError:
        raise DataError("there is no such key file", where=str(path)) from None
    except OSError as fault:
        raise DataError(f"the key cannot be read: {fault.strerror}", where=str(path)) from fault
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError("the file is no blinding key", where=str(path)) from None
    if not genuine:
        raise DataError("the key was edited", where=str(path), hint="restore the file as it was written")
    return key


def refuse_inside(path: Path, workspace: Path) -> None:
    """Raises UsageError for a key inside the workspace it blinds."""
    if path.resolve().is_relative_to(workspace.resolve()):
        raise UsageError(
            "the key must not lie in the workspace it blinds",
            where=str(path),
            hint="give it to its holder: --key /elsewhere/FILE",
        )


def word_pattern(name: str) -> str:
    """A name as a word of a text, whatever stands in the place of its blanks: ``Low dose``, ``LOW_DOSE``, ``low-dose``."""
    parts = map(re.escape, re.split(r"[\s_-]+", name.strip()))
    return r"(?<![A-Za-z0-9])" + r"[\s_-]*".join(parts) + r"(?![A-Za-z0-9])"


def _letters(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
