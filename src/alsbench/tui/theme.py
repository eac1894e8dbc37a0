"""How things look: four themes as roles (``cursor``, ``dim``, ``chip`` ...), and two sets of glyphs.

Colour never carries meaning alone. The ansi theme uses the terminal's own 16 colours; with ``NO_COLOR`` its roles keep
only bold, underline and reverse. Roles are Rich styles because every line is painted by hand (Line API).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from rich.color import Color
from rich.style import Style
from textual.theme import Theme


@dataclass(frozen=True)
class Glyphs:
    """Signs the app draws itself, in Unicode or in ASCII."""

    more_right: str = "›"
    more_left: str = "‹"
    ellipsis: str = "…"
    favours: str = "▲"
    against: str = "▽"
    on: str = "[x]"
    off: str = "[ ]"
    dash: str = "–"
    rule: str = "─"
    stale: str = "≈"
    markers: str = "●▲■◆▼○△□◇▽◉◈"  # of twelve arms
    dots: bool = True  # braille dots for lines
    bar: str = "█"
    h: str = "─"
    v: str = "│"
    corner: str = "└"
    tick: str = "┬"
    square: str = "■"
    primary: str = "★"
    ratio: str = "×"
    lasts: str = "┊"
    folded: str = "▸"
    unfolded: str = "▾"


UNICODE = Glyphs()
ASCII = Glyphs(
    ">",
    "<",
    "~",
    "^",
    "v",
    "[x]",
    "[ ]",
    "-",
    "-",
    "~",
    "o^#*vx@%&=$Z",
    False,
    "#",
    "-",
    "|",
    "+",
    "+",
    "#",
    "*",
    "x",
    ":",
    "+",
    "-",
)


@dataclass(frozen=True)
class Appearance:
    """A theme as Rich styles by role, arm styles in order, and glyphs."""

    name: str
    styles: Mapping[str, Style]
    arms: tuple[Style, ...]
    glyphs: Glyphs

    def __getitem__(self, role: str) -> Style:
        return self.styles[role]

    def arm(self, index: int) -> Style:
        return self.arms[index % len(self.arms)]

    def marker(self, index: int) -> str:
        return self.glyphs.markers[index % len(self.glyphs.markers)]


def _colours(
    *, text: str, ground: str, dim: str, bar: str, key: str, chip: str, cursor: str, row: str, good: str, bad: str, warn: str
) -> dict[str, Style]:
    on = f" on {ground}" if ground else ""
    return {
        k: Style.parse(v)
        for k, v in {
            "text": f"{text}{on}",
            "dim": f"{dim}{on}",
            "bold": f"bold {text}{on}",
            "head": f"bold {dim}{on}",
            "bar": bar,
            "key": key,
            "chip": chip,
            "mark": f"{warn}{on}",
            "cursor": cursor,
            "row": row,
            "good": f"bold {good}{on}",
            "bad": f"{bad}{on}",
            "warn": f"{warn}{on}",
            "error": f"bold {bad}{on}",
            "match": f"underline {warn}{on}",
            "axis": f"{dim}{on}",
        }.items()
    }


_MONO = {
    "text": "", "dim": "", "bold": "bold", "head": "bold underline", "bar": "reverse", "key": "bold reverse",
    "chip": "reverse underline", "mark": "", "cursor": "reverse", "row": "bold underline", "good": "bold", "bad": "",
    "warn": "bold", "error": "bold", "match": "underline", "axis": "",
}  # fmt: skip

_STYLES: dict[str, dict[str, Style]] = {
    "dark": _colours(
        text="#d5d9e0", ground="#15181d", dim="#8b93a1", bar="#d5d9e0 on #2a303a", key="bold #9fd0ff on #2a303a",
        chip="bold #15181d on #9fd0ff", cursor="bold #15181d on #9fd0ff", row="bold #ffffff on #343c49",
        good="#8fd694", bad="#f28b82", warn="#f0c674",
    ),
    "light": _colours(
        text="#1f2328", ground="#fbfbf9", dim="#5f6672", bar="#1f2328 on #dfe3e8", key="bold #0b4f8a on #dfe3e8",
        chip="bold #ffffff on #0b4f8a", cursor="bold #ffffff on #0b4f8a", row="bold #1f2328 on #cfd8e3",
        good="#1a6b2f", bad="#a4251b", warn="#7a5200",
    ),
    "contrast": _colours(
        text="#ffffff", ground="#000000", dim="#e0e0e0", bar="#000000 on #ffffff", key="bold #000000 on #ffff00",
        chip="bold #000000 on #ffff00", cursor="bold #000000 on #ffff00", row="bold #000000 on #ffffff",
        good="#00ff00", bad="#ff8080", warn="#ffff00",
    ),
    "ansi": _colours(
        text="default", ground="", dim="default", bar="reverse", key="bold reverse", chip="bold black on cyan",
        cursor="black on cyan", row="bold cyan", good="green", bad="red", warn="yellow",
    ),
    "mono": {k: Style.parse(v) for k, v in _MONO.items()},
}  # fmt: skip

_ARMS: dict[str, tuple[str, ...]] = {
    "dark": ("#b8c0cc", "#9fd0ff", "#f0c674", "#8fd694", "#d7a6ff", "#f28b82"),
    "light": ("#3d444d", "#0b4f8a", "#7a5200", "#1a6b2f", "#6a2c91", "#a4251b"),
    "contrast": ("#ffffff", "#00ffff", "#ffff00", "#00ff00", "#ff80ff", "#ff8080"),
    "ansi": ("default", "cyan", "yellow", "green", "magenta", "red"),
    "mono": ("bold", "", "bold", "", "bold", ""),
}


def appearance(name: str, *, ascii: bool = False) -> Appearance:
    """How things look in a theme: ``dark``, ``light``, ``ansi``, ``contrast`` or ``mono``."""
    styles = _STYLES[name]
    ground = styles["text"]
    arms = tuple(ground + Style.parse(a) for a in _ARMS[name])
    return Appearance(name, styles, arms, ASCII if ascii else UNICODE)


def textual_themes() -> tuple[Theme, ...]:
    """The same themes for Textual's own widgets (inputs, modal screens)."""
    made = []
    for name in ("dark", "light", "contrast"):
        styles = _STYLES[name]
        text, chip = styles["text"], styles["chip"]
        ground, accent = _name(text.bgcolor), _name(chip.bgcolor)
        made.append(
            Theme(
                name=f"alsbench-{name}",
                primary=accent,
                secondary=accent,
                accent=accent,
                foreground=_name(text.color),
                background=ground,
                surface=ground,
                panel=ground,
                dark=name != "light",
            )
        )
    return tuple(made)


def _name(colour: Color | None) -> str:
    return colour.name if colour is not None else "ansi_default"


def theme_name(name: str) -> str:
    """Textual's theme for a look."""
    return "ansi-dark" if name in {"ansi", "mono"} else f"alsbench-{name}"


def no_color() -> bool:
    """Whether ``NO_COLOR`` asks for no colour (present and not empty: no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def plain_terminal() -> bool:
    """Whether the terminal is known to lack the characters beyond ASCII that plots and marks use."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return os.environ.get("TERM") in {"linux", "vt100", "vt220"} or (
        locale.split(".")[0] in {"C", "POSIX"} and "UTF" not in locale.upper()
    )


def default_theme() -> str:
    """16 colours where the terminal promises no more."""
    colours = os.environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"} or "256" in os.environ.get("TERM", "")
    return "dark" if colours else "ansi"
