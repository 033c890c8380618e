"""How long a caller is ready to wait, checked before anything is sent."""

from __future__ import annotations

import math

from ivcap_client.exception import InvalidInput


def patience(seconds: float | None, name: str = "timeout") -> float | None:
    """Seconds to wait, at least 0, since what is left of a longer wait may come out below; `None`: without limit.

    Raises:
        InvalidInput: It is no number.
    """
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or math.isnan(seconds):
        raise InvalidInput(f"{name}: seconds, or None to wait without limit, are wanted; {seconds!r} was given")
    return None if seconds == math.inf else max(seconds, 0)
