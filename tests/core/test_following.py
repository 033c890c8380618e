"""A job is followed to its end, whatever becomes of the stream."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._core import following
from ivcap_client._core.events import Event
from ivcap_client._core.following import Follower
from ivcap_client._core.messages import Request, Response
from ivcap_client._core.port import Retry, run
from ivcap_client.exception import IvcapConnectionError, IvcapError, IvcapTimeout, NotConnected, ResourceNotFound
from tests.core.scripted import JOB, SERVICE, Answer, Scripted, Stream, ok

LOST = IvcapConnectionError("the line broke")


def sse(*events: tuple[int, str]) -> bytes:
    """Numbered events: of a status, or of a step if it is no status."""
    text = ""
    for seq, said in events:
        status = said in ("scheduled", "executing", "succeeded", "failed", "error")
        data = {"status": said} if status else {"name": said}
        kind = "ivcap.job.status" if status else "ivcap.job.event"
        text += f"id: {seq:08}\ndata: {json.dumps({'SeqID': f'{seq:08}', 'Type': kind, 'Data': data})}\n\n"
    return text.encode()


def job(status: str, **more: object) -> Response:
    return ok(json.dumps({"id": JOB, "status": status, "service": SERVICE, **more}).encode())


class OneTry(Scripted):
    """Without retries of single requests, so that scripts stay short."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(answers, retry=Retry(attempts=1))

    def follow(self, *, deadline: float | None = None, follower: Follower | None = None) -> list[str]:
        follower = follower or Follower(SERVICE, JOB)
        found: list[str] = []

        async def work() -> None:
            while (event := await follower.next(self, deadline=deadline)) is not None:
                found.append(event.text)

        try:
            run(work())
        except IvcapTimeout:
            found.append("(time)")
        return found

    @property
    def streams(self) -> list[Request]:
        return [request for request in self.sent if request.target.endswith("/events")]


def test_a_job_is_followed_over_one_stream() -> None:
    port = OneTry(Stream(sse((1, "scheduled"), (2, "step")), sse((3, "succeeded"))))
    assert port.follow() == ["scheduled", "step", "succeeded"]
    assert (len(port.sent), port.closed, port.slept) == (1, 1, [])


def test_a_stream_that_ends_early_is_opened_again_after_the_last_event() -> None:
    port = OneTry(Stream(sse((1, "scheduled"))), Stream(sse((2, "step"), (3, "succeeded"))))
    assert port.follow() == ["scheduled", "step", "succeeded"]
    assert [request.headers.get("last-event-id") for request in port.streams] == [None, "00000001"]
    assert port.closed == 2


def test_events_told_again_after_a_reconnect_are_dropped() -> None:
    port = OneTry(
        Stream(sse((1, "scheduled"), (2, "a")), LOST), Stream(sse((1, "scheduled"), (2, "a"), (3, "succeeded")))
    )
    assert port.follow() == ["scheduled", "a", "succeeded"]


@given(cuts=st.lists(st.integers(0, 8), max_size=6), forgets=st.booleans())
def test_every_event_is_told_once_wherever_the_line_breaks(cuts: list[int], forgets: bool) -> None:
    events = [(n, f"step {n}") for n in range(1, 8)] + [(8, "succeeded")]

    def stream(request: Request, cut: int) -> Stream:
        after = 0 if forgets else int(request.headers.get("last-event-id", "0"))
        return Stream(*(sse(event) for event in events if after < event[0] <= cut), LOST)

    class Line(OneTry):
        def _next(self, request: Request) -> Response | Stream:
            self.sent.append(request)
            if not request.target.endswith("/events"):
                return job("executing")
            return stream(request, left.pop(0) if left else 8)

    left, port = list(cuts), Line()
    found = [text for text in port.follow() if text != "executing"]
    assert found == [text for _, text in events]


@pytest.mark.parametrize("refusal", [ok(status=403), ok(status=404), ok(status=501), ok(status=405), ok(b"{}")])
def test_where_there_is_no_stream_the_status_is_polled(refusal: Response) -> None:
    port = OneTry(refusal, job("scheduled"), job("scheduled"), job("executing"), job("succeeded"))
    follower = Follower(SERVICE, JOB)
    assert port.follow(follower=follower) == ["scheduled", "executing", "succeeded"]
    assert follower.streaming is False
    assert len(port.streams) == 1
    assert port.slept == [0.25 * 1.5**n for n in range(4)]


def test_pauses_between_polls_grow_to_a_bound() -> None:
    port = OneTry(ok(status=403), *[job("executing")] * 12, job("failed"))
    port.follow()
    assert port.slept[1:] == sorted(port.slept[1:])
    assert max(port.slept) == 5.0
    assert sum(port.slept) < 60


@pytest.mark.parametrize("nothing", [Stream(status=204), ok(status=504), ok(status=503), ok(status=429)])
def test_nothing_yet_is_not_the_end_of_streaming(nothing: Answer) -> None:
    port = OneTry(nothing, job("scheduled"), nothing, job("scheduled"), Stream(sse((1, "executing"), (2, "succeeded"))))
    assert port.follow() == ["scheduled", "executing", "succeeded"]
    assert len(port.streams) == 3


def test_a_stream_that_ends_cleanly_without_an_end_of_the_job_is_asked_again_and_then_the_job_itself() -> None:
    port = OneTry(Stream(sse((1, "executing"))), Stream(), job("executing"), Stream(), job("succeeded"))
    assert port.follow() == ["executing", "succeeded"]


def test_what_was_told_last_is_fetched_from_the_stream_even_if_the_job_has_ended_meanwhile() -> None:
    port = OneTry(Stream(sse((1, "executing")), LOST), Stream(sse((2, "last words"), (3, "succeeded"))))
    assert port.follow() == ["executing", "last words", "succeeded"]


def test_a_platform_that_is_away_for_a_while_is_waited_for() -> None:
    away: list[Answer] = [NotConnected("refused")] * 8
    port = OneTry(Stream(sse((1, "executing")), LOST), *away, Stream(sse((2, "succeeded"))))
    assert port.follow() == ["executing", "succeeded"]
    assert port.slept == sorted(port.slept)


def test_a_platform_that_stays_away_is_given_up() -> None:
    class Away(OneTry):
        def _next(self, request: Request) -> Response | Stream:
            raise NotConnected("refused")

    port = Away()
    with pytest.raises(IvcapConnectionError):
        port.follow()
    assert following.PATIENCE <= sum(port.slept) < 2 * following.PATIENCE


def test_a_job_that_is_not_there_is_told_at_once() -> None:
    port = OneTry(ok(status=404), ok(status=404, body=b'{"message": "no such job"}'))
    with pytest.raises(ResourceNotFound, match="no such job"):
        port.follow()


@pytest.mark.parametrize("seconds", [0.05, 1.0, 7.0, 25.0, 60.0, 100.0])
@pytest.mark.parametrize("beat", [None, 0.3, 15.0])
def test_following_stops_at_its_deadline_however_often_the_platform_says_that_it_lives(
    seconds: float, beat: float | None
) -> None:
    class Quiet(OneTry):
        def _next(self, request: Request) -> Response | Stream:
            self.sent.append(request)
            if request.target.endswith("/events"):
                return Stream(*([3600.0] if beat is None else [beat, b": still here\n\n"] * 10_000))
            return job("executing")

    port = Quiet()
    began = port.clock
    assert port.follow(deadline=began + seconds) in (["executing", "(time)"], ["(time)"])
    assert seconds - 1e-6 <= port.clock - began <= seconds + 0.11
    assert len(port.sent) <= 25


def test_following_goes_on_after_its_deadline() -> None:
    class Slow(OneTry):
        def _next(self, request: Request) -> Response | Stream:
            self.sent.append(request)
            if not request.target.endswith("/events"):
                return job("executing")
            if "last-event-id" not in request.headers:
                return Stream(sse((1, "executing")), 3600.0)
            return Stream(max(0.0, 1010.0 - self.clock), sse((2, "succeeded")))

    port = Slow()
    follower = Follower(SERVICE, JOB)
    assert port.follow(deadline=port.clock + 2, follower=follower) == ["executing", "(time)"]
    assert port.follow(deadline=port.clock + 200, follower=follower) == ["succeeded"]


def waited(port: Scripted, timeout: float | None, fresh: bool = False) -> tuple[str, list[str]]:
    told: list[Event] = []
    record = run(following.wait(port, SERVICE, JOB, timeout=timeout, tell=told.append, fresh=fresh))
    return record.status, [event.text for event in told]


def test_waiting_returns_the_ended_job_with_its_result() -> None:
    port = OneTry(
        job("scheduled"), Stream(sse((1, "executing"), (2, "succeeded"))), job("succeeded", **{"result-content": 5})
    )
    record = run(following.wait(port, SERVICE, JOB, timeout=None))
    assert (record.status, record.result, record.has_result) == ("succeeded", 5, True)


def test_waiting_for_a_job_that_has_ended_asks_once() -> None:
    port = OneTry(job("failed"))
    assert waited(port, 10) == ("failed", [])
    assert len(port.sent) == 1


def test_waiting_no_time_at_all_looks_once() -> None:
    assert waited(OneTry(job("executing")), 0) == ("executing", [])
    assert waited(OneTry(job("succeeded")), 0) == ("succeeded", [])


def test_when_the_time_is_over_the_job_is_returned_as_it_was_last_seen() -> None:
    port = OneTry(Stream(sse((1, "scheduled"), (2, "executing")), 3600.0), job("executing"), Stream(3600.0))
    assert waited(port, 5, fresh=True) == ("executing", ["scheduled", "executing"])
    assert port.clock == 1005.0


def test_a_failure_while_waiting_closes_the_stream() -> None:
    port = OneTry(job("scheduled"), Stream(sse((1, "executing"), (2, "succeeded"))))

    def fail(event: Event) -> None:
        raise KeyError(event.text)

    with pytest.raises(KeyError):
        run(following.wait(port, SERVICE, JOB, timeout=None, tell=fail))
    assert port.closed == 1


def test_an_answer_that_never_comes_is_an_error_and_not_a_job_that_runs() -> None:
    with pytest.raises(IvcapError):
        waited(OneTry(IvcapTimeout("no answer")), 10)
