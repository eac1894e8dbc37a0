"""What a number, a name or a list of a file may be: finite, of a size that a trial can have, and no more of them than anybody
writes, so that nothing later overflows or takes hours.

``true`` is no number and ``"6"`` is none either: whoever writes so means something else. Numbers nearer to zero than
``SMALLEST`` are refused but for zero itself, since dividing by them gives no number.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, Strict

SMALLEST, LARGEST = 1e-12, 1e12
LATEST = 100_000  # visit number or day of a trial
ENTRIES = 1000  # of a list or a table
SUBGROUPS = 1000
NAME_LENGTH, TEXT_LENGTH = 300, 3000
SEEDS = 2**63 - 1


def _no_sliver(value: float) -> float:
    if value != 0 and abs(value) < SMALLEST:
        raise ValueError(f"{value:g} is no number that can be used: it is 0, or at least {SMALLEST:g} from it")
    return value


Number = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST), AfterValidator(_no_sliver)]
When = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=-LATEST, le=LATEST), AfterValidator(_no_sliver)]
Seed = Annotated[int, Strict(), Field(ge=0, le=SEEDS)]
Whole = Annotated[int, Strict(), Field(ge=-LATEST, le=LATEST)]
Switch = Annotated[bool, Strict()]
Name = Annotated[str, Field(max_length=NAME_LENGTH)]
Text = Annotated[str, Field(max_length=TEXT_LENGTH)]
Names = Annotated[tuple[Name, ...], Field(max_length=ENTRIES)]
Numbers = Annotated[tuple[Number, ...], Field(max_length=ENTRIES)]
VisitNumbers = Annotated[tuple[When, ...], Field(max_length=ENTRIES)]
