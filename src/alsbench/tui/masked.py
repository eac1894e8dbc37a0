"""What leaves the app under a mask: what the shell prints for the same view, its small cells hidden.

The screen shows its user what the user may see; a mask of the study file, of the settings, or named beside an export's file
holds for what is copied and exported. Single subjects and pictures cannot be masked and do not leave.
"""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.errors import AlsbenchError, UsageError
from alsbench.settings import read_settings

if TYPE_CHECKING:
    from alsbench.study.model import Study

WITHOUT_COUNTS = frozenset({"audit"})  # commands that print no count of subjects
_ASKED = re.compile(r"(?P<file>.*\S)\s+--mask[ =](?P<k>\d+)\s*")


def asked_for(target: str) -> tuple[str, int]:
    """The file and the mask of ``FILE --mask K``; 0 where there is none."""
    found = _ASKED.fullmatch(target)
    return (found["file"], int(found["k"])) if found else (target, 0)


def mask_of(study: Study | None, asked: int = 0) -> int:
    """The mask that holds: the largest of those asked for, set in the study file and in the settings."""
    return max(asked, read_settings().mask, 0 if study is None else study.info.mask)


def write_masked(command: str, kind: str, k: int, path: Path) -> None:
    """Write what a shell command prints to a file; ``k`` 0 hides nothing. Raises AlsbenchError where it cannot be masked or
    written."""
    if kind == "svg":
        raise UsageError("a picture cannot be masked", hint="choose another ending: .txt, .csv, .tsv, .md, .json")
    if not command:
        raise UsageError("this view cannot be masked: the shell has no command for it")

    name, *words = shlex.split(command)[1:]
    mask = [] if name in WITHOUT_COUNTS or not k else ["--mask", str(k)]
    form = "table" if kind == "txt" else kind
    program: Any = importlib.import_module("alsbench.cli.app").program  # by name: shell and app stand beside each other
    line = [name, *words, *mask, "--format", form, "--quiet", "-o", str(path)]
    try:
        program().main(args=line, prog_name="alsbench", standalone_mode=False)
    except AlsbenchError:
        raise
    except Exception as error:
        if not hasattr(error, "format_message"):  # not a message of the option parser
            raise
        raise UsageError(error.format_message()) from error
