"""What a refusal becomes, whatever the platform or a proxy before it writes into it."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client import exception
from ivcap_client._core.messages import Response
from ivcap_client._core.refusals import error_for
from ivcap_client.exception import (
    Conflict,
    IvcapApiError,
    IvcapError,
    NotAuthorizedException,
    NotInLocalMode,
    ResourceNotFound,
    ServerError,
    TooManyRequests,
)

TABLE = {
    304: IvcapApiError,
    400: IvcapApiError,
    401: NotAuthorizedException,
    403: NotAuthorizedException,
    404: ResourceNotFound,
    409: Conflict,
    410: IvcapApiError,
    415: IvcapApiError,
    422: IvcapApiError,
    424: IvcapApiError,
    429: TooManyRequests,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    599: ServerError,
}


@pytest.mark.parametrize(("status", "kind"), TABLE.items())
def test_each_status_has_its_class_and_says_what_was_tried(status: int, kind: type[IvcapApiError]) -> None:
    error = error_for("read job", Response(status, {}, b'{"message": "because"}'))
    assert type(error) is kind
    assert str(error).startswith(f"could not read job: HTTP {status}, because")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", ""),
        (b"plain text", "plain text"),
        (b"<html><h1>502</h1></html>", ""),
        (b"\xff\xfe", "��"),
        (b"null", ""),
        (b"[1]", ""),
        (b'"said"', "said"),
        (b'{"id": "x"}', ""),
        (b'{"message": null, "detail": "d"}', "d"),
        (b'{"message": {"a": 1}}', ""),
        (b'{"message": "two\\n lines"}', "two lines"),
        (b'{"name": "filter", "message": "bad", "value": "x"}', "filter: bad"),
        (b'{"error": "invalid_token", "error_description": "old"}', "invalid_token"),
        (b"[" * 19000, "[" * 499 + "…"),
    ],
)
def test_any_body_gives_an_error_with_its_status(body: bytes, detail: str) -> None:
    error = error_for("read x", Response(404, {}, body))
    assert isinstance(error, ResourceNotFound)
    assert (error.status_code, error.detail) == (404, detail)


@given(body=st.binary(max_size=300), status=st.integers(300, 599))
def test_no_body_can_break_the_error(body: bytes, status: int) -> None:
    error = error_for("read x", Response(status, {}, body))
    assert isinstance(error, IvcapApiError)
    assert len(str(error)) < 1000


def test_a_huge_body_is_cut() -> None:
    error = error_for("read x", Response(500, {}, b"x" * 10_000_000))
    assert isinstance(error, IvcapApiError)
    assert len(str(error.content)) <= 20_000
    assert len(str(error)) < 1000


def test_a_501_of_the_embedded_platform_says_that_it_is_not_there_locally() -> None:
    error = error_for("search", Response(501, {}, b'{"message": "use a deployment"}'), local=True)
    assert isinstance(error, NotInLocalMode)
    assert str(error) == "cannot search in local mode. use a deployment"


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (exception.ConfigError, ValueError),
        (exception.InvalidInput, ValueError),
        (exception.IvcapConnectionError, ConnectionError),
        (exception.NotConnected, ConnectionError),
        (exception.IvcapTimeout, TimeoutError),
        (exception.JobTimeout, TimeoutError),
    ],
)
def test_errors_are_also_the_built_in_ones(kind: type[Exception], base: type[Exception]) -> None:
    assert issubclass(kind, base)
    assert issubclass(kind, IvcapError)


@pytest.mark.parametrize("name", [name for name in exception.__all__ if not name.startswith("Job")])
def test_every_error_survives_pickling(name: str) -> None:
    kind = getattr(exception, name)
    if issubclass(kind, IvcapApiError):
        error = kind("read x", 404, {"a": 1}, detail="gone", hint="look", retry_after=2.0)
    elif kind is exception.ArtifactTooLargeForDataUrlError:
        error = kind("urn:x", 1, 2, 3)
    else:
        error = kind("what happened")
    error.add_note("noted")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.args) == (str(error), error.args)
    assert again.__dict__ == error.__dict__
    assert {error, again}
