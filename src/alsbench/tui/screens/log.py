"""Screen 9: what was done. The workspace's audit log, newest first, and the actions of this session."""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text

from alsbench.tui import actions as act
from alsbench.tui.models import Grid, GridRow, Section, grid
from alsbench.tui.safetext import safe
from alsbench.tui.screens.base import View
from alsbench.tui.worker import Report

MOST = 2000  # records shown
TIME_KEYS = ("time", "at", "when", "timestamp")
KIND_KEYS = ("action", "kind", "event")


class LogView(View):
    row_cursor = True

    def refresh_view(self) -> None:
        path = self.bench.workspace / "audit.jsonl"

        def work(_: Any) -> list[dict[str, Any]]:
            if not path.is_file():
                return []
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            return [record(line) for line in reversed(lines[-MOST:])]

        self.bench.jobs.start(self.panel, "log", work)

    def report(self, report: Report) -> None:
        if report.kind == "done":
            self.show_records(report.payload)

    def show_records(self, records: list[dict[str, Any]]) -> None:
        log = self.bench.log_file
        self.title("Log", (f"  {len(records)} audit records; this session is kept in {log.path if log else 'no file'}", "dim"))
        rows = []
        for values in records:
            when = next((str(values[k]) for k in TIME_KEYS if k in values), "")
            kind = next((str(values[k]) for k in KIND_KEYS if k in values), "")
            rest = {k: v for k, v in values.items() if k not in {*TIME_KEYS, *KIND_KEYS}}
            said = json.dumps(rest, ensure_ascii=False)
            rows.append(GridRow(tuple((safe(t, ascii=self.ascii), "") for t in (when[:19], kind, said)), source=values))
        sections = [Section((), (GridRow((("audit log of this workspace", "bold"),), heading=True),))]
        sections.append(grid(["when", "what", "details"], rows, most=200))
        done = [GridRow(((a.kind, ""), (safe(act.dumps(a), ascii=self.ascii), ""))) for a in reversed(self.bench.done)]
        sections.append(Section((), (GridRow((("actions of this session, newest first", "bold"),), heading=True),)))
        sections.append(grid(["action", "as logged"], done, most=200))
        self.show_grid(Grid(tuple(sections)))
        self.say("")

    async def do_open(self) -> None:
        found = self.source()
        if isinstance(found, dict):
            look = self.bench.look
            text = json.dumps(found, indent=2, ensure_ascii=False)
            self.bench.read("Audit record", [Text(safe(line, ascii=self.ascii), look["text"]) for line in text.splitlines()])


def record(line: str) -> dict[str, Any]:
    """A line of the audit log; one that cannot be read is shown as it is."""
    try:
        found = json.loads(line)
    except ValueError:
        return {"unreadable": line}
    return found if isinstance(found, dict) else {"unreadable": line}
