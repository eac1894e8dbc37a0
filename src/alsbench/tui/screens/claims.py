"""Screen 0: published numbers beside those of the data. The workspace's ``claims.toml``, a line for each claim with its three
verdicts; ``enter`` opens the numbers behind them, ``A`` puts every claim to scrutiny as well, ``E`` edits the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from alsbench.analysis.claims.checked import Checked, check_claim, checks_of, scrutinised, together
from alsbench.analysis.contrast import NOT_JUDGED
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.scrutiny import ALL, Check
from alsbench.errors import AlsbenchError
from alsbench.render.claims import claim_blocks, claims_page, coherent_words, post_hoc_notes, reproduced_words, robust_words
from alsbench.render.marks import UNJUDGED, brief
from alsbench.render.page import Page
from alsbench.study.claims import Claim, read_claims
from alsbench.tui.cell_text import safe
from alsbench.tui.exporter import write_new
from alsbench.tui.screens.base import Bench, View
from alsbench.tui.screens.drilldown import Drilldown
from alsbench.tui.shell_command import ViewRequest
from alsbench.tui.table_models import GridModel, GridRow, block_section, grid
from alsbench.tui.worker import Job, JobReport

FILE = "claims.toml"
HEADS = ("claim", "bottom line", "coherent", "reproduced", "robust", "endpoint", "subgroup", "contrast")
HOW = (
    "Published numbers are checked against the data, claim by claim:",
    "",
    "  coherent     do the numbers agree with each other?",
    "  reproduced   do the loaded data give them, at the digits that were printed?",
    "  robust       do they survive the checks of Scrutiny?",
    "",
    "They stand in claims.toml in the workspace, for instance:",
    "",
)


class ClaimsView(View):
    row_cursor = True

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench, name)
        self.claims: tuple[Claim, ...] = ()
        self.found: dict[str, Checked] = {}
        self.digest = ""  # of the claims, the data and the study that ``found`` is about

    @property
    def path(self) -> Path:
        return self.bench.workspace / FILE

    # ---- showing

    def refresh_view(self) -> None:
        if self.bench.opened is None:
            return
        self.title("Claims", (f"  {FILE}; published numbers beside those of the data", "dim"))
        try:
            self.read_file()
        except AlsbenchError as error:
            self.claims = ()
            self.show_texts(error.message.split("\n"), "error")
            return
        if not self.claims:
            lines = (*HOW, "  schema = 1", *(f"  {line}" for line in self.example()))
            self.show_texts(lines, "text")
            return
        self.build()
        if missing := [c for c in self.claims if c.name not in self.found]:
            self.check(missing)

    def read_file(self) -> None:
        """The claims as the file now has them; what was found of others is forgotten. Raises StudyError."""
        source = self.bench.ready.source
        text = self.path.read_bytes() if self.path.is_file() else b""
        digest = hashlib.sha256(b"\0".join((text, source.snapshot.digest.encode(), source.study_digest.encode()))).hexdigest()
        if digest != self.digest:
            self.found = {}
        self.claims = read_claims(self.path) if text else ()
        self.digest = digest

    def show_texts(self, lines: Sequence[str], role: str) -> None:
        self.show_lines([Text(safe(line, ascii=self.ascii), self.bench.look[role]) for line in lines])

    def pane_moved(self) -> None:
        super().pane_moved()
        if self.pane.display and not self.pane.below:
            self.say("E edits the file" if self.path.is_file() else "E writes the file")

    def example(self) -> tuple[str, ...]:
        """How a claim is written, in this study's own names."""
        study = self.bench.ready.source.study
        subgroup = next((s.name for s in study.subgroups), "overall")
        comparison = next((c.name or c.treatment for c in study.comparisons), "")
        return (
            "[[claims]]",
            'name = "first"',
            'source = "press release, table 1"',
            f"endpoint = {json.dumps(self.session.choice.endpoint)}",
            f"subgroup = {json.dumps(subgroup)}",
            f"comparison = {json.dumps(comparison)}",
            'contrast = { difference = "7.29", p_value = "0.024" }',
        )

    def build(self) -> None:
        asked = any(c.survived is not None for c in self.found.values())
        rows = [GridRow(tuple(self.cells(c, asked)), source=c) for c in self.claims]
        heads = [h for h in HEADS if asked or h != "robust"]
        self.show_grid(GridModel((grid(heads, rows, most=32),)))
        self.cursor_moved()

    def cells(self, claim: Claim, asked: bool) -> Iterator[tuple[str, str]]:
        found = self.found.get(claim.name)
        mark = "".join(f" {word}" for word in found.marks) if found is not None else ""
        yield safe(claim.name, ascii=self.ascii), ""
        yield safe(level_words(found), ascii=self.ascii), level_role(found)
        if found is None:
            yield from (("...", "dim"),) * (3 if asked else 2)
        else:
            yield coherent_words(found), "bad" if found.coherent is False else ""
            yield reproduced_words(found), "bad" if found.reproduced is False else ""
            if asked:
                yield robust_words(found, brief=True), ""
        for text in (claim.endpoint, claim.subgroup + mark, claim.comparison):
            yield safe(text, ascii=self.ascii), ""

    def cursor_moved(self) -> None:
        claim = self.source()
        if isinstance(claim, Claim):
            found = self.found.get(claim.name)
            about = found.about if found is not None else claim.endpoint
            marks = "".join(f"; {word}" for word in found.marks) if found is not None else ""
            level = f"{found.level}; " if found is not None and found.level and found.level != NOT_JUDGED else ""
            self.say(f"{level}{about}{marks}{f' ({claim.source})' if claim.source else ''}")

    # ---- checking

    def check(self, claims: list[Claim], *, scrutinise: bool = False) -> None:
        """Check claims in a worker, each shown when it is done; ``scrutinise`` puts them to every check too."""
        source, answers, pool = self.bench.ready.source, self.bench.answers, self.bench.pool
        all_claims, known = self.claims, dict(self.found)
        total = len(claims) * (len(ALL) if scrutinise else 1)

        def work(job: Job) -> None:
            done = 0

            def answer(question: Question) -> Result:
                for _ in pool.answered((question,), source, job):
                    pass
                found = answers.get(question)
                if isinstance(found, Result):
                    return found
                raise found  # type: ignore[misc]

            def each(claim: Claim) -> Iterator[tuple[Check, Result]]:
                nonlocal done
                for found in checks_of(claim, source):
                    job.check()
                    done += 1
                    job.post(None, done=done, total=total)
                    yield found

            beside = together(all_claims, source)
            for number, claim in enumerate(claims, start=1):
                job.check()
                found = known.get(claim.name)
                if found is None or (scrutinise and found.level == NOT_JUDGED):
                    found = check_claim(claim, source, beside, answer, judge=scrutinise)
                found = scrutinised(found, source, each(claim)) if scrutinise else found
                job.post(found, done=number * total // len(claims), total=total)

        self.bench.jobs.start(self.panel, "claims:", work, heavy=True, interrupt=source.snapshot.interrupt)
        self.bench.progress(f"claims: 0/{total}  ^c cancels")

    def report(self, report: JobReport) -> None:
        if isinstance(report.payload, Checked):
            self.found[report.payload.claim.name] = report.payload
            if self.display:
                self.build()
        if report.kind == "done" and self.display:
            for found in self.found.values():
                for result in found.results:
                    self.bench.access_log.look(result)
            self.bench.access_log.claims(self.path, [c.name for c in self.claims])

    def do_scrutiny_all(self) -> None:
        """Put every claim to scrutiny."""
        if missing := [c for c in self.claims if (f := self.found.get(c.name)) is None or f.survived is None]:
            self.check(missing, scrutinise=True)
        else:
            self.bench.status("every claim was put to scrutiny" if self.claims else "there are no claims; E writes the file")

    async def do_open(self) -> None:
        claim = self.source()
        found = self.found.get(claim.name) if isinstance(claim, Claim) else None
        if found is not None:
            self.bench.push_screen(ClaimTable(self.bench, found))
        else:
            self.bench.status("being checked" if claim else "nothing to open here")

    def do_editor(self) -> None:
        """Hand the terminal to $EDITOR on the claims; a file that is not there yet begins with an example, commented out."""
        new = not self.path.exists()
        if new:
            write_new(self.path, "\n".join(("schema = 1", "", *(f"# {line}" for line in self.example()), "")))
        changed = self.bench.edited(self.path)
        if new and not changed:
            self.path.unlink()
        self.refresh_view()

    # ---- copying and exporting

    def checked(self) -> list[Checked]:
        return [self.found[c.name] for c in self.claims if c.name in self.found]

    def page(self) -> Page | None:
        made = self.checked() if self.bench.opened is not None and not self.pane.display else []
        return self.page_of(made, self.bench.exporter.shell_command()) if made else None

    def page_of(self, checked: list[Checked], command: str) -> Page:
        """Claims as a page that stands alone."""
        study = self.bench.ready.source.study
        facts = (
            ("Study", f"{study.info.id} {study.info.title}".strip()),
            ("Snapshot", self.session.snapshot[:12]),
            ("Claims", FILE),
            ("Command", command),
        )
        return claims_page(checked, facts, (*post_hoc_notes(checked), *self.bench.exporter.data_notes()))

    @property
    def printed(self) -> bool:
        return not self.pane.display

    def shell_words(self) -> dict[str, str]:
        return {"check": "all" if any(c.survived is not None for c in self.found.values()) else ""}


def level_words(found: Checked | None) -> str:
    """The bottom line of a claim in a column."""
    if found is None:
        return "..."
    return f"{UNJUDGED} A judges" if found.level == NOT_JUDGED else brief(found.level) if found.level else ""


def level_role(found: Checked | None) -> str:
    """Its role: green for nothing but what the plan asked for."""
    level = "" if found is None else found.level
    if level == NOT_JUDGED or level.startswith(("worth", "holds")):
        return "warn"
    return "dim" if found is None else "bad" if level.startswith("against") else ""


class ClaimTable(Drilldown):
    """One claim: what it says and the verdicts, then its numbers, relations, implied sizes and checks."""

    no_number = "no number of the data here; Recomputed opens"

    def __init__(self, bench: Bench, found: Checked) -> None:
        look, ascii = bench.look, not bench.look.glyphs.dots
        claim = found.claim
        told = [
            f"{found.about}{''.join(f', {word.upper()}' for word in found.marks)}{f'; {claim.source}' if claim.source else ''}",
            *((f"bottom line: {found.level}",) if found.level else ()),
            f"coherent: {coherent_words(found)}   reproduced: {reproduced_words(found)}   robust: {robust_words(found)}",
        ]
        lines = [Text(safe(line, ascii=ascii), look["text"]) for line in told]
        super().__init__(
            bench,
            safe(f"Claim {claim.name}", ascii=ascii),
            lines,
            ("h l", "columns"),
            ("enter", "behind a number"),
            row_cursor=False,
        )
        sections = [s for block in claim_blocks([found], headed=False) for s in block_section(block, ascii=ascii)]
        self.result = found.result
        self.found = found
        self.request = bench.exporter.request(name=claim.name, check="all" if found.survived is not None else "")
        self.whole = self.table.model = GridModel(tuple(sections))
        self.table.placeholder = "no numbers"

    def page(self) -> Page | None:
        view = self.bench.view
        return view.page_of([self.found], self.shell()) if isinstance(view, ClaimsView) else None

    def table_request(self) -> ViewRequest:
        return self.request
