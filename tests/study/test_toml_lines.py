"""Every key of a TOML file is found on the line where it stands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tomlkit import dumps

from alsbench.study.toml_text import key_lines, line_of

TRICKY = '''# a comment = 1
schema = 1
"quoted key" = 'x = 2'   # [not.a.table]
text = """
[fake]
a = 1 \\""" still
""""
plain = \'\'\'
[[fake]]
\'\'\'

[arms]   # trailing
order = [
  "Placebo",   # "Group 9",
  "Group 1", "a ] in a text",
  [1, 2], { x = [
     3 ] }
]
labels = { "Group 1" = "two, doses", b.c = { d = 1 } }

[[rows]]
a = 1
[rows.inner]
b = 2
[[rows.deep]]
c = 3
[[rows.deep]]
c = 4
[[rows]]
dotted.key."with space" = 2024-01-31T00:00:00
[rows.inner]
b = 5
[ spaced . "header" ]
z = -1.5e3'''


def paths(tree: Any, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = [prefix]
    for key, value in items:
        found += paths(value, (*prefix, key))
    return found


def test_tricky_file() -> None:
    lines = key_lines(TRICKY)
    assert set(lines) == set(paths(tomllib.loads(TRICKY)))
    source = TRICKY.splitlines()
    for path, line in lines.items():
        key = next((p for p in reversed(path) if isinstance(p, str)), "")
        if isinstance(path[-1] if path else "", str):
            assert key in source[line - 1], (path, line)
    assert source[lines["arms", "order", 1] - 1].startswith('  "Group 1"')
    assert source[lines["arms", "order", 4, "x", 0] - 1] == "     3 ] }"
    assert [source[lines["rows", 0, "deep", i, "c"] - 1] for i in (0, 1)] == ["c = 3", "c = 4"]
    assert source[lines["rows", 1, "inner", "b"] - 1] == "b = 5"


def test_a_missing_key_has_the_line_of_its_table() -> None:
    lines = key_lines("schema = 1\n[arms]\nreference = 'P'\n")
    assert line_of(lines, ("arms", "order")) == 2
    assert line_of(lines, ("nothing", "at", "all")) == 1


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)
leaves = st.integers(-9, 9) | st.booleans() | st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
trees = st.dictionaries(
    names,
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8),
    max_size=4,
)


@given(trees)
def test_every_path_of_any_file_has_a_line(tree: dict[str, Any]) -> None:
    text = dumps(tree)
    parsed = tomllib.loads(text)
    lines = key_lines(text)
    assert set(lines) == set(paths(parsed))
    assert all(1 <= n <= text.count("\n") + 1 for n in lines.values())


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment"])
def test_files_without_keys(text: str) -> None:
    assert key_lines(text) == {(): 1}
