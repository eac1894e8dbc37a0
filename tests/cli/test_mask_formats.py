"""Every kind of table and figure under every mask in every format: written, and no count below the mask in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.kept import cached_answer
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.source import open_source
from alsbench.cli.common import Common, Format, make_common
from alsbench.cli.output import show
from alsbench.render.evidence import evidence_page
from alsbench.render.forest import forest_page
from alsbench.render.formats import COUNTS
from alsbench.render.mask import COUNTED
from alsbench.render.page import Page
from alsbench.render.tables import endpoint_page
from alsbench.service.endpoint import with_curves
from alsbench.service.evidence import made_evidence, made_forest
from alsbench.service.masks import mask_answer
from alsbench.service.output import results_output

MASKS = (2, 5, 50, 1000)
SUBGROUPS = ("overall", "slow", "not slow")
Run = Callable[..., Any]


def pages(common: Common, loaded: Path) -> Iterator[tuple[str, int, Result, Callable[[Common], Page]]]:
    """An endpoint of every method, the evidence and a forest plot, under every mask: name, mask, rows, and what is printed."""
    source = open_source(loaded)
    by_method = {e.method: name for name, e in source.study.endpoints.items()}
    for name in by_method.values():
        question = Question(name, subgroups=SUBGROUPS)
        whole = cached_answer(question, source)
        for k in MASKS:
            result = mask_answer(whole, question, source, k)

            def page(c: Common, r: Result = result, q: Question = question, k: int = k) -> Page:
                return with_curves(c.access, endpoint_page(r, model=True), q, source, k)

            yield name, k, result, page
    for k in MASKS:
        forest = made_forest(common.access, source, by_method["ancova"], ["slow"], k=k)
        yield "forest", k, forest.result, lambda c, made=forest: forest_page(made)
    for k in (5, 1000):
        evidence = made_evidence(common.access, source, ["slow"], k=k)
        yield "evidence", k, evidence.result, lambda c, made=evidence: evidence_page(made)


def test_no_mask_in_any_format_fails_or_tells_a_small_count(loaded: Path, tmp_path: Path) -> None:
    common = make_common(workspace=loaded, format=Format.TABLE, output=None, quiet=True, json_errors=False)
    study, figures = open_source(loaded).study, 0
    for name, k, result, page in pages(common, loaded):
        small = [r for r in result.rows if r.stat_name in COUNTED and r.stat is not None and r.number() < k]
        assert small == [], (name, k)
        for form in Format:
            target = tmp_path / f"{name}.{k}.{form.value}"
            asked = replace(common, format=form, output=target)
            show(asked, results_output(asked.access, [result], lambda p=page, a=asked: p(a), study))
            text = target.read_text()
            assert text, (name, k, form)
            if form is Format.JSON:
                told = json.loads(text)["results"]
                assert not [r for r in told if r["stat_name"] in COUNTED and r["stat"] is not None and r["stat"] < k]
            if form is Format.HTML:
                figures += text.count("<svg")
                assert not [n for n in numbers_under_points(text) if n < k], (name, k)
        columns = small_columns(page(common), k)
        assert columns == [], (name, k)
    assert figures > 3  # small masks leave points to draw


def numbers_under_points(text: str) -> list[int]:
    """The counts in the lines under the axis of a figure by visit: what stands in the row of an ``n``."""
    found = []
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        heights = set(re.findall(r'<text x="[\d.]+" y="([\d.]+)" text-anchor="end"[^>]*>n</text>', drawing))
        for y, shown in re.findall(r'<text x="[\d.]+" y="([\d.]+)" text-anchor="middle"[^>]*>(\d+)</text>', drawing):
            if y in heights:
                found.append(int(shown))
    return found


def small_columns(page: Page, k: int) -> list[tuple[str, str]]:
    """Whole numbers below ``k`` in cells that rest on a count, or stand under a heading that is one."""
    found = []
    for block in page.blocks:
        for line in block.lines:
            for column, cell in zip(block.columns, line.cells, strict=False):
                counted = any(r.stat_name in COUNTS & COUNTED for r in cell.rows) or column.title.lower() in ("n", "events")
                if counted and re.fullmatch(r"\d+", cell.text.strip()) and int(cell.text) < k:
                    found.append((column.title, cell.text))
    return found


COMMANDS = [
    ("arms",), ("subgroup", "list"), ("subgroup", "show", "slow"), ("check",), ("safety",), ("endpoint", "cafs"),
    ("endpoint", "survival", "--curve"), ("endpoint", "cafs", "--subjects"), ("evidence",), ("forest", "alsfrs"), ("report",),
    ("scrutinise", "--check", "overall"), ("data", "ADSL"), ("data",), ("subject", "X"), ("diff", "current", "current"),
    ("claims", "x.toml"),
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_that_prints_knows_masks(run: Run, loaded: Path, words: tuple[str, ...]) -> None:
    """A mask of 1 masks nothing and is refused everywhere, before anything is computed."""
    ran = run(*words, "-w", loaded, "--mask", "1")
    assert ran.code == 2 and ran.out == "", ran.err
    assert "mask" in ran.err and "No such option" not in ran.err
