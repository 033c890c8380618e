"""The platform: which one, the way to it, the clock, the credential, and whether it agrees."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ivcap_client import IVCAP
from ivcap_client.exception import ConfigError, IvcapConnectionError, IvcapError, IvcapTimeout, NotAuthorizedException
from ivcap_client.login import OwnLogin, ends_at
from ivcap_client.probe import Probe, probe
from ivcap_mcp import target
from ivcap_mcp.cli.terminal import span
from ivcap_mcp.clients.command import typed
from ivcap_mcp.contexts import ContextAuth
from ivcap_mcp.credentials import Credential
from ivcap_mcp.doctor import NO_CONNECTION, USAGE, Finding
from ivcap_mcp.target import Options, Target

PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
SKEW, MUCH_SKEW = 30.0, 300.0
"""Seconds by which clocks may differ before that is worth a word, and before tokens are refused for it."""


def deployment(options: Options, env: Mapping[str, str], timeout: float = 10.0) -> Iterator[Finding]:
    """All about the target; of the embedded platform there is nothing to say here."""
    try:
        found = target.chosen(options, env)
        credential = None if found.url is None else target.credential_of(found, env)
    except ConfigError as error:
        yield Finding("target", "bad", str(error), code=USAGE)
        return
    if found.url is None or credential is None:
        where = options.local_dir or target.data_dir(env)
        yield Finding("target", "ok", f"the embedded platform in {where}; --url or IVCAP_URL names a deployment")
        return
    yield Finding("target", "ok", f"{found.url}, by {found.by}")
    yield from _surroundings()
    seen = None
    for finding in _reached(found.url, timeout):
        if isinstance(finding, Probe):
            seen = finding
        else:
            yield finding
    if seen is None:
        return
    yield from _clock(seen)
    yield from _credential(found, credential)
    yield from _accepted(found, credential, timeout)


def _surroundings() -> Iterator[Finding]:
    proxies = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
    for name, value in proxies.items():
        shown = re.sub(r"//[^@/]*@", "//…@", value)  # a proxy's address may hold a password
        if not urlsplit(value if "//" in value else f"http://{value}").hostname:
            yield Finding("proxy", "bad", f"{name}={shown} is no address", f"Correct or unset {name}", USAGE)
        else:
            yield Finding("proxy", "note", f"requests go through {shown} ({name}), but for this machine's own")
    for name, place in ((name, os.environ.get(name)) for name in AUTHORITIES):
        if place and not Path(place).exists():
            yield Finding("certificates", "bad", f"{name}={place} does not exist", f"Correct or unset {name}", USAGE)
        elif place:
            yield Finding("certificates", "note", f"certificates of {place} are trusted ({name})")


def _reached(url: str, timeout: float) -> Iterator[Finding | Probe]:
    try:
        seen = probe(url, timeout=timeout)
    except (IvcapConnectionError, IvcapTimeout) as error:
        yield Finding("platform", "bad", str(error), _advice(str(error), url), NO_CONNECTION)
        return
    except IvcapError as error:
        yield Finding("platform", "bad", str(error), "Something between here and the platform may answer for it")
        return
    if seen.status >= 500 or seen.kind == "text/html":
        told = f"{url} answers with HTTP {seen.status} ({seen.kind or 'no type'}), which is no IVCAP platform"
        advice = "Check the address; a login page of a network or proxy may answer in its place"
        yield Finding("platform", "bad", told, advice, NO_CONNECTION)
        return
    offers = "" if seen.signs_in else "; it offers no sign-in of its own"
    yield Finding("platform", "ok", f"answers in {seen.took * 1000:.0f} ms{offers}")
    yield seen


def _advice(said: str, url: str) -> str:
    """What usually is behind a failed connection."""
    proxied = next((name for name in PROXIES if os.environ.get(name)), None)
    low = said.lower()
    if "certificate" in low:
        return (
            "The certificate is not trusted: a network that inspects traffic has a CA of its own. "
            "Name its file in SSL_CERT_FILE"
        )
    if "name or service" in low or "getaddrinfo" in low or "nodename" in low or "name resolution" in low:
        return f"No such host: check the spelling of {urlsplit(url).hostname}, the network and the VPN"
    if "ssl" in low or "tls" in low:
        return "Does the platform speak https at this port?"
    return "Check the network and VPN" + (
        f", and the proxy in {proxied}" if proxied else ", and whether a proxy is needed"
    )


def _clock(seen: Probe) -> Iterator[Finding]:
    if seen.ahead is None:
        return
    apart = abs(seen.ahead) - seen.took
    told = f"the clock here is {span(abs(seen.ahead))} {'ahead of' if seen.ahead > 0 else 'behind'} the platform's"
    advice = "Let the system set its clock from the network: tokens and certificates go by it"
    if apart > MUCH_SKEW:
        yield Finding("clock", "bad", told, advice)
    elif apart > SKEW:
        yield Finding("clock", "warn", told, advice)
    else:
        yield Finding("clock", "ok", "agrees with the platform's")


def _credential(found: Target, credential: Credential) -> Iterator[Finding]:
    auth = credential.auth
    if isinstance(auth, OwnLogin):
        login = auth.login
        if login is None:
            told, advice = f"nobody is signed in to {found.url}", f"Run `{typed()} login --url {found.url}`"
            if "IVCAP_JWT" in credential.told:
                told += f" ({credential.told.removeprefix('own login, since ')})"
            yield Finding("credential", "bad", told, advice, NO_CONNECTION)
            return
        if login.refresh_token is None:
            told = "the login cannot be renewed"
            yield Finding("credential", "warn", told, f"Run `{typed()} login --url {found.url}` when it has ended")
            return
        yield Finding("credential", "ok", f"{credential.told}, renewed by itself")
        return
    if found.inside:
        yield Finding("credential", "ok", credential.told)
        return
    headers: dict[str, str] = {}
    auth.apply(headers)
    ends = ends_at(headers.get("authorization", "").removeprefix("Bearer "))
    left = None if ends is None else ends - time.time()
    if left is not None and left < 0 and not isinstance(auth, ContextAuth):
        told = f"the token of {credential.told} ended {span(-left)} ago"
        advice = f"Put a new one there, or unset it and run `{typed()} login --url {found.url}`"
        yield Finding("credential", "bad", told, advice, NO_CONNECTION)
    else:
        lasts = "" if left is None or left < 0 else f", ends in {span(left)}"
        yield Finding("credential", "ok", f"{credential.told}{lasts}")


def _accepted(found: Target, credential: Credential, timeout: float) -> Iterator[Finding]:
    assert found.url is not None
    if isinstance(credential.auth, OwnLogin) and credential.auth.login is None:
        return
    with IVCAP(found.url, auth=credential.auth, headers=credential.headers, timeout=timeout) as ivcap:
        try:
            next(iter(ivcap.list_services(limit=1)), None)
        except NotAuthorizedException as error:
            advice = f"Run `{typed()} login --url {found.url}`, or ask the platform's operators for access"
            yield Finding("account", "bad", str(error), "" if error.hint else advice, NO_CONNECTION)
        except (IvcapConnectionError, IvcapTimeout) as error:
            yield Finding("account", "bad", str(error), "Try again", NO_CONNECTION)
        except IvcapError as error:
            yield Finding("account", "bad", str(error))
        else:
            yield Finding("account", "ok", "the platform accepts the credential")
