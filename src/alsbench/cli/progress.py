"""A progress bar on standard error, when a person is looking at it: ``drawn`` says whether it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from alsbench.data.sanitize import visible

T = TypeVar("T")


def steps(drawn: bool, items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """``items``, counted against ``total`` with the time left."""
    if not drawn:
        yield from items
        return
    with bar(drawn) as show:
        for done, item in enumerate(items, start=1):
            show(title, done, total)
            yield item


@contextmanager
def bar(drawn: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """``show(title, done, total)``, drawing a bar per title; a no-op where nobody looks."""
    if not drawn:
        yield lambda _title, _done, _total: None
        return
    from rich.console import Console  # waits: rich
    from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn  # waits: rich
    from rich.text import Text  # waits: rich

    class Counted(TextColumn):
        """``7/21``; ``699`` where nobody knows of how many."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.completed:.0f}/{task.total:.0f}" if task.total is not None else f"{task.completed:.0f}")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), Counted(""), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show(title: str, done: int, total: int | None) -> None:
            if title not in tasks:
                tasks[title] = progress.add_task(Text(visible(title)).plain, total=total)
            progress.update(tasks[title], completed=done, total=total)

        yield show
