"""Attacks on a blinded workspace by somebody who knows the protocol's arm names and the file formats, without the key."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_blinding import ARMS, WORDS, everything, load, trial  # noqa: F401  a fixture

from alsbench.data.workspace import Workspace

Run = Callable[..., Any]
NAMES = list(ARMS)


def rows_of(path: Path) -> tuple[str, list[str]]:
    heading, *rows = path.read_text().splitlines()
    return heading, rows


def rewrite(path: Path, heading: str, rows: Iterable[str]) -> None:
    path.write_text("\n".join([heading, *rows]) + "\n")


def add_column(path: Path, name: str, value: Callable[[str, str, int], object]) -> None:
    """A further column, made of each row's subject, arm and number."""
    heading, rows = rows_of(path)
    made = []
    for i, row in enumerate(rows):
        subject = row.split(",")[0]
        made.append(f"{row},{value(subject, NAMES[int(subject[1:]) % 3], i)}")
    rewrite(path, f"{heading},{name}", made)


def digests(folder: Path) -> set[str]:
    """Every digest that the file formats and this program could make of the originals: of files, lines, columns, tables."""
    from alsbench.data.load import digest_of
    from alsbench.data.readers.files import find_files, read

    contents: list[bytes] = []
    tables = {}
    for path in find_files([folder]):
        whole = path.read_bytes()
        contents += [whole, whole.rstrip(b"\n"), whole.replace(b"\n", b"\r\n"), *whole.splitlines(keepends=True)]
        heading, rows = rows_of(path)
        for k, name in enumerate(heading.split(",")):
            column = [name, *(row.split(",")[k] for row in rows)]
            contents += ["\n".join(column).encode(), "\n".join(column[1:]).encode(), json.dumps(column[1:]).encode()]
        for dataset in read(path):
            tables[dataset.name] = (dataset.table(), dataset.columns)
    found = {f(c).hexdigest() for c in contents for f in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512)}
    return found | {digest_of(tables), *(digest_of({n: t}) for n, t in tables.items())}


def test_no_digest_of_the_originals_is_in_the_workspace(trial: Path, run: Run) -> None:  # noqa: F811
    assert load(trial, run, "--expect", "adsl=24").code == 0
    open_ = trial / "open"
    assert run("load", trial / "data", "--study", trial / "study.toml", "-w", open_).code == 0
    made = digests(trial / "data") | {Workspace(open_).open_current().digest}
    made |= {hashlib.sha256((trial / "study.toml").read_bytes()).hexdigest()}
    for table in Workspace(open_).open_current().tables.values():
        made.add(table.sha256)
    assert run("endpoint", "score", "-w", trial / "ws").code == 0
    assert run("lock", "-w", trial / "ws").code == 0
    text = everything(trial / "ws")
    assert [d for d in made if d[:12] in text] == []
    assert hashlib.sha256((trial / "data" / "adsl.csv").read_bytes()).hexdigest() in (trial / "key.json").read_text()


def test_no_permutation_of_arm_names_is_confirmed(trial: Path, run: Run) -> None:  # noqa: F811
    """As `digests`, of the blinded rows with every allotment of the real names to the dummies, in two orders."""
    assert load(trial, run).code == 0
    log = (trial / "ws" / "audit.jsonl").read_text()
    text = run("data", "ADQS", "-w", trial / "ws", "--format", "csv", "--limit", "1000").out.replace("\r\n", "\n")
    for names in itertools.permutations(NAMES):
        guess = text
        for dummy, name in zip(("Arm A", "Arm B", "Arm C"), names, strict=True):
            guess = guess.replace(dummy, name)
        lines = guess.splitlines()
        for each in (guess, "\n".join([lines[0], *sorted(lines[1:])]) + "\n"):
            assert hashlib.sha256(each.encode()).hexdigest()[:12] not in log
    assert "sources" not in log and "mtime" not in log


def test_the_originals_are_known_again_with_the_key(trial: Path, run: Run) -> None:  # noqa: F811
    from alsbench.audit.blinding import read_key

    assert load(trial, run).code == 0
    entry = [json.loads(line) for line in (trial / "ws" / "audit.jsonl").read_text().splitlines()][-1]["facts"]
    files = sorted((trial / "data").iterdir())
    sums = [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]
    assert entry["originals"] == read_key(trial / "key.json").mark(sums)


def test_the_order_of_rows_says_nothing(trial: Path, run: Run) -> None:  # noqa: F811
    """Files sorted by arm, by outcome within a subject, or as they come: the same blinded data sets."""
    assert load(trial, run).code == 0
    first = Workspace(trial / "ws").open_current().digest
    keys: tuple[Callable[[str], Any], ...] = (
        lambda row: (int(row.split(",")[0][1:]) % 3, row),  # by arm
        lambda row: row[::-1],
    )
    for k, by in enumerate(keys):
        for path in (trial / "data").iterdir():
            heading, rows = rows_of(path)
            rewrite(path, heading, sorted(rows, key=by))
        space = trial / f"again{k}"
        ran = run("load", trial / "data", "--blinded", "--key", trial / "key.json", "-w", space)
        assert ran.code == 0, ran.err
        assert Workspace(space).open_current().digest == first
    for name in ("ADSL", "ADQS", "ADEX", "ADAE"):
        rows = run("data", name, "-w", trial / "again0", "--format", "json", "--limit", "1000").json["rows"]
        assert [r["USUBJID"] for r in rows] == sorted(r["USUBJID"] for r in rows)


CONDITIONS = [
    "TRT01P != 'Placebo'", "TRT01PN == 0", "TRT01PN >= 1", "ARMCD in ('LOW', 'HIGH')", "ACTARM == 'High dose'",
    "AGE > 50 and not (TRT01A == 'Placebo')", "ARMCD == 'pbo'", "COMMENT == 'was on PLACEBO at entry'", "DOSE01P > 0",
    "GROUPX == 'g8'", "TRTFL == 'verum'", "missing(DOSE01P)", "trt01p == 'x'",
]  # fmt: skip


def test_a_condition_that_quotes_an_arm_goes_to_the_key_with_its_name(trial: Path, run: Run) -> None:  # noqa: F811
    path = trial / "study.toml"
    text = path.read_text()
    for k, where in enumerate(CONDITIONS):
        text += f'[[subgroups]]\nname = "treated{k}"\nlabel = "Any active"\nwhere = "{where}"\nrationale = "dosed"\n'
    text += '[[subgroups]]\nname = "on_placebo"\nwhere = "AGE < 55"\n[[subgroups]]\nname = "x1"\ncomplement = "high_dose"\n'
    text += 'where = "AGE < 56"\n[[subgroups]]\nname = "slow"\nwhere = "AGE < 57"\nrationale = "not as in Low-Dose"\n'
    path.write_text(text)
    ran = load(trial, run)
    assert ran.code == 0, ran.err
    study = (trial / "ws" / "study.toml").read_text()
    assert re.findall(r'^name = "(.*)"', study.split("[[subgroups]]", 1)[1], re.MULTILINE) == ["old", "slow"]
    assert 'rationale = "not as in [blinded]"' in study and "Arm A'" not in study
    assert [w for w in ("treated", "any active", "dosed", "x1", *WORDS) if w in everything(trial / "ws")] == []
    assert run("unblind", "--key", trial / "key.json", "--reason", "end", "-w", trial / "ws").code == 0
    assert path.read_text() == (trial / "ws" / "study.toml").read_text()


def test_endpoints_and_populations_that_tell_an_arm_go_to_the_key(trial: Path, run: Run) -> None:  # noqa: F811
    path = trial / "study.toml"
    text = path.read_text().replace('FAS = "FASFL"', 'FAS = "FASFL"\nPlaceboSet = "FASFL"\nDosed = "TRTFL"')
    text = text.replace(
        "[multiplicity]",
        """[endpoints.part]
method = "ancova"
dataset = "ADQS"
paramcd = "TOTAL"
where = "TRTPN == 2"
[endpoints.placebo_only]
method = "ancova"
dataset = "ADQS"
paramcd = "TOTAL"
[endpoints.by_set]
method = "ancova"
dataset = "ADQS"
paramcd = "TOTAL"
population = "Dosed"
[endpoints.joint]
method = "joint_rank"
function = "part"
event = { paramcd = "DTH" }
[endpoints.coded]
method = "ancova"
dataset = "ADQS"
paramcd = "TOTAL"
covariates = ["ARMCD"]
[multiplicity]""",
    )
    path.write_text(text)
    ran = load(trial, run)
    assert ran.code == 0, ran.err
    study = (trial / "ws" / "study.toml").read_text().lower()
    assert "[endpoints.score]" in study
    for gone in ("part", "placebo", "by_set", "joint", "coded", "dosed"):
        assert gone not in study, gone
    assert run("lock", "-w", trial / "ws").code == 0
    lift = ("unblind", "--key", trial / "key.json", "--reason", "end", "-w", trial / "ws")
    assert run(*lift).code == 3  # what is checked now for the first time: there is no ADTTE, and TRTFL is no flag
    assert run(*lift, "--accept", "endpoint-dataset=planned", "--accept", "population-values=planned").code == 0
    assert (trial / "ws" / "study.toml").read_text() == text
    assert run("lock", "--verify", "-w", trial / "ws").code == 0  # what was with the key belongs to the plan that was locked


def test_a_default_population_that_tells_an_arm_is_refused(trial: Path, run: Run) -> None:  # noqa: F811
    path = trial / "study.toml"
    path.write_text(path.read_text().replace("FAS = ", "PlaceboSet = ").replace('default = "FAS"', 'default = "PlaceboSet"'))
    ran = load(trial, run)
    assert ran.code == 3 and "default population" in ran.err and not (trial / "key.json").exists()


TELLING: dict[str, Callable[[str, str, int], object]] = {
    "nought for one arm, distinct for the others": lambda s, arm, i: 0 if arm == "Placebo" else i + 1,
    "filled for one arm only": lambda s, arm, i: i * 1.5 if arm == "High dose" else "",
    "empty for one arm only": lambda s, arm, i: "" if arm == "Placebo" else i * 1.5,
    "filled for part of an arm pair, never for the third": lambda s, arm, i: "" if arm == "Placebo" else f"x{i % 2}",
    "numbers in order of the arm": lambda s, arm, i: 1000 * NAMES.index(arm) + i,
    "dates in order of the arm": lambda s, arm, i: f"20{10 + NAMES.index(arm)}-01-{1 + i % 28:02}",
    "kits that arms do not share": lambda s, arm, i: f"K{NAMES.index(arm)}{int(s[1:]) % 4}",
    "one arm has a text of its own": lambda s, arm, i: "none" if arm == "Low dose" else f"t{i % 7}",
}


def test_columns_that_tell_the_arm_are_emptied_in_every_table(trial: Path, run: Run) -> None:  # noqa: F811
    for name in ("adsl", "adqs", "adae"):
        for k, value in enumerate(TELLING.values()):
            add_column(trial / "data" / f"{name}.csv", f"LBX{k}", value)
        add_column(trial / "data" / f"{name}.csv", "FINE", lambda s, arm, i: i % 5)
    ran = load(trial, run)
    assert ran.code == 0, ran.err
    assert not any(word in ran.out.lower() for word in WORDS)
    for name in ("ADSL", "ADQS", "ADAE"):
        rows = run("data", name, "-w", trial / "ws", "--format", "json", "--limit", "1000").json["rows"]
        assert {r["FINE"] for r in rows} == {0, 1, 2, 3, 4}
        kept = [kind for k, kind in enumerate(TELLING) if {r[f"LBX{k}"] for r in rows} != {None}]
        assert kept == [], name


NAMED = ("Placebo", "PLACEBOFL", "high_dose", "LOWDOSEN", "IS_HIGH_DOSE", "PBOFL", "twojabs")


def test_columns_named_after_an_arm_are_left_out(trial: Path, run: Run) -> None:  # noqa: F811
    for name in (*NAMED, "SLOW"):  # the last holds LOW and is not named after it
        add_column(trial / "data" / "adsl.csv", name, lambda s, arm, i: i // 3 % 4)
    ran = load(trial, run)
    assert ran.code == 0, ran.err
    text = everything(trial / "ws") + ran.out.lower()
    assert [name for name in NAMED if name.lower() in text] == []
    rows = run("data", "ADSL", "-w", trial / "ws", "--format", "json", "--limit", "1000").json["rows"]
    assert {r["SLOW"] for r in rows} == {0, 1, 2, 3}


def record(subject: str, paramcd: str, visit: int, value: object) -> str:
    """A row of ADQS as the fixture writes it."""
    arm = NAMES[int(subject[1:]) % 3]
    return f"{subject},{arm},{ARMS[arm][1]},{paramcd},{paramcd},{visit},Month {visit},,{value},40,"


def test_parameters_and_visits_that_tell_the_arm_are_left_out(trial: Path, run: Run) -> None:  # noqa: F811
    """A concentration that is measured in the treated only, one that is nought in all others, a booster's visit."""
    path = trial / "data" / "adqs.csv"
    heading, rows = rows_of(path)
    rows += [record(f"S{i:02}", "CONC", 1, 3.5 + i) for i in range(24) if i % 3]
    rows += [record(f"S{i:02}", "ZERO", 1, 3.5 + i if i % 3 else 0) for i in range(24)]
    rows += [record(f"S{i:02}", "TOTAL", 9, 30 + i) for i in range(24) if i % 3 == 2]
    rewrite(path, heading, rows)
    ran = load(trial, run)
    assert ran.code == 0, ran.err
    found = run("data", "ADQS", "-w", trial / "ws", "--format", "json", "--limit", "1000").json["rows"]
    assert {r["PARAMCD"] for r in found} == {"TOTAL"} and len(found) == 72 and {r["AVISITN"] for r in found} == {0, 1, 2}
    assert all(r["AVAL"] is not None for r in found)
    assert "parameters or visits" in ran.out


def test_a_data_set_whose_number_of_records_tells_the_arm_is_left_out(trial: Path, run: Run) -> None:  # noqa: F811
    path = trial / "data" / "adex.csv"
    heading, rows = rows_of(path)
    rewrite(path, heading, [r for i, r in enumerate(rows) for _ in range(2 if (i // 2) % 3 == 1 else 1)])
    ran = load(trial, run)
    assert ran.code == 0, ran.err
    assert "ADEX" not in Workspace(trial / "ws").open_current().tables and "left out whole" in ran.out


def test_a_data_set_named_after_an_arm_is_refused_however_it_is_written(trial: Path, run: Run) -> None:  # noqa: F811
    path = trial / "data" / "adqs.csv"
    for name in ("placebo_qs", "LOWDOSE", "PBO"):
        path = path.rename(trial / "data" / f"{name}.csv")
        ran = load(trial, run)
        assert ran.code == 3 and "named after an arm" in ran.err and not (trial / "key.json").exists()


def test_unblinding_brings_everything_back(trial: Path, run: Run) -> None:  # noqa: F811
    """The same content to the last bit, and so the same results, as where nobody was ever blind."""
    data = trial / "data"
    add_column(data / "adsl.csv", "PLACEBOFL", lambda s, arm, i: "Y" if arm == "Placebo" else "N")
    add_column(data / "adae.csv", "KIT", TELLING["kits that arms do not share"])
    heading, rows = rows_of(data / "adqs.csv")
    rows += [record(f"S{i:02}", "CONC", 1, i) for i in range(24) if i % 3]
    rewrite(data / "adqs.csv", heading, sorted(rows, key=lambda r: (int(r.split(",")[0][1:]) % 3, r[::-1])))
    rewrite(data / "da.csv", "USUBJID,DOMAIN,DASEQ", [f"S{i:02},DA,{i}" for i in range(24)])  # left out whole
    assert load(trial, run).code == 0
    open_ = trial / "open"
    assert run("load", data, "--study", trial / "study.toml", "-w", open_).code == 0
    assert run("unblind", "--key", trial / "key.json", "--reason", "end", "-w", trial / "ws").code == 0
    spaces = [Workspace(trial / "ws").open_current(), Workspace(open_).open_current()]
    assert spaces[0].digest == spaces[1].digest
    for name in spaces[1].tables:
        held = [s.page(name, None, offset=0, limit=1000) for s in spaces]
        assert held[0] == held[1]
        assert spaces[0].table(name).columns == spaces[1].table(name).columns
    for words in (("endpoint", "score", "-s", "old"), ("evidence",), ("arms",), ("subgroup", "list"), ("data", "ADSL")):
        answers = [run(*words, "-w", w, "--format", "json").json for w in (trial / "ws", open_)]
        for key in ("results", "rows"):
            assert answers[0].get(key) == answers[1].get(key)


def test_a_subgroup_of_a_dummy_arm_becomes_one_of_the_real_arm(trial: Path, run: Run) -> None:  # noqa: F811
    assert load(trial, run).code == 0
    real = {dummy: name for name, dummy in json.loads((trial / "key.json").read_text())["arms"].items()}
    for name, where in (("one", "TRT01P == 'Arm B'"), ("two", "TRT01PN in (2, 3) and AGE > 51"), ("three", "TRT01PN > 1")):
        assert run("subgroup", "add", name, "--where", where, "-w", trial / "ws").code == 0
    before = {r["name"]: r["n"] for r in run("subgroup", "list", "-w", trial / "ws", "--format", "json").json["rows"]}
    ran = run("unblind", "--key", trial / "key.json", "--reason", "end", "-w", trial / "ws")
    assert ran.code == 0 and "three" in ran.err
    rows = {r["name"]: r for r in run("subgroup", "list", "-w", trial / "ws", "--format", "json").json["rows"]}
    assert rows["one"]["where"] == f'TRT01P == "{real["Arm B"]}"'
    assert {n: rows[n]["n"] for n in ("one", "two", "old")} == {n: before[n] for n in ("one", "two", "old")}
    assert "three" not in rows


def test_originals_inside_the_workspace_are_refused(trial: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    import tempfile

    (trial / "ws" / "tmp").mkdir(parents=True)
    (trial / "data").rename(trial / "ws" / "data")
    where = ("--blinded", "--key", trial / "key.json", "-w", trial / "ws")
    ran = run("load", trial / "ws" / "data", "--study", trial / "study.toml", *where)
    assert ran.code == 2 and "in one folder" in ran.err
    (trial / "ws" / "data").rename(trial / "data")
    monkeypatch.setattr(tempfile, "tempdir", str(trial / "ws" / "tmp"))
    ran = load(trial, run)
    assert ran.code == 2 and "TMPDIR" in ran.err and not (trial / "key.json").exists()
    (trial / "link").symlink_to(trial / "ws" / "tmp")
    monkeypatch.setattr(tempfile, "tempdir", str(trial / "link"))
    assert load(trial, run).code == 2


KILLED = """
import importlib, os, signal, sys
from alsbench.__main__ import main
from alsbench.data.publish import Builder
for module in ("alsbench.audit.blinding", "alsbench.service.blinded", "alsbench.data.load", "alsbench.data.readers.files"):
    importlib.import_module(module)
words, stages = sys.argv[1].split("|"), sys.argv[2].split("|")
for k, stage in enumerate(stages):
    child = os.fork()
    if not child:
        path, name = stage.rsplit(".", 1)
        owner = Builder if path == "Builder" else importlib.import_module(f"alsbench.{path}")
        whole = getattr(owner, name)
        def wrapped(*a, **b):
            whole(*a, **b)
            os.kill(os.getpid(), signal.SIGKILL)
        setattr(owner, name, wrapped)
        main([w.replace("@", str(k)) for w in words])
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), stage
"""
STAGES = (
    "service.blinded._read", "data.load._read_files", "service.blinded.write_key", "Builder.publish", "service.trail.log_entry",
)  # fmt: skip


def test_a_killed_load_leaves_nothing_that_the_next_command_does_not_remove(trial: Path, run: Run) -> None:  # noqa: F811
    scratch = trial / "scratch"
    scratch.mkdir()
    packed = trial / "data.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in (trial / "data").iterdir():
            archive.write(path, path.name)
    words = [
        "load",
        packed,
        "--study",
        trial / "study.toml",
        "--blinded",
        "--key",
        trial / "key@.json",
        "-w",
        trial / "ws@",
        "-q",
    ]
    script = [sys.executable, "-c", KILLED, "|".join(map(str, words)), "|".join(STAGES)]
    subprocess.run(script, check=True, env={**os.environ, "TMPDIR": str(scratch)}, capture_output=True)
    left = list(scratch.rglob("*.csv"))
    assert len({p.relative_to(scratch).parts[0] for p in left}) == len(STAGES)  # unpacked originals of every killed load
    for k, stage in enumerate(STAGES):
        workspace = trial / f"ws{k}"
        bytes_ = b"".join(p.read_bytes() for p in workspace.rglob("*") if p.is_file()).decode("latin-1").lower()
        assert [w for w in WORDS if w in bytes_] == [], stage
        run("snapshots", "-w", workspace)
        assert not list(workspace.glob(".staging-*"))
        if k not in (0, len(STAGES) - 1):
            continue
        key = trial / f"key{k}.json"
        if Workspace(workspace).current_name() is None and key.exists():
            key.unlink()  # its load was not published
        again = run("load", packed, "--study", trial / "study.toml", "--blinded", "--key", key, "-w", workspace)
        assert again.code == 0, (stage, again.err)
    assert list(scratch.iterdir()) == []


def test_a_mark_makes_nobody_remove_another_folder(trial: Path, run: Run) -> None:  # noqa: F811
    assert load(trial, run).code == 0
    precious = trial / "precious"
    precious.mkdir()
    for k, text in enumerate((str(precious), "", "/", "alsbench-0123456789abcdef", str(trial / "data"))):
        (trial / "ws" / f".staging-{k:016x}").write_text(text)
    assert run("arms", "-w", trial / "ws").code == 0
    assert precious.is_dir() and (trial / "data").is_dir() and not list((trial / "ws").glob(".staging-*"))
