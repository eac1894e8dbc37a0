"""Keys and command lines become commands: which one a key means here, what a line asks for, and doing it.

Keys are taken one at a time and each to its end, so that what is typed ahead finds the screen it was typed for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from textual.events import Key
from textual.screen import Screen

from alsbench.errors import AlsbenchError
from alsbench.study.names import nearest
from alsbench.tui import actions as act
from alsbench.tui.cell_text import safe
from alsbench.tui.commands import TEXTUAL_KEYS, Command, choices
from alsbench.tui.host import Host
from alsbench.tui.screens.dialogs import Dialog

FROM_TEXTUAL = {name: char for char, name in TEXTUAL_KEYS.items()}


class KeyRouter:
    """Hands keys to the dialog on top, else to the commands. ``doers`` are who may do a command, the first that can does."""

    def __init__(self, host: Host, doers: Callable[[], Sequence[object]]) -> None:
        self.host = host
        self.doers = doers

    async def take(self, event: Key) -> None:
        """Hand a key to the dialog on top, else to the commands."""
        host = self.host
        top = await self.top()
        command = host.registry.for_key(event.key, host.session)
        if isinstance(top, Dialog) and command is not None and command.id == "cancel" and not event.is_printable:
            top.cancelled(host.cancel_work())
        elif isinstance(top, Dialog) and top.lets_through and command is not None and command.id.startswith("screen."):
            await self.leave_dialogs()
            await self.run_key(event)
        elif isinstance(top, Dialog):
            try:
                await top.take(event)
            except AlsbenchError as error:
                top.say(error.what)
        else:
            await self.run_key(event)

    async def top(self) -> Screen[Any]:
        """The screen on top, ready to take keys."""
        top = self.host.screen
        if isinstance(top, Dialog):
            await top._mounted_event.wait()
        return top

    async def leave_dialogs(self) -> None:
        """Close every dialog over the frame."""
        while isinstance(top := self.host.screen, Dialog):
            top.leave()
            await self.host.pop_screen()

    async def run_key(self, event: Key) -> None:
        """Do what a key says on the screen of the session; what was wrong before is not shown any more."""
        self.host.forget_fault()
        registry, session = self.host.registry, self.host.session
        command = registry.for_key(FROM_TEXTUAL.get(event.key, event.key), session)
        if command is None and event.character:
            command = registry.for_key(event.character, session)
        if command is not None:
            await self.run_command(command)

    async def run_command(self, command: Command, argument: str = "") -> None:
        """Do what a command says; errors go to the status line."""
        host = self.host
        try:
            if argument and command.with_argument is not None:
                action = command.with_argument(argument)
            elif command.build is not None:
                action = command.build(host.session, host.catalogue)
            else:
                action = None
                await self._run_method(command, argument)
        except AlsbenchError as error:
            host.fault(error)
            return
        except ValueError as error:
            host.status(str(error))
            return
        if action is not None:
            before = host.session
            await host.dispatch_action(action)
            action = None if host.session == before else action
        if action is None and command.idle:
            host.status(command.idle)

    async def _run_method(self, command: Command, argument: str) -> None:
        method = next((m for doer in self.doers() if (m := getattr(doer, command.method, None)) is not None), None)
        if method is None:
            taken = f":{command.id} takes a {command.argument}"
            self.host.status(taken if command.argument else f"{command.name}: nothing to do here")
            return
        found = method(argument) if argument else method()
        if hasattr(found, "__await__"):
            found = await found
        if command.id == "back" and found is False:
            await self.host.dispatch_action(act.Back())

    async def run_line(self, line: str) -> None:
        """A line of the command line: a command's id or name, then its argument."""
        host = self.host
        words = line.strip().split(None, 1)
        if not words:
            return
        name, argument = words[0].lower(), words[1] if len(words) > 1 else ""
        known_as = [c for c in host.registry.commands if name in {c.id, c.id.split(".")[-1], c.name.lower()}]
        found = next(iter(sorted(known_as, key=lambda c: c.id != name)), None)
        if found is None and len(name) == 1:  # a key, as q is
            found = host.registry.for_key(words[0], host.session)
        if found is None:
            host.status(f"no command {safe(name)}; ^p finds commands")
            return
        known = choices(found.argument, host.session, host.catalogue)
        if argument and known and argument not in {i.name for i in known}:
            near = next((i.name for i in known if i.name.lower().startswith(argument.lower())), "")
            if not near:
                host.status(f"no {found.argument} {safe(argument)}; {nearest(argument, [i.name for i in known])}")
                return
            argument = near
        if found.id == "endpoint" and not argument:
            found = host.registry["screen.endpoint"]
        await self.run_command(found, argument)
