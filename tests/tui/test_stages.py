"""Stages by hand from the rules: King's (Balendra 2014), MiToS (Chio 2015)."""

from __future__ import annotations

from alsbench.tui.screens.stages import Staged, staged

FULL = {f"ALSFR{k:02d}": 4.0 for k in range(1, 13) if k != 5} | {"ALSFR05A": 4.0}


def test_a_full_score_has_no_stage() -> None:
    assert staged(FULL) == Staged(0, 0, (12.0, 12.0, 12.0, 12.0))


def test_regions_count_and_gastrostomy_is_four() -> None:
    assert staged(FULL | {"ALSFR01": 3.0}).kings == 1  # bulbar
    assert staged(FULL | {"ALSFR02": 2.0, "ALSFR04": 3.0, "ALSFR08": 1.0}).kings == 3
    without = {k: v for k, v in FULL.items() if k != "ALSFR05A"}
    assert staged(without | {"ALSFR05B": 4.0}).kings == 4
    assert staged(FULL | {"ALSFR12": 3.0}).kings == 4
    assert staged(FULL | {"ALSFR10": 0.0}).kings == 4


def test_mitos_counts_lost_domains() -> None:
    assert staged(FULL | {"ALSFR08": 1.0}).mitos == 1  # movement
    assert staged(FULL | {"ALSFR01": 1.0}).mitos == 0  # communication needs speech and handwriting
    assert staged(FULL | {"ALSFR01": 1.0, "ALSFR04": 1.0, "ALSFR03": 0.0, "ALSFR12": 2.0, "ALSFR06": 1.0}).mitos == 4


def test_a_missing_item_leaves_what_needs_it_missing() -> None:
    some = {k: v for k, v in FULL.items() if k != "ALSFR08"}
    assert staged(some) == Staged(None, None, (12.0, 12.0, None, 12.0))
    assert staged(some | {"ALSFR12": 0.0}).kings == 4, "stage 4 does not need the walking item"
