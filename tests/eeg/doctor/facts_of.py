"""Facts of a watch in which nothing is wrong; tests change what they are about."""

from __future__ import annotations

from kit.eeg.doctor.facts import Counters, Facts, Line, Seen

LINE = Line(
    name="/dev/ttyUSB0",
    kind="port",
    tty="ttyUSB0",
    product="FT232R USB UART",
    driver="ftdi_sio",
    asked_baud=57600,
    baud=57600,
    latency_before_ms=1,
    latency_ms=1,
    low_latency=True,
)
COUNTERS = Counters(43_520, 0, 0, 0, 0, 0)
SEEN = Seen(
    asked_protocol="auto",
    protocol="p2",
    identity=None,
    ended="duration",
    gone=None,
    duration_s=10.0,
    bytes=43_520,
    reads=2500,
    largest_read=34,
    packets=2560,
    packet_size=17,
    lost=0,
    lost_low=0,
    lost_high=0,
    skipped=0,
    skipped_at_first=0,
    looks=(),
    duplicates=0,
    restarts=0,
    pauses=(),
    worst_late_us=300,
)
FACTS = Facts(LINE, COUNTERS, 0, SEEN)
