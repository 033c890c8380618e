"""The journal: on disk before anything is ordered, readable by others, unharmed by half lines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp.submissions import (
    KEPT,
    Attached,
    Journal,
    Ordering,
    Submission,
    Unsettled,
    canonical_hash,
    submission,
)

SERVICE = "urn:ivcap:service:1"


def test_an_order_is_found_again_by_submission_and_by_job(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    intent = submission("https://x", "me", SERVICE, {"a": 1})
    journal.intend(intent)
    journal.ordered(intent, "urn:ivcap:job:1")
    again = Journal(tmp_path / "state")
    assert again.job_of(intent.id) == "urn:ivcap:job:1"
    assert again.service_of("urn:ivcap:job:1") == SERVICE
    assert again.job_of("other") is None


def test_a_line_cut_off_by_a_crash_is_skipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    intent = submission("https://x", "me", SERVICE, {})
    journal.intend(intent)
    with journal.path.open("ab") as file:
        file.write(b'{"submission": "half\n')
    journal.ordered(intent, "urn:ivcap:job:2")
    assert journal.job_of(intent.id) == "urn:ivcap:job:2"


def test_a_line_after_one_that_was_cut_off_is_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    intent = submission("https://x", "me", SERVICE, {})
    journal.intend(intent)
    with journal.path.open("ab") as file:
        file.write(b'{"submission": "half')
    journal.ordered(intent, "urn:ivcap:job:2")
    assert journal.job_of(intent.id) == "urn:ivcap:job:2"


def test_a_line_that_does_not_fit_is_an_error_and_spoils_no_later_one(tmp_path: Path) -> None:
    code = (
        "import resource, sys, pathlib; from ivcap_mcp.submissions import Journal, submission\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))\n"
        "journal = Journal(pathlib.Path(sys.argv[1])); intent = submission('https://x', 'me', 'urn:s', {})\n"
        "journal.intend(intent)\n"
        "try: journal.intend(intent)\n"
        "except OSError: print('refused')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "journal.ordered(intent, 'urn:ivcap:job:3'); print(journal.job_of(intent.id))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert ran.stdout.split() == ["refused", "urn:ivcap:job:3"], ran.stderr


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    journal.note("urn:ivcap:job:1", "handle")
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_gives_the_same_order_for_the_same_identity_only() -> None:
    def order(identity: str, key: str | None) -> str:
        return submission("https://x", identity, SERVICE, {}, key).order

    assert order("me", "k") == order("me", "k")
    assert order("me", "k") != order("you", "k")
    assert order("me", None) != order("me", None)


def test_the_input_hash_does_not_depend_on_the_order_of_keys() -> None:
    one = submission("https://x", "me", SERVICE, {"a": 1, "b": [2]})
    two = submission("https://x", "me", SERVICE, {"b": [2], "a": 1})
    assert one.input_hash == two.input_hash


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(OSError):  # noqa: PT011 - which of its kinds depends on the system
        Journal(tmp_path / "state").note("urn:ivcap:job:1", "handle")


def intent_of(journal: Journal, body: object = None, **more: object) -> Submission:
    begun = journal.begin(submission("https://x", "me", SERVICE, body, lasts=60), **more)  # type: ignore[arg-type]
    assert isinstance(begun, Ordering)
    return begun.intent


def test_a_half_written_line_at_the_end_harms_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    one = intent_of(journal, 1)
    with journal.path.open("ab") as file:
        file.write(b'{"submission": "ha')
    journal.ordered(one, "urn:ivcap:job:1")
    assert Journal(tmp_path).job_of(one.id) == "urn:ivcap:job:1"


def test_it_stays_short_and_forgets_what_is_old_while_others_write(tmp_path: Path) -> None:
    journal, other = Journal(tmp_path, compact_at=20_000), Journal(tmp_path, compact_at=10**9)
    old = replace(submission("https://x", "me", SERVICE, "old"), t0=time.time() - KEPT - 10)
    journal.intend(old)
    journal.ordered(old, "urn:ivcap:job:old")
    open_one = intent_of(other, "open")
    kept = []
    for number in range(60):
        intent = intent_of(journal, number)
        journal.ordered(intent, f"urn:ivcap:job:{number}")
        for _ in range(8):
            other.note(f"urn:ivcap:job:{number}", "handle")
        other.note(f"urn:ivcap:job:{number}", "delivered")
        kept.append(intent)
    assert journal.path.stat().st_size < 60_000
    for reader in (journal, other, Journal(tmp_path)):
        assert reader.job_of(old.id) is None
        assert [reader.job_of(intent.id) for intent in kept] == [f"urn:ivcap:job:{n}" for n in range(60)]
        entry = reader.of(open_one.id)
        assert entry is not None
        assert (entry.state, entry.job) == ("open", None)
        last = reader.of_job("urn:ivcap:job:3")
        assert last is not None
        assert last.note == "delivered"
    assert not list(tmp_path.glob("submissions.jsonl.*"))


WRITER = """
import sys, pathlib
from ivcap_mcp.submissions import Journal, submission
journal = Journal(pathlib.Path(sys.argv[1]), compact_at=4000)
for number in range(40):
    begun = journal.begin(submission("https://x", "me", "urn:ivcap:service:1", [sys.argv[2], number], lasts=60))
    journal.ordered(begun.intent, f"urn:ivcap:job:{sys.argv[2]}-{number}")
    print(begun.intent.id, flush=True)
"""


def test_several_processes_lose_no_line_to_each_other_nor_to_compaction(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    told = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    journal = Journal(tmp_path)
    for n, ids in enumerate(told):
        assert [journal.job_of(one) for one in ids] == [f"urn:ivcap:job:{n}-{number}" for number in range(40)]


def test_a_call_is_cut_off_when_its_server_dies_and_not_before(tmp_path: Path) -> None:
    one, two = Journal(tmp_path), Journal(tmp_path)
    intent = intent_of(one, "same")
    one.ordered(intent, "urn:ivcap:job:1")
    assert isinstance(two.begin(submission("https://x", "me", SERVICE, "same", lasts=60)), Ordering)
    one.close()
    begun = two.begin(submission("https://x", "me", SERVICE, "same", lasts=60))
    assert begun == Attached("urn:ivcap:job:1", "reply")
    assert isinstance(two.begin(submission("https://x", "me", SERVICE, "same", lasts=60)), Ordering)
    assert list((tmp_path / "servers").iterdir())
    two.close()
    assert not list((tmp_path / "servers").iterdir())


def test_a_crash_with_an_open_intent_must_be_settled_first(tmp_path: Path) -> None:
    one, two = Journal(tmp_path), Journal(tmp_path)
    intent = intent_of(one, "same")
    one.close()
    again = two.begin(submission("https://x", "me", SERVICE, "same", lasts=60))
    assert again == Unsettled(intent, busy=False)
    assert two.unsettled("https://x", "me") == [intent]
    anew = intent_of(two, "same", resubmit=True)
    assert anew.order == intent.order
    two.ordered(anew, "urn:ivcap:job:2")
    assert two.job_of(intent.id) == "urn:ivcap:job:2"


def test_a_job_belongs_to_one_submission(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    one, two = intent_of(journal, "a"), intent_of(journal, "b")
    assert journal.claim(one, "urn:ivcap:job:1", "content")
    assert journal.claim(one, "urn:ivcap:job:1", "content")
    assert not journal.claim(two, "urn:ivcap:job:1", "content")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_input_hash_survives_that_a_platform_writes_the_request_anew(body: object) -> None:
    assert canonical_hash(json.loads(json.dumps(body))) == canonical_hash(body)
