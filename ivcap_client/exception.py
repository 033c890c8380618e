"""IvcapError
  ConfigError            no url or token, or settings that contradict each other (also a ValueError)
  InvalidInput           an argument that can never work (also a ValueError)
    MissingParameterValue, AmbiguousRequest      the documented names
  IvcapConnectionError   no answer came (also a ConnectionError): retryable, a fact of the class
    NotConnected         no connection was made, so nothing was sent
  IvcapTimeout           none came in time (also a TimeoutError)
  ProtocolError          an answer came that we cannot read; names the field
  IvcapApiError          refused; has .operation, .status_code, .content, .detail, .hint
    NotAuthorizedException (401, 403)   ResourceNotFound (404)   Conflict (409)
      NotSignedIn        there is no usable login, or signing in failed; nothing was asked of the platform
    TooManyRequests* (429)   ServerError* (5xx)                  (*retryable)
    HttpException        kept for programs that name it
  JobFailed, JobTimeout  carry the job as last seen (JobTimeout is also a TimeoutError)
  ArtifactTooLargeForDataUrlError
  NotInLocalMode         names the operation, and what to do instead

Every message says what was tried, what happened and what to do next; the parts are attributes too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ivcap_client

__all__ = [
    "AmbiguousRequest",
    "ArtifactTooLargeForDataUrlError",
    "ConfigError",
    "Conflict",
    "HttpException",
    "InvalidInput",
    "IvcapApiError",
    "IvcapConnectionError",
    "IvcapError",
    "IvcapTimeout",
    "JobFailed",
    "JobTimeout",
    "MissingParameterValue",
    "NotAuthorizedException",
    "NotConnected",
    "NotInLocalMode",
    "NotSignedIn",
    "ProtocolError",
    "ResourceNotFound",
    "ServerError",
    "TooManyRequests",
]


class IvcapError(Exception):
    """Root of everything this package raises."""

    retryable = False
    """Whether the same request, sent again later, may well succeed."""


class ConfigError(IvcapError, ValueError):
    """The settings do not say where to go or as whom, or contradict each other."""


class InvalidInput(IvcapError, ValueError):
    """An argument that can never work; nothing was sent."""


class MissingParameterValue(InvalidInput):
    """A mandatory parameter has no value."""


class AmbiguousRequest(InvalidInput):
    """More than one thing fits what was asked for."""


class IvcapConnectionError(IvcapError, ConnectionError):
    """The connection broke before a whole answer came; whether the request was carried out is not known."""

    retryable = True


class NotConnected(IvcapConnectionError):
    """No connection was made: nothing was sent."""


class IvcapTimeout(IvcapError, TimeoutError):
    """No answer came in time; whether the request was carried out is not known."""

    retryable = True


class ProtocolError(IvcapError):
    """An answer came that cannot be read. The message names the field or the rule that was broken."""


class IvcapApiError(IvcapError):
    """The platform refused.

    Attributes:
        operation: What was tried ("read job").
        status_code: HTTP status.
        content: The reply's body, decoded where it was JSON; never shown in full by `str`.
        detail: What the platform said, in one line.
        hint: What to do next, where we know.
        retry_after: Seconds the platform asked us to wait, if it did.
    """

    def __init__(
        self,
        operation: str,
        status_code: int,
        content: object = None,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        detail: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(operation, status_code, content)  # the public positional form
        self.operation, self.status_code, self.content = operation, status_code, content
        self.url, self.headers = url, dict(headers or {})
        self.detail, self.hint, self.retry_after = detail, hint, retry_after

    def __str__(self) -> str:
        told = f"could not {self.operation}: HTTP {self.status_code}"
        told += f", {self.detail}" if self.detail else ""
        return f"{told}. {self.hint}" if self.hint else told

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the constructor with `args`, which lack the keyword-only parts.
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[IvcapApiError], args: tuple[Any, ...], state: dict[str, Any]) -> IvcapApiError:
    error = kind(*args)
    error.__dict__.update(state)
    return error


class NotAuthorizedException(IvcapApiError):
    """401: the credential is missing or not accepted. 403: it does not permit this."""


class NotSignedIn(NotAuthorizedException):
    """There is no usable login, or signing in failed; `hint` says what to run. The platform itself was not asked."""

    def __init__(self, operation: str, status_code: int = 401, content: object = None, *rest: Any, **more: Any) -> None:
        super().__init__(operation, status_code, content, *rest, **more)

    def __str__(self) -> str:
        told = f"could not {self.operation}: {self.detail}"
        return f"{told}. {self.hint}" if self.hint else told


class ResourceNotFound(IvcapApiError):
    """Nothing is there under this name, or the credential may not see it."""

    def __init__(self, operation: str, status_code: int = 404, content: object = None, *rest: Any, **more: Any) -> None:
        super().__init__(operation, status_code, content, *rest, **more)

    @property
    def resource(self) -> str:
        """What was looked for, under the name the documented class gives it."""
        return self.detail or self.operation


class Conflict(IvcapApiError):
    """The platform holds something that excludes this request."""


class TooManyRequests(IvcapApiError):
    """The platform asks us to slow down; `retry_after` says for how long, if it did."""

    retryable = True


class ServerError(IvcapApiError):
    """The platform failed."""

    retryable = True


class HttpException(IvcapApiError):
    """Never raised; kept because programs name it in `except`."""


class JobFailed(IvcapError):
    """The job ended without the result that was asked for; `job` is how it was last seen."""

    def __init__(self, job: ivcap_client.Job, message: str) -> None:
        super().__init__(job, message)
        self.job, self.message = job, message

    def __str__(self) -> str:
        return self.message


class JobTimeout(IvcapError, TimeoutError):
    """The job had not ended when the waiting did. It runs on; `job` is the handle to wait with again."""

    def __init__(self, job: ivcap_client.Job, waited: float) -> None:
        super().__init__(job, waited)
        self.job, self.waited = job, waited

    def __str__(self) -> str:
        status = self.job.status(refresh=False).value
        return (
            f"job {self.job.urn} had not ended after {self.waited:.1f} s (it is {status}). "
            "It runs on: wait for it again, or look later with get_job"
        )


class ArtifactTooLargeForDataUrlError(IvcapError):
    """The artifact does not fit into a data URL of the permitted length."""

    def __init__(self, artifact_id: str, content_size: int, data_url_length: int, max_length: int) -> None:
        super().__init__(artifact_id, content_size, data_url_length, max_length)
        self.artifact_id, self.content_size = artifact_id, content_size
        self.data_url_length, self.max_length = data_url_length, max_length

    def __str__(self) -> str:
        return (
            f"artifact {self.artifact_id} ({self.content_size} bytes) would need a data URL of {self.data_url_length} "
            f"characters, more than the {self.max_length} that are allowed. Raise max_length, or use as_local_file()"
        )


class NotInLocalMode(IvcapError):
    """The local platform has no such thing."""

    def __init__(self, operation: str, hint: str = "") -> None:
        super().__init__(operation, hint)
        self.operation, self.hint = operation, hint

    def __str__(self) -> str:
        instead = self.hint or "Set IVCAP_URL and IVCAP_JWT to use a deployment"
        return f"cannot {self.operation} in local mode. {instead}"


BY_STATUS: Mapping[int, type[IvcapApiError]] = {
    401: NotAuthorizedException,
    403: NotAuthorizedException,
    404: ResourceNotFound,
    409: Conflict,
    429: TooManyRequests,
}

HINTS: Mapping[int, str] = {
    401: "The credential is missing, expired or not meant for this platform: renew it and try again",
    403: "The credential is valid, but does not permit this",
    429: "The platform asks for fewer requests",
    503: "The platform is not available at the moment: try again later",
}
