"""What an encoder makes of a capture: its files, as a disk would have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from kit.eeg.batch import Mark
from kit.eeg.capture import Capture
from kit.eeg.dating import Dating
from kit.eeg.recordings.making import make_encoder
from kit.eeg.recordings.pieces import Begin, Encoder, Output, Piece
from kit.eeg.recordings.settings import Settings
from kit.eeg.records import Chunk, Item, Times
from kit.eeg.signals import Signals
from tests.eeg.lines import packet

START_US = 1_622_034_547_374_070


def files(outputs: Iterable[Output]) -> list[bytes]:
    """The files, each as it is at its end."""
    found: list[bytearray] = []
    for output in outputs:
        if isinstance(output, Begin):
            found.append(bytearray(output.head))
            continue
        found[-1] += output.data
        if output.patch:
            at, data = output.patch
            found[-1][at : at + len(data)] = data
    return [bytes(file) for file in found]


def encoded(
    form: str, batches: Iterable[Sequence[Item]], settings: Settings | None = None, notes: Sequence[Mark] = ()
) -> list[Output]:
    """What the encoder gives for these batches."""
    settings = settings or Settings()
    encoder = make_encoder(form, settings)
    return [*_fed(encoder, batches, Dating(settings.start_us, settings.rate_hz), notes)]


def _fed(
    encoder: Encoder, batches: Iterable[Sequence[Item]], dating: Dating, notes: Sequence[Mark]
) -> Iterable[Output]:
    signals = Signals(dating)
    for items in batches:
        yield from encoder.take(items, signals.take(items), notes)
        notes = ()
    yield from encoder.finish()


def recorded(form: str, data: bytes, settings: Settings | None = None, pieces: int = 1) -> list[bytes]:
    """The files of a capture of these bytes, which are fed in so many pieces."""
    capture = Capture("auto")
    size = max(1, -(-len(data) // pieces))
    batches = [capture.feed(Chunk(data[at : at + size])) for at in range(0, len(data), size)]
    return files(encoded(form, [*batches, capture.end("end")], settings))


def sent(numbers: Iterable[int]) -> bytes:
    """The bytes of P2 packets with these numbers."""
    return b"".join(packet(number, number % 256) for number in numbers)


def pieces_of(outputs: Iterable[Output]) -> list[Piece]:
    return [output for output in outputs if isinstance(output, Piece)]


def at_rate(sequence: int, count: int, rate_hz: Fraction = Fraction(256)) -> Times:
    """The times of packets that came in time."""
    walls = Dating(START_US, rate_hz).walls_us(sequence, count)
    return Times(walls, [at - START_US for at in walls], walls)
