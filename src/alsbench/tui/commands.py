"""Everything the app can do, once: the registry that feeds key bindings, footer, palette, ``?``, ``:`` and docs/keys.md.

A command that changes the session carries a function that builds its action from the session and the catalogue; one that
only moves a cursor or opens a dialog names the method that does it (``do_<method>`` of the focused view, else of the app).
``argument`` says what a command takes on the command line: ``:endpoint alsfrs`` and the palette entry of the same meaning
build the same action. Imports no terminal library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from alsbench.tui import actions as act
from alsbench.tui.session import OPTIONS, SCREENS, Catalogue, Item, Session, neighbour, next_visit

Build = Callable[[Session, Catalogue], act.Action | None]
WithArgument = Callable[[str], act.Action | None]

SCREEN_TITLES: dict[str, tuple[str, str]] = {
    "evidence": ("Evidence", "the whole trial at a glance: endpoints by comparison down, subgroups across"),
    "arms": ("Arms", "arms, their subjects, one subject's profile"),
    "subgroups": ("Subgroups", "who is in each subgroup: toggle, add, edit, delete"),
    "endpoint": ("Endpoint", "one endpoint: table, plot, model, options"),
    "forest": ("Forest", "one endpoint across the subgroups, with interaction p"),
    "scrutiny": ("Scrutiny", "what a sceptical reviewer asks"),
    "safety": ("Safety", "adverse events by class and term, with exposure"),
    "data": ("Data", "any table of the snapshot, paged"),
    "log": ("Log", "looks, loads and exports; the chain verified"),
}
CHOICE_SCREENS = frozenset({"evidence", "endpoint", "forest", "scrutiny", "safety", "subgroups", "arms"})
ENDPOINT_SCREENS = frozenset({"endpoint", "forest"})


@dataclass(frozen=True)
class Command:
    """One thing the app can do. Empty ``screens`` means everywhere; ``rank`` orders the footer, 0 leaves a command out."""

    id: str
    name: str
    keys: tuple[str, ...]
    help: str
    method: str = ""
    build: Build | None = None
    argument: str = ""
    with_argument: WithArgument | None = None
    screens: frozenset[str] = frozenset()
    group: str = "General"
    footer: str = ""
    rank: int = 0
    when: Callable[[Session], bool] | None = None
    shown: Callable[[Session], bool] | None = None  # whether the footer offers it, where it is enabled

    def enabled(self, session: Session) -> bool:
        """Whether the command does something where the session stands."""
        if self.screens and session.screen not in self.screens:
            return False
        return self.when is None or self.when(session)


def _screen_commands() -> Iterator[Command]:
    for number, screen in enumerate(SCREENS, start=1):
        title, what = SCREEN_TITLES[screen]
        yield Command(f"screen.{screen}", title, (str(number),), f"Go to {title}: {what}", group="Screens", build=_go(screen))


def _go(screen: str) -> Build:
    return lambda _s, _c: act.GoTo(screen)


def _step_endpoint(step: int) -> Build:
    return lambda s, c: act.SetEndpoint(neighbour(c.endpoints, s.choice.endpoint, step)) if c.endpoints else None


def _step_comparison(step: int) -> Build:
    return lambda s, c: act.SetComparison(neighbour(c.comparisons, s.choice.comparison, step)) if c.comparisons else None


def _step_visit(step: int) -> Build:
    def build(session: Session, catalogue: Catalogue) -> act.Action | None:
        visits = catalogue.visits_of(session.choice.endpoint)
        return act.SetVisit(next_visit(visits, session.choice.visit, step)) if visits else None

    return build


def _visit(text: str) -> act.Action | None:
    return act.SetVisit(None if text in {"", "all"} else float(text.split()[-1]))


def _option(text: str) -> act.Action | None:
    name, _, value = text.partition(" ")
    return act.SetOption(name, value.strip()) if name in OPTIONS else None


def _tab(tab: str) -> Build:
    def build(session: Session, _: Catalogue) -> act.Action:
        back_to_table = tab != "table" and session.place.tab == tab
        return act.SetTab("table" if back_to_table else tab)

    return build


def _undo(session: Session, _: Catalogue) -> act.Action | None:
    return act.Undo() if session.past else None


def _redo(session: Session, _: Catalogue) -> act.Action | None:
    return act.Redo() if session.future else None


def _deep(session: Session) -> bool:
    place = session.place
    return (place.screen == "arms" and bool(place.arm or place.record)) or (place.screen == "data" and bool(place.table))


def _on_profile(session: Session) -> bool:
    return session.place.record is not None


def _not_on_profile(session: Session) -> bool:
    return session.place.record is None


MOVE = "Moving"
CHOOSE = "Choosing what is asked"
SHOW = "Showing and taking away"

COMMANDS: tuple[Command, ...] = (
    *_screen_commands(),
    Command(
        "open",
        "Open",
        ("enter",),
        "Open what is under the cursor",
        "open",
        group=MOVE,
        footer="open",
        rank=1,
        when=_not_on_profile,
    ),
    Command("back", "Back", ("escape",), "Back one level; never quits", "back", group=MOVE, footer="back", rank=2, shown=_deep),
    Command("up", "Up", ("k", "up"), "One row up", "up", group=MOVE),
    Command("down", "Down", ("j", "down"), "One row down", "down", group=MOVE),
    Command("left", "Left", ("h", "left"), "One column left", "left", group=MOVE),
    Command("right", "Right", ("l", "right"), "One column right", "right", group=MOVE),
    Command("top", "First row", ("g", "home"), "First row", "top", group=MOVE),
    Command("bottom", "Last row", ("G", "end"), "Last row", "bottom", group=MOVE),
    Command("half_down", "Half a page down", ("ctrl+d",), "Half a page down", "half_down", group=MOVE),
    Command("half_up", "Half a page up", ("ctrl+u",), "Half a page up", "half_up", group=MOVE),
    Command("page_down", "Page down", ("pagedown", "ctrl+f"), "A page down", "page_down", group=MOVE),
    Command("page_up", "Page up", ("pageup",), "A page up", "page_up", group=MOVE),
    Command("row", "Go to row", (), "Go to a row by its number, counted from 1", "row", argument="row number", group=MOVE),
    Command("filter", "Filter", ("/",), "Show only the rows that hold a text; on Data, an expression", "filter", group=MOVE),
    Command("next_match", "Next match", ("n",), "Next row that matches the filter", "next_match", group=MOVE),
    Command("previous_match", "Previous match", ("N",), "Previous row that matches", "previous_match", group=MOVE),
    Command(
        "subgroup.toggle",
        "Toggle subgroup",
        ("space",),
        "Switch the subgroup under the cursor on or off",
        "toggle",
        argument="subgroup",
        with_argument=act.ToggleSubgroup,
        screens=frozenset({"subgroups"}),
        group="Subgroups",
        footer="on/off",
        rank=3,
    ),
    Command(
        "subgroup.add",
        "Add subgroup",
        ("a",),
        "Define a new subgroup, checked while you type",
        "add",
        screens=frozenset({"subgroups"}),
        group="Subgroups",
        footer="add",
        rank=4,
    ),
    Command(
        "subgroup.edit",
        "Edit subgroup",
        ("e",),
        "Change the subgroup under the cursor",
        "edit",
        screens=frozenset({"subgroups"}),
        group="Subgroups",
        footer="edit",
        rank=5,
    ),
    Command(
        "subgroup.delete",
        "Delete subgroup",
        ("D",),
        "Remove the subgroup under the cursor from study.toml, after asking",
        "delete",
        screens=frozenset({"subgroups"}),
        group="Subgroups",
        footer="delete",
        rank=6,
    ),
    Command(
        "subgroup.editor",
        "Edit study.toml",
        ("E",),
        "Open study.toml in $EDITOR",
        "editor",
        screens=frozenset({"subgroups"}),
        group="Subgroups",
    ),
    Command(
        "subgroup.chips",
        "Choose subgroups",
        ("s",),
        "Choose the active subgroups, from anywhere",
        "chips",
        group=CHOOSE,
        footer="subgroups",
        rank=7,
        screens=CHOICE_SCREENS - {"subgroups"},
    ),
    Command(
        "comparison.next",
        "Next comparison",
        ("]",),
        "Next comparison",
        build=_step_comparison(1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
        footer="comparison",
        rank=9,
    ),
    Command(
        "comparison.previous",
        "Previous comparison",
        ("[",),
        "Previous comparison",
        build=_step_comparison(-1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
    ),
    Command(
        "subject.next",
        "Next subject",
        ("]",),
        "Next subject of the arm",
        "next_subject",
        group=MOVE,
        screens=frozenset({"arms"}),
        when=_on_profile,
        footer="next",
        rank=3,
    ),
    Command(
        "subject.previous",
        "Previous subject",
        ("[",),
        "Previous subject of the arm",
        "previous_subject",
        group=MOVE,
        screens=frozenset({"arms"}),
        when=_on_profile,
        footer="previous",
        rank=4,
    ),
    Command(
        "endpoint.next",
        "Next endpoint",
        ("}",),
        "Next endpoint",
        build=_step_endpoint(1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
        footer="endpoint",
        rank=8,
    ),
    Command(
        "endpoint.previous",
        "Previous endpoint",
        ("{",),
        "Previous endpoint",
        build=_step_endpoint(-1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
    ),
    Command(
        "visit.next",
        "Next visit",
        (">",),
        "Next visit; past the last come all visits",
        build=_step_visit(1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
        footer="visit",
        rank=12,
    ),
    Command(
        "visit.previous",
        "Previous visit",
        ("<",),
        "Previous visit",
        build=_step_visit(-1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
    ),
    Command("endpoint", "Endpoint", (), "Choose an endpoint", argument="endpoint", with_argument=act.SetEndpoint, group=CHOOSE),
    Command(
        "comparison",
        "Comparison",
        (),
        "Choose a comparison",
        argument="comparison",
        with_argument=act.SetComparison,
        group=CHOOSE,
    ),
    Command(
        "population",
        "Population",
        (),
        "Choose the analysis set",
        argument="population",
        with_argument=act.SetPopulation,
        group=CHOOSE,
    ),
    Command("visit", "Visit", (), "Choose a visit number, or all", argument="visit", with_argument=_visit, group=CHOOSE),
    Command(
        "option",
        "Option",
        (),
        "Set covariance, df or method; without a value the study's own",
        argument="option",
        with_argument=_option,
        group=CHOOSE,
    ),
    Command("undo", "Undo", ("u",), "Undo the last change of choice", build=_undo, group=CHOOSE),
    Command("redo", "Redo", ("ctrl+r",), "Redo what was undone", build=_redo, group=CHOOSE),
    Command(
        "tab.plot",
        "Plot",
        ("p",),
        "Plot, and back to the table",
        build=_tab("plot"),
        group=SHOW,
        screens=frozenset({"endpoint"}),
        footer="plot",
        rank=3,
    ),
    Command(
        "tab.model",
        "Model",
        ("m",),
        "What was fitted: formula, covariance, df method, convergence, n",
        build=_tab("model"),
        group=SHOW,
        screens=frozenset({"endpoint"}),
        footer="model",
        rank=4,
    ),
    Command(
        "tab.options",
        "Options",
        ("o",),
        "Covariance, df method and method of this view",
        build=_tab("options"),
        group=SHOW,
        screens=frozenset({"endpoint"}),
        footer="options",
        rank=5,
    ),
    Command(
        "tab.table",
        "Table",
        ("t",),
        "Table",
        build=_tab("table"),
        group=SHOW,
        screens=frozenset({"endpoint"}),
        when=lambda s: s.place.tab != "table",
        footer="table",
        rank=3,
    ),
    Command(
        "table", "Data table", (), "Browse a table of the snapshot", argument="table", with_argument=act.OpenTable, group=SHOW
    ),
    Command("arm", "Arm", (), "List the subjects of an arm", argument="arm", with_argument=act.OpenArm, group=SHOW),
    Command(
        "sort",
        "Sort",
        ("S",),
        "Sort by the column under the cursor: up, down, as loaded",
        "sort",
        group=SHOW,
        screens=frozenset({"data", "arms"}),
        footer="sort",
        rank=6,
        when=_not_on_profile,
    ),
    Command(
        "freeze",
        "Freeze column",
        ("f",),
        "Keep the columns up to the cursor in view",
        "freeze",
        group=SHOW,
        screens=frozenset({"data"}),
        footer="freeze",
        rank=7,
    ),
    Command(
        "scrutiny.all",
        "Compute all checks",
        ("A",),
        "Compute every check of the list that this version has",
        "all",
        group=SHOW,
        screens=frozenset({"scrutiny"}),
        footer="all",
        rank=3,
    ),
    Command(
        "shell",
        "Shell command",
        ("c",),
        "Show the shell command that prints this view",
        "shell",
        group=SHOW,
        footer="command",
        rank=10,
    ),
    Command("copy_cell", "Copy cell", ("y",), "Copy the cell (OSC 52, and a file)", "copy_cell", group=SHOW),
    Command("copy_table", "Copy table", ("Y",), "Copy the table (OSC 52, and a file)", "copy_table", group=SHOW),
    Command("export", "Export", ("x",), "Write this view to a file: txt, csv, tsv, md, json, svg", "export", group=SHOW),
    Command("reload", "Reload", ("r",), "Open the newest snapshot and study file", "reload"),
    Command("cancel", "Cancel", ("ctrl+c",), "Cancel the running work", "cancel"),
    Command("theme", "Theme", (), "Choose a theme: dark, light, ansi, contrast", "theme", argument="theme"),
    Command("palette", "Palette", ("ctrl+p",), "Find any command by any of its words", "palette", footer="find", rank=15),
    Command("command", "Command line", (":",), "Type a command", "command"),
    Command("help", "Help", ("?",), "The keys of this screen", "help", footer="help", rank=13),
    Command("quit", "Quit", ("q",), "Leave", "quit", footer="quit", rank=14),
)

# Textual's names for characters that are not names themselves.
TEXTUAL_KEYS = {
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "{": "left_curly_bracket",
    "}": "right_curly_bracket",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "?": "question_mark",
    "/": "slash",
    ":": "colon",
}
FORBIDDEN_KEYS = frozenset({"ctrl+b", "ctrl+h", "ctrl+i", "ctrl+j"})  # tmux and terminals take them
KEY_NAMES = {"escape": "esc", "pagedown": "PgDn", "pageup": "PgUp"}


class Registry:
    """The commands of a session, with keys possibly overridden: ``keymap`` maps a command id to its keys."""

    def __init__(self, commands: tuple[Command, ...] = COMMANDS, keymap: Mapping[str, tuple[str, ...]] | None = None) -> None:
        keymap = keymap or {}
        known = {c.id for c in commands}
        for name, keys in keymap.items():
            if name not in known:
                raise ValueError(f"no command is named {name!r}")
            if FORBIDDEN_KEYS & set(keys):
                raise ValueError(f"{name}: {', '.join(sorted(FORBIDDEN_KEYS & set(keys)))} cannot be bound")
        self.commands = tuple(replace(c, keys=tuple(keymap[c.id])) if c.id in keymap else c for c in commands)
        self._by_id = {c.id: c for c in self.commands}

    def __getitem__(self, command_id: str) -> Command:
        return self._by_id[command_id]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key bound to something, once."""
        return tuple(dict.fromkeys(k for c in self.commands for k in c.keys))

    def for_key(self, key: str, session: Session) -> Command | None:
        """The command a key runs where the session stands."""
        return next((c for c in self.commands if key in c.keys and c.enabled(session)), None)

    def available(self, session: Session) -> tuple[Command, ...]:
        return tuple(c for c in self.commands if c.enabled(session))

    def footer(self, session: Session) -> tuple[tuple[str, str], ...]:
        """(key, label) pairs of the footer, most useful first."""
        offered = (c for c in self.available(session) if c.rank and c.keys and (c.shown is None or c.shown(session)))
        shown = sorted(offered, key=lambda c: c.rank)
        return tuple((key_label(c.keys[0]), c.footer) for c in shown)

    def find(self, query: str, session: Session) -> tuple[Command, ...]:
        """Commands in whose id, name, keys, group or help every word of the query occurs; names first."""
        words = query.lower().split()
        hits = [c for c in self.available(session) if all(w in _haystack(c) for w in words)]
        return tuple(sorted(hits, key=lambda c: not all(w in c.name.lower() for w in words)))


@dataclass(frozen=True)
class Entry:
    """A line of the palette: a command, with its argument filled in where it takes one."""

    command: Command
    argument: str = ""
    label: str = ""


def entries(registry: Registry, session: Session, catalogue: Catalogue, query: str = "") -> tuple[Entry, ...]:
    """What the palette offers for a query: commands, and commands with each of their arguments."""
    found: list[Entry] = []
    words = query.lower().split()
    for command in registry.available(session):
        if not command.argument or command.keys:
            found.append(Entry(command, "", command.name))
        found.extend(
            Entry(command, i.name, f"{command.name}: {i.label}") for i in choices(command.argument, session, catalogue)
        )
    hits = [e for e in found if all(w in f"{e.label} {e.argument} {_haystack(e.command)}".lower() for w in words)]
    return tuple(sorted(hits, key=lambda e: not all(w in e.label.lower() for w in words)))


THEMES = ("dark", "light", "ansi", "contrast")


def choices(argument: str, session: Session, catalogue: Catalogue) -> tuple[Item, ...]:
    """What an argument of that kind can be."""
    if argument == "visit":
        visits = catalogue.visits_of(session.choice.endpoint)
        return (Item("all", "all visits"), *(Item(f"{v:g}") for v in visits))
    if argument == "theme":
        return tuple(Item(t) for t in THEMES)
    known: dict[str, tuple[Item, ...]] = {
        "endpoint": catalogue.endpoints,
        "comparison": catalogue.comparisons,
        "population": catalogue.populations,
        "subgroup": catalogue.subgroups,
        "arm": catalogue.arms,
        "table": catalogue.tables,
    }
    return known.get(argument, ())


def key_label(key: str) -> str:
    """A key as written in help: ``^p`` for ctrl+p, ``esc``."""
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return KEY_NAMES.get(key, key)


def _haystack(command: Command) -> str:
    keys = " ".join(key_label(k) for k in command.keys)
    return f"{command.id} {command.name} {command.group} {command.help} {keys}".lower()


def keys_markdown(registry: Registry | None = None) -> str:
    """The reference page ``docs/keys.md``: every command by group."""
    registry = registry or Registry()
    lines = ["# Keys", "", "Made from the command registry; `?` in the app shows the part that applies where you are.", ""]
    for group in dict.fromkeys(c.group for c in registry.commands):
        lines += [f"## {group}", "", "| keys | command | what it does | where |", "|---|---|---|---|"]
        for c in (c for c in registry.commands if c.group == group):
            keys = " ".join(f"`{key_label(k)}`" for k in c.keys) or f"`:{c.id}`"
            where = ", ".join(SCREEN_TITLES[s][0] for s in SCREENS if s in c.screens) or "everywhere"
            lines.append(f"| {keys} | {c.name} | {c.help} | {where} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(keys_markdown())
