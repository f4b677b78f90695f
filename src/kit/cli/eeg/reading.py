"""kit eeg read: joins a stream, a writer and standard output, and tells standard error how it goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from kit.cli.eeg.endings import StopSignal, stopped_by_signals
from kit.cli.eeg.scales import scale_of
from kit.cli.eeg.sink import CannotWrite, Sink, standard_output
from kit.core.errors import EXIT_DONE, KitError, UsageError
from kit.core.output import Output
from kit.eeg import formats
from kit.eeg.notes import Watch, wrong_speed
from kit.eeg.reading import Stream
from kit.eeg.reading import open as open_stream
from kit.eeg.records import Item, Recognised, Stretch
from kit.eeg.scale import Scale
from kit.eeg.summary import complaint, summary, too_much_lost

_WITHOUT_UNITS = ("eegreader", "raw")


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    source: str | None
    format: str | None
    units: formats.Units
    scale: Scale
    count: int | None
    duration_s: float | None
    fail_above_percent: float | None
    reconnect: bool
    protocol: str
    baud: int
    rate_hz: Fraction
    start_us: int


def read_eeg(wish: Wish, output: Output) -> int:
    """Read to the end, or until a signal comes; the exit status."""
    sink = standard_output()
    form = _format(wish, output)
    with _open(wish) as stream, stopped_by_signals() as stop:
        if wish.start_us and stream.live:
            raise UsageError(f"{stream.name!r} is read as it comes, and --start dates what was recorded")
        if stream.live:
            wish = replace(wish, scale=scale_of(wish.scale, stream.name))
        if wish.units == "uv":
            output.note(f"kit: {scale_remark(wish.scale)}")
        error = _Copy(stream, form, wish, sink, output).run(stop)
        for line in summary(stream.tally):
            output.note(f"kit: {line}")
        if error:
            raise error
        return stop.exit_status or _judged(stream, wish)


def _format(wish: Wish, output: Output) -> str:
    if output.as_json and wish.format not in (None, "ndjson"):
        raise UsageError(f"--json is ndjson, and --format says {wish.format!r}")
    usual = "ndjson" if output.as_json else "table" if output.on_terminal else "eegreader"
    form = wish.format or usual
    if wish.units == "uv" and form in _WITHOUT_UNITS:
        raise UsageError(f"the format {form!r} has counts, not microvolts", hint="add --format csv")
    return form


def _open(wish: Wish) -> Stream:
    return open_stream(
        wish.source,
        protocol=wish.protocol,
        baud=wish.baud,
        rate_hz=wish.rate_hz,
        start_us=wish.start_us,
        reconnect=wish.reconnect,
        count=wish.count,
        duration_s=wish.duration_s,
    )


def scale_remark(scale: Scale) -> str:
    """Where the microvolts come from: nobody agrees on them, so that is told each time."""
    figure = f"{scale.uv_per_count:g} µV per count, zero at {scale.zero:g}"
    if scale.origin == "nominal":
        return f"{figure}: nominal, boards differ by a factor of four (--uv-per-count sets yours)"
    return f"{figure}: {'as given' if scale.origin == 'given' else scale.origin}"


class _Copy:
    """Items to standard output, remarks to standard error."""

    def __init__(self, stream: Stream, form: str, wish: Wish, sink: Sink, output: Output) -> None:
        self._stream = stream
        self._form = form
        self._wish = wish
        self._sink = sink
        self._output = output
        self._watch = Watch(stream.name, wish.baud)
        self._awaited = wish.protocol == "auto"  # what the stream is recognised as
        self._waiting_for: str | None = None
        self._printed = 0
        self._piece = b""  # what is being written
        self._writer = formats.make_writer(
            form, dating=stream.dating, scale=wish.scale, units=wish.units, colour=output.coloured
        )

    def run(self, stop: StopSignal) -> KitError | None:
        """To the end; what ended it, if that was no end as wished."""
        try:
            self._sink.write(self._writer.head())
            error = self._batches(stop)
            self._sink.write(self._writer.tail())
        except CannotWrite as failed:
            self._say(f"{self._printed + self._whole(failed.written):,} packets were written")
            return failed
        return error

    def _batches(self, stop: StopSignal) -> KitError | None:
        """All of them; the error of the source, behind which nothing comes."""
        batches = self._stream.batches()
        while True:
            try:
                items = next(batches, None)
            except KitError as error:
                return error
            if items is None:
                return None
            self._take(items)
            if stop.number:
                self._stream.stop()

    def _take(self, items: list[Item]) -> None:
        stream, tally = self._stream, self._stream.tally
        if items:
            self._tell_protocol(items)
            self._piece = self._writer.render(items)
            self._sink.write(self._piece)
            self._piece, self._printed = b"", tally.packets + tally.duplicates
        if stream.live:
            self._tell_waiting(stream.waiting_for)
            remark = None if tally.packets else self._watch.look(stream.now_us, stream.received)
            if remark and not stream.waiting_for:
                self._say(remark)

    def _tell_protocol(self, items: list[Item]) -> None:
        for item in items if self._awaited else ():
            if isinstance(item, Recognised):
                self._say(f"recognised {item.protocol.upper()}, {item.channels} channels")
                self._awaited = False

    def _tell_waiting(self, waiting_for: str | None) -> None:
        if waiting_for != self._waiting_for:
            self._say(f"waiting: {waiting_for}" if waiting_for else f"{self._stream.name!r} is there")
            self._waiting_for = waiting_for

    def _say(self, text: str) -> None:
        self._output.note(f"kit: {text}")

    def _whole(self, written: int) -> int:
        """How many packets the piece that was cut after so many bytes still brought."""
        reader = formats.make_reader(self._form, scale=self._wish.scale, protocol=self._wish.protocol)
        reader.feed(self._writer.head())
        spans = [*reader.feed(self._piece[:written]), *reader.finish()]
        return sum(len(span) for span, _ in spans if isinstance(span, Stretch))


def _judged(stream: Stream, wish: Wish) -> int:
    """The exit status of a capture that ended as wished; raises where it was none, or too much was lost."""
    error = complaint(stream.tally, stream.name, stream.received)
    if error:
        error.hint = _advice(stream, wish)
    elif wish.fail_above_percent is not None:
        error = too_much_lost(stream.tally, wish.fail_above_percent)
    if error:
        raise error
    return EXIT_DONE


def _advice(stream: Stream, wish: Wish) -> str | None:
    """What to try where no packet was found."""
    found = formats.sniff(stream.head)
    if found not in ("raw", "unknown"):
        return f"it looks like {found}: 'kit eeg stats' and 'kit eeg convert' read that"
    if stream.live:
        return wrong_speed(stream.name, wish.baud)
    return None if wish.protocol == "auto" else "--protocol auto finds out what the device speaks"
