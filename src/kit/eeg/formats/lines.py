"""Lines out of bytes, for every reader of a text format: limits, line numbers, line ends, the cut last line.

A line that breaks the format raises ProtocolError at the call after the one that handed out what stood
before it, so what a reader gives does not depend on how its input was cut into pieces. Pure.
"""

from __future__ import annotations

from kit.core.errors import ProtocolError
from kit.eeg.formats.interface import Reading
from kit.eeg.formats.rows import Rows

# The longest line of any format here, a skip in NDJSON, has some 2,200 bytes.
LINE_LIMIT = 64 * 1024
_BOM = "\ufeff"
_BATCH = 512


class LineReader:
    """Feeds lines to `_parse_lines`, or one by one to `_parse_line`, and hands out the rows."""

    # Can a last line without its line end be told from one that was cut?
    _self_delimiting = False

    def __init__(self) -> None:
        self._rows = Rows()
        self._line = 1  # the number of the next one
        self._held = b""
        self._broken: ProtocolError | None = None

    def feed(self, data: bytes) -> list[Reading]:
        """What `data` completes."""
        if self._broken:
            raise self._broken
        data = self._held + data
        end = data.rfind(b"\n") + 1
        self._held = data[end:]
        if end:
            self._take(data[:end])
        # One more for a carriage return that may stand before the line end.
        if len(self._held) > LINE_LIMIT + 1 and not self._broken:
            self._broken = self._too_long()
        return self._rows.take()

    def finish(self) -> list[Reading]:
        """The file ended: the last line, if it has no end."""
        if self._broken:
            raise self._broken
        rest, self._held = self._held, b""
        if rest and self._self_delimiting:
            self._take(rest + b"\n")
            if not self._broken:
                return self._rows.take()
            self._broken = None
        if rest.strip():
            self._rows.add_skipped(len(rest))
        return self._rows.take()

    def _parse_line(self, line: str) -> None:
        """Add what the line says to the rows; raises what `_wrong` gives."""
        raise NotImplementedError

    def _parse_lines(self, lines: list[str]) -> bool:
        """Add many lines at once, if that is possible; otherwise leave everything as it is."""
        return False

    def _batch_end(self, lines: list[str], begin: int) -> int:
        """Where the lines end that are worth trying at once."""
        return begin + _BATCH

    def _wrong(self, what: str) -> ProtocolError:
        return ProtocolError(f"line {self._line}: {what}")

    def _too_long(self) -> ProtocolError:
        return self._wrong(f"longer than {LINE_LIMIT} bytes")

    def _take(self, block: bytes) -> None:
        lines = block.decode(errors="surrogateescape").replace("\r\n", "\n").split("\n")
        lines.pop()
        if self._line == 1:
            lines[0] = lines[0].removeprefix(_BOM)
        # What is no UTF-8 is found line by line, also where it stands in a field that nobody reads.
        plain = block.isascii()
        begin = 0
        while begin < len(lines) and not self._broken:
            end = self._batch_end(lines, begin)
            self._take_batch(lines[begin:end], plain)
            begin = end

    def _take_batch(self, lines: list[str], plain: bool) -> None:
        if plain and len(lines) > 1 and max(map(len, lines)) <= LINE_LIMIT and self._parse_lines(lines):
            self._line += len(lines)
            return
        for line in lines:
            self._take_line(line)
            if self._broken:
                return
            self._line += 1

    def _take_line(self, line: str) -> None:
        try:
            if len(line.encode()) > LINE_LIMIT:
                raise self._too_long()
            if line:
                self._parse_line(line)
        except UnicodeEncodeError:
            self._broken = self._wrong("not UTF-8")
        except ProtocolError as error:
            self._broken = error
