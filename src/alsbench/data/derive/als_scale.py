"""Which item of the ALSFRS-R a questionnaire record is, from its code or its words, and totals of whole administrations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alsbench.study.als import ITEM_CODES

TOTAL = "ALSFRSR"
_WORDS = (
    (r"speech", "ALSFR01"),
    (r"saliva", "ALSFR02"),
    (r"swallow", "ALSFR03"),
    (r"handwriting", "ALSFR04"),
    (r"without gastrostomy|no gastrostomy", "ALSFR05A"),
    (r"with gastrostomy|gastrostomy", "ALSFR05B"),
    (r"cutting", "ALSFR05A"),
    (r"dressing", "ALSFR06"),
    (r"turning", "ALSFR07"),
    (r"walking", "ALSFR08"),
    (r"stairs", "ALSFR09"),
    (r"dyspn", "ALSFR10"),
    (r"orthopn", "ALSFR11"),
    (r"respiratory insufficiency|insufficiency", "ALSFR12"),
)
_CODE = re.compile(r"ALSFR1?(\d\d)([AB]?)")
_TOTAL = re.compile(r"total|^ALSFRSR$|^ALSTOT$", re.IGNORECASE)


def als_code(testcd: str, test: str, category: str) -> str:
    """``ALSFR01`` to ``ALSFR12``, ``ALSFR05A``, ``ALSFR05B``, ``ALSFRSR`` for the total; empty for any other test."""
    if "ALSFRS" not in f"{category} {test}".upper() and not testcd.startswith("ALS"):
        return ""
    if _TOTAL.search(test) or _TOTAL.search(testcd):
        return TOTAL
    words = test.lower()
    for pattern, code in _WORDS:
        if re.search(pattern, words):
            return code
    match = _CODE.fullmatch(testcd)
    if match is None:
        return ""
    code = f"ALSFR{match[1]}{match[2]}"
    return "ALSFR05A" if code == "ALSFR05" else code if code in ITEM_CODES else ""


def item_number(code: str) -> int:
    """1 to 12."""
    return int(code[5:7])


def codes_of(testcds: Sequence[str], tests: Sequence[str], categories: Sequence[str]) -> list[str]:
    """:func:`als_code` of records, each distinct test looked at once."""
    known: dict[tuple[str, str, str], str] = {}
    keys = list(zip(testcds, tests, categories, strict=True))
    for key in set(keys):
        known[key] = als_code(*key)
    return [known[k] for k in keys]
