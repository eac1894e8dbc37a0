"""What this installation is made of: versions, platform, linear algebra. No host, path or user name is looked up."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

PACKAGES = ("numpy", "scipy", "duckdb", "pyarrow", "pyreadstat", "pydantic")


def installation() -> tuple[tuple[str, str], ...]:
    """Names and values for a report's head."""
    from alsbench.version import __version__

    return (
        ("alsbench", __version__),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES)),
        ("Platform", _platform()),
        ("Linear algebra", "; ".join(linear_algebra()) or "unknown"),
    )


def linear_algebra() -> tuple[str, ...]:
    """The BLAS libraries in use, each once, in order of name, with version and the processor they chose."""
    import numpy as np  # noqa: F401  loads its library, so that it can be seen
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    found = (pool for pool in threadpool_info() if pool.get("user_api") == "blas")
    parts = (" ".join(str(pool[k]) for k in ("internal_api", "version", "architecture") if pool.get(k)) for pool in found)
    return tuple(sorted(set(parts)))


def _platform() -> str:
    libc = " ".join(part for part in platform.libc_ver() if part)
    parts = (platform.system(), platform.machine(), libc, f"{sys.byteorder}-endian")
    return ", ".join(part for part in parts if part)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"
