"""From a format's name to what makes its files, and the names of these. Pure."""

from __future__ import annotations

from pathlib import Path

from kit.core.errors import UsageError
from kit.eeg.recordings.lines_encoder import LinesEncoder
from kit.eeg.recordings.pieces import Encoder
from kit.eeg.recordings.settings import Settings

FORMATS = ("edf", "bdf", "xdf", "csv", "tsv", "ndjson", "eegreader", "raw")
SUFFIXES = {
    **dict.fromkeys((".raw", ".bin", ".p2", ".p3"), "raw"),
    **dict.fromkeys((".txt", ".eeg", ".log"), "eegreader"),
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
    ".csv": "csv",
    ".tsv": "tsv",
    ".edf": "edf",
    ".bdf": "bdf",
    ".xdf": "xdf",
}


def form_of(path: Path) -> str:
    """The format that a name's suffix says; raises UsageError."""
    found = SUFFIXES.get(path.suffix.lower())
    if not found:
        raise UsageError(
            f"nothing says which format {str(path)!r} is to have",
            hint="give it a suffix: .edf, .bdf, .xdf, .csv, .raw",
        )
    return found


def part(path: Path, number: int) -> Path:
    """The name of a part: name.edf, name-002.edf, …"""
    return path if number == 1 else path.with_name(f"{path.stem}-{number:03}{path.suffix}")


def make_encoder(form: str, settings: Settings) -> Encoder:
    """What turns items into files of that format."""
    if form in ("edf", "bdf"):
        from kit.eeg.recordings.edf_encoder import EdfEncoder

        return EdfEncoder("edf" if form == "edf" else "bdf", settings)
    if form == "xdf":
        from kit.eeg.recordings.xdf_encoder import XdfEncoder

        return XdfEncoder(settings)
    return LinesEncoder(form, settings)
