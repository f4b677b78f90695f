"""Root's privileges, one by one: dropped, and looked at again whether they are gone; capabilities(7)."""

from __future__ import annotations

import ctypes
import errno

from kit.core.frozen import frozen
from kit.core.sandbox import linux
from kit.core.sandbox.linux import Kernel, prctl

DAC_READ_SEARCH = 2
_VERSION_3 = 0x20080522
_HIGHEST = 63


@frozen
class Held:
    """Capabilities as bits."""

    effective: int
    permitted: int
    inheritable: int
    bounding: int


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int))


# Effective, permitted, inheritable: the lower 32 bits of each, then the upper ones.
_Data = ctypes.c_uint32 * 6


def held(kernel: Kernel) -> Held:
    """What this process has."""
    data = _Data()
    kernel("capget", ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(data))
    effective, permitted, inheritable = (data[index] | data[index + 3] << 32 for index in range(3))
    return Held(effective, permitted, inheritable, _bounding(kernel))


def keep(kernel: Kernel, capabilities: int) -> None:
    """Give up all others for good, as far as this process is concerned; its children get none of them."""
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    data = _Data(low, low, 0, high, high, 0)
    kernel("capset", ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(data))
    try:
        prctl(kernel, linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError as error:
        if error.errno != errno.EINVAL:  # before Linux 4.3 there were none
            raise


def empty_bounding_set(kernel: Kernel) -> None:
    """See to it that no program which this process starts gets a capability; wants CAP_SETPCAP."""
    for number in range(_HIGHEST + 1):
        try:
            prctl(kernel, linux.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return  # past the last one
            raise


def _bounding(kernel: Kernel) -> int:
    bits = 0
    for number in range(_HIGHEST + 1):
        try:
            bits |= prctl(kernel, linux.PR_CAPBSET_READ, number) << number
        except OSError:
            break
    return bits
