"""How numbers stand in a summary: rounded once, half away from zero, no p of 0."""

from __future__ import annotations

import math

import pytest

from alsbench.models.summary import number, p_value

P = {0.0004999: "<0.001", 0.0: "<0.001", 0.0005: "0.001", 0.0024: "0.002", 0.0025: "0.003", 1.0: "1.000", math.nan: "nan"}
NUMBERS = {2.00005: "2.0001", -2.00005: "-2.0001", 0.0: "0.0000", 3e-7: "3.000e-07", 2.5e8: "2.500e+08", math.inf: "inf"}


@pytest.mark.parametrize(("p", "text"), P.items())
def test_p_values(p: float, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
