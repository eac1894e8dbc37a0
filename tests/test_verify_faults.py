"""The measurement of `verify` (benchmarks/verify_faults.py): what it recorded stands in the document, and enough is noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "docs" / "verify_faults.jsonl"


def test_the_validation_document_holds_what_was_measured() -> None:
    """``make validation``: docs/verify_faults.jsonl gives the tables of the document. METHODS 14: at least 200 faults, of those
    that move a number 95 % noticed, a miss explained."""
    script = ROOT / "benchmarks" / "verify_faults.py"
    ran = subprocess.run([sys.executable, script, "--tell", "--into", RECORDED], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() in (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    caught = [line for line in lines if line["said"] == "caught"]
    missed = [line for line in lines if line["said"] == "missed"]
    assert len(caught) + len(missed) >= 200 and len(caught) >= 0.95 * (len(caught) + len(missed))
    assert all(line["explained"] for line in missed)
