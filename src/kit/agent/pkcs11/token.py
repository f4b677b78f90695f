"""What the token holds, as one client sees it: objects under handles that stay with their key."""

from __future__ import annotations

from collections.abc import Iterable

from kit.agent import forms
from kit.agent.extension import KEYS_LIMIT, CertificateRecord, KeyRecord
from kit.agent.pkcs11.attributes import Template
from kit.agent.pkcs11.codes import CallError, Code, ObjectClass
from kit.agent.pkcs11.objects import Key, TokenObject, objects


class Token:
    """The objects that there were when the agent was last asked.

    A handle is a key's number and its object's class. A key that is gone for a while, as when the agent
    starts again, comes back under its old handles: clients keep them as long as they live.
    """

    def __init__(self) -> None:
        self._objects: dict[int, TokenObject] = {}
        self._numbers: dict[bytes, int] = {}
        self._last = 0

    def replace(self, keys: Iterable[KeyRecord], certificates: Iterable[CertificateRecord]) -> None:
        """From now on there are these."""
        known = {record.key_id: record.certificate for record in certificates}
        listed = {}
        for record in keys:
            key_id = forms.key_id(record.spki)
            certificate = known.get(key_id, b"")
            listed[key_id] = objects(record.key_name, record.kind, record.spki, record.ssh_blob, certificate)
        if len(self._numbers) > 4 * KEYS_LIMIT:
            self._numbers = {key_id: n for key_id, n in self._numbers.items() if key_id in listed}
        self._objects = {
            self._number(key_id) << 2 | one.object_class: one
            for key_id, found in listed.items()
            for one in found
        }

    def find(self, template: Template) -> list[int]:
        """The handles of the objects that fit."""
        return [handle for handle, one in self._objects.items() if one.fits(template)]

    def get(self, handle: int) -> TokenObject:
        found = self._objects.get(handle)
        if found is None:
            raise CallError(Code.OBJECT_HANDLE_INVALID)
        return found

    def signing_key(self, handle: int) -> Key:
        """The key of a private key object."""
        found = self._objects.get(handle)
        if found is None:
            raise CallError(Code.KEY_HANDLE_INVALID)
        if found.object_class is not ObjectClass.PRIVATE_KEY:
            raise CallError(Code.KEY_FUNCTION_NOT_PERMITTED)
        return found.key

    def _number(self, key_id: bytes) -> int:
        if key_id not in self._numbers:
            self._last += 1
            self._numbers[key_id] = self._last
        return self._numbers[key_id]
