"""pylsl, imported late and told first whom it may speak to: LSL reads its settings once.

The settings are those of liblsl's lsl_api.cfg. Discovery asks and answers on 127.0.0.1 alone; the session
stays LSL's usual one, as no program would find a stream in another, and it keeps nobody out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit.core.errors import Unavailable

_QUIET = """[log]
level = -2
"""
_THIS_MACHINE = (
    """[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
MachineAddresses = {127.0.0.1}
Interfaces = {127.0.0.1}
ListenAddress = 127.0.0.1
TTLOverride = 0
[lab]
SessionID = default
"""
    + _QUIET
)
_VARIABLE = "LSLAPICFG"
_USERS_OWN = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")
_HINT = "pip install 'kit[lsl]'"


def load(lan: bool) -> Any:
    """The module pylsl; raises Unavailable where it, or the library that it needs, is missing.

    On the network it is set as the user's own lsl_api.cfg says, if there is one.
    """
    if "pylsl" not in sys.modules and not (lan and _users_own()):
        with _settings(_QUIET if lan else _THIS_MACHINE):
            pylsl = _imported()
            pylsl.StreamInfo("kit", "EEG", 1, 1.0, "float32", "kit")  # makes LSL read them
            return pylsl
    return _imported()


def _imported() -> Any:
    try:
        import pylsl
    except ImportError:
        raise Unavailable("streaming takes pylsl, which is not installed", hint=_HINT) from None
    except RuntimeError as error:  # pylsl is there, its liblsl is not
        raise Unavailable(
            f"streaming takes liblsl: {str(error).splitlines()[0].strip()}", hint=_HINT
        ) from None
    return pylsl


def _users_own() -> bool:
    """Does the user tell LSL how to reach the others?"""
    return bool(os.environ.get(_VARIABLE)) or any(Path(path).expanduser().exists() for path in _USERS_OWN)


@contextmanager
def _settings(text: str) -> Iterator[None]:
    """A file of settings, private and gone afterwards, which LSL is pointed to meanwhile."""
    before = os.environ.get(_VARIABLE)
    # The variable may be left over from another user.
    own = os.environ.get("XDG_RUNTIME_DIR")
    place = own if own and os.access(own, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="kit-", dir=place) as directory:
        path = Path(directory, "lsl_api.cfg")
        path.write_text(text, encoding="ascii")
        os.environ[_VARIABLE] = str(path)
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
