"""``docs/alsbench.1``, the manual page, written from the commands: ``python -m alsbench.cli.manpage > docs/alsbench.1``.

Plain man(7) macros; every text is escaped for roff.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from alsbench.cli.app import program
from alsbench.cli.reference import COMMON, commands
from alsbench.version import __version__

CODES = (
    ("0", "Done; result rows that hold an error included."),
    ("1", "A negative verdict of check, audit, lock or qualify; snapshots that differ."),
    ("2", "Usage or configuration: a bad option, an invalid study.toml, an unknown name."),
    ("3", "Data could not be read, are invalid or do not fit the study."),
    ("4", "Locked, or not there."),
    ("70", "A fault of the program itself; the message says where the details are."),
    ("130", "Interrupted."),
)
VARIABLES = (
    ("ALSBENCH_WORKSPACE", "The workspace, where -w does not name one."),
    ("NO_COLOR", "Not empty: no colour."),
    ("XDG_CONFIG_HOME", "Where alsbench/config.toml is looked for; ~/.config by default."),
    ("XDG_STATE_HOME", "Where session logs are kept; ~/.local/state by default."),
)
FILES = (
    ("study.toml", "What the protocol says; in the workspace."),
    ("snapshots/", "Loaded data, one immutable file a load; in the workspace."),
    ("audit.jsonl", "The log of loads, looks and exports, each entry chained to the one before; in the workspace."),
    ("$XDG_CONFIG_HOME/alsbench/config.toml", "Your settings; alsbench config shows and checks them."),
)


def manpage() -> str:
    """The whole page."""
    root: Any = program()
    found = commands(root)
    common = [p for p in found[0][1].params if p.name in COMMON - {"help"}]
    lines = [f'.TH ALSBENCH 1 "" "alsbench {__version__}" "User Commands"', ".SH NAME"]
    lines += [r"alsbench \- " + roff("a workbench for the analysis and scrutiny of ALS trials"), ".SH SYNOPSIS"]
    lines += [r".B alsbench", r"[\fICOMMAND\fR [\fIOPTIONS\fR]]", ".SH DESCRIPTION", roff(root.help or "")]
    lines += ["Without a command, on a terminal, it opens the app on the workspace.", ".SH COMMON OPTIONS"]
    lines += ["Every command takes these."]
    lines += [line for option in common for line in _option(option)]
    lines.append(".SH COMMANDS")
    for path, command in found:
        lines += _command(path, command)
    for title, pairs in (("EXIT STATUS", CODES), ("ENVIRONMENT", VARIABLES), ("FILES", FILES)):
        lines.append(f".SH {title}")
        for name, text in pairs:
            lines += [".TP", f".B {roff(name)}", roff(text)]
    return "\n".join(lines) + "\n"


def roff(text: str) -> str:
    """``text`` on one line, with nothing in it that roff would obey; characters beyond ASCII by code point."""
    plain = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-")
    plain = re.sub(r"[^\x20-\x7e]", lambda m: rf"\[u{ord(m[0]):04X}]", plain)
    return rf"\&{plain}" if plain[:1] in {".", "'"} else plain


def _command(path: str, command: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name not in COMMON]
    words = [rf"\fB{roff(f'alsbench {path}')}\fR", *(rf"\fI{roff(_metavar(a))}\fR" for a in arguments)]
    lines = [f'.SS "{roff(path)}"', " ".join([*words, *([r"[\fIOPTIONS\fR]"] if options else [])]), ".PP"]
    lines.append(roff(command.help or ""))
    for argument in arguments:
        lines += [".TP", rf".I {roff(_metavar(argument))}", roff(argument.help or "")]
    return lines + [line for option in options for line in _option(option)]


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _option(option: Any) -> list[str]:
    names = ", ".join(rf"\fB{roff(n)}\fR" for n in sorted([*option.opts, *option.secondary_opts], key=len))
    value = rf" \fI{roff(option.metavar)}\fR" if option.metavar else ""
    return [".TP", names + value, roff(option.help or "")]


if __name__ == "__main__":
    sys.stdout.write(manpage())
