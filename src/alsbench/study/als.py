"""ALS as data: the ALSFRS-R's items and domains, staging rules, and subject-level columns known only after baseline.

ALSFRS-R: Cedarbaum 1999 (doi 10.1016/s0022-510x(99)00210-5). King's stages from its items: Balendra 2014
(doi 10.3109/21678421.2013.865753). MiToS: Chiò 2015 (doi 10.1136/jnnp-2013-306589).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Domain = Literal["bulbar", "fine motor", "gross motor", "respiratory"]

MAX_ITEM = 4
MAX_TOTAL = 48


@dataclass(frozen=True)
class Item:
    """An item of the ALSFRS-R, scored 0-4, higher is better. Item 5 is asked as 5a or, with a gastrostomy, as 5b."""

    number: int
    title: str
    domain: Domain
    codes: tuple[str, ...]


def _item(number: int, title: str, domain: Domain) -> Item:
    codes = ("ALSFR05A", "ALSFR05B") if number == 5 else (f"ALSFR{number:02d}",)
    return Item(number, title, domain, codes)


ITEMS: tuple[Item, ...] = (
    _item(1, "Speech", "bulbar"),
    _item(2, "Salivation", "bulbar"),
    _item(3, "Swallowing", "bulbar"),
    _item(4, "Handwriting", "fine motor"),
    _item(5, "Cutting food and handling utensils", "fine motor"),
    _item(6, "Dressing and hygiene", "fine motor"),
    _item(7, "Turning in bed and adjusting bed clothes", "gross motor"),
    _item(8, "Walking", "gross motor"),
    _item(9, "Climbing stairs", "gross motor"),
    _item(10, "Dyspnoea", "respiratory"),
    _item(11, "Orthopnoea", "respiratory"),
    _item(12, "Respiratory insufficiency", "respiratory"),
)
DOMAINS: dict[Domain, tuple[int, ...]] = {
    "bulbar": (1, 2, 3),
    "fine motor": (4, 5, 6),
    "gross motor": (7, 8, 9),
    "respiratory": (10, 11, 12),
}
ITEM_CODES: tuple[str, ...] = tuple(code for item in ITEMS for code in item.codes)


@dataclass(frozen=True)
class Threshold:
    """True when any of ``items`` scores ``at_most`` or less."""

    items: tuple[int, ...]
    at_most: int


# King's stage 4: gastrostomy (item 5 asked as 5b), or any of these; else the number of regions involved; death is 5.
KINGS_STAGE_4: tuple[Threshold, ...] = (Threshold((10,), 0), Threshold((12,), 3))
KINGS_REGIONS: tuple[Threshold, ...] = (Threshold((1, 2, 3), 3), Threshold((4, 5), 3), Threshold((8,), 3))

# MiToS: one point for each domain lost. A domain is lost when any of its alternatives holds; an alternative holds when all
# of its thresholds do. Death is 5.
MITOS_DOMAINS: dict[str, tuple[tuple[Threshold, ...], ...]] = {
    "movement": ((Threshold((8,), 1),), (Threshold((6,), 1),)),
    "swallowing": ((Threshold((3,), 1),),),
    "communication": ((Threshold((1,), 1), Threshold((4,), 1)),),
    "breathing": ((Threshold((10,), 1),), (Threshold((12,), 2),)),
}
# Subject-level columns that only the course of the trial determines. A subgroup made of them is chosen by its outcome.
_POST_BASELINE = re.compile(
    r"""^(?:
        DTH.*                                   # death flag, date, cause
      | EO[ST](?:STT|DT|DTM|DY|REAS\w*|FL)     # end of study, end of treatment
      | EOP\d+\w*                               # end of period
      | DC[STP](?:REAS\w*|DT|DTM|DY|FL) | DCREAS\w* | DCDECOD | DISC\w*FL | DSRAEFL   # discontinuation and why
      | (?:TRT|TR\d\d|AP\d\d|PH\d+)E(?:DT|DTM|TM|DTF|TMF|DY)                        # end of treatment or period
      | TRTDUR\w* | TR\d\dDUR\w* | AVGDD | CUMDOSE\w* | NDOSES?\w* | DOSE?CUM\w* | ADHER\w* | COMPLIANC\w*
      | RF(?:X?EN|PEN|END)\w*                   # RFENDT, RFXENDTC, RFPENDTC
      | LST(?:ALV|DOS|VIS|CON|SV)\w* | LASTV\w* | VISNUMEN | FUP?DUR\w*
      | COMP(?!ANY)\w*FL | PPROTFL | PPS?FL | PP\dFL
      | RANDEDT | UNBLIND\w* | \w*CHG | AVAL\w*
      | RESP(?:FL|ONSE)\w* | PFS\w* | OS(?:DT|DUR|TIM)\w* | SURV\w*
    )$""",
    re.VERBOSE,
)


def is_post_baseline(column: str) -> bool:
    """Whether an ADSL column of this name is, by ADaM's naming, known only after randomisation."""
    return _POST_BASELINE.match(column.upper()) is not None
