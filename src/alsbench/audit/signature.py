"""A user's own key, and what is signed with it: answers and states that the program reads back and believes.

The key is 32 random bytes in ``$XDG_STATE_HOME/alsbench/seal.key`` (``~/.local/state``), 0600, one to a user, never in a
workspace. The signature is HMAC-SHA-256 (RFC 2104) over the name of what is signed and its content: who cannot read the key
cannot make one, nor give a signed content another name. It protects against whoever can write where the program reads, not
against somebody with the user's own rights. Without a key (nowhere to write it, or others may read it) nothing is signed and
nothing signed is believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any

KEY_NAME = "seal.key"
_KEY_BYTES = 32


def key_path() -> Path:
    """Where the key is looked for, whether it is there or not."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "alsbench" / KEY_NAME


def user_key() -> bytes | None:
    """The user's key, made where there is none; None where it cannot be made, or is not the user's alone."""
    path = key_path()
    key = _read_key(path)
    if key is not None or os.path.lexists(path):
        return key
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_NAME}.")  # created 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process made one meanwhile: that one counts
                os.link(name, path)
        finally:
            Path(name).unlink()
    except OSError:
        return None
    return _read_key(path)


def _read_key(path: Path) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            return None
        key = file.read(_KEY_BYTES + 1)
    return key if len(key) == _KEY_BYTES else None


def key_id(key: bytes) -> str:
    """A short name of a key that tells nothing of it: whose signature it is."""
    return hmac.new(key, b"alsbench.seal/name", hashlib.sha256).hexdigest()[:12]


def signed(key: bytes, name: str, content: bytes) -> bytes:
    """The content behind a line with its signature."""
    return _signature(key, name, content).encode() + b"\n" + content


def authentic(key: bytes, name: str, raw: bytes) -> bytes | None:
    """The content of what :func:`signed` wrote under that name, or None where the signature is not the key's."""
    signature, _, content = raw.partition(b"\n")
    return content if hmac.compare_digest(signature, _signature(key, name, content).encode()) else None


def _signature(key: bytes, name: str, content: bytes) -> str:
    return hmac.new(key, f"alsbench.seal/1 {name}\n".encode() + content, hashlib.sha256).hexdigest()


def read_signed(name: str) -> Any | None:
    """What was kept under this name beside the key; None where there is nothing, or nothing to be believed."""
    key = user_key()
    try:
        raw = (key_path().parent / name).read_bytes() if key is not None else b""
    except OSError:
        return None
    content = authentic(key, name, raw) if key is not None else None
    return None if content is None else json.loads(content)


def write_signed(name: str, values: Any) -> bool:
    """Keep JSON values under a name beside the key (0600, whole or not at all); False where that is not possible."""
    key = user_key()
    if key is None:
        return False
    path = key_path().parent / name
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # created 0600
        with os.fdopen(handle, "wb") as file:
            file.write(signed(key, name, json.dumps(values).encode()))
        Path(beside).replace(path)
    except OSError:
        return False
    return True
