"""OpenEEG capture: packets from a serial line, what was lost and why.

    from kit import eeg

    with eeg.open("/dev/ttyUSB0") as stream:
        for item in stream:
            if isinstance(item, eeg.Run):
                for packet in item.stretch.packets():
                    print(packet.counter, *packet.channels)
            elif isinstance(item, eeg.Lost):
                print("lost:", item.count)
    print(f"{stream.tally.packets} packets, {stream.tally.loss_percent:.2f} % lost")

`open` reads a device, a URL, a file or a simulated device (`sim:`) and gives a `Stream`. Iterate it for items
(`Run`, `Lost`, `Skipped` …, the records of a capture, `Ended` the last), or its `packets()` for each `Packet`
in a `Sample` with its times, or its `events()`; or have functions called with `on_cross`, `on_blink` and so
on, and `run()` it. kit-eeg(3) explains that. `Capture` is the same walk without a descriptor: it is fed
`Chunk`s of bytes. `make_writer` and `make_reader` know the formats, `Scale` microvolts, `list_ports` the
serial ports.

Channels are counts of the converter (0 to 1023), times are integer microseconds. What goes wrong is a
`kit.core.errors.KitError`, whose `hint` says what may help.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.eeg.capture import Capture as Capture
    from kit.eeg.dating import Dating as Dating
    from kit.eeg.formats import make_reader as make_reader
    from kit.eeg.formats import make_writer as make_writer
    from kit.eeg.reading import Sample as Sample
    from kit.eeg.reading import Stream as Stream
    from kit.eeg.reading import open as open
    from kit.eeg.records import Chunk as Chunk
    from kit.eeg.records import Duplicate as Duplicate
    from kit.eeg.records import Ended as Ended
    from kit.eeg.records import Gone as Gone
    from kit.eeg.records import Interrupted as Interrupted
    from kit.eeg.records import Lost as Lost
    from kit.eeg.records import Packet as Packet
    from kit.eeg.records import Recognised as Recognised
    from kit.eeg.records import Reordered as Reordered
    from kit.eeg.records import Restarted as Restarted
    from kit.eeg.records import Run as Run
    from kit.eeg.records import Skipped as Skipped
    from kit.eeg.records import Stretch as Stretch
    from kit.eeg.records import Times as Times
    from kit.eeg.scale import Scale as Scale
    from kit.eeg.signals import ButtonChange as ButtonChange
    from kit.eeg.signals import Gap as Gap
    from kit.eeg.sources.ports import Port as Port
    from kit.eeg.sources.ports import list_ports as list_ports
    from kit.eeg.tally import Tally as Tally
    from kit.eeg.watching.events import ArtefactChange as ArtefactChange
    from kit.eeg.watching.events import BaselineTaken as BaselineTaken
    from kit.eeg.watching.events import Blinked as Blinked
    from kit.eeg.watching.events import Crossing as Crossing
    from kit.eeg.watching.events import Returned as Returned
    from kit.eeg.watching.events import Value as Value

# Imported when they are asked for: who decodes bytes needs no serial port, and who lists ports no decoder.
_WHERE = {
    "ArtefactChange": "kit.eeg.watching.events",
    "BaselineTaken": "kit.eeg.watching.events",
    "Blinked": "kit.eeg.watching.events",
    "ButtonChange": "kit.eeg.signals",
    "Capture": "kit.eeg.capture",
    "Chunk": "kit.eeg.records",
    "Crossing": "kit.eeg.watching.events",
    "Dating": "kit.eeg.dating",
    "Duplicate": "kit.eeg.records",
    "Ended": "kit.eeg.records",
    "Gap": "kit.eeg.signals",
    "Gone": "kit.eeg.records",
    "Interrupted": "kit.eeg.records",
    "Lost": "kit.eeg.records",
    "Packet": "kit.eeg.records",
    "Port": "kit.eeg.sources.ports",
    "Recognised": "kit.eeg.records",
    "Reordered": "kit.eeg.records",
    "Restarted": "kit.eeg.records",
    "Returned": "kit.eeg.watching.events",
    "Run": "kit.eeg.records",
    "Sample": "kit.eeg.reading",
    "Scale": "kit.eeg.scale",
    "Skipped": "kit.eeg.records",
    "Stream": "kit.eeg.reading",
    "Stretch": "kit.eeg.records",
    "Tally": "kit.eeg.tally",
    "Times": "kit.eeg.records",
    "Value": "kit.eeg.watching.events",
    "list_ports": "kit.eeg.sources.ports",
    "make_reader": "kit.eeg.formats",
    "make_writer": "kit.eeg.formats",
    "open": "kit.eeg.reading",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
