"""Showing and taking away: the tabs of an endpoint, tables, sorting, copying, exporting, the shell command."""

from __future__ import annotations

from alsbench.tui import actions as act
from alsbench.tui.commands.model import SHOW, Build, Command, on_data, on_table, sortable
from alsbench.tui.session import Catalogue, Session


def _tab(tab: str) -> Build:
    def build(session: Session, _: Catalogue) -> act.Action:
        back_to_table = tab != "table" and session.place.tab == tab
        return act.SetTab("table" if back_to_table else tab)

    return build


COMMANDS: tuple[Command, ...] = (
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
        when=sortable,
    ),
    Command(
        "freeze",
        "Freeze column",
        ("f",),
        "Keep the columns up to the cursor in view",
        "freeze",
        group=SHOW,
        screens=frozenset({"data"}),
        when=on_data,
        footer="freeze",
        rank=7,
    ),
    Command(
        "fold",
        "Fold",
        ("space",),
        "Fold or unfold the class of events under the cursor; enter and h l on its name do too",
        "fold",
        group=SHOW,
        screens=frozenset({"safety"}),
        footer="fold",
        rank=3,
    ),
    Command(
        "fold.all",
        "Fold all",
        ("z",),
        "Fold every class of events; unfold all when all are folded",
        "fold_all",
        group=SHOW,
        screens=frozenset({"safety"}),
        footer="all",
        rank=4,
    ),
    Command(
        "scrutiny.all",
        "Compute all checks",
        ("A",),
        "Compute every check of the list; of claims, put each to all of them",
        "all",
        group=SHOW,
        screens=frozenset({"scrutiny", "claims"}),
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
    Command("copy_cell", "Copy cell", ("y",), "Copy the cell (OSC 52, and a file)", "copy_cell", group=SHOW, when=on_table),
    Command("copy_table", "Copy table", ("Y",), "Copy the table (OSC 52, and a file)", "copy_table", group=SHOW),
    Command("pager", "Pager", ("P",), "Read this view as text in $PAGER", "pager", group=SHOW),
    Command(
        "editor",
        "Edit study.toml",
        ("E",),
        "Change study.toml (on Claims, claims.toml) in $EDITOR",
        "editor",
        group=SHOW,
    ),
    Command(
        "export", "Export", ("x",), "Write this view to a file: txt, csv, tsv, md, json, svg, html, rtf", "export", group=SHOW
    ),
)
