"""Options that every command has, declared once, and where its answer goes.

A command takes ``common: Common`` as its first parameter; :func:`command` puts ``-w``, ``--format``, ``-o``, ``--quiet`` and
``--json-errors`` in its place on the command line.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from alsbench.audit.workspace_identity import WorkspaceIdentity, identify
from alsbench.compute import IN_PROCESS, Compute
from alsbench.data.sanitize import visible, visible_lines
from alsbench.errors import UsageError
from alsbench.progress import listening
from alsbench.service.access import ENDINGS, RECORDS, Access, compute_of
from alsbench.settings import Settings, read_settings

T = TypeVar("T")
WORKSPACE_VARIABLE = "ALSBENCH_WORKSPACE"


class Format(str, Enum):  # noqa: UP042  StrEnum would change what typer prints
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"
    MD = "md"
    HTML = "html"
    RTF = "rtf"

    @property
    def printed(self) -> bool:
        """Whether it is for reading: a page, not records."""
        return self.value not in RECORDS


HELP_WIDTH, LEAST_HELP = 60, 20  # characters of a command's line in the list of commands
SUFFIXES = {ending: Format("table" if form == "txt" else form) for ending, form in ENDINGS.items()}
TEXT_FORMATS = frozenset({Format.TABLE, Format.MD, Format.CSV, Format.TSV})  # what a .txt may hold where --format says so
WAYS = {  # to what is not made here
    ".pdf": "for a PDF write .html and print it from a browser, or .rtf and save it from a word processor",
    ".docx": "for Word write .rtf, which Word opens and saves as .docx",
    ".doc": "for Word write .rtf, which Word opens",
    ".odt": "for LibreOffice write .rtf, which it opens and saves as .odt",
    ".xlsx": "for Excel write .csv, which Excel opens and saves as .xlsx",
    ".xls": "for Excel write .csv, which Excel opens",
    ".svg": "pictures (.svg) are exported from the app; .html holds the figures of a table",
}


@dataclass(frozen=True)
class Common:
    """``workspace`` is where to look; ``given`` whether the user named it rather than standing in it."""

    workspace: Path
    given: bool
    format: Format
    output: Path | None
    quiet: bool
    json_errors: bool
    mask: int = 0  # the user's settings: counts below it are hidden
    placed: bool = True  # whether the command is about a workspace, so that its output says what is to be said of that one
    held: WorkspaceIdentity | None = None  # the workspace as it was found; None where there was none
    compute: Compute = IN_PROCESS  # where resampling is computed
    local: Compute | None = None  # and where instead, for a workspace that keeps to this machine

    @cached_property
    def access(self) -> Access:
        """The workspace, as this command line asks it."""
        destination = {"format": self.format.value} | ({"file": self.output.name} if self.output is not None else {})
        drawn = not self.quiet and not self.json_errors and sys.stderr.isatty()
        return Access(
            self.workspace,
            self.mask,
            self.held,
            destination,
            steps=partial(steps, drawn),
            note=self.note,
            watch=partial(bar, drawn),
            named=self.given,
            placed=self.placed,
            compute=self.compute,
            local=self.local,
        )

    def note(self, text: str) -> None:
        """Narration on stderr, unless ``--quiet`` or ``--json-errors`` asked for silence."""
        if not (self.quiet or self.json_errors):
            print(visible_lines(text), file=sys.stderr)


def _directory(text: str | Path) -> Path:
    """What ``-w`` names. An empty word is an unset variable of a script, not the current directory."""
    if not str(text).strip():
        raise UsageError("the workspace is empty", where="--workspace", hint=f"name a directory, or unset {WORKSPACE_VARIABLE}")
    return Path(text)


WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        parser=_directory,
        metavar="DIR",
        envvar=WORKSPACE_VARIABLE,
        help="The workspace: a directory with study.toml and snapshots. Default: the current directory.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="table (default), json, csv, tsv, md, html or rtf.", show_default=False),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE (replaced in one step) instead of standard output."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No narration on standard error.")]
MaskOption = Annotated[
    int, typer.Option("--mask", metavar="K", help="Hide counts below K, what rests on them, and what would tell them.")
]
JsonErrorsOption = Annotated[bool, typer.Option("--json-errors", help="Errors as one JSON object on standard error.")]

WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Resample in N processes of this machine. Default: 0, in this one. The numbers are the same.",
        show_default=False,
    ),
]
ClusterOption = Annotated[
    str,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="Resample on a Dask cluster: tls://HOST:PORT of its scheduler.", show_default=False
    ),
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Let --cluster be tcp:// on another machine, without encryption.")
]

_COMPUTING: dict[str, tuple[Any, Any]] = {
    "workers": (WorkersOption, None),
    "cluster": (ClusterOption, ""),
    "insecure": (InsecureOption, False),
}
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "workspace": (WorkspaceOption, None),
    "format": (FormatOption, None),
    "output": (OutputOption, None),
    "quiet": (QuietOption, False),
    "json_errors": (JsonErrorsOption, False),
}


def command(
    app: typer.Typer,
    name: str,
    *,
    configured: bool = True,
    placed: bool = True,
    computes: bool = False,
    writes: tuple[str, ...] = (),
    **settings: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function ``(common, ...)`` as a command with the common options after its own.

    ``configured`` commands take defaults from the user's settings; those that look after the settings themselves do not.
    ``placed`` ones are about a workspace. Those that resample or simulate are told so (``computes``): they have ``--workers``,
    ``--cluster`` and ``--insecure`` too, and what these say is ``common.access.compute``. ``writes`` are endings of files that
    this command writes beside those that name a format.
    """
    options = {**(_COMPUTING if computes else {}), **_OPTIONS}

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(function, include_extras=True)
        own = [p for p in inspect.signature(function).parameters.values() if p.name != "common"]
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        parameters = [context, *(p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in own)]
        parameters += [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for n, (annotation, default) in options.items()
        ]

        def run(ctx: typer.Context, **values: Any) -> Any:
            found = {n: values.pop(n) for n in options}
            if found["workspace"] is None:
                found["workspace"] = ctx.find_root().obj  # alsbench -w DIR COMMAND
            common = make_common(**found, configured=configured, placed=placed, writes=writes)
            _sweep(common.workspace)
            return function(common, **values)

        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name, **{"short_help": short_help(function.__doc__ or ""), **settings})(run)
        return function

    return register


def _sweep(workspace: Path) -> None:
    """Remove what a killed blinded load left outside the workspace, where this one says that there is something."""
    try:
        if not any(path.name.startswith(".staging-") for path in workspace.iterdir()):
            return
    except OSError:  # no workspace yet, or none that can be read: whoever needs it says so
        return
    from alsbench.service.blinded import sweep  # waits: numpy, pyarrow

    sweep(workspace)


def short_help(text: str) -> str:
    """The first sentence as the list of commands shows it: whole, or up to where a clause ends."""
    sentence = " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    if len(sentence) <= HELP_WIDTH:
        return sentence
    ends = [sentence.find(mark, LEAST_HELP, HELP_WIDTH) for mark in (": ", "; ", " (")]
    end = min((e for e in ends if e > 0), default=max(sentence.rfind(m, 0, HELP_WIDTH) for m in (", ", " and ")))
    return sentence[:end].removesuffix(" and") if end > 0 else sentence


def make_common(
    *,
    workspace: Path | None,
    format: Format | None,
    output: Path | None,
    quiet: bool,
    json_errors: bool,
    configured: bool = False,
    placed: bool = True,
    writes: tuple[str, ...] = (),
    **computing: Any,
) -> Common:
    """The common options with their defaults filled in; the format follows the output file's suffix unless given, else the
    user's settings."""
    settings = read_settings() if configured else Settings()
    if output is not None and str(output) == "-":
        output = None
    own = output is not None and output.suffix.lower() in writes
    made = _format(format, None if own else output, Format(settings.format or Format.TABLE))
    quiet = quiet or settings.quiet
    where = workspace or Path()
    held = identify(where) if placed else None
    common = Common(where, workspace is not None, made, output, quiet, json_errors, settings.mask, placed, held)
    if not computing:
        return common
    compute, local = compute_of(settings, note=common.note, **computing)
    return replace(common, compute=compute, local=local)


def _format(said: Format | None, output: Path | None, default: Format) -> Format:
    """The format of an answer: the one said, else that of the file's ending, else the default where a file has none (a pipe).

    Raises UsageError for an ending that promises another format than is written.
    """
    ending = output.suffix.lower() if output is not None else ""
    known = SUFFIXES.get(ending)
    if said is None:
        if ending and known is None:
            endings = f"endings that name a format: {', '.join(SUFFIXES)}; or say --format"
            hint = "\n".join(filter(None, [WAYS.get(ending), endings]))
            raise UsageError(f"nothing is written as {output.suffix if output else ''}", where=f"--output {output}", hint=hint)
        return known or default
    fits = known in (None, said) or (known is Format.TABLE and said in TEXT_FORMATS)
    if not fits:
        what = f"{ending} and --format {said.value} contradict each other"
        raise UsageError(what, where=f"--output {output}", hint="leave out --format, or name the file after it")
    return said


def interactive() -> bool:
    """Whether a person can see and answer: standard input and output are terminals that can move a cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


# ---- a progress bar on standard error, drawn when a person is looking at it


def steps(drawn: bool, items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """``items``, counted against ``total`` with the time left."""
    if not drawn:
        yield from items
        return
    with bar(drawn) as show, listening(show):
        for done, item in enumerate(items, start=1):
            show(title, done, total)
            yield item


@contextmanager
def bar(drawn: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """``show(title, done, total)``, drawing a bar per title; a no-op where nobody looks."""
    if not drawn:
        yield lambda _title, _done, _total: None
        return
    from rich.console import Console  # waits: rich
    from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn  # waits: rich
    from rich.text import Text  # waits: rich

    class Counted(TextColumn):
        """``7/21``; ``699`` where nobody knows of how many."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.completed:.0f}/{task.total:.0f}" if task.total is not None else f"{task.completed:.0f}")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), Counted(""), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show(title: str, done: int, total: int | None) -> None:
            if title not in tasks:
                tasks[title] = progress.add_task(Text(visible(title)).plain, total=total)
            progress.update(tasks[title], completed=done, total=total)

        yield show
