"""Secrets: values that services are given by name (rest-api 5.2). What is read of one is a hash."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from ivcap_client._core.call import call, get_fields
from ivcap_client._core.messages import Request
from ivcap_client._core.pages import Listing, Page, page
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields, carried_out, encoded
from ivcap_client.exception import InvalidInput


@dataclass(frozen=True, slots=True)
class SecretRecord:
    """What the platform says about a secret; `value` is a hash of it, and only there after a read."""

    name: str
    expiry_time: int = 0
    value: str | None = field(default=None, repr=False)
    kind: str | None = None

    @property
    def id(self) -> str:
        """Its name, under which it is known."""
        return self.name


def secret_record(item: Fields) -> SecretRecord:
    return SecretRecord(
        name=item.need("secret-name"),
        expiry_time=item.whole("expiry-time") or 0,
        value=item.text("secret-value"),
        kind=item.text("secret-type"),
    )


async def list_page(port: Port, filter: str | None, size: int, cursor: str | None) -> Page[SecretRecord]:
    query = Listing(filter=filter).query(size, cursor)
    return page(await get_fields(port, "/1/secrets/list", "list secrets", query), secret_record)


async def read(port: Port, name: str, kind: str | None) -> SecretRecord:
    what = "read secret"
    query = (("secret-name", _named(name, what)), *((("secret-type", kind),) if kind else ()))
    return secret_record(await get_fields(port, "/1/secrets", what, query))


async def write(port: Port, name: str, value: str, expiry: int | datetime | None, kind: str | None) -> None:
    what = "set secret"
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"could not {what}: its value must be text that is not empty")
    told = {"secret-name": _named(name, what), "secret-value": value, "expiry-time": _seconds(expiry, what)}
    told |= {"secret-type": kind} if kind else {}
    headers = {"content-type": "application/json"}
    carried_out(
        await call(
            port, Request("POST", "/1/secrets", headers=headers, body=encoded(told, what), what=what, safe=True)
        ),
        what,
    )


def _named(name: str, what: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(f"could not {what}: its name is empty")
    return name


def _seconds(expiry: int | datetime | None, what: str) -> int:
    if isinstance(expiry, datetime):
        moment = expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)
        return int(moment.timestamp())
    if expiry is not None and (isinstance(expiry, bool) or not isinstance(expiry, int) or expiry < 0):
        raise InvalidInput(f"could not {what}: expiry_time is a datetime, or seconds since 1970 (0: never)")
    return expiry or 0
