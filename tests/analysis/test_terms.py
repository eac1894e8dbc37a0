"""Type 3 tests of every term of an MMRM against R on both reference trials.

R 4.2.2, mmrm 0.3.18 ``car::Anova`` type 3 (``type3`` of tests/reference/*/expected/mmrm_*.json). Tolerances: F 1e-5 relative,
denominator df 1e-4 relative, p 1e-6 absolute.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.render.tables import endpoint_page, model_block

REFERENCE = Path(__file__).parent.parent / "reference"
FILES = [(t, p.stem) for t in ("als-ref-1", "als-ref-2") for p in sorted((REFERENCE / t / "expected").glob("mmrm_*"))]


def canonical(term: str) -> frozenset[str]:
    """A term without the order of its variables or the name of the transformed baseline."""
    return frozenset("BASE" if "BASE" in part else part for part in term.split(":"))


@pytest.mark.parametrize(("name", "stem"), FILES)
def test_type_3(sources: dict[str, Source], name: str, stem: str) -> None:
    _, endpoint, part, covariance, df = stem.split("_")
    method = "kenward-roger" if df == "krl" else "satterthwaite"
    result = answer(Question(endpoint, subgroups=(part,), covariance=covariance, df=method), sources[name])
    wanted = {
        canonical(w["term"]): w for w in json.loads((REFERENCE / name / "expected" / f"{stem}.json").read_text())["type3"]
    }
    found = {canonical(r.level): r.level for r in result.select(context="model", stat_name="f")}
    assert found.keys() == wanted.keys()
    for term, level in found.items():
        got = {r.stat_name: r.number() for r in result.select(context="model", level=level)}
        assert got["f"] == pytest.approx(wanted[term]["f"], rel=1e-5)
        assert got["num_df"] == wanted[term]["num_df"]
        assert got["den_df"] == pytest.approx(wanted[term]["den_df"], rel=1e-4)
        assert got["p_value"] == pytest.approx(wanted[term]["p"], abs=1e-6)


def test_influence_of_every_subject(trial: Source) -> None:
    """Leverages sum to the coefficients of the model; each subject of the fit has one row of each kind."""
    result = answer(Question("alsfrs", subjects=True), trial)
    leverage = {r.level: r.number() for r in result.select(context="subject", stat_name="leverage")}
    assert len(leverage) == result.get("n_subjects", context="model").stat
    # 3 arms x 12 visits, a baseline slope per visit, LEADRATE and ONSETSIT
    assert sum(leverage.values()) == pytest.approx(3 * 12 + 12 + 2)
    cook = [r.number() for r in result.select(context="subject", stat_name="cook")]
    assert len(cook) == len(leverage) and min(cook) >= 0
    residual = [abs(r.number()) for r in result.select(context="subject", stat_name="residual")]
    assert 2 < max(residual) < 6
    assert not list(answer(Question("alsfrs"), trial).select(context="subject"))
    blocks = endpoint_page(result).blocks
    assert [c.title for c in blocks[-1].columns][2:] == ["Leverage", "Cook's distance", "Largest residual"]


def test_terms_are_named_as_in_the_data_and_printed(trial: Source) -> None:
    result = answer(Question("nfl"), trial)
    levels = [r.level for r in result.select(context="model", stat_name="f")]
    assert levels[:3] == ["TRT01P", "AVISIT", "ln(BASE)"]
    block = model_block(result, "overall")
    line = next(line for line in block.lines if line.cells[1].text == "TRT01P:AVISIT")
    assert line.cells[0].text == "type 3 test"
    assert line.cells[2].text.startswith("F(10, ")
