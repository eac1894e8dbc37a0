"""What can be taken away from a view: its shell command, a cell, its table, a file; and what every one of them must say."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text
from textual.events import Resize

from alsbench.errors import AlsbenchError, UsageError
from alsbench.tui import actions as act
from alsbench.tui import masked, outside, taking, twin
from alsbench.tui.overlays import Overlaid
from alsbench.tui.safetext import safe

if TYPE_CHECKING:
    from alsbench.render.page import Page


class Takeaway(Overlaid):
    """The app with copying and exporting, each counted in the audit log."""

    # ---- the audit log

    def looked(self, result: Any) -> None:
        """Count a look: each question once while this snapshot and study are open."""
        from alsbench.analysis.looks import question_digest

        digest = question_digest(result.question, self.ready.source.study)
        if self.audit and digest not in self.counted:
            self.counted.add(digest)
            self.record("look", result)

    def record(self, action: str, result: Any, file: str = "") -> None:
        """Append to the workspace's audit log, off the interface thread."""
        from alsbench.tui.looks import record

        if self.audit:
            path, study, held = self.workspace / "audit.jsonl", self.ready.source.study, self.ready.source.held
            self.jobs.start(f"audit-{self.jobs.started}", "", lambda _: record(path, action, result, study, file, held=held))

    def record_subject(self, command: str) -> None:
        """Append that one subject was looked at: the command that shows it, not what it shows."""
        from alsbench.tui.looks import record_subject

        if self.audit:
            path, digest, held = self.workspace / "audit.jsonl", self.session.snapshot, self.ready.source.held
            self.jobs.start(f"audit-{self.jobs.started}", "", lambda _: record_subject(path, command, digest, held=held))

    def record_rows(self, table: str, where: str) -> None:
        """Append that rows of a table were shown: each view once while this snapshot is open."""
        from alsbench.tui.looks import record_rows

        command, digest = self.shell_command(), self.session.snapshot
        if self.audit and command not in self.counted:
            self.counted.add(command)
            path, held = self.workspace / "audit.jsonl", self.ready.source.held
            entered = partial(record_rows, path, command, table, where, digest, held=held)
            self.jobs.start(f"audit-{self.jobs.started}", "", lambda _: entered())

    def record_claims(self, file: Path, names: Sequence[str]) -> None:
        """Append that claims were checked: each state of their file once while this snapshot is open."""
        from alsbench.tui.looks import record_claims

        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if self.audit and digest not in self.counted:
            self.counted.add(digest)
            path, held = self.workspace / "audit.jsonl", self.ready.source.held
            self.jobs.start(
                f"audit-{self.jobs.started}", "", lambda _: record_claims(path, file.name, digest, names, held=held)
            )

    async def dispatch_action(self, action: act.Action) -> None:
        """Opening a subject's profile is entered in the audit log."""
        before = self.session
        await super().dispatch_action(action)
        if isinstance(action, act.OpenSubject) and self.session != before:
            self.record_subject(self.shell_command())

    # ---- taking away

    def shell_command(self, **said: str) -> str:
        """The command that prints this view; ``said`` goes before what the view says of itself."""
        population = self.opened.source.study.populations.default if self.opened else ""
        here = _stands_in(self.workspace) and not os.environ.get("ALSBENCH_WORKSPACE")
        return twin.command(
            self.session,
            workspace="" if here else str(self.workspace),
            default_population=population,
            **{**self.view.shell_words(), **said},
        )

    def do_shell(self) -> None:
        command = self.shell_command()
        if command:
            self.show_command(command)
        else:
            self.status("this screen has no shell command in this version")

    def show_command(self, command: str) -> None:
        """A shell command to read and to copy."""
        parts = shell_lines(safe(command, ascii=self.ascii), max(self.size.width, 40))
        lines = [*(Text(part, self.look["bold"]) for part in parts), Text(), Text("prints the same numbers in the shell")]
        self.read("Shell command", lines, {"y": ("copy", partial(self.copy, command, "the command"))})

    def copy(self, text: str, what: str) -> str:
        """Put text on the clipboard and into a file; says where it went."""
        path = taking.clipboard_file(text)
        sequence = taking.osc52(text)
        driver = self._driver
        if sequence and driver is not None and sys.__stdout__ is not None and sys.__stdout__.isatty():
            driver.write(sequence)
        return f"copied {what} to the clipboard and {path}" if sequence else f"copied {what} to {path} (too long for OSC 52)"

    def do_copy_cell(self) -> None:
        self.status(self.copy_cell(self.view.cell_text()))

    def copy_cell(self, text: str) -> str:
        """Copy one cell, which cannot be masked; says where it went, or why not."""
        if k := masked.mask_of(self.ready.source.study):
            return f"one cell cannot be masked (counts below {k} are hidden); Y copies the table masked"
        return self.copy(text, "the cell") if text else "nothing to copy here"

    def do_copy_table(self) -> None:
        if self.view.printed and not masked.mask_of(self.ready.source.study):
            self.status(self.copy_printed(self.shell_command()))
        else:
            self.status(self.copy_page(self.view.page(), self.shell_command()))

    def copy_page(self, page: Page | None, command: str) -> str:
        """Copy a page; under a mask, what the shell command prints of it. Says where it went, or why not."""
        if k := masked.mask_of(self.ready.source.study):
            return self.copy_printed(command, k) if command else f"single subjects are not copied (counts below {k} are hidden)"
        if page is None:
            return "this view has no table to copy"
        return self.copy(taking.page_in(page, "txt"), f"{sum(len(b.lines) for b in page.blocks)} rows")

    def copy_printed(self, command: str, k: int = 0) -> str:
        """Copy what a shell command prints, under a mask where there is one; says where it went, or why not."""
        try:
            text = self.printed(command, k)
        except AlsbenchError as error:
            return error.what
        lines = text.count("\n")
        return self.copy(text, f"the table, counts below {k} masked," if k else f"{lines} lines")

    def printed(self, command: str, k: int = 0) -> str:
        """What a shell command prints. Raises AlsbenchError where it cannot, or cannot be masked."""
        self.still_here()
        path = taking.clipboard_file("")
        try:
            masked.write_masked(command, "txt", k, path)
            return path.read_text("utf-8")
        finally:
            path.unlink(missing_ok=True)

    def do_export(self) -> None:
        name = f"{self.session.screen}.txt"
        hint = "a new file, in the form of its ending: " + " ".join(f".{f}" for f in taking.FORMATS)
        hint += "\nFILE --mask 5 hides counts below 5"
        self.ask("Export this view to", str(_standing_in() / name), self.export, hint=hint, check=_check_export)

    def export(self, target: str) -> None:
        """Write the view to a file in the format of its ending; ``FILE --mask K`` hides small cells."""
        target, asked = masked.asked_for(target)
        path = Path(target)
        kind: Any = path.suffix.lstrip(".")
        count = ""
        try:
            self.still_here()
            k = masked.mask_of(self.ready.source.study, asked)
            if k or (kind != "svg" and self.printed_only(kind)):
                path = path.expanduser()
                if path.exists():
                    raise UsageError("the file exists", where=str(path), hint="choose another name; exports never overwrite")
                masked.write_masked(self.shell_command(), kind, k, path)
                self.status(f"wrote {path}, counts below {k} masked" if k else f"wrote {path}")
                return
            if kind == "svg":
                from alsbench.tui.picture import picture

                text = picture(self, caption=self.caption())
            else:
                page = self.view.page()
                if page is None:
                    raise UsageError("this view has no table; .svg takes a picture of it")
                text = taking.page_in(page, kind, self.view.taken())
                count = f"{sum(len(b.lines) for b in page.blocks)} rows to " if kind != "json" else ""
            written = taking.write_new(path, text)
            for result in self.view.taken():
                self.record("export", result, written.name)
        except AlsbenchError as error:
            self.fault(error)
            return
        self.status(f"wrote {count}{written}")

    def printed_only(self, kind: str) -> bool:
        """Whether only the view's shell command writes this form of it: no result stands behind the view, or the form is one
        of documents. What is still being computed is not asked for again."""
        known = kind in {"html", "rtf"} or (kind == "json" and not self.view.taken())
        return self.view.printed or (known and bool(self.shell_command()) and not self.jobs.labels)

    def hand_over(self, words: list[str], text: str | None = None) -> int:
        """Run another program on the terminal, then paint everything anew; its exit code."""
        try:
            return outside.hand_over(self, words, text)
        finally:
            self.post_message(Resize(self.size, self.size))  # what the terminal shows is not known any more
            self.call_later(self.refresh, layout=True)

    def do_pager(self) -> None:
        """Read the view in $PAGER."""
        words, page = outside.pager(), self.view.page()
        if k := masked.mask_of(self.ready.source.study):  # a pager can save what it shows
            text = self.printed(self.shell_command(), k)
        else:
            text = taking.page_in(page, "txt") if page is not None else self.view.plain_text()
        if not text.strip():
            self.status("this view has no text to read")
            return
        code = self.hand_over(words, text)
        self.status(f"{words[0]} ended with {code}" if code else "")

    def caption(self) -> tuple[str, ...]:
        """What a picture of the view must say beside it: the title, facts and footnotes of its table."""
        page = self.view.page()
        title, facts, notes = ("", self.page_facts(), self.page_footnotes())
        if page is not None:
            title, facts, notes = page.title, page.facts, page.footnotes
        told = (f"{name}: {value}" for name, value in facts if name != "Command")  # which may name a path
        return tuple(t for t in (title, *told, *notes) if t)

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        """What any exported table of this session must say."""
        if self.opened is None:
            return ()
        study, choice = self.opened.source.study, self.session.choice
        facts = [("Study", f"{study.info.id} {study.info.title}".strip()), ("Population", choice.population)]
        for name in choice.subgroups:
            found = study.subgroup(name)
            if found is not None:
                facts.append((f"Subgroup {name}", f"{found.where} ({'pre-specified' if found.prespecified else 'post hoc'})"))
        return (*facts, ("Snapshot", self.session.snapshot[:12]), ("Command", self.shell_command()))

    def data_notes(self) -> tuple[str, ...]:
        """What must be said of the data wherever they are shown."""
        source = self.opened.source if self.opened is not None else None
        if source is None:
            return ()
        logged = tuple(f"{words[:1].upper()}{words[1:]}." for words in source.log.words)
        synthetic = ("SYNTHETIC DATA",) if source.study.info.synthetic else ()
        return (*logged, *synthetic, *(("BLINDED: the arms are dummies.",) if source.blinded else ()))

    def page_footnotes(self) -> tuple[str, ...]:
        notes = list(self.data_notes())
        study = self.opened.source.study if self.opened else None
        active = [study.subgroup(n) for n in self.session.choice.subgroups] if study else []
        if any(s is not None and not s.prespecified for s in active):
            notes.append("Post hoc: at least one subgroup was defined after the data were seen.")
        return tuple(notes)


def _standing_in() -> Path:
    """The current directory; the home directory where that one was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path.home()


def _stands_in(workspace: Path) -> bool:
    """Whether a workspace is the current directory, so that a command need not name it."""
    try:
        return workspace.resolve() == Path.cwd()
    except FileNotFoundError:  # the current directory was deleted
        return False


def shell_lines(command: str, width: int) -> list[str]:
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


def subgroup_line(path: Path, name: str) -> int:
    """The line of a study file on which a subgroup is named, from 1; 0 where it is not."""
    if not name or not path.is_file():
        return 0
    wanted = re.compile(rf"""\s*name\s*=\s*["']{re.escape(name)}["']""")
    inside = False
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1):
        if line.lstrip().startswith("["):
            inside = line.strip().startswith("[[subgroups]]")
        elif inside and wanted.match(line):
            return number
    return 0


def _check_export(text: str) -> str:
    path = Path(masked.asked_for(text)[0]).expanduser()
    if path.suffix.lstrip(".") not in taking.FORMATS:
        return "the ending must be one of " + ", ".join(f".{f}" for f in taking.FORMATS)
    return "the file exists; exports never overwrite" if path.exists() else ""
