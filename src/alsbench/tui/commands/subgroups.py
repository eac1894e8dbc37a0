"""Subgroups: switching them on and off, defining, changing and removing them."""

from __future__ import annotations

from alsbench.tui import actions as act
from alsbench.tui.commands.model import CHOICE_SCREENS, CHOOSE, Command

COMMANDS: tuple[Command, ...] = (
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
        "subgroup.details",
        "Details",
        ("tab",),
        "Scroll the details of the subgroup; back to the list",
        "details",
        screens=frozenset({"subgroups"}),
        group="Subgroups",
        footer="details",
        rank=16,
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
        shown=lambda s: s.screen in CHOICE_SCREENS - {"subgroups"},
    ),
)
