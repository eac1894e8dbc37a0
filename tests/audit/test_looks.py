"""The ledger counts contrasts, not questions."""

from __future__ import annotations

from pathlib import Path

from alsbench.audit.log import append, contrasts_seen


def test_a_contrast_counts_once_however_it_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(path, "look", {"question": "1", "snapshot": "s", "contrasts": ["a", "b"], "blinded": True}, who="ann")
    append(path, "export", {"question": "2", "snapshot": "t", "contrasts": ["b"], "post_hoc": True}, who="bob")
    append(path, "load", {"contrasts": ["c"]}, who="ann")
    append(path, "look", {"question": "3"}, who="ann")
    seen = {s.contrast: s for s in contrasts_seen(path)}
    assert list(seen) == ["a", "b"]
    assert (seen["a"].times, seen["a"].who, seen["a"].blinded, seen["a"].post_hoc) == (1, ("ann",), True, False)
    assert (seen["b"].times, seen["b"].snapshots, seen["b"].who, seen["b"].blinded) == (2, 2, ("ann", "bob"), False)
    assert contrasts_seen(tmp_path / "none.jsonl") == ()
