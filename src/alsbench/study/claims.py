"""Published numbers to be checked: ``claims.toml``, one ``[[claims]]`` for each result that somebody reported.

The numbers stand as texts, so that their digits count: ``"0.10"`` claims more than ``0.1``. A p-value may be ``"<0.001"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from alsbench.errors import shorten
from alsbench.study.checks import Fault
from alsbench.study.model import ENTRIES, LARGEST, Table
from alsbench.study.study_file import study_error
from alsbench.study.toml_text import file_text, key_lines, toml_table
from alsbench.study.validation_errors import explain

PARTS = ("contrast", "treatment", "reference", "group")
OF_TWO_ARMS = PARTS[:3]  # numbers that need a comparison
Relation = Literal["=", "<", ">"]
Number = str | int | float
MOST_DIGITS = 20
_PRINTED = re.compile(r"\s*(?P<relation>[<>=]?)\s*(?P<number>[-+\u2212]?\d+(?:\.\d+)?|[-+\u2212]?\.\d+)\s*%?\s*")


@dataclass(frozen=True)
class Printed:
    """A number as it was printed: any double from ``low`` to ``high`` would have been printed so."""

    text: str
    relation: Relation
    value: float
    half: float  # half a unit of the last printed digit

    @property
    def low(self) -> float:
        return -float("inf") if self.relation == "<" else self.value - (self.half if self.relation == "=" else 0.0)

    @property
    def high(self) -> float:
        return float("inf") if self.relation == ">" else self.value + (self.half if self.relation == "=" else 0.0)


def printed(text: Number) -> Printed:
    """The printed number that a text means. Raises ValueError for anything else."""
    if isinstance(text, int) and abs(text) > LARGEST:  # Python refuses to write more than 4300 digits
        raise ValueError(f"this is not a printed number: it is larger than {LARGEST:g}")
    found = _read(str(text))
    if found is None:
        raise ValueError(f"{shorten(repr(text))} is not a printed number")
    return found


@lru_cache(maxsize=4096)  # every relation of a claim asks for its numbers
def _read(text: str) -> Printed | None:
    match = _PRINTED.fullmatch(text)
    if match is None or len(match["number"]) > MOST_DIGITS:
        return None
    digits = Decimal(match["number"].replace("\u2212", "-"))
    half = 0.5 * 10.0 ** int(digits.as_tuple().exponent)
    relation: Relation = match["relation"] or "="  # type: ignore[assignment]
    return Printed(text.strip(), relation, float(digits), half)


class Claim(Table):
    """One published result. ``contrast``, ``treatment`` and ``reference`` hold printed numbers by the names that results use
    (``difference``, ``p_value``, ``conf_low``; ``ls_mean``, ``n``), ``group`` counts of all ``arms`` together, which need no
    comparison. ``line`` names the line of a table (``related serious``, a term, ``day 365``), ``level`` the confidence of the
    intervals in percent, ``sides`` of what test the p-values are; the other keys say which analysis they are of."""

    name: str
    source: str = ""
    endpoint: str
    subgroup: str = "overall"
    comparison: str = ""
    arms: tuple[str, ...] = ()
    line: str = ""
    visit: Number | None = None
    population: str = ""
    method: str = ""
    covariance: str = ""
    df: str = ""
    options: dict[str, Number | bool] = Field(default_factory=dict)
    level: Number = 95
    sides: Literal[1, 2] = 2
    contrast: dict[str, Number] = Field(default_factory=dict)
    treatment: dict[str, Number] = Field(default_factory=dict)
    reference: dict[str, Number] = Field(default_factory=dict)
    group: dict[str, Number] = Field(default_factory=dict)

    @property
    def confidence(self) -> float:
        """Of the intervals, as a share."""
        return printed(self.level).value / 100.0

    def numbers(self) -> Iterator[tuple[str, str, Printed]]:
        """Every published number: where it stands, its statistic, and how it was printed."""
        for part in PARTS:
            for stat, text in getattr(self, part).items():
                yield part, stat, printed(text)

    def number(self, part: str, stat: str) -> Printed | None:
        """A published number, None where the claim does not have it."""
        text = getattr(self, part).get(stat)
        return None if text is None else printed(text)


class Claims(Table):
    schema_: Literal[1] = Field(alias="schema")
    claims: Annotated[tuple[Claim, ...], Field(max_length=ENTRIES)]


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of a file. Raises StudyError that names the line and what is wrong there."""
    text = file_text(path, named="file of claims", hint="docs/claims.md shows how one is written")
    return parse_claims(text, path.name)


def parse_claims(text: str, file: str = "claims.toml") -> tuple[Claim, ...]:
    """The claims that ``text`` makes. Raises StudyError."""
    raw = toml_table(text, file)
    lines = key_lines(text)
    try:
        claims = Claims.model_validate(raw).claims
    except ValidationError as error:
        raise study_error(explain(error, raw, Claims), lines, file) from None
    found = list(_faults(claims))
    if found:
        raise study_error(found, lines, file)
    return claims


def _faults(claims: tuple[Claim, ...]) -> Iterator[Fault]:
    if not claims:
        yield Fault(("claims",), "there are no claims", "add [[claims]]")
    names: set[str] = set()
    for i, claim in enumerate(claims):
        if claim.name in names:
            yield Fault(("claims", i, "name"), f"two claims are named {claim.name!r}", "names tell claims apart")
        names.add(claim.name)
        if not any(getattr(claim, part) for part in PARTS):
            hint = 'for instance: contrast = { difference = "7.29", p_value = "0.024" }'
            yield Fault(("claims", i), "the claim has no number", hint)
        for path, value in (("visit",), claim.visit), *((("options", k), v) for k, v in claim.options.items()):
            if isinstance(value, int | float) and not abs(value) <= LARGEST:  # false for nan too
                yield Fault(("claims", i, *path), "this number is not finite, or too large", f"at most {LARGEST:g}")
        if not claim.comparison and any(getattr(claim, part) for part in OF_TWO_ARMS):
            hint = "say which arms are compared; counts of all arms together go into group"
            yield Fault(("claims", i, "comparison"), "'comparison' is missing", hint)
        for part in PARTS:
            for stat, text in getattr(claim, part).items():
                try:
                    printed(text)
                except ValueError as error:
                    yield Fault(("claims", i, part, stat), str(error), 'as printed: "7.29", "-1.0", "<0.001"')
        try:
            level = printed(claim.level).value
        except ValueError as error:
            yield Fault(("claims", i, "level"), str(error), "of the intervals, in percent: 95")
        else:
            if not 50 <= level < 100:
                yield Fault(
                    ("claims", i, "level"), f"{claim.level} % is no confidence of an interval", "for instance 90, 95, 99"
                )
