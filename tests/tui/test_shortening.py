"""Short names keep what tells arms apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from alsbench.tui.cell_text import short_names


def test_shared_words_go_first() -> None:
    pilot = ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")
    assert short_names(pilot, 10, "…") == ("Placebo", "Low Dose", "High Dose")
    assert short_names(pilot, 4, "…") == ("Pla…", "Low", "High")
    assert short_names(pilot, 30, "…") == pilot
    assert short_names(("Tofersen 100 mg monthly", "Placebo"), 8, "~") == ("Toferse~", "Placebo")


@given(st.lists(st.text("abcXY ", min_size=1, max_size=24).map(str.strip).filter(bool), min_size=1, max_size=5, unique=True))
def test_they_fit_and_stay_different(names: list[str]) -> None:
    made = short_names(names, 8, "…")
    assert all(cell_len(m) <= 8 for m in made)
    assert len(set(made)) == len(names)
