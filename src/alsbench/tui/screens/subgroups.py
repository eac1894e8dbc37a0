"""Screen 3: who is in each subgroup. A check-list with counts per arm, and beside it the definition, the realised cut, the
complement, overlaps and baseline balance; ``enter`` opens it, with every number's subjects. The details follow the cursor
once it rests, so that a held key costs no more than the list. Changes are written to study.toml, which keeps its comments;
``u`` takes back the last one. A new subgroup is switched on, selected, and its result on the chosen endpoint said in a line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.text import Text
from textual.containers import Container
from textual.timer import Timer

from alsbench.analysis.contrast import Piece
from alsbench.analysis.endpoints.baseline import balance
from alsbench.analysis.evidence import assemble
from alsbench.analysis.result import Result, Row
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import counts_by_arm, members
from alsbench.data.workspace import Workspace
from alsbench.errors import AlsbenchError
from alsbench.render.formats import format_stat
from alsbench.render.page import Page
from alsbench.service.access import Access
from alsbench.service.subgroups import add, edit, remove, take_back
from alsbench.study.model import Subgroup
from alsbench.tui import actions as act
from alsbench.tui.answers import PieceKey
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.contrast_text import brief_text
from alsbench.tui.screens.base import Bench, View
from alsbench.tui.screens.drilldown import Drilldown
from alsbench.tui.screens.subgroup_editor import FIELDS, SubgroupEditor
from alsbench.tui.screens.two_panes import BESIDE
from alsbench.tui.shell_command import ViewRequest
from alsbench.tui.table_models import GridModel, GridRow, Section, grid, heading, heading_section
from alsbench.tui.widgets.pane import Pane, folded
from alsbench.tui.widgets.table import VirtualTable
from alsbench.tui.worker import Job, JobReport

REST = 0.12  # seconds after which a cursor rests
LEADS_IN = "tab, then j k"  # how the details are scrolled
RESULT = "result"  # lane of the answer on the chosen endpoint
FAR = 0.25  # standard deviations from which a difference is marked


@dataclass(frozen=True)
class Counted:
    """What is known of one subgroup: n, n per arm, complement's n, cut, or why it could not be evaluated."""

    name: str
    n: int = 0
    by_arm: tuple[int, ...] = ()
    outside: int = 0
    outside_by_arm: tuple[int, ...] = ()
    undecided: int = 0
    cut: str = ""
    overlap: tuple[tuple[str, int], ...] = ()
    same: tuple[str, ...] = ()  # other subgroups with the same members
    error: str = ""


@dataclass(frozen=True)
class StudyChange:
    """A subgroup of study.toml was added, edited or removed (``kind``): the file before and after, and what was said."""

    kind: str
    name: str
    before: bytes
    after: bytes
    said: str


def count(source: Source) -> tuple[Counted, ...]:
    """Counts of every subgroup of the study."""
    masks: dict[str, Any] = {}
    made: list[Counted] = []
    for subgroup in source.study.subgroups:
        try:
            inside, outside = members(source, subgroup.name), members(source, f"not {subgroup.name}")
        except AlsbenchError as error:
            made.append(Counted(subgroup.name, error=error.what))
            continue
        masks[subgroup.name] = inside.mask
        made.append(
            Counted(
                subgroup.name,
                inside.n,
                tuple(counts_by_arm(source, inside.mask).values()),
                outside.n,
                tuple(counts_by_arm(source, outside.mask).values()),
                inside.n_undecided,
                inside.cut_text(),
            )
        )
    return tuple(replace(c, **_beside_others(c.name, masks)) if c.name in masks else c for c in made)


def _beside_others(name: str, masks: Mapping[str, Any]) -> dict[str, Any]:
    """How many members a subgroup shares with each other one, and which have the very same."""
    own, others = masks[name], {n: m for n, m in masks.items() if n != name}
    overlap = tuple((n, int((m & own).sum())) for n, m in others.items())
    return {"overlap": overlap, "same": tuple(n for n, m in others.items() if own.any() and bool((m == own).all()))}


class SubgroupsView(View):
    DEFAULT_CSS = """
    SubgroupsView Container#list { height: auto; }
    SubgroupsView Container#list VirtualTable { height: auto; }
    SubgroupsView.beside Container#both { layout: horizontal; }
    SubgroupsView.beside Container#list { width: 50%; height: 1fr; max-height: 100%; }
    SubgroupsView Container#both { height: 1fr; }
    """
    row_cursor = True

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench, name)
        self.asked_from = ""  # the screen on which a new subgroup was asked for
        self.counted: dict[str, Counted] = {}
        self.balanced: dict[str, Result] = {}
        self.table.moved = self.moved
        self.resting: Timer | None = None
        self.of: Any = None
        self.about = Pane(bench.look)
        self.about.can_focus = False
        self.about.hint = LEADS_IN
        self.inside = False  # whether j and k scroll the details
        self.results: tuple[Result, ...] = ()
        self.told = ""  # the subgroup whose details are shown
        self.changes: list[StudyChange] = []  # of study.toml, made here and not taken back
        self.fresh = ""  # a subgroup just added, to be switched on and told
        self.telling = ""  # that one, until its result is known
        self.asked: PieceKey | None = None
        self.job: Job | None = None  # that computes it
        self.saying = ""  # what was done to study.toml, said once it is read again

    def compose(self) -> Any:
        yield self.title_bar
        with Container(id="both"):
            with Container(id="list"):
                yield self.table
            yield self.about
        yield self.detail

    def on_resize(self) -> None:
        self.set_class(self.beside, "beside")
        self.fit_list()
        if self.bench.opened is not None:
            self.call_after_refresh(self.cursor_moved)

    def fit_list(self) -> None:
        """The list is as tall as it needs, at most half the screen where the details stand below it."""
        rows, most = len(self.full) + 2, max((self.size.height - 2) // 2, 5)
        self.table.styles.height = "1fr" if self.beside else min(rows, most)

    def refresh_view(self) -> None:
        opened = self.bench.opened
        if opened is None:
            return
        if self.of is not opened:
            self.of, self.counted, self.balanced = opened, {}, {}
            source = opened.source
            self.bench.jobs.start(self.panel, "counting", lambda _: count(source))
        self.build()

    def build(self) -> None:
        study, glyphs = self.study, self.bench.look.glyphs
        self.title("Subgroups", (f"  cuts over all of {study.populations.default}, never arm by arm; space: on, off", "dim"))
        rows = []
        for subgroup in study.subgroups:
            on = subgroup.name in self.session.choice.subgroups
            known = self.counted.get(subgroup.name)
            counts = ["..."] * (1 + len(study.arms.order))
            if known is not None:
                counts = ["NE"] * len(counts) if known.error else [str(known.n), *map(str, known.by_arm)]
            texts = [
                f"{glyphs.on if on else glyphs.off} {subgroup.name}",
                subgroup.status,
                *counts,
                subgroup.label,
            ]
            rows.append(GridRow(tuple((safe(t, ascii=self.ascii), "bold" if on else "") for t in texts), source=subgroup.name))
        heads = ["subgroup", "defined", "n", *study.arms.order, "label"]
        right = range(2, 3 + len(study.arms.order))
        self.table.placeholder = "no subgroups yet; a adds one"
        self.show_grid(GridModel((grid([safe(h) for h in heads], rows, right=right),)))
        self.fit_list()
        self.cursor_moved()
        self.call_after_refresh(self.cursor_moved)  # once more when the list has its height and the details their width

    @property
    def study(self) -> Any:
        return self.bench.ready.source.study

    @property
    def here(self) -> Subgroup | None:
        name = self.source()
        found: Subgroup | None = self.study.subgroup(name) if name else None
        return found

    def report(self, report: JobReport) -> None:
        if report.kind != "done":
            return
        if isinstance(report.payload, tuple) and report.payload and isinstance(report.payload[0], Counted):
            self.counted = {c.name: c for c in report.payload}
            self.build()
            self.say_change()
        elif report.job.lane == RESULT:
            self.cursor_moved()
            self.tell()
        elif isinstance(report.payload, StudyChange):
            change = report.payload
            self.changes.append(change)
            self.saying, self.fresh = change.said, change.name if change.kind == "add" else ""
            self.bench.do_reload()
        elif isinstance(report.payload, dict):
            self.balanced |= report.payload
            self.cursor_moved()
        elif isinstance(report.payload, str):  # a change of study.toml was taken back
            self.changes.pop()
            self.saying = report.payload
            self.bench.do_reload()

    def say_change(self) -> None:
        """Say what was done to study.toml; switch a new subgroup on, put the cursor on it, and have its result computed."""
        said, self.saying, name, self.fresh = self.saying, "", self.fresh, ""
        if said:
            self.bench.status(said)
        if not name or self.study.subgroup(name) is None:
            return
        self.back_to(name)
        if name not in self.session.choice.subgroups:
            self.bench.call_next(self.bench.dispatch_action, act.ToggleSubgroup(name))
        if self.asked_from:  # where its effect is to be seen
            self.leave_for_asker()
            return
        self.telling = name
        self.bench.call_next(self.ask_result, name)

    def leave_for_asker(self) -> None:
        """Back to the screen that asked for a new subgroup."""
        back, self.asked_from = self.asked_from, ""
        if back:
            self.bench.call_next(self.bench.dispatch_action, act.GoTo(back))

    # ---- its result on the chosen endpoint

    def result_key(self, name: str) -> PieceKey:
        choice, default = self.session.choice, self.study.populations.default
        return PieceKey(choice.endpoint, name, "" if choice.population == default else choice.population)

    def ask_result(self, name: str) -> None:
        """Have the result of one subgroup computed, and no other answer."""
        key = self.result_key(name)
        running = self.asked == key and self.job is not None and self.job in self.bench.jobs.running
        if self.bench.answers.get(key) is not None:
            self.tell()
        elif self.session.choice.endpoint and not running:
            self.asked, self.job = key, self.bench.compute(self.panel, name, [key], lane=RESULT)

    def look_at(self, name: str) -> None:
        """The result of a subgroup is on the screen: it is entered as the look at ``alsbench endpoint`` that shows it."""
        key = self.result_key(name)
        piece = self.bench.answers.get(key)
        if isinstance(piece, Piece):
            made = assemble(self.bench.ready.source, (name,), (name,), (), [piece], key.population, only=key.endpoint)
            asked = ViewRequest("endpoint", (key.endpoint,), {"subgroups": (name,), "population": key.population})
            self.bench.access_log.look(made.result.with_command(self.bench.exporter.command(asked)))

    def tell(self) -> None:
        """Say what a new subgroup is in a line, once its result is known."""
        if self.telling and self.bench.answers.get(self.result_key(self.telling)) is not None:
            name, self.telling = self.telling, ""
            self.bench.status(self.in_a_line(name))

    def result_words(self, name: str) -> str:
        """The chosen comparison of the chosen endpoint in a subgroup; empty while it is not known."""
        choice, found = self.session.choice, self.bench.answers.get(self.result_key(name))
        title = self.bench.catalogue.label("endpoints", choice.endpoint)
        if isinstance(found, AlsbenchError):
            return f"{title}: NE: {found.what}"
        if not isinstance(found, Piece):
            return ""
        cell = next((c for c in found.cells if c.comparison == choice.comparison), None)
        if cell is None:
            return f"{title}: no contrast for {choice.comparison}"
        return f"{title}, {self.bench.catalogue.label('comparisons', choice.comparison)}: {brief_text(cell)}"

    def in_a_line(self, name: str) -> str:
        """A subgroup in a line: members, whose they are too, result."""
        known = self.counted.get(name)
        if known is None or known.error:
            return f"{name}: {known.error if known else 'not counted'}"
        same = f", same members as {', '.join(known.same)}" if known.same else ""
        return f"{name}: n {known.n}{same}; {self.result_words(name)}"

    def moved(self) -> None:
        """The cursor stands on another subgroup: its details once it rests."""
        if self.resting is not None:
            self.resting.stop()
        self.resting = self.set_timer(REST, self.cursor_moved)

    def cursor_moved(self) -> None:
        self.resting = None
        subgroup = self.here
        if subgroup is None:
            self.about.show([])
            return
        self.about.show(self.about_lines(subgroup), keep=subgroup.name == self.told)
        self.told = subgroup.name
        known = self.counted.get(subgroup.name)
        if known is not None and not known.error and subgroup.name not in self.balanced:
            source, name = self.bench.ready.source, subgroup.name

            def work(job: Job) -> dict[str, Result]:
                job.check()
                return {name: balance(source, name)}

            self.bench.jobs.start(self.panel, "balance", work)
        elif known is not None and not known.error and self.beside:
            self.ask_result(subgroup.name)

    @property
    def beside(self) -> bool:
        """Whether the details stand beside the list."""
        return self.size.width >= BESIDE

    def about_lines(self, subgroup: Subgroup, *, balance: bool = True) -> list[Text]:
        """What is known of a subgroup, as wide as it will stand: beside the list, or opened without its balance."""
        whole = self.size.width or 80
        look, width = self.bench.look, whole - whole // 2 if balance and self.beside else whole
        known = self.counted.get(subgroup.name)
        facts = [
            ("subgroup", f"{subgroup.name}{f': {subgroup.label}' if subgroup.label else ''}"),
            ("where", subgroup.where),
            ("defined", "pre-specified" if subgroup.prespecified else "POST HOC: after the data were seen"),
        ]
        if subgroup.post_randomisation:
            facts.append(("", "POST-RANDOMISATION column"))
        if subgroup.rationale:
            facts.append(("rationale", subgroup.rationale))
        if known is not None and known.error:
            facts.append(("not evaluated", known.error))
        elif known is not None:
            arms = self.study.arms.order
            told = [f"{n} ({', '.join(f'{a} {k}' for a, k in zip(arms, by, strict=True))})" for n, by in (
                (known.n, known.by_arm), (known.outside, known.outside_by_arm))]  # fmt: skip
            facts += [("cut", known.cut or "fixed"), ("in", told[0]), (f"not ({subgroup.complement or 'complement'})", told[1])]
            if known.undecided:
                facts.append(("undecided", f"{known.undecided}: a value is missing; in neither"))
            if known.same:
                facts.append(("same members", f"same members as {', '.join(known.same)}"))
            if said := self.result_words(known.name):
                facts.append(("result", said))
                self.look_at(known.name)
            if known.overlap:
                facts.append(("overlap", ", ".join(f"{k} also in {n}" for n, k in known.overlap)))
        lines = [line for name, value in facts for line in folded(name, safe(value, ascii=self.ascii), look, width)]
        return [*lines, *self.balance_lines(subgroup.name, width)] if balance else lines

    def balance_lines(self, name: str, width: int) -> list[Text]:
        """Baseline balance of a subgroup, once it is known."""
        look, result = self.bench.look, self.balanced.get(name)
        found: dict[str, list[tuple[str, float]]] = {}
        for row in result.select(stat_name="smd", subgroup=name) if result is not None else ():
            found.setdefault(row.variable or "", []).append((row.treatment or "", row.number()))
        lines: list[Text] = []
        if found:
            names = [t for t, _ in next(iter(found.values()))]
            room = max(12, min(max(map(len, names)), (width - 22) // len(names) - 3))
            mark = look.glyphs.ellipsis
            heads = (fit(safe(n, ascii=self.ascii), room, align="right", mark=mark) + " " for n in names)
            lines += [Text(), Text("balance (SMD)         " + "  ".join(heads), look["head"])]
            for variable, values in found.items():
                line = Text(fit(safe(variable, ascii=self.ascii), 20, mark=mark), look["text"])
                for _, value in values:
                    far = abs(value) >= FAR
                    line.append(
                        f"  {value:>{room}.2f}{'!' if far else ' '}" if value == value else f"  {'NE':>{room}} ",
                        look["warn" if far else "text"],
                    )
                lines.append(line)
            lines.append(Text(f"! an absolute difference of {FAR:g} SD or more", look["dim"]))
        return lines

    # ---- commands

    @property
    def main(self) -> VirtualTable | Pane:
        return self.about if self.inside else self.table

    def do_subgroup_details(self) -> None:
        """Let j and k scroll the details, or move in the list again."""
        if not self.inside and not self.about.below:
            self.bench.status("the details are all in view")
            return
        self.inside = not self.inside
        self.about.hint = "j k scroll, tab leads back" if self.inside else LEADS_IN
        self.about.go(0)
        self.about.refresh()

    def do_back(self) -> bool:
        if self.inside:
            self.do_subgroup_details()
            return True
        return super().do_back()

    async def do_subgroup_toggle(self, name: str = "") -> None:
        target = name or (self.here.name if self.here else "")
        if target:
            await self.bench.dispatch_action(act.ToggleSubgroup(target))

    async def do_open(self) -> None:
        """Open the subgroup: its counts and balance, each with the subjects behind."""
        subgroup = self.here
        if subgroup is None:
            self.bench.status("no subgroup here; a adds one")
            return
        facts, found = self.about_lines(subgroup, balance=False), self.balanced.get(subgroup.name)
        self.bench.push_screen(SubgroupDetail(self.bench, subgroup.name, facts, found))

    def do_subgroup_add(self) -> None:
        self.open_editor(None)

    def add_for(self, screen: str) -> None:
        """Define a subgroup for another screen, and go back there."""
        self.asked_from = screen
        self.open_editor(None)

    def do_subgroup_edit(self) -> None:
        if self.here is None:
            self.bench.status("no subgroup here; a adds one")
        else:
            self.open_editor(self.here)

    def open_editor(self, subgroup: Subgroup | None) -> None:
        def done(made: Subgroup | None) -> None:
            if made is not None:
                self.save(made, subgroup.name if subgroup else "")
            else:
                self.leave_for_asker()

        self.bench.push_screen(SubgroupEditor(self.bench.look, self.bench.ready.source, subgroup), done)

    def save(self, made: Subgroup, replaces: str) -> None:
        """Write a subgroup to study.toml; one by what is known only after randomisation is labelled so wherever it is shown."""
        values = {field: getattr(made, field) for field in (*FIELDS, "post_randomisation")}

        def work(access: Access) -> str:
            if replaces:
                edit(access, replaces, values, force=True)
            else:
                add(access, **values, force=True)
            return f"{made.name} written to study.toml"

        self.change_study(work, "edit" if replaces else "add", made.name)

    def change_study(self, change: Callable[[Access], str], kind: str, name: str) -> None:
        """Change study.toml in a worker, which says what was done; then the study is read again."""
        self.bench.still_here()
        access = self.bench.ready.access
        path = Workspace(access.path).study_path

        def work(_: Job) -> StudyChange:
            before = path.read_bytes()
            said = change(access)
            return StudyChange(kind, name, before, path.read_bytes(), f"{said}; u takes it back")

        self.bench.jobs.start(self.panel, "study", work, lane="study")

    async def do_subgroup_undo(self) -> None:
        """Take back the last change of study.toml made here; the last choice where there is none."""
        if not self.changes:
            if self.session.past:
                await self.bench.dispatch_action(act.Undo())
            else:
                self.bench.status("nothing to undo")
            return
        self.bench.still_here()
        access, last = self.bench.ready.access, self.changes[-1]

        def work(_: Job) -> str:
            return take_back(access, last.kind, last.name, last.before, last.after)

        self.bench.jobs.start(self.panel, "study", work, lane="study")

    def do_subgroup_delete(self) -> None:
        subgroup = self.here
        if subgroup is None:
            return

        def work(access: Access) -> str:
            remove(access, subgroup.name)
            return f"{subgroup.name} removed from study.toml"

        lines = [f"where {safe(subgroup.where)}", "", "It is removed from study.toml; loaded data stay as they are."]
        self.bench.overlays.confirm(
            f"Delete subgroup {subgroup.name}?", lines, lambda: self.change_study(work, "remove", subgroup.name)
        )

    def do_editor(self) -> None:
        """Hand the terminal to $EDITOR on study.toml, at the subgroup under the cursor."""
        self.bench.do_editor(self.here.name if self.bench.opened is not None and self.here else "")

    def shell_words(self) -> dict[str, str]:
        return {"name": self.here.name} if self.bench.opened is not None and self.here else {}


class SubgroupDetail(Drilldown):
    """One subgroup: its facts, counts and balance."""

    def __init__(self, bench: Bench, name: str, facts: list[Text], found: Result | None) -> None:
        title = safe(f"Subgroup {name}", ascii=not bench.look.glyphs.dots)
        super().__init__(bench, title, facts, ("h l", "columns"), ("enter", "behind"), row_cursor=False)
        self.subgroup = name
        self.result = found

    def start(self) -> None:
        if self.result is not None:
            self.fill(self.result)
            return
        source, name = self.bench.ready.source, self.subgroup
        self.work("balance:", lambda _: balance(source, name))

    def fill(self, payload: Any) -> None:
        self.result = payload
        self.show_whole(GridModel(tuple(self.sections(payload))))

    def sections(self, found: Result) -> list[Section]:
        phrases = (self.subgroup, f"not {self.subgroup}")
        arms = [a for a in self.bench.ready.source.study.arms.order if found.get("n", context="subgroup", arm=a)]
        counts = []
        for phrase in phrases:
            rows = [found.get("n", context="subgroup", subgroup=phrase, arm=arm) for arm in (None, *arms)]
            counts.append(self.line(phrase, rows))
        made = [grid(["members", "n", *(safe(a, ascii=self.ascii) for a in arms)], counts, right=range(1, 2 + len(arms)))]
        pairs = tuple(dict.fromkeys((r.treatment, r.reference) for r in found.select(stat_name="smd")))
        heads = ["balance (SMD)", *(safe(f"{t} vs {r}", ascii=self.ascii) for t, r in pairs)]
        for phrase in phrases:
            lines = [heading(safe(phrase, ascii=self.ascii))]
            for variable in dict.fromkeys(r.variable for r in found.select(stat_name="smd", subgroup=phrase)):
                where = {"subgroup": phrase, "variable": variable}
                smd = [found.get("smd", treatment=t, reference=r, **where) for t, r in pairs]
                lines.append(self.line(variable or "", smd))
            made.append(grid(heads, lines, right=range(1, len(heads))))
        note = f"! an absolute difference of {FAR:g} SD or more"
        return [*made, heading_section(note, "dim")]

    def line(self, name: str, rows: list[Row | None]) -> GridRow:
        cells = [(safe(name, ascii=self.ascii), "")]
        for row in rows:
            text, role = "NE", "dim"
            if row is not None and row.stat is not None:
                far = row.stat_name == "smd" and abs(row.number()) >= FAR
                text, role = f"{format_stat(row.stat_name, row.stat)}{'!' if far else ''}", "warn" if far else ""
            cells.append((text, role))
        return GridRow(tuple(cells), (None, *((row,) if row is not None else None for row in rows)))

    def page(self) -> Page | None:
        return super().page() if self.result is not None else None

    def page_title(self) -> str:
        mark = "  Post hoc" if self.result is not None and self.result.provenance.post_hoc else ""
        return f"Members and baseline balance of {self.subgroup}{mark}"

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        if self.result is None:
            return ()
        facts = (*self.bench.exporter.facts()[:1], *self.result.facts.lines, ("Snapshot", self.result.provenance.snapshot[:12]))
        return (*facts, ("Command", self.result.provenance.command))

    def table_request(self) -> ViewRequest:
        return self.bench.exporter.request(name=self.subgroup)
