"""What a file may hold: finite numbers of a size that a trial can have, in a file that a person wrote; the rest is refused at
once, with line and key and without an echo of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alsbench.errors import AlsbenchError, StudyError, UsageError, shorten
from alsbench.settings import read_settings
from alsbench.simulate.parameters import Parameters, read_parameters
from alsbench.study.claims import parse_claims
from alsbench.study.edit import add_subgroup
from alsbench.study.model import Study, Subgroup
from alsbench.study.study_file import parse_study, read_study

COMPLETE = (Path(__file__).parent / "complete.toml").read_text()
STUDY = """schema = 1
[study]
id = "S"
mask = 0
[arms]
reference = "P"
order = ["P", "A"]
doses = { P = 0, A = 2 }
[populations]
FAS = "FASFL"
default = "FAS"
[visits]
baseline = 0
[[comparisons]]
treatment = "A"
horizon = 12
primary = true
[endpoints.score]
method = "mmrm"
dataset = "ADQS"
paramcd = "TOTAL"
visits = [6, 12]
imputation = "mar"
imputation_method = "multiple"
delta = 0.5
seed = 4
imputations = 50
lloq = 2.5
at = { AGE = 60 }
tipping_deltas = [0, -1.5]
visit_contrasts = { late = { "6" = 0.5, "12" = 0.5 } }
[endpoints.rank]
method = "joint_rank"
function = "score"
event = { paramcd = "DTH" }
permutations = 100
[endpoints.response]
method = "responder"
dataset = "ADQS"
paramcd = "TOTAL"
threshold = -3
worsening = -7
[multiplicity]
method = "graphical"
alpha = 0.05
[[multiplicity.hypotheses]]
endpoint = "score"
comparison = "A"
weight = 0.7
[derive]
baseline_days = [-30, 7]
windows = { "6" = [90, 200] }
lead_in_days = 28
ventilation_hours = 22
ventilation_days = 10
"""
NUMBERS = (  # each stands once in the text; the line is that of the text
    ("mask = 0", "study.mask"),
    ("A = 2 ", "arms.doses.A"),
    ("baseline = 0", "visits.baseline"),
    ("horizon = 12", "comparisons[1].horizon"),
    ("visits = [6, 12]", "endpoints.score.visits"),
    ("delta = 0.5", "endpoints.score.delta"),
    ("seed = 4", "endpoints.score.seed"),
    ("imputations = 50", "endpoints.score.imputations"),
    ("permutations = 100", "endpoints.rank.permutations"),
    ("lloq = 2.5", "endpoints.score.lloq"),
    ("threshold = -3", "endpoints.response.threshold"),
    ("worsening = -7", "endpoints.response.worsening"),
    ("AGE = 60", "endpoints.score.at.AGE"),
    ("tipping_deltas = [0, -1.5]", "endpoints.score.tipping_deltas"),
    ('"12" = 0.5', "endpoints.score.visit_contrasts"),
    ("alpha = 0.05", "multiplicity.alpha"),
    ("weight = 0.7", "multiplicity.hypotheses[1].weight"),
    ("baseline_days = [-30, 7]", "derive.baseline_days"),
    ('"6" = [90, 200]', "derive.windows"),
    ("lead_in_days = 28", "derive.lead_in_days"),
    ("ventilation_hours = 22", "derive.ventilation_hours"),
    ("ventilation_days = 10", "derive.ventilation_days"),
)
HOSTILE = (
    "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "9" * 400, "9" * 5000, "0x" + "f" * 6000,
    '"5"', "true", "[[1]]", "2024-01-01", "{}",
)  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda v: v[:8])
@pytest.mark.parametrize(("text", "key"), NUMBERS, ids=[k for _, k in NUMBERS])
def test_no_number_of_the_study_file_may_be_anything_else(text: str, key: str, value: str) -> None:
    last = text.rstrip(" ]").replace(", ", " = ").split(" = ")[-1]  # the number, or the last of a list
    start = STUDY.index(text) + text.rindex(last)
    changed = STUDY[:start] + value + STUDY[start + len(last) :]
    with pytest.raises(StudyError) as caught:
        parse_study(changed)
    line = 1 + STUDY.count("\n", 0, start)
    assert caught.value.where.startswith(f"study.toml:{line} "), caught.value.where
    if not (value.isdigit() and len(value) > 4300):
        assert key in caught.value.where
    else:  # the parser stops before it knows the table: the last key before the number
        assert caught.value.where.split()[1].strip('"') in text.replace('"', "")
    assert len(str(caught.value)) < 600


def test_the_study_those_tests_change_is_right() -> None:
    parse_study(STUDY)


@pytest.mark.parametrize("value", ["1", '"yes"', "0.0", "[]"])
def test_a_switch_is_true_or_false(value: str) -> None:
    with pytest.raises(StudyError, match="is not true or false"):
        parse_study(STUDY.replace("primary = true", f"primary = {value}"))


def bounds(schema: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Numbers without two ends, texts without a length and lists without a size, anywhere in a JSON schema."""
    if isinstance(schema, dict):
        kind = schema.get("type")
        ends = [{"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}] if kind in ("number", "integer") else []
        ends += [{"maxLength"}] if kind == "string" else [{"maxItems"}] if kind == "array" else []
        fixed = {"enum", "const", "format"} & set(schema)  # a date is bounded by its own field
        if not fixed and any(not end & set(schema) for end in ends):
            yield ".".join(path)
        for key, value in schema.items():
            yield from bounds(value, (*path, key))
    elif isinstance(schema, list):
        for value in schema:
            yield from bounds(value, path)


@pytest.mark.parametrize("root", [Study, Parameters])
def test_every_key_there_is_or_will_be_has_limits(root: Any) -> None:
    assert list(bounds(root.model_json_schema())) == []


@pytest.mark.parametrize("visit", ["nan", "inf", "1e9", "six"])
def test_visits_of_a_contrast_are_numbers(visit: str) -> None:
    with pytest.raises(StudyError, match="is no visit number"):
        parse_study(STUDY.replace('"6" = 0.5', f'"{visit}" = 0.5'))


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(STUDY.encode() + b"# a comment that goes on and on\n" * 1_600_000)  # 50 MB
    began = time.process_time()
    with pytest.raises(StudyError, match="at most 1,000,000 bytes"):
        read_study(path)
    with pytest.raises(StudyError, match="at most 1,000,000 bytes"):
        add_subgroup(path, Subgroup(name="s", where="AGE > 1"))
    assert time.process_time() - began < 2.0


def subgroups(n: int) -> str:
    return STUDY + "".join(f'[[subgroups]]\nname = "s{i}"\nwhere = "AGE >= {i}"\n' for i in range(n))


def test_there_is_a_limit_to_subgroups_and_below_it_reading_is_quick() -> None:
    with pytest.raises(StudyError, match=r"subgroups holds 10000 entries\nat most 1000"):
        parse_study(subgroups(10_000))
    began = time.process_time()
    assert len(parse_study(subgroups(1000)).subgroups) == 1000
    assert time.process_time() - began < 5.0  # 0.4 s on a quiet machine


@pytest.mark.parametrize(
    "text",
    [
        "k" * 1_000_000 + " = 1\n",
        "k" * 40_000 + " = 1\n",
        '"' + "k v " * 10_000 + '" = 1\n',
        "[" + "a." * 20_000 + "a]\n",
        "x = " + "[" * 3000 + "]" * 3000 + "\n",
        "x = " + "{a=" * 3000 + "1" + "}" * 3000 + "\n",
        "[" + "t" * 30_000 + "]\nx = 1\n",
        "x = '" + "v" * 49_000,
    ],
    ids=["a key of 1 MB", "a long key", "a key of words", "a deep key", "deep lists", "deep tables", "a table", "no end"],
)
def test_no_message_repeats_what_it_is_about(text: str) -> None:
    """The limit of a message is a screen, whatever the file holds."""
    began = time.process_time()
    with pytest.raises(StudyError) as caught:
        parse_study(text + STUDY)
    assert len(str(caught.value)) < 700
    assert caught.value.where
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize("where", ["what", "where", "why", "hint"])
def test_every_error_is_bounded(where: str) -> None:
    said = {"what": "a", where: "name " + "n" * 10_000 + " '" + "b c " * 5000 + "'\n" + "line\n" * 5000}
    assert len(AlsbenchError(**said).message) < 2500
    path = "/srv/" + "/".join(["a_folder_with_a_name"] * 30)
    assert path in AlsbenchError(f"{path}: no", hint=f"run: alsbench load {path}").hint, "a path in a command stays whole"
    assert shorten("abcdefghij", 7) == "abcd…ij"


CLAIM = """schema = 1
[[claims]]
name = "n"
endpoint = "score"
comparison = "A"
visit = 12
contrast = { difference = "1.5" }
"""


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", '"1e5"', '"' + "9" * 400 + '"', "0x" + "f" * 6000, '"nan"', "[1]"])
@pytest.mark.parametrize("key", ["difference", "visit"])
def test_claims_hold_printed_numbers(key: str, value: str) -> None:
    was = '"1.5"' if key == "difference" else "12"
    if key == "visit" and value.startswith('"'):
        pytest.skip("the label of a visit is any text")
    with pytest.raises(StudyError) as caught:
        parse_claims(CLAIM.replace(was, value))
    assert f"claims[1].{'contrast.' if key == 'difference' else ''}{key}" in caught.value.where
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1", "1.5", "true", '"3"', "9" * 5000, "1000000000000", "[]"])
def test_the_mask_of_the_settings_is_a_count(tmp_path: Path, value: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"quiet = true\nmask = {value}\n")
    with pytest.raises(UsageError) as caught:
        read_settings(path)
    assert f"{path}:2 mask" in caught.value.where


@pytest.mark.parametrize(
    "override",
    [
        "course.slope_mean=nan", "course.slope_sd=inf", "arms.0.n=1000000000", "arms.0.n=true", "visits.missed=1e-320",
        "visits.months=[0, 100000]", "study.sites=2.5", "study.start=9999-12-31", "study.start=nan", "safety.background=1e9",
        "baseline.age_range=[80, 25]", "baseline.total_range=[46, 31]", "baseline.lead_in_range=[2, 1]", "x=" + "[" * 3000,
        "baseline.duration_range=[24, 6]", "arms.0.dose_days=" + "9" * 5000, "arms.9999999999999999999999.n=1", "arms.x.n=1",
    ],
)  # fmt: skip
def test_parameters_of_a_simulation_are_bounded(override: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_parameters(overrides=(override,))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Dose 3 한국어", "U+D55C (HANGUL SYLLABLE HAN)"),
        ("Group 🧠", "U+1F9E0 (BRAIN)"),
        ("ذراع", "U+0630 (ARABIC LETTER THAL)"),
        ("\\u0000x", "U+0000"),
        ("\\u001b[2J", "U+001B"),
        (" Placebo", "begins or ends with a blank"),
    ],
)
def test_an_arm_that_a_transport_file_cannot_name_is_refused(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / "parameters.toml"
    path.write_text(f'[[arms]]\nname = "Placebo"\nn = 10\n[[arms]]\nname = "{name}"\nn = 10\n')
    with pytest.raises(UsageError) as caught:
        read_parameters(path)
    assert said in caught.value.what
    assert caught.value.where.startswith("parameters.toml:5 arms[2].name")


def test_an_arm_in_latin_letters_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "parameters.toml"
    path.write_text('[[arms]]\nname = "Placebo"\nn = 10\n[[arms]]\nname = "été à 5 µg"\nn = 10\n')
    assert read_parameters(path).arms[1].name == "été à 5 µg"
