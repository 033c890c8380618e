"""Progress rises whatever a service tells."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ivcap_client import Event
from ivcap_mcp.progress import MOST_A_SECOND, MOST_MESSAGE, Progress, Telling

numbers = st.one_of(
    st.none(),
    st.just(10**400),
    st.integers(-5, 50),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=3),
)
options = st.fixed_dictionaries(
    {},
    optional={
        "progress": numbers,
        "processed": numbers,
        "total": numbers,
        "percentage": numbers,
        "message": st.one_of(st.none(), st.text(max_size=400)),
    },
)
data = st.one_of(
    st.none(),
    st.lists(st.integers()),
    st.fixed_dictionaries({"name": st.text(max_size=20), "options": st.one_of(st.none(), options)}),
)


def event(payload: Any) -> Event:
    return Event("1", "ivcap.job.event", "urn:ivcap:schema:service.event.generic.1", payload)


@given(st.lists(data, max_size=60))
def test_values_strictly_rise_below_the_total_and_messages_are_short(told: list[Any]) -> None:
    progress = Progress()
    steps = [progress.of(event(payload)) for payload in told]
    values = [step.progress for step in steps]
    assert values == sorted(set(values))
    assert all(step.total in (None, 100.0) for step in steps)
    assert all(step.total is None or step.progress < step.total for step in steps)
    assert all(len(step.message) <= MOST_MESSAGE for step in steps)


def test_a_total_once_told_stays_and_the_end_is_100() -> None:
    progress = Progress()
    assert progress.of(event({"name": "a", "options": {}})).total is None
    half = progress.of(event({"name": "a", "options": {"progress": 2, "total": 4}}))
    assert (half.progress, half.total) == (49.5, 100.0)
    back = progress.of(event({"name": "b", "options": {"progress": 0, "total": 4}}))
    assert back.progress > half.progress
    end = progress.of(Event("9", "ivcap.job.status", "", {"status": "succeeded"}))
    assert (end.progress, end.message) == (100.0, "succeeded")


def test_the_text_is_the_message_else_the_error_else_the_name_else_the_kind() -> None:
    def text(payload: Any) -> str:
        return Progress().of(event(payload)).message

    assert text({"name": "n", "options": {"message": "m"}}) == "m"
    assert text({"name": "n", "options": {"msg": "short"}}) == "short"
    assert text({"error": "broke", "context": "c", "stacktrace": ["secret"]}) == "broke"
    assert text({"name": "n", "options": None}) == "n"
    assert text({"context": "c"}) == "c"
    assert text({}) == "service.event.generic"


happenings = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 25)),  # seconds since the one before
        st.one_of(data, st.text(max_size=20)),  # what a job told, or words of ours
        st.sampled_from([0.0, 0.0, 0.02, 0.7]),  # seconds that sending takes the client
    ),
    max_size=80,
)


@given(happenings)
def test_messages_rise_are_no_flood_and_leave_no_silence_in_every_interleaving(story: list[Any]) -> None:
    """What `Request` does with a `Telling`, on a clock that only this test moves."""
    now, sent, told = 0.0, [0.0], []
    telling = Telling(now)

    def speak(until: float, slow: float = 0.0, *, last: bool = False) -> None:
        nonlocal now
        while (due := telling.due(now, last=last)) <= until - now:
            now += due
            step = telling.take(now, last=last)
            assert step is not None
            sent.append(now)
            told.append(step)
            now += slow
        now = max(now, min(until, 1e9))

    words = 0
    for pause, happening, slow in story:
        speak(now + pause, slow)
        if isinstance(happening, str):
            telling.say(happening)
            words += 1
        else:
            telling.hear(event(happening))
    speak(now + 5, last=True)
    telling.end()
    assert telling.due(now + 100) == float("inf")
    values = [step.progress for step in told]
    assert values == sorted(set(values))
    times = sent[1:]
    assert all(later - first >= 1 - 1e-9 for first, later in zip(times, times[MOST_A_SECOND:], strict=False))
    longest = max([0.0, *(one[2] for one in story)])
    assert all(b - a <= 10 + longest for a, b in zip(sent, times, strict=False))
    assert len(told) >= words


def test_what_is_told_after_the_end_is_not_sent_since_nothing_could_rise() -> None:
    telling = Telling(0.0)
    telling.hear(event({"options": {"progress": 1, "total": 2}}))
    telling.take(1.0)
    telling.hear(Event("9", "ivcap.job.status", "", {"status": "succeeded"}))
    telling.hear(event({"options": {"progress": 1, "total": 2}}))
    telling.say("reading the result")
    sent = [step.progress for now in range(60) if (step := telling.take(float(now))) is not None]
    assert sent[-1] == 100
    assert all(later > earlier for earlier, later in pairwise(sent))
    assert telling.due(100.0) == float("inf")


def test_only_the_newest_event_is_kept_while_nothing_may_be_sent() -> None:
    telling = Telling(0.0)
    telling.say("first")
    assert telling.take(0.0) is not None
    for number in range(50):
        telling.hear(event({"name": f"step {number}"}))
    assert telling.take(0.05) is None
    step = telling.take(0.1)
    assert step is not None
    assert step.message == "step 49"
    assert telling.take(0.3) is None
