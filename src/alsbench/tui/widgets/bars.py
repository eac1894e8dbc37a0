"""The frame: one header line that says what is asked of which data, one footer line with the keys that do something here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.segment import Segment
from textual.events import Click
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from alsbench.tui.cell_text import fit, safe
from alsbench.tui.session import Catalogue, Session
from alsbench.tui.theme import Appearance

if TYPE_CHECKING:
    from alsbench.analysis.source import Source

HASH = 8  # characters of the snapshot's hash
LEAST_TITLE = 12  # cells a piece of an elastic title keeps
Piece = tuple[str, str]  # text, role


class Bar(Widget):
    """One line of pieces, each with a role; what does not fit is cut at the end, or, with ``elastic``, at the end of the
    first piece, then of the longest, so that the marks after a long title stay in view."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    def __init__(self, look: Appearance, *, ground: str = "bar", elastic: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.look = look
        self.ground = ground
        self.elastic = elastic
        self.pieces: tuple[Piece, ...] = ()

    def show(self, pieces: Sequence[Piece]) -> None:
        """Show pieces; only the cells that differ are sent, nothing when none does."""
        old, self.pieces = self.pieces, tuple(pieces)
        if old == self.pieces:
            return
        before, after = painted(old), painted(self.pieces)
        if self.elastic and max(len(before), len(after)) > self.size.width:
            self.refresh()
            return
        width = max(len(before), len(after))
        before += [(" ", "")] * (width - len(before))
        after += [(" ", "")] * (width - len(after))
        changed = [k for k in range(width) if before[k] != after[k]]
        if changed:
            self.refresh(Region(changed[0], 0, changed[-1] - changed[0] + 1, 1))

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - a bar has one line
        width, ground = self.size.width, self.look[self.ground]
        segments: list[Segment] = []
        used = 0
        for text, role in self._fitted(width):
            room = width - used
            if room <= 0:
                break
            text = text if cell_len(text) <= room else fit(text, room, mark=self.look.glyphs.ellipsis)
            segments.append(Segment(text, self.look[role]))
            used += cell_len(text)
        if used < width:
            segments.append(Segment(" " * (width - used), ground))
        return Strip(segments, width)

    def _fitted(self, width: int) -> Sequence[Piece]:
        """The pieces; where all together are too long the first is cut, then the longest, to no less than names them."""
        lengths = [cell_len(text) for text, _ in self.pieces]
        over = sum(lengths) - width
        if not self.elastic or over <= 0:
            return self.pieces
        made = list(self.pieces)
        for k in sorted(range(len(made)), key=lambda k: (k > 0, -lengths[k])):
            room = max(lengths[k] - max(over, 0), min(lengths[k], LEAST_TITLE))
            over -= lengths[k] - room
            if room < lengths[k]:
                made[k] = (fit(made[k][0], room, mark=self.look.glyphs.ellipsis), made[k][1])
        return made


class TabLine(Bar):
    """The screens with their keys, the one shown marked; a click goes there."""

    def __init__(self, look: Appearance, chosen: Callable[[str], Awaitable[None]], **kwargs: Any) -> None:
        super().__init__(look, **kwargs)
        self.chosen = chosen
        self.names: tuple[str, ...] = ()

    def tabs(self, titles: Sequence[tuple[str, str, str]], here: str) -> None:
        """Show (name, key, title) of every screen; ``here`` is the name of the one shown."""
        self.names = tuple(name for name, _, _ in titles)
        self.show([(f" {key} {title} ", "chip" if name == here else "bar") for name, key, title in titles])

    async def on_click(self, event: Click) -> None:
        """Go to the screen under the mouse."""
        end = 0
        for (text, _), name in zip(self.pieces, self.names, strict=True):
            end += cell_len(text)
            if event.x < end:
                await self.chosen(name)
                return


def header_pieces(
    source: Source, session: Session, catalogue: Catalogue, look: Appearance, width: int, *, gone: bool
) -> list[Piece]:
    """Study, marks, snapshot, population, active subgroups as chips, comparison; chips that do not fit are counted."""
    choice, study, ascii = session.choice, source.study, not look.glyphs.dots
    pieces: list[Piece] = [(f" {safe(study.info.id, ascii=ascii)} ", "key"), *mark_pieces(source, gone=gone)]
    pieces.append((f"{session.snapshot[:HASH]} {choice.population} ", "bar"))
    note = next((i.note for i in catalogue.comparisons if i.name == choice.comparison), "")
    horizon = f" {note}" if note not in choice.comparison else ""
    name, mark = safe(choice.comparison, ascii=ascii), look.glyphs.ellipsis
    room = width - sum(cell_len(text) for text, _ in pieces) - cell_len(horizon)
    post_hoc = {s.name for s in study.subgroups if not s.prespecified}
    pieces += chips(choice.subgroups, post_hoc, room - min(cell_len(name), max(room // 2, LEAST_TITLE)), mark)
    room = max(width - sum(cell_len(text) for text, _ in pieces) - cell_len(horizon), LEAST_TITLE)
    return [*pieces, ((fit(name, room, mark=mark) if cell_len(name) > room else name) + horizon, "bar")]


def mark_pieces(source: Source, *, gone: bool = False) -> list[Piece]:
    """What must be said wherever anything of a source is shown, over every screen and dialog."""
    marks = {
        "WORKSPACE GONE": gone,
        "LOG BROKEN, EXPLAINED" if source.log.explained else "LOG DOES NOT VERIFY": bool(source.log.words),
        "SYNTHETIC": source.study.info.synthetic,
        "BLINDED": source.blinded,
    }
    return [piece for mark, holds in marks.items() if holds for piece in ((f" {mark} ", "chip"), (" ", "bar"))]


def painted(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces cell by cell: (character, role), a wide character twice."""
    return [(char, role) for text, role in pieces for char in text for _ in range(max(cell_len(char), 1))]


def chips(names: Sequence[str], post_hoc: Container[str], room: int, mark: str) -> list[Piece]:
    """A chip for each name as far as there is room, then how many are left, and whether some of those are post hoc; the first
    name is cut where even it has no room."""

    def chip(name: str, most: int) -> str:
        status = " post hoc" if name in post_hoc else ""
        return f" {name if cell_len(name) <= most else fit(name, most, mark=mark)}{status} "

    for shown in range(len(names), 0, -1):
        left = names[shown:]
        more = f" +{len(left)}{' post hoc' if any(n in post_hoc for n in left) else ''} " if left else ""
        texts = [*(chip(n, room) for n in names[:shown]), *([more] if more else [])]
        over = sum(cell_len(t) + 1 for t in texts) - room
        if over > 0 and shown == 1:
            texts[0] = chip(names[0], max(cell_len(names[0]) - over, LEAST_TITLE))
        if over <= 0 or shown == 1:
            return [piece for text in texts for piece in ((text, "chip"), (" ", "bar"))]
    return []


def footer_pieces(keys: Sequence[tuple[str, str]], status: str, width: int) -> list[Piece]:
    """Keys from the most useful on, as many as leave room for the status text."""
    room = width - (min(cell_len(status), width) + 1 if status else 0)
    pieces: list[Piece] = []
    used = 0
    for key, label in keys:
        size = cell_len(key) + cell_len(label) + 3
        if used + size > room:
            continue
        pieces += [(f" {key}", "key"), (f" {label} ", "bar")]
        used += size
    if status:
        pieces += [(" " * max(0, width - used - cell_len(status)), "bar"), (status, "bar")]
    return pieces
