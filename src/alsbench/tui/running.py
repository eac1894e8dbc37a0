"""Keys and command lines become commands: which one a key means here, what a line asks for, and doing it.

Keys are taken one at a time and each to its end, so that what is typed ahead finds the screen it was typed for.
"""

from __future__ import annotations

from typing import Any

from textual.events import Event, Key
from textual.screen import Screen

from alsbench.errors import AlsbenchError
from alsbench.study.names import nearest
from alsbench.tui import actions as act
from alsbench.tui.commands import TEXTUAL_KEYS, Command, choices
from alsbench.tui.frame import Framed
from alsbench.tui.safetext import safe
from alsbench.tui.screens.dialog import Dialog

FROM_TEXTUAL = {name: char for char, name in TEXTUAL_KEYS.items()}


class Running(Framed):
    """The frame that obeys keys and command lines."""

    async def on_event(self, event: Event) -> None:
        """Take keys here, one at a time and each to its end; everything else goes Textual's way."""
        if isinstance(event, Key) and not event.is_forwarded:
            await self.take_key(event)
        else:
            await super().on_event(event)

    async def take_key(self, event: Key) -> None:
        """Hand a key to the dialog on top, else to the commands; then wait until what it opened can take the next."""
        top = await self._top()
        command = self.registry.for_key(event.key, self.session)
        if isinstance(top, Dialog) and command is not None and command.id == "cancel" and not event.is_printable:
            top.cancelled(self.jobs.cancel_all())
            self.progress("")
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
        await self._flush_next_callbacks()  # what was to follow a closed dialog
        await self._top()

    async def leave_dialogs(self) -> None:
        """Close every dialog over the frame."""
        while isinstance(self.screen, Dialog):
            self.screen.leave()
            await self.pop_screen()

    async def _top(self) -> Screen[Any]:
        """The screen on top, ready to take keys."""
        top = self.screen
        if isinstance(top, Dialog):
            await top._mounted_event.wait()
        return top

    async def run_key(self, event: Key) -> None:
        """Do what a key says on the screen of the session."""
        key = FROM_TEXTUAL.get(event.key, event.key)
        command = self.registry.for_key(key, self.session)
        if command is None and event.character:
            command = self.registry.for_key(event.character, self.session)
        if command is not None:
            await self.run_command(command)

    async def run_command(self, command: Command, argument: str = "") -> None:
        """Do what a command says; errors go to the status line."""
        try:
            if argument and command.with_argument is not None:
                action = command.with_argument(argument)
            elif command.build is not None:
                action = command.build(self.session, self.catalogue)
            elif command.method:
                action = None
                await self._run_method(command, argument)
            else:
                self.status(f":{command.id} takes a {command.argument}")
                return
        except AlsbenchError as error:
            self.fault(error)
            return
        except ValueError as error:
            self.status(str(error))
            return
        if action is not None:
            before = self.session
            await self.dispatch_action(action)
            action = None if self.session == before else action
        if action is None and command.idle:
            self.status(command.idle)

    async def _run_method(self, command: Command, argument: str) -> None:
        name = f"do_{command.method}"
        method = getattr(self.view, name, None) or getattr(self, name, None)
        if method is None:
            self.status(f"{command.name}: nothing to do here")
            return
        found = method(argument) if argument else method()
        if hasattr(found, "__await__"):
            found = await found
        if command.id == "back" and found is False:
            await self.dispatch_action(act.Back())

    async def run_line(self, line: str) -> None:
        """A line of the command line: a command's id or name, then its argument."""
        words = line.strip().split(None, 1)
        if not words:
            return
        name, argument = words[0].lower(), words[1] if len(words) > 1 else ""
        known_as = [c for c in self.registry.commands if name in {c.id, c.id.split(".")[-1], c.name.lower()}]
        found = next(iter(sorted(known_as, key=lambda c: c.id != name)), None)
        if found is None and name.isdigit():
            found = self.registry.for_key(name, self.session)
        if found is None:
            self.status(f"no command {safe(name)}; ^p finds commands")
            return
        known = choices(found.argument, self.session, self.catalogue)
        if argument and known and argument not in {i.name for i in known}:
            near = next((i.name for i in known if i.name.lower().startswith(argument.lower())), "")
            if not near:
                self.status(f"no {found.argument} {safe(argument)}; {nearest(argument, [i.name for i in known])}")
                return
            argument = near
        if found.id == "endpoint" and not argument:
            found = self.registry["screen.endpoint"]
        await self.run_command(found, argument)
