"""A percentage is that of its counts, rounded once, half away from zero: against exact fractions, for every count up to 400."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from alsbench.render.formats import format_stat
from alsbench.stats.proportions import percent, percentage_points, rate_per_100_years
from alsbench.stats.rounding import percent_text

SOURCES = Path(__file__).parents[2] / "src" / "alsbench"


def exact(value: Fraction, places: int) -> str:
    """``value`` rounded half away from zero, from the fraction itself."""
    scaled = abs(value) * 10**places
    whole = int(scaled + Fraction(1, 2))  # int() cuts off
    text = f"{Decimal(whole).scaleb(-places):f}"
    return f"-{text}" if value < 0 and whole else text


def test_23_of_80() -> None:
    """28.75 %: by hand 28.8; the quotient 0.2875 of doubles, times 100, lies below."""
    assert 100 * (23 / 80) < 28.75
    assert format_stat("percent", percent(23, 80)) == "28.8"


def test_every_share_of_up_to_400() -> None:
    wrong = [
        (k, n)
        for n in range(1, 401)
        for k in range(n + 1)
        if format_stat("percent", percent(k, n)) != exact(Fraction(100 * k, n), 1)
        or percent_text(k, n) != exact(Fraction(100 * k, n), 0)
    ]
    assert wrong == []


@pytest.mark.parametrize(("n", "k"), [(80_000, 28_750), (10**9, 287_500_001), (2**53 - 1, 2**52 + 3)])
def test_shares_of_many(n: int, k: int) -> None:
    assert format_stat("percent", percent(k, n)) == exact(Fraction(100 * k, n), 1)
    assert percent_text(k, n, 1) == exact(Fraction(100 * k, n), 1)


def test_every_difference_of_arms_of_20_40_and_80() -> None:
    """Arms of these sizes give ties: 23 of 80 less 7 of 40 is 11.25 points."""
    for n1, n0 in ((20, 40), (80, 40), (80, 16)):
        for a in range(n1 + 1):
            for b in range(n0 + 1):
                estimate = percentage_points(a, n1, b, n0).estimate
                assert format_stat("risk_difference", estimate) == exact(Fraction(100 * a, n1) - Fraction(100 * b, n0), 1)


def test_a_rate_is_that_of_events_and_days() -> None:
    """8 events in 36,525 days are 8.00 per 100 patient-years; 1 in 2,922,000 days is 0.0125, printed 0.01."""
    assert rate_per_100_years(8, 36_525).estimate == 8.0
    for days in range(1, 3_000, 7):
        estimate = rate_per_100_years(3, days * 487).estimate
        assert format_stat("rate", estimate) == exact(Fraction(3 * 36_525, days * 487), 2)


def test_no_percentage_is_made_by_hand() -> None:
    """Neither 100 times a quotient nor a format of its own: a share of counts comes from the functions above. A change in
    percent of baseline is no share."""
    by_hand = re.compile(r"100(?:\.0)? \* \(?\w+(?:\.\w+)* / (?!base)|:\.\d%|:\.0f\} ?%")
    found = [
        f"{path.relative_to(SOURCES)}: {line.strip()}"
        for room in ("analysis", "render", "tui", "cli")
        for path in sorted((SOURCES / room).rglob("*.py"))
        if path.parent.name != "claims"  # published numbers held against each other are no counts
        for line in path.read_text("utf-8").splitlines()
        if by_hand.search(line)
    ]
    assert found == []
