"""The journal: on disk before anything is ordered, readable by others, unharmed by half lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ivcap_mcp.submissions import Journal, submission

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
