"""`ivcap-mcp whoami`: which platform, as whom, for how long, and whether the platform agrees."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ivcap_client import IVCAP
from ivcap_client.exception import IvcapConnectionError, IvcapError, IvcapTimeout, NotAuthorizedException
from ivcap_client.login import LoginFile, OwnLogin, claims, ends_at, kept_logins
from ivcap_mcp import target
from ivcap_mcp.cli.login import ends, person
from ivcap_mcp.cli.terminal import Paint, pairs
from ivcap_mcp.contexts import ContextAuth
from ivcap_mcp.credentials import Credential, logins_dir


def run(given: argparse.Namespace) -> int:
    """Tell it; code 3 where the platform refuses or cannot be reached."""
    env = target.environment(given.env_file)
    options = target.options(given)
    found = target.chosen(options, env)
    if found.url is None:
        return _embedded(given, env)
    credential = target.credential_of(found, env)
    told: dict[str, Any] = {"url": found.url, "chosen_by": found.by, "credential": credential.told}
    told |= _who(credential, found.url, logins_dir(target.state_dir(env)))
    code = 0
    with IVCAP(found.url, auth=credential.auth, headers=credential.headers, timeout=10) as ivcap:
        try:
            next(iter(ivcap.list_services(limit=1)), None)
            told["accepted"] = True
        except (NotAuthorizedException, IvcapConnectionError, IvcapTimeout) as error:
            told |= {"accepted": False if isinstance(error, NotAuthorizedException) else None, "error": str(error)}
            code = 3
        except IvcapError as error:
            told |= {"accepted": None, "error": str(error)}
            code = 1
    told |= _who(credential, found.url, logins_dir(target.state_dir(env)))  # the request may have renewed it
    if given.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told)
    return code


def _embedded(given: argparse.Namespace, env: dict[str, str]) -> int:
    kept = kept_logins(logins_dir(target.state_dir(env)))
    where = target.data_dir(env)
    if given.json:
        print(json.dumps({"url": None, "local_dir": str(where), "logins": [login.url for login in kept]}, indent=2))
        return 0
    rows = [("Platform", f"the embedded platform in {where}; nobody signs in there")]
    rows += [("Login kept", f"{login.url}, {person(login)}") for login in kept]
    print(pairs(rows))
    if kept:
        print("`--url`, or IVCAP_URL, makes one of them the target.")
    return 0


def _who(credential: Credential, url: str, kept: Path) -> dict[str, Any]:
    """Whose credential it is, as far as it says; nothing of it is shown itself."""
    auth = credential.auth
    if isinstance(auth, OwnLogin):
        login = auth.login
        if login is None:
            return {"signed_in": False}
        return {
            "signed_in": True,
            "person": person(login),
            "account": login.account,
            "expires_at": login.expires_at,
            "renewable": login.refresh_token is not None,
            "kept_in": str(LoginFile(kept, url).path),
        }
    headers: dict[str, str] = {}
    auth.apply(headers)
    token = headers.get("authorization", "").removeprefix("Bearer ")
    said = claims(token)
    told: dict[str, Any] = {"renewable": isinstance(auth, ContextAuth)}
    if isinstance(auth, ContextAuth):
        context = auth.context
        told |= {"person": " ".join(part for part in (context.person, context.email) if part)}
        told |= {"account": context.account, "expires_at": context.expires_at}
    if (ending := ends_at(token)) is not None:
        told["expires_at"] = ending
    account, subject = said.get("acc"), said.get("sub")
    if isinstance(account, str) and not told.get("account"):
        told["account"] = account if account.startswith("urn:") else f"urn:ivcap:account:{account}"
    if isinstance(subject, str) and not told.get("person"):
        told["person"] = subject
    return told


def _show(told: dict[str, Any]) -> None:
    paint = Paint(sys.stdout)
    rows = [("Platform", f"{told['url']} ({told['chosen_by']})"), ("Credential", told["credential"])]
    rows += [(name, told[key]) for name, key in (("Person", "person"), ("Account", "account")) if told.get(key)]
    if "expires_at" in told:
        rows.append(("Token", ends(told["expires_at"], bool(told.get("renewable")))))
    if told.get("kept_in"):
        rows.append(("Kept in", told["kept_in"]))
    answer = {True: paint("yes", "good"), False: paint("no", "bad"), None: paint("not known", "warn")}[told["accepted"]]
    rows.append(("Accepted", answer + (f": {told['error']}" if told.get("error") else "")))
    print(pairs(rows))
