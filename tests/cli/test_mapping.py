"""``init`` on a terminal shows what each column is taken for, and writes only what the person there leaves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ptyprocess
import pytest
from tests.data.derive.foreign import subjects, values

from alsbench.cli.mapping import mapping_lines, with_line
from alsbench.study.model import SourceMap, SourceParameter

PROMPT = "as it was: "


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A row a visit whose second date is the one of the visit."""
    frame = values().merge(subjects().drop(columns="first_dose"), on="patient_id")
    frame.insert(2, "exam_date", frame.date)
    frame = frame.rename(columns={"total": "alsfrs_total", "fvc": "fvc_pct", "nfl": "neuro"})
    frame.to_csv(tmp_path / "v.csv", index=False)
    return tmp_path / "v.csv"


def talk(words: list[str], answers: list[str]) -> tuple[int, str]:
    """Exit code and everything shown; each answer is typed at a prompt."""
    env = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1"}
    child = ptyprocess.PtyProcessUnicode.spawn([sys.executable, "-m", "alsbench", *words], env=env, dimensions=(40, 120))
    shown = ""
    for answer in answers:
        seen = ""
        while PROMPT not in seen:
            seen += child.read(4096)
        shown += seen
        child.write(answer)
    while True:
        try:
            shown += child.read(65536)
        except EOFError:
            break
    child.wait()
    return child.exitstatus, shown.replace("\r\n", "\n")


@pytest.mark.terminal
def test_lines_are_changed_and_then_written(data: Path, tmp_path: Path) -> None:
    ws = tmp_path / "ws"
    code, shown = talk(["init", str(ws), str(data)], ["4 date\n", "4 nosuch\n", "99 x\n", "18 neuro\n", "\n"])
    assert code == 0, shown
    assert "  4 date                 exam_date" in shown
    assert "there is no nosuch: known: " in shown
    assert "99 x is no line and column" in shown
    text = (ws / "study.toml").read_text()
    assert 'date = "date"  # CHECK' in text and 'nfl = "neuro"  # CHECK' in text
    assert "[endpoints.nfl]" in text


@pytest.mark.terminal
@pytest.mark.parametrize("stop", ["q\n", "\x04"])
def test_who_stops_writes_nothing(data: Path, tmp_path: Path, stop: str) -> None:
    code, _ = talk(["init", str(tmp_path / "ws"), str(data)], [stop])
    assert code == 130
    assert not (tmp_path / "ws" / "study.toml").exists()


@pytest.mark.terminal
def test_quiet_asks_nothing(data: Path, tmp_path: Path) -> None:
    code, shown = talk(["init", str(tmp_path / "ws"), str(data), "--quiet"], [])
    assert code == 0 and PROMPT not in shown
    assert (tmp_path / "ws" / "study.toml").exists()


def test_a_line_is_a_key_of_the_source() -> None:
    items = SourceParameter(items=("q1", "q2"))
    source = SourceMap(layout="visits", subject="id", arm="arm", visit_times={"V1": 0.0}, parameters={"alsfrs": items})
    lines = dict(mapping_lines(source))
    assert lines["parameters.alsfrs"] == "q1, q2" and lines["death"] == "" and lines["baseline.SEX"] == ""
    twelve = source.model_copy(update={"parameters": {"alsfrs": SourceParameter(items=tuple(f"q{k}" for k in range(1, 13)))}})
    assert dict(mapping_lines(twelve))["parameters.alsfrs"] == "q1, q2 ... q12 (12 columns)"
    assert with_line(source, "parameters.alsfrs", "total").parameters == {"alsfrs": "total"}
    assert with_line(source, "parameters.alsfrs", "").parameters == {}
    assert with_line(source, "baseline.SEX", "gender").baseline == {"SEX": "gender"}
    assert with_line(source, "visit", "week").visit_times == {}  # times are those of the column that was
    assert with_line(source, "death", "died_on").visit_times == {"V1": 0.0}
