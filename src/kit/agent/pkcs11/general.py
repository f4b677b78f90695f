"""The calls about the library, its one slot and token, and sessions: nothing here asks the agent.

Slot and token are there whatever the agent does. A client looks for them once, when it starts, and never
again.
"""

from __future__ import annotations

from kit.agent.pkcs11 import mechanisms, values
from kit.agent.pkcs11.codes import UNAVAILABLE_INFORMATION, CallError, Code
from kit.agent.pkcs11.mechanisms import MECHANISMS, OLD_CLIENTS
from kit.agent.pkcs11.sessions import Application
from kit.agent.pkcs11.values import Arguments, number, numbers, text

TOKEN_LABEL = "kit agent"
_MANUFACTURER = "kit"
_SLOT = 1
# p11-kit's name of the protocol, as old as gnome-keyring.
_HANDSHAKE = b"PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1"
_CRYPTOKI, _VERSION = bytes([2, 40]), bytes([0, 1])
_TOKEN_PRESENT = 0x1
# Write protected and initialised. Without "login required" (0x4) no client asks its user for a PIN.
_TOKEN_FLAGS = 0x2 | 0x400
_PIN_MAX = 255
_NO_LIMIT = 0
_SERIAL_SESSION, _RW_SESSION = 0x4, 0x2
_DONT_BLOCK = 0x1
_SECURITY_OFFICER, _USER = 0, 1
# p11-kit 0.25 and newer say 1 or more.
_OLD_VERSION = 0


def initialize(application: Application, arguments: Arguments) -> bytes:
    handshake = arguments.octets()
    arguments.byte()
    arguments.octets()
    arguments.end()
    if handshake != _HANDSHAKE:
        raise CallError(Code.GENERAL_ERROR)
    if application.initialized:
        raise CallError(Code.CRYPTOKI_ALREADY_INITIALIZED)
    application.initialized = True
    return b""


def finalize(application: Application, arguments: Arguments) -> bytes:
    arguments.end()
    application.close_all()
    application.initialized = False
    return b""


def get_info(_application: Application, arguments: Arguments) -> bytes:
    arguments.end()
    description = text("kit agent by p11-kit's protocol", 32)
    return b"".join([_CRYPTOKI, text(_MANUFACTURER, 32), number(0), description, _VERSION])


def get_slot_list(_application: Application, arguments: Arguments) -> bytes:
    arguments.byte()  # only slots with a token? The one has its token always
    room = arguments.count()
    arguments.end()
    return values.numbers_into((_SLOT,), room)


def get_slot_info(_application: Application, arguments: Arguments) -> bytes:
    _end_slot(arguments)
    return text(TOKEN_LABEL, 64) + text(_MANUFACTURER, 32) + number(_TOKEN_PRESENT) + 2 * _VERSION


def get_token_info(application: Application, arguments: Arguments) -> bytes:
    _end_slot(arguments)
    opened = len(application.sessions)
    written = sum(session.read_write for session in application.sessions.values())
    counts = numbers(
        *(_TOKEN_FLAGS, _NO_LIMIT, opened, _NO_LIMIT, written, _PIN_MAX, 0),
        *(UNAVAILABLE_INFORMATION,) * 4,  # public and private memory: 0 would be none left
    )
    names = [text(TOKEN_LABEL, 32), text(_MANUFACTURER, 32), text("sign-only", 16), text("1", 16)]
    return b"".join([*names, counts, 2 * _VERSION, text("", 16)])


def get_mechanism_list(application: Application, arguments: Arguments) -> bytes:
    _check_slot(arguments.number())
    room = arguments.count()
    arguments.end()
    listed = OLD_CLIENTS if application.version == _OLD_VERSION else tuple(MECHANISMS)
    return values.numbers_into(listed, room)


def get_mechanism_info(_application: Application, arguments: Arguments) -> bytes:
    slot, mechanism = arguments.number(), arguments.number()
    arguments.end()
    _check_slot(slot)
    return numbers(*mechanisms.information(mechanism))


def wait_for_slot_event(_application: Application, arguments: Arguments) -> bytes:
    """Nothing ever happens to the slot, and to wait for it would hold up all threads of the client."""
    flags = arguments.number()
    arguments.end()
    raise CallError(Code.NO_EVENT if flags & _DONT_BLOCK else Code.FUNCTION_NOT_SUPPORTED)


def open_session(application: Application, arguments: Arguments) -> bytes:
    """Read-write ones, too, although nothing can be written: OpenSSH opens no others."""
    slot, flags = arguments.number(), arguments.number()
    arguments.end()
    _check_slot(slot)
    if not flags & _SERIAL_SESSION:
        raise CallError(Code.SESSION_PARALLEL_NOT_SUPPORTED)
    return number(application.open(bool(flags & _RW_SESSION)))


def close_session(application: Application, arguments: Arguments) -> bytes:
    handle = arguments.number()
    arguments.end()
    application.close(handle)
    return b""


def close_all_sessions(application: Application, arguments: Arguments) -> bytes:
    _end_slot(arguments)
    application.close_all()
    return b""


def get_session_info(application: Application, arguments: Arguments) -> bytes:
    handle = arguments.number()
    arguments.end()
    read_write = application.session(handle).read_write
    state = 2 * read_write + application.logged_in  # CKS_RO_PUBLIC, …RO_USER, …RW_PUBLIC, …RW_USER
    return numbers(_SLOT, state, _SERIAL_SESSION | (_RW_SESSION if read_write else 0), 0)


def login(application: Application, arguments: Arguments) -> bytes:
    """Any PIN is right, and none is kept: who may connect may ask, and the agent knows whom it answers."""
    handle, user = arguments.number(), arguments.number()
    arguments.octets()
    arguments.end()
    application.session(handle)
    if user == _SECURITY_OFFICER:
        raise CallError(Code.USER_TYPE_INVALID)
    if user == _USER:
        if application.logged_in:
            raise CallError(Code.USER_ALREADY_LOGGED_IN)
        application.logged_in = True
    return b""


def logout(application: Application, arguments: Arguments) -> bytes:
    handle = arguments.number()
    arguments.end()
    application.session(handle)
    if not application.logged_in:
        raise CallError(Code.USER_NOT_LOGGED_IN)
    application.logged_in = False
    return b""


def seed_random(application: Application, arguments: Arguments) -> bytes:
    handle = arguments.number()
    arguments.octets()
    arguments.end()
    application.session(handle)
    raise CallError(Code.RANDOM_SEED_NOT_SUPPORTED)


def generate_random(application: Application, arguments: Arguments) -> bytes:
    """pkcs11-provider asks when it is loaded, and goes on without."""
    handle = arguments.number()
    arguments.count()
    arguments.end()
    application.session(handle)
    raise CallError(Code.RANDOM_NO_RNG)


def _end_slot(arguments: Arguments) -> None:
    slot = arguments.number()
    arguments.end()
    _check_slot(slot)


def _check_slot(slot: int) -> None:
    if slot != _SLOT:
        raise CallError(Code.SLOT_ID_INVALID)
