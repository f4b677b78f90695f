"""The formats of a capture, each with a writer and a reader that are given bytes and records. Pure.

raw        the bytes as they came
eegreader  the C tool's lines, and (reading only) eegreader-json, what it prints with -j
csv, tsv   a header and a line a packet
ndjson     an object a line, for every event
table      for a person
edf, bdf   files of samples, read here and written by `kit.eeg.recordings`; so is xdf
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from kit.core.errors import UsageError
from kit.eeg.dating import NOMINAL_RATE_HZ, Dating
from kit.eeg.formats.interface import Reader, Writer
from kit.eeg.formats.sniffing import sniff as sniff
from kit.eeg.scale import Scale

WRITTEN = ("eegreader", "csv", "tsv", "ndjson", "raw", "table")
RECORDED = ("edf", "bdf", "xdf")
READ = (*WRITTEN, "eegreader-json", *RECORDED)
_SEPARATORS = {"csv": ",", "tsv": "\t"}

Units = Literal["adc", "uv"]


def make_writer(
    name: str, *, dating: Dating, scale: Scale, units: Units = "adc", colour: bool = False
) -> Writer:
    """A writer of that format; `colour` is for a table on a terminal."""
    shown = scale if units == "uv" else None
    if name in _SEPARATORS:
        from kit.eeg.formats.separated import SeparatedWriter

        return SeparatedWriter(_SEPARATORS[name], dating, shown)
    if name == "ndjson":
        from kit.eeg.formats.ndjson import NdjsonWriter

        return NdjsonWriter(dating, scale, units_uv=units == "uv")
    if name == "table":
        from kit.eeg.formats.table import TableWriter

        return TableWriter(dating, shown, colour=colour)
    if name == "eegreader":
        from kit.eeg.formats.eegreader import EegreaderWriter

        return EegreaderWriter(dating)
    if name == "raw":
        from kit.eeg.formats.raw import RawWriter

        return RawWriter()
    raise UsageError(f"no format {name!r} to write", hint=f"formats: {', '.join(WRITTEN)}")


def make_reader(
    name: str,
    *,
    scale: Scale | None = None,
    protocol: str = "auto",
    rate_hz: Fraction = NOMINAL_RATE_HZ,
) -> Reader:
    """A reader of that format; `scale` is what microvolts mean in it, `protocol` what raw bytes are.

    `rate_hz` is the rate that files of samples have to have.
    """
    scale = scale or Scale()
    if name in _SEPARATORS:
        from kit.eeg.formats.separated_reader import SeparatedReader

        return SeparatedReader(_SEPARATORS[name], scale)
    if name == "ndjson":
        from kit.eeg.formats.ndjson_reader import NdjsonReader

        return NdjsonReader(scale)
    if name == "table":
        from kit.eeg.formats.table_reader import TableReader

        return TableReader(scale)
    if name == "eegreader":
        from kit.eeg.formats.eegreader_reader import EegreaderReader

        return EegreaderReader()
    if name == "eegreader-json":
        from kit.eeg.formats.eegreader_json import EegreaderJsonReader

        return EegreaderJsonReader()
    if name == "raw":
        from kit.eeg.formats.raw import RawReader

        return RawReader(protocol)
    if name in RECORDED:
        return _recording_reader(name, rate_hz)
    raise UsageError(f"no format {name!r} to read", hint=f"formats: {', '.join(READ)}")


def _recording_reader(name: str, rate_hz: Fraction) -> Reader:
    if name == "xdf":
        from kit.eeg.recordings.xdf_reader import XdfReader

        return XdfReader(rate_hz)
    from kit.eeg.recordings.edf_reader import EdfReader

    return EdfReader("edf" if name == "edf" else "bdf", rate_hz)
