"""Blinding: arms under dummy names, and the key that says which is which.

The permutation of arms to ``Arm A``, ``Arm B`` ... follows from a random secret (HMAC-SHA-256 of each arm's name, sorted), so
that neither the order of the arms nor their names tell it. The key file holds secret, permutation, codes and the study file
as it was; what stays behind is the key's fingerprint only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.study.model import Study

SCHEMA = "alsbench.blinding-key/1"
BLINDED_TEXT = "[blinded]"
SHORTEST = 3  # labels shorter than this are replaced in arm columns only


@dataclass(frozen=True)
class Key:
    """Who is who. ``arms`` is real label -> dummy; ``codes`` column -> real code -> dummy code, both as text."""

    study: str
    created: str
    secret: str
    arms: Mapping[str, str]
    study_toml: str
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sources: tuple[Mapping[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over secret, arms and study file: tells nothing without the key, and knows the key again."""
        text = json.dumps([self.study, self.secret, dict(sorted(self.arms.items())), self.study_toml])
        return hashlib.sha256(text.encode()).hexdigest()


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
    codes = {c for codes in key.codes.values() for c in codes if re.search("[^0-9.-]", c)}
    names = sorted({w for w in (*key.arms, *words, *codes) if len(w.strip()) >= SHORTEST}, key=len, reverse=True)
    if not names:
        return lambda text: text
    pattern = re.compile("|".join(word_pattern(n) for n in names), re.IGNORECASE)
    return lambda text: pattern.sub(BLINDED_TEXT, text)


def blind_study(study: Study, key: Key, words: Sequence[str] = ()) -> str:
    """``study.toml`` under dummy arms: every arm against the first one at every horizon, so that neither the reference nor
    a horizon tells who is who. Labels, doses, primary comparisons, the multiplicity plan and comments are left out."""
    import tomlkit

    hide = hide_words(key, words)
    values = study.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    dummies = sorted(key.arms[a] for a in study.arms.order)
    horizons: list[float | None] = [*sorted({c.horizon for c in study.comparisons if c.horizon is not None})] or [None]
    letter = study.visits.unit[0].upper()
    values["schema"] = 1
    values["study"] = {"id": study.info.id, **{k: v for k, v in values["study"].items() if k != "id"}}
    kept = {k: v for k, v in values["arms"].items() if k in ("planned", "actual")}
    values["arms"] = {**kept, "reference": dummies[0], "order": dummies}
    values["comparisons"] = [
        {"name": dummy, "treatment": dummy}
        if horizon is None
        else {"name": f"{dummy}-{letter}{horizon:g}", "treatment": dummy, "horizon": horizon}
        for dummy in dummies[1:]
        for horizon in horizons
    ]
    values.pop("multiplicity", None)
    for endpoint in values.get("endpoints", {}).values():
        endpoint.pop("name", None)
    hidden = _swept(values, lambda text: hide(_quoted_arms(text, key.arms)))
    order = ("schema", "study", "arms", "populations", "visits", "comparisons", "endpoints", "subgroups")
    return "# Blinded: the arms are dummies.\n" + tomlkit.dumps({k: hidden[k] for k in order if k in hidden})


def write_key(path: Path, key: Key, *, workspace: Path, replace: bool = False) -> None:
    """Write the key for its holder: 0600, in one step, never inside the workspace, never over a file unless ``replace``."""
    refuse_inside(path, workspace)
    if path.exists() and not replace:
        raise UsageError("there is a file already", where=str(path), hint="name a new file for the key")
    values = {"schema": SCHEMA, "fingerprint": key.fingerprint, **asdict(key)}
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")  # created 0600
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError as fault:
        raise UnavailableError(f"the key cannot be written: {fault.strerror}", where=str(path)) from fault


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


def _quoted_arms(text: str, arms: Mapping[str, str]) -> str:
    """Arm names that stand in quotes, as in an expression, under their dummies."""
    return re.sub(r"(['\"])(.*?)\1", lambda m: f"{m[1]}{arms.get(m[2], m[2])}{m[1]}", text)


def word_pattern(name: str) -> str:
    return rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"


def _swept(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_swept(v, change) for v in value]
    return {k: _swept(v, change) for k, v in value.items()} if isinstance(value, dict) else value


def _letters(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
