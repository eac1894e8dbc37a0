"""A recorded session shown again: what the command of each of its views prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from alsbench.data.sanitize import visible
from alsbench.render.ard import dump
from alsbench.service.output import Output

Run = Callable[[str], tuple[int, str]]  # of a command: its exit code, and its output or error message


def replay(views: Sequence[str], run: Run) -> Output:
    """The views of a session (the shell command of each) in order, with what ``run`` makes of them as they are written. JSON is
    one array of {command, exit_code, output}; else a blank line stands between two views."""
    return Output(lambda form: _array(views, run) if form == "json" else _texts(views, run, form))


def _texts(views: Sequence[str], run: Run, form: str) -> Iterator[str]:
    mark = "`$ {}`\n\n" if form == "md" else "$ {}\n"
    for number, view in enumerate(views):
        _, text = run(view)
        yield ("\n" if number else "") + mark.format(visible(view)) + text


def _array(views: Sequence[str], run: Run) -> Iterator[str]:
    yield "["
    for number, view in enumerate(views):
        code, text = run(view)
        output: Any = json.loads(text) if code in {0, 1} and text else text
        yield ("," if number else "") + "\n" + dump({"command": view, "exit_code": code, "output": output}).rstrip()
    yield "\n]\n"
