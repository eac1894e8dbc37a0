"""The clipboard of the terminal (OSC 52), and a file beside it for terminals that drop the sequence."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from alsbench.tui.session_log import open_private, state_dir

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
