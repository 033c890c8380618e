"""A refused request becomes an error here and nowhere else; what the refusal says is shown in one bounded line."""

from __future__ import annotations

from ivcap_client._core.messages import Request, Response
from ivcap_client._core.reading import loaded
from ivcap_client.exception import BY_STATUS, HINTS, IvcapApiError, IvcapError, NotInLocalMode, ServerError


def error_for(
    what: str, reply: Response, sent: Request | None = None, *, local: bool = False, retry_after: float | None = None
) -> IvcapError:
    """The one place where a refused request becomes an error.

    Args:
        what: What was tried.
        reply: The refusal; its body is looked at only after its status, and may be anything.
        sent: What was refused; should the reply repeat its credential, that is taken out.
        local: The reply came from the embedded platform, whose 501 is `NotInLocalMode`.
        retry_after: Seconds the platform asked us to wait.
    """
    content = decoded(_without_credential(reply.body, sent))
    detail = told(content)
    if local and reply.status == 501:
        return NotInLocalMode(what, detail)
    kind = BY_STATUS.get(reply.status) or (ServerError if reply.status >= 500 else IvcapApiError)
    # Where there is no credential, none can be what is wrong.
    hint = "" if local and reply.status == 403 else HINTS.get(reply.status, "")
    return kind(what, reply.status, content, detail=detail, hint=hint, retry_after=retry_after)


def _without_credential(body: bytes, sent: Request | None) -> bytes:
    """The body of a refusal: debug pages and gateways show what they were sent, and errors are shown and logged."""
    secret = "" if sent is None else sent.headers.get("authorization", "").rpartition(" ")[2]
    return body.replace(secret.encode("latin-1", "replace"), b"(credential)") if secret else body


def decoded(body: bytes) -> object:
    """The body as JSON, else as text, bounded."""
    head = body[:20_000]
    try:
        return loaded(body) if len(body) == len(head) else head.decode("utf-8", "replace")
    except (ValueError, RecursionError):
        return head.decode("utf-8", "replace")


def told(content: object, most: int = 500) -> str:
    """What a refusal says, in one bounded line: platforms and proxies spell it differently."""
    if isinstance(content, dict):
        for key in ("message", "detail", "error", "error_description"):
            if isinstance(content.get(key), str) and content[key].strip():
                name = content.get("name")
                text = f"{name}: {content[key]}" if isinstance(name, str) and key == "message" else content[key]
                return _one_line(text, most)
        return ""
    return _one_line(content, most) if isinstance(content, str) and not content.lstrip().startswith("<") else ""


def _one_line(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
