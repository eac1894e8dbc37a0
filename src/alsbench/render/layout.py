"""A page laid out as lines of text: spanning heads, numbers aligned, nothing cut.

Columns are as wide as what they hold. A block wider than the page is continued below itself, group by group, its label
columns repeated; only a label that leaves no room for a single group is folded onto further lines. The same lines go to
a pipe and to a terminal; colour is the only difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from alsbench.data.sanitize import visible
from alsbench.render.page import Column, Line, Page, PageBlock

PAGE_WIDTH = 80
GAP = "  "
MARK = " · "
LEAST_LABEL = 12
MOST_LABEL = 36
LEAST_FOLDED = 16  # of a label folded so that all columns stand side by side
STYLES = {"good": "green", "bad": "red", "note": "dim", "doubt": "yellow"}
_CLAUSES = re.compile(r"(?<=;) | (?=\[)")
_PARTS = re.compile(r"^(?P<a>\S+) \((?P<b>[^,()]+)(?:, (?P<c>[^,()]+))?\)(?P<d>.*)$")


def page_lines(page: Page, *, width: int = PAGE_WIDTH, rule: str = "─", facts: bool = True) -> list[Text]:
    """A page as styled lines; ``width`` 0 means as wide as needed."""
    lines = [Text(part, style="bold") for part in _fold_title(visible(page.title), width or PAGE_WIDTH)]
    if facts:
        lines += _fact_lines(page.facts, width)
    for block in page.blocks:
        lines += [Text(), *block_lines(block, width=0 if block.wide else width, rule=rule)]
    if page.footnotes and facts:
        lines.append(Text())
        for note in page.footnotes:
            lines += [Text(part, style="dim") for part in _fold(visible(note), width or PAGE_WIDTH, indent="  ")]
    return lines


def page_text(page: Page, *, width: int = PAGE_WIDTH) -> str:
    """A page as plain text, each line ended."""
    return "".join(line.plain.rstrip() + "\n" for line in page_lines(page, width=width))


def block_lines(block: PageBlock, *, width: int = PAGE_WIDTH, rule: str = "─") -> list[Text]:
    """One block as styled lines."""
    lines = [Text(part, style="bold") for part in _fold(visible(block.title), width or PAGE_WIDTH)] if block.title else []
    laid = laid_out(block, width=width)
    for number, chosen in enumerate(laid.parts):
        if number:
            lines.append(Text())
        lines += _part_lines(block, laid, chosen, width, rule)
    for note in block.notes:
        lines += [Text(part, style="dim") for part in _fold(visible(note), width or PAGE_WIDTH, indent="  ")]
    return lines


@dataclass(frozen=True)
class Laid:
    """A block laid out: its cells as they are shown, the width of each column in characters, and the columns of each of the
    parts that it is continued in."""

    texts: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    parts: tuple[tuple[int, ...], ...]


def laid_out(block: PageBlock, *, width: int) -> Laid:
    """How a block stands in ``width`` characters (0: as many as it needs), whatever draws it."""
    texts = _aligned(block)
    widths = _widths(block, texts)
    figures = any(not c.label for c in block.columns)
    if (
        figures and width and sum(widths) + len(GAP) * (len(widths) - 1) > width
    ):  # too wide: labels fold before figures move apart
        widths = [min(w, MOST_LABEL) if c.label else w for w, c in zip(widths, block.columns, strict=True)]
        widths = _narrowed(block.columns, widths, width)
    parts = _parts(block.columns, widths, width)
    parts = [p for k, p in enumerate(parts) if not k or _filled(block.columns, texts, p)]
    return Laid(tuple(map(tuple, texts)), tuple(widths), tuple(map(tuple, parts)))


def lines_of_part(block: PageBlock, laid: Laid, chosen: Sequence[int]) -> Iterator[tuple[Line, tuple[str, ...]]]:
    """The lines of a part with their texts, without those whose figures all stand in another part."""
    labels = [j for j in chosen if block.columns[j].label]
    for line, row in zip(block.lines, laid.texts, strict=True):
        if len(chosen) == len(block.columns) or line.heading or not _says_nothing(row, chosen, labels):
            yield line, row


def _aligned(block: PageBlock) -> list[list[str]]:
    """Cell texts, made visible, with estimates and the limits beside them padded so that numbers stand under each other."""
    texts = [[visible(cell.text) for cell in line.cells] for line in block.lines]
    for j, column in enumerate(block.columns):
        if column.justify != "right" or not block.aligned:
            continue
        found = {i: m for i, row in enumerate(texts) if j < len(row) and (m := _PARTS.match(row[j]))}
        if not found:
            continue
        most = {k: max(len(m[k] or "") for m in found.values()) for k in "abcd"}
        for i, m in found.items():
            inner = m["b"].rjust(most["b"]) + (f", {m['c'].rjust(most['c'])}" if m["c"] else "")
            texts[i][j] = f"{m['a'].rjust(most['a'])} ({inner}){m['d'].ljust(most['d'])}"
    return texts


def _widths(block: PageBlock, texts: Sequence[Sequence[str]]) -> list[int]:
    """The natural width of each column; the last of a group grows where the group's name needs room."""
    widths = [max((cell_len(visible(part)) for part in c.title.split("\n")), default=0) for c in block.columns]
    for line, row in zip(block.lines, texts, strict=True):
        if line.heading and sum(bool(t) for t in row) <= 1:
            continue  # a heading runs over the columns to its right
        for j, text in enumerate(row):
            widths[j] = max(widths[j], cell_len(text))
    for group in column_groups(block.columns):
        name = block.columns[group[0]].group
        room = sum(widths[j] for j in group) + len(GAP) * (len(group) - 1)
        widths[group[-1]] += max(0, cell_len(visible(name)) - room) if name else 0
    return widths


def _narrowed(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """The widest label made narrower where that saves a block from being continued for a few characters."""
    over = sum(widths) + len(GAP) * (len(widths) - 1) - width
    widest = max((j for j, c in enumerate(columns) if c.label), key=lambda j: widths[j], default=None)
    if widest is None or not 0 < over <= widths[widest] - LEAST_FOLDED:
        return widths
    return [w - over if j == widest else w for j, w in enumerate(widths)]


def column_groups(columns: Sequence[Column]) -> list[list[int]]:
    """Indices of columns that stand together: neighbours with the same group name; each ungrouped column by itself."""
    groups: list[list[int]] = []
    for j, column in enumerate(columns):
        if groups and column.group and columns[groups[-1][-1]].group == column.group:
            groups[-1].append(j)
        else:
            groups.append([j])
    return groups


def _parts(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[list[int]]:
    """Columns of each part of a block: label columns, then as many groups as the width holds."""
    labels = [j for j, c in enumerate(columns) if c.label]
    rest = [g for g in column_groups(columns) if not columns[g[0]].label]
    if not width or not rest:
        return [list(range(len(columns)))]
    start = sum(widths[j] + len(GAP) for j in labels)
    parts: list[list[int]] = []
    used = 0
    for group in rest:
        size = sum(widths[j] + len(GAP) for j in group)
        if not parts or (start + used + size - len(GAP) > width and used):
            parts.append(list(labels))
            used = 0
        parts[-1] += group
        used += size
    return parts


def _filled(columns: Sequence[Column], texts: Sequence[Sequence[str]], chosen: Sequence[int]) -> bool:
    """Whether a part has a cell beside its labels."""
    return any(row[j] for row in texts for j in chosen if j < len(row) and not columns[j].label)


def _says_nothing(row: Sequence[str], chosen: Sequence[int], labels: Sequence[int]) -> bool:
    """Whether a line has figures, and none of them in the chosen columns."""
    figures = [j for j in range(len(row)) if j not in labels]
    return any(row[j] for j in figures) and not any(row[j] for j in figures if j in chosen)


def _part_lines(block: PageBlock, laid: Laid, chosen: Sequence[int], width: int, rule: str) -> list[Text]:
    widths = list(laid.widths)
    total = sum(widths[j] for j in chosen) + len(GAP) * (len(chosen) - 1)
    labels = [j for j in chosen if block.columns[j].label]
    if width and total > width and labels:
        widest = max(labels, key=lambda j: widths[j])
        widths[widest] = max(min(widths[widest], LEAST_LABEL), widths[widest] - (total - width))
        total = sum(widths[j] for j in chosen) + len(GAP) * (len(chosen) - 1)
    lines = _head_lines(block.columns, chosen, widths, rule)
    lines.append(Text(rule * total, style="dim"))
    for line, row in lines_of_part(block, laid, chosen):
        lines += _body_lines(block.columns, line, row, chosen, widths, max(width, total))
    return lines


def _head_lines(columns: Sequence[Column], chosen: Sequence[int], widths: Sequence[int], rule: str) -> list[Text]:
    lines: list[Text] = []
    if any(columns[j].group for j in chosen):
        names, rules = [], []
        for group in column_groups([columns[j] for j in chosen]):
            members = [chosen[k] for k in group]
            span = sum(widths[j] for j in members) + len(GAP) * (len(members) - 1)
            name = visible(columns[members[0]].group)
            names.append(_pad(name, span, "center"))
            rules.append((rule if name else " ") * span)
        lines += [Text(GAP.join(names).rstrip(), style="bold"), Text(GAP.join(rules).rstrip(), style="dim")]
    titles = [[visible(part) for part in columns[j].title.split("\n")] for j in chosen]
    depth = max((len(t) for t in titles), default=0)
    for k in range(depth):
        cells = []
        for j, title in zip(chosen, titles, strict=True):
            part = title[k - (depth - len(title))] if k >= depth - len(title) else ""
            cells.append(_pad(part, widths[j], columns[j].justify))
        lines.append(Text(GAP.join(cells).rstrip(), style="bold"))
    return lines


def _body_lines(
    columns: Sequence[Column], line: Line, row: Sequence[str], chosen: Sequence[int], widths: Sequence[int], width: int
) -> list[Text]:
    if line.heading and sum(bool(t) for t in row) <= 1:
        return [Text(part, style="bold") for part in _fold(next((t for t in row if t), ""), width, indent="  ")]
    folded = {j: _fold(row[j], widths[j], indent="  ") if columns[j].label else [row[j]] for j in chosen}
    lines = []
    for k in range(max(len(parts) for parts in folded.values())):
        text = Text(style="bold" if line.heading else "")
        for position, j in enumerate(chosen):
            part = folded[j][k] if k < len(folded[j]) else ""
            text.append(GAP if position else "")
            text.append(_pad(part, widths[j], columns[j].justify), style=STYLES.get(line.cells[j].style, ""))
        text.rstrip()
        lines.append(text)
    return lines


def _pad(text: str, width: int, justify: str) -> str:
    room = max(0, width - cell_len(text))
    if justify == "right":
        return " " * room + text
    if justify == "center":
        return " " * (room // 2) + text + " " * (room - room // 2)
    return text + " " * room


def _fact_lines(facts: Sequence[tuple[str, str]], width: int) -> list[Text]:
    if not facts:
        return []
    name_width = max(cell_len(visible(name)) for name, _ in facts)
    room = max((width or PAGE_WIDTH) - name_width - len(GAP), 20)
    lines = []
    before = ""
    for name, value in facts:
        for k, part in enumerate(_fold_clauses(visible(value), room)):
            shown = visible(name) if k == 0 and name != before else ""  # a name that repeats stands once
            lines.append(Text.assemble((_pad(shown, name_width, "left"), "dim"), GAP, part))
        before = name
    return lines


def _fold_clauses(text: str, width: int) -> list[str]:
    """A fact on lines of at most ``width`` columns: broken after a semicolon or before a bracket where a clause would be torn
    otherwise; what is continued is indented, so that a list of facts of one name shows where each begins."""
    lines: list[str] = []
    for clause in _CLAUSES.split(text):
        joined = f"{lines[-1]} {clause}" if lines else clause
        if lines and cell_len(joined) > width:
            lines += _fold(f"  {clause}", width)
        else:
            lines = [*lines[:-1], *_fold(joined, width, indent="  ")]
    return lines


def _fold(text: str, width: int, *, indent: str = "") -> list[str]:
    """``text`` broken between words into lines of at most ``width`` columns; a longer word is broken inside."""
    if cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    body = text.lstrip(" ")
    current = " " * (len(text) - len(body))
    indent = current + indent
    for word in body.split(" "):
        joined = f"{current} {word}" if current.strip() else current + word
        if cell_len(joined) <= width or not current.strip():
            current = joined
        else:
            lines.append(current)
            current = indent + word
        while cell_len(current) > width and width > len(indent) + 1:
            head = _head(current, width)
            lines.append(head)
            current = indent + current[len(head) :]
    lines.append(current)
    return lines


def _fold_title(text: str, width: int) -> list[str]:
    """A title broken at its ``·`` marks first: "SYNTHETIC DATA" stays one piece."""
    lines: list[str] = []
    for part in text.split(MARK):
        joined = f"{lines[-1]}{MARK}{part}" if lines else part
        if lines and cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines += _fold(part, width)
    return lines


def _head(text: str, width: int) -> str:
    """The longest beginning of ``text`` that fits in ``width`` columns, at least one character."""
    used = 0
    for k, char in enumerate(text):
        used += cell_len(char)
        if used > width:
            return text[: max(k, 1)]
    return text
