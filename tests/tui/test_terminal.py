"""What the painter sends makes an emulated terminal show exactly what was wanted, in few bytes."""

from __future__ import annotations

import random

import pyte
import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from alsbench.tui.terminal import Painter, Row, Written, cells, change, moved_block

WIDTH, HEIGHT = 40, 12
SYSTEM = ColorSystem.TRUECOLOR
RED, PLAIN = Style.parse("#ff0000 on #101010"), Style.parse("#e0e0e0 on #101010")


class Shown:
    """A painter and the terminal that gets its bytes."""

    def __init__(self) -> None:
        self.painter = Painter()
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.Stream(self.screen)

    def paint(self, wanted: dict[int, Row]) -> str:
        sent = self.painter.paint(wanted)
        self.stream.feed(sent)
        return sent

    def cell(self, x: int, y: int) -> tuple[str, bool]:
        found = self.screen.buffer[y][x]
        return found.data, found.fg == "ff0000"


def line(text: str, style: Style = PLAIN) -> Row:
    return cells([Segment(text.ljust(WIDTH)[:WIDTH], style)], SYSTEM)


def numbered(first: int, cursor: int = -1) -> dict[int, Row]:
    return {
        y: line(f"{first + y:4d}  subject {(first + y) * 7919 % 1000}", RED if y == cursor else PLAIN) for y in range(HEIGHT)
    }


def holds(shown: Shown, wanted: dict[int, Row]) -> bool:
    return all(
        shown.cell(x, y) == (cell[0], "255;0;0" in cell[1])
        for y, row in wanted.items()
        for x, cell in enumerate(row)
        if cell is not None
    )


def test_what_did_not_change_costs_nothing() -> None:
    shown = Shown()
    shown.paint(numbered(1))
    assert shown.paint(numbered(1)) == ""


def test_only_cells_that_differ_are_sent() -> None:
    shown = Shown()
    shown.paint(numbered(1))
    row = line("   1  subject 912")
    codes = row[0][1] if row[0] else ""
    assert shown.paint({0: row}) == f"\x1b[1;17H\x1b[{codes}m2\x1b[m"
    assert shown.screen.display[0].rstrip() == "   1  subject 912"


@pytest.mark.parametrize("step", [1, 3, -1, -4])
def test_a_scroll_sends_the_new_lines_and_the_cursor(step: int) -> None:
    shown = Shown()
    shown.paint(numbered(20, cursor=5))
    sent = shown.paint(numbered(20 + step, cursor=5))
    assert holds(shown, numbered(20 + step, cursor=5))
    assert sent.startswith(f"\x1b[1;{HEIGHT}r\x1b[1;1H\x1b[{abs(step)}{'M' if step > 0 else 'L'}\x1b[r")
    assert len(sent) < 120 + (abs(step) + 2) * (WIDTH + 60)


def test_a_scroll_beside_lines_of_which_nothing_is_known() -> None:
    """As after a change of size that painted a part: the app went down at the first such line."""
    shown = Shown()
    shown.paint({y: row for y, row in numbered(20).items() if y >= 4})
    shown.paint(numbered(21))
    assert holds(shown, numbered(21))


def test_lines_that_stay_are_not_scrolled_for_a_few() -> None:
    shown = Shown()
    first = numbered(1)
    shown.paint(first)
    assert moved_block({3: first[4], 4: first[3]}, shown.painter.rows) is None


def test_random_pictures_arrive_whole() -> None:
    """Frames of random cells, wide and combining characters, scrolls of random blocks, partial lines; seed 7."""
    draw = random.Random(7)
    shown = Shown()
    now: dict[int, Row] = {y: line("") for y in range(HEIGHT)}
    for _ in range(300):
        wanted = dict(now)
        if draw.random() < 0.5:
            step, top = draw.choice([-3, -2, -1, 1, 2, 3]), draw.randrange(4)
            for y in range(top, HEIGHT):
                wanted[y] = now.get(y + step, line(str(draw.random())))
        for y in draw.sample(range(HEIGHT), draw.randrange(4)):
            text = "".join(draw.choice("abc  1234éß─■中国e\u0301") for _ in range(30))
            made = cells([Segment(text[:10], RED), Segment(text[10:], PLAIN), Segment(" " * WIDTH, PLAIN)], SYSTEM)[:WIDTH]
            head = made[-1]
            if head is not None and head[0] in "中国":
                made[-1] = (" ", head[1])
            wanted[y] = made
        shown.paint({y: row for y, row in wanted.items() if draw.random() < 0.8 or row == now[y]} | wanted)
        assert holds(shown, {y: r for y, r in wanted.items() if not any("\u0301" in (c or ("",))[0] for c in r)})
        assert not set(shown.screen.dirty) - set(range(HEIGHT))
        now = wanted


def test_updates_of_the_compositor() -> None:
    """A whole layout, then spans of lines as the compositor hands them over."""
    console = Console(color_system="truecolor", force_terminal=True)
    shown = Shown()
    strips = [[Strip([Segment("left " * 4, PLAIN), Segment("right".ljust(20), RED)], WIDTH)] for _ in range(HEIGHT)]
    first = shown.painter.update(LayoutUpdate(strips, Region(0, 0, WIDTH, HEIGHT)), console)
    assert isinstance(first, Written)
    shown.stream.feed(first.text)
    assert shown.screen.display[3].rstrip() == "left left left left right"
    chops = [{0: None, 20: Strip([Segment("night".ljust(20), RED)], 20)} for _ in range(HEIGHT)]
    update = ChopsUpdate(chops, [(2, 20, 26)], [[20, 40]] * HEIGHT)
    sent = shown.painter.update(update, console)
    assert len(sent.text) < 60, "one letter and its style"
    shown.stream.feed(sent.text)
    assert shown.screen.display[2].rstrip() == "left left left left night"
    assert shown.painter.update(update, console).text == "", "what stands there is not sent again"
    shown.painter.forget()
    assert len(shown.painter.update(update, console).text) > 6, "all of the span once nothing is known"


@pytest.mark.parametrize(
    ("old", "new", "sent"),
    [
        ("", "1;31", "1;31"),
        ("1;31", "", ""),
        ("38;2;1;2;3;48;2;0;0;0", "38;2;9;2;3;48;2;0;0;0", "38;2;9;2;3"),
        ("38;5;12;40", "38;5;12;48;5;3", "48;5;3"),
        ("31;40", "97;104", "97;104"),
        ("1;31;40", "31;40", "0;31;40"),  # bold can only be taken back with everything else
        ("31;40", "40", "0;40"),  # so can a colour for the terminal's own
    ],
)
def test_a_style_changes_by_what_differs(old: str, new: str, sent: str) -> None:
    """SGR of ECMA-48: 1 bold, 30-37 and 90-97 and 38 foreground, 40-47 and 100-107 and 48 background, 0 nothing of it."""
    assert change(old, new) == f"\x1b[{sent}m"
