"""What leaves the app: the shell command of a view, a cell, its table, a file, a picture; and what every one of them must say.

The screen shows its user what the user may see; a mask of the study file, of the settings, or named beside an export's file
holds for what is copied and exported. Single subjects and pictures cannot be masked and do not leave.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from alsbench.data.sanitize import visible
from alsbench.errors import AlsbenchError, UsageError
from alsbench.files import typed_path
from alsbench.tui.access_log import AccessLog
from alsbench.tui.cell_text import safe
from alsbench.tui.external_programs import pager
from alsbench.tui.host import Host
from alsbench.tui.overlays import Overlays
from alsbench.tui.session_log import open_private, state_dir
from alsbench.tui.shell_command import ViewRequest, view_request
from alsbench.tui.worker import Job, JobReport

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.render.page import Page
    from alsbench.service.output import Output

FORMATS = ("txt", "csv", "tsv", "md", "json", "svg", "html", "rtf")
DOCUMENTS = frozenset({"html", "rtf"})  # forms of what the shell prints, of no page of the screen
EXPORT = "export"  # the panel of its jobs
OSC_LIMIT = 74_994  # bytes of base64 most terminals take
COPIED = "copied.txt"  # what the log says of a copy: the file beside the clipboard
_MASKED = re.compile(r"(?P<file>.*\S)\s+--mask[ =](?P<k>\d+)\s*")
CAPTION_LINE = 20  # units of a picture between lines of its caption
CAPTION_SIZE = 14
CHARACTER = 8.4  # units a character of that size is wide


class Exporter:
    """Copies and exports the view that is shown, each export counted in the audit log."""

    def __init__(self, host: Host, overlays: Overlays, access_log: AccessLog) -> None:
        self.host = host
        self.overlays = overlays
        self.access_log = access_log

    def mask(self, asked: int = 0) -> int:
        """The mask that holds: the largest of those asked for, set in the study file and in the settings; 0 for none."""
        return self.host.ready.access.mask(asked)

    # ---- the shell command

    def request(self, **said: str) -> ViewRequest:
        """What this view asks; ``said`` goes before what the view says of itself."""
        host = self.host
        population = host.opened.source.study.populations.default if host.opened else ""
        return view_request(host.session, default_population=population, **{**host.view.shell_words(), **said})

    def shell_command(self, **said: str) -> str:
        """The command that prints this view."""
        return self.command(self.request(**said))

    def command(self, request: ViewRequest) -> str:
        """The command of a request, with the workspace where it must be named."""
        return request.command("" if self.standing_in() else str(self.host.workspace))

    def standing_in(self) -> bool:
        """Whether a command need not name the workspace: it is the current directory, and no other one is asked for."""
        return _is_current_directory(self.host.workspace) and not os.environ.get("ALSBENCH_WORKSPACE")

    def do_shell(self) -> None:
        self.show_command(self.shell_command())

    def show_command(self, command: str) -> None:
        """A shell command to read and to copy."""
        look, width = self.host.look, max(self.host.size.width, 40)
        parts = command_lines(safe(command, ascii=self.host.ascii), width)
        lines = [*(Text(part, look["bold"]) for part in parts), Text(), Text("prints the same numbers in the shell")]
        self.overlays.read("Shell command", lines, {"y": ("copy", partial(self.copy, command, "the command"))})

    # ---- what the service makes of the view, in a worker

    def make(
        self,
        request: ViewRequest,
        k: int,
        use: Callable[[Output], str],
        then: Callable[[str], None],
        failed: Callable[[AlsbenchError], None],
        *,
        form: str = "table",
        file: str = COPIED,
    ) -> None:
        """Ask the service for a view with counts below ``k`` hidden, entered in the log as an export, and ``use`` it; ``then``
        gets what that returns."""
        self.host.still_here()
        access = replace(self.host.ready.access, named=not self.standing_in(), destination={"format": form, "file": file})

        def work(job: Job) -> tuple[Callable[[Any], None], Any]:
            try:
                made = request.operation()(access, k)
                job.check()
                return then, use(made)
            except AlsbenchError as error:
                return failed, error

        self.host.progress("exporting ...  ^c cancels")
        self.host.jobs.start(f"{EXPORT}-{self.host.jobs.started}", "export", work)

    def report(self, report: JobReport) -> None:
        """Something was exported, or could not be."""
        if report.kind == "done":
            then, what = report.payload
            then(what)

    # ---- the clipboard

    def copy(self, text: str, what: str) -> str:
        """Put text on the clipboard and into a file; says where it went."""
        path = clipboard_file(text)
        sequence = osc52(text)
        self.host.send_to_terminal(sequence)
        return f"copied {what} to the clipboard and {path}" if sequence else f"copied {what} to {path} (too long for OSC 52)"

    def do_copy_cell(self) -> None:
        self.host.status(self.copy_cell(self.host.view.cell_text()))

    def copy_cell(self, text: str) -> str:
        """Copy one cell, which cannot be masked; says where it went, or why not."""
        if k := self.mask():
            return f"one cell cannot be masked (counts below {k} are hidden); Y copies the table masked"
        return self.copy(text, "the cell") if text else "nothing to copy here"

    def do_copy_table(self) -> None:
        if why := self.host.view.unfinished:
            self.host.status(f"not copied: {why}")
        elif self.host.view.printed and not self.mask():
            self._copy_printed(self.request(), 0, self.host.status)
        else:
            self.copy_page(self.host.view.page(), self.request(), self.host.status)

    def copy_page(self, page: Page | None, request: ViewRequest | None, say: Callable[[str], None]) -> None:
        """Copy a page; under a mask, what the command of ``request`` prints. ``say`` is told where it went, or why not."""
        k = self.mask()
        if k and request is not None:
            self._copy_printed(request, k, say)
        elif k:
            say(f"single subjects are not copied (counts below {k} are hidden)")
        else:
            say("this view has no table to copy" if page is None else self.copy(text_in(page, "txt"), f"{_rows(page)} rows"))

    def _copy_printed(self, request: ViewRequest, k: int, say: Callable[[str], None]) -> None:
        def done(text: str) -> None:
            say(self.copy(text, f"the table, counts below {k} masked," if k else f"{text.count(chr(10))} lines"))

        self.make(request, k, _printed, done, lambda error: say(error.what))

    # ---- files

    def do_export(self) -> None:
        hint = "a new file, in the form of its ending: " + " ".join(f".{f}" for f in FORMATS)
        hint += "\nFILE --mask 5 hides counts below 5"
        target = _new_file(f"{self.host.session.screen}.txt")
        self.overlays.ask("Export this view to", target, self.export, hint=hint, check=_check_export)

    def ask_export(self, request: ViewRequest, say: Callable[[str], None]) -> None:
        """Write what a request prints, of a screen over this one, to a file that is asked for; ``say`` is told."""
        hint = "a new file, in the form of its ending: " + " ".join(f".{f}" for f in FORMATS if f != "svg")

        def write(target: str) -> None:
            named, asked = split_mask(target)
            try:
                path = typed_path(named)
                k = self.mask(asked)
                self._export_printed(path, path.suffix.lstrip("."), k, request, say)
            except AlsbenchError as error:
                say(error.what)

        self.overlays.ask("Export to", _new_file(f"{request.name}.txt"), write, hint=hint, check=_check_export)

    def export(self, target: str) -> None:
        """Write the view to a file in the format of its ending; ``FILE --mask K`` hides small cells."""
        target, asked = split_mask(target)
        try:
            path = typed_path(target)
            kind = path.suffix.lstrip(".")
            self.host.still_here()
            if kind not in FORMATS:
                raise UsageError(f"this view has no {kind} form", hint=f"one of {', '.join(FORMATS)}")
            if kind != "svg" and (why := self.host.view.unfinished):
                raise UsageError(f"not exported: {why}")
            k = self.mask(asked)
            if k or (kind != "svg" and self.printed_only(kind)):
                self._export_printed(path, kind, k, self.request(), self.host.status, self.host.fault)
            else:
                self._export_shown(path, kind)
        except AlsbenchError as error:
            self.host.fault(error)

    def _export_printed(
        self,
        path: Path,
        kind: str,
        k: int,
        request: ViewRequest,
        say: Callable[[str], None],
        failed: Callable[[AlsbenchError], None] | None = None,
    ) -> None:
        """Write what the service makes of a request; ``failed`` gets what went wrong, else ``say`` is told."""
        if kind == "svg":
            what = "a picture cannot be masked" if k else "this is written as text, and as no picture"
            raise UsageError(what, hint="choose another ending: .txt, .csv, .tsv, .md, .json")
        if kind not in FORMATS:
            raise UsageError(f"this view has no {kind} form", hint=f"one of {', '.join(FORMATS)}")
        if path.exists():
            raise UsageError("the file exists", where=str(path), hint="choose another name; exports never overwrite")
        form = "table" if kind == "txt" else kind

        def write(made: Output) -> str:
            made.write(path, form)
            return f"wrote {path.absolute()}, counts below {k} masked" if k else f"wrote {path.absolute()}"

        self.make(request, k, write, say, failed or (lambda error: say(error.what)), form=form, file=path.name)

    def _export_shown(self, path: Path, kind: str) -> None:
        """Write the view as it is on the screen."""
        page, results, count = self.host.view.page(), self.host.view.exported_results(), ""
        if kind == "svg":
            text = picture(self.host.export_screenshot(title="alsbench"), self.caption())
        elif page is None:
            raise UsageError("this view has no table; .svg takes a picture of it")
        elif kind in DOCUMENTS:
            raise UsageError(f"this view has no {kind} form", hint=f"one of {', '.join(FORMATS)}")
        else:
            text = text_in(page, kind, results)
            count = f"{_rows(page)} rows to " if kind != "json" else ""
        write_new(path, text)
        for result in results:
            self.access_log.export(result, path.name)
        self.host.status(f"wrote {count}{path.absolute()}")

    def printed_only(self, kind: str) -> bool:
        """Whether only the view's shell command writes this form of it: no result stands behind the view, or the form is one
        of documents. What is still being computed is not asked for again."""
        view = self.host.view
        known = kind in DOCUMENTS or (kind == "json" and not view.exported_results())
        return view.printed or (known and not self.host.jobs.labels)

    def do_pager(self) -> None:
        """Read the view in $PAGER."""
        view, words, k = self.host.view, pager(), self.mask()
        if k:  # a pager can save what it shows
            self.make(self.request(), k, _printed, partial(self._read_in, words), self.host.fault)
            return
        page = view.page()
        self._read_in(words, text_in(page, "txt") if page is not None else view.plain_text())

    def _read_in(self, words: list[str], text: str) -> None:
        if not text.strip():
            self.host.status("this view has no text to read")
            return
        code = self.host.hand_over(words, text)
        self.host.status(f"{words[0]} ended with {code}" if code else "")

    # ---- what must be said

    def caption(self) -> tuple[str, ...]:
        """What a picture of the view must say beside it: the title, facts and footnotes of its table."""
        page = self.host.view.page()
        title, facts, notes = ("", self.facts(), self.footnotes())
        if page is not None:
            title, facts, notes = page.title, page.facts, page.footnotes
        told = (f"{name}: {value}" for name, value in facts if name != "Command")  # which may name a path
        return tuple(t for t in (title, *told, *notes) if t)

    def facts(self) -> tuple[tuple[str, str], ...]:
        """What any exported table of this session must say."""
        if self.host.opened is None:
            return ()
        study, session = self.host.opened.source.study, self.host.session
        facts = [("Study", f"{study.info.id} {study.info.title}".strip()), ("Population", session.choice.population)]
        for name in session.choice.subgroups:
            found = study.subgroup(name)
            if found is not None:
                facts.append((f"Subgroup {name}", f"{found.where} ({found.status})"))
        return (*facts, ("Snapshot", session.snapshot[:12]), ("Command", self.shell_command()))

    def data_notes(self) -> tuple[str, ...]:
        """What must be said of the data wherever they are shown."""
        if self.host.opened is None:
            return ()
        source = self.host.opened.source
        logged = tuple(f"{words[:1].upper()}{words[1:]}." for words in source.log.words)
        synthetic = source.study.info.marks
        return (*logged, *synthetic, *(("BLINDED: the arms are dummies.",) if source.blinded else ()))

    def footnotes(self) -> tuple[str, ...]:
        """The notes of the data; whether an active subgroup was defined after they were seen."""
        study = self.host.opened.source.study if self.host.opened else None
        active = [study.subgroup(n) for n in self.host.session.choice.subgroups] if study else []
        post_hoc = any(s is not None and not s.prespecified for s in active)
        told = ("Post hoc: at least one subgroup was defined after the data were seen.",) if post_hoc else ()
        return (*self.data_notes(), *told)


def text_in(page: Page, form: str, results: Sequence[Result] = ()) -> str:
    """A page in a form; see :func:`alsbench.service.output.in_form`."""
    from alsbench.service.output import in_form  # waits: pydantic

    return in_form(page, form, results)


def _printed(made: Output) -> str:
    """What the shell prints."""
    return "".join(made.texts("table"))


def _rows(page: Page) -> int:
    return sum(len(block.lines) for block in page.blocks)


def _new_file(name: str) -> str:
    """A file in the current directory; in the home directory where that one was deleted."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return str(Path.home() / name)
    return name


def _is_current_directory(workspace: Path) -> bool:
    """Whether a workspace is the current directory, so that a command need not name it."""
    try:
        return workspace.resolve() == Path.cwd()
    except FileNotFoundError:  # the current directory was deleted
        return False


def command_lines(command: str, width: int) -> list[str]:
    """A command in lines that fit, each but the last with the backslash that continues it in a shell; an option and its value
    stand on one line."""
    parts: list[str] = []
    for word in map(shlex.quote, shlex.split(command)):
        joined = parts and parts[-1].startswith("--") and " " not in parts[-1] and not word.startswith("-")
        parts = [*parts[:-1], f"{parts[-1]} {word}"] if joined else [*parts, word]
    lines = [parts[0]]
    for part in parts[1:]:
        if cell_len(lines[-1]) + cell_len(part) + 3 > width:
            lines[-1] += " \\"
            lines.append(f"  {part}")
        else:
            lines[-1] += f" {part}"
    return lines


def split_mask(target: str) -> tuple[str, int]:
    """The file and the mask of ``FILE --mask K``; 0 where there is none."""
    found = _MASKED.fullmatch(target)
    return (found["file"], int(found["k"])) if found else (target, 0)


def _check_export(text: str) -> str:
    try:
        path = typed_path(split_mask(text)[0])
    except UsageError as fault:
        return f"{fault.what}: {fault.why}"
    if path.suffix.lstrip(".") not in FORMATS:
        return "the ending must be one of " + ", ".join(f".{f}" for f in FORMATS)
    return "the file exists; exports never overwrite" if path.exists() else ""


def osc52(text: str) -> str:
    """The sequence that puts ``text`` on the terminal's clipboard; empty when it is too long for terminals to take."""
    code = base64.b64encode(text.encode()).decode()
    sequence = f"\x1b]52;c;{code}\x07"
    if os.environ.get("TMUX"):  # tmux passes it on only inside its own envelope, and only where allow-passthrough is on
        sequence = f"\x1bPtmux;\x1b{sequence}\x1b\\"
    return sequence if len(code) <= OSC_LIMIT else ""


def clipboard_file(text: str) -> Path:
    """Write ``text`` where it can be picked up when the terminal drops OSC 52."""
    path = state_dir() / COPIED
    path.unlink(missing_ok=True)
    with open_private(path, "x") as out:
        out.write(text)
    return path


def write_new(path: Path, text: str) -> Path:
    """Write a file that is not there yet. Raises UsageError when it is, or cannot be written."""
    try:
        with open_private(path, "x") as out:
            out.write(text)
    except FileExistsError:
        raise UsageError("the file exists", where=str(path), hint="choose another name; exports never overwrite") from None
    except OSError as error:
        raise UsageError("the file cannot be written", where=str(path), why=error.strerror or str(error)) from error
    return path


def picture(svg: str, caption: Sequence[str] = ()) -> str:
    """A screenshot with a caption below. Some renderers trim even no-break spaces, and would move what stands right of an
    empty cell: they are told not to."""
    return captioned(svg.replace("<svg ", '<svg xml:space="preserve" ', 1), caption)


def captioned(svg: str, caption: Sequence[str]) -> str:
    """A picture made taller by a caption, folded to its width; the caption is its ``desc`` too."""
    box = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    if box is None or not caption:
        return svg
    lines = [visible(line) for line in caption]  # a control byte would make it no XML
    width, height = int(float(box[1]) / CHARACTER) - 2, float(box[2])
    shown = [part for line in lines for part in wrap(line, max(width, 20), subsequent_indent="  ") or [""]]
    texts = "".join(
        f'<text x="{CHARACTER:g}" y="{height + (k + 1) * CAPTION_LINE:g}" font-family="monospace" font-size="{CAPTION_SIZE}"'
        f' fill="#808080" xml:space="preserve">{escape(text)}</text>\n'
        for k, text in enumerate(shown)
    )
    tall = height + (len(shown) + 1) * CAPTION_LINE
    svg = svg.replace(box[0], f'viewBox="0 0 {box[1]} {tall:g}"', 1)
    svg = re.sub(r"(<svg[^>]*>)", lambda m: f"{m[1]}\n<desc>{escape(chr(10).join(lines))}</desc>", svg, count=1)
    head, end, tail = svg.rpartition("</svg>")
    return f"{head}{texts}{end}{tail}"
