"""Stages of one visit by hand from the rules: King's (Balendra 2014), MiToS (Chio 2015)."""

from __future__ import annotations

import math

from alsbench.tui.screens.profile import staged

FULL = {f"ALSFR{k:02d}": 4.0 for k in range(1, 13) if k != 5} | {"ALSFR05A": 4.0}
NAN = math.nan


def totals(scores: dict[str, float]) -> list[float]:
    return [float(v) for v in staged([scores])[0][:4]]


def kings(scores: dict[str, float]) -> float:
    return float(staged([scores])[0][4])


def mitos(scores: dict[str, float]) -> float:
    return float(staged([scores])[0][5])


def test_a_full_score_has_no_stage() -> None:
    assert staged([FULL, FULL]).tolist() == [[12.0, 12.0, 12.0, 12.0, 0.0, 0.0]] * 2


def test_regions_count_and_gastrostomy_is_four() -> None:
    assert kings(FULL | {"ALSFR01": 3.0}) == 1  # bulbar
    assert kings(FULL | {"ALSFR02": 2.0, "ALSFR04": 3.0, "ALSFR08": 1.0}) == 3
    without = {k: v for k, v in FULL.items() if k != "ALSFR05A"}
    assert kings(without | {"ALSFR05B": 4.0}) == 4
    assert kings(FULL | {"ALSFR12": 3.0}) == 4
    assert kings(FULL | {"ALSFR10": 0.0}) == 4


def test_mitos_counts_lost_domains() -> None:
    assert mitos(FULL | {"ALSFR08": 1.0}) == 1  # movement
    assert mitos(FULL | {"ALSFR01": 1.0}) == 0  # communication needs speech and handwriting
    assert mitos(FULL | {"ALSFR01": 1.0, "ALSFR04": 1.0, "ALSFR03": 0.0, "ALSFR12": 2.0, "ALSFR06": 1.0}) == 4


def test_a_missing_item_leaves_what_needs_it_missing() -> None:
    some = {k: v for k, v in FULL.items() if k != "ALSFR08"}
    assert str(totals(some)) == str([12.0, 12.0, NAN, 12.0])
    assert math.isnan(kings(some)) and math.isnan(mitos(some))
    assert kings(some | {"ALSFR12": 0.0}) == 4, "stage 4 does not need the walking item"
