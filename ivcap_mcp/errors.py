"""An error of the SDK becomes an answer a model can act on, or a protocol error. One table, one place."""

from __future__ import annotations

import logging

import mcp_types as t
from mcp.shared.exceptions import MCPError

from ivcap_client import exception as e
from ivcap_mcp.text import clip, one_line, stripped

log = logging.getLogger("ivcap_mcp")

MOST_ERROR = 10_000
NO_ROOM = 507
RESOURCE_NOT_FOUND_LEGACY = -32002


class ToolError(Exception):
    """Something the model, or the person behind it, can do something about.

    Attributes:
        code: A word that stays the same whatever the message says.
        message: What was tried and what happened.
        next: What to do now; names the exact call where there is one.
    """

    def __init__(self, code: str, message: str, next: str = "") -> None:
        super().__init__(code, message, next)
        self.code, self.message, self.next = code, message, next

    def __str__(self) -> str:
        ends = self.message.endswith((".", "!", "?", ":", "…"))
        return f"{self.message}{'' if ends or not self.next else '.'} {self.next}".strip()


# Most specific first: the first class that fits decides.
TABLE: tuple[tuple[type[Exception], str, str], ...] = (
    (
        e.ResourceNotFound,
        "not_found",
        "Check the URN; search_services, list_artifacts and query_aspects find what exists.",
    ),
    (e.TooManyRequests, "too_many_requests", "Wait a little, then call again."),
    (e.Conflict, "conflict", "Read the current state first, then decide."),
    (e.ServerError, "platform_failed", "The platform failed, not your request: try again later."),
    (e.NotInLocalMode, "not_in_local_mode", "This needs a deployment: tell the user to set IVCAP_URL and IVCAP_JWT."),
    (e.InvalidInput, "invalid_input", "Correct the arguments and call again."),
    (
        e.ConfigError,
        "configuration",
        "Tell the user: this server is not set up right; `ivcap-mcp tools` shows what is wrong.",
    ),
    (e.NotConnected, "no_connection", "Tell the user that the platform cannot be reached; try again later."),
    (e.IvcapConnectionError, "connection_lost", "Try again."),
    (e.IvcapTimeout, "timeout", "Try again; the platform may be busy."),
    (e.ProtocolError, "unreadable_answer", "The platform answered something unexpected; tell the user."),
    (e.IvcapApiError, "refused", "Correct the request, or tell the user what was refused."),
    (e.IvcapError, "failed", "Tell the user."),
)


def tool_error(error: Exception) -> ToolError:
    """The error as one that can be acted on. What is not ours is logged whole and told in one line."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]  # what several tasks looked for at once failed: the first says why
    if isinstance(error, ToolError):
        return error
    if isinstance(error, e.ServerError) and error.status_code == NO_ROOM:
        return ToolError("disk_full", str(error), "Nothing was changed. Tell the user to make room, then call again.")
    if isinstance(error, e.NotSignedIn):
        # The command in its words is for a person: a model cannot sign in for them, and no restart is needed.
        return ToolError("not_authorised", f"{error}.", "Ask the user to do that in a terminal, then call again.")
    if isinstance(error, e.NotAuthorizedException):
        if error.status_code == 403 and (directory := _directory(error)) is not None:
            return ToolError(
                "not_permitted",
                str(error),
                f"Reading goes on working. Tell the user: this server may not write in {directory}. Make it writable "
                "for the user who runs the server, or choose another with --local-dir.",
            )
        if error.status_code == 403:
            return ToolError("not_permitted", str(error), "Ask the user whether another account or policy is meant.")
        return ToolError(
            "not_authorised",
            str(error),
            "Ask the user to put a new token into IVCAP_JWT and to restart this server, or to unset it and run "
            "`ivcap-mcp login`.",
        )
    for kind, code, following in TABLE:
        if isinstance(error, kind):
            return ToolError(code, str(error), following)
    log.error("unexpected %s in a tool call", type(error).__name__, exc_info=error)
    return ToolError(
        "internal",
        f"This server failed unexpectedly ({type(error).__name__}).",
        "Tell the user; its log has the details.",
    )


def _directory(error: e.IvcapApiError) -> str | None:
    """The directory of the embedded platform that the system lets nobody, or not us, write in."""
    told = error.content.get("directory") if isinstance(error.content, dict) else None
    return one_line(told, 300) if isinstance(told, str) else None


def as_result(error: ToolError) -> t.CallToolResult:
    """The error as a tool result: text only, bounded, without structured content."""
    text = f"{error.code}: {error.message}" + (f"\n{error.next}" if error.next else "")
    return t.CallToolResult(content=[t.TextContent(text=clip(stripped(text), MOST_ERROR))], is_error=True)


def read_only(what: str) -> ToolError:
    """The error for what a server that may only read does not do."""
    return ToolError(
        "read_only",
        f"{what} changes something, or runs a service, and this server was started with --read-only. Nothing was done.",
        "Tell the user: only whoever starts the server can allow it, by leaving that option out.",
    )


def unknown_tool(name: str, near: str = "") -> MCPError:
    """The protocol error for a tool that does not exist.

    Args:
        name: What was called.
        near: A tool that was perhaps meant.
    """
    meant = f"; did you mean {near}?" if near else ""
    return MCPError(t.INVALID_PARAMS, f"Unknown tool: {clip(stripped(name), 200)}{meant}")


def no_resource(uri: str, protocol_version: str) -> MCPError:
    """The protocol error for a resource that does not exist; its code changed with 2026-07-28."""
    code = t.INVALID_PARAMS if protocol_version >= "2026-07-28" else RESOURCE_NOT_FOUND_LEGACY
    return MCPError(code, f"Resource not found: {clip(stripped(uri), 300)}", {"uri": uri[:2048]})
