"""A mask holds in every command and format, wherever it is set, and nothing that leaves tells what it hides."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.result import Row
from alsbench.render.mask import is_masked, mask_rows
from alsbench.render.mask_counts import Count, masked_counts
from alsbench.render.mask_words import hide_counts, hide_gates, hide_in_line

Run = Callable[..., Any]
K = 7  # of the 22 subjects of Group 1 six are not slow; six of Placebo discontinued


def shown(run: Run, workspace: Path, *words: object, **more: Any) -> dict[str, dict[str, Any]]:
    """Records of a table by their first column."""
    rows = run(*words, "-w", workspace, "--mask", K, "--format", "json", **more).json["rows"]
    return {next(iter(r.values())): r for r in rows}


def test_arms_and_subgroups_do_not_tell_small_counts(run: Run, loaded: Path) -> None:
    everybody = shown(run, loaded, "arms")
    assert everybody["Placebo"]["deaths"] == "<7" and everybody["Group 1"]["randomised"] == 22
    slow, fast = shown(run, loaded, "arms", "-s", "slow"), shown(run, loaded, "arms", "-s", "fast")
    assert fast["Group 1"]["randomised"] == "<7"
    for part in (slow, fast):  # 22 - 16 = 6: the complement and the totals that would give it are hidden too
        assert part["Group 1"]["FAS"] in ("<7", "masked") and part["all arms"]["FAS"] == "masked"
    listed = shown(run, loaded, "subgroup", "list")
    assert (listed["slow"]["Group 1"], listed["slow"]["n"], listed["slow"]["Placebo"]) == ("masked", "masked", 24)
    one = shown(run, loaded, "subgroup", "show", "fast")
    assert (one["fast"]["Group 1"], one["slow"]["Group 1"], one["overall"]["Group 1"]) == ("<7", "masked", 22)
    assert {r["undecided"] for r in one.values()} == {"<7"}


@pytest.mark.parametrize("form", ["table", "json", "csv", "tsv", "md"])
@pytest.mark.parametrize("words", [("arms", "-s", "fast"), ("subgroup", "show", "fast"), ("subgroup", "list")])
def test_no_format_of_a_table_of_counts_tells_them(run: Run, loaded: Path, words: tuple[str, ...], form: str) -> None:
    text = run(*words, "-w", loaded, "--mask", K, "--format", form).out
    assert "<7" in text.replace("\\<", "<") or words[1] == "list"
    numbers = re.findall(r"(?<![\w.<:-])\d+(?![\w.:-])", text.split("Group 1", 1)[-1])
    assert not {"6", "16", "55", "60"} & set(numbers), text


def test_a_named_complement_is_masked_as_the_complement(run: Run, loaded: Path) -> None:
    """``fast`` is ``not slow``: its rows have another name and the same small arm."""
    words = ("endpoint", "alsfrs_ancova", "--visit", "6", "-w", loaded, "--mask", K, "--format", "json")
    by_name = run(*words, "-s", "fast").json["results"]
    by_phrase = run(*words, "-s", "not slow").json["results"]
    assert [r | {"subgroup": ""} for r in by_name] == [r | {"subgroup": ""} for r in by_phrase]
    slow = {(r["arm"], r["stat_fmt"]) for r in run(*words, "-s", "slow", "-s", "fast").json["results"] if r["stat_name"] == "n"}
    assert ("Group 1", "<7") in slow and ("Group 1", "masked") in slow and ("Group 1", "16") not in slow


def test_survival_does_not_tell_how_many_had_the_event(run: Run, loaded: Path) -> None:
    """1 - S(t) times n is the number of events by t where nobody was censored before."""
    found = run("endpoint", "survival", "-w", loaded, "--mask", K, "--format", "json").json
    rows = [r for r in found["results"] if r["stat_name"].startswith(("survival", "rmst")) and r["context"] == "arm"]
    events = {r["arm"]: r["stat"] for r in found["results"] if r["stat_name"] == "events" and r["context"] == "arm"}
    assert any(n is None for n in events.values())
    assert rows and all(r["stat"] is None for r in rows if events[r["arm"]] is None)
    assert "one side" not in json.dumps(found["warnings"])  # that an arm has no event is a count too


def test_a_joint_rank_keeps_its_contrast_where_only_its_events_are_few(run: Run, loaded: Path) -> None:
    found = run("endpoint", "cafs", "-w", loaded, "--mask", K, "--format", "json").json["results"]
    by_name = {n: [r["stat"] for r in found if r["stat_name"] == n] for n in ("events", "pairs", "difference", "p_value")}
    assert set(by_name["events"]) == {None} and set(by_name["pairs"]) == {None}
    assert None not in by_name["difference"] and None not in by_name["p_value"]


def test_single_subjects_are_refused_under_a_mask(run: Run, loaded: Path) -> None:
    subject = run("data", "ADSL", "-c", "USUBJID", "--limit", "1", "-w", loaded, "--format", "json").json["rows"][0]["USUBJID"]
    for words in (
        ("subject", subject),
        ("data", "ADSL"),
        ("diff", "current", "current"),
        ("endpoint", "cafs", "--why", subject),
        ("endpoint", "cafs", "--subjects"),
    ):
        ran = run(*words, "-w", loaded, "--mask", "5")
        assert ran.code == 2 and "masked" in ran.err and subject not in ran.out, words


def test_findings_of_checks_name_nobody(run: Run, small: Any) -> None:
    subjects = small.subjects
    subjects[3]["AGE"] = 190
    assert run("load", small.data(adsl=subjects), "-w", small.workspace).code == 0
    assert "S03" in run("check", "-w", small.workspace).out
    text = run("check", "-w", small.workspace, "--mask", "5", "--format", "json").out
    text = text.replace(small.current()[0], "")  # of seven o'clock in the evening, which is 190000
    assert "S03" not in text and "190" not in text and '"count": "<5"' in text


def test_scrutiny_leaves_out_what_tells_of_single_subjects(run: Run, loaded: Path) -> None:
    words = ("scrutinise", "-s", "slow", "-w", loaded)
    found = run(*words, "--check", "overall", "--check", "controls", "--check", "components", "--mask", "5", "--format", "json")
    text = json.dumps(found.json)
    assert "it tells of single subjects" in text and "0.939" in run(*words, "--check", "overall", "--mask", "5").out
    for form in ("table", "json", "csv", "tsv", "md"):
        assert "0.939" not in run(*words, "--check", "overall", "--mask", K, "--format", form).out  # Group 1, not slow: six
    assert "is small" in run(*words, "--check", "overall", "--mask", K).out


def test_a_replayed_session_is_masked(run: Run, loaded: Path, tmp_path: Path) -> None:
    from alsbench.tui import actions as act
    from alsbench.tui.session_log import SessionLog

    log = SessionLog(tmp_path / "log.jsonl", loaded)
    start = act.Open("ALSREF01", "x", "FAS", ("slow",), "alsfrs_ancova", "G1-M6")
    for action in (start, act.GoTo("arms"), act.OpenSubject(1)):
        log.append(action)
    log.close()
    ran = run("replay", tmp_path / "log.jsonl", "--mask", K)
    assert "<7" in ran.out and "one subject cannot be masked" in ran.out and ran.code == 2
    assert "leave out --mask" in ran.out and "no mask was asked for" not in ran.out


def test_a_mask_of_the_settings_or_the_study_holds_and_cannot_be_lowered(
    run: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = run("arms", "-w", workspace).out
    assert "<" not in plain
    settings = tmp_path / "config" / "alsbench" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("mask = 7\n")
    with monkeypatch.context() as mine:
        mine.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        for words in ((), ("--mask", "2"), ("--mask", "7")):
            assert "<7" in run("arms", "-w", workspace, *words).out
        assert "<9" in run("arms", "-w", workspace, "--mask", "9").out
        assert run("subject", "X", "-w", workspace).code == 2
        settings.write_text("mask = 1\n")
        assert run("arms", "-w", workspace).code == 2
    study = workspace / "study.toml"
    study.write_text(study.read_text().replace("[study]\n", "[study]\nmask = 7\n", 1))
    assert "<7" in run("arms", "-w", workspace).out
    assert "<7" in run("arms", "-w", workspace, "--mask", "2").out
    assert "masked" in run("evidence", "-s", "slow", "-w", workspace).out


PLAN = """
[multiplicity]
method = "holm"
[[multiplicity.hypotheses]]
endpoint = "score"
comparison = "Active"
"""


def test_the_multiplicity_line_hides_the_p_of_a_hidden_contrast(run: Run, small: Any) -> None:
    path = small.workspace / "study.toml"
    path.write_text(path.read_text() + PLAN)
    where = ("-w", small.workspace)
    p = next(
        r["stat_fmt"]
        for r in run("evidence", *where, "--format", "json").json["results"]
        if r["stat_name"] == "p_value" and r["subgroup"] == "overall"
    )
    assert f"p {p}" in run("evidence", *where).out
    for form in ("table", "json", "md", "csv", "tsv"):
        text = run("evidence", *where, "--mask", "9", "--format", form).out  # six subjects in each arm
        assert p not in text, form
        assert "adjusted" not in text.replace("not adjusted", "").replace("p_adjusted", ""), form


def test_sentences_lose_their_counts() -> None:
    assert hide_counts("3 subjects not ranked; n = 4, N=12") == "some subjects not ranked; n hidden, n hidden"
    assert "3" not in hide_in_line("Population", "PP: PP (PPFL = 'Y'); overall n = 33; slow n = 3")
    lines = (("Multiplicity", "holm at 0.05: a:B p 0.021, adjusted 0.042, rejected; c:D p <0.001, adjusted 0.002, rejected"),)
    assert hide_gates(lines) == (("Multiplicity", "holm at 0.05: a:B masked; c:D masked"),)


def stage_rows(counts: tuple[int, ...]) -> list[Row]:
    about = {"arm": "A", "variable": "King's", "visit_number": 6.0}
    rows = [Row("e", "staging", "FAS", "overall", "arm", "n", sum(counts), **about)]  # type: ignore[arg-type]
    for level, n in enumerate(counts):
        rows.append(Row("e", "staging", "FAS", "overall", "arm", "count", n, level=str(level), **about))  # type: ignore[arg-type]
    return rows


def test_stages_that_make_the_number_of_subjects_are_masked_together() -> None:
    made = mask_rows(stage_rows((20, 3, 12)), 5)
    assert [is_masked(r) for r in made] == [False, False, True, True]  # 35 - 20 - 12 = 3


def test_quarters_of_two_subgroups_are_masked_together() -> None:
    """``a and b`` is what ``a`` has beside ``a and not b``: neither may be worked out from the other."""
    sizes = {"a and b": 20, "a and not b": 3, "not a and b": 15, "not a and not b": 14}
    sizes |= {"a": 23, "not a": 29, "b": 35, "not b": 17, "overall": 52}
    found = masked_counts({Count(name, None): n for name, n in sizes.items()}, 5)
    hidden = {c.subgroup for c, value in found.items() if isinstance(value, str)}
    assert {"a and not b", "a and b"} <= hidden
    sums = [
        ("a", "a and b", "a and not b"),
        ("b", "a and b", "not a and b"),
        ("overall", "a", "not a"),
        ("overall", "b", "not b"),
    ]
    sums += [("not a", "not a and b", "not a and not b"), ("not b", "a and not b", "not a and not b")]
    assert all(len(hidden & set(s)) != 1 for s in sums)


def test_what_is_hidden_is_hidden_whichever_export_is_made(run: Run, loaded: Path) -> None:
    """Of all exports of one table together no hidden count can be read."""
    told: dict[tuple[str, str | None], set[object]] = {}
    for phrases in itertools.chain([("slow",), ("fast",), ("overall",)], [("slow", "overall"), ("overall", "fast", "slow")]):
        words = [w for p in phrases for w in ("-s", p)]
        for r in run("endpoint", "alsfrs_ancova", *words, "-w", loaded, "--mask", K, "--format", "json").json["results"]:
            if r["context"] == "subgroup" and r["stat_name"] == "n":
                told.setdefault((r["subgroup"], r["arm"]), set()).add(r["stat"])
    assert all(len(values) == 1 for values in told.values()), told


def test_subgroups_that_partition_by_meaning_do_not_tell_each_other(run: Run, workspace: Path) -> None:
    """Three bands of age, none named after another: of each arm's counts none or at least two are hidden, in every view."""
    rows = run("data", "ADSL", "--limit", "500", "-w", workspace, "--format", "json").json["rows"]
    ages = sorted((r["AGE"] for r in rows if r["TRT01P"] == "Group 1" and r["FASFL"] == "Y"), reverse=True)
    old, young = ages[2], ages[-8]  # three of Group 1 are old
    study = workspace / "study.toml"
    bands = {"band_a": f"AGE <= {young}", "band_b": f"AGE > {young} and AGE < {old}", "band_c": f"AGE >= {old}"}
    study.write_text(
        study.read_text() + "".join(f'\n[[subgroups]]\nname = "{n}"\nwhere = "{where}"\n' for n, where in bands.items())
    )
    told = ("-w", workspace, "--mask", "5", "--format", "json")
    listed = {r["name"]: r for r in run("subgroup", "list", *told).json["rows"]}
    assert listed["band_c"]["Group 1"] in ("<5", "masked")
    for arm in ("Placebo", "Group 1", "Group 2"):
        hidden = [n for n in bands if isinstance(listed[n][arm], str)]
        assert len(hidden) != 1, arm
    for name in bands:  # asked alone, the same is hidden
        one = {r["subgroup"]: r for r in run("subgroup", "show", name, *told).json["rows"]}[name]
        counts = run("arms", "-s", name, *told).json["rows"]
        for row in counts[:-1]:
            assert one[row["arm"]] == listed[name][row["arm"]]
            assert isinstance(row["FAS"], str) or not isinstance(one[row["arm"]], str)
