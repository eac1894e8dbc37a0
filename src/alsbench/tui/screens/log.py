"""Screen 9: what was done. The workspace's audit log, newest first, and the actions of this session."""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text

from alsbench.audit.chain import ChainCheck, verify
from alsbench.audit.log import entries
from alsbench.tui import actions as act
from alsbench.tui.cell_text import safe
from alsbench.tui.screens.base import View
from alsbench.tui.table_models import GridModel, GridRow, grid, heading_section
from alsbench.tui.worker import JobReport

MOST = 2000  # records shown


class LogView(View):
    row_cursor = True

    def refresh_view(self) -> None:
        path = self.bench.workspace / "audit.jsonl"

        def work(_: Any) -> tuple[ChainCheck, list[dict[str, Any]]]:
            if not path.is_file():
                return ChainCheck(0, ""), []
            verdict = verify(path)
            found = [e.as_dict() for e in entries(path, strict=False)]
            return verdict, found[: -MOST - 1 : -1]

        self.bench.jobs.start(self.panel, "log", work)

    def report(self, report: JobReport) -> None:
        if report.kind == "done":
            self.show_records(*report.payload)

    def show_records(self, verdict: ChainCheck, records: list[dict[str, Any]]) -> None:
        log = self.bench.log_file
        doubt = self.bench.opened.source.log.text if self.bench.opened and verdict.intact else ""  # of a log that is not there
        chain = doubt or ("chain intact" if verdict.intact else f"chain BROKEN: {len(verdict.faults)} faults")
        self.title("Log", (f"  {verdict.entries} audit entries, {chain}", "dim" if verdict.intact and not doubt else "error"))
        rows = [
            GridRow(((str(line), "error"), ("", ""), ("", ""), ("fault", "error"), (fault, "error")))
            for line, fault in verdict.faults
        ]
        rows += [self.entry(values) for values in records]
        sections = [heading_section("audit log of this workspace, newest first")]
        if rows:
            sections.append(grid(["no.", "when (UTC)", "who", "what", "about"], rows, right=[0], most=200))
        done = [GridRow(((a.kind, ""), (safe(act.dumps(a), ascii=self.ascii), ""))) for a in reversed(self.bench.done)]
        sections.append(heading_section(f"actions of this session, newest first{f'; kept in {log.path}' if log else ''}"))
        if done:
            sections.append(grid(["action", "as logged"], done, most=200))
        self.show_grid(GridModel(tuple(sections)))
        self.say("; ".join(verdict.words()))

    def entry(self, values: dict[str, Any]) -> GridRow:
        facts = values["facts"]
        about = str(facts.get("asked") or facts.get("file") or ", ".join(f"{k} {v}" for k, v in facts.items()))
        if values["action"] == "claims":
            about += f": {', '.join(facts.get('claims', ()))}"
        mark = " [post hoc]" if facts.get("post_hoc") else ""
        texts = (str(values["number"]), str(values["time"])[:19], str(values["who"]), str(values["action"]), about + mark)
        return GridRow(tuple((safe(t, ascii=self.ascii), "") for t in texts), source=values)

    async def do_open(self) -> None:
        found = self.source()
        if isinstance(found, dict):
            look = self.bench.look
            text = json.dumps(found, indent=2, ensure_ascii=False)
            self.bench.overlays.read(
                "Audit record", [Text(safe(line, ascii=self.ascii), look["text"]) for line in text.splitlines()]
            )
