"""Data may hold anything; what is shown neither steers the terminal nor hides, and a spreadsheet runs nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.data.sanitize import guard_formula, markdown_cell, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]8;;http://x\x07link", "\\x1b]8;;http://x\\x07link"),
        ("a\x9bb", "a\\x9bb"),
        ("abc\u202edef", "abc\\u202edef"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"),
        ("lone \udc80", "lone \\udc80"),
        ("Ménière, 试验, ≤ 52 µg", "Ménière, 试验, ≤ 52 µg"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_shown_is_a_control_or_format_character(text: str) -> None:
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in visible(text))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "=HYPERLINK(...)",
        " =1+1",
        "  -2+3",
        '"=1"',
        ' "\t@SUM(A1)',
        "\n=1",
        "\u00a0=1",
        "\uff1d1+1",
        "\uff20SUM(A1)",
        "\tx",
    ],
)
def test_a_formula_is_guarded(text: str) -> None:
    assert guard_formula(text) == "'" + text


@pytest.mark.parametrize(
    "text", ["-4.12", "+1", "-1e-05", "-.5", "-", "Placebo", "", "<0.001", "a=b", "  -4.12", " - ", '"quoted"', "  indented"]
)
def test_numbers_and_words_are_not(text: str) -> None:
    assert guard_formula(text) == text


def test_a_markdown_cell_cannot_leave_its_cell() -> None:
    assert markdown_cell("a|b\n[x](y) <i>") == r"a\|b\\n\[x\](y) \<i\>"
