"""A private key as it stands in its file, where `loader` cannot make DER of it and `decrypter` has to."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from kit.core.frozen import frozen


class Form(StrEnum):
    """How the key is encoded."""

    PEM = "PEM"
    DER = "DER"
    SSH = "OpenSSH"


@frozen
class Sealed:
    """What only a child may open; a view of memory that the loader wipes."""

    encoded: memoryview = field(repr=False)
    form: Form
