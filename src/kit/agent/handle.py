"""The handle: a PEM file that stands where a key file stood, and names a key in the agent.

It holds nothing secret: who takes it learns the public key and where the agent answers.

    text                            one line for people, not read
    -----BEGIN KIT AGENT KEY-----   then base64, 64 columns, of
      string "kit-agent-key-v1"
      string SubjectPublicKeyInfo   DER
      string key name
      string socket path            "" is $KIT_AGENT_SOCK or the usual place, when the handle is used
    -----END KIT AGENT KEY-----
"""

from __future__ import annotations

import binascii

from kit.agent.encoding import Reader, string
from kit.agent.forms import pem
from kit.core.errors import ProtocolError, UsageError
from kit.core.frozen import frozen

LABEL = "KIT AGENT KEY"
_MAGIC = b"kit-agent-key-v1"
_BEGIN, _END = f"-----BEGIN {LABEL}-----", f"-----END {LABEL}-----"
# An RSA key of 8192 bits takes 1,060 bytes, a name 1,024, a path 107; the rest is room for larger keys.
_BODY_LIMIT = 16 * 1024


@frozen
class Handle:
    """Which key, and behind which socket."""

    spki: bytes
    key_name: str
    socket_path: str = ""


def encode(handle: Handle) -> str:
    """The handle as the text of a PEM file."""
    try:
        body = b"".join(
            [string(_MAGIC), string(handle.spki), string(handle.key_name), string(handle.socket_path)]
        )
    except UnicodeEncodeError:
        raise UsageError(f"the path {handle.socket_path!a} is not UTF-8, as a handle needs it") from None
    # The name is the user's: a line break in it would end the line, a dash could start a block.
    remark = f"Names the key {handle.key_name!a} in a kit agent; holds no secret."
    return f"{remark}\n{pem(LABEL, body)}"


def decode(text: bytes) -> Handle | None:
    """The first handle in the text, None where there is none; raises UsageError for a damaged one."""
    begin = _line_start(text, _BEGIN.encode(), 0)
    if begin < 0:
        return None
    start = begin + len(_BEGIN)
    end = _line_start(text, _END.encode(), start)
    if end < 0:
        raise _damaged(f"it has no line {_END!r}")
    if end - start > _BODY_LIMIT:
        raise _damaged(f"it is longer than {_BODY_LIMIT} bytes")
    return _fields(_base64(text[start:end]))


def _line_start(text: bytes, marker: bytes, at: int) -> int:
    """Where a line begins with `marker` and holds nothing else; -1 for nowhere."""
    while (found := text.find(marker, at)) >= 0:
        after = text[found + len(marker) : found + len(marker) + 2]
        starts = found == 0 or text[found - 1 : found] == b"\n"
        if starts and (not after or after[:1] == b"\n" or after == b"\r\n"):
            return found
        at = found + len(marker)
    return -1


def _base64(body: bytes) -> bytes:
    joined = b"".join(line.rstrip(b"\r") for line in body.split(b"\n"))
    try:
        return binascii.a2b_base64(joined, strict_mode=True)
    except binascii.Error as error:
        raise _damaged(f"its base64 is wrong: {str(error).lower()}") from None


def _fields(body: bytes) -> Handle:
    try:
        reader = Reader(body)
        if reader.string() != _MAGIC:
            raise _damaged(f"it does not begin with {_MAGIC.decode()!r}")
        handle = Handle(bytes(reader.string()), reader.text(limit=1024), reader.text(limit=4096))
        reader.end()
    except ProtocolError as error:
        raise _damaged(str(error)) from None
    if not handle.spki:
        raise _damaged("it names no key")
    return handle


def _damaged(why: str) -> UsageError:
    return UsageError(
        f"the agent key handle is damaged: {why}", hint="write a new one with 'kit agent handle'"
    )
