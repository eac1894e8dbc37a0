"""The reference material inside the package: data, study files and R's answers, one zip archive per trial.

``tests/reference/pack.py`` makes the archives from ``tests/reference``, byte for byte; nothing is fetched.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.errors import UnavailableError

TRIALS = ("als-ref-1", "als-ref-2")
PUBLIC = "public"
FOLDERS = (*TRIALS, PUBLIC)
_TABLES = (".xpt", ".csv")


class Archive:
    """One folder of the reference material. Raises UnavailableError where the installed package lacks it or it is damaged."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Every file by its path inside the folder."""
        packed = resources.files(__package__) / "material" / f"{self.folder}.zip"
        try:
            with zipfile.ZipFile(io.BytesIO(packed.read_bytes())) as archive:
                return {name: archive.read(name) for name in sorted(archive.namelist())}
        except (OSError, zipfile.BadZipFile) as fault:
            raise UnavailableError(
                f"the reference material {self.folder} cannot be read", why=type(fault).__name__, hint="install alsbench again"
            ) from fault

    def answers(self, prefix: str) -> dict[str, Any]:
        """The reference answers whose file name begins with ``prefix``, by name without suffix, in order."""
        found = {PurePosixPath(n).stem: n for n in self.files if n.startswith("expected/") and n.endswith(".json")}
        return {stem: json.loads(self.files[name]) for stem, name in found.items() if stem.startswith(prefix)}

    def extract(self, directory: Path) -> list[Path]:
        """Write the study file and the tables into ``directory``; the tables' paths."""
        tables: list[Path] = []
        for name, content in self.files.items():
            if "/" in name:
                continue
            (directory / name).write_bytes(content)
            if name.endswith(_TABLES):
                tables.append(directory / name)
        return tables

    def columns(self, name: str) -> dict[str, NDArray[Any]]:
        """A CSV file as columns: float64 where every value is a number or missing, else text."""
        rows = list(csv.DictReader(io.StringIO(self.files[name].decode("utf-8"))))
        return {key: _column([row[key] for row in rows]) for key in rows[0]}


def digest(archives: Mapping[str, Archive]) -> str:
    """SHA-256 over the names and contents of all files: equal digests, equal reference material."""
    whole = hashlib.sha256(b"alsbench.reference/1\n")
    for folder, archive in sorted(archives.items()):
        for name, content in archive.files.items():
            whole.update(f"{folder}/{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def software(answer: Mapping[str, Any]) -> str:
    """The software a reference answer names: ``R 4.2.2, mmrm 0.3.18``."""
    versions = answer.get("versions")
    if versions:
        return ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"R, {answer['tool']}"


def _column(values: list[str]) -> NDArray[Any]:
    try:
        return np.array([math.nan if v in ("", "NA") else float(v) for v in values], dtype=np.float64)
    except ValueError:
        return np.array(values, dtype=np.str_)
