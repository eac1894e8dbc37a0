"""Whatever command line is printed beside an answer, or entered in the log, asks for that answer again: every option by which
it was asked stands in it, and run again it gives the same bytes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alsbench.cli.app import program
from alsbench.cli.reference import COMMON, commands

Run = Callable[..., Any]

OF = "--subgroup slow --endpoint alsfrs_ancova --comparison 'Group 1' --population PP"
PRINTED = [  # command lines whose answer says what repeats it; WS is the workspace
    "evidence --subgroup slow --comparison 'Group 1' --population PP --judge --mask 5",
    "endpoint alsfrs_ancova --subgroup slow --comparison 'Group 1' --visit 6 --population PP --model --mask 5",
    "endpoint alsfrs --comparison 'Group 1' --method mmrm --covariance cs --df satterthwaite --mask 5",
    "endpoint alsfrs_ancova --comparison 'Group 1' --option adjust=none",
    "endpoint cafs --comparison 'Group 1' --subjects",
    "endpoint cafs --comparison 'Group 2' --why ALSREF01-01-1010 --population PP",
    "endpoint survival --comparison 'Group 1' --curve",
    "forest alsfrs_ancova --subgroup slow --comparison 'Group 1' --population PP --judge --mask 5",
    f"scrutinise {OF} --check overall --mask 5",
    f"chance {OF} --visit 6 --draws 20 --mask 5",
    "verify alsfrs_ancova --subgroup slow --population PP --mask 5",
    "verify alsfrs --method mmrm --covariance cs --df satterthwaite",
    "verify alsfrs_ancova --option adjust=none --mask 5",
    "reconcile WS sub/theirs.json --endpoint alsfrs_ancova --subgroup slow --why --budget 3 --mask 5",
    "reconcile WS sub/theirs.json --mapping sub/map.toml --mask 5",
    "report --endpoint nfl --subgroup slow --mask 5",
    "report --endpoint nfl --verify --reconcile sub/theirs.json --mapping sub/map.toml --claims sub/claims.toml",
]
LOGGED = [  # those whose entry in the log says it
    "data ADSL --where 'AGE > 50' --column AGE --order-by -AGE --limit 3 --offset 2",
    "data ADSL --special --column AGE --limit 3 --offset 2",
    "subject ALSREF01-01-1010",
    f"lineup --view months {OF} --panels 5 --key key.json",
    "reconcile WS sub/table.html --endpoint alsfrs_ancova --subgroup overall --propose --mask 5",
]
# where and how fast it is computed, what would tell a secret, what asks of something else, and a mask where it only refuses
NOT_ASKED = {"workers", "cluster", "insecure", "key", "seed", "reveal", "pick", "listed", "describe"}
REFUSED = {("data", "mask"), ("subject", "mask"), ("lineup", "mask"), ("diff", "mask")}
# commands that print and enter no command line of theirs: they change the workspace, count no endpoint, or enter questions
SILENT = {"demo", "init", "load", "tui", "arms", "subgroup list", "subgroup show", "subgroup add", "subgroup edit", "safety"}
SILENT |= {"subgroup remove", "check", "claims", "snapshots", "audit", "lock", "unblind", "simulate", "qualify", "calibrate"}
SILENT |= {"config show", "config path", "config validate"}
BELOW = {("diff", name) for name in ("old", "new", "results", "records", "why", "budget")}
BELOW |= {("report", "scrutinise"), ("replay", "log"), ("replay", "mask"), ("reconcile", "records"), ("report", "diff")}


@pytest.fixture
def here(workspace: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace; the current directory has a folder with another's results, a mapping, claims and a printed table."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "sub"
    folder.mkdir()
    for name in ("theirs.json", "table.html"):
        assert run("endpoint", "alsfrs_ancova", "-w", workspace, "-o", folder / name, "-q").code == 0
    (folder / "map.toml").write_text('schema = "alsbench.mapping/1"\n[tolerance]\nse = { relative = 0.05 }\n')
    (folder / "claims.toml").write_text(
        'schema = 1\n[[claims]]\nname = "one"\nendpoint = "alsfrs_ancova"\ncomparison = "Group 1"\nvisit = 6\n'
        'contrast = { p_value = "0.5" }\n'
    )
    return workspace


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """A command line as the program reads it: which command, and what was said of each argument and option."""
    words = shlex.split(line)
    root: Any = program()
    words = words[1:] if words[0] == "alsbench" else words
    name, *rest = words
    context = root.commands[name].make_context(name, list(rest), resilient_parsing=True)
    said = {k: v for k, v in context.params.items() if k not in COMMON and k not in NOT_ASKED and v is not None}
    return name, {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}


def told(answer: Any) -> Iterator[str]:
    """Every command line that a JSON answer says it is repeated by: of results, of sheets, of a document."""
    if isinstance(answer, dict):
        found = [answer[key] for key in ("command", "Command") if isinstance(answer.get(key), str)]
        yield from found
        for value in answer.values():
            yield from told(value)
    elif isinstance(answer, list):
        if len(answer) == 2 and answer[0] == "Repeated by":
            yield answer[1]
        for value in answer:
            yield from told(value)


def entries(workspace: Path) -> list[Any]:
    return [json.loads(line) for line in (workspace / "audit.jsonl").read_text().splitlines()]


def asked_of(line: str, workspace: Path) -> list[str]:
    return shlex.split(line.replace("WS", shlex.quote(str(workspace))))


@pytest.mark.parametrize("line", PRINTED)
def test_a_printed_command_asks_the_same_again(run: Run, here: Path, line: str) -> None:
    words = asked_of(line, here)
    where = () if words[0] == "reconcile" else ("-w", here)
    first = run(*words, *where, "--format", "json", "-q")
    assert first.code in (0, 1), first.err
    found = next(told(first.json))
    assert parsed(found) == parsed(shlex.join(words))
    again = run(*shlex.split(found)[1:], *where, "--format", "json", "-q")
    assert (again.code, again.out) == (first.code, first.out)
    if words[0] not in ("report", "endpoint"):  # whose looks are those of its tables; and --why, which is no look
        assert parsed(entries(here)[-1]["facts"]["asked"]) == parsed(shlex.join(words))


@pytest.mark.parametrize("line", LOGGED)
def test_the_log_has_the_command_that_was_given(run: Run, here: Path, line: str) -> None:
    words = asked_of(line, here)
    where = () if words[0] == "reconcile" else ("-w", here)
    ran = run(*words, *where, "--format", "json", "-q")
    assert ran.code == 0, ran.err
    assert parsed(entries(here)[-1]["facts"]["asked"]) == parsed(shlex.join(words))


def test_the_pages_of_a_report_say_what_repeats_them(run: Run, here: Path) -> None:
    """Another's numbers under the mask of the report, and what repeats that page alone, the workspace named once."""
    ran = run("report", "-e", "nfl", "--reconcile", "sub/theirs.json", "--mask", "5", "-w", here, "--format", "json", "-q")
    facts = [f for table in ran.json["tables"] for f in table["facts"] if f[0] == "Command"]
    assert facts == [["Command", f"alsbench reconcile {here} sub/theirs.json --mask 5"]]


def test_a_comparison_of_snapshots_is_entered_as_it_was_asked(run: Run, small: Any) -> None:
    rows = small.records()
    rows[5]["AVAL"] += 3
    rows[5]["CHG"] += 3
    assert run("load", small.data(adqs=rows), "-w", small.workspace, "-q").code == 0
    old, new = small.snapshots()
    line = f"diff {old} {new} --records 3 --why --budget 7"
    ran = run(*shlex.split(line), "-w", small.workspace, "-q")
    assert ran.code == 1, ran.err
    looks = [e["facts"]["asked"] for e in entries(small.workspace) if e["action"] == "look"]
    assert looks and {parsed(asked)[1]["budget"] for asked in looks} == {7}
    assert [parsed(asked) for asked in looks] == [parsed(line)] * len(looks)
    assert all(shlex.split(asked)[-2:] == ["--workspace", str(small.workspace)] for asked in looks)


def test_single_records_that_were_shown_are_entered(run: Run, small: Any) -> None:
    """Of two snapshots without results, and of two deliveries: the log has what was asked, and nothing of what it showed."""
    rows = small.records()
    rows[5]["AVAL"] += 3
    assert run("load", small.data(adqs=rows), "-w", small.workspace, "-q").code == 0
    old, new = small.snapshots()
    ran = run("diff", old, new, "--no-results", "-w", small.workspace, "-q")
    assert ran.code == 1 and "S01 TOTAL 2" in ran.out
    assert parsed(entries(small.workspace)[-1]["facts"]["asked"]) == parsed(f"diff {old} {new} --no-results")
    ran = run("reconcile", small.workspace, small.data(), "-q")
    assert ran.code == 1 and "S01 TOTAL 2" in ran.out
    entry = entries(small.workspace)[-1]
    assert entry["action"] == "data" and entry["facts"]["asked"] == f"alsbench reconcile {small.workspace} {small.folder}"
    before = len(entries(small.workspace))
    assert run("diff", new, new, "--no-results", "-w", small.workspace, "-q").code == 0
    assert run("reconcile", small.workspace, small.workspace, "-q").code == 0
    assert len(entries(small.workspace)) == before  # which show no record
    assert run("audit", "verify", "-w", small.workspace, "-q").code == 0


def test_reconciled_data_are_entered_as_they_were_asked(run: Run, small: Any, tmp_path: Path) -> None:
    rows = small.records()
    rows[5]["AVAL"] += 3
    rows[5]["CHG"] += 3
    mapping = tmp_path / "map.toml"
    mapping.write_text('schema = "alsbench.mapping/1"\n[tolerance]\n"ADSL.AGE" = { absolute = 0.5 }\n')
    line = f"reconcile {small.workspace} {small.data(adqs=rows)} --mapping {mapping} --records 3 --why --budget 7"
    ran = run(*shlex.split(line), "-q")
    assert ran.code == 1, ran.err
    looks = [e["facts"]["asked"] for e in entries(small.workspace) if e["action"] == "look"]
    assert looks and [parsed(asked) for asked in looks] == [parsed(line)] * len(looks)


def test_a_report_with_scrutiny_says_so(run: Run, small: Any) -> None:
    ran = run("report", "--scrutinise", "--mask", "2", "-w", small.workspace, "--format", "json", "-q")
    assert parsed(next(told(ran.json))) == parsed("report --scrutinise --mask 2")


def test_a_report_of_snapshots_names_the_one_it_compared(run: Run, small: Any) -> None:
    """``previous`` is another snapshot after the next load: the command has the name."""
    rows = small.records()
    rows[5]["AVAL"] += 3
    assert run("load", small.data(adqs=rows), "-w", small.workspace, "-q").code == 0
    ran = run("report", "--diff", "previous", "-w", small.workspace, "--format", "json", "-q")
    assert parsed(next(told(ran.json)))[1]["diff"] == small.snapshots()[0]
    facts = [f for table in ran.json["tables"] for f in table["facts"] if f[0] == "Command"]
    assert facts == [["Command", shlex.join(["alsbench", "diff", *small.snapshots()])]]


def test_a_replayed_view_says_the_mask_it_was_shown_under(run: Run, here: Path, tmp_path: Path) -> None:
    from alsbench.tui import actions as act
    from alsbench.tui.session_log import SessionLog

    log = SessionLog(tmp_path / "session.jsonl", here)
    start = act.Open("REF", "x", "FAS", ("slow",), "alsfrs_ancova", "Group 1")
    for action in (start, act.GoTo("endpoint"), act.GoTo("arms"), act.GoTo("log")):
        log.append(action)
    log.close()
    shown = run("replay", log.path, "--mask", "20", "--format", "json", "-q").json
    assert [shlex.split(view["command"])[1] for view in shown] == ["evidence", "endpoint", "arms", "audit"]
    for view in shown[:3]:
        again = run(*shlex.split(view["command"])[1:], "--format", "json", "-q")
        assert view["command"].endswith("--mask 20") and again.json == view["output"]
    assert "--mask" not in shown[3]["command"]  # the log counts no subjects


def test_a_population_that_is_not_there_is_the_askers_error(run: Run, loaded: Path) -> None:
    """It is no table without an answer: nothing would have been compared, with exit code 0."""
    ran = run("verify", "alsfrs_ancova", "--population", "ITT", "-w", loaded)
    assert ran.code == 2 and "no population is named ITT" in ran.err and not ran.out


def test_what_comes_next_is_said_once_and_can_be_pasted(
    run: Run, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("init", "a b", small.data())
    (line,) = [line for line in ran.err.splitlines() if line.startswith("next: ")]
    assert shlex.split(line[line.index("alsbench load") :]) == ["alsbench", "load", str(small.folder), "-w", "a b"]
    ran = run("simulate", "c d")
    (line,) = [line for line in ran.err.splitlines() if line.startswith("next: ")]
    assert shlex.split(line)[1:] == ["alsbench", "load", "c d", "--study", "c d/study.toml", "-w", "WORKSPACE"]


def test_every_option_of_every_command_is_looked_at() -> None:
    """An option that is added to a command comes with a command line here, or with the reason why it is not repeated."""
    seen = {(name, option) for line in (*PRINTED, *LOGGED) for name, said in [parsed(line)] for option, v in said.items() if v}
    every = {(name, p.name) for name, command in commands(program()) for p in command.params if name not in SILENT}
    known = seen | REFUSED | BELOW | {(name, option) for name, option in every if option in COMMON | NOT_ASKED}
    assert every - known == set()
