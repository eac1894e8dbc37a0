"""A first mapping of a document: which number of which cell may be which of our statistics, by the words around it.

A cell is about the words of its column's heads, of its row's labels, of the heading of rows above it and of the title of its
table. A statistic of ours is proposed where all its parts (arm or the two of a contrast, visit, variable, level) are among
these words, no other arm or visit is, and the place of the number in its cell fits the heading (``Difference (95% CI)``). Where
several are left, values decide if exactly one of them is printed so. Nothing else is proposed, and each says by what it was
matched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alsbench.analysis.reconcile.mapping import SCHEMA, Target
from alsbench.analysis.reconcile.pairing import OurStatistics, Printed
from alsbench.analysis.reconcile.stated import CellNumber, CellTable, cell_numbers
from alsbench.analysis.reconcile.words import fold, found_in, holds, statistics_in
from alsbench.analysis.result import Row
from alsbench.stats.agreement import GOOD, ValueRule, classify


@dataclass(frozen=True)
class ProposedCell:
    """A number of a cell (table, row, column and part from 1) and the row that it may be; ``matched`` says by what."""

    table: int
    row: int
    column: int
    part: int
    text: str
    target: Row
    matched: str


@dataclass(frozen=True)
class MappingDraft:
    """What is proposed, and how many numbers of the tables are not."""

    cells: tuple[ProposedCell, ...]
    left: int


def propose(tables: Iterable[CellTable], ours: OurStatistics, printed: Printed) -> MappingDraft:
    """A mapping for the tables of a document."""
    cells: list[ProposedCell] = []
    left = 0
    names = list(dict.fromkeys(r.stat_name for r in ours.rows))
    for table in tables:
        section = ""
        for r in range(table.heads, len(table.rows)):
            row = table.rows[r]
            if row and row[0] and not any(row[1:]):
                section = row[0]
                continue
            for c in range(len(row)):
                numbers = cell_numbers(row[c])
                if c == 0 or not numbers or _is_label(row[c], numbers):
                    continue
                words = _words_of(table, r, c, section)
                for number in numbers:
                    found = _target(words, number, ours, names, printed)
                    if found is None:
                        left += 1
                    else:
                        cells.append(ProposedCell(table.number, r + 1, c + 1, number.part, number.text, *found))
    return _each_once(cells, left)


def _each_once(cells: Sequence[ProposedCell], left: int) -> MappingDraft:
    """A statistic that two cells could be is proposed for neither."""
    taken: dict[int, int] = {}
    for cell in cells:
        taken[id(cell.target)] = taken.get(id(cell.target), 0) + 1
    kept = tuple(c for c in cells if taken[id(c.target)] == 1)
    return MappingDraft(kept, left + len(cells) - len(kept))


@dataclass(frozen=True)
class _CellWords:
    """The words around a cell as they stand: ``heads`` of its column from the top, ``labels`` of its row, ``section``,
    ``title``."""

    heads: tuple[str, ...]
    labels: tuple[str, ...]
    section: str
    title: str

    @property
    def near(self) -> str:
        return fold(" | ".join((*self.heads, *self.labels, self.section)))

    @property
    def all(self) -> str:
        return fold(" | ".join((*self.heads, *self.labels, self.section, self.title)))


def _words_of(table: CellTable, r: int, c: int, section: str) -> _CellWords:
    heads = tuple(dict.fromkeys(t for row in table.rows[: table.heads] if (t := row[c])))
    labels = tuple(t for t in table.rows[r][:c] if t and (_is_label(t, cell_numbers(t)) or t == table.rows[r][0]))
    return _CellWords(heads, labels, section, table.title)


def _is_label(text: str, numbers: Sequence[CellNumber]) -> bool:
    """Whether a text is a label although it has numbers: ``Month 6``, ``10 mg``."""
    return text[:1].isalpha() or not numbers


def _target(
    words: _CellWords, number: CellNumber, ours: OurStatistics, names: Sequence[str], printed: Printed
) -> tuple[Row, str] | None:
    stats = _statistics(words, names)
    if number.part > len(stats):
        return None
    wanted = stats[number.part - 1]
    found = [r for r in ours.rows if r.stat_name in wanted and r.stat is not None and _fits(r, words, ours)]
    how = f"words: {' / '.join((*words.heads, *words.labels, *([words.section] if words.section else [])))}"
    if len(found) == 1:
        return found[0], how
    same = [r for r in found if classify(printed(r.stat_name, r.stat), number.said, ValueRule(statistic=r.stat_name)) in GOOD]
    return (same[0], f"{how}; its value, of {len(found)} with these words") if len(same) == 1 else None


def _statistics(words: _CellWords, names: Sequence[str]) -> list[frozenset[str]]:
    """What the numbers of a cell are, in order: by the lowest head that says so, else by the row."""
    for text in (*reversed(words.heads), *reversed(words.labels), words.section):
        if found := statistics_in(text, names):
            return found
    return []


def _fits(row: Row, words: _CellWords, ours: OurStatistics) -> bool:
    return (
        _arms_fit(row, words, ours)
        and _visit_fits(row, words, ours)
        and all(holds(words.near, fold(part)) for part in (row.variable, row.level) if part)
        and _named(row.endpoint, ours.endpoints, ours.words.parameters, words)
        and _named(row.subgroup, ours.subgroups, ours.words.subgroups, words)
    )


def _arms_fit(row: Row, words: _CellWords, ours: OurStatistics) -> bool:
    arms = {a for r in ours.rows for a in (r.arm, r.treatment, r.reference) if a}
    called = {name: a for a in arms for name in (a, *ours.words.arms.get(a, ()))}
    found = {called[name] for name in found_in(words.near, called)}
    if row.context == "contrast":
        return found in ({row.treatment, row.reference}, {row.treatment})
    return found == ({row.arm} if row.arm else set())


def _visit_fits(row: Row, words: _CellWords, ours: OurStatistics) -> bool:
    labels = {r.visit: r.visit_number for r in ours.rows if r.visit}
    found = {labels[name] for name in found_in(words.near, labels)}
    if not found:
        found = {labels[name] for name in found_in(words.all, labels)}
    if not found:
        numbers = {n for n in labels.values() if n is not None}
        found = {n for n in numbers for t in words.labels if t.strip() == f"{n:g}"}
    return found == ({row.visit_number} if row.visit_number is not None else set())


def _named(name: str, all_names: Iterable[str], others: Mapping[str, tuple[str, ...]], words: _CellWords) -> bool:
    """Whether the words name this one of several; where they name none all are left."""
    every = list(all_names)
    if len(every) < 2:
        return True
    called = {w: n for n in every if n != "overall" for w in (n, *others.get(n, ()))}
    found = {called[w] for w in found_in(words.all, called)}
    return name in found if found else name == "overall" or "overall" not in every


def mapping_text(proposal: MappingDraft, theirs: str) -> str:
    """The mapping as TOML, a table a cell."""
    head = [
        f"schema = {_quoted(SCHEMA)}",
        f"theirs = {_quoted(theirs)}",
        f"# {len(proposal.cells)} numbers are proposed, {proposal.left} are not. Check each: `matched` says how it was found.",
    ]
    return "\n".join([*head, *(_cell_text(c) for c in proposal.cells)]) + "\n"


def _cell_text(cell: ProposedCell) -> str:
    parts = ", ".join(f"{k} = {_quoted(v)}" for k, v in row_target(cell.target))
    part = f"part = {cell.part}\n" if cell.part > 1 else ""
    place = f"table = {cell.table}\nrow = {cell.row}\ncolumn = {cell.column}\n{part}"
    return f"\n[[cell]]\n{place}is = {{ {parts} }}\ntext = {_quoted(cell.text)}\nmatched = {_quoted(cell.matched)}"


def row_target(row: Row) -> Target:
    """What names a row in a mapping."""
    visit = None if row.visit_number is None else f"{row.visit_number:g}"
    values = {
        **{k: getattr(row, k) for k in ("endpoint", "subgroup", "context", "arm", "treatment", "reference")},
        **{"visit": visit or row.visit, "variable": row.variable, "level": row.level, "statistic": row.stat_name},
    }
    return tuple((k, str(v)) for k, v in values.items() if v is not None)


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's but for those of surrogates, which are not used."""
    return json.dumps(text, ensure_ascii=False)
