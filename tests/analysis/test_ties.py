"""From files to rows: a trial whose numbers were left with floating-point noise has the answers of the trial without it.

The awkward trial of tests/reference/extra, and a copy of it whose days, values, changes, visit numbers and covariates are up to
three units in the last place away: as a spreadsheet, a sum or another file format leaves them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import run_check
from alsbench.analysis.source import Source, open_source
from alsbench.analysis.subgroups import members
from alsbench.analysis.why import why_rank_of
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.errors import UsageError

EXTRA = Path(__file__).parent.parent / "reference" / "extra"
NOISY = {"adqs": ("AVISITN", "AVAL", "BASE", "CHG", "ADY"), "adtte": ("AVAL",), "adsl": ("RATE", "BLALS")}
Change = Callable[[dict[str, str]], dict[str, str]]
SUBGROUPS = """
[[subgroups]]
name = "slow"
where = "RATE <= 0.96"
[[subgroups]]
name = "below_mean"
where = "RATE < mean(RATE)"
[[subgroups]]
name = "to_mean"
where = "RATE <= mean(RATE)"
[[subgroups]]
name = "at_week_0"
where = "BLALS in (36, 39, 40)"
"""


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Source]:
    """Loads the trial: with noise, with a study file that was changed, with other rows of ADTTE."""

    def made(
        *,
        noise: bool = False,
        study: Callable[[str], str] = lambda text: text,
        adtte: Change = lambda row: row,
        adsl: Change = lambda row: row,
    ) -> Source:
        directory = tmp_path_factory.mktemp("awkward")
        rng = np.random.default_rng(3)
        for path in EXTRA.glob("*.csv"):
            with path.open() as stream:
                rows = list(csv.DictReader(stream))
            for row in rows:
                for column in NOISY[path.stem] if noise else ():
                    if row[column]:
                        row[column] = repr(float(row[column]) * float(1 + rng.integers(-3, 4) * np.finfo(float).eps))
            change = {"adtte": adtte, "adsl": adsl}.get(path.stem)
            rows = [change(row) for row in rows] if change else rows
            with (directory / path.name).open("w", newline="") as stream:
                writer = csv.DictWriter(stream, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
        workspace = Workspace(directory / "ws")
        workspace.create()
        workspace.study_path.write_text(study((EXTRA / "study.toml").read_text() + SUBGROUPS))
        load(sorted(directory.glob("*.csv")), workspace, study=workspace.read_study(), expect={})
        return replace(open_source(directory / "ws"), results_dir=None)

    return made


@pytest.fixture(scope="module")
def both(awkward: Callable[..., Source]) -> tuple[Source, Source]:
    return awkward(), awkward(noise=True)


def where(row: Row) -> tuple[object, ...]:
    return (row.context, row.subgroup, row.arm, row.treatment, row.reference, row.visit, row.variable, row.level, row.stat_name)


def assert_equal(clean: list[Row], noisy: list[Row]) -> None:
    """The same rows; counts equal, the rest as close as arithmetic on slightly different numbers can be."""
    assert [where(r) for r in clean] == [where(r) for r in noisy]
    for a, b in zip(clean, noisy, strict=True):
        assert (a.error, a.warning) == (b.error, b.warning)
        if isinstance(a.stat, float):
            assert b.stat == pytest.approx(a.stat, rel=1e-9, abs=1e-9), where(a)
        else:
            assert a.stat == b.stat, where(a)


@pytest.mark.parametrize("phrase", ["overall", "slow", "not slow", "below_mean", "at_week_0"])
def test_a_cut_takes_in_who_stands_at_it(both: tuple[Source, Source], phrase: str) -> None:
    clean, noisy = (members(s, phrase) for s in both)
    assert clean.mask.tolist() == noisy.mask.tolist()
    assert clean.n_undecided == noisy.n_undecided


@pytest.mark.parametrize(
    ("rates", "computed"),
    [(("0.17", "0.27", "0.37"), 0.26999999999999996), (("0.02", "0.12", "0.22"), 0.12000000000000001)],
)
def test_the_mean_itself_is_neither_above_nor_below_the_mean(
    awkward: Callable[..., Source], rates: tuple[str, str, str], computed: float
) -> None:
    """By hand: the mean of ten each of 0.17, 0.27, 0.37 is 0.27, that of 0.02, 0.12, 0.22 is 0.12; in binary one comes out
    below, one above. Two in three are at most the mean, one is below it."""
    source = awkward(adsl=lambda row: row | {"FASFL": "Y", "RATE": rates[int(row["USUBJID"][2:]) % 3]})
    rate = np.asarray(source.subject_column("RATE"), dtype=float)
    assert members(source, "below_mean").cuts == (("mean(RATE)", computed),)
    assert members(source, "below_mean").mask.tolist() == (rate == float(rates[0])).tolist()
    assert members(source, "to_mean").mask.tolist() == (rate <= float(rates[1])).tolist()
    assert members(source, "not to_mean").mask.tolist() == (rate == float(rates[2])).tolist()


QUESTIONS = [
    Question("survival", ("overall", "slow")),
    Question("joint", ("overall", "slow"), options=(("permutations", "200"),)),
    Question("joint", options=(("change", "percent"), ("event_ties", "function"), ("rank_within_strata", "true"))),
    Question("joint", options=(("function_at", "horizon"), ("missing", "locf"))),
    Question("responder", ("overall", "not slow"), options=(("confirmed", "true"),)),
    Question("ancova", visits=(12.0,)),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: f"{q.endpoint} {dict(q.options)}")
def test_answers(both: tuple[Source, Source], question: Question) -> None:
    clean, noisy = (answer(question, s) for s in both)
    assert_equal(list(clean.rows), list(noisy.rows))
    assert clean.warnings == noisy.warnings


def test_pairs(both: tuple[Source, Source]) -> None:
    subject = both[0].subject_ids[0]
    rankings = [why_rank_of(s, Question("joint"), subject).rankings for s in both]
    clean, noisy = ([(p.opponent, p.outcome, p.visit) for r in found for p in r.pairs] for found in rankings)
    assert clean and clean == noisy


@pytest.mark.parametrize("check", ["components", "rerandomisation", "concordance", "stepp", "sweep"])
def test_scrutiny(both: tuple[Source, Source], check: str) -> None:
    clean, noisy = (run_check(check, s, "slow", endpoint="joint") for s in both)
    assert_equal([r for r in clean.rows if r.variable != "RATE"], [r for r in noisy.rows if r.variable != "RATE"])


def one(rows: tuple[Row, ...], name: str, **where_: object) -> Row:
    (found,) = [r for r in rows if r.stat_name == name and all(getattr(r, k) == v for k, v in where_.items())]
    return found


def test_events_on_one_day(awkward: Callable[..., Source]) -> None:
    """All events moved to day 44: as many pairs tie by event as there are treated with an event times reference with one; with
    function none does, and what was tied is decided by function or has no common visit."""

    def moved(row: dict[str, str]) -> dict[str, str]:
        return row | {"AVAL": "44.0"} if row["CNSR"] == "0" else row

    source = awkward(adtte=moved)
    tie, function = (answer(Question("joint", options=o), source) for o in ((), (("event_ties", "function"),)))
    for treatment in ("Low", "High"):
        at = {"context": "contrast", "treatment": treatment}
        own = {"context": "arm", "treatment": treatment}
        events = [int(one(tie.rows, "events", arm=a, **own).number()) for a in (treatment, "Placebo")]
        counted = [
            [
                int(one(r.rows, "pairs", level=level, **at).number())
                for level in ("decided by event", "decided by function", "tied")
            ]
            for r in (tie, function)
        ]
        assert counted[0][0] == counted[1][0]
        assert sum(counted[0]) == sum(counted[1])
        gained = counted[1][1] - counted[0][1]
        assert 0 <= gained <= events[0] * events[1]
        assert counted[0][2] - counted[1][2] == gained
    assert any(e > 0 for e in events)
    pairs = dict(tie.facts.lines)["Pairs"], dict(function.facts.lines)["Pairs"]
    assert pairs == (
        "later event wins, two on one day tie; else change at the last common visit; equal is a tie",
        "later event wins, two on one day compare function; else change at the last common visit; equal is a tie",
    )


def test_the_specification_curve_asks_it_where_there_are_such_days(awkward: Callable[..., Source]) -> None:
    def apart(row: dict[str, str]) -> dict[str, str]:
        return row | {"AVAL": str(20 + int(row["USUBJID"][2:]))}

    def names(source: Source) -> set[str]:
        return {str(r.level) for r in run_check("specification", source, "overall", endpoint="joint").rows}

    same = names(awkward(adtte=lambda row: row | {"AVAL": "44.0"} if row["CNSR"] == "0" else row))
    other = names(awkward(adtte=apart))
    assert (len(same), len(other)) == (96, 48)
    assert {n for n in same if "same day by function" in n} and not {n for n in other if "same day" in n}


def test_win_intervals(both: tuple[Source, Source]) -> None:
    plain, moved = (answer(Question("joint", options=o), both[0]) for o in ((), (("win_intervals", "transformed"),)))
    assert "the others cut off at their range" in dict(plain.facts.lines)["Win statistics"]
    assert "the others by atanh of the net benefit" in dict(moved.facts.lines)["Win statistics"]
    for treatment in ("Low", "High"):
        at = {"context": "contrast", "treatment": treatment}
        for end in ("low", "high"):
            odds = one(moved.rows, f"win_odds_{end}", **at).number()
            # log win odds = 2 atanh(net benefit)
            assert one(moved.rows, f"net_benefit_{end}", **at).number() == pytest.approx((odds - 1) / (odds + 1), rel=1e-12)
            assert one(moved.rows, f"win_probability_{end}", **at).number() == pytest.approx(odds / (odds + 1), rel=1e-12)
            assert one(plain.rows, f"win_odds_{end}", **at).number() == odds
            assert -1 <= one(plain.rows, f"net_benefit_{end}", **at).number() <= 1
            assert 0 <= one(plain.rows, f"win_probability_{end}", **at).number() <= 1


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("covariance", "us", "--covariance us"),
        ("df", "satterthwaite", "--df satterthwaite"),
        ("method", "ancova", "--method ancova"),
        ("population", "FAS", "--population FAS"),
        ("visit", "6", "--visit 6"),
        ("horizon", "6", "--visit 6"),
        ("comparison", "Group 1", "--comparison 'Group 1'"),
        ("subgroup", "not slow", "--subgroup 'not slow'"),
        ("Covariance", "us", "--covariance us"),
        ("better", "lower", "better is a key of the endpoint in study.toml"),
        ("event_tie", "function", "did you mean event_ties?"),
    ],
)
def test_an_option_with_a_flag_of_its_own_names_it(both: tuple[Source, Source], name: str, text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        answer(Question("mmrm", options=((name, text),)), both[0])
    assert caught.value.what == f"no option is named {name}"
    assert hint in caught.value.hint


def test_horizons_count_from_visit_0_whatever_the_baseline(awkward: Callable[..., Source]) -> None:
    """METHODS: day = number x days per unit. Week 12 is day 84, with the baseline at week 4 too, and the table says so."""
    later = awkward(study=lambda text: text.replace("baseline = 0", "baseline = 4"))
    for endpoint in ("joint", "survival"):
        lines = dict(answer(Question(endpoint), later).facts.lines)
        assert lines["Horizon"] == "week 12 is day 84: counted from visit 0, not from the baseline visit 4"
    assert "Horizon" not in dict(answer(Question("joint"), awkward()).facts.lines)


def test_a_study_without_the_new_keys_keeps_its_digest(trial: Source) -> None:
    """The digest of the first reference trial's study before event_ties and win_intervals were keys."""
    assert trial.study_digest == "a29f7cdc6755f969ab2e3ede40abc515c0cc5b0c1d985fc2d1e4267662f429b4"
