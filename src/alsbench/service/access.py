"""Access to a workspace: where it is, what masks its counts, and how an answer of it is entered in its audit log."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from alsbench.audit.workspace_identity import WorkspaceIdentity
from alsbench.compute import IN_PROCESS, Compute, LocalProcesses
from alsbench.errors import StudyError, UnavailableError, UsageError
from alsbench.settings import Settings
from alsbench.study.toml_text import file_text, toml_table

if TYPE_CHECKING:
    from alsbench.analysis.source import Source

T = TypeVar("T")
Show = Callable[[str, int, "int | None"], None]
Steps = Callable[[Iterable[Any], int, str], Iterator[Any]]
RECORDS = ("csv", "tsv", "json")  # forms for machines
ENDINGS = {  # of files, with the form that each names
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".md": "md",
    ".html": "html",
    ".htm": "html",
    ".rtf": "rtf",
    ".txt": "txt",
}


def no_progress(items: Iterable[T], _total: int, _title: str) -> Iterator[T]:
    """Work whose progress nobody watches."""
    yield from items


def no_notes(_text: str) -> None:
    """Narration that nobody reads."""


@contextmanager
def no_watch() -> Iterator[Show]:
    yield lambda _title, _done, _total: None


@dataclass(frozen=True)
class Access:
    """``own_mask`` is that of the user's settings; ``held`` the workspace as it was found, None where there was none;
    ``destination`` what the log says of how answers are shown (``format``, and ``file`` where they are written). ``note`` takes
    narration; ``steps`` shows the progress of counted work, ``watch`` of work of which nobody knows how much it is. ``named``
    is whether the command that repeats an answer names the workspace, ``placed`` whether what is asked is about one.
    ``compute`` is where resampling is computed, ``local`` what is used instead for a workspace that keeps to this machine: None
    where the cluster was asked for by name, which such a workspace refuses."""

    path: Path
    own_mask: int = 0
    held: WorkspaceIdentity | None = None
    destination: Mapping[str, str] = field(default_factory=dict)
    steps: Steps = no_progress
    note: Callable[[str], None] = no_notes
    watch: Callable[[], AbstractContextManager[Show]] = no_watch
    named: bool = False
    placed: bool = True
    compute: Compute = IN_PROCESS
    local: Compute | None = None

    @property
    def form(self) -> str:
        """The form in which answers are shown: ``table``, ``csv``, ``html`` ...; ``python``, ``screen``."""
        return self.destination.get("format", "")

    @property
    def printed(self) -> bool:
        """Whether answers are for reading: pages, not records."""
        return self.form not in RECORDS

    def repeat(self, command: str, mask: int = 0) -> str:
        """``command`` as it is printed and entered in the log: with the ``mask`` that holds, where it does not name it yet, and
        with the workspace, where it is to be named."""
        command = f"{command} --mask {mask}" if mask else command
        return f"{command} --workspace {shlex.quote(str(self.path.resolve()))}" if self.named else command

    @contextmanager
    def opened(self) -> Iterator[Source]:
        """The study and current snapshot of the workspace, closed again at the end, and workers with it."""
        from alsbench.analysis.source import open_source  # waits: duckdb, pydantic

        source = open_source(self.path, self.compute)
        try:
            source = self.computed(source)
            yield source
        finally:
            source.compute.close()
            source.snapshot.close()

    def computed(self, source: Source) -> Source:
        """The source, computed where its owner lets it be. Raises UsageError where that is not where it was asked to be."""
        if not self.compute.away or source.study.info.cluster:
            return source
        held = "it is blinded" if source.blinded else f"counts below {k} are hidden" if (k := self.mask()) else ""
        if not held:
            return source
        if self.local is not None:
            self.note(f"resampling keeps to this machine: {held}")
            return replace(source, compute=self.local)
        raise UsageError(
            f"this workspace keeps to this machine: {held}",
            where=f"--cluster {self.compute.away}",
            why="arrays of every subject would travel",
            hint="leave out --cluster (--workers N computes here), or its owner says cluster = true in [study] of study.toml",
        )

    def mask(self, asked: int = 0) -> int:
        """The K that holds, counts below it being hidden; 0 for none: the largest of the one asked for, the user's and the
        study file's. Raises UsageError for a K that would mask nothing."""
        if asked and asked < 2:
            raise UsageError(f"--mask {asked} would mask nothing", hint="a count below K is masked: give 2 or more")
        return max(asked, self.own_mask, _study_mask(self.path))

    def refuse_mask(self, asked: int, what: str) -> None:
        """Raises UsageError where a mask holds and what was asked for is about single subjects."""
        if k := self.mask(asked):
            hint = "no mask was asked for on the command line: it is set in the study file or in your settings"
            raise UsageError(
                f"{what} cannot be masked: counts below {k} are hidden",
                where="--mask",
                hint="leave out --mask" if asked else hint,
            )


def compute_of(
    settings: Settings,
    workers: int | None = None,
    cluster: Any = "",
    *,
    insecure: bool = False,
    note: Callable[[str], None] = no_notes,
) -> tuple[Compute, Compute | None]:
    """Where resampling is computed, and what is used instead for a workspace that keeps to this machine.

    What is asked for stands above the settings; without either, this process: on a shared server a command takes one processor
    unless it is told otherwise. ``cluster`` is an address, or from Python a ``distributed.Client``. Raises UsageError for
    numbers and addresses that cannot be meant, UnavailableError where Dask is not installed.
    """
    asked = not isinstance(cluster, str) or bool(cluster)
    if asked and workers is not None:
        raise UsageError("--workers and --cluster contradict each other", hint="processes of this machine, or a cluster")
    count = settings.workers if workers is None else workers
    local = LocalProcesses(count) if count else IN_PROCESS
    address = cluster if asked else settings.cluster if workers is None else ""
    if isinstance(address, str) and not address:
        return local, None
    try:
        from alsbench.cluster import Certificates, Cluster  # waits: distributed
    except ImportError as fault:
        hint = "pip install 'alsbench[cluster]'"
        raise UnavailableError("a cluster needs Dask, which is not installed", why=str(fault), hint=hint) from fault
    files = Certificates(settings.cluster_ca, settings.cluster_cert, settings.cluster_key)
    return Cluster(address, certificates=files, insecure=insecure, note=note), None if asked else local


def _study_mask(workspace: Path) -> int:
    """``study.mask`` of the study file, read as plain TOML; a file that cannot be read is reported by whoever needs it."""
    try:
        text = file_text(workspace / "study.toml", named="study file", hint="")
        value = toml_table(text, "study.toml").get("study", {}).get("mask", 0)
    except (StudyError, AttributeError):
        return 0
    return value if isinstance(value, int) else 0
