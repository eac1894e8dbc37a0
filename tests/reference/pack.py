"""Pack the reference material into the package: ``python tests/reference/pack.py``.

One zip file per folder of ``tests/reference`` with the data, the study file and R's answers, byte for byte, so that an
installed ``alsbench qualify`` needs nothing else. Times and modes are fixed: the same files give the same archive.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

REFERENCE = Path(__file__).resolve().parent
MATERIAL = REFERENCE.parents[1] / "src" / "alsbench" / "analysis" / "qualification" / "material"
FOLDERS = ("als-ref-1", "als-ref-2", "public")
SUFFIXES = (".csv", ".json", ".toml", ".xpt")


def files_of(folder: str) -> list[Path]:
    """The files of one folder, in a fixed order."""
    return sorted(p for p in (REFERENCE / folder).rglob("*") if p.is_file() and p.suffix in SUFFIXES)


def pack(folder: str, target: Path) -> None:
    """Write ``target`` with every file of ``folder`` under its path relative to the folder."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files_of(folder):
            entry = zipfile.ZipInfo(path.relative_to(REFERENCE / folder).as_posix(), date_time=(2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def main() -> int:
    MATERIAL.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        pack(folder, MATERIAL / f"{folder}.zip")
        print(folder, (MATERIAL / f"{folder}.zip").stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
