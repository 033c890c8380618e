"""Progress rises whatever a service tells."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ivcap_client import Event
from ivcap_mcp.progress import MOST_MESSAGE, Progress

numbers = st.one_of(st.none(), st.integers(-5, 50), st.floats(allow_nan=True, allow_infinity=True), st.text(max_size=3))
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
