"""What works everywhere: reload, cancel, themes, the palette, the command line, help, quit."""

from __future__ import annotations

from alsbench.tui.commands.model import Command

COMMANDS: tuple[Command, ...] = (
    Command("reload", "Reload", ("r",), "Open the newest snapshot and study file", "reload"),
    Command("cancel", "Cancel", ("ctrl+c",), "Cancel the running work", "cancel"),
    Command("theme", "Theme", (), "Choose a theme: dark, light, ansi, contrast", "theme", argument="theme"),
    Command("palette", "Palette", ("ctrl+p",), "Find any command by any of its words", "palette", footer="find", rank=15),
    Command("command", "Command line", (":",), "Type a command", "command"),
    Command("help", "Help", ("?",), "The keys of this screen", "help", footer="help", rank=13),
    Command("quit", "Quit", ("q",), "Leave", "quit", footer="quit", rank=14),
)
