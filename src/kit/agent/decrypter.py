"""A forked child that decrypts or converts one private key for `loader`, pipes PKCS#8 DER back, and ends.

Whatever it touches, the passphrase included, is gone with its memory. On the pipe: b"K" and the DER, or
b"E" and a JSON list of the error's kind, message and hint, or b"I" for an interrupt.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from kit.agent.passphrase import Passphrases, wipe
from kit.agent.sealed import Form, Sealed
from kit.core.errors import KitError, NegativeAnswer, Unavailable, UsageError
from kit.core.waiting import await_readable

_ENDING = (signal.SIGINT, signal.SIGTERM)
_KEY, _ERROR, _INTERRUPTED = b"K", b"E", b"I"
_ERRORS: dict[str, type[KitError]] = {kind.__name__: kind for kind in (NegativeAnswer, UsageError)}


_LOADERS: dict[Form, Callable[[memoryview, bytes | None], PrivateKeyTypes]] = {
    Form.PEM: serialization.load_pem_private_key,
    Form.DER: serialization.load_der_private_key,
    Form.SSH: serialization.load_ssh_private_key,
}


# `cryptography` reads no more than the seed, and says no more than that it cannot read.
_NOT_READ = (
    "if it is right, the key inside is of a form that is not known; for ML-DSA, write the seed alone: "
    "openssl pkey -provparam ml-dsa.output_formats=seed-only"
)
_HINTS = {Form.SSH: "install kit[ssh], or add the key with ssh-add"}


@contextlib.contextmanager
def decrypted(sealed: Sealed, path: str, passphrases: Passphrases) -> Iterator[int]:
    """A descriptor with the PKCS#8 DER of the sealed key, whose memory may be wiped once inside."""
    reading, writing = os.pipe()
    # A signal between fork and try would leave the child at its prompt, and the terminal without echo.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    child = os.fork()
    if not child:
        _run_child(writing, lambda: _convert(sealed, path, passphrases))
    try:
        os.close(writing)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        await_readable(reading)
        _check(os.read(reading, 1), reading)
        yield reading
    except BaseException:
        os.kill(child, signal.SIGTERM)  # which the zygote may send
        raise
    finally:
        os.close(reading)
        os.waitpid(child, 0)


def _check(verdict: bytes, reading: int) -> None:
    if verdict == _KEY:
        return
    if verdict == _INTERRUPTED:
        raise KeyboardInterrupt
    if not verdict:
        raise Unavailable("the process that opens private keys ended without an answer")
    with os.fdopen(os.dup(reading), encoding="utf-8") as text:
        kind, message, hint = json.load(text)
    raise _ERRORS[kind](message, hint=hint)


def _run_child(writing: int, convert: Callable[[], bytes]) -> NoReturn:
    """Never returns into the parent's stack, nor runs what the parent registered for its exit."""
    try:
        for number in _ENDING:
            signal.signal(number, _interrupt_once)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        _write_all(writing, _answer(convert))
    except BrokenPipeError:
        pass  # the parent needs no answer any more
    except BaseException:  # noqa: BLE001  the child must end here, whatever it met
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _interrupt_once(_number: int, _frame: object) -> NoReturn:
    """A second Ctrl-C must not cut off the first one's tidying up: the terminal's echo has to come back."""
    for number in _ENDING:
        signal.signal(number, _disregard)
    raise KeyboardInterrupt


def _disregard(_number: int, _frame: object) -> None:
    """Not SIG_IGN: of a signal that came just before, Python would then print that it met a race."""


def _answer(convert: Callable[[], bytes]) -> bytes:
    try:
        return _KEY + convert()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (NegativeAnswer, UsageError) as error:
        kind = "UsageError" if isinstance(error, UsageError) else "NegativeAnswer"
        return _ERROR + json.dumps([kind, str(error), error.hint]).encode()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _convert(sealed: Sealed, path: str, passphrases: Passphrases) -> bytes:
    key = _open(sealed, path, passphrases)
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _open(sealed: Sealed, path: str, passphrases: Passphrases) -> PrivateKeyTypes:
    try:
        return _LOADERS[sealed.form](sealed.encoded, None)
    except TypeError:
        pass  # encrypted, and otherwise well-formed: worth asking for the passphrase
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"its {sealed.form} form cannot be read") from error
    hint = None
    for _ in range(passphrases.tries):
        passphrase = passphrases.ask(f"passphrase for {path!r}")
        try:
            return _LOADERS[sealed.form](sealed.encoded, bytes(passphrase))
        except UnsupportedAlgorithm as error:
            raise UsageError(
                f"its encryption is not supported: {error}", hint=_HINTS.get(sealed.form)
            ) from error
        except (ValueError, TypeError) as error:  # TypeError: no passphrase at all was typed
            # Wrong passphrases say so, but for one in 256, whose garbage looks decrypted.
            hint = None if "password" in str(error).lower() else _NOT_READ
        finally:
            wipe(passphrase)
    raise NegativeAnswer(f"the passphrase does not open {path!r}", hint=hint)
