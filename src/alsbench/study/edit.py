"""Editing the subgroups of a ``study.toml`` in place: comments and layout stay, and only a valid file ever replaces it.

The new text is validated before it is published with one ``os.replace``; a file that changed meanwhile is not overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, Array, InlineTable, Table

from alsbench.errors import UnavailableError, UsageError
from alsbench.files import file_mode, write_bytes
from alsbench.study.model import Subgroup
from alsbench.study.names import nearest
from alsbench.study.study_file import parse_study, read_study

_KEYS = ("name", "label", "where", "prespecified", "rationale", "complement", "post_randomisation")
_ALWAYS = frozenset({"name", "where", "prespecified"})


def add_subgroup(path: Path, subgroup: Subgroup) -> None:
    """Append ``subgroup``. Raises UsageError where the name is taken, StudyError where the file would become invalid."""

    def change(document: tomlkit.TOMLDocument) -> None:
        if subgroup.name in _names(document):
            raise UsageError(f"there is already a subgroup {subgroup.name}", hint="edit it, or choose another name")
        subgroups = document.get("subgroups")
        if isinstance(subgroups, Array):
            row = tomlkit.inline_table()
            row.update(_fields(subgroup))
            subgroups.append(row)
            return
        table = tomlkit.table()
        table.update(_fields(subgroup))
        table.trivia.indent = "\n"  # a blank line before it
        if subgroups is None:
            document.append("subgroups", tomlkit.aot())
        document["subgroups"].append(table)

    _rewrite(path, change)


def replace_subgroup(path: Path, name: str, subgroup: Subgroup) -> None:
    """Put ``subgroup`` in the place of the one called ``name``, keeping the comments of keys that stay."""

    def change(document: tomlkit.TOMLDocument) -> None:
        if subgroup.name != name and subgroup.name in _names(document):
            raise UsageError(f"there is already a subgroup {subgroup.name}", hint="choose another name")
        row = document["subgroups"][_index(document, name)]
        fields = _fields(subgroup)
        for key in [k for k in row if k not in fields]:
            del row[key]
        for key, value in fields.items():
            if key not in row or row[key] != value:
                row[key] = value

    _rewrite(path, change)


def remove_subgroup(path: Path, name: str) -> None:
    """Take the subgroup out. Raises UsageError, naming the nearest, where there is none of that name."""

    def change(document: tomlkit.TOMLDocument) -> None:
        index = _index(document, name)
        subgroups = document["subgroups"]
        if len(subgroups) == 1:
            document.remove("subgroups")
        else:
            del subgroups[index]

    _rewrite(path, change)


def _fields(subgroup: Subgroup) -> dict[str, Any]:
    values = {key: getattr(subgroup, key) for key in _KEYS}
    return {key: value for key, value in values.items() if value or key in _ALWAYS}


def _rows(document: tomlkit.TOMLDocument) -> list[Table | InlineTable]:
    subgroups = document.get("subgroups")
    return list(subgroups) if isinstance(subgroups, (AoT, Array)) else []


def _names(document: tomlkit.TOMLDocument) -> list[str]:
    return [str(row.get("name", "")) for row in _rows(document)]


def _index(document: tomlkit.TOMLDocument, name: str) -> int:
    names = _names(document)
    if name not in names:
        raise UsageError(f"no subgroup is named {name}", hint=nearest(name, names))
    return names.index(name)


def _rewrite(path: Path, change: Callable[[tomlkit.TOMLDocument], None]) -> None:
    read_study(path)  # an invalid file is reported as such, not edited
    before = path.read_bytes()
    document = tomlkit.parse(before.decode("utf-8-sig"))
    change(document)
    text = tomlkit.dumps(document)
    parse_study(text, path.name)
    publish(path, text.encode(), unless_changed_from=before)


def publish(path: Path, content: bytes, *, unless_changed_from: bytes | None = None) -> None:
    """Replace ``path`` by ``content`` in one step; the mode is kept, a link is refused.

    Raises UnavailableError where the place is read-only or full, or the file changed meanwhile: the old one stands.
    """

    def unchanged() -> None:
        if unless_changed_from is not None and path.read_bytes() != unless_changed_from:
            raise UnavailableError(f"{path.name} was changed by somebody else meanwhile", where=str(path), hint="try again")

    write_bytes(path, (content,), mode=file_mode(path), last=unchanged)
