"""The names of TLS alerts (RFC 8446, section 6)."""

from __future__ import annotations

import ssl


def alert_name(code: int) -> str:
    """The alert's name as words."""
    try:
        name = ssl.AlertDescription(code).name
    except ValueError:
        return str(code)
    return name.removeprefix("ALERT_DESCRIPTION_").lower().replace("_", " ")
