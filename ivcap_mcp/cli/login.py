"""`ivcap-mcp login`: sign in to a deployment by a code that is confirmed in a browser, on any device."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from ivcap_client import IVCAP
from ivcap_client.exception import ConfigError, IvcapError, NotAuthorizedException
from ivcap_client.login import Login, LoginFile, OwnLogin, SignIn, sign_in
from ivcap_client.settings import same_origin
from ivcap_mcp import target
from ivcap_mcp.cli.terminal import Paint, lively, pairs, qr, span
from ivcap_mcp.credentials import logins_dir


def run(given: argparse.Namespace) -> int:
    """Sign in, and keep the login for this user."""
    env = target.environment(given.env_file)
    url = deployment(given, env)
    keeper = LoginFile(logins_dir(target.state_dir(env)), url)
    begun = sign_in(url)
    if given.json:
        _print_json(url=url, open=begun.whole_address or begun.address, code=begun.user_code, seconds=begun.expires_in)
    else:
        _ask(begun)
    try:
        login = begun.wait(on_wait=_countdown())
    except KeyboardInterrupt:
        _clear()
        sys.stderr.write("ivcap-mcp: stopped; nothing was kept\n")
        return 1
    finally:
        _clear()  # also before an error is told: it would stand behind the countdown
    with keeper.lock():
        keeper.save(login)
    accepted, why = _accepted(url, keeper)
    if given.json:
        more = {"error": why} if why else {}
        _print_json(signed_in=True, accepted=accepted, **more, **described(login))
    else:
        _tell(login, keeper, env, accepted, why)
    return 0 if accepted else 3


def deployment(given: argparse.Namespace, env: dict[str, str]) -> str:
    """The deployment that is meant.

    Raises:
        ConfigError: None is named.
    """
    found = target.chosen(target.options(given), env)
    if found.url is None or found.inside:
        raise ConfigError("say which deployment: --url https://…, or set IVCAP_URL")
    return found.url


def described(login: Login) -> dict[str, Any]:
    """What is told of a login: never a token."""
    return {
        "url": login.url,
        "name": login.name,
        "email": login.email,
        "account": login.account,
        "provider": login.provider,
        "expires_at": login.expires_at,
        "renewable": login.refresh_token is not None,
    }


def person(login: Login) -> str:
    """Who it is, as far as is known."""
    email = f"<{login.email}>" if login.name and login.email else login.email
    return " ".join(part for part in (login.name, email) if part) or "a person the provider did not name"


def ends(expires_at: float | None, renewable: bool) -> str:
    """When a token ends, and what then."""
    if expires_at is None:
        return "its end is not known" + (", renewed when it is refused" if renewable else "")
    left = expires_at - time.time()
    when = f"ends in {span(left)}" if left > 0 else f"ended {span(-left)} ago"
    return f"{when}, renewed by itself" if renewable else f"{when}, and cannot be renewed"


def _ask(begun: SignIn) -> None:
    drawn = qr(begun.whole_address or begun.address, sys.stdout)
    if drawn:
        print(drawn)
    paint = Paint(sys.stdout)
    print(f"To sign in to {begun.url}, open")
    print(f"    {paint(begun.whole_address or begun.address, 'strong')}")
    if begun.whole_address:
        print(f"or {begun.address} on any device,")
    print(
        f"and confirm the code {paint(begun.user_code, 'strong')}. It counts for {span(begun.expires_in)}.", flush=True
    )


def _tell(login: Login, keeper: LoginFile, env: dict[str, str], accepted: bool | None, why: str) -> None:
    paint = Paint(sys.stdout)
    print(f"{paint('Signed in', 'good')} to {login.url}")
    rows = [("Person", person(login))]
    rows += [(name, value) for name, value in (("Account", login.account),) if value]
    rows += [("Token", ends(login.expires_at, login.refresh_token is not None)), ("Kept in", str(keeper.path))]
    print(pairs(rows))
    if accepted is None:
        print(paint(f"Whether the platform accepts it is not known: {why}", "warn"))
    elif not accepted:
        print(
            paint("The platform does not accept this login: ask its operators whether your account is set up.", "bad")
        )
    if login.refresh_token is None:
        print(paint("The provider gave nothing to renew it with: sign in again when it has ended.", "warn"))
    if _wins(login.url, env):
        print(
            paint("IVCAP_JWT or IVCAP_JWT_FILE is set for this address, and wins: unset it to use this login.", "warn")
        )
    print(f"Next: `ivcap-mcp tools --url {login.url}`, or `ivcap-mcp install CLIENT --url {login.url}`")


def _wins(url: str, env: dict[str, str]) -> bool:
    home = env.get("IVCAP_URL", "").strip()
    return any(env.get(name) for name in target.TOKENS) and (not home or same_origin(home, url))


def _accepted(url: str, keeper: LoginFile) -> tuple[bool | None, str]:
    """Whether the platform takes the login, and why nobody knows.

    A deployment may not know everybody its provider knows. A login is kept and told also where the platform fails now.
    """
    with IVCAP(url, auth=OwnLogin(url, keeper)) as ivcap:
        try:
            next(iter(ivcap.list_services(limit=1)), None)
        except NotAuthorizedException:
            return False, ""
        except IvcapError as error:
            return None, str(error)
    return True, ""


def _countdown() -> Any:
    """Shows on a terminal that something is waited for."""
    if not lively(sys.stderr):
        return None

    def show(left: float) -> None:
        sys.stderr.write(f"\r\x1b[KWaiting for you to confirm … {span(left)} left")
        sys.stderr.flush()

    return show


def _clear() -> None:
    if lively(sys.stderr):
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _print_json(**told: Any) -> None:
    print(json.dumps(told, ensure_ascii=False), flush=True)
