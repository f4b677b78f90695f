"""Reads private keys from files and leaves no copy behind in this process.

Measured with a memory scan: open().read() and load_pem_private_key leave 95 fragments of a PEM file in the
heap, some for as long as the process lives. So a file is read into an anonymous mapping, its base64 is
decoded in place, and the mapping is wiped. What `cryptography` has to decrypt or convert is decrypted in a
forked child that pipes PKCS#8 DER here and ends: its heap, passphrase included, ends with it.

Fork wants a process of one thread: this room is for commands and for the zygote, not for servers.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager

from kit.agent.passphrase import Nobody, Passphrases, source
from kit.agent.queue.format import KEY_BYTES, QUEUE
from kit.agent.sealed import Form, Sealed
from kit.core.errors import NotPermitted, Unavailable, UsageError
from kit.core.frozen import frozen

# A PEM file of RSA 8192 has 6,400 bytes; the rest is room for a chain of certificates beside the key.
_FILE_LIMIT = 128 * 1024
_SEQUENCE, _INTEGER = 0x30, 0x02
_NEWLINE = 0x0A
_QUEUE_HINT = "the file holds what 'queue encryption' in smtpd.conf says, e.g. of 'openssl rand -hex 16'"
_BASE64 = {c: i for i, c in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_PLAIN = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_CONVERTED = ("ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY")
_OTHER = {
    "KIT AGENT KEY": "it is a handle: its key is in an agent already",
    "CERTIFICATE": "it holds a certificate, but no private key",
    "PUBLIC KEY": "it holds a public key",
    "DSA PRIVATE KEY": "DSA keys are not supported",
}


class SecretBuffer:
    """Anonymous memory that no core dump shows, and that is wiped in place."""

    def __init__(self, room: int = _FILE_LIMIT) -> None:
        self.memory = mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.memory.madvise(mmap.MADV_DONTDUMP)
        self.size = 0

    def read_from(self, descriptor: int) -> None:
        """Everything up to the end of file; what does not fit is a UsageError."""
        while got := os.readv(descriptor, [memoryview(self.memory)[self.size :]]):
            self.size += got
            if self.size == len(self.memory):
                raise UsageError(f"it is larger than {self.size - 1} bytes")

    def wipe(self) -> None:
        """Overwrite everything; the mapping itself goes with its last view."""
        self.memory[:] = bytes(len(self.memory))
        self.size = 0


@frozen
class _Block:
    """A PEM block: the whole of it and its body, as offsets."""

    label: str
    begin: int
    body: int
    body_end: int
    end: int


@contextlib.contextmanager
def private_key(path: str, passphrases: Passphrases, note: Callable[[str], None]) -> Iterator[memoryview]:
    """The key in `path` as DER (PKCS#8, PKCS#1 or SEC 1), wiped at the end of the with block.

    Takes PEM of these three, encrypted or not, OpenSSH's format, and DER. `note` is told of a file that
    others can read.
    """
    with _der(path, passphrases, lambda secret: _read_file(secret, path, note)) as der:
        yield der


@contextlib.contextmanager
def queue_key(path: str, note: Callable[[str], None]) -> Iterator[memoryview]:
    """The key for queue files in `path`, as OpenSMTPD takes it: one line, whose octets are the key."""
    with _line(path, lambda secret: _read_file(secret, path, note)) as octets:
        yield octets


@contextlib.contextmanager
def key_from(descriptor: int, path: str, purposes: Collection[str]) -> Iterator[memoryview]:
    """A key for these purposes out of an open file, which somebody else opened and checked."""

    def read(secret: SecretBuffer) -> None:
        secret.read_from(descriptor)

    with _line(path, read) if QUEUE in purposes else _der(path, Nobody(), read) as key:
        yield key


@contextlib.contextmanager
def _der(path: str, passphrases: Passphrases, read: Callable[[SecretBuffer], None]) -> Iterator[memoryview]:
    secret = SecretBuffer()
    try:
        with _named(path):
            read(secret)
            if sealed := _to_der(secret):
                from kit.agent.decrypter import decrypted  # loads cryptography: not for every file

                with decrypted(sealed, path, passphrases) as descriptor:
                    secret.wipe()
                    secret.read_from(descriptor)
            _check_outer(secret)
        yield memoryview(secret.memory)[: secret.size]
    finally:
        secret.wipe()


@contextlib.contextmanager
def _line(path: str, read: Callable[[SecretBuffer], None]) -> Iterator[memoryview]:
    secret = SecretBuffer()
    try:
        with _named(path):
            read(secret)
            _check_line(secret)
        yield memoryview(secret.memory)[:KEY_BYTES]
    finally:
        secret.wipe()


def _check_line(secret: SecretBuffer) -> None:
    """One line of the right length, without a byte that no line of smtpd.conf could have."""
    memory, size = secret.memory, secret.size
    if size and memory[size - 1] == _NEWLINE:
        size -= 1
    if any(memory[at] in (0, _NEWLINE) for at in range(size)):
        raise UsageError("it is not one line", hint=_QUEUE_HINT)
    if size != KEY_BYTES:
        raise UsageError(f"its line has {size} bytes, where {KEY_BYTES} are a key", hint=_QUEUE_HINT)


def loader(
    passphrase_fd: int | None, note: Callable[[str], None], purposes: Collection[str] = ()
) -> Callable[[str], AbstractContextManager[memoryview]]:
    """How a command reads keys for these purposes: passphrases from its descriptor or the terminal."""
    if QUEUE in purposes:
        return lambda path: queue_key(path, note)
    passphrases = source(passphrase_fd)
    return lambda path: private_key(path, passphrases, note)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """A complaint about the file's content gets the file's name."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"no private key from {path!r}: {error}", hint=error.hint) from None


def _read_file(secret: SecretBuffer, path: str, note: Callable[[str], None]) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            _check_file(os.fstat(descriptor), path, note)
            secret.read_from(descriptor)
        finally:
            os.close(descriptor)
    except PermissionError:
        raise NotPermitted(f"no permission to read {path!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot read {path!r}: {(error.strerror or 'failed').lower()}") from None
    except ValueError:
        raise UsageError("the path holds a null character") from None


def _check_file(status: os.stat_result, path: str, note: Callable[[str], None]) -> None:
    mode = status.st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise UsageError("it is no regular file")
    if stat.S_ISREG(mode) and mode & 0o077:
        note(f"kit: note: others than you can read {path!r} (mode {stat.S_IMODE(mode):04o})")


def _to_der(secret: SecretBuffer) -> Sealed | None:
    """Make the memory hold DER, or say what of it a child has to decrypt or convert."""
    memory = secret.memory
    if secret.size > 2 and memory[0] == _SEQUENCE:
        # PKCS#8's EncryptedPrivateKeyInfo begins with an algorithm, the others with their version.
        encrypted = memory[_header(secret)] == _SEQUENCE
        return Sealed(memoryview(memory)[: secret.size], Form.DER) if encrypted else None
    block = _find_key(secret)
    encrypted = memory.find(b"Proc-Type:", block.body, block.body_end) >= 0
    if encrypted or block.label in _CONVERTED:
        form = Form.SSH if block.label == "OPENSSH PRIVATE KEY" else Form.PEM
        return Sealed(memoryview(memory)[block.begin : block.end], form)
    _decode_in_place(secret, block.body, block.body_end)
    return None


def _find_key(secret: SecretBuffer) -> _Block:
    """The first private key among the PEM blocks."""
    labels = []
    for block in _blocks(secret):
        if block.label in (*_PLAIN, *_CONVERTED):
            return block
        labels.append(block.label)
    raise UsageError(
        next((_OTHER[label] for label in labels if label in _OTHER), "it is neither PEM nor DER")
    )


def _blocks(secret: SecretBuffer) -> Iterator[_Block]:
    """Every PEM block, found without copying more than its label."""
    memory, size, at = secret.memory, secret.size, 0
    while (begin := memory.find(b"-----BEGIN ", at, size)) >= 0:
        body = memory.find(b"-----", begin + 11, min(size, begin + 64))
        if body < 0:
            return
        label = memory[begin + 11 : body]
        footer = b"-----END " + label + b"-----"
        end = memory.find(footer, body, size)
        if end < 0:
            raise UsageError(f"it has no end of {label.decode(errors='replace')!r}")
        at = end + len(footer)
        yield _Block(label.decode(errors="replace"), begin, body + 5, end, at)


def _decode_in_place(secret: SecretBuffer, start: int, end: int) -> None:
    """Decode base64 over its own memory: what is written never overtakes what is read."""
    memory = secret.memory
    out = bits = held = 0
    for at in range(start, end):
        character = memory[at]
        value = _BASE64.get(character)
        if value is not None:
            held, bits = (held << 6 | value) & 0xFFF, bits + 6
            if bits >= 8:
                bits -= 8
                memory[out], out = held >> bits & 0xFF, out + 1
        elif character not in b"=\r\n \t":
            raise UsageError("its base64 is damaged")
    memory[out : secret.size] = bytes(secret.size - out)
    secret.size = out


def _header(secret: SecretBuffer) -> int:
    """How long is the header of the outer DER value?"""
    first = secret.memory[1]
    return 2 + (first & 0x7F if first & 0x80 else 0)


def _check_outer(secret: SecretBuffer) -> None:
    """One SEQUENCE that begins with an INTEGER and ends where the data ends; the agent reads the rest."""
    header = _header(secret)
    length = int.from_bytes(secret.memory[2:header], "big") if header > 2 else secret.memory[1]
    inside = header <= 6 and header + length == secret.size and secret.memory[header] == _INTEGER
    if secret.memory[0] != _SEQUENCE or not inside:
        raise UsageError("what it holds is no private key")
