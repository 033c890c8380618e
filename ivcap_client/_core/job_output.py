"""What a tool printed while one job ran, where that is known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobOutput:
    """What a tool printed between a job's start and its end.

    Attributes:
        text: It, or its last part.
        size: Bytes of all of it.
        others: URNs of jobs that the same process may have run meanwhile: some of the lines may be theirs.
    """

    text: str
    size: int
    others: tuple[str, ...] = ()

    @property
    def shortened(self) -> bool:
        """Whether `text` is only the last part."""
        return self.size > len(self.text.encode())
