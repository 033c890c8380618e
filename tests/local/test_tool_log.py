"""What is shown of a tool's log when its process died: what says why, not who called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._local.failures import process_ended
from ivcap_client._local.tool_log import own_words, tail, telling_lines

OWN = [
    "2026-11-22T09:26:10+0000 INFO (uvicorn): Started server process [11630]",
    "2026-11-22T09:26:10+0000 INFO (uvicorn): Uvicorn running on http://127.0.0.1:34273 (Press CTRL+C to quit)",
    "2026-11-22T09:26:10+0000 INFO (wrapper): starting job //jobs/0b23 - timeout: 5 seconds",
    '2026-11-22T09:26:10+0000 INFO (access): "POST / HTTP/1.1" 200 OK',
    "2026-11-22T09:26:10+0000 DEBUG (app.httpx): 0b23: Instrumenting 'httpx' request to http://127.0.0.1:1/s/x",
    '2026-11-22T09:26:10+0000 INFO (httpx): HTTP Request: POST http://127.0.0.1:1/s/x "HTTP/1.1 204 No Content"',
    'INFO:     127.0.0.1:41234 - "GET /_healtz HTTP/1.1" 200 OK',
    '127.0.0.1 - - [22/Nov/2026 09:26:10] "GET /_healtz HTTP/1.1" 200 -',
]
TRACEBACK = [
    "Traceback (most recent call last):",
    *(f'  File "/tool/{name}.py", line {at}, in {name}' for at, name in enumerate(("main", "read", "parse", "cell"))),
    "    raise MemoryError",
    "MemoryError: cannot have 8 GiB",
]


def told(*lines: str) -> list[str]:
    return telling_lines("\n".join(lines))


def test_access_lines_and_the_librarys_own_are_left_out_and_its_warnings_are_not() -> None:
    worry = "2026-11-22T09:26:10+0000 WARNING (httpx): the connection broke"
    assert told("loading the model", *OWN, worry, *OWN) == ["loading the model", worry]
    assert told(*OWN) == []


def test_of_a_jobs_output_the_tools_own_words_are_left() -> None:
    event = '2026-11-22T09:26:10+0000 DEBUG (app.event): 0b23: {"name": "step 1"}'
    said = ["2026-11-22T09:26:10+0000 INFO (app): 12 rows are left", "text", "  indented", ""]
    failed = "2026-11-22T09:26:10+0000 ERROR (executor): while executing 0b23 - KeyError: 'x'"
    lines = [OWN[0], said[0], event, *said[1:], *OWN, failed]
    assert own_words("\n".join(lines)) == "\n".join([*said, failed])


def test_a_traceback_counts_by_its_end_whatever_comes_after_it() -> None:
    found = told(*TRACEBACK, *OWN, "Segmentation fault")
    assert found[-2:] == ["MemoryError: cannot have 8 GiB", "Segmentation fault"]
    assert "in cell" in "".join(found)
    many = told(*TRACEBACK, *(f"note {number}" for number in range(50)))
    assert "MemoryError: cannot have 8 GiB" in many
    assert len(many) <= 9


@given(st.lists(st.sampled_from([*OWN, *TRACEBACK, "a", "", "  b"]), max_size=30))
def test_the_lines_shown_are_few_and_are_lines_of_the_log(lines: list[str]) -> None:
    found = telling_lines("\n".join(lines))
    assert len(found) <= 9
    assert set(found) <= set(lines)
    assert not set(found) & set(OWN)


def test_only_the_log_of_the_process_itself_counts_and_its_address_is_not_shown(tmp_path: Path) -> None:
    log = tmp_path / "tool.log"
    log.write_text("an older process\n")
    since = log.stat().st_size
    with log.open("a") as file:
        file.write("reports to http://127.0.0.1:123/s/SeCrEt-token_1/x\n")
    assert tail(log, since) == "reports to http://127.0.0.1:123/s/…/x"
    assert "an older process" in tail(log, 10_000)
    assert tail(tmp_path / "none.log") == ""


@pytest.mark.parametrize(
    ("code", "words"), [(9, "exit code 9)"), (137, "exit code 137, ended by SIGKILL)"), (255, "exit code 255)")]
)
def test_a_signal_is_named_and_silence_is_said(code: int, words: str) -> None:
    assert words in process_ended("co2", code, "")
    assert "said nothing" in process_ended("co2", code, "")
    assert process_ended("co2", code, "MemoryError").endswith("Its last output:\nMemoryError")
