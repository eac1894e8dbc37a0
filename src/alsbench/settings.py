"""A user's own settings: ``$XDG_CONFIG_HOME/alsbench/config.toml``, read by the shell and the app.

Settings change how things look, which keys do them, which small counts are hidden and where work is done, never a number. An
unknown key is refused with the nearest known one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alsbench.errors import UsageError
from alsbench.study.names import nearest
from alsbench.study.toml_text import file_text, key_lines, line_of, toml_table

CHOICES: dict[str, tuple[str, ...]] = {
    "theme": ("dark", "light", "ansi", "contrast"),
    "format": ("table", "json", "csv", "tsv", "md"),
}
SWITCHES = ("ascii", "no_mouse", "quiet")
MASK = "mask"
WORKERS = "workers"
NUMBERS = {  # the largest of each, and what a smaller one says
    MASK: (1_000_000, "2 or more: counts below it are hidden; 0 hides nothing"),
    WORKERS: (1024, "processes of this machine that resample; 0 computes in this one"),
}
TEXTS = ("cluster", "cluster_ca", "cluster_cert", "cluster_key")
KEYS = "keys"
KNOWN = (*CHOICES, *SWITCHES, *NUMBERS, *TEXTS, KEYS)


@dataclass(frozen=True)
class Settings:
    """Empty ``theme`` and ``format`` leave the choice to the terminal and the command. ``keys`` maps a command of the app, by
    the name in docs/keys.md, to the keys that run it instead of its own. ``mask`` hides counts below it in all that is printed
    or exported (0: nothing). ``workers`` and ``cluster`` say where resampling is computed unless a command does (0 and empty:
    in this process); the others name files of TLS."""

    theme: str = ""
    format: str = ""
    ascii: bool = False
    no_mouse: bool = False
    quiet: bool = False
    mask: int = 0
    workers: int = 0
    cluster: str = ""
    cluster_ca: str = ""
    cluster_cert: str = ""
    cluster_key: str = ""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def settings_path() -> Path:
    """Where the file is looked for, whether it is there or not."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "alsbench" / "config.toml"


def read_settings(path: Path | None = None) -> Settings:
    """The settings of the file; the defaults where there is none. Raises UsageError for what it cannot hold."""
    path = path or settings_path()
    if not _is_there(path):
        return Settings()
    text = file_text(path, named="file of settings", hint="")
    values = toml_table(text, str(path))
    lines = key_lines(text)
    return Settings(**{n: _checked(f"{path}:{line_of(lines, (n,))} {n}", n, value) for n, value in values.items()})


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as fault:
        raise UsageError("the settings cannot be read", where=str(path), why=fault.strerror or "") from fault
    return True


def _checked(where: str, name: str, value: Any) -> Any:
    if name not in KNOWN:
        raise UsageError(f"no setting is named {name}", where=where, hint=nearest(name, KNOWN))
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise UsageError(f"{value!r} is no {name}", where=where, hint=nearest(str(value), CHOICES[name]))
        return value
    if name in SWITCHES:
        if not isinstance(value, bool):
            raise UsageError(f"{value!r} is neither true nor false", where=where)
        return value
    if name in NUMBERS:
        most, hint = NUMBERS[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not 0 <= value <= most or (name == MASK and value == 1):
            what = "no mask" if name == MASK else "no number of workers"
            raise UsageError(f"{value!r} is {what}", where=where, hint=hint)
        return value
    if name in TEXTS:
        if not isinstance(value, str):
            raise UsageError(f"{value!r} is no text", where=where)
        return value
    if not isinstance(value, dict):
        raise UsageError("keys are a table: COMMAND = KEY, or a list of keys", where=where, hint='for instance: quit = "Q"')
    return {command: _keys(f"{where}.{command}", keys) for command, keys in value.items()}


def _keys(where: str, value: Any) -> tuple[str, ...]:
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys or not all(isinstance(k, str) and k for k in keys):
        raise UsageError(f"{value!r} is no key", where=where, hint='a key, "x" or "ctrl+x", or a list of them')
    return tuple(keys)
