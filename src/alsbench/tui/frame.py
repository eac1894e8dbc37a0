"""The frame of the app: one header line, one body, one footer line, and the session whose screen the body shows.

The rest of the app stands on it: dialogs over it, taking things away, opening a workspace and running commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.cells import cell_len
from rich.segment import Segments
from rich.traceback import Traceback
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.driver import Driver
from textual.events import Resize
from textual.screen import Screen

from alsbench.errors import AlsbenchError, UnavailableError
from alsbench.tui import actions as act
from alsbench.tui import opening
from alsbench.tui.commands import COMMANDS, SCREEN_TITLES, Registry
from alsbench.tui.paint import Painter, Written
from alsbench.tui.safetext import fit, safe
from alsbench.tui.screens.base import View
from alsbench.tui.session import Catalogue, Session, reduce
from alsbench.tui.state import SessionLog
from alsbench.tui.theme import default_theme, look, no_color, plain_terminal, textual_themes, theme_name
from alsbench.tui.views import make_view
from alsbench.tui.widgets.bars import LEAST_TITLE, Bar, Piece, chips, footer_pieces
from alsbench.tui.worker import Jobs

if TYPE_CHECKING:
    from alsbench.tui.app import Workbench

SMALL = 1000  # bytes that a terminal gets in one piece anyway: they need no marks of where an update begins and ends


class Frame(Screen[None], inherit_bindings=False):
    """The one screen under all dialogs."""

    DEFAULT_CSS = "Frame { layout: vertical; overflow: hidden; }"


class Framed(App[int], inherit_bindings=False):
    """The app on one workspace as far as it is header, body and footer."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = "Container#body { height: 1fr; }"

    def __init__(
        self,
        workspace: Path,
        *,
        ascii: bool = False,
        theme: str = "",
        log: SessionLog | None = None,
        keymap: dict[str, tuple[str, ...]] | None = None,
        audit: bool = True,
        restore: bool = False,
    ) -> None:
        plain = no_color()
        super().__init__(ansi_color=True if plain else None)
        self.animation_level = "none"
        for each in textual_themes():
            self.register_theme(each)
        self.ascii = ascii or plain_terminal()
        self.look = look("mono" if plain else theme or default_theme(), ascii=self.ascii)
        self.theme = theme_name(self.look.name)
        self.workspace = workspace
        self.registry = Registry(COMMANDS, keymap)
        self.session = Session()
        self.catalogue = Catalogue()
        self.opened: opening.Opened | None = None
        self.answers = opening.Answers()
        self.jobs = Jobs(self)
        self.log_file = log
        self.audit = audit
        self.restore = restore  # start where the last session on this workspace was left
        self.gone = False  # whether another folder, or none, stands where the workspace was
        self.counted: set[str] = set()  # questions already counted as looks since the workspace was opened
        self.done: list[act.Action] = []
        self.views: dict[str, View] = {}
        self.painter = Painter()
        self.header = Bar(self.look, id="header")
        self.footer = Bar(self.look, id="footer")
        self.body = Container(id="body")
        self.typed: dict[str, list[str]] = {}  # lines typed in this session, by kind, to be recalled
        self._status = ""
        self._progress = ""

    @property
    def ready(self) -> opening.Opened:
        """The opened workspace. Raises UnavailableError while it is still being opened."""
        if self.opened is None:
            raise UnavailableError("the workspace is still being opened")
        return self.opened

    def _fatal_error(self) -> None:
        """End on a fault with its traceback, without the values of local variables: those hold subjects' data."""
        self._exit_renderables.append(Segments(self.console.render(Traceback(width=None), self.console.options)))
        self._close_messages_no_wait()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        dropped = self._batch_count or not self._running or self._closed or self.is_headless or self._driver is None
        if renderable is None or dropped:
            super()._display(screen, renderable)
            return
        update = self.painter.update(renderable, self.console)
        if not isinstance(update, Written) or update.text:  # nothing changed: nothing is sent
            known, self._sync_available = (
                self._sync_available,
                self._sync_available and len(getattr(update, "text", "")) > SMALL,
            )
            super()._display(screen, update)
            self._sync_available = known

    def get_driver_class(self) -> type[Driver]:
        """The driver for this platform; where Textual has one for Linux and the like, one that outlives its terminal."""
        found = super().get_driver_class()
        if found.__name__ != "LinuxDriver":
            return found
        from alsbench.tui.driver import LastingDriver

        return LastingDriver

    def get_default_screen(self) -> Screen[Any]:
        return Frame(id="frame")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.body
        yield self.footer

    def on_resize(self, event: Resize) -> None:
        self.painter.forget()  # also sent when the terminal comes back from another program
        self.show_frame(event.size.width)

    def show_frame(self, width: int = 0) -> None:
        """Header and footer as the session now is."""
        self.header.show(self.header_pieces(width or self.size.width))
        keys = self.registry.footer(self.session)
        text = self._progress or self._status
        self.footer.show(footer_pieces(keys, f"{safe(text, ascii=self.ascii)} " if text else "", width or self.size.width))

    def header_pieces(self, width: int) -> list[Piece]:
        """Study, marks, snapshot, population, active subgroups as chips, comparison; chips that do not fit are counted."""
        if self.opened is None:
            return [(f" alsbench {SCREEN_TITLES[self.session.screen][0]}", "key"), (f"  {self.workspace}", "bar")]
        choice, study = self.session.choice, self.opened.source.study
        pieces: list[Piece] = [(f" {safe(study.info.id, ascii=self.ascii)} ", "key")]
        if self.gone:
            pieces += [(" WORKSPACE GONE ", "chip"), (" ", "bar")]
        log = self.opened.source.log
        if log.words:
            pieces += [(" LOG BROKEN, EXPLAINED " if log.explained else " LOG DOES NOT VERIFY ", "chip"), (" ", "bar")]
        if study.info.synthetic:
            pieces += [(" SYNTHETIC ", "chip"), (" ", "bar")]
        if self.opened.source.blinded:
            pieces += [(" BLINDED ", "chip"), (" ", "bar")]
        pieces.append((f"{self.session.snapshot[: opening.HASH]} {choice.population} ", "bar"))
        post_hoc = {s.name for s in study.subgroups if not s.prespecified}
        name, mark = safe(choice.comparison, ascii=self.ascii), self.look.glyphs.ellipsis
        horizon = f" {self._horizon()}".rstrip()
        room = width - sum(cell_len(text) for text, _ in pieces) - cell_len(horizon)
        pieces += chips(choice.subgroups, post_hoc, room - min(cell_len(name), max(room // 2, LEAST_TITLE)), mark)
        room = max(width - sum(cell_len(text) for text, _ in pieces) - cell_len(horizon), LEAST_TITLE)
        return [*pieces, ((fit(name, room, mark=mark) if cell_len(name) > room else name) + horizon, "bar")]

    def _horizon(self) -> str:
        name = self.session.choice.comparison
        note = next((i.note for i in self.catalogue.comparisons if i.name == name), "")
        return "" if note in name else note

    def status(self, text: str) -> None:
        """Say something in the footer."""
        self._status = text
        self.show_frame()

    def fault(self, error: AlsbenchError) -> None:
        """Say what went wrong: what first, since a line may be cut; then where, why and what to do."""
        parts = (error.what, error.where, *error.why.split("\n"), error.hint)
        self.status("; ".join(p.strip() for p in parts if p.strip()))

    def still_here(self) -> None:
        """Raises UnavailableError where the workspace opened is not there any more: nothing is written into another."""
        if self.opened is None or self.opened.source.held is None:
            return
        try:
            self.opened.source.held.check()
        except UnavailableError:
            self.gone = True
            self.show_frame()
            raise

    def progress(self, text: str) -> None:
        """Say what is running; empty when nothing is."""
        self._progress = text
        self.show_frame()

    # ---- views

    @property
    def view(self) -> View:
        return self.views[self.session.screen]

    async def show_view(self) -> None:
        """Bring the session's screen to the front, made when first needed."""
        name = self.session.screen
        if name not in self.views:
            self.views[name] = make_view(cast("Workbench", self), name)
            await self.body.mount(self.views[name])
        for other, view in self.views.items():
            view.display = other == name
        self.view.focus_main()
        self.view.refresh_view()

    async def dispatch_action(self, action: act.Action) -> None:
        """Move the session, log the action, show what changed; an action that changes nothing is not logged."""
        before = self.session
        self.session = reduce(before, action)
        if self.session == before:
            return
        self.done.append(action)
        if self.log_file is not None:
            self.log_file.append(action)
        self._status = ""
        await self.show_view()
        self.show_frame()
