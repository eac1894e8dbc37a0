"""The installation report: complete, honest about failure, carried by the package, and the source of docs/validation.md."""

from __future__ import annotations

import getpass
import importlib.util
import json
import math
import platform
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsbench.__main__ import main
from alsbench.analysis.qualification import published
from alsbench.analysis.qualification.checks import METHODS, ReferenceCheck, Tally
from alsbench.analysis.qualification.material import FOLDERS, Archive, software
from alsbench.analysis.qualification.run import Qualification, qualify
from alsbench.errors import UnavailableError
from alsbench.stats import multiplicity
from alsbench.stats.errors import StatsError
from alsbench.stats.proportions import Interval

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole() -> Qualification:
    return qualify()


def test_every_number_agrees(whole: Qualification) -> None:
    assert whole.failed == ()
    assert len(whole.checks) > 90_000


def test_every_method_is_checked_and_its_tests_exist(whole: Qualification) -> None:
    assert [s.method.id for s in whole.by_method()] == list(METHODS)
    for method in METHODS.values():
        assert method.tests and all((ROOT / t).is_file() for t in method.tests), method.id
    assert all(c.reference for c in whole.checks)
    assert len({c.id for c in whole.checks}) == len(whole.checks)


def test_every_reference_file_is_used(whole: Qualification) -> None:
    """But for robust covariances, between-within df and mmrm's own Kenward-Roger for us, which the engine does not have."""
    used = {c.id.split(" ")[0] for c in whole.checks}
    stems = {f"{f}/{p.stem}" for f in FOLDERS for p in (ROOT / "tests/reference" / f / "expected").glob("*.json")}
    assert stems - used == {
        "public/fev_us_BetweenWithin_reml",
        "public/fev_us_EmpiricalCR2_Satterthwaite",
        "public/fev_us_EmpiricalHC0_Satterthwaite",
        "public/fev_us_Kenward-Roger_reml",
    }


def test_by_kind_counts_every_number_once(whole: Qualification) -> None:
    assert sum(len(s.checks) for _, s in whole.by_rule()) == len(whole.checks)
    assert sum(len(s.checks) for s in whole.by_method()) == len(whole.checks)


def test_the_packed_material_is_the_tests_own() -> None:
    pack = load_pack()
    for folder in FOLDERS:
        files = {p.relative_to(pack.REFERENCE / folder).as_posix(): p.read_bytes() for p in pack.files_of(folder)}
        assert dict(Archive(folder).files) == files, f"run: python tests/reference/pack.py ({folder})"
    assert sum(p.stat().st_size for p in pack.MATERIAL.glob("*.zip")) < 2_000_000


def test_packing_twice_gives_the_same_archive(tmp_path: Path) -> None:
    pack = load_pack()
    pack.pack("public", tmp_path / "a.zip")
    pack.pack("public", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def load_pack() -> Any:
    spec = importlib.util.spec_from_file_location("pack", ROOT / "tests/reference/pack.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_missing_material_is_named() -> None:
    with pytest.raises(UnavailableError, match="als-ref-9"):
        _ = Archive("als-ref-9").files


def test_software_is_named() -> None:
    assert software({"versions": {"R": "4.2.2", "mmrm": "0.3.18"}}) == "R 4.2.2, mmrm 0.3.18"
    assert software({"tool": "x.R"}) == "R, x.R"


@pytest.mark.parametrize(
    ("rule", "expected", "scale", "within", "beyond"),
    [
        ("estimate", 2.0, 0.5, 1.9e-6, 2.1e-6),
        ("estimate", 0.1, 0.5, 4.9e-7, 5.1e-7),
        ("se", 0.5, 1.0, 4.9e-7, 5.1e-7),
        ("df", 50.0, 1.0, 4.9e-3, 5.1e-3),
        ("p", 0.04, 1.0, 9.9e-7, 1.1e-6),
        ("log-likelihood", -800.0, 1.0, 9.9e-7, 1.1e-6),
        ("closed", 3.0, 1.0, 2.9e-8, 3.1e-8),
    ],
)
def test_tolerances(rule: Any, expected: float, scale: float, within: float, beyond: float) -> None:
    tally = Tally("m", "case", "R")
    for deviation in (within, -within, beyond, -beyond):
        tally.add(rule, "x", expected, expected + deviation, scale=scale)
    assert [c.passed for c in tally.checks] == [True, True, False, False]
    assert tally.checks[2].deviation == pytest.approx(beyond, rel=1e-3)
    assert tally.checks[2].share > 1 > tally.checks[0].share


def test_exact_means_equal() -> None:
    tally = Tally("m", "case", "R")
    tally.add("exact", "a", 3, 3)
    tally.add("exact", "b", 3, np.nextafter(3, 4))
    tally.texts("c", ["us"], ["us"])
    tally.texts("d", ["us"], ["toeph"])
    assert [c.passed for c in tally.checks] == [True, False, True, False]


def test_a_missing_value_agrees_only_with_a_missing_value() -> None:
    tally = Tally("m", "case", "R")
    for theirs, ours in ((None, None), (None, math.nan), (1.0, None), (None, 1.0)):
        tally.add("estimate", "x", theirs, ours)
    assert [c.passed for c in tally.checks] == [True, True, False, False]
    assert tally.checks[2].deviation == math.inf


def test_another_shape_fails() -> None:
    tally = Tally("m", "case", "R")
    tally.matrix("matrix", "V", np.eye(2), np.eye(3))
    assert [c.passed for c in tally.checks] == [False]
    assert "shape" in tally.checks[0].fault


def test_of_a_symmetric_matrix_the_lower_triangle_counts() -> None:
    tally = Tally("m", "case", "R")
    tally.matrix("matrix", "V", np.eye(3), np.eye(3), symmetric=True)
    assert [c.id.split("V")[1] for c in tally.checks] == ["[0, 0]", "[1, 0]", "[1, 1]", "[2, 0]", "[2, 1]", "[2, 2]"]


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def go(*words: str) -> tuple[int, str, str]:
        code = main(["qualify", *words])
        found = capsys.readouterr()
        return code, found.out, found.err

    return go


def test_json(run: Run) -> None:
    code, out, err = run("--format", "json", "--method", "max-t", "--method", "multiplicity")
    report = json.loads(out)
    assert code == 0
    assert [r["id"] for r in report["rows"]] == ["multiplicity", "max-t"]
    assert {r["verdict"] for r in report["rows"]} == {"pass"}
    assert report["rows"][0]["tests"].startswith("tests/")
    assert 0 <= report["rows"][0]["of_tolerance"] < 1
    assert {"alsbench", "Python", "Packages", "Platform", "Linear algebra", "Reference material"} <= set(report["facts"])
    assert "duckdb" in report["facts"]["Packages"]
    assert report["more"][0]["table"] == "kinds"
    assert "numbers compared" in err


def test_a_wrong_number_fails_the_installation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    right = multiplicity.holm
    monkeypatch.setattr(multiplicity, "holm", lambda p: right(p) + 1e-4)
    code, out, _ = run("--format", "json", "--method", "multiplicity")
    report = json.loads(out)
    assert code == 1
    assert "FAIL" in report["title"]
    assert report["rows"][0]["verdict"] == "fail"
    failures = report["more"][-1]
    assert failures["table"] == "failures"
    assert {r["id"] for r in failures["rows"]} == {f"published/four p-values Holm[{i}]" for i in range(4)}
    assert failures["rows"][0]["deviation"] == pytest.approx(1e-4)


def test_a_method_that_cannot_run_fails_without_a_path(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_p: object) -> None:
        raise OSError(2, "No such file", "/home/someone/lib.so")

    monkeypatch.setattr(multiplicity, "hochberg", broken)
    code, out, _ = run("--method", "multiplicity", "--quiet")
    assert code == 1
    assert "FAIL" in out and "FileNotFoundError" in out
    assert "someone" not in out


@pytest.mark.parametrize("said", [KeyboardInterrupt(), RuntimeError("Query interrupted")], ids=["signal", "database"])
def test_an_interrupt_ends_it_without_a_verdict(run: Run, monkeypatch: pytest.MonkeyPatch, said: BaseException) -> None:
    def stopped(_p: object) -> None:
        raise said

    monkeypatch.setattr(multiplicity, "hochberg", stopped)
    code, out, _ = run("--method", "multiplicity", "--quiet")
    assert (code, out) == (130, "")


def test_a_case_of_several_methods_fails_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_a: object, **_k: object) -> None:
        raise StatsError("no linear algebra here")

    monkeypatch.setattr(published, "score_pairs", broken)
    found = qualify(methods=("gehan-wilcoxon", "wins"))
    assert {c.method for c in found.failed} == {"gehan-wilcoxon", "wins"}
    assert {c.fault for c in found.failed} == {"StatsError: no linear algebra here"}
    assert {c.method for c in found.checks} == {"gehan-wilcoxon", "wins"}


def test_a_long_list_of_failures_says_how_many_more(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "risk_difference", lambda *_: Interval(0.0, 2.0, 2.0))
    monkeypatch.setattr(published, "wilson", lambda *_: Interval(0.0, 2.0, 2.0))
    _, out, _ = run("--method", "proportions", "-q")
    assert "and 4 more: --numbers lists every number" in out


def test_every_number_on_request(run: Run) -> None:
    code, out, _ = run("--numbers", "--format", "csv", "--method", "max-t", "-q")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "id,method,kind,reference,expected,computed,deviation,tolerance,verdict,fault"
    assert len(lines) == 1 + 6


def test_an_unknown_method_is_named(run: Run) -> None:
    code, _, err = run("--method", "mmrm-satterthwait")
    assert code == 2
    assert "mmrm-satterthwaite" in err


def test_the_table_fits_a_terminal(run: Run, whole: Qualification, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of all methods, as they were qualified above."""
    monkeypatch.setattr("alsbench.service.qualification.compute", lambda **_: whole)
    _, out, _ = run("-q")
    assert all(m.title in out for m in METHODS.values())
    assert max(map(len, out.splitlines())) <= 80


def test_the_report_names_no_host_user_or_path(run: Run) -> None:
    _, out, _ = run("--format", "json", "--numbers", "--method", "subgroup", "-q")
    for private in (socket.gethostname(), platform.node(), str(Path.home()), str(Path.cwd()), "/tmp"):
        assert len(private) < 2 or private not in out
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", out)


def rows_of(markdown: str, headings: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The cells under ``headings`` of the first table that has them all."""
    lines = [[c.strip() for c in line.strip("| ").split(" | ")] for line in markdown.splitlines() if line.startswith("| ")]
    head = next(i for i, cells in enumerate(lines) if set(headings) <= set(cells))
    at = [lines[head].index(h) for h in headings]
    width = len(lines[head])
    body = []
    for cells in lines[head + 2 :]:
        if len(cells) != width or "Kind of number" in cells:
            break
        body.append(tuple(cells[i] for i in at))
    return body


def test_the_validation_document_is_this_report(whole: Qualification) -> None:
    """``alsbench qualify --format md -o docs/validation.md``: the same methods, numbers and tests; deviations differ in their
    last digits from one platform to the next."""
    document = (ROOT / "docs/validation.md").read_text()
    rows = rows_of(document, ("Method", "Numbers", "Verdict", "Reference", "Tests"))
    wanted = [
        (s.method.title, str(len(s.checks)), "pass", "; ".join(s.references), ", ".join(s.method.tests))
        for s in whole.by_method()
    ]
    assert [tuple(c.replace("\\", "") for c in row) for row in rows] == wanted
    assert whole.material in document
    kinds = rows_of(document, ("Method", "Kind of number", "Numbers", "Tolerance"))
    assert [(k[0], int(k[2])) for k in kinds] == [(s.method.title, len(s.checks)) for _, s in whole.by_rule()]


def test_a_check_is_small() -> None:
    assert not hasattr(ReferenceCheck("a", "m", "p", "R", 0.1, 0.1, 1e-6), "__dict__")
