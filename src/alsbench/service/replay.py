"""A recorded session shown again: what each of its views shows of the data and study of today."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from alsbench.audit.workspace_identity import identify
from alsbench.data.sanitize import visible, visible_lines
from alsbench.errors import AlsbenchError
from alsbench.render.ard import dump
from alsbench.service.access import Access
from alsbench.service.output import Operation, Output

View = tuple[
    Path, str, Callable[[], Operation], bool
]  # workspace, shell command, what gives its operation, whether the command takes a mask
Shown = tuple[str, int, str]  # of a view: its shell command, the exit code, and its output or error message


def replay(access: Access, views: Sequence[View], codes: list[int], *, mask: int = 0) -> Output:
    """The views of a session in order, each asked as it is written, and entered in the log of its workspace. JSON is one array
    of {command, exit_code, output}; else a blank line stands between two views. A view that cannot be shown any more says why;
    ``codes`` takes the exit code of each."""
    k = access.mask(mask)

    def shown(form: str) -> Iterator[Shown]:
        for path, command, operation, masks in views:
            code, text = _asked(Access(path, access.own_mask, identify(path), {"format": form}, named=True), operation(), k)
            codes.append(code)
            yield f"{command} --mask {k}" if k and masks else command, code, text

    return Output(lambda form: _array(shown(form)) if form == "json" else _texts(shown(form), form))


def _asked(access: Access, operation: Operation, k: int) -> tuple[int, str]:
    try:
        made = operation(access, k)
        return int(made.failed), "".join(made.texts(access.form))
    except AlsbenchError as error:
        return error.exit_code, f"{visible_lines(error.message)}\n"


def _texts(views: Iterator[Shown], form: str) -> Iterator[str]:
    mark = "`$ {}`\n\n" if form == "md" else "$ {}\n"
    for number, (command, _, text) in enumerate(views):
        yield ("\n" if number else "") + mark.format(visible(command)) + text


def _array(views: Iterator[Shown]) -> Iterator[str]:
    yield "["
    for number, (command, code, text) in enumerate(views):
        output: Any = json.loads(text) if code in {0, 1} and text else text
        yield ("," if number else "") + "\n" + dump({"command": command, "exit_code": code, "output": output}).rstrip()
    yield "\n]\n"
