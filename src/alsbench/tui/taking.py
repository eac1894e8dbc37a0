"""Taking things away: the clipboard (OSC 52 and a file beside it), and files in the formats of the shell."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alsbench.errors import UsageError
from alsbench.service.forms import in_form
from alsbench.tui.state import open_private, state_dir

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.render.page import Page

Format = Literal["txt", "csv", "tsv", "md", "json", "svg", "html", "rtf"]
FORMATS: tuple[Format, ...] = ("txt", "csv", "tsv", "md", "json", "svg", "html", "rtf")
OSC_LIMIT = 74_994  # bytes of base64 most terminals take


def osc52(text: str) -> str:
    """The sequence that puts ``text`` on the terminal's clipboard; empty when it is too long for terminals to take."""
    code = base64.b64encode(text.encode()).decode()
    sequence = f"\x1b]52;c;{code}\x07"
    if os.environ.get("TMUX"):  # tmux passes it on only inside its own envelope, and only where allow-passthrough is on
        sequence = f"\x1bPtmux;\x1b{sequence}\x1b\\"
    return sequence if len(code) <= OSC_LIMIT else ""


def clipboard_file(text: str) -> Path:
    """Write ``text`` where it can be picked up when the terminal drops OSC 52."""
    path = state_dir() / "copied.txt"
    path.unlink(missing_ok=True)
    with open_private(path, "x") as out:
        out.write(text)
    return path


def page_in(page: Page, kind: Format, results: tuple[Result, ...] = ()) -> str:
    """A page in a format that needs no document; see :func:`alsbench.service.forms.in_form`.

    Raises UsageError where the view has no such form.
    """
    if kind in {"svg", "html", "rtf"}:
        raise UsageError(f"this view has no {kind} form", hint=f"one of {', '.join(FORMATS)}")
    return in_form(page, kind, results)


def write_new(path: Path, text: str) -> Path:
    """Write a file that is not there yet. Raises UsageError when it is, or cannot be written."""
    try:
        with open_private(path.expanduser(), "x") as out:
            out.write(text)
    except FileExistsError:
        raise UsageError("the file exists", where=str(path), hint="choose another name; exports never overwrite") from None
    except OSError as error:
        raise UsageError("the file cannot be written", where=str(path), why=error.strerror or str(error)) from error
    return path.expanduser()
