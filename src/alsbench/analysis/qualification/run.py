"""Qualify an installation: compute every reference number again, here, and say how far each is off.

The reference material is in the package, nothing is fetched, and no data of the user's are touched: the reference trials are
loaded into a temporary workspace that is removed afterwards. A method that fails in any way is a failed check, not a crash.
"""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np  # noqa: F401  loads its library, so that it can be seen
import scipy.linalg  # noqa: F401
from threadpoolctl import threadpool_info

from alsbench.analysis.qualification.checks import METHODS, RULES, Method, ReferenceCheck, Rule, Tally
from alsbench.analysis.qualification.longitudinal import longitudinal_cases
from alsbench.analysis.qualification.material import FOLDERS, PUBLIC, TRIALS, Archive, digest
from alsbench.analysis.qualification.mmrm import fev_cases
from alsbench.analysis.qualification.published import published_cases
from alsbench.analysis.qualification.survival_data import survival_cases
from alsbench.analysis.qualification.trial_engine import engine_cases
from alsbench.analysis.qualification.trials import Case, load_trial, trial_cases
from alsbench.analysis.source import Source
from alsbench.errors import UnavailableError, is_interrupt, out_of_memory
from alsbench.stats.errors import StatsError
from alsbench.version import __version__

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Summary:
    """The checks of one method, or of one rule within a method: how many, how far off at most, and which was the worst."""

    method: Method
    checks: tuple[ReferenceCheck, ...]

    @property
    def deviation(self) -> float:
        return max(c.deviation for c in self.checks)

    @property
    def worst(self) -> ReferenceCheck:
        return max(self.checks, key=lambda c: c.share)

    @property
    def failed(self) -> tuple[ReferenceCheck, ...]:
        return tuple(c for c in self.checks if not c.passed)

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c.reference for c in self.checks))


@dataclass(frozen=True)
class Qualification:
    """Every check, the installation they were made on and the hash of the reference material."""

    checks: tuple[ReferenceCheck, ...]
    installation: tuple[tuple[str, str], ...]
    material: str

    @property
    def failed(self) -> tuple[ReferenceCheck, ...]:
        return tuple(c for c in self.checks if not c.passed)

    def by_method(self) -> tuple[Summary, ...]:
        """One summary per method, in the catalogue's order."""
        return tuple(s for m in METHODS.values() if (s := _summary(m, (c for c in self.checks if c.method == m.id))))

    def by_rule(self) -> tuple[tuple[Rule, Summary], ...]:
        """One summary per kind of number within each method."""
        return tuple(
            (rule, found)
            for whole in self.by_method()
            for rule in RULES
            if (found := _summary(whole.method, (c for c in whole.checks if c.rule == rule)))
        )


def qualify(*, progress: Progress | None = None, methods: Sequence[str] = ()) -> Qualification:
    """Run every check, or those of ``methods`` (ids); ``progress(case, done, of)`` is told before each case.

    Raises UnavailableError where there is no room for a temporary workspace or the reference material is missing.
    """
    archives = {folder: Archive(folder) for folder in FOLDERS}
    with _temporary_directory() as directory, contextlib.ExitStack() as opened:
        cases = [c for c in _cases(archives, directory, opened) if not methods or set(c.methods) & set(methods)]
        checks: list[ReferenceCheck] = []
        for done, case in enumerate(cases):
            if progress is not None:
                progress(case.name, done, len(cases))
            checks += _guarded(case)
        if progress is not None:
            progress("done", len(cases), len(cases))
    checks = [c for c in checks if not methods or c.method in methods]
    return Qualification(tuple(checks), installation(), digest(archives))


def _cases(archives: Mapping[str, Archive], directory: Path, opened: contextlib.ExitStack) -> Iterator[Case]:
    for trial in TRIALS:
        source = _opener(archives[trial], directory / trial, opened)
        yield from trial_cases(trial, archives[trial], source)
        yield from engine_cases(trial, archives[trial], source)
    yield from fev_cases(archives[PUBLIC])
    yield from longitudinal_cases(archives[PUBLIC])
    yield from survival_cases(archives[PUBLIC])
    yield from published_cases()


def _opener(archive: Archive, directory: Path, opened: contextlib.ExitStack) -> Callable[[], Source]:
    """The trial, loaded when first asked for and closed with ``opened``."""

    @cache
    def source() -> Source:
        found = load_trial(archive, directory)
        opened.callback(found.snapshot.close)
        return found

    return source


def _guarded(case: Case) -> list[ReferenceCheck]:
    try:
        return case.compare()
    except Exception as fault:
        if is_interrupt(fault):
            raise KeyboardInterrupt from fault
        if out_of_memory(fault):  # tells nothing of the method
            raise
        # a message may hold a path of this machine; those of the engine never do
        why = f"{type(fault).__name__}: {fault}" if isinstance(fault, StatsError) else type(fault).__name__
        tallies = [Tally(method, case.name, "") for method in case.methods]
        for tally in tallies:
            tally.fail("could not be computed", why)
        return [check for tally in tallies for check in tally.checks]


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    try:
        holder = tempfile.TemporaryDirectory(prefix="alsbench-qualify-")
    except OSError as fault:
        raise UnavailableError(
            f"no temporary workspace can be made: {fault.strerror or fault}", hint="set TMPDIR to a directory with 50 MB free"
        ) from fault
    with holder as name:
        yield Path(name)


def _summary(method: Method, checks: Iterable[ReferenceCheck]) -> Summary | None:
    found = tuple(checks)
    return Summary(method, found) if found else None


PACKAGES = ("numpy", "scipy", "duckdb", "pyarrow", "pyreadstat", "pydantic")


def installation() -> tuple[tuple[str, str], ...]:
    """Names and values for a report's head."""
    return (
        ("alsbench", __version__),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES)),
        ("Platform", _platform()),
        ("Linear algebra", "; ".join(linear_algebra()) or "unknown"),
    )


def linear_algebra() -> tuple[str, ...]:
    """The BLAS libraries in use, each once, in order of name, with version and the processor they chose."""
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
