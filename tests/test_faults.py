"""The faults of benchmarks/faults.toml stand in the program as it is: each can be put in, and its kind is named.

Whether the tests notice them is what ``python benchmarks/inject_faults.py run`` says.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "inject_faults.py"


@pytest.fixture(scope="module")
def injector() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inject_faults", SCRIPT)
    assert spec and spec.loader
    module = sys.modules["inject_faults"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_fault_can_be_put_into_the_program(injector: ModuleType) -> None:
    faults = injector.read_faults()
    lost = []
    for fault in faults:
        try:
            injector.with_fault(fault)
        except injector.FaultError as error:
            lost.append(str(error))
    assert not lost
    assert len(faults) >= 60 and len({(f.room, f.function, f.find, f.replace, f.nth) for f in faults}) == len(faults)
    assert {"analysis", "data/derive", "render/mask"} <= {f.room for f in faults}
    assert len(Counter(f.kind for f in faults)) >= 20


def test_a_fault_that_cannot_stand_there_is_refused(injector: ModuleType) -> None:
    fault = injector.Fault("data/derive", "window_of", 'side="right"', 'side="right" ', "none")
    with pytest.raises(injector.FaultError, match="changes no code"):
        injector.with_fault(fault)
    with pytest.raises(injector.FaultError, match="functions of that name"):
        injector.with_fault(injector.Fault("data/derive", "window_off", "a", "b", "none"))


def test_a_fault_is_found_by_a_test_that_passes_without_it(tmp_path: Path) -> None:
    """One fault run for real against one test, which passes in this suite; and one that this test cannot see."""
    test = "tests/data/derive/test_boundaries.py::test_both_ends_of_a_window_that_is_given_belong_to_it"
    edge = 'room = "data/derive"\nfunction = "window_of"\nfind = "day >= given[0]"\nreplace = "day > given[0]"\nkind = "edge"\n'
    other = edge.replace('"day > given[0]"', '"day >= given[0] + 0"')
    (tmp_path / "faults.toml").write_text(f"[[fault]]\n{edge}[[fault]]\n{other}")
    (tmp_path / "reached.json").write_text(json.dumps({"tests": {"data/derive window_of": [test]}, "seconds": {}}))
    files = ["--faults", tmp_path / "faults.toml", "--reached", tmp_path / "reached.json"]
    ran = subprocess.run([sys.executable, SCRIPT, "run", *files], capture_output=True, text=True, check=False)
    assert f"found by {test}" in ran.stdout and "2 of 2 faults tried, 1 survive" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 1 and "changes 0 results of the built trial" in ran.stdout
