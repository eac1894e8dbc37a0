"""Screen 2: arms with their numbers, an arm's subjects, one subject's profile.

Counts are those of ``alsbench arms``; a number the data cannot tell is ``-``, never a zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alsbench.analysis.roster import arm_counts, roster_notes
from alsbench.analysis.source import Source
from alsbench.render.formats import format_number
from alsbench.service.column_summary import value_text
from alsbench.tui import actions as act
from alsbench.tui.cell_text import safe
from alsbench.tui.screens.base import View
from alsbench.tui.screens.profile import memberships, profile_lines
from alsbench.tui.table_models import GridModel, GridRow, Section, grid
from alsbench.tui.worker import JobReport

FIRST_COLUMNS = ("AGE", "SEX")


class ArmsView(View):
    row_cursor = True

    def refresh_view(self) -> None:
        if self.bench.opened is None:
            return
        place = self.session.place
        if place.record is not None:
            self.show_profile(place.record)
        elif place.arm is not None:
            self.show_subjects(place.arm)
        else:
            self.show_arms()

    @property
    def source_data(self) -> Source:
        return self.bench.ready.source

    # ---- arms

    def show_arms(self) -> None:
        source = self.source_data
        study = source.study
        self.title("Arms", (f"  planned arm {study.arms.planned}; enter lists the subjects", "dim"))
        flags = list(study.populations.flags)
        rows = []
        for number, counted in enumerate(arm_counts(source)):
            one = counted.arm in study.arms.order
            dose = study.arms.doses.get(counted.arm)
            ends = ["-" if n is None else str(n) for n in (counted.discontinued, counted.deaths)]
            counts = [str(counted.randomised), *(str(counted.populations[f]) for f in flags)]
            marker = self.bench.look.marker(number) if one else ""
            texts = [counted.arm, marker, counted.label, "" if dose is None else format_number(dose), *counts, *ends]
            role = "" if one else "bold"
            rows.append(GridRow(tuple((safe(t, ascii=self.ascii), role) for t in texts), source=counted.arm if one else None))
        self.table.row_cursor = True
        heads = ["arm", "", "label", "doses", "random-\nised", *flags, "discon-\ntinued", "deaths"]
        self.enter_level("")
        self.show_grid(GridModel((grid(heads, rows, right=range(3, len(heads))),)))
        self.back_to(self.shown_arm)
        self.shown_arm = ""
        unknown = int((source.planned_arm < 0).sum())
        unnamed = [f"{unknown} subjects have an arm that study.toml does not name"] if unknown else []
        self.say("; ".join([*unnamed, *roster_notes(source)]), "warn")

    def enter_level(self, level: str) -> None:
        """Another table than the one shown before starts at its first column."""
        if level != self.level:
            self.table.left = self.table.cursor_col = 0
            self.level = level

    level = ""  # the arm whose subjects the table lists; empty for the arms

    # ---- subjects

    def show_subjects(self, arm: str) -> None:
        source = self.source_data
        study = source.study
        order = study.arms.order
        index = order.index(arm) if arm in order else -1
        records = [int(k) for k in np.flatnonzero(source.planned_arm == index)]
        columns = subject_columns(source)
        chips = self.memberships()
        rows = []
        for k in records:
            texts = [
                source.subject_ids[k],
                *(mask[k] for _, mask in chips),
                *(value_text(source.subjects[c][k]) for c in columns),
            ]
            rows.append(GridRow(tuple((safe(t, ascii=self.ascii), "") for t in texts), source=k + 1))
        heads = [study.info.subject, *(name for name, _ in chips), *columns]
        right = [j for j, c in enumerate(columns, start=1 + len(chips)) if source.subjects.kind(c) == "number"]
        label = study.arms.labels.get(arm, "")
        self.title(f"{arm}  {label}", (f"  {len(records)} subjects; enter opens a profile; S sorts, / filters", "dim"))
        self.table.row_cursor = False
        self.enter_level(arm)
        self.show_grid(GridModel((ordered(grid(heads, rows, right=right, most=24), *self.sorted_by),)))
        self.back_to(self.shown_record[0])
        self.shown_record, self.shown_arm = (0,), arm
        self.cursor_moved()

    def cursor_moved(self) -> None:
        """The column under the cursor of a list of subjects, in words."""
        if self.session.place.arm is None or self.session.place.record is not None or not self.full.sections:
            return
        name = self.full.cols[self.table.cursor_col].head[-1]
        columns = self.source_data.snapshot.table("ADSL").columns
        self.say(next((f"{c.name}: {c.label}" for c in columns if c.name == name and c.label), ""))

    def memberships(self) -> list[tuple[str, list[str]]]:
        """For each active subgroup a mark per subject: ``x`` in, ``.`` out, ``?`` undecided, ``-`` not in the population."""
        return memberships(self.source_data, self.session.choice.subgroups, self.bench.status)

    def do_sort(self) -> None:
        """Sort the subjects by the column under the cursor: up, down, as loaded."""
        place = self.session.place
        if place.arm is None or place.record is not None:
            return
        column = self.table.cursor_col
        name = self.full.sections[0].cols[column].head[-1]
        turns = {(name, False): (name, True), (name, True): ("", False)}
        self.sorted_by = turns.get(self.sorted_by, (name, False))
        self.show_subjects(place.arm)
        self.table.go(0, column)
        by, down = self.sorted_by
        self.bench.status(f"sorted by {by}, {'down' if down else 'up'}" if by else "as loaded")

    sorted_by: tuple[str, bool] = ("", False)

    # ---- one subject

    def show_profile(self, record: int) -> None:
        source = self.source_data
        if not 1 <= record <= len(source.subject_ids):
            self.bench.status(f"there is no subject record {record}")
            return
        arm = source.study.arms.order[source.planned_arm[record - 1]] if source.planned_arm[record - 1] >= 0 else "no arm"
        self.title(f"{safe(source.subject_ids[record - 1])}  {arm}", ("  j k scroll: events and values below", "dim"))
        width, height = self.size.width or 80, max(self.size.height - 2, 8)
        self.say("")
        look, chips = self.bench.look, self.memberships()
        job_source = source

        def work(_: Any) -> Any:
            return profile_lines(job_source, record - 1, look, width, height, chips)

        shown = (record, width, tuple(name for name, _ in chips), source.study_digest)
        if self.shown_record != shown:
            self.bench.jobs.start(self.panel, "profile", work)
        self.shown_record = shown

    shown_record: tuple[Any, ...] = (0,)  # the subject whose profile is shown, and all else it depends on
    shown_arm = ""

    def report(self, report: JobReport) -> None:
        if report.kind == "done" and self.session.place.record is not None:
            self.show_lines(report.payload, keep=False)

    # ---- commands

    async def do_open(self) -> None:
        found = self.source()
        if self.session.place.record is not None or found is None:
            return
        self.shown_record = (0,)
        if self.session.place.arm is None:
            self.sorted_by = ("", False)
            self.table.go(0, 0)
            await self.bench.dispatch_action(act.OpenArm(found))
        else:
            await self.bench.dispatch_action(act.OpenSubject(found))

    async def do_subject_next(self, step: int = 1) -> None:
        """The next subject of the same arm, around the end."""
        here, arm = self.session.place.record, self.source_data.planned_arm
        if here is None:
            return
        records = [int(k) + 1 for k in np.flatnonzero(arm == arm[here - 1])]
        await self.bench.dispatch_action(act.OpenSubject(records[(records.index(here) + step) % len(records)]))

    async def do_subject_previous(self) -> None:
        await self.do_subject_next(-1)

    def shell_words(self) -> dict[str, str]:
        place = self.session.place
        if self.bench.opened is None:
            return {}
        if place.record is not None:
            return {"subject": self.source_data.subject_ids[place.record - 1]}
        if place.arm is not None:
            return {"where": f"{self.source_data.study.arms.planned} == {place.arm!r}"}
        return {}

    @property
    def printed(self) -> bool:
        """A profile is copied and exported as ``alsbench subject`` prints it."""
        return self.session.place.record is not None

    def page_title(self) -> str:
        arm = self.session.place.arm
        return f"Subjects of {arm}" if arm else "Arms"

    def on_resize(self) -> None:
        if self.bench.opened is not None and self.display and self.session.place.record is not None:
            self.refresh_view()


def ordered(section: Section, by: str, down: bool) -> Section:
    """A section sorted by a column: numbers before texts before what is missing; unchanged without one."""
    column = next((j for j, c in enumerate(section.cols) if c.head[-1] == by), -1)
    if column < 0:
        return section

    def key(row: GridRow) -> tuple[int, float, str]:
        text = row.cells[column][0].strip()
        try:
            return (0, float(text), "")
        except ValueError:
            return (1 if text else 2, 0.0, text)

    return Section(section.cols, tuple(sorted(section.rows, key=key, reverse=down)), section.frozen)


def subject_columns(source: Source) -> list[str]:
    """Columns of the subject list: age and sex, what the study's endpoints and subgroups use, then everything else."""
    study, known = source.study, source.subjects.names
    used = [c for e in study.endpoints.values() for c in (*e.covariates, *e.strata)]
    named = [c for s in study.subgroups for c in known if c in s.where]
    skip = {study.info.subject, study.arms.planned}
    return [c for c in dict.fromkeys([*FIRST_COLUMNS, *used, *named, *known]) if c in known and c not in skip]
