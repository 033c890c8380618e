"""What every judge of the public client shares: the client, and the way claims are made and told."""

import json
import os
import traceback
from collections.abc import Callable
from typing import Any

from ivcap_client import IVCAP
from ivcap_client.exception import IvcapApiError

ASKED = json.loads(os.environ["JUDGE"])
URL, TOKEN = ASKED["url"], ASKED["token"]
NOWHERE = "00000000-0000-4000-8000-000000000000"
# Typed loosely: it is the public client's, while type checkers find ours under that name.
ivcap: Any = IVCAP(url=URL, token=TOKEN)
claims: dict[str, Callable[[], None]] = {}


def claim(work: Callable[[], None]) -> Callable[[], None]:
    """Mark a function as a claim about our platform; its name says what is claimed."""
    claims[work.__name__] = work
    return work


def judge() -> None:
    """Try every claim, each on its own, and print what became of it: nothing, or a traceback."""
    seen: dict[str, str | None] = {}
    for name, work in claims.items():
        try:
            work()
            seen[name] = None
        except Exception:
            seen[name] = traceback.format_exc(limit=-6)
    print(json.dumps(seen))


def raised(kind: type[Exception], work: Any) -> Any:
    try:
        work()
    except kind as error:
        return error
    raise AssertionError("nothing was refused")


def status_of(work: Any) -> int:
    return int(raised(IvcapApiError, work).status_code)
