"""How often the rule of the bottom line says what, in simulated trials whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alsbench.analysis.calibration import DRAWS, TRUTHS, calibration_block
from alsbench.analysis.calibration_file import CalibrationFile
from alsbench.analysis.calibration_marks import Operating, operating_characteristics
from alsbench.analysis.judgement import METHODS
from alsbench.errors import UsageError
from alsbench.render.sheet import Field, Sheet, Value
from alsbench.service.access import Access
from alsbench.service.output import Output, sheets_output
from alsbench.stats.proportions import percent
from alsbench.stats.rounding import round_half_away
from alsbench.study.names import nearest

ENOUGH = 1000  # trials of each truth are asked for; with fewer the page says so
TITLE = "The rule of the bottom line in SYNTHETIC trials whose truth is known"
MEANING = (
    "Each trial is searched whole (eight definitions and their complements, seven endpoints, two comparisons, every visit), "
    "the rule is put to every finding, and the highest level counts; findings of the plan stand apart.",
    "Intervals are exact (Clopper and Pearson, 95 %). A mark is met where the share is within it and its interval does not "
    "lie beyond it by more than 1.5 points.",
)


def calibrate(
    access: Access,
    truths: Sequence[str] = (),
    *,
    trials: int = 1000,
    first: int = 1,
    draws: int = DRAWS,
    into: Path | None = None,
) -> Output:
    """Trials of these truths (default: all), with seeds from ``first`` on, each searched with ``draws`` permuted copies; those
    that ``into`` holds already are not run again, and it is written as they come. A mark missed is a negative verdict.

    Raises UsageError for an unknown truth, DataError for a file of another rule.
    """
    for name in truths:
        if name not in TRUTHS:
            raise UsageError(f"no truth is named {name}", where="TRUTH", hint=nearest(name, TRUTHS))
    kept = CalibrationFile(into, draws)
    wanted = [TRUTHS[name] for name in (truths or TRUTHS)]
    if trials:
        kept.write()
    try:
        for truth in wanted:
            seeds = kept.missing(truth.name, range(first, first + trials))
            blocks = [[seed] for seed in seeds]
            for made in access.compute.submit(calibration_block, (truth, draws), blocks, title=f"trials, {truth.name}"):
                for trial in made:
                    kept.add(truth.name, trial)
    finally:
        access.compute.close()
    if trials:
        kept.write()
    found = operating_characteristics(kept.ordered())
    if not found:
        raise UsageError("no trial was run", where="--trials 0", hint="--into FILE names a file that holds some, or run one")
    failed = any(one.met == "no" for one in found)
    every, printed = (_table(kept, found, printed=p) for p in (False, True))
    return sheets_output(access, every, printed=(printed,), failed=failed)


def _table(kept: CalibrationFile, found: Sequence[Operating], *, printed: bool) -> Sheet:
    fields: tuple[Field, ...] = (
        Field("truth", "Truth"),
        Field("reached", "Reached"),
        Field("count", "Count", number=True),
        Field("trials", "Trials", number=True),
        Field("share", "Share", number=True),
        Field("low", "Low", number=True),
        Field("high", "High", number=True),
        Field("mark", "Mark"),
        Field("met", "Met"),
    )
    if printed:
        columns = [Field("share", "Share"), Field("interval", "95 % interval")]
        fields = (*fields[:2], Field("count", "Of trials"), *columns, *fields[7:])
    records = tuple(_record(one, printed=printed) for one in found)
    run = kept.ordered()
    facts = [("Permuted copies of each trial", str(kept.head["draws"]))]
    facts += [("Rule", ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in vars(METHODS).items()))]
    for name, mine in run.items():
        power = 100.0 * sum(t.planned.get("G2-M12", 1.0) <= METHODS.nominal for t in mine) / len(mine)
        primary = f"primary endpoint, five doses: p at most 0.05 in {power:.0f} %"
        facts.append((name, f"{TRUTHS[name].words}; {_seeds([t.seed for t in mine])}; {primary}"))
    few = [name for name, mine in run.items() if len(mine) < ENOUGH]
    facts += [(f"Fewer than {ENOUGH:,} trials", ", ".join(few))] if few else []
    absent = [name for name in TRUTHS if name not in run]
    facts += [("Not run", ", ".join(absent))] if absent else []
    return Sheet("calibration", TITLE, fields, records, tuple(facts), MEANING)


def _record(one: Operating, *, printed: bool) -> tuple[Value, ...]:
    mark, (low, high) = one.mark, one.interval
    asked = "" if mark.share is None else f"{'at least' if mark.least else 'at most'} {100.0 * mark.share:.0f} %"
    if not printed:
        return (mark.truth, mark.words, one.count, one.of, one.share, low, high, asked, one.met)
    limits = " to ".join(round_half_away(100.0 * v, 1) for v in (low, high))
    count, share = f"{one.count} of {one.of}", f"{round_half_away(percent(one.count, one.of), 1)} %"
    return (mark.truth, mark.words, count, share, limits, asked, one.met)


def _seeds(seeds: Sequence[int]) -> str:
    """``seeds 1 to 1000``: runs of consecutive numbers."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return "seeds " + ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in runs)
