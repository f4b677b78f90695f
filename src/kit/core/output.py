"""Results to standard output, talk to standard error: tables for people, plain text in a pipe, JSON if asked.

Whoever renders gives rows and records; whether colour is right is decided here once (a terminal, no NO_COLOR,
TERM not dumb). rich is imported only where a terminal shows a table.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from kit.core.frozen import frozen


@frozen
class Table:
    """Aligned columns; those of numbers, counted from 0, to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()


Block = str | Table


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
        return _terminal_size().columns if self.on_terminal else None

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
        table = Table(head, tuple(rows))
        if self.coloured:
            _rich_table(table, self._out)
            return
        for line in _aligned(table):
            self.line(line)

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
    def screen(self) -> Iterator[Screen]:
        """The whole terminal, drawn anew with each view, whose last one stays; elsewhere view after view."""
        screen = Screen(self, self._out)
        try:
            yield screen
        finally:
            screen.close()

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


class Screen:
    """Views of lines and tables; where a person watches, a view that is too wide is cut."""

    def __init__(self, output: Output, out: TextIO) -> None:
        self._output, self._out = output, out
        self._live: Any = None
        self._last: Sequence[Block] = ()

    @property
    def size(self) -> os.terminal_size | None:
        """Columns and lines, which a person changes at will; None where nobody watches."""
        return _terminal_size() if self._output.on_terminal else None

    def draw(self, blocks: Sequence[Block]) -> None:
        """Show this instead of what was shown before."""
        self._last = blocks
        if not self._output.on_terminal:
            self._write(blocks)
            return
        if self._live is None:
            self._live = _rich_screen(self._out)
            self._live.start()
        self._live.update(_rich_view(blocks, self._output.coloured), refresh=True)

    def close(self) -> None:
        """Give the terminal back, with the last view on it."""
        if self._live is not None:
            self._live.stop()
            self._live.console.print(_rich_view(self._last, self._output.coloured))

    def _write(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            for line in [block] if isinstance(block, str) else _aligned(block):
                self._output.line(line)
        self._output.line()


def _aligned(table: Table) -> Iterator[str]:
    lines = [tuple(table.head), *map(tuple, table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        padded = (
            cell.rjust(width) if column in table.numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        yield "  ".join(padded).rstrip()


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


def _rich_table(table: Table, out: TextIO) -> None:
    from rich.console import Console

    Console(file=out).print(_rich_grid(table, coloured=True, overflow="fold"))


def _rich_screen(out: TextIO) -> Any:
    from rich.console import Console
    from rich.live import Live

    return Live(
        console=Console(file=out),
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _rich_view(blocks: Sequence[Block], coloured: bool) -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(
        *(
            Text(block, no_wrap=True, overflow="ellipsis")
            if isinstance(block, str)
            else _rich_grid(block, coloured=coloured, overflow="ellipsis")
            for block in blocks
        )
    )


def _rich_grid(table: Table, *, coloured: bool, overflow: Any) -> Any:
    from rich import table as tables
    from rich.text import Text

    grid = tables.Table(box=None, pad_edge=False, header_style="bold" if coloured else "")
    for column, name in enumerate(table.head):
        justify: Any = "right" if column in table.numbers else "left"
        grid.add_column(Text(name), overflow=overflow, no_wrap=overflow == "ellipsis", justify=justify)
    for cells in table.rows:
        grid.add_row(*(Text(cell, style=_STYLES.get(cell, "") if coloured else "") for cell in cells))
    return grid


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


def _terminal_size() -> os.terminal_size:
    import shutil  # large, and most output goes into pipes

    return shutil.get_terminal_size()
