"""``study.toml``: every key read, every fault named with file, line, key and what is allowed; edits keep comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from alsbench.errors import ExpressionError, StudyError, UnavailableError, UsageError
from alsbench.study import edit
from alsbench.study.edit import add_subgroup, remove_subgroup, replace_subgroup
from alsbench.study.model import Subgroup
from alsbench.study.study_file import parse_study, read_study, study_digest

COMPLETE = (Path(__file__).parent / "complete.toml").read_text()
MINIMAL = """schema = 1
[study]
id = "S"
[arms]
reference = "P"
order = ["P", "A"]
[populations]
FAS = "FASFL"
default = "FAS"
[[comparisons]]
treatment = "A"
"""


def test_a_complete_file() -> None:
    study = parse_study(COMPLETE)
    assert study.arms.doses == {"Placebo": 0, "Group 1": 2, "Group 2": 5}
    assert study.populations.flags == {"FAS": "FASFL", "PP": "PPROTFL", "Safety": "SAFFL"}
    assert [(c.name, c.reference, c.horizon) for c in study.comparisons] == [
        ("G1-M6", "Placebo", 6),
        ("Group 2", "Placebo", 12),
    ]
    assert study.endpoints["nfl"].scale == "log"
    assert study.endpoints["ae"].dataset == "ADAE"
    assert study.endpoints["cafs"].name == "cafs"
    assert study.endpoints["cafs"].event is not None
    assert study.endpoints["cafs"].event.paramcd == "DTHPAV"
    assert study.subgroups[0].complement == "fast"
    assert not study.subgroups[0].prespecified


def test_defaults() -> None:
    study = parse_study(MINIMAL + '[endpoints.base]\nmethod = "baseline"\n')
    assert (study.info.subject, study.arms.planned, study.arms.actual) == ("USUBJID", "TRT01P", "TRT01A")
    assert (study.visits.number, study.visits.label, study.visits.unit, study.visits.baseline) == (
        "AVISITN",
        "AVISIT",
        "month",
        0,
    )
    assert study.endpoints["base"].dataset == "ADSL"
    assert study.endpoints["base"].title == "base"
    assert study.endpoints["base"].df == "kenward-roger"


def test_digest_ignores_comments_order_of_keys_and_spelled_out_defaults() -> None:
    study = parse_study(COMPLETE)
    same = COMPLETE.replace('number = "AVISITN"               # default\n', "").replace("schema = 1", "# x\nschema = 1")
    assert study_digest(parse_study(same)) == study_digest(study)
    other = COMPLETE.replace("BLNFL < 52", "BLNFL < 53")
    assert study_digest(parse_study(other)) != study_digest(study)
    assert len(study_digest(study)) == 64
    elsewhere = parse_study(COMPLETE.replace("[study]", "[study]\ncluster = true"))  # where it may be computed: no answer
    assert elsewhere.info.cluster and study_digest(elsewhere) == study_digest(study)


FAULTS = [
    # old text, new text, key path, in the message, in the hint
    ('covariance = "us"', 'covarience = "us"', "endpoints.alsfrs.covarience", "unknown key", "did you mean covariance?"),
    ('covariance = "us"', 'covariance = "uss"', "endpoints.alsfrs.covariance", "'uss' is not allowed", "'toeph'"),
    ('reference = "Placebo"\n', 'refrence = "Placebo"\n', "arms.refrence", "unknown key", "did you mean reference?"),
    ("[visits]", "[visit]", "visit", "unknown key", "did you mean visits?"),
    ('unit = "month"', 'unit = "months"', "visits.unit", "not allowed", "'week'"),
    ('default = "FAS"', 'default = "FSA"', "populations.default", "'FSA' is not a population", "did you mean FAS?"),
    ('default = "FAS"', 'defualt = "FAS"', "populations.default", "missing", 'default = "FAS"'),
    ('FAS = "FASFL" ', "FAS = 1 ", "populations.FAS", "1 is not a text", ""),
    ('treatment = "Group 2"', 'treatment = "Group2"', "comparisons[2].treatment", "not in arms.order", "did you mean Group 2?"),
    ('treatment = "Group 2"', 'treatment = "Placebo"', "comparisons[2].treatment", "compared with itself", ""),
    ('treatment = "Group 2"', 'treatment = "Group 1"\nname = "G1-M6"', "comparisons[2].name", "two comparisons", "name ="),
    ('treatment = "Group 1"', 'treatment = "Group 1"\nreference = "X"', "comparisons[1].reference", "not in arms.order", ""),
    ("horizon = 12", "", "comparisons[2].horizon", "needs the horizon", "horizon = 12"),
    ("horizon = 12", 'horizon = "x"', "comparisons[2].horizon", "'x' is not a number", ""),
    ("horizon = 12", "horizon = 0", "comparisons[2].horizon", "after baseline", ""),
    ('order = ["Placebo", ', 'order = ["Placebo", "Placebo", ', "arms.order", "listed twice", ""),
    ('order = ["Placebo", ', 'order = ["Sham", ', "arms.reference", "'Placebo' is not in arms.order", ""),
    ('labels = { "Group 1"', 'labels = { "Group1"', "arms.labels.Group1", "not in arms.order", "did you mean Group 1?"),
    ('doses = { "Placebo" = 0', 'doses = { "Placebo" = "0mg"', "arms.doses.Placebo", "not a number", ""),
    ('function = "alsfrs"', 'function = "alfsrs"', "endpoints.cafs.function", "no endpoint", "did you mean alsfrs?"),
    ('function = "alsfrs"', 'function = "survival"', "endpoints.cafs.function", "no change to compare", "alsfrs"),
    ('function = "alsfrs"', "", "endpoints.cafs.function", "needs function", "alsfrs"),
    ('event = { dataset = "ADTTE", paramcd = "DTHPAV" }', "", "endpoints.cafs.event", "needs event", "ADTTE"),
    ('event = { dataset = "ADTTE", paramcd', "event = { paramcode", "endpoints.cafs.event.paramcode", "unknown key", "paramcd"),
    ('paramcd = "NFL"', "", "endpoints.nfl.paramcd", "mmrm needs paramcd", ""),
    ('method = "slope"', 'method = "slpoe"', "endpoints.alsfrs_slope.method", "'slpoe' is not allowed", "'slope'"),
    ('method = "slope"', "", "endpoints.alsfrs_slope.method", "missing", "mmrm"),
    ('dataset = "ADLB"', 'dataset = "ADLB"\nwhere = "ANL01FL = 1"', "endpoints.nfl.where", "= is not allowed", "=="),
    ('dataset = "ADLB"', 'dataset = "ADLB"\nwhere = "AVAL < mean(AVAL)"', "endpoints.nfl.where", "cannot choose", "subgroups"),
    ('dataset = "ADLB"', 'dataset = "ADLB"\npopulation = "Safty"', "endpoints.nfl.population", "not a population", "Safety"),
    ('dataset = "ADLB"', 'dataset = "ADLB"\nvisits = [0, 6]', "endpoints.nfl.visits", "baseline visit", ""),
    ('dataset = "ADLB"', 'dataset = "ADLB"\nvisits = 6', "endpoints.nfl.visits", "not a list", ""),
    ("<= mean(LEADRATE)", "<= meann(LEADRATE)", "subgroups[1].where", "meann is not a function", "median"),
    ('name = "slow"', 'name = "overall"', "subgroups[1].name", "reserved word", ""),
    ('name = "slow"', 'name = "slow down"', "subgroups[1].name", "not a name", ""),
    ('name = "nfl_low"', 'name = "fast"', "subgroups[2].name", "already a subgroup or a complement", ""),
    ('where = "BLNFL < 52"', "where = \"DTHFL == 'Y'\"", "subgroups[2].where", "after randomisation", "post_randomisation"),
    ("schema = 1", "", "schema", "missing", "schema = 1"),
    ("schema = 1", "schema = 2", "schema", "2 is not allowed", "1"),
    ('id = "ALSREF01"', "id = 5", "study.id", "5 is not a text", ""),
    ("synthetic = true", 'synthetic = "perhaps"', "study.synthetic", "not true or false", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "message", "hint"), FAULTS)
def test_faults_name_line_key_and_what_is_allowed(old: str, new: str, key: str, message: str, hint: str) -> None:
    assert COMPLETE.count(old) >= 1
    text = COMPLETE.replace(old, new, 1)
    with pytest.raises(StudyError) as caught:
        parse_study(text)
    error = caught.value
    assert error.exit_code == 2
    place, _, path = error.where.partition(" ")
    assert path == key
    assert message in error.what
    assert hint in error.hint
    line = text.splitlines()[int(place.removeprefix("study.toml:")) - 1]
    changed = new.split("\n")[-1].strip()
    if changed.startswith(key.rpartition(".")[2]):
        assert changed in line
    else:  # the key is missing or stands inside a table: its table is named
        assert line.startswith("[") or line.split(" ")[0] in key or line == text.splitlines()[0]


def test_several_faults_are_listed_together() -> None:
    text = COMPLETE.replace('covariance = "us"', 'covarience = "us"').replace('scale = "log"', 'scale = "ln"')
    with pytest.raises(StudyError) as caught:
        parse_study(text)
    assert "also study.toml:" in caught.value.why
    assert "endpoints.nfl.scale" in caught.value.why


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("schema = 1\nx = = 2\n", 2),
        ("schema = 1\n\n[arms\n", 3),
        ("schema = 1\ntitle = Serum\n", 2),
        ('schema = 1\nx = """abc\n', 2),
    ],
)
def test_syntax_errors_name_the_line(text: str, line: int) -> None:
    with pytest.raises(StudyError, match="not valid TOML") as caught:
        parse_study(text)
    assert caught.value.where == f"study.toml:{line}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no study file"):
        read_study(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(StudyError, match="not UTF-8"):
        read_study(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_bytes(b"\xef\xbb\xbf" + COMPLETE.encode())
    assert read_study(tmp_path / "study.toml").info.id == "ALSREF01"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(COMPLETE)
    path.chmod(0o600)
    return path


def test_add_keeps_every_line(file: Path) -> None:
    add_subgroup(file, Subgroup(name="old", where="AGE >= 65", label="65 or older", rationale='a "reason"'))
    text = file.read_text()
    assert text.startswith(COMPLETE + '\n[[subgroups]]\nname = "old"\n')
    added = read_study(file).subgroup("old")
    assert added is not None
    assert (added.where, added.label, added.prespecified, added.rationale) == ("AGE >= 65", "65 or older", False, 'a "reason"')
    assert file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["study.toml"]


def test_replace_keeps_comments(file: Path) -> None:
    replace_subgroup(file, "slow", Subgroup(name="slow", where="LEADRATE <= median(LEADRATE)", label="Slow progressors"))
    text = file.read_text()
    assert "# mean over the whole default population, never arm by arm" in text
    study = read_study(file)
    assert study.subgroups[0].where == "LEADRATE <= median(LEADRATE)"
    assert study.subgroups[0].complement == ""
    assert [s.name for s in study.subgroups] == ["slow", "nfl_low"]


def test_remove(file: Path) -> None:
    remove_subgroup(file, "slow")
    assert [s.name for s in read_study(file).subgroups] == ["nfl_low"]
    remove_subgroup(file, "nfl_low")
    assert read_study(file).subgroups == ()
    add_subgroup(file, Subgroup(name="slow", where="LEADRATE < 1"))
    assert [s.name for s in read_study(file).subgroups] == ["slow"]


def test_subgroups_written_as_an_inline_array(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('subgroups = [{ name = "a", where = "AGE > 1" }]  # short\n' + MINIMAL)
    add_subgroup(path, Subgroup(name="b", where="AGE > 2"))
    replace_subgroup(path, "a", Subgroup(name="c", where="AGE > 3"))
    assert [(s.name, s.where) for s in read_study(path).subgroups] == [("c", "AGE > 3"), ("b", "AGE > 2")]
    remove_subgroup(path, "c")
    assert [s.name for s in read_study(path).subgroups] == ["b"]
    assert "# short" in path.read_text()


@pytest.mark.parametrize(
    ("subgroup", "message"),
    [
        (Subgroup(name="slow", where="AGE > 1"), "already a subgroup slow"),
        (Subgroup(name="fast", where="AGE > 1"), "already a subgroup or a complement"),
        (Subgroup(name="x", where="AGE >"), "cannot be read"),
        (Subgroup(name="x", where="EOSSTT == 'COMPLETED'"), "only after randomisation"),
        (Subgroup(name="overall", where="AGE > 1"), "reserved word"),
    ],
)
def test_an_invalid_edit_leaves_the_file_alone(file: Path, subgroup: Subgroup, message: str) -> None:
    with pytest.raises((UsageError, ExpressionError), match=message):
        add_subgroup(file, subgroup)
    assert file.read_text() == COMPLETE
    assert [p.name for p in file.parent.iterdir()] == ["study.toml"]


def test_a_forced_post_baseline_subgroup_is_marked(file: Path) -> None:
    add_subgroup(file, Subgroup(name="completers", where="EOSSTT == 'COMPLETED'", post_randomisation=True))
    added = read_study(file).subgroup("completers")
    assert added is not None
    assert added.post_randomisation


@pytest.mark.parametrize(
    "edit_file",
    [lambda p: remove_subgroup(p, "slwo"), lambda p: replace_subgroup(p, "slwo", Subgroup(name="a", where="A > 1"))],
)
def test_unknown_names_are_refused_with_the_nearest(file: Path, edit_file: object) -> None:
    with pytest.raises(UsageError, match="did you mean slow"):
        edit_file(file)  # type: ignore[operator]


def test_an_edit_does_not_overwrite_somebody_elses(file: Path) -> None:
    with pytest.raises(UnavailableError, match="changed by somebody else"):
        edit.publish(file, b"x", unless_changed_from=b"what it was before")
    assert file.read_text() == COMPLETE
    assert [p.name for p in file.parent.iterdir()] == ["study.toml"]


RULE = "\n[judgement]\nnew_trial = 0.2\n"


def test_constants_of_the_bottom_line_are_part_of_the_study() -> None:
    """Those that are not written are METHODS'; a file without them is the file it was before there were any."""
    plain, changed = parse_study(COMPLETE), parse_study(COMPLETE + RULE)
    assert plain.judgement is None and "judgement" not in plain.model_dump(mode="json")
    assert changed.judgement is not None
    assert changed.judgement.model_dump() == {
        "nominal": 0.05,
        "holds_up": 0.05,
        "new_trial": 0.2,
        "new_trial_definitions": 0.1,
        "in_this_subgroup": 0.15,
    }
    assert study_digest(changed) != study_digest(plain)


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("new_trail = 0.2", "judgement.new_trail", "unknown key"),
        ("nominal = 0", "judgement.nominal", "0"),
        ("nominal = 1", "judgement.nominal", "1"),
        ("in_this_subgroup = -0.1", "judgement.in_this_subgroup", "0"),
        ("new_trial_definitions = 1.5", "judgement.new_trial_definitions", "1"),
        ('holds_up = "0.05"', "judgement.holds_up", "not a number"),
        ("holds_up = true", "judgement.holds_up", "not a number"),
        ("holds_up = 0.2", "judgement.new_trial", "would not be worth a new trial"),
    ],
)
def test_constants_that_cannot_be_meant(text: str, key: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(f"{COMPLETE}\n[judgement]\n{text}\n")
    assert caught.value.where.partition(" ")[2] == key
    assert message in caught.value.what
