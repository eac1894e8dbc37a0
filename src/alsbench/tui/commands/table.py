"""Every command of the app, by subject: the ten screens, moving about, subgroups, choosing what is asked, showing and taking
away, and what works everywhere. The first command of a key that is enabled has it; a command that builds no action is done by a
method of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from alsbench.tui import actions as act
from alsbench.tui.commands.model import (
    CHOOSE,
    MOVE,
    SHOW,
    Build,
    Command,
    on_data,
    on_profile,
    on_table,
    sortable,
)
from alsbench.tui.session import OPTIONS, SCREENS, Catalogue, Session, neighbour, next_visit

EVERYWHERE = frozenset[str]()
CHOICE_SCREENS = frozenset({"evidence", "endpoint", "forest", "scrutiny", "safety", "subgroups", "arms"})
ENDPOINT_SCREENS = frozenset({"endpoint", "forest", "scrutiny"})
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
    "claims": ("Claims", "published numbers beside those of the data"),
}


def _listed(group: str, screens: frozenset[str], *commands: Command) -> Iterator[Command]:
    """Commands of one group that do something on the same screens."""
    return (replace(c, group=group, screens=screens) for c in commands)


def _screen_commands() -> Iterator[Command]:
    for number, screen in enumerate(SCREENS, start=1):
        title, what = SCREEN_TITLES[screen]
        key = (str(number % 10),)
        yield Command(f"screen.{screen}", title, key, f"Go to {title}: {what}", group="Screens", build=_go(screen))


def _go(screen: str) -> Build:
    return lambda _s, _c: act.GoTo(screen)


def _deep(session: Session) -> bool:
    place = session.place
    inside = (place.screen == "arms" and (place.arm or place.record)) or (place.screen == "data" and place.table)
    return bool(place.origin or inside)


def _step_endpoint(step: int) -> Build:
    return lambda s, c: act.SetEndpoint(neighbour(c.endpoints, s.choice.endpoint, step)) if c.endpoints else None


def _step_comparison(step: int) -> Build:
    return lambda s, c: act.SetComparison(neighbour(c.comparisons, s.choice.comparison, step)) if c.comparisons else None


def _step_visit(step: int) -> Build:
    def build(session: Session, catalogue: Catalogue) -> act.Action | None:
        visits = catalogue.visits_of(session.choice.endpoint)
        return act.SetVisit(next_visit(visits, session.choice.visit, step)) if visits else None

    return build


def _neighbours(
    what: str, keys: str, step: Callable[[int], Build], screens: frozenset[str], idle: str, rank: int
) -> Iterator[Command]:
    """The next and the previous of what is asked about; ``keys`` are those of the previous and the next."""
    end = "; past the last come all visits" if what == "visit" else ""
    for k, word, footer in ((1, "next", (what, rank)), (-1, "previous", None)):
        name, key = f"{word.title()} {what}", keys[k > 0]
        said = f"{name}{end if k > 0 else ''}"
        yield Command(f"{what}.{word}", name, (key,), said, step(k), idle=idle, footer=footer, group=CHOOSE, screens=screens)


def _visit(text: str) -> act.Action | None:
    return act.SetVisit(None if text in {"", "all"} else float(text.split()[-1]))


def _option(text: str) -> act.Action | None:
    name, _, value = text.partition(" ")
    return act.SetOption(name, value.strip()) if name in OPTIONS else None


def _undo(session: Session, _: Catalogue) -> act.Action | None:
    return act.Undo() if session.past else None


def _redo(session: Session, _: Catalogue) -> act.Action | None:
    return act.Redo() if session.future else None


def _tab(tab: str) -> Build:
    def build(session: Session, _: Catalogue) -> act.Action:
        back_to_table = tab != "table" and session.place.tab == tab
        return act.SetTab("table" if back_to_table else tab)

    return build


COMMANDS: tuple[Command, ...] = (
    *_screen_commands(),
    *_listed(
        MOVE,
        EVERYWHERE,
        Command("open", "Open", ("enter",), "Open what is under the cursor", footer=("open", 1), when=on_table),
        Command("back", "Back", ("escape",), "Back one level; never quits", footer=("back", 2), shown=_deep),
        Command("up", "Up", ("k", "up"), "One row up"),
        Command("down", "Down", ("j", "down"), "One row down"),
        Command("left", "Left", ("h", "left"), "One column left"),
        Command("right", "Right", ("l", "right"), "One column right"),
        Command("top", "First row", ("g", "home"), "First row"),
        Command("bottom", "Last row", ("G", "end"), "Last row"),
        Command("half_down", "Half a page down", ("ctrl+d",), "Half a page down"),
        Command("half_up", "Half a page up", ("ctrl+u",), "Half a page up"),
        Command("page_down", "Page down", ("pagedown", "ctrl+f"), "A page down"),
        Command("page_up", "Page up", ("pageup",), "A page up"),
        Command("row", "Go to row", (), "Go to a row by its number, counted from 1", argument="row number"),
        Command("filter", "Filter", ("/",), "Show only the rows that hold a text; on Data, an expression"),
    ),
    *_listed(
        MOVE,
        frozenset({"data"}),
        Command(
            "search",
            "Search",
            ("w",),
            "Where a text is: go to the rows that hold it in any column",
            argument="text",
            when=on_data,
            footer=("search", 8),
        ),
        Command(
            "cell.only",
            "Only this value",
            ("=",),
            "Show only the rows that have the value under the cursor in this column, of those shown",
            when=on_data,
            footer=("only this", 9),
        ),
        Command(
            "cell.without",
            "Without this value",
            ("!",),
            "Leave out the rows that have the value under the cursor in this column",
            when=on_data,
        ),
        Command(
            "column",
            "Column",
            ("F",),
            "The column under the cursor in the rows shown: what it is, its range, every value and how often it stands",
            when=on_data,
            footer=("frequencies", 10),
        ),
    ),
    *_listed(
        MOVE,
        EVERYWHERE,
        Command("next_match", "Next match", ("n",), "Next row that matches the filter or the search"),
        Command("previous_match", "Previous match", ("N",), "Previous row that matches"),
    ),
    *_listed(
        MOVE,
        frozenset({"arms"}),
        Command("subject.next", "Next subject", ("]",), "Next subject of the arm", when=on_profile, footer=("next", 3)),
        Command(
            "subject.previous",
            "Previous subject",
            ("[",),
            "Previous subject of the arm",
            when=on_profile,
            footer=("previous", 4),
        ),
    ),
    *_listed(
        "Subgroups",
        frozenset({"subgroups"}),
        Command(
            "subgroup.toggle",
            "Toggle subgroup",
            ("space",),
            "Switch the subgroup under the cursor on or off",
            argument="subgroup",
            with_argument=act.ToggleSubgroup,
            footer=("on/off", 3),
        ),
        Command("subgroup.edit", "Edit subgroup", ("e",), "Change the subgroup under the cursor", footer=("edit", 5)),
        Command(
            "subgroup.delete",
            "Delete subgroup",
            ("D",),
            "Remove the subgroup under the cursor from study.toml, after asking",
            footer=("delete", 6),
        ),
        Command(
            "subgroup.undo",
            "Take back",
            ("u",),
            "Take back the last subgroup that was added, edited or removed here; else the last change of choice",
        ),
        Command(
            "subgroup.details",
            "Details",
            ("tab",),
            "Scroll the details of the subgroup; back to the list",
            footer=("details", 16),
        ),
    ),
    *_listed(
        "Subgroups",
        CHOICE_SCREENS,
        Command(
            "subgroup.add",
            "Add subgroup",
            ("a",),
            "Define a new subgroup, checked while you type, and switch it on",
            footer=("add", 4),
            shown=lambda s: s.screen == "subgroups",
        ),
    ),
    *_listed(
        CHOOSE,
        EVERYWHERE,
        Command(
            "subgroup.chips",
            "Choose subgroups",
            ("s",),
            "Choose the active subgroups, from anywhere",
            footer=("subgroups", 7),
            shown=lambda s: s.screen in CHOICE_SCREENS - {"subgroups"},
        ),
    ),
    *_neighbours("comparison", "[]", _step_comparison, ENDPOINT_SCREENS, "the study has no other comparison", 9),
    *_neighbours("endpoint", "{}", _step_endpoint, ENDPOINT_SCREENS, "the study has no other endpoint", 8),
    *_neighbours("visit", "<>", _step_visit, frozenset({"endpoint"}), "this endpoint has no visits to choose from", 12),
    *_listed(
        CHOOSE,
        EVERYWHERE,
        Command("endpoint", "Endpoint", (), "Choose an endpoint", argument="endpoint", with_argument=act.SetEndpoint),
        Command("comparison", "Comparison", (), "Choose a comparison", argument="comparison", with_argument=act.SetComparison),
        Command(
            "population", "Population", (), "Choose the analysis set", argument="population", with_argument=act.SetPopulation
        ),
        Command("visit", "Visit", (), "Choose a visit number, or all", argument="visit", with_argument=_visit),
        Command(
            "option",
            "Option",
            (),
            "Set covariance, df or method; without a value the study's own",
            argument="option",
            with_argument=_option,
        ),
        Command(
            "undo",
            "Undo",
            ("u",),
            "Undo the last change of choice",
            build=_undo,
            idle="nothing to undo",
            when=lambda s: s.screen != "subgroups",
        ),
        Command("redo", "Redo", ("ctrl+r",), "Redo what was undone", build=_redo, idle="nothing to redo"),
    ),
    *_listed(
        SHOW,
        frozenset({"endpoint"}),
        Command("tab.plot", "Plot", ("p",), "Plot, and back to the table", build=_tab("plot"), footer=("plot", 3)),
        Command(
            "tab.difference",
            "Difference",
            ("d",),
            "Plot of the difference by visit with its interval, of the two arms of the comparison; and back to the table",
            build=_tab("difference"),
            footer=("difference", 11),
        ),
        Command(
            "tab.model",
            "Model",
            ("m",),
            "What was fitted: formula, covariance, df method, convergence, n",
            build=_tab("model"),
            footer=("model", 4),
        ),
        Command(
            "tab.options",
            "Options",
            ("o",),
            "Covariance, df method and method of this view",
            build=_tab("options"),
            footer=("options", 5),
        ),
        Command(
            "tab.table",
            "Table",
            ("t",),
            "Table",
            build=_tab("table"),
            when=lambda s: s.place.tab != "table",
            footer=("table", 3),
        ),
    ),
    *_listed(
        SHOW,
        EVERYWHERE,
        Command("table", "Data table", (), "Browse a table of the snapshot", argument="table", with_argument=act.OpenTable),
        Command("arm", "Arm", (), "List the subjects of an arm", argument="arm", with_argument=act.OpenArm),
    ),
    *_listed(
        SHOW,
        frozenset({"data", "arms"}),
        Command(
            "sort",
            "Sort",
            ("S",),
            "Sort by the column under the cursor: up, down, as loaded",
            footer=("sort", 6),
            when=sortable,
        ),
    ),
    *_listed(
        SHOW,
        frozenset({"data"}),
        Command(
            "freeze",
            "Freeze column",
            ("f",),
            "Keep the columns up to the cursor in view, within half the width",
            when=on_data,
            footer=("freeze", 7),
        ),
    ),
    *_listed(
        SHOW,
        frozenset({"safety"}),
        Command(
            "fold",
            "Fold",
            ("space",),
            "Fold or unfold the class of events under the cursor; enter and h l on its name do too",
            footer=("fold", 3),
        ),
        Command(
            "fold.all", "Fold all", ("z",), "Fold every class of events; unfold all when all are folded", footer=("all", 4)
        ),
    ),
    *_listed(
        SHOW,
        frozenset({"scrutiny", "claims"}),
        Command(
            "scrutiny.all",
            "Compute all checks",
            ("A",),
            "Compute every check of the list; of claims, put each to all of them",
            footer=("all", 3),
        ),
    ),
    *_listed(
        SHOW,
        frozenset({"scrutiny"}),
        Command(
            "chance",
            "Chance",
            ("C",),
            "Chance made visible: the finding among copies of the trial without any effect, and their headlines",
            footer=("chance", 16),
        ),
    ),
    *_listed(
        SHOW,
        frozenset({"evidence", "forest"}),
        Command(
            "judge",
            "Judge all",
            ("A",),
            "Compute the bottom line of every p below 0.05 on the screen that the plan did not ask for",
            footer=("judge", 16),
        ),
    ),
    *_listed(
        SHOW,
        EVERYWHERE,
        Command(
            "lineup",
            "Lineup",
            ("L",),
            "A lineup: this view of the trial hidden among copies of it without any effect",
            argument="lineup",
            footer=("lineup", 17),
            shown=lambda s: s.screen in ENDPOINT_SCREENS | {"evidence"},
        ),
    ),
    *_listed(
        SHOW,
        EVERYWHERE,
        Command(
            "reconcile",
            "Reconcile",
            ("R",),
            "Reconcile: another program's results, tables or data beside ours, in classes, worst first",
            argument="file of theirs",
        ),
        Command(
            "diff",
            "Snapshots compared",
            (),
            "Compare an earlier snapshot (the one before, unless it is named) with the current one: data and results by class",
            argument="snapshot",
        ),
        Command(
            "verify",
            "Verify",
            ("V",),
            "Verify: compute what is on the screen again by a second program, and show where the two differ",
            footer=("verify", 18),
            shown=lambda s: s.screen in {"evidence", "endpoint", "forest", "safety"},
        ),
    ),
    *_listed(
        SHOW,
        EVERYWHERE,
        Command("shell", "Shell command", ("c",), "Show the shell command that prints this view", footer=("command", 10)),
        Command("copy_cell", "Copy cell", ("y",), "Copy the cell (OSC 52, and a file)", when=on_table),
        Command("copy_table", "Copy table", ("Y",), "Copy the table (OSC 52, and a file)"),
        Command("pager", "Pager", ("P",), "Read this view as text in $PAGER"),
        Command("editor", "Edit study.toml", ("E",), "Change study.toml (on Claims, claims.toml) in $EDITOR"),
        Command("export", "Export", ("x",), "Write this view to a file: txt, csv, tsv, md, json, svg, html, rtf"),
    ),
    *_listed(
        "General",
        EVERYWHERE,
        Command("reload", "Reload", ("r",), "Open the newest snapshot and study file"),
        Command("cancel", "Cancel", ("ctrl+c",), "Cancel the running work"),
        Command("theme", "Theme", (), "Choose a theme: dark, light, ansi, contrast", argument="theme"),
        Command("palette", "Palette", ("ctrl+p",), "Find any command by any of its words", footer=("find", 15)),
        Command("command", "Command line", (":",), "Type a command"),
        Command("help", "Help", ("?",), "The keys of this screen", footer=("help", 13)),
        Command("suspend", "Suspend", ("ctrl+z",), "Stop and give the terminal back to the shell; fg goes on where it was"),
        Command("quit", "Quit", ("q",), "Leave", footer=("quit", 14)),
    ),
)
