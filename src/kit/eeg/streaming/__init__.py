"""A capture on the lab streaming layer (LSL): its packets as a stream of type EEG, its events as Markers.

`make_outlet` gives the sink. LSL has neither authentication nor encryption, so what is not asked to be open
to the network is closed to it twice: LSL is told to look at this machine alone (`library`), and the ports
that it binds on every address all the same are bound to the loopback device (`reach`). `stamps` says when a
packet was sampled on LSL's clock, `markers` what is told beside the signal, `description` what a stream says
of itself; these are pure. Only `library` imports pylsl, which is the extra `kit[lsl]`.
"""

from __future__ import annotations

from kit.eeg.streaming.opening import Opened as Opened
from kit.eeg.streaming.opening import OutletWish as OutletWish
from kit.eeg.streaming.outlet import Outlet as Outlet
from kit.eeg.streaming.outlet import make_outlet as make_outlet
