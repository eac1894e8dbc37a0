"""Classes of agreement: a table made by hand for every class and boundary of METHODS 15, and what must hold of any two values.

Doubles beside 1 are 2**-52 apart upwards, beside 100 they are 2**-46 apart (IEEE 754): that is where units in the last place
are counted from here, never by the function under test.
"""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.stats.agreement import WORST_FIRST, SaidValue, ValueRule, classify, order_turned, origin_of

ULP_1, ULP_100 = 2.0**-52, 2.0**-46
NAN = float("nan")
READ = ValueRule()
P = ValueRule("closed form", "p_value", "contrast")
FITTED_P = ValueRule("fitted", "p_value", "contrast")
DIFFERENCE = ValueRule("closed form", "difference", "contrast")
FITTED = ValueRule("fitted", "difference", "contrast", se=0.5)
DECLARED = ValueRule("closed form", "difference", "contrast", absolute=0.02)
DAY = dt.date(2026, 1, 31)


def raw(value: object, decimals: int | None = None) -> SaidValue:
    return SaidValue(value, decimals)  # type: ignore[arg-type]


def printed(text: str) -> SaidValue:
    """A number as it stands in a table: its decimals are counted in the text."""
    bound = text[0] if text[0] in "<>" else ""
    digits = text.lstrip("<>")
    return SaidValue(float(digits), len(digits.partition(".")[2]), rounded=True, bound=bound)  # type: ignore[arg-type]


TABLE = [
    # equal values, whatever they are
    (raw(1.5), raw(1.5), READ, "identical"),
    (raw(12), raw(12.0), READ, "identical"),
    (raw(0.0), raw(-0.0), READ, "identical"),
    (raw(-0.0), raw(0.0), DIFFERENCE, "identical"),
    (raw(None), raw(None), READ, "identical"),
    (raw(NAN), raw(NAN), READ, "identical"),
    (raw(math.inf), raw(math.inf), READ, "identical"),
    (raw("<65"), raw("<65"), READ, "identical"),
    (raw(DAY), raw(DAY), READ, "identical"),
    (raw(True), raw(True), READ, "identical"),
    (printed("0.05"), printed("0.05"), P, "identical"),
    (printed("<0.001"), printed("<0.001"), P, "identical"),
    (raw(40), printed("40"), ValueRule("closed form", "n", "arm"), "identical"),
    # units in the last place: 4 are noise, 5 are not
    (raw(1.0 + 0.0), raw(1.0 + 4 * ULP_1), READ, "noise"),
    (raw(100.5), raw(100.5 + 4 * ULP_100), READ, "noise"),
    (raw(100.5 + 4 * ULP_100), raw(100.5), READ, "noise"),
    (raw(5e-324), raw(4 * 5e-324), READ, "noise"),  # 3 steps in subnormal numbers
    (raw(40 * 5e-324), raw(44 * 5e-324), READ, "noise"),  # where 4 units are more than 1e-12 of the value
    (raw(40 * 5e-324), raw(45 * 5e-324), READ, "different"),
    (raw(-5e-324), raw(5e-324), DIFFERENCE, "noise"),  # a sign within noise is no sign
    # 5 units of 100.5 are 7.1e-14 < 1e-12 x 100.5: the other rule takes them
    (raw(100.5), raw(100.5 + 5 * ULP_100), READ, "noise"),
    # 1e-12 of the value, or of the largest of the column
    (raw(0.5), raw(0.5 + 0.4e-12), READ, "noise"),
    (raw(0.5), raw(0.5 + 0.6e-12), READ, "different"),
    (raw(0.5), raw(0.5 + 0.6e-12), ValueRule(largest=1.0), "noise"),
    (raw(1e-15), raw(3e-15), ValueRule(largest=0.5), "noise"),
    (raw(1e-15), raw(3e-15), READ, "different"),
    (raw(2e-11 + 30.25), raw(30.25), ValueRule(largest=48.0), "noise"),  # 2e-11 < 4.8e-11
    (raw(2e-11 + 3.25), raw(3.25), ValueRule(largest=12.0), "different"),  # 2e-11 > 1.2e-11
    # whole numbers that differ differ, however large the column
    (raw(39), raw(40), READ, "different"),
    (raw(1.0), raw(2.0), ValueRule(largest=1e13), "different"),
    (raw(2.0**60), raw(2.0**60 + 1024), READ, "noise"),  # 4 units of 256
    (raw(40), raw(41), ValueRule("closed form", "n", "arm"), "different"),
    (raw(40), raw(40.5), ValueRule("closed form", "wins", "contrast"), "different"),
    # a fit: the tolerance of its kind
    (raw(2.0), raw(2.0 + 1.9e-6), FITTED, "noise"),
    (raw(2.0), raw(2.0 + 2.1e-6), FITTED, "different"),
    (raw(0.01), raw(0.01 + 0.4e-6), FITTED, "noise"),  # against the SE of 0.5
    (raw(0.01), raw(0.01 + 0.6e-6), FITTED, "different"),
    (raw(1e-7), raw(-1e-7), FITTED, "noise"),  # the sign is noise
    (raw(100.0), raw(100.009), ValueRule("fitted", "df", "contrast"), "noise"),
    (raw(100.0), raw(100.011), ValueRule("fitted", "df", "contrast"), "different"),
    (raw(0.3), raw(0.3 + 0.9e-6), FITTED_P, "noise"),
    (raw(0.3), raw(0.3 + 1.1e-6), FITTED_P, "different"),
    (raw(0.0500004), raw(0.0499996), FITTED_P, "noise"),  # either side of 0.05, within noise
    (raw(-512.25), raw(-512.25 + 0.9e-6), ValueRule("fitted", "log_likelihood", "model"), "noise"),
    (raw(-512.25), raw(-512.25 + 1.1e-6), ValueRule("fitted", "log_likelihood", "model"), "different"),
    # printed: the coarser side, half away from zero from the raw number
    (raw(-4.123456), printed("-4.12"), DIFFERENCE, "same as printed"),
    (raw(-4.125), printed("-4.13"), DIFFERENCE, "same as printed"),  # half away from zero
    (raw(-4.125), printed("-4.12"), DIFFERENCE, "different"),  # half to even is another number
    (raw(2.675), printed("2.68"), DIFFERENCE, "same as printed"),  # of the decimal, not of the double below it
    (raw(0.125 - 1e-17), printed("0.13"), DIFFERENCE, "same as printed"),  # the same double
    (raw(0.125 - 2**-55), printed("0.13"), DIFFERENCE, "same as printed"),  # a tie within noise is printed both ways
    (raw(0.125 - 2**-55), printed("0.12"), DIFFERENCE, "same as printed"),
    (raw(0.1249), printed("0.13"), DIFFERENCE, "different"),
    (printed("-4.123"), printed("-4.12"), DIFFERENCE, "same as printed"),
    (printed("-4.13"), printed("-4.12"), DIFFERENCE, "different"),
    (printed("0.445"), printed("0.4"), DIFFERENCE, "same as printed"),
    (printed("0.45"), printed("0.4"), DIFFERENCE, "same as printed"),  # 0.449 is printed so by both
    (printed("0.46"), printed("0.4"), DIFFERENCE, "different"),
    (raw(-4.1234, 2), raw(-4.1239, 2), DIFFERENCE, "same as printed"),  # two raw numbers, both printed -4.12
    (raw(-4.1234, 2), raw(-4.1239, 3), DIFFERENCE, "same as printed"),
    (raw(-4.1234, 4), raw(-4.1239, 4), DIFFERENCE, "different"),
    (raw(-4.1234), raw(-4.1239), DIFFERENCE, "different"),  # nobody prints them
    (raw(1e300, 2), raw(1.1e300, 2), DIFFERENCE, "different"),  # no decimals
    (raw(math.inf, 2), raw(1.0, 2), DIFFERENCE, "different"),
    (raw(0.003), printed("0.00"), DIFFERENCE, "same as printed"),
    (raw(-0.003), printed("0.00"), DIFFERENCE, "same as printed"),  # a printed zero has no sign
    (raw(0.0004), printed("<0.001"), P, "same as printed"),
    (raw(0.001), printed("<0.001"), P, "different"),
    (raw(0.9996), printed(">0.999"), P, "same as printed"),
    (printed("<0.001"), printed("<0.0001"), P, "same as printed"),
    (printed("0.002"), printed("<0.001"), P, "different"),
    (raw(0.0312), printed("<0.001"), P, "different"),  # both are below 0.05
    # a p beside 0.05
    (raw(0.04999), printed("0.05"), P, "same as printed"),
    (raw(0.05001), printed("0.05"), P, "same as printed"),
    (raw(0.04999), raw(0.05001), P, "changes a conclusion"),
    (raw(0.04999, 2), raw(0.05001, 2), P, "changes a conclusion"),  # printed alike, and on either side all the same
    (raw(0.05), raw(0.0499), P, "changes a conclusion"),  # 0.05 is not below 0.05
    (raw(0.049), printed("0.051"), P, "changes a conclusion"),
    (raw(0.03), printed("0.05"), P, "different"),  # 0.05 may be 0.046
    (raw(0.03), printed("0.050"), P, "different"),  # 0.050 may be 0.0496
    (raw(0.03), printed("0.06"), P, "changes a conclusion"),
    (raw(0.2), printed("<0.001"), P, "changes a conclusion"),
    (raw(0.03), raw(0.06), ValueRule("closed form", "interaction_p", "subgroup"), "changes a conclusion"),
    # the side of no effect
    (raw(0.3), raw(-0.2), DIFFERENCE, "changes a conclusion"),
    (raw(0.3), raw(0.0), DIFFERENCE, "different"),  # no effect is no other effect
    (raw(0.004, 2), raw(-0.004, 2), DIFFERENCE, "changes a conclusion"),
    (raw(0.3), printed("-0.2"), DIFFERENCE, "changes a conclusion"),
    (raw(0.3), printed("0.0"), DIFFERENCE, "different"),
    (raw(0.9), raw(1.1), ValueRule("fitted", "hazard_ratio", "contrast"), "changes a conclusion"),
    (raw(0.9), raw(0.8), ValueRule("fitted", "hazard_ratio", "contrast"), "different"),
    (raw(0.45), raw(0.55), ValueRule("closed form", "win_probability", "contrast"), "changes a conclusion"),
    (raw(-0.1), raw(0.1), ValueRule("closed form", "conf_low", "contrast"), "changes a conclusion"),
    (raw(-0.1), raw(0.1), ValueRule("closed form", "conf_low", "arm"), "different"),  # a mean of an arm tests nothing
    (raw(-0.1), raw(0.1), ValueRule("closed form", "mean", "arm"), "different"),
    (raw(-0.1), raw(0.1), READ, "different"),  # data conclude nothing
    # the first month
    (raw(6.0), raw(7.0), ValueRule("closed form", "first_lasting_visit", "contrast"), "changes a conclusion"),
    (raw(6.0), raw(None), ValueRule("closed form", "first_lasting_visit", "contrast"), "changes a conclusion"),
    (raw(6.0), raw(6.0), ValueRule("closed form", "first_lasting_visit", "contrast"), "identical"),
    # a declared tolerance
    (raw(10.0), raw(10.4), ValueRule(absolute=0.5), "within the declared tolerance"),
    (raw(10.0), raw(10.5), ValueRule(absolute=0.5), "within the declared tolerance"),
    (raw(10.0), raw(10.6), ValueRule(absolute=0.5), "different"),
    (raw(10.0), raw(10.4), ValueRule(relative=0.05), "within the declared tolerance"),
    (raw(10.0), raw(11.0), ValueRule(relative=0.05), "different"),
    (raw(10.0), raw(math.inf), ValueRule(relative=0.05), "different"),
    (raw(0.02), raw(-0.02), ValueRule("closed form", "difference", "contrast", absolute=0.5), "changes a conclusion"),
    (raw(-4.13), printed("-4.12"), DECLARED, "within the declared tolerance"),
    # what is not there, and what is no number
    (raw(1.0), raw(None), READ, "only ours"),
    (raw(None), raw(1.0), READ, "only theirs"),
    (raw(None), raw("Y"), READ, "only theirs"),
    (raw(NAN), raw(None), READ, "only ours"),
    (raw(NAN), raw(1.0), READ, "different"),
    (raw(math.inf), raw(1.0), READ, "different"),
    (raw(math.inf), raw(-math.inf), DIFFERENCE, "changes a conclusion"),
    (raw("<65"), raw("1"), READ, "different"),
    (raw("Y"), raw("y"), READ, "different"),
    (raw("12"), raw(12.0), READ, "different"),
    (raw(True), raw(1), READ, "different"),
    (raw(DAY), raw(DAY + dt.timedelta(days=1)), READ, "different"),
    (raw(DAY), raw("2026-01-31"), READ, "different"),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs", "rule", "expected"), TABLE)
def test_every_class_and_boundary(ours: SaidValue, theirs: SaidValue, rule: ValueRule, expected: str) -> None:
    assert classify(ours, theirs, rule) == expected


def test_the_table_has_every_class() -> None:
    assert {row[3] for row in TABLE} == set(WORST_FIRST)


@pytest.mark.parametrize(("ours", "theirs", "rule", "expected"), TABLE)
def test_the_other_way_round(ours: SaidValue, theirs: SaidValue, rule: ValueRule, expected: str) -> None:
    """Who is ours and who theirs changes nothing but who has what the other lacks."""
    turned = {"only ours": "only theirs", "only theirs": "only ours"}.get(expected, expected)
    assert classify(theirs, ours, rule) == turned


@given(
    st.floats(), st.floats(), st.sampled_from(["p_value", "difference", "n", ""]), st.sampled_from(["fitted", "closed form"])
)
def test_noise_changes_no_conclusion(one: float, other: float, name: str, origin: str) -> None:
    """Whatever is equal or noise alone is so beside a conclusion too."""
    plain = classify(raw(one), raw(other), ValueRule(origin, name, "model"))  # type: ignore[arg-type]
    found = classify(raw(one), raw(other), ValueRule(origin, name, "contrast"))  # type: ignore[arg-type]
    if plain in ("identical", "noise"):
        assert found == plain


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_number_is_printed_as_itself(value: float, decimals: int) -> None:
    """Printed by Python's own correctly rounded arithmetic of decimals (half up of the shortest decimal)."""
    from decimal import ROUND_HALF_UP, Decimal

    text = str(Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP))
    theirs = SaidValue(float(text), decimals, rounded=True)
    assert classify(raw(value), theirs, DIFFERENCE) in ("identical", "same as printed")


def test_the_order_of_arms() -> None:
    """Placebo, low and high dose: 1 and 2 change places in theirs; what is printed alike has no order."""
    ours = {"P": raw(-5.0), "L": raw(-4.0), "H": raw(-3.0)}
    assert order_turned(ours, {"P": raw(-5.0), "L": raw(-2.0), "H": raw(-3.0)}) == {"L", "H"}
    assert order_turned(ours, ours) == frozenset()
    assert order_turned(ours, {"P": raw(-5.0), "L": printed("-3"), "H": printed("-3")}) == frozenset()
    assert order_turned(ours, {"P": raw(-3.0), "H": raw(-5.0)}) == {"P", "H"}
    assert order_turned({"P": raw(None), "L": raw(1.0)}, {"P": raw(2.0), "L": raw(1.0)}) == frozenset()


def test_what_is_fitted() -> None:
    assert [origin_of(m, s) for m, s in (("mmrm", "ls_mean"), ("slope", "slope"), ("time_to_event", "hazard_ratio"))] == [
        "fitted"
    ] * 3
    assert [origin_of(m, s) for m, s in (("ancova", "ls_mean"), ("time_to_event", "log_rank_p"))] == ["closed form"] * 2
