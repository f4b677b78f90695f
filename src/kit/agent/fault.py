"""A fault of our own, as the log may tell it."""

from __future__ import annotations

import os


def place(error: BaseException) -> str:
    """Where it was raised; no text of the error, which may quote what a client sent."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"  # noqa: PTH119
