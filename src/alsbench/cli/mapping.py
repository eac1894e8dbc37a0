"""What ``alsbench init`` took the columns of data that are not ADaM for, shown in a terminal and changed line by line.

Nothing is written until the person there presses Enter; ``q`` and the end of the input leave everything as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from alsbench.data.sanitize import visible, visible_line
from alsbench.study.model import SourceMap, SourceParameter
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from alsbench.data.dataset import Dataset
    from alsbench.data.derive.recognise import RecognisedSource

_COLUMNS = ("subject", "arm", "visit", "date", "first_dose", "death", "died", "last_contact", "onset_date")
_OUTCOMES = ("alsfrs", "fvc", "svc", "nfl")
_BASELINE = ("AGE", "SEX", "ONSETSIT", "RILUFL")
_ORDERS = ("day/month/year", "month/day/year")
_NEEDED = {"subject", "arm"}
_NONE = "-"
_LISTED = 4  # columns of an outcome that are named one by one
_ASK = "NUMBER COLUMN changes a line (- for none), Enter writes the study, q leaves all as it was: "


def changed_mapping(told: RecognisedSource, datasets: Sequence[Dataset]) -> RecognisedSource:
    """What was recognised, as the person at the terminal leaves it. Raises KeyboardInterrupt where they stop."""
    columns = list(dict.fromkeys(c.name for d in datasets for c in d.columns))
    while True:
        lines = mapping_lines(told.source)
        _show(told, lines)
        answer = _asked()
        missing = [k for k, v in lines if k in _NEEDED and not v]
        if not answer and not missing:
            return told
        if not answer:
            _say(f"{missing[0]} needs a column; there are: {', '.join(columns)}")
            continue
        number, _, column = answer.partition(" ")
        column = column.strip()
        if not number.isdigit() or not 1 <= int(number) <= len(lines) or not column:
            _say(f"{visible(answer)} is no line and column")
            continue
        key = lines[int(number) - 1][0]
        known = _ORDERS if key == "dates" else columns
        if column != _NONE and column not in known:
            _say(f"there is no {visible(column)}: {nearest(column, known)}")
            continue
        told = replace(told, source=with_line(told.source, key, "" if column == _NONE else column))


def _show(told: RecognisedSource, lines: Sequence[tuple[str, str]]) -> None:
    _say(f"What the columns hold ({told.source.layout}: {', '.join(told.source.files)})")
    for number, (key, value) in enumerate(lines, start=1):
        _say(f"{number:>3} {key:<20} {value or _NONE}")
    for doubt in told.doubts:
        _say(f"CHECK: {doubt}")


def mapping_lines(source: SourceMap) -> list[tuple[str, str]]:
    """Each key of ``[source]`` that is a column, with the column it has."""
    lines = [(key, cast(str, getattr(source, key))) for key in _COLUMNS]
    lines += [("dates", source.dates)]
    lines += [(f"flags.{k}", v) for k, v in source.flags.items()]
    lines += [(f"baseline.{k}", source.baseline.get(k, "")) for k in dict.fromkeys((*_BASELINE, *source.baseline))]
    if source.layout != "adam-like":
        listed = dict.fromkeys((*_OUTCOMES, *source.parameters))
        lines += [(f"parameters.{k}", _columns_of(source.parameters.get(k, ""))) for k in listed]
    return lines


def with_line(source: SourceMap, key: str, column: str) -> SourceMap:
    """``source`` with another column for a key; none where ``column`` is empty. Times of visits are found anew."""
    table, _, name = key.partition(".")
    if name:
        held: Mapping[str, object] = getattr(source, table)
        kept = {k: v for k, v in held.items() if k != name} | ({name: column} if column else {})
        return source.model_copy(update={table: kept})
    timed: dict[str, object] = {"visit_times": {}} if key in ("visit", "date", "first_dose") else {}
    return source.model_copy(update={key: column, **timed})


def _columns_of(given: str | SourceParameter) -> str:
    if isinstance(given, str):
        return given
    by_item = [c for many in given.item_columns.values() for c in many]
    named = [n for n in (given.total, *given.items, *given.columns.values(), *by_item) if n]
    return ", ".join(named) if len(named) <= _LISTED else f"{named[0]}, {named[1]} ... {named[-1]} ({len(named)} columns)"


def _asked() -> str:
    print(_ASK, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer or answer.strip().lower() == "q":
        raise KeyboardInterrupt
    return answer.strip()


def _say(text: str) -> None:
    print(visible_line(text, limit=300), file=sys.stderr)
