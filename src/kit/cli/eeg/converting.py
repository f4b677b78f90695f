"""kit eeg convert: joins two files and a conversion, and tells standard error what came of it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kit.cli.eeg.reading import scale_remark
from kit.cli.eeg.sink import standard_output
from kit.cli.endings import ended_by_sigterm
from kit.cli.files import is_special, result_file
from kit.core.errors import NotPermitted, Unavailable, UsageError
from kit.core.output import Output
from kit.core.waiting import await_readable
from kit.eeg.conversion import Conversion, Converted
from kit.eeg.conversion import convert as convert_pieces
from kit.eeg.dating import Dating
from kit.eeg.formats import RECORDED, Units
from kit.eeg.recordings.making import SUFFIXES
from kit.eeg.recordings.parts import Parts
from kit.eeg.scale import Scale
from kit.eeg.summary import summary, totals

_STANDARD = "-"
_PIECE = 256 * 1024


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    source: str
    target: str
    source_format: str | None
    target_format: str | None
    units: Units
    scale: Scale
    protocol: str
    rate_hz: Fraction
    start_us: int


def convert_eeg(wish: Wish, *, as_json: bool) -> None:
    """Convert, and say on standard error what it was: standard output may be where the result goes."""
    conversion = Conversion(
        source=wish.source_format,
        target=_target_format(wish),
        protocol=wish.protocol,
        dating=Dating(wish.start_us, wish.rate_hz),
        scale=wish.scale,
        units=wish.units,
        presumed=SUFFIXES.get(Path(wish.source).suffix.lower()),
    )
    with ended_by_sigterm(), _opened(wish.source) as descriptor:
        _keep_apart(descriptor, wish)
        with _target(wish.target, conversion) as target:
            done = convert_pieces(conversion, wish.source, _pieces(descriptor, wish.source), target)
    _tell(done, wish, as_json=as_json)


def _target_format(wish: Wish) -> str:
    found = wish.target_format or SUFFIXES.get(Path(wish.target).suffix.lower())
    if not found:
        raise UsageError(
            f"nothing says which format {wish.target!r} is to have",
            hint="say --to FORMAT, or give it a suffix like .csv",
        )
    return found


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """The file's descriptor."""
    if path == _STANDARD:
        if sys.stdin is None:
            raise Unavailable("standard input is closed")
        yield sys.stdin.fileno()
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise NotPermitted(f"no permission to read {path!r}") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pieces(descriptor: int, path: str) -> Iterator[bytes]:
    while True:
        await_readable(descriptor)
        try:
            piece = os.read(descriptor, _PIECE)
        except OSError as error:
            raise _unreadable(path, error) from None
        if not piece:
            return
        yield piece


def _unreadable(path: str, error: OSError) -> Unavailable:
    return Unavailable(f"cannot read {path!r}: {(error.strerror or 'failed').lower()}")


def _keep_apart(descriptor: int, wish: Wish) -> None:
    """Who converts a file into itself wants something else, and would have lost the original."""
    source = os.fstat(descriptor)
    try:
        target = os.fstat(1) if wish.target == _STANDARD else os.stat(wish.target)  # noqa: PTH116 - as fstat
    except OSError:
        return
    if stat.S_ISREG(source.st_mode) and os.path.samestat(source, target):
        raise UsageError(f"{wish.source!r} and {wish.target!r} are the same file")


@contextmanager
def _target(path: str, conversion: Conversion) -> Iterator[Callable[[bytes], object] | Parts]:
    if conversion.target in RECORDED:
        if path == _STANDARD or is_special(Path(path)):
            raise UsageError(f"{conversion.target} is written into a file, not into a pipe or a device")
        with ExitStack() as files:
            yield Parts(path, conversion, lambda name: files.enter_context(result_file(name)))
        return
    if path == _STANDARD:
        yield standard_output().write
        return
    with result_file(path) as file:
        yield file.write


def _tell(done: Converted, wish: Wish, *, as_json: bool) -> None:
    if as_json:
        Output(stdout=sys.stderr).record(_record(done))
        return
    remarks = [*summary(done.tally), *_left_out(done)]
    if wish.units == "uv":
        remarks.append(scale_remark(done.scale))
    for remark in remarks:
        Output().note(f"kit: {remark}")


def _record(done: Converted) -> dict[str, object]:
    return {
        "from": done.source,
        "to": done.target,
        **totals(done.tally),
        "times_left_out": done.times_left_out,
        "skipped_left_out": done.skipped_left_out,
        "marks_left_out": done.marks_left_out,
    }


def _left_out(done: Converted) -> Iterator[str]:
    if done.times_left_out:
        yield "raw bytes carry no times: those of the packets are left out"
    if done.target in RECORDED and done.tally.skipped:
        yield f"{done.tally.skipped:,} skipped bytes are left out: {done.target} has no place for them"
    if done.marks_left_out:
        yield f"{done.marks_left_out:,} marks are left out: {done.target} has no place for them"
    if done.skipped_left_out:
        yield f"{done.skipped_left_out:,} skipped bytes are left out: {done.source} tells only how many"
