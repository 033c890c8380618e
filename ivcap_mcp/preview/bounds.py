"""How much a look may cost, and what stops it. Content comes from anybody, so everything here is bounded."""

from __future__ import annotations

import time

MIB = 1024 * 1024

MOST_HELD = 32 * MIB
"""Bytes of a stream kept in memory: also the largest file whose index is at its end, where there are no ranges."""
MOST_FETCHED = 64 * MIB
"""Bytes asked of the platform for one look."""
MOST_UNPACKED = 128 * MIB
"""Bytes that may come out of a compressed stream for one look."""
MOST_AT_ONCE = 4 * MIB
"""Bytes read in one step. A file that needs more for its own bookkeeping, such as a list of members, is hostile."""
MOST_EXTRACTED = 1024 * MIB
"""Bytes of an archive's member that is made an artifact of its own."""
MOST_MEMBERS = 200
"""Members of an archive that are listed."""
HEAD = MIB
"""Bytes of a text that are looked at."""
MOST_JSON = 4 * MIB
"""Bytes of a JSON document that is read whole."""


class Unreadable(Exception):
    """The content cannot be shown; the message says why, in a sentence for a person."""


class Stopped(Unreadable):
    """A bound was reached before the end; what was seen until then is still true."""


class Budget:
    """What one look may still spend.

    Args:
        most: Bytes.
        until: When it must be over, on the monotonic clock.
        what: How the bytes come, for the message ("fetched").
    """

    def __init__(self, most: int, until: float, what: str = "fetched") -> None:
        self.most, self.until, self.what, self.spent = most, until, what, 0

    def spend(self, count: int) -> None:
        """Count bytes that come next.

        Raises:
            Stopped: There were enough, or the time is over.
        """
        self.spent += count
        if self.spent > self.most:
            raise Stopped(f"more than {self.most // MIB} MiB would have to be {self.what} for this")
        if time.monotonic() > self.until:
            raise Stopped("the time for one call was over")
