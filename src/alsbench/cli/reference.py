"""``docs/commands.md``, written from the commands themselves: ``python -m alsbench.cli.reference > docs/commands.md``."""

from __future__ import annotations

import sys
from typing import Any

from alsbench.cli.app import program

HEAD = """# Commands

Written by `python -m alsbench.cli.reference` from the program's own help; do not edit.

Standard output is data, standard error narration. Every command takes `-w/--workspace` (or `ALSBENCH_WORKSPACE`, else the
current directory), `--format table|json|csv|tsv|md|html|rtf`, `-o FILE` (its suffix names the format too), `--quiet` and
`--json-errors`; they are not repeated below.

| exit code | means |
|---|---|
| 0 | done; result rows that hold an `error` included |
| 1 | a negative verdict of `check`, `audit`, `lock` or `qualify`; snapshots that `diff` |
| 2 | usage or configuration: a bad option, an invalid study.toml, an unknown name |
| 3 | data could not be read, are invalid or do not fit the study |
| 4 | locked, or not there |
| 70 | a fault of the program itself; the message says where the details are |
| 130 | interrupted |

Completion for your shell, names of the study included: `alsbench --install-completion`. The same as a manual page:
`man docs/alsbench.1`.
"""
COMMON = frozenset({"workspace", "format", "output", "quiet", "json_errors", "help"})


def reference() -> str:
    """The whole page."""
    root: Any = program()
    return "\n".join([HEAD, *(_section(path, command) for path, command in commands(root))])


def commands(root: Any) -> list[tuple[str, Any]]:
    """Every command that is listed, with its full name, in the order of the program's help."""
    found: list[tuple[str, Any]] = []
    for name in root.ordered():
        command = root.commands[name]
        if command.hidden:
            continue
        nested = getattr(command, "commands", None)
        if nested:
            found += [(f"{name} {sub}", below) for sub, below in nested.items()]
        else:
            found.append((name, command))
    return found


def _section(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name not in COMMON]
    usage = " ".join(["alsbench", path, *(_metavar(a) for a in arguments), *(["[OPTIONS]"] if options else [])])
    lines = [f"## {path}", "", f"`{usage}`", "", " ".join((command.help or "").split()), ""]
    if arguments or options:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_metavar(a)}` | {_cell(a.help)} |" for a in arguments]
        lines += [f"| {_names(o)} | {_cell(o.help)} |" for o in options]
        lines.append("")
    return "\n".join(lines)


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _names(option: Any) -> str:
    names = [*option.opts, *option.secondary_opts]
    shown = ", ".join(f"`{n}`" for n in sorted(names, key=len))
    return f"{shown} `{option.metavar}`" if option.metavar else shown


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
