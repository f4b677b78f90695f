"""Results to standard output, talk to standard error: tables for people, plain text in a pipe, JSON if asked.

Whoever renders gives rows and records; whether colour is right is decided here once (a terminal, no NO_COLOR,
TERM not dumb). rich is imported only where a terminal shows a table.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO


class Output:
    """Where a command's results and remarks go."""

    def __init__(
        self, *, as_json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._out = stdout or sys.stdout
        self._err = stderr or sys.stderr

    @property
    def on_terminal(self) -> bool:
        """Does a person read the results as they come?"""
        return self._out.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def coloured(self) -> bool:
        return self.on_terminal and not os.environ.get("NO_COLOR")

    @property
    def width(self) -> int | None:
        """How many columns a person has; None where nobody looks."""
        return shutil.get_terminal_size().columns if self.on_terminal else None

    def record(self, fields: Mapping[str, Any]) -> None:
        """One JSON object, one line, written at once so that a pipe sees it now."""
        self._out.write(json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._out.flush()

    def line(self, text: str = "") -> None:
        """A line of the result."""
        self._out.write(text + "\n")
        self._out.flush()

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Aligned columns; on a terminal with colour, in a pipe the same text without."""
        lines = [tuple(head), *(tuple(row) for row in rows)]
        if self.coloured:
            _rich_table(lines, self._out)
            return
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for cells in lines:
            self.line("  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip())

    def note(self, text: str) -> None:
        """A remark for the person, not part of the result."""
        self._err.write(text + "\n")
        self._err.flush()

    @contextmanager
    def live(self) -> Iterator[Callable[[Sequence[str]], None] | None]:
        """A view of some lines on standard error, drawn anew with each call, gone at the end.

        None where nobody watches, or wants no drawing.
        """
        watched = self._err.isatty() and os.environ.get("TERM") != "dumb"
        if self.as_json or not watched or os.environ.get("NO_COLOR"):
            yield None
            return
        view = _LiveView(self._err)
        try:
            yield view.show
        finally:
            view.close()

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[str], None]]:
        """A bar on standard error while a person watches; call what is given at the begin of each step."""
        if not self._err.isatty() or os.environ.get("TERM") == "dumb":
            yield lambda _what: None
            return
        with _rich_progress(total, self._err) as step:
            yield step


class _LiveView:
    """Lines that replace each other; a command that ends before the first never loads rich."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._live: Any = None

    def show(self, lines: Sequence[str]) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            console = Console(file=self._err)
            self._live = Live(
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()


@contextmanager
def _rich_progress(total: int, err: TextIO) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=err), transient=True) as bar:
        task, begun = bar.add_task("", total=total), False

        def step(what: str) -> None:
            nonlocal begun
            bar.update(task, advance=int(begun), description=Text(what).markup, refresh=True)
            begun = True

        yield step


def _rich_table(lines: Sequence[Sequence[str]], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in lines[0]:
        table.add_column(name, overflow="fold")
    for cells in lines[1:]:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    Console(file=out).print(table)


# Words that carry the verdict of a row; colour repeats what the word says and never says more.
_STYLES = {
    "ok": "green",
    "clean": "green",
    "applied": "green",
    "broken": "bold red",
    "found": "bold red",
    "refused": "red",
    "failed": "bold red",
    "off": "bold red",
    "not served": "yellow",
    "unavailable": "yellow",
}
