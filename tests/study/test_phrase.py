"""Subgroup phrases: names, complements, intersections."""

from __future__ import annotations

import pytest

from alsbench.errors import UsageError
from alsbench.study.phrase import parse_phrase

NAMES = {"slow": ("slow", False), "fast": ("slow", True), "nfl_low": ("nfl_low", False)}


@pytest.mark.parametrize(
    ("text", "parts", "canonical"),
    [
        ("overall", (), "overall"),
        (" overall ", (), "overall"),
        ("slow", (("slow", False),), "slow"),
        ("not slow", (("slow", True),), "not slow"),
        ("fast", (("slow", True),), "not slow"),
        ("not  fast", (("slow", False),), "slow"),
        ("slow and nfl_low", (("slow", False), ("nfl_low", False)), "slow and nfl_low"),
        ("not slow and not nfl_low", (("slow", True), ("nfl_low", True)), "not slow and not nfl_low"),
        ("slow and slow", (("slow", False),), "slow"),
    ],
)
def test_meaning(text: str, parts: tuple[tuple[str, bool], ...], canonical: str) -> None:
    phrase = parse_phrase(text, NAMES)
    assert phrase.parts == parts
    assert phrase.canonical() == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slwo", "did you mean slow"),
        ("", "the subgroup is empty"),
        ("slow nfl_low", "is not a subgroup"),
        ("slow and", "is not a subgroup"),
        ("not", "is not a subgroup"),
        ("not not slow", "is not a subgroup"),
        ("not overall", "everybody"),
        ("overall and slow", "everybody"),
        ("slow and fast", "nobody is in both"),
        ("slow or nfl_low", "is not a subgroup"),
        ("LEADRATE < 1", "is not a subgroup"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_phrase(text, NAMES)
