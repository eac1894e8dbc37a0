"""Where answers go: standard output or a file, in the format asked for. Nothing here computes or looks anything up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from alsbench.cli.common import Common, Format
from alsbench.errors import ReaderGone, unwritable

if TYPE_CHECKING:
    from alsbench.render.page import Page
    from alsbench.service.output import Output


def show(common: Common, output: Output) -> int:
    """What an operation made: to the file of ``-o``, else to standard output, on a terminal in colour. The exit code: 1 for a
    negative verdict."""
    if common.output is not None:
        output.write(common.output, common.format.value)
        common.note(f"wrote {common.output}")
    elif common.format is Format.TABLE and output.page is not None and sys.stdout.isatty():
        _coloured(output.page())
    else:
        for text in output.texts(common.format.value):
            _stdout(text)
    if not common.format.printed:
        for remark in output.remarks:
            common.note(remark)
    return 1 if output.failed else 0


def _coloured(page: Page) -> None:
    """The lines of the text of a page in colour."""
    from rich.console import Console  # waits: rich

    from alsbench.render.layout import page_lines  # waits: rich

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
    try:
        for line in page_lines(page):
            line.rstrip()
            console.print(line, no_wrap=True, overflow="ignore", crop=False)
    except BrokenPipeError:
        raise ReaderGone from None


def _stdout(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        sys.stdout.write(safe)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as fault:
        raise unwritable(fault, "standard output") from fault
