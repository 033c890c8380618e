"""Which failures are worth another try, and after what pause. Pure: chance and time come in as arguments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
