"""``alsbench report``: one document, every table of it alone, the same numbers as the other commands print."""

from __future__ import annotations

import json
import re
import shutil
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from alsbench.__main__ import main
from alsbench.audit.log import entries

FORMS = ("html", "rtf", "md", "txt", "json", "csv", "tsv")
FEW = ("--endpoint", "alsfrs_ancova", "--endpoint", "nfl")


class Sections(HTMLParser):
    """Text of every section, caption and cell."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.captions: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [str(values["id"])] if "id" in values else []
        self.links += [str(values["href"])] if "href" in values else []
        if tag == "section":
            self.sections.append("")
        if tag == "caption":
            self.captions.append("")
            self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = "" if tag == self._in else self._in

    def handle_data(self, data: str) -> None:
        if self.sections:
            self.sections[-1] += data
        if self._in:
            self.captions[-1] += data


def sections(text: str) -> Sections:
    found = Sections()
    found.feed(text)
    return found


@pytest.fixture(scope="module")
def made(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with an audit log that held its load only, and its report in every format."""
    folder = tmp_path_factory.mktemp("report")
    space = Path(shutil.copytree(loaded, folder / "ws", symlinks=True))
    log = (space / "audit.jsonl").read_text().splitlines(keepends=True)
    (space / "audit.jsonl").write_text("".join(log[:2]))  # announced, loaded
    texts = {}
    for form in FORMS:
        path = folder / f"report.{form}"
        assert main(["report", "-s", "slow", *FEW, "-w", str(space), "-q", "-o", str(path)]) == 0
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        texts[form] = path.read_text("utf-8")
    return space, texts


def test_every_table_is_numbered_listed_and_stands_alone(made: tuple[Path, dict[str, str]]) -> None:
    found = sections(made[1]["html"])
    assert [re.match(r"\s*Table (\d+)\.", s)[1] for s in found.sections] == [  # type: ignore[index]
        str(n) for n in range(1, len(found.sections) + 1)
    ]
    assert [link[1:] for link in found.links] == [i for i in found.ids if re.fullmatch(r"t\d+", i)]
    assert len(found.captions) >= len(found.sections) and all(c.startswith("Table ") for c in found.captions)
    for text in found.sections:
        assert "ALSREF01" in text and "SYNTHETIC" in text and "alsbench 0" in text and "study a29f7cdc6755" in text
        assert "c0bcd34ceaea" in text
    tables = [s for s in found.sections if "Repeated by: " in s]
    assert len(tables) == len(found.sections) - 4  # disposition twice, ledger, checks
    assert all("Population" in t and "Subgroup" in t for t in tables)
    assert all("Model" in t for t in tables if "analysis of covariance" in t or "mixed model" in t)
    slow = [s for s in found.sections if ", slow" in s.split("SYNTHETIC")[0]]
    assert len(slow) == 5 and all("Post hoc" in s and "LEADRATE <= mean(LEADRATE)" in s for s in slow)


def test_the_front_page_says_what_was_made_of_what(made: tuple[Path, dict[str, str]]) -> None:
    front = json.loads(made[1]["json"])
    facts = [tuple(f) for f in front["facts"]]
    assert ("Study", "ALSREF01") in facts and ("Data cut", "2023-08-17") in facts and ("Plan", "not locked") in facts
    assert ("Populations", "FAS (FASFL = 'Y'): 115") in facts and ("Populations", "PP (PPROTFL = 'Y'): 108") in facts
    command = "alsbench report --subgroup slow --endpoint alsfrs_ancova --endpoint nfl --format json"
    assert ("Repeated by", command) in facts
    assert any(n == "Data SHA-256" and len(v) == 64 for n, v in facts)
    assert [s.split(":")[0] for s in front["statements"]] == ["SYNTHETIC DATA", "Post hoc", "No plan is locked"]


@pytest.mark.parametrize("form", ["html", "rtf", "md", "txt", "csv"])
def test_the_numbers_are_those_of_the_endpoint_command(run: Any, made: tuple[Path, dict[str, str]], form: str) -> None:
    space, texts = made
    shown = texts[form].replace("\\~", " ")
    for name, stats in (("alsfrs_ancova", ("ls_mean", "difference", "p_value")), ("nfl", ("ratio", "p_value"))):
        rows = run("endpoint", name, "-s", "slow", "-w", space, "--format", "json").json["results"]
        rows = [r for r in rows if r["stat_name"] in stats and r["context"] != "model"]  # --model prints its tests of terms
        wanted = [r["stat_fmt"] for r in rows if not r["stat_fmt"].startswith("<")]
        missing = [w for w in wanted if not re.search(rf"(?<![\d.]){re.escape(w)}(?!\d)", shown)]
        assert len(wanted) > 20 and not missing


def test_the_same_bytes_twice(run: Any, made: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    space, texts = made
    for form in ("html", "rtf", "txt"):
        again = tmp_path / f"again.{form}"
        run("report", "-s", "slow", *FEW, "-w", space, "-q", "-o", again)
        assert again.read_text("utf-8") == texts[form]


def test_every_result_is_entered_as_an_export(run: Any, workspace: Path, tmp_path: Path) -> None:
    assert run("report", *FEW, "-w", workspace, "-q", "-o", tmp_path / "r.html").code == 0
    found = list(entries(workspace / "audit.jsonl"))[2:]  # after the load
    assert found and {e.action for e in found} == {"export"} and {e.facts["file"] for e in found} == {"r.html"}
    asked = [str(e.facts["asked"]).split(" --workspace")[0] for e in found]
    assert {"alsbench endpoint nfl", "alsbench endpoint ae", "alsbench endpoint baseline", "alsbench forest nfl"} <= {
        a.split(" --subgroup")[0] for a in asked
    }
    ledger = sections((tmp_path / "r.html").read_text("utf-8")).sections[-2]
    questions = {q for e in found for q in e.facts["questions"]}
    assert len(questions) > len(found)
    assert "Multiplicity ledger" in ledger and f"Distinct questions{len(questions)}, of them" in ledger.replace("\n", "")


def test_a_mask_holds_in_every_table(run: Any, loaded: Path, tmp_path: Path) -> None:
    """Of Group 1 six are not slow; a report of ``not slow`` must not tell (see test_mask_everywhere)."""
    path = tmp_path / "m.json"
    words = ("report", "-s", "not slow", "--endpoint", "alsfrs_ancova", "--mask", 7)
    assert run(*words, "-w", loaded, "-q", "-o", path).code == 0
    document = json.loads(path.read_text())
    assert any(s.startswith("Masked: counts below 7") for s in document["statements"])
    assert ["Repeated by", "alsbench report --subgroup 'not slow' --endpoint alsfrs_ancova --mask 7 --format json"] in document[
        "facts"
    ]
    arms = next(t for t in document["tables"] if t["title"].startswith("Disposition of subjects, not slow"))
    lines = {line[0]: line for line in arms["blocks"][0]["lines"]}
    assert lines["Group 1"][2] == "<7" and lines["all arms"][3] == "masked"
    for table in document["tables"]:
        if "not slow" in table["title"] and "Disposition" not in table["title"]:
            command = next(n for n in table["footnotes"] if n.startswith("Repeated by")).removeprefix("Repeated by: alsbench ")
            assert command.endswith("--mask 7")
            assert "n = 55" not in json.dumps(table) and "Group 1 6" not in json.dumps(table)


def test_blinding_is_said_in_every_table(run: Any, small: Any, tmp_path: Path) -> None:
    key, blind = tmp_path / "key.json", tmp_path / "blind"
    ran = run("load", small.folder, "--study", small.study, "-w", blind, "--blinded", "--key", key, "-q")
    assert ran.code == 0, ran.err
    ran = run("report", "-w", blind, "-q", "-o", tmp_path / "b.html")
    text = (tmp_path / "b.html").read_text("utf-8")
    assert ran.code == 0 and all("BLINDED" in s for s in sections(text).sections)
    assert "BLINDED: the arms are dummies" in text and not re.search("Placebo|Active", text)


def test_findings_name_nobody(run: Any, small: Any, tmp_path: Path) -> None:
    """Subjects twice in ADSL: the rule's keys are subjects, and stay where they are."""
    rows = [*small.subjects]
    rows[0]["AGE"] = 400
    run("load", small.data(adsl=rows), "-w", small.workspace, "-q")
    listed = run("check", "-w", small.workspace, "--format", "json").json["rows"]
    assert any(r["keys"] for r in listed)
    text = run("report", "-w", small.workspace, "-q", "--format", "html").out
    assert "Checks of the data" in text and not re.search(r"\bS\d\d\b", text)


def test_a_table_that_cannot_be_made_says_why_in_its_place(run: Any, small: Any) -> None:
    study = small.workspace / "study.toml"
    study.write_text(study.read_text() + '\n[endpoints.gone]\nmethod = "baseline"\ndataset = "ADSL"\ncovariates = ["NOPE"]\n')
    ran = run("report", "-w", small.workspace, "--format", "json")
    table = next(t for t in json.loads(ran.out)["tables"] if t["title"].startswith("gone"))
    assert ran.code == 0 and "NOPE" in table["blocks"][0]["notes"][0] and "not made: gone" in ran.err
    assert ["Not reported", "gone, overall"] in json.loads(ran.out)["facts"]


def test_what_does_not_exist_is_refused_at_once(run: Any, loaded: Path, tmp_path: Path) -> None:
    for words in (("-s", "nobody"), ("--endpoint", "nothing"), ("--claims", tmp_path / "none.toml")):
        ran = run("report", *words, "-w", loaded, "-o", tmp_path / "x.html")
        assert ran.code in (2, 3) and not (tmp_path / "x.html").exists()


def test_claims_and_departures_are_added(run: Any, small: Any, tmp_path: Path) -> None:
    claims = tmp_path / "claims.toml"
    claims.write_text(
        'schema = 1\n[[claims]]\nname = "one"\nendpoint = "score"\ncomparison = "Active"\nvisit = 2\n'
        'contrast = { p_value = "0.5" }\n'
    )
    assert run("lock", "-w", small.workspace, "-q").code == 0
    ran = run("report", "--claims", claims, "-w", small.workspace, "--format", "md", "-q")
    assert ran.code == 0, ran.err
    assert re.search(r"## Table \d+\. Claims of claims.toml", ran.out) and "Departures from the locked plan" in ran.out
    assert "locked 2" in ran.out and "Departures: none" in ran.out


def test_other_commands_write_html_and_rtf_by_the_suffix(run: Any, loaded: Path, tmp_path: Path) -> None:
    for words in (("evidence",), ("forest", "nfl"), ("safety",), ("arms",), ("check",), ("data", "ADSL", "--limit", "3")):
        for suffix, head in ((".html", "<!DOCTYPE html>"), (".rtf", "{\\rtf1"), (".txt", "")):
            path = tmp_path / f"{words[0]}{suffix}"
            assert run(*words, "-w", loaded, "-q", "-o", path).code == 0
            assert path.read_text("utf-8").startswith(head)
    assert run("replay", loaded / "study.toml", "-w", loaded, "--format", "html").code == 2


def test_the_front_page_says_first_what_may_be_taken_away(run: Any, workspace: Path, monkeypatch: Any) -> None:
    """With --scrutinise: the levels that `scrutinise` gives, before every other statement."""
    from alsbench.analysis.scrutiny import ALL, catalogue
    from alsbench.service import scrutiny

    monkeypatch.setattr(catalogue, "DRAWS", 255)
    monkeypatch.setattr(scrutiny, "ALL", ALL[:2])
    ran = run("report", "--subgroup", "slow", "--endpoint", "cafs", "--scrutinise", "-w", workspace)
    assert ran.code == 0, ran.err
    front = ran.out.partition("Contents")[0]
    said = " ".join(front.split())
    about = ("--subgroup", "slow", "--endpoint", "cafs", "--check", "bottom_line", "-w", workspace, "--format", "json")
    (check, *_) = json.loads(run("scrutinise", *about).out)["checks"]
    assert "G1-M6: " in check["verdict"] and f"The bottom line of cafs in slow: {check['verdict']}." in said
    assert said.index("The bottom line") < said.index("Post hoc: tables")
    assert "The bottom line" in ran.out.partition("Contents")[2]
