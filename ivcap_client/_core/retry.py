"""Which failures are worth another try, and after what pause. Pure: chance and time come in as arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from ivcap_client._core.port import Retry

WORTH_A_TRY = frozenset({408, 425, 429, 502, 503, 504})


def pause(policy: Retry, attempt: int, chance: float) -> float:
    """Seconds before attempt number `attempt + 1`: full jitter, growing.

    Args:
        policy: Bounds.
        attempt: Attempts made so far, from 1.
        chance: A number in [0, 1).

    Source: "Exponential backoff and jitter", the "full jitter" form.
    """
    return chance * min(policy.most, policy.first * policy.factor ** (attempt - 1))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the platform asks us to wait, from `Retry-After` (seconds or an HTTP date)."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime  # here, since it loads sockets and costs more than the rest of us

        try:
            when = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        # A date with the zone "-0000" comes back without one.
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
