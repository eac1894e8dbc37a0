"""ALS as data: items, domains, and which subject-level columns only the course of the trial determines."""

from __future__ import annotations

import pytest

from alsbench.study.als import DOMAINS, ITEM_CODES, ITEMS, is_post_baseline

AFTER_BASELINE = """TRTEDT TRTEDTM TR01EDT PPROTFL COMPLFL COMP24FL DTHFL DTHDT DTHCAUS EOSSTT EOSDT EOTSTT DCSREAS DCTREAS
DISCONFL TRTDURD CUMDOSE LSTALVDT RFENDTC RFPENDTC VISNUMEN AVGDD CHG dthfl"""
AT_BASELINE = """AGE SEX RACE ARM TRT01P TRTSDT RANDDT SITEID FASFL ITTFL SAFFL EFFFL LEADRATE BLALSFR BLNFL BLSVC DURDIS
ONSETSIT RILUFL BMIBL EDUCLVL DISONSDT MMSETOT VISIT1DT RFSTDTC WEIGHTBL STRATA1 DOSEGR1 COMORBFL COUNTRY
EOSBL EOSINO LSTATUS"""


def test_items_and_domains() -> None:
    assert [i.number for i in ITEMS] == list(range(1, 13))
    assert len(ITEM_CODES) == 13
    for domain, numbers in DOMAINS.items():
        assert tuple(i.number for i in ITEMS if i.domain == domain) == numbers


@pytest.mark.parametrize("column", AFTER_BASELINE.split())
def test_columns_known_only_after_baseline(column: str) -> None:
    assert is_post_baseline(column)


@pytest.mark.parametrize("column", AT_BASELINE.split())
def test_baseline_columns(column: str) -> None:
    assert not is_post_baseline(column)
