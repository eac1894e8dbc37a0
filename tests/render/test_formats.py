"""How statistics are written: one rounding, half away from zero, from the raw double."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.render.formats import format_number, format_p, format_stat, is_p_value
from alsbench.stats.rounding import round_half_away


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("ls_mean", -4.123456789, "-4.12"),  # STUDY: the example of the result JSON
        ("mean", 2.675, "2.68"),  # the double lies below 2.675: SAS and a hand calculation still round up
        ("mean", -2.675, "-2.68"),
        ("mean", 0.125, "0.13"),  # Python's own formatting gives 0.12 (half to even)
        ("ls_mean", -0.001, "0.00"),
        ("se", 0.5125, "0.513"),
        ("df", 103.6789, "103.7"),
        ("n", 115, "115"),
        ("n", 115.0, "115"),
        ("n_subjects", 115, "115"),
        ("percent", 52.25, "52.3"),
        ("gmr", 0.8125, "0.813"),
        ("ratio_low", 0.71249, "0.712"),
        ("hr_high", 1.375, "1.38"),
        ("gehan_w", 2.0, "2"),
        ("gehan_z", 0.91287, "0.913"),  # METHODS 3, worked check
        ("gehan_var", 4.8, "4.80"),
        ("rank", 1.5, "1.5"),
        ("score", -2.0, "-2"),
        ("gradient", 1.234e-9, "1.2e-09"),
        ("covariance", "toeph", "toeph"),
        ("difference", None, "-"),
        ("difference", math.nan, "NE"),
        ("hazard_ratio", math.inf, "NE"),
        ("something_new", 0.12345, "0.123"),
    ],
)
def test_each_statistic_has_the_decimals_a_table_gives_it(name: str, value: object, shown: str) -> None:
    assert format_stat(name, value) == shown  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.0237, "0.024"),
        (0.0009999, "<0.001"),
        (0.001, "0.001"),
        (0.0005, "<0.001"),
        (0.9995, ">0.999"),
        (0.9994, "0.999"),
        (1.0, "1.000"),
        (0.0, "<0.001"),
        (0.0245, "0.025"),
    ],
)
def test_a_p_value_has_three_decimals_or_a_bound(p: float, shown: str) -> None:
    assert format_p(p) == shown
    assert format_stat("p_value", p) == shown
    assert format_stat("interaction_p", p) == shown


def test_p_values_are_known_by_name() -> None:
    assert all(
        is_p_value(n) for n in ("p_value", "p_adjusted", "log_rank_p", "ph_p", "gehan_p", "interaction_p", "permutation_p")
    )
    assert not any(is_p_value(n) for n in ("percent", "win_probability", "gmr"))


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_rounding_is_decimal_rounding_of_the_shortest_text(value: float, places: int) -> None:
    rounded = Decimal(round_half_away(value, places))
    assert abs(rounded - Decimal(repr(value))) <= Decimal(5).scaleb(-places - 1)
    assert rounded == Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_rounding_is_symmetric(value: float, places: int) -> None:
    assert round_half_away(-value, places).lstrip("-") == round_half_away(value, places).lstrip("-")


@pytest.mark.parametrize(
    ("value", "shown"), [(6.0, "6"), (1.50, "1.5"), (0.98765, "0.9877"), (48, "48"), (1e-7, "1e-07"), (0.0, "0")]
)
def test_a_data_value_carries_no_needless_zeros(value: float, shown: str) -> None:
    assert format_number(value) == shown
