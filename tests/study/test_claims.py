"""claims.toml: printed numbers keep their digits; a fault is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from alsbench.errors import StudyError
from alsbench.study.claims import parse_claims, printed, read_claims

CLAIM = """schema = 1
[[claims]]
name = "one"
endpoint = "cafs"
comparison = "G1-M6"
contrast = { p_value = "0.024" }
"""


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("7.29", 7.285, 7.295),
        ("0.10", 0.095, 0.105),
        ("0.1", 0.05, 0.15),
        ("12", 11.5, 12.5),
        (12, 11.5, 12.5),
        (0.25, 0.245, 0.255),
        (".342", 0.3415, 0.3425),
        ("-1.0", -1.05, -0.95),
        ("\u22121.0", -1.05, -0.95),
        ("33 %", 32.5, 33.5),
        ("<0.001", float("-inf"), 0.001),
        (">0.5", 0.5, float("inf")),
    ],
)
def test_what_a_printed_number_stands_for(text: str | float, low: float, high: float) -> None:
    found = printed(text)
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize("text", ["", "n.s.", "0.02 to 0.03", "1e-3", "1,5", "0.02*"])
def test_what_is_no_printed_number(text: str) -> None:
    with pytest.raises(ValueError, match="not a printed number"):
        printed(text)


def test_a_claim() -> None:
    (claim,) = parse_claims(CLAIM)
    assert (claim.subgroup, claim.visit, claim.population) == ("overall", None, "")
    assert [(part, stat, number.text) for part, stat, number in claim.numbers()] == [("contrast", "p_value", "0.024")]


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("endpoint", "endpont", "claims.toml:4 claims[1].endpont", "unknown key 'endpont'"),
        ('"0.024"', '"n.s."', "claims.toml:6 claims[1].contrast.p_value", "not a printed number"),
        ('contrast = { p_value = "0.024" }', "", "claims.toml:2 claims[1]", "has no number"),
        ("comparison", "# comparison", "claims.toml:2 claims[1].comparison", "'comparison' is missing"),
        ("schema = 1", "schema = 2", "claims.toml:1 schema", "not allowed"),
        ('name = "one"', "name = ", "claims.toml:3", "not valid TOML"),
    ],
)
def test_a_fault_is_named_with_its_line(old: str, new: str, where: str, what: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_claims(CLAIM.replace(old, new, 1))
    assert caught.value.where == where
    assert what in caught.value.what


def test_names_tell_claims_apart() -> None:
    with pytest.raises(StudyError, match="two claims are named 'one'"):
        parse_claims(CLAIM + CLAIM.removeprefix("schema = 1\n"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no file of claims"):
        read_claims(tmp_path / "claims.toml")
    (tmp_path / "claims.toml").write_bytes(b"schema = 1 # \xff")
    with pytest.raises(StudyError, match="not UTF-8"):
        read_claims(tmp_path / "claims.toml")


def test_a_file_nested_too_deeply_is_refused_as_a_study_file_is() -> None:
    with pytest.raises(StudyError, match="nested too deeply"):
        parse_claims("claims = " + "[" * 5000 + "]" * 5000)
