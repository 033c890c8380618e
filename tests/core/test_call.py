"""One request with its repetitions, its credential and its redirects."""

from __future__ import annotations

import logging
import threading
import traceback
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._core.call import call, open_body
from ivcap_client._core.messages import Request, Response
from ivcap_client._core.port import Retry, run
from ivcap_client._core.retry import pause, retry_after
from ivcap_client.auth import BearerAuth, RefreshingAuth
from ivcap_client.exception import (
    InvalidInput,
    IvcapConnectionError,
    IvcapError,
    IvcapTimeout,
    NotAuthorizedException,
    NotConnected,
    ProtocolError,
    ResourceNotFound,
    ServerError,
    TooManyRequests,
)
from tests.core.scripted import URL, Scripted, Stream, Token, get, ok, post

LOST = IvcapConnectionError("the line broke")


def test_core_code_that_suspends_is_refused() -> None:
    class Suspends:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield

    async def work() -> None:
        await Suspends()

    with pytest.raises(RuntimeError, match="suspended"):
        run(work())


def test_what_the_core_raises_reaches_the_caller() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run(work())


@pytest.mark.parametrize("failure", [LOST, IvcapTimeout("late"), ok(status=503), ok(status=429), ok(status=408)])
def test_a_safe_request_is_repeated_after_what_may_pass(failure: Response | IvcapError) -> None:
    port = Scripted([failure, failure, ok(b"1")])
    assert run(call(port, get())).body == b"1"
    assert len(port.slept) == 2


@pytest.mark.parametrize("failure", [LOST, IvcapTimeout("late"), ok(status=503), ok(status=429)])
def test_a_post_is_never_repeated_once_it_may_have_arrived(failure: Response | IvcapError) -> None:
    port = Scripted([failure])
    with pytest.raises(IvcapError):
        run(call(port, post()))
    assert len(port.sent) == 1


def test_a_post_is_repeated_when_no_connection_was_made() -> None:
    port = Scripted([NotConnected("refused"), ok(b"1")])
    assert run(call(port, post())).body == b"1"


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 501])
def test_what_will_not_pass_is_not_repeated(status: int) -> None:
    port = Scripted([ok(status=status)])
    with pytest.raises(IvcapError):
        run(call(port, get()))
    assert len(port.sent) == 1


def test_attempts_are_bounded_and_the_last_failure_is_told() -> None:
    port = Scripted([ok(status=502)] * 3 + [ok(status=503)])
    with pytest.raises(ServerError) as caught:
        run(call(port, get()))
    assert (len(port.sent), caught.value.status_code) == (4, 503)


def test_the_platform_is_given_the_time_it_asks_for() -> None:
    port = Scripted([ok(status=429, retry_after="7"), ok()])
    run(call(port, get()))
    assert port.slept == [7.0]


@pytest.mark.parametrize("asked", ["31", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_beyond_reason_is_left_to_the_caller(asked: str) -> None:
    port = Scripted([ok(status=429, retry_after=asked)])
    with pytest.raises(TooManyRequests) as caught:
        run(call(port, get()))
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 30
    assert port.slept == []


@pytest.mark.parametrize("asked", ["nan", "inf", "-inf", "soon", "", "Fri, 99 Dec 9999"])
def test_a_retry_after_that_makes_no_sense_counts_as_none(asked: str) -> None:
    assert retry_after({"retry-after": asked}) is None


def test_a_retry_after_date_is_read_with_and_without_zone() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, now) == 9
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 00:00:09 -0000"}, now) == 9
    assert retry_after({"retry-after": "Wed, 31 Dec 2025 00:00:09 GMT"}, now) == 0


@given(attempt=st.integers(1, 60), chance=st.floats(0, 1, exclude_max=True))
def test_pauses_have_full_jitter_within_bounds(attempt: int, chance: float) -> None:
    policy = Retry()
    assert 0 <= pause(policy, attempt, chance) <= policy.most
    assert pause(policy, attempt, 0) == 0
    assert pause(policy, 1, chance) <= policy.first


def test_no_pause_goes_beyond_the_deadline() -> None:
    port = Scripted([ok(status=503, retry_after="5")])
    with pytest.raises(ServerError):
        run(call(port, get(deadline=port.clock + 4)))
    assert port.slept == []


def test_the_time_out_of_a_request_is_clipped_to_its_deadline() -> None:
    port = Scripted([ok()], timeout=30)
    run(call(port, get(deadline=port.clock + 4)))
    assert port.sent[0].timeout == 4


def test_a_request_whose_time_is_over_is_not_sent() -> None:
    port = Scripted([ok()])
    with pytest.raises(IvcapTimeout):
        run(call(port, get(deadline=port.clock)))
    assert port.sent == []


def test_a_401_with_a_credential_that_can_be_renewed_is_repeated_once() -> None:
    token = Token()
    port = Scripted([ok(status=401), ok(b"1")], auth=token)
    assert run(call(port, post())).body == b"1"
    assert [request.headers["authorization"] for request in port.sent] == ["Bearer secret-0", "Bearer secret-1"]


def test_a_401_that_stays_is_told_after_one_renewal() -> None:
    token = Token()
    port = Scripted([ok(status=401), ok(status=401)], auth=token)
    with pytest.raises(NotAuthorizedException):
        run(call(port, get()))
    assert token.renewals == 1


def test_a_renewal_that_brought_nothing_new_is_tried_again_by_the_next_call() -> None:
    tokens = iter(["stale", "fresh"])
    auth = RefreshingAuth(lambda: next(tokens), "stale")
    port = Scripted([ok(status=401), ok(status=401), ok(status=401), ok(b"1")], auth=auth)
    with pytest.raises(NotAuthorizedException):
        run(call(port, get()))
    assert run(call(port, get())).body == b"1"


def test_a_401_with_a_fixed_token_is_told_at_once() -> None:
    port = Scripted([ok(status=401)], auth=BearerAuth("secret"))
    with pytest.raises(NotAuthorizedException, match="renew"):
        run(call(port, get()))
    assert len(port.sent) == 1


def test_many_callers_refused_with_one_token_share_one_renewal() -> None:
    token, together = Token(), threading.Barrier(8)

    def answer(request: Request) -> Response:
        if request.headers["authorization"] == "Bearer secret-0":
            together.wait(10)  # nobody renews before all were refused
            return ok(status=401)
        return ok(b"1")

    port, bodies = Scripted([answer], auth=token), []
    threads = [threading.Thread(target=lambda: bodies.append(run(call(port, get())).body)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (token.renewals, bodies) == (1, [b"1"] * 8)


def test_a_redirect_within_the_origin_is_followed_with_the_credential() -> None:
    port = Scripted([ok(status=302, location="/2/x?a=1"), ok(b"1")], auth=BearerAuth("secret"))
    assert run(call(port, get(query=(("b", "2"),)))).body == b"1"
    assert (port.sent[1].target, port.sent[1].query) == (f"{URL}/2/x?a=1", ())
    assert "authorization" in port.sent[1].headers


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/x",
        "//evil.example/x",
        "http://platform.example/x",
        "https://platform.example:444/x",
        "https://platform.example.evil.example/x",
        "https://user:pass@platform.example/x",
        "https://platform.example@evil.example/x",
        "https://[evil",
        "https://platform.example:port/",
        "\\\\evil.example\\x",
        "",
    ],
)
def test_a_redirect_to_anywhere_else_is_refused(location: str) -> None:
    for request in (get(), post()):
        port = Scripted([ok(status=307, location=location)], auth=BearerAuth("secret"))
        with pytest.raises(ProtocolError):
            run(call(port, request))
        assert len(port.sent) == 1


def test_a_post_is_redirected_only_where_it_stays_a_post() -> None:
    assert run(call(Scripted([ok(status=308, location="/2"), ok(b"1")]), post())).body == b"1"
    with pytest.raises(ProtocolError, match="POST"):
        run(call(Scripted([ok(status=302, location="/2")]), post()))


def test_redirects_end() -> None:
    port = Scripted([lambda request: ok(status=302, location="/again")])
    with pytest.raises(ProtocolError):
        run(call(port, get()))
    assert len(port.sent) == 4


@pytest.mark.parametrize(
    "where", [".evil.example/x", "@evil.example/x", ":444/x", "evil", "//evil.example/x", "https:evil.example"]
)
def test_no_link_of_the_platform_takes_the_token_off_its_origin(where: str) -> None:
    port = Scripted([ok()], auth=BearerAuth("secret"))
    try:
        run(call(port, get(target=where)))
    except ProtocolError:
        assert port.sent == []
    else:
        from ivcap_client._core.addresses import absolute

        assert absolute(port.target, port.sent[0].target).startswith(URL + "/")


def test_a_path_that_repeats_the_prefix_of_the_base_is_not_doubled() -> None:
    from ivcap_client._core.addresses import absolute

    target = Scripted(url="http://127.0.0.1:9/s/secret").target
    assert absolute(target, "/1/x") == "http://127.0.0.1:9/s/secret/1/x"
    assert absolute(target, "/s/secret/1/x") == "http://127.0.0.1:9/s/secret/1/x"
    assert absolute(target, "http://127.0.0.1:9/s/secret/1/x") == "http://127.0.0.1:9/s/secret/1/x"


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-a", "1\r\nx-b: 2"), ("x-a", "1\n2"), ("x-a", "\0"), ("x-a", "é"), ("x a", "1"), ("x:a", "1"), ("", "1")],
)
def test_a_header_that_would_break_the_request_is_refused(name: str, value: str) -> None:
    port = Scripted([ok()])
    with pytest.raises(InvalidInput):
        run(call(port, get(headers={name: value})))
    with pytest.raises(InvalidInput):
        run(call(Scripted([ok()], headers={name: value}), get()))
    assert port.sent == []


def test_a_token_that_would_break_the_request_is_refused_and_not_shown() -> None:
    port = Scripted([ok()], auth=BearerAuth("hush-\n-x"))
    with pytest.raises(InvalidInput) as caught:
        run(call(port, get()))
    assert "hush" not in str(caught.value)


def test_the_token_shows_in_no_error_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    port = Scripted([ok(status=401, body=b"<html>no</html>")], auth=BearerAuth("hush-hush"), headers={"x-key": "hush"})
    with pytest.raises(NotAuthorizedException) as caught:
        run(call(port, get()))
    told = [str(caught.value), repr(caught.value), repr(port.target), repr(port.sent[0]), caplog.text]
    told += traceback.format_exception(caught.value)
    assert not [text for text in told if "hush" in text]


def test_a_refused_stream_is_closed_and_its_error_read() -> None:
    port = Scripted([Stream(b'{"message": "no such job"}', status=404)])
    with pytest.raises(IvcapError, match="no such job"):
        run(open_body(port, get()))
    assert port.closed == 1


@pytest.mark.parametrize("foreign_data", [True, False])
def test_foreign_data_goes_without_the_token_and_only_if_allowed(foreign_data: bool) -> None:
    away = "https://data.example/x?signature=1"
    port = Scripted([ok(b"1")], auth=BearerAuth("secret"), headers={"x-key": "k"}, foreign_data=foreign_data)
    if foreign_data:
        run(open_body(port, get(target=away, foreign=True)))
        assert {"authorization", "x-key"}.isdisjoint(port.sent[0].headers)
    else:
        with pytest.raises(ProtocolError, match="switched off"):
            run(open_body(port, get(target=away, foreign=True)))


@pytest.mark.parametrize(
    ("asked", "foreign"),
    [
        ("http://data.example/x", True),
        ("file:///etc/passwd", True),
        ("ftp://x/y", True),
        ("https://data.example/", False),
    ],
)
def test_foreign_data_is_asked_over_https_alone_and_nothing_else_is_foreign(asked: str, foreign: bool) -> None:
    port = Scripted([ok()])
    with pytest.raises(ProtocolError):
        run(open_body(port, get(target=asked, foreign=foreign)))
    assert port.sent == []


@pytest.mark.parametrize("start", ["/1/blob", "https://data.example/x"])
def test_foreign_data_is_redirected_once(start: str) -> None:
    moved = ok(status=302, location="https://other.example/y")
    port = Scripted([moved, ok(b"1")], auth=BearerAuth("secret"))
    run(open_body(port, get(target=start, foreign=True)))
    assert "authorization" not in port.sent[1].headers
    port = Scripted([moved, ok(status=302, location="https://third.example/z")])
    with pytest.raises(ProtocolError):
        run(open_body(port, get(target=start, foreign=True)))


def test_a_foreign_place_cannot_send_us_back_to_the_platform_or_to_plain_http() -> None:
    for to in (f"{URL}/1/x", "http://other.example/", "file:///etc/passwd"):
        port = Scripted([ok(status=302, location=to)], auth=BearerAuth("secret"))
        with pytest.raises(ProtocolError):
            run(open_body(port, get(target="https://data.example/x", foreign=True)))
        assert len(port.sent) == 1


def test_what_the_unanswered_try_removed_is_removed() -> None:
    delete = Request("DELETE", "/1/x", what="delete x", safe=True)
    for failure in (IvcapConnectionError("lost"), IvcapTimeout("late")):
        assert run(call(Scripted([failure, ok(status=404)]), delete)).status == 204
    for other in (NotConnected("nobody"), ok(status=503)):
        with pytest.raises(ResourceNotFound):
            run(call(Scripted([other, ok(status=404)]), delete))
