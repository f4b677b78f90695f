"""What a recording says about itself, and how it is kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from kit.eeg.dating import NOMINAL_RATE_HZ
from kit.eeg.scale import Scale


@dataclass(frozen=True)
class Subject:
    """Who was recorded, as far as somebody wants that to be in the file; None is left out."""

    code: str | None = None
    sex: str | None = None
    birthdate: date | None = None
    name: str | None = None


@dataclass(frozen=True)
class Settings:
    """How a recording is made. `device` and `software` are for the header.

    `split_s`: after so long a new part begins. `raw`: the bytes and the times of their arrival are kept
    beside it. `force`: a file that is there is overwritten.
    """

    scale: Scale = field(default_factory=Scale)
    rate_hz: Fraction = NOMINAL_RATE_HZ
    start_us: int = 0
    form: str | None = None
    subject: Subject = field(default_factory=Subject)
    technician: str | None = None
    labels: tuple[str, ...] = ()
    device: str = ""
    software: str = "kit"
    split_s: float | None = None
    raw: bool = False
    force: bool = False
