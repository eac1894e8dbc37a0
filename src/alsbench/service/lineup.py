"""A view of the trial hidden among copies without any effect; and which it was, with the p of who found it.

The key goes to a file of its own; the audit log keeps its fingerprint, and that the lineup is a look: the trial is among the
panels. Whoever has seen the trial cannot judge, and is named by the log.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from alsbench.analysis import lineup as lineups
from alsbench.analysis.looks import look_facts
from alsbench.analysis.source import Source
from alsbench.audit.lineup_key import LineupKey, judged, new_secret, place_of, read_key, write_key
from alsbench.audit.log import LOOK_ACTIONS, entries
from alsbench.audit.workspace_identity import LOG_NAME
from alsbench.errors import DataError, UsageError
from alsbench.render.lineup import lineup_page
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.service.output import Output, results_output, sheets_output, study_fact
from alsbench.service.trail import log_shown

UNSEEN = ("table", "txt", "md", "rtf")  # forms that hold no figure
LINEUP, REVEALED = "check lineup", "lineup revealed"  # what the log's questions end with
PANELS = lineups.PANELS
REVEALED_BEFORE = "REVEALED BEFORE: {} in the audit log; what is chosen now shows nothing."


@dataclass(frozen=True)
class Made:
    """A lineup with its key, which nobody is shown before they have judged."""

    lineup: lineups.Lineup
    key: LineupKey


def lineup(
    access: Access,
    view: str = "months",
    endpoint: str = "",
    *,
    subgroup: str = "",
    comparison: str = "",
    population: str = "",
    panels: int = PANELS,
    seed: int | None = None,
    key: Path | None = None,
    mask: int = 0,
) -> Output:
    """The panels, and the key in a new file ``key`` (0600). A ``seed`` makes the same lineup again: who knows it knows the key.

    Raises UsageError for a view that is not there, without a key file, for a form without figures, in a blinded workspace and
    under a mask.
    """
    if access.form in UNSEEN:
        hint = "-o FILE.html; --format json or csv holds the numbers of every panel"
        raise UsageError("a lineup is to be looked at: as HTML", where=f"--format {access.form}", hint=hint)
    if key is None:
        raise UsageError("a lineup needs a file for its key", where="--key", hint="--key FILE, out of the judges' sight")
    with access.opened() as source:
        made = made_lineup(
            access,
            source,
            view,
            endpoint,
            subgroup=subgroup,
            comparison=comparison,
            population=population,
            panels=panels,
            seed=seed,
            mask=mask,
        )
        write_key(key, made.key)
        access.note(f"the key is in {key}: keep it from the judges until they have pointed at a panel")
        return entered(access, source, made)


def made_lineup(
    access: Access,
    source: Source,
    view: str,
    endpoint: str = "",
    *,
    subgroup: str = "",
    comparison: str = "",
    population: str = "",
    panels: int = PANELS,
    seed: int | None = None,
    mask: int = 0,
) -> Made:
    """The lineup with its key; nothing is written or logged."""
    access.refuse_mask(mask, "a lineup")
    if source.blinded:
        hint = "its arms are dummies: there is no trial to be found; after alsbench unblind"
        raise UsageError("this workspace is blinded", where=str(access.path), hint=hint)
    words = {"--endpoint": endpoint, "--subgroup": subgroup, "--comparison": comparison, "--population": population}
    asked = ["alsbench", "lineup", "--view", view, *(w for flag, value in words.items() if value for w in (flag, value))]
    asked += ["--panels", str(panels)] if panels != PANELS else []
    setup = lineups.asked(
        source,
        view,
        endpoint,
        subgroup=subgroup,
        comparison=comparison,
        population=population,
        command=access.repeat(shlex.join(asked)),
    )
    secret = new_secret(seed)

    def steps(numbers: Iterable[int]) -> Iterator[int]:
        yield from access.steps(numbers, panels, "lineup")

    made = lineups.lineup(setup, panels, secret, each=steps)
    told = seen_by(source, setup)
    facts = made.result.facts
    facts = replace(facts, lines=(*facts.lines, *(("Cannot judge", text) for text in told)))
    made = replace(made, result=replace(made.result, facts=facts))
    for text in told:
        access.note(f"cannot judge: {text}")
    key = LineupKey(source.study.info.id, source.snapshot.digest, setup.what, panels, secret, place_of(secret, panels))
    return Made(made, key)


def entered(access: Access, source: Source, made: Made) -> Output:
    """The lineup as an output, its look entered in the log with the fingerprint of the key."""
    result = made.lineup.result
    log_shown(access, "look", {**look_facts(result, source.study), "lineup": made.key.fingerprint})
    return results_output(access, [result], partial(lineup_page, made.lineup), source.study)


def seen_by(source: Source, setup: lineups.Asked) -> tuple[str, ...]:
    """Who has seen the real view, by the log: ``anna (3 looks at alsfrs)``. Other lineups do not count until they are
    revealed, nor what was seen blinded."""
    if source.held is None:
        return ()
    name = setup.endpoint.name if setup.endpoint is not None else ""
    looks: dict[str, int] = {}
    for entry in entries(source.held.path / LOG_NAME, strict=False):
        if entry.action in LOOK_ACTIONS and not entry.facts.get("blinded") and _of(entry.facts, name):
            looks[entry.who] = looks.get(entry.who, 0) + 1
    about = name or "results"
    return tuple(f"{who} has looked at {about} ({n} time{'s' * (n != 1)}, by the audit log)" for who, n in looks.items())


def _of(facts: Mapping[str, Any], name: str) -> bool:
    """Whether a look was at an endpoint (none named: at any), and not only at a lineup."""
    questions = facts.get("questions")
    said = [str(q.get("what", "")) for q in questions.values() if isinstance(q, dict)] if isinstance(questions, dict) else []
    if said and all(text.endswith(LINEUP) for text in said):
        return False
    seen = {str(e.get("name")) for e in facts.get("endpoints") or () if isinstance(e, dict)}
    return bool(seen) if not name else name in seen


def reveal(access: Access, key: Path, *, picks: Sequence[int] = (), mask: int = 0) -> Output:  # noqa: ARG001 - it tells no count
    """Which panel is the trial, by its key, and the p of the judges' ``picks`` (a panel each): P of so many or more right by
    guessing. Entered in the log with the picks: the view was seen now.

    Raises DataError for a file that is no key, was edited, or belongs to no lineup of this workspace's log; UsageError for a
    panel that is not there.
    """
    return revealed(access, read_key(key), picks, str(key))


def revealed(access: Access, key: LineupKey, picks: Sequence[int], where: str = "") -> Output:
    """As :func:`reveal`, of a key that was read."""
    right, p = judged(key, picks)
    log = access.path / LOG_NAME
    about_it = [e for e in entries(log, strict=False) if e.facts.get("lineup") == key.fingerprint]
    found = next(iter(about_it), None)
    before = sum("place" in e.facts for e in about_it)
    if found is None:
        hint = "reveal it in the workspace where it was made"
        raise DataError("this key belongs to no lineup of the audit log", where=where or str(log), hint=hint)
    about = {"what": f"{key.what}: {REVEALED}", "post_hoc": bool(found.facts.get("post_hoc"))}
    digest = hashlib.sha256(json.dumps([key.fingerprint, REVEALED]).encode()).hexdigest()
    facts = {k: v for k, v in found.facts.items() if k not in ("format", "file", "cluster")}
    facts |= {"question": digest, "questions": {digest[:16]: about}, "picks": list(picks), "place": key.place}
    log_shown(access, "look", {**facts, "asked": access.repeat("alsbench lineup --reveal KEY")})
    fields = (
        Field("lineup", "Lineup"),
        Field("panels", "Panels", number=True),
        Field("trial", "The trial is", number=True),
        Field("judges", "Judges", number=True),
        Field("right", "Right", number=True),
        Field("p", "p", number=True),
    )
    record = (key.what, key.panels, key.place, len(picks), right, p if picks else None)
    notes = (
        "p: so many or more right by guessing, P(X >= right), X binomial of judges and 1 / panels.",
        "Judges must not have seen the data, nor each other's choice.",
        *([REVEALED_BEFORE.format(before)] if before else []),
    )
    facts_shown = (*study_fact(access), ("Snapshot", key.snapshot[:12]))
    return sheets_output(access, Sheet("lineup", "A lineup revealed", fields, (record,), facts_shown, notes, titled=True))
