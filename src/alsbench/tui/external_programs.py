"""The user's own programs: ``$EDITOR`` on the study file, ``$PAGER`` for a table. The app hands over the terminal and takes it
back as it was; an interrupt typed there is the program's, not ours. Told to end, or without its terminal, the app ends that
program first, and then itself.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from textual.app import App, SuspendNotSupported

from alsbench.errors import UnavailableError

LINE_EDITORS = frozenset({"vi", "vim", "nvim", "view", "nano", "pico", "emacs", "emacsclient", "micro", "joe", "mg", "kak"})


def chosen(names: tuple[str, ...], spare: tuple[str, ...], what: str) -> list[str]:
    """The words of the program that the first set variable of ``names`` says, else the first of ``spare`` that is installed.

    Raises UnavailableError where there is none, or the one that was asked for is not installed.
    """
    said = next((n for n in names if os.environ.get(n, "").strip()), "")
    if said:
        words = shlex.split(os.environ[said])
        if words and shutil.which(words[0]):
            return words
        raise UnavailableError(f"the {what} of ${said} is not installed", where=os.environ[said], hint=f"set {said}")
    found = next((s for s in spare if shutil.which(s)), "")
    if not found:
        raise UnavailableError(f"no {what}: ${' nor $'.join(names)} is set", hint=f"set {names[-1]}")
    return [found]


def editor(path: Path, line: int = 0) -> list[str]:
    """The editor's command on a file, at a line where the editor is known to take one. Raises UnavailableError."""
    words = chosen(("VISUAL", "EDITOR"), ("vi", "nano"), "editor")
    at = [f"+{line}"] if line and Path(words[0]).name in LINE_EDITORS else []
    return [*words, *at, str(path)]


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


def pager() -> list[str]:
    """The pager's command; it reads the text from its input. Raises UnavailableError."""
    return chosen(("PAGER",), ("less", "more"), "pager")


def run_on_terminal(app: App[Any], words: list[str], text: str | None = None) -> int:
    """Run a program on the terminal, with ``text`` as its input; its exit code. Raises UnavailableError where it cannot run."""
    environment = {"LESS": "-S", **os.environ}
    try:
        with _interrupts_of_others(), app.suspend(), _terminal_as_it_was():
            return _run(words, text, environment)
    except SuspendNotSupported as error:
        raise UnavailableError("this terminal cannot be handed over") from error
    except OSError as error:
        raise UnavailableError(f"{words[0]} cannot be run", why=error.strerror or str(error)) from error


def _run(words: list[str], text: str | None, environment: dict[str, str]) -> int:
    """Run a program to its end, handing it a text; its exit code."""
    entrance = None if text is None else subprocess.PIPE
    with (
        subprocess.Popen(words, stdin=entrance, text=True, env=environment) as program,  # noqa: S603 - the user's own
        ThreadPoolExecutor(1) as apart,
        _signals_meanwhile(program) as wait_for,
    ):
        fed = apart.submit(program.communicate, text)
        wait_for(fed)
        with suppress(BrokenPipeError):  # a pager may end before it has read all
            fed.result()
        return program.wait()


@contextmanager
def _interrupts_of_others() -> Iterator[None]:
    """As long as the terminal is not ours an interrupt typed there is not for us, not even before the other program has begun
    or after it has ended. Nothing in a thread, which gets none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _ignored)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ignored(_number: int, _frame: FrameType | None) -> None:
    """The program in front has had it: a handler of ours is not inherited, as ignoring would be."""


@contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """How the terminal takes lines and echoes them, put back after a program that was killed before it could."""
    try:
        before = termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ is not None else None
    except (OSError, ValueError, termios.error):  # no terminal: nothing to put back
        before = None
    try:
        yield
    finally:
        if before is not None and sys.__stdin__ is not None:
            with suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, before)


@contextmanager
def _signals_meanwhile(program: subprocess.Popen[str]) -> Iterator[Callable[[Future[Any]], object]]:
    """While another program runs, what ends this one ends that program before, and then reaches the event loop. Gives the way
    to wait meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda work: wait([work])
        return

    def ended(_number: int, _frame: FrameType | None) -> None:
        """Told once to end; who is told again does not wait."""
        program.kill() if told else program.terminate()
        told.append(True)

    told: list[bool] = []
    before = {n: signal.signal(n, ended) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with _woken_by_signals() as wait_for:
            yield wait_for
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _woken_by_signals() -> Iterator[Callable[[Future[Any]], None]]:
    """A way to wait that every signal interrupts.

    The kernel may hand a signal to any thread of the process. Python runs the handler in the main thread, but nothing wakes
    that one out of a plain wait for the program: the app would stay behind a terminal that is gone. The interpreter does
    write the signal's number to the wake-up pipe, whichever thread had it. The event loop is told afterwards what came.
    """
    exit_, entrance = os.pipe()
    os.set_blocking(entrance, False)
    events = signal.set_wakeup_fd(entrance)
    came = bytearray()

    def wait_for(work: Future[Any]) -> None:
        work.add_done_callback(lambda _: os.write(entrance, b"\0"))
        while b"\0" not in came:
            came.extend(os.read(exit_, 64))

    try:
        yield wait_for
    finally:
        signal.set_wakeup_fd(events)
        os.close(exit_)
        os.close(entrance)
        if events >= 0 and (numbers := bytes(came).replace(b"\0", b"")):
            os.write(events, numbers)
