"""What is known of a job without asking: its state when it was last looked at, and all that came with it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from ivcap_client._core import jobs
from ivcap_client._core.jobs import JobRecord
from ivcap_client.handle import Handle

__all__ = ["JobFacts", "JobStatus"]


class JobStatus(StrEnum):
    """States of a job; equal to the platform's own words. The last three are final.

    Examples:
        >>> from ivcap_client import JobStatus
        >>> JobStatus.SUCCEEDED == "succeeded", JobStatus.from_string("something new")
        (True, <JobStatus.UNKNOWN: 'unknown'>)
    """

    UNKNOWN = "unknown"
    PENDING = "pending"
    SCHEDULED = "scheduled"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERROR = "error"

    @classmethod
    def from_string(cls, text: str) -> JobStatus:
        """The state of this name; `UNKNOWN` for a word we do not know."""
        try:
            return cls(text.lower())
        except ValueError:
            return cls.UNKNOWN


class JobFacts(Handle[JobRecord]):
    """The free properties of a job."""

    @property
    def name(self) -> str | None:
        """The platform's name for it."""
        return self._record.name

    @property
    def service(self) -> str | None:
        """URN of the service that runs it."""
        return self._record.service

    @property
    def order(self) -> str | None:
        """URN of the order it belongs to."""
        return self._record.order

    @property
    def policy(self) -> str | None:
        """URN of the policy that governs who sees it."""
        return self._record.policy

    @property
    def account(self) -> str | None:
        """URN of the account that ordered it."""
        return self._record.account

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags it carries."""
        return self._record.tags

    @property
    def requested_at(self) -> datetime | None:
        """When it was ordered."""
        return self._record.requested_at

    @property
    def started_at(self) -> datetime | None:
        """When the service began."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return self._record.finished_at

    @property
    def request_content_type(self) -> str | None:
        """Media type of the request."""
        return self._record.request_content_type

    @property
    def request(self) -> Any:
        """What was asked for, where it was read with the job."""
        return self._record.request

    @property
    def result_content_type(self) -> str | None:
        """Media type of the result."""
        return self._record.result_content_type

    @property
    def error(self) -> str | None:
        """Why it did not succeed, in one line; `None` for one that succeeded or runs. Free: nothing is asked."""
        if self._record.status not in ("failed", "error"):
            return None
        return jobs.failure(self._record)

    @property
    def ended(self) -> bool:
        """Whether it had ended when it was last looked at. Free: nothing is asked."""
        return self._record.ended

    @property
    def cancelled(self) -> bool:
        """Whether it was ended on request, where the platform can. Free: nothing is asked.

        There is no status of its own for that: such a job is in error, and its message says why.
        """
        return self._record.status == "error" and (self._record.error_message or "").startswith("cancelled")
