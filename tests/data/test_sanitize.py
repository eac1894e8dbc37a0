"""What could steer a terminal is shown, never obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.data.sanitize import visible, visible_line, visible_lines


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain Müller 你好 −", "plain Müller 你好 −"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "\\x1b]8;;http://x\\x07link\\x1b]8;;\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202etxt.exe\u2069", "a\\u202etxt.exe\\u2069"),
        ("two\nlines\ttab\r", "two\\nlines\\ttab\\r"),
        ("\x7f\x00\ufeff\u200b", "\\x7f\\x00\\ufeff\\u200b"),
    ],
)
def test_examples(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@given(st.text())
def test_nothing_unsafe_is_left(text: str) -> None:
    shown = visible(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cs"} for c in shown)
    assert not any(
        unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"} for c in shown
    )
    assert visible(shown) == shown


def test_lines_may_be_kept_or_cut() -> None:
    assert visible_lines("a\nb\x1b") == "a\nb\\x1b"
    assert visible_line("abcdef", limit=4) == "abc…"
    assert visible_line(None) == "None"
