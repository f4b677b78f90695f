"""Reads the configuration and opens its key files, at the start and again: the supervisor's part of it.

It hands open files to the zygote and never reads from them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from kit.agent.channels import messages
from kit.agent.channels.channel import Channel
from kit.agent.config.key_files import open_key, read_certificate
from kit.agent.config.reading import read
from kit.agent.config.settings import KeyRule, Settings
from kit.agent.extension import Reloaded
from kit.core.errors import KitError
from kit.core.sandbox.plan import User

Finish = Callable[[tuple[Reloaded, ...]], None]


class Reloading:
    """Each reload is answered by one `Kept` of the zygote, in their order."""

    def __init__(
        self, path: str, zygote: Channel, user: User | None, apply: Callable[[Settings], None]
    ) -> None:
        self._path, self._zygote, self._apply = path, zygote, apply
        self._uid = user.uid if user else os.geteuid()
        self._gid = user.gid if user else os.getegid()
        self._finish: deque[Finish] = deque()

    def reload(self, finish: Finish) -> None:
        """Tell the zygote what the configuration says now; raises KitError where it says nothing sensible,
        and then everything stays.
        """
        settings = read(self._path) if self._path else Settings()
        self._apply(settings)
        self.send(settings, finish)

    def send(self, settings: Settings, finish: Finish) -> None:
        """Hand over what these settings name."""
        for rule in settings.keys:
            self._send_key(rule)
        self._finish.append(finish)
        self._zygote.send(messages.encode(messages.Keep()))

    def kept(self, message: messages.Kept) -> None:
        """The zygote's report."""
        if self._finish:
            self._finish.popleft()(message.keys)

    def _send_key(self, rule: KeyRule) -> None:
        spki, certificate, error, descriptor = b"", b"", "", -1
        try:
            if rule.certificate:
                leaf = read_certificate(rule.certificate)
                spki, certificate = leaf.spki, leaf.der
            descriptor = open_key(rule.file, self._uid, self._gid)
        except KitError as failure:
            error = str(failure)
        load = messages.Load(
            rule.name,
            rule.purposes,
            rule.peers.uids,
            rule.peers.gids,
            rule.lifetime_s,
            round(rule.rate * 1000),
            rule.burst,
            bool(rule.confirm),
            spki,
            certificate,
            error,
        )
        try:
            self._zygote.send(messages.encode(load), [descriptor] if descriptor >= 0 else [])
        finally:
            if descriptor >= 0:
                os.close(descriptor)
