"""Where the sample trial's files are: beside the installed package, or in the checkout it is developed in."""

from __future__ import annotations

from pathlib import Path

from alsbench.errors import UnavailableError


def sample_dir() -> Path:
    """The folder of the sample trial: XPT files and ``study.toml``. Raises UnavailableError where it was not installed."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "sample_data", package.parents[1] / "sample_data"):
        if (candidate / "study.toml").is_file():
            return candidate
    raise UnavailableError(
        "the sample trial is not installed", where=str(package / "sample_data"), hint="alsbench simulate DIR writes another"
    )
