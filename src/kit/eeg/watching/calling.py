"""Calling callbacks, whatever they do: one that raises is told of, and the next one is called."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

_LOG = logging.getLogger("kit.eeg")


class Caller:
    """`handlers` are given each error; without one, the first of each callback goes to the log of `kit.eeg`.

    With `strict`, errors are raised instead.
    """

    def __init__(
        self, handlers: Sequence[Callable[[Exception, Callable[..., Any]], None]], *, strict: bool = False
    ) -> None:
        self._handlers = handlers
        self._strict = strict
        self._told: set[tuple[Callable[..., Any], type[Exception]]] = set()

    def call(self, callback: Callable[..., Any], argument: object) -> None:
        """One callback, with what it is about."""
        try:
            callback(argument)
        except Exception as error:
            if self._strict:
                raise
            self._tell(error, callback)

    def _tell(self, error: Exception, callback: Callable[..., Any]) -> None:
        for handler in self._handlers:
            handler(error, callback)
        kind = (callback, type(error))
        if not self._handlers and kind not in self._told:
            self._told.add(kind)
            name = getattr(callback, "__qualname__", repr(callback))
            _LOG.error("the callback %s failed, and is called again", name, exc_info=error)
