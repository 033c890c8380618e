"""What an authorization server says of itself (RFC 8414, OpenID Connect Discovery), fetched within narrow bounds."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2

MOST_BYTES = 512 * 1024
TIMEOUT = 5.0


class Unavailable(Exception):
    """The authorization server cannot be asked, or says something that cannot be used; the message names its host."""


def protected(url: str) -> bool:
    """Whether an address may be trusted for keys and tokens: https, or this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what finds a bad one
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, whatever a resolver says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def document(
    url: str, *, form: Mapping[str, str] | None = None, authorization: str | None = None, timeout: float = TIMEOUT
) -> Mapping[str, Any]:
    """A JSON object from an authorization server; redirects are not followed.

    Args:
        url: Where.
        form: Sent as a form, by POST.
        authorization: Sent along.
        timeout: Seconds in all until the answer is there.

    Raises:
        Unavailable: There was no usable answer.
    """
    host = urlsplit(url).netloc
    if not protected(url):
        raise Unavailable(f"{host} is not asked: neither https nor this machine")
    try:
        # The client's own limit counts from byte to byte: an answer that drips would be waited for without end.
        with anyio.fail_after(timeout):
            status, body = await _fetched(url, form, authorization, timeout)
    except TimeoutError:
        raise Unavailable(f"{host} did not answer within {timeout:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise Unavailable(f"{host} cannot be asked: {type(error).__name__}") from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{host} answered HTTP {status} without a JSON object")
    if status >= 300:
        said = found.get("error")
        word = f" ({said[:60]})" if isinstance(said, str) and said.isidentifier() else ""
        raise Unavailable(f"{host} answered HTTP {status}{word}")
    return found


async def _fetched(
    url: str, form: Mapping[str, str] | None, authorization: str | None, timeout: float
) -> tuple[int, bytes]:
    method = "GET" if form is None else "POST"
    headers = {"accept": "application/json"} | ({"authorization": authorization} if authorization else {})
    async with (
        httpx2.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=not _near(url)) as http,
        http.stream(method, url, data=form, headers=headers) as reply,
    ):
        body = b""
        async for piece in reply.aiter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise Unavailable(f"{urlsplit(url).netloc} answered with more than {MOST_BYTES} bytes")
        return reply.status_code, body


async def metadata(issuer: str) -> Mapping[str, Any]:
    """The metadata of an issuer.

    Raises:
        Unavailable: It has none, or they are another issuer's.
    """
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    places = (
        f"{root}/.well-known/oauth-authorization-server{path}",
        f"{root}{path}/.well-known/openid-configuration",
        f"{root}/.well-known/openid-configuration{path}",
    )
    failure = Unavailable(f"{parts.netloc} publishes no metadata")
    for place in dict.fromkeys(places):
        try:
            found = await document(place)
        except Unavailable as error:
            failure = error
            continue
        if found.get("issuer") != issuer:
            raise Unavailable(f"{parts.netloc} publishes the metadata of another issuer than {issuer}")
        return found
    raise failure


def endpoint(found: Mapping[str, Any], name: str, issuer: str) -> str:
    """An address from the metadata.

    Raises:
        Unavailable: It is not there, or must not be trusted.
    """
    url = found.get(name)
    if not isinstance(url, str) or not protected(url):
        raise Unavailable(f"the metadata of {issuer} name no usable {name}")
    return url


def _near(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")
