"""What an evidence table asks for: counts, never seconds. `benchmarks/bench_evidence.py` prints both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alsbench.analysis import adjusting, cells
from alsbench.analysis.evidence import evidence
from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.data.snapshot import Snapshot
from alsbench.study.model import Hypothesis, Multiplicity

FAMILY = (("cafs", "G1-M6"), ("cafs", "G2-M12"), ("alsfrs", "G1-M6"), ("alsfrs", "G2-M12"))


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[object]:
    """How often a data set was read, a subgroup asked of the database, a method answered, a family integrated."""
    seen: Counter[object] = Counter()

    def counted(owner: Any, name: str, label: Callable[..., object]) -> None:
        function = getattr(owner, name)

        def call(*args: Any, **more: Any) -> Any:
            seen[label(*args)] += 1
            return function(*args, **more)

        monkeypatch.setattr(owner, name, call)

    counted(Snapshot, "frame", lambda _snapshot, table, *_: ("read", table))
    counted(Snapshot, "truth", lambda _snapshot, _table, where, *_: ("asked", str(where)))
    counted(cells, "analysed", lambda ask: ("answered", ask.endpoint.name, ask.member.phrase))
    counted(adjusting, "max_t", lambda *_: "max-t")
    return seen


def planned(source: Source) -> Source:
    hypotheses = tuple(Hypothesis(name=f"{e}:{c}", endpoint=e, comparison=c) for e, c in FAMILY)
    plan = Multiplicity(method="max_t", hypotheses=hypotheses)
    return replace(source, study=source.study.model_copy(update={"multiplicity": plan}))


@pytest.fixture
def table(trial: Source, counts: Counter[object]) -> Any:
    return evidence(planned(trial), ["slow"])


def test_each_data_set_is_read_once(table: Any, counts: Counter[object], trial: Source) -> None:
    """The subject-level table, and one data set for each parameter; three endpoints are of the ALSFRS-R."""
    wanted = {(e.dataset.upper(), e.paramcd) for e in evidence_endpoints(trial) if e.dataset}
    wanted |= {(e.event.dataset.upper(), e.event.paramcd) for e in evidence_endpoints(trial) if e.event is not None}
    reads = {key[1]: n for key, n in counts.items() if isinstance(key, tuple) and key[0] == "read"}
    assert reads == {"ADSL": 1, **Counter(dataset for dataset, _ in wanted)}
    assert sum(e.paramcd == "ALSFRSR" for e in evidence_endpoints(trial)) > 1


def test_each_subgroup_is_asked_once(table: Any, counts: Counter[object]) -> None:
    asked = [n for key, n in counts.items() if isinstance(key, tuple) and key[0] == "asked"]
    assert asked == [1], "one expression, whatever the number of endpoints; its complement is not asked apart"


def test_each_piece_is_fitted_once_and_the_gates_are_decided_once(table: Any, counts: Counter[object], trial: Source) -> None:
    answered = {key: n for key, n in counts.items() if isinstance(key, tuple) and key[0] == "answered"}
    assert set(answered.values()) == {1}
    assert len(answered) == len(evidence_endpoints(trial)) * len(table.columns), "the plan asks for no piece of its own"
    assert counts["max-t"] == 1
    own = [c for c in table.cells if c.subgroup == "overall" and (c.endpoint, c.comparison) in FAMILY]
    assert len(own) == 4
    assert all(c.p_adjusted is not None and c.p_adjusted >= c.p and c.verdict for c in own)


def test_an_answer_does_not_fit_its_gates_again(trial: Source, counts: Counter[object]) -> None:
    source = planned(trial)
    for name in ("cafs", "alsfrs", "cafs"):
        answer(Question(name), source)
    assert counts["max-t"] == 1


def test_only_what_the_table_shows_is_worked_out(trial: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """No type 3 test and no adjusted p of a first visit: nobody sees them in a cell."""
    from alsbench.analysis.endpoints import mmrm as endpoint

    def never(*_: object) -> None:
        raise AssertionError("not for a cell")

    for name in ("type3_tests", "first_visits_adjusted", "diagnose"):
        monkeypatch.setattr(endpoint, name, never)
    piece = cells.evidence_piece(trial, trial.endpoint("alsfrs"), "slow", trial.study.comparisons)
    visits = {r.visit_number for r in piece.rows if r.context == "arm"}
    assert visits == {c.visit_number for c in piece.cells}
    with pytest.raises(AssertionError, match="not for a cell"):
        answer(Question("alsfrs"), trial)
