"""Screen 2: arms with their numbers, an arm's subjects, one subject's profile.

Counts are those of ``alsbench arms``; a number the data cannot tell is ``-``, never a zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alsbench.analysis.roster import arm_counts
from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError
from alsbench.render.formats import format_number
from alsbench.tui import actions as act
from alsbench.tui.models import Grid, GridRow, grid
from alsbench.tui.paged import value_text
from alsbench.tui.safetext import safe
from alsbench.tui.screens.base import View
from alsbench.tui.screens.profile import profile_lines
from alsbench.tui.worker import Report

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
        heads = ["arm", "", "label", "doses", "random-\nised", *flags, "discon-\ntinued", "deaths"]
        self.show_grid(Grid((grid(heads, rows, right=range(3, len(heads))),)))
        unknown = int((source.planned_arm < 0).sum())
        self.say(f"{unknown} subjects have an arm that study.toml does not name" if unknown else "", "warn")

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
        self.show_grid(Grid((grid(heads, rows, right=right, most=24),)))
        self.say("")

    def memberships(self) -> list[tuple[str, list[str]]]:
        """For each active subgroup a mark per subject: ``x`` in, ``.`` out, ``?`` undecided, ``-`` not in the population."""
        from alsbench.analysis.subgroups import members

        found = []
        population = self.source_data.population()
        for name in self.session.choice.subgroups:
            try:
                inside = members(self.source_data, name).mask
                outside = members(self.source_data, f"not {name}").mask
            except AlsbenchError as error:
                self.bench.status(f"{name}: {error.what}")
                continue
            marks = [
                "-" if not p else "x" if i else "." if o else "?" for p, i, o in zip(population, inside, outside, strict=True)
            ]
            found.append((name, marks))
        return found

    def do_sort(self) -> None:
        """Sort the subjects by the first scrolling column in view: up, down, as loaded."""
        if self.session.place.arm is None or self.session.place.record is not None:
            return
        section = self.full.sections[0]
        column = min(section.frozen + self.table.left, len(section.cols) - 1)
        self.sorted_by = (column, not self.sorted_by[1] if self.sorted_by[0] == column else False)
        down = self.sorted_by[1]

        def key(row: GridRow) -> tuple[int, float, str]:
            text = row.cells[column][0].strip()
            try:
                return (0, float(text), "")
            except ValueError:
                return (1 if text else 2, 0.0, text)

        rows = tuple(sorted(section.rows, key=key, reverse=down))
        self.show_grid(Grid((type(section)(section.cols, rows, section.frozen),)), keep=False)
        self.bench.status(
            f"sorted by {section.cols[column].head[-1]}, {'down' if down else 'up'}; scroll right for another column"
        )

    sorted_by: tuple[int, bool] = (-1, False)

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

        if self.shown_record != (record, width):
            self.bench.jobs.start(self.panel, "profile", work)
        self.shown_record = (record, width)

    shown_record: tuple[int, int] = (0, 0)

    def report(self, report: Report) -> None:
        if report.kind == "done" and self.session.place.record is not None:
            self.show_lines(report.payload, keep=False)

    # ---- commands

    async def do_open(self) -> None:
        found = self.source()
        if self.session.place.record is not None or found is None:
            return
        self.shown_record = (0, 0)
        if self.session.place.arm is None:
            self.table.go(0)
            await self.bench.dispatch_action(act.OpenArm(found))
        else:
            await self.bench.dispatch_action(act.OpenSubject(found))

    async def do_next_subject(self, step: int = 1) -> None:
        """The next subject of the same arm, around the end."""
        here, arm = self.session.place.record, self.source_data.planned_arm
        if here is None:
            return
        records = [int(k) + 1 for k in np.flatnonzero(arm == arm[here - 1])]
        await self.bench.dispatch_action(act.OpenSubject(records[(records.index(here) + step) % len(records)]))

    async def do_previous_subject(self) -> None:
        await self.do_next_subject(-1)

    def shell_words(self) -> dict[str, str]:
        place = self.session.place
        if self.bench.opened is None:
            return {}
        if place.record is not None:
            return {"subject": self.source_data.subject_ids[place.record - 1]}
        if place.arm is not None:
            return {"where": f"{self.source_data.study.arms.planned} == {place.arm!r}"}
        return {}

    def page_title(self) -> str:
        arm = self.session.place.arm
        return f"Subjects of {arm}" if arm else "Arms"

    def on_resize(self) -> None:
        if self.bench.opened is not None and self.display and self.session.place.record is not None:
            self.refresh_view()


def subject_columns(source: Source) -> list[str]:
    """Columns of the subject list: age and sex, what the study's endpoints and subgroups use, then everything else."""
    study, known = source.study, source.subjects.names
    used = [c for e in study.endpoints.values() for c in (*e.covariates, *e.strata)]
    named = [c for s in study.subgroups for c in known if c in s.where]
    skip = {study.info.subject, study.arms.planned}
    return [c for c in dict.fromkeys([*FIRST_COLUMNS, *used, *named, *known]) if c in known and c not in skip]
