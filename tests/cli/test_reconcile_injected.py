"""Differences put into results one at a time: each gets the class that it was made to have.

Every number of an MMRM and of an ANCOVA of the first reference trial is changed in ways whose class is known beforehand, by the
printed text (`stat_fmt`) and by hand-written rules; none of them is asked of the classes themselves.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
WHOLE = {"n", "n_subjects", "n_observations", "iterations", "visits_tested"}
ARMS_ORDERED = "ls_mean"


def printed(value: float, decimals: int) -> str:
    return str(Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP))


def injections(row: dict[str, Any]) -> Iterator[tuple[float, str]]:
    """Another value of a row and the class that it must have."""
    value, name, text = row["stat"], row["stat_name"], str(row["stat_fmt"])
    if name in WHOLE:
        yield value + 1, "different"
        return
    if name in ("p_value", "p_adjusted"):
        yield (0.2 if value < 0.04 else 0.001), ("changes a conclusion" if value < 0.04 or value >= 0.05 else "different")
        return
    if not isinstance(value, float) or "." not in text or "e" in text or text[:1] == "<" or abs(value) > 1e6:
        return
    decimals = len(text.partition(".")[2])
    unit = 10.0**-decimals
    yield value * (1 + 2e-15), "noise"
    near = value + 0.11 * unit
    if printed(near, decimals) == text and abs(near - value) > 2e-6 * max(abs(value), 5) and name not in (ARMS_ORDERED, "df"):
        yield near, "same as printed"
    far = value + (7 if value > 0 else -7) * unit  # away from zero: no sign turns
    if name not in (ARMS_ORDERED, "df") and 7 * unit > 1e-5 * abs(value):  # of a fit more than 1e-6 of its size
        yield far, "different"
    if name == "difference" and abs(value) > 10 * unit:
        yield -value, "changes a conclusion"


def test_every_injected_difference_has_its_class(run: Run, workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    random_ = random.Random(11)
    made: Counter[str] = Counter()
    for endpoint in ("alsfrs", "alsfrs_ancova"):
        assert run("endpoint", endpoint, "--subgroup", "slow", "-w", workspace, "-o", path, "-q").code == 0
        content = json.loads(path.read_text())
        rows = content["results"]
        planned = [(i, *found) for i, row in enumerate(rows) if row["stat"] is not None for found in injections(row)]
        random_.shuffle(planned)
        while planned:
            batch, rest = {}, []
            for i, value, expected in planned:  # one change a row and a run
                if i in batch:
                    rest.append((i, value, expected))
                else:
                    batch[i] = (value, expected)
            planned = rest
            changed = [{**row, "stat": batch[i][0]} if i in batch else row for i, row in enumerate(rows)]
            path.write_text(json.dumps({**content, "results": changed}))
            ran = run("reconcile", workspace, path, "--format", "json")
            found = {int(r["where"].split()[1]) - 1: r["class"] for r in json.loads(ran.out)["rows"]}
            wrong = [(rows[i]["stat_name"], rows[i]["stat"], v, found[i], e) for i, (v, e) in batch.items() if found[i] != e]
            assert wrong == []
            assert {found[i] for i in found if i not in batch} <= {"identical"}
            made.update(e for _, e in batch.values())
    print(made)
    assert sum(made.values()) >= 300
    assert set(made) == {"noise", "same as printed", "different", "changes a conclusion"}
