"""The page of settings, made from what the program reads: ``python -m alsbench.tui.configuration > docs/configuration.md``."""

from __future__ import annotations

import sys
from dataclasses import fields

from alsbench.settings import CHOICES, KEYS, KNOWN, SWITCHES, TEXTS, Settings
from alsbench.tui.commands import FORBIDDEN_KEYS, SCREEN_TITLES, Registry, key_label
from alsbench.tui.session import SCREENS

HEAD = """# Settings

Written by `python -m alsbench.tui.configuration`; do not edit.

Your own settings are a TOML file, `$XDG_CONFIG_HOME/alsbench/config.toml` (`~/.config/alsbench/config.toml`). It need not be
there. Settings change how things look, which keys do them, which small counts are hidden and where work is done, never a
number: what is computed is said by `study.toml` alone. `alsbench config path` says where the file is looked for, `alsbench
config show` what holds and whether it is a default, `alsbench config validate` whether the file is right; an unknown name is
refused with the nearest known one. An option of a command stands above the file.

```toml
theme = "contrast"
ascii = false

[keys]
quit = "Q"
reload = ["r", "f5"]
```
"""
SAID = {
    "theme": "colours of the app: dark, light, your terminal's own 16 (ansi), high contrast; without one, dark where the "
    "terminal promises 256 colours or more, else ansi",
    "format": "what the shell prints where `--format` does not say; without one, a table",
    "ascii": "borders, plots and marks of the app in ASCII, as `--ascii`",
    "no_mouse": "the app leaves the mouse to the terminal, as `--no-mouse`",
    "quiet": "no narration on standard error, as `--quiet`",
    "mask": "counts below this are hidden in all that is printed or exported; 0 hides none",
    "workers": "processes of this machine that resample and simulate, as `--workers`; 0 computes in the process that was asked",
    "cluster": "the Dask scheduler whose workers resample and simulate, as `--cluster`; a blinded or masked workspace keeps to "
    "this machine (docs/how-to/cluster.md)",
    "cluster_ca": "TLS: the certificate of who signed the scheduler's; without one, as Dask's own configuration says",
    "cluster_cert": "TLS: your own certificate",
    "cluster_key": "TLS: the key of your own certificate",
    "keys": "a table: a command of the app by its id below, and the key or keys that run it instead of its own",
}
VARIABLES = """## Environment

| variable | does |
|---|---|
| `NO_COLOR` | set and not empty: no colour at all, bold and reverse only; no theme changes that |
| `COLORTERM`, `TERM` | how many colours there are; `linux` draws with ASCII; `dumb` has no app, use the shell |
| `LC_ALL`, `LC_CTYPE`, `LANG` | the locale `C` or `POSIX` without UTF-8 draws with ASCII |
| `VISUAL`, `EDITOR` | the program of `E` on study.toml; without one vi or nano, where installed |
| `PAGER` | the program of `P` on what is shown; without one less or more, where installed |
| `ALSBENCH_WORKSPACE` | the workspace where `-w` does not name one |
| `XDG_CONFIG_HOME` | where the settings are: `alsbench/config.toml` in it |
| `XDG_STATE_HOME` | `alsbench/` in it: session logs, where you were, the last copy (`copied.txt`), the key of kept answers |
"""
KEYS_HEAD = """## Commands and their keys

A key is a character (`"x"`, `"?"`), `"enter"`, `"escape"`, `"space"`, `"tab"`, an arrow (`"up"`), `"pageup"`, `"home"`, a
function key (`"f5"`) or one with control (`"ctrl+x"`). An override replaces all keys of the command. {forbidden} cannot be
bound: terminals and tmux take them. A key that another command has in the same place is refused.

| id | keys | what it does | where |
|---|---|---|---|"""


def page() -> str:
    """The whole page."""
    lines = [HEAD, "| setting | can be | default | does |", "|---|---|---|---|"]
    defaults = {f.name: getattr(Settings(), f.name) for f in fields(Settings)}
    for name in KNOWN:
        shown = _word(defaults[name])
        lines.append(f"| `{name}` | {_allowed(name)} | {f'`{shown}`' if shown else ''} | {SAID[name]} |")
    lines += ["", VARIABLES, KEYS_HEAD.format(forbidden=", ".join(f"`{k}`" for k in sorted(FORBIDDEN_KEYS)))]
    for c in Registry().commands:
        keys = " ".join(f"`{key_label(k)}`" for k in c.keys) or "none"
        where = ", ".join(SCREEN_TITLES[s][0] for s in SCREENS if s in c.screens) or "everywhere"
        lines.append(f"| `{c.id}` | {keys} | {c.help} | {where} |")
    return "\n".join(lines) + "\n"


def _allowed(name: str) -> str:
    if name in CHOICES:
        return ", ".join(f"`{v}`" for v in CHOICES[name])
    if name in SWITCHES:
        return "`true`, `false`"
    if name in TEXTS:
        return "a text"
    return "a table" if name == KEYS else "a whole number"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


if __name__ == "__main__":
    sys.stdout.write(page())
