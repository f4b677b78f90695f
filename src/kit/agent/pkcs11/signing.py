"""The calls that sign: what a program's handshakes cost, so they do no more than they must.

A question for the signature's length, and a room that is too small, leave the operation as it is. Whatever
else comes of it ends it.
"""

from __future__ import annotations

from functools import partial

from kit.agent.extension import Sign, Signature, SignDigest
from kit.agent.pkcs11 import mechanisms
from kit.agent.pkcs11.codes import CallError, Code
from kit.agent.pkcs11.objects import Key
from kit.agent.pkcs11.questions import Question, Reply, expect
from kit.agent.pkcs11.sessions import KEPT_LIMIT, Application, Operation, Session
from kit.agent.pkcs11.values import Arguments, octets_into, octets_length
from kit.agent.schemes import KeyType
from kit.core.errors import ProtocolError

_SIGN_OPERATION = 0x800  # CKF_SIGN


def sign_init(application: Application, arguments: Arguments) -> bytes:
    """Which content a key may sign, the agent says when it is there, and keeps account of what it refuses."""
    session = application.session(arguments.number())
    wanted = mechanisms.read(arguments)
    handle = arguments.number()
    arguments.end()
    if wanted is None:
        session.operation = None
        return b""
    if session.operation is not None:
        raise CallError(Code.OPERATION_ACTIVE)
    key = application.token.signing_key(handle)
    session.operation = Operation(key, mechanisms.means(*wanted, key.key_type))
    return b""


def sign(application: Application, arguments: Arguments) -> bytes | Question:
    session = application.session(arguments.number())
    data, room = arguments.octets(), arguments.count()
    arguments.end()
    operation = _active(session)
    size = operation.key.signature_size
    if room < size:
        return octets_length(size)
    session.operation = None
    if operation.in_parts:  # PKCS#11 2.40, section 5.11: such an operation ends with C_SignFinal
        raise CallError(Code.OPERATION_ACTIVE)
    return _asked(operation.request_for(data), operation.key)


def sign_update(application: Application, arguments: Arguments) -> bytes:
    session = application.session(arguments.number())
    part = arguments.octets()
    arguments.end()
    operation = _active(session)
    try:
        if application.kept() + len(part) > KEPT_LIMIT:
            raise CallError(Code.HOST_MEMORY)
        operation.update(part)
    except CallError:
        session.operation = None
        raise
    return b""


def sign_final(application: Application, arguments: Arguments) -> bytes | Question:
    session = application.session(arguments.number())
    room = arguments.count()
    arguments.end()
    operation = _active(session)
    size = operation.key.signature_size
    if room < size:
        return octets_length(size)
    session.operation = None
    return _asked(operation.request(), operation.key)


def session_cancel(application: Application, arguments: Arguments) -> bytes:
    session, flags = application.session(arguments.number()), arguments.number()
    arguments.end()
    if flags & _SIGN_OPERATION:
        session.operation = None
    return b""


def _active(session: Session) -> Operation:
    if session.operation is None:
        raise CallError(Code.OPERATION_NOT_INITIALIZED)
    return session.operation


def _asked(request: Sign | SignDigest, key: Key) -> Question:
    return Question(request, partial(_signed, key))


def _signed(key: Key, reply: Reply) -> bytes:
    signature = expect(Signature, reply).signature
    if key.key_type is KeyType.EC:
        signature = _side_by_side(signature, key.signature_size // 2)
    return octets_into(signature, key.signature_size)


def _side_by_side(signature: bytes, size: int) -> bytes:
    """ECDSA's r and s, each as wide as the curve, out of the DER that TLS has (RFC 3279, section 2.2.3).

    The agent's library made this DER: a SEQUENCE of two INTEGERs, its length in one byte, in two for P-521.
    A strict reader would take a quarter of the time that the whole call takes.
    """
    try:
        first = 2 if signature[1] < 0x80 else 3
        second = first + 2 + signature[first + 1]
        r, s = signature[first + 2 : second], signature[second + 2 :]
    except IndexError:
        raise ProtocolError("an ECDSA signature that is none") from None
    return r[-size:].rjust(size, b"\x00") + s[-size:].rjust(size, b"\x00")
