"""Tables of a Rich Text Format document (Microsoft, RTF Specification 1.9.1): a small reader of text and table rows.

A row is what stands between ``\\trowd`` and ``\\row``; its cells end with ``\\cell``, and ``\\cellx`` says where each ends on
the page, by which heads that span columns are told. Everything that is no text of the body (fonts, styles, headers, pictures,
objects, fields' instructions) is passed over. Nothing in the file is carried out, and a file that does not keep the rules is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from alsbench.analysis.reconcile.spans import EdgedRow, tables_of_rows
from alsbench.analysis.reconcile.stated import CellTable
from alsbench.errors import DataError

TOKEN = re.compile(rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+")
SKIPPED = frozenset(
    b"fonttbl colortbl stylesheet info header headerl headerr headerf footer footerl footerr footerf pict object fldinst "
    b"footnote annotation listtable listoverridetable rsidtbl generator themedata colorschememapping latentstyles datastore "
    b"xmlnstbl bkmkstart bkmkend filetbl revtbl nonesttables shpinst nonshppict".split()
)
MARKS = {b"~": " ", b"-": "", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
WORDS = {b"tab": " ", b"line": " ", b"emdash": "\u2014", b"endash": "\u2013", b"lquote": "\u2018", b"rquote": "\u2019"}
WORDS |= {b"ldblquote": "\u201c", b"rdblquote": "\u201d", b"bullet": "\u2022", b"emspace": " ", b"enspace": " "}
MOST_DEPTH, MOST_CELLS = 200, 500_000
CODE_PAGES = {437, 850, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258, 932, 936, 949, 950, 65001}


@dataclass
class _State:
    """What a group changes and gives back at its end."""

    skip: bool = False
    fallback: int = 1  # characters that stand for a Unicode one


@dataclass
class _Reader:
    where: str
    page: str = "cp1252"
    text: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    edges: list[int] = field(default_factory=list)
    head: bool = False
    merged: list[bool] = field(default_factory=list)
    in_table: bool = False
    parts: list[EdgedRow | str] = field(default_factory=list)
    counted: int = 0
    merge_next: bool = False


def rtf_tables(content: bytes, where: str) -> tuple[CellTable, ...]:
    """The tables of a document in their order. Raises DataError for what is no RTF, or is cut short or too deep."""
    if not content.lstrip().startswith(rb"{\rtf"):
        raise DataError("the file is no RTF document", where=where)
    reader = _Reader(where)
    states = [_State()]
    pending = 0  # characters still to be passed over after a Unicode one
    star = False
    for word, number, byte, mark, brace, plain in _tokens(content, where):
        state = states[-1]
        if brace == b"{":
            if len(states) > MOST_DEPTH:
                raise DataError(f"groups are nested more than {MOST_DEPTH} deep", where=where)
            states.append(_State(state.skip, state.fallback))
            star = pending = 0  # type: ignore[assignment]
            continue
        if brace == b"}":
            if len(states) == 1:
                raise DataError("a group ends that did not begin", where=where)
            states.pop()
            pending = 0
            continue
        if mark == b"*":
            star = True
            continue
        if word is not None:
            if star or word in SKIPPED:
                state.skip = state.skip or word in SKIPPED or star
            star = False
            if word == b"uc":
                state.fallback = int(number or 1)
            elif word == b"u" and number is not None:
                if not state.skip:
                    reader.text.append(_unicode(int(number), where))
                pending = state.fallback
            elif word == b"bin":
                raise DataError("the document holds binary parts", where=where, hint="save it again without pictures")
            elif not state.skip:
                _word(reader, word, int(number) if number is not None else None)
            continue
        star = False
        pending = _characters(reader, state, byte, mark, plain, pending)
    if len(states) != 1:
        raise DataError("the document is cut short: groups are open at its end", where=where)
    return tables_of_rows(reader.parts)


def _tokens(content: bytes, where: str) -> Iterator[tuple[bytes | None, ...]]:
    at = 0
    while at < len(content):
        match = TOKEN.match(content, at)
        if match is None:
            raise DataError("the document cannot be read here", where=f"{where} byte {at}")
        at = match.end()
        yield match.groups()


def _characters(
    reader: _Reader, state: _State, byte: bytes | None, mark: bytes | None, plain: bytes | None, pending: int
) -> int:
    """Text of one kind or another; how many characters are still passed over."""
    if byte is not None:
        if pending:
            return pending - 1
        if not state.skip:
            reader.text.append(bytes.fromhex(byte.decode()).decode(reader.page, "replace"))
    elif mark is not None:
        if pending:
            return pending - 1
        if not state.skip:
            reader.text.append(MARKS.get(mark, ""))
    elif plain is not None:
        kept = plain[pending:]
        if not state.skip:
            reader.text.append(kept.decode(reader.page, "replace"))
        return max(0, pending - len(plain))
    return pending


def _word(reader: _Reader, word: bytes, number: int | None) -> None:
    if word in WORDS:
        reader.text.append(WORDS[word])
    elif word == b"ansicpg" and number in CODE_PAGES:
        reader.page = "utf-8" if number == 65001 else f"cp{number}"
    elif word == b"trowd":
        reader.edges, reader.merged, reader.head = [], [], False
    elif word == b"trhdr":
        reader.head = True
    elif word == b"clmrg":
        reader.merge_next = True
    elif word == b"cellx" and number is not None:
        reader.edges.append(number)
        reader.merged.append(reader.merge_next)
        reader.merge_next = False
    elif word in (b"cell", b"nestcell"):
        reader.cells.append(_taken(reader))
        reader.counted += 1
        if reader.counted > MOST_CELLS:
            raise DataError(f"the document has more than {MOST_CELLS:,} cells", where=reader.where)
    elif word in (b"row", b"nestrow"):
        reader.parts.append(_row(reader))
        reader.cells = []
    elif word == b"intbl":
        reader.in_table = True
    elif word == b"pard":
        reader.in_table = False
    elif word in (b"par", b"sect", b"page"):
        if reader.in_table or reader.cells:
            reader.text.append(" ")
        else:
            reader.parts.append(_taken(reader))


def _row(reader: _Reader) -> EdgedRow:
    edges = reader.edges
    if len(edges) < len(reader.cells) or sorted(edges) != edges:  # places that say nothing: one column a cell
        edges = list(range(1, len(reader.cells) + 1))
    cells: list[tuple[str, int]] = []
    for text, edge, merged in zip(reader.cells, edges, [*reader.merged, *[False] * len(edges)], strict=False):
        if merged and cells:
            cells[-1] = (cells[-1][0], edge)
        else:
            cells.append((text, edge))
    return EdgedRow(tuple(cells), reader.head)


def _taken(reader: _Reader) -> str:
    text = " ".join("".join(reader.text).split())
    reader.text = []
    return text


def _unicode(number: int, where: str) -> str:
    code = number + 0x10000 if number < 0 else number
    if not 0 <= code < 0x10000:
        raise DataError(f"there is no character {number}", where=where)
    return chr(code)
