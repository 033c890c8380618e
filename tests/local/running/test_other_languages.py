"""A tool written in something else than Python, described in `services/*.toml`, and how little it is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivcap_client._local import specs
from ivcap_client._local.job_output import output
from tests.local.running.desk import Desk, secret_of

TOOLS = Path(__file__).parent.parent / "tools"


def test_a_shell_script_is_a_tool(desk: Desk) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the script asks with curl")
    services = desk.base / "services"
    services.mkdir(parents=True)
    (services / "shell.toml").write_text(f'command = ["sh", "{TOOLS / "batch_tool.sh"}"]\nkind = "batch"\n')
    (spec,) = specs.standing(desk.base, trusted=True)
    job = desk.run(spec, word="hello")
    assert job.status == "succeeded", job.error_message
    assert desk.result(job) == {"said": "hello"}
    assert "half way" in str(desk.store.jobs.events(job))
    # It printed the address it reports to; neither the log nor what is shown of it has its secret part.
    (log,) = (desk.base / ".ivcap" / "logs").glob("shell.log")
    assert "/s/***" in log.read_text()
    told = output(desk.store, job)
    assert told is not None
    assert "/s/***" in told.text


def test_a_tool_gets_nothing_of_its_users_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "MY_PASSWORD", "HTTPS_PROXY", "PYTHONPATH", "ANYTHING"):
        monkeypatch.setenv(name, "secret")
    found = desk.result(desk.run(desk.service(env={"WANTED": "yes"}), do="environment"))
    assert found["WANTED"] == "yes"
    assert "PATH" in found
    assert "secret" not in {value for name, value in found.items()}


def test_a_secret_a_tool_lets_slip_is_not_kept(desk: Desk) -> None:
    job = desk.run(do="environment")
    secret = secret_of(desk.result(job)["pid"])
    kept = b"".join(path.read_bytes() for path in (desk.base / ".ivcap" / "jobs").iterdir())
    assert b"/s/***" in kept
    assert secret.encode() not in kept
