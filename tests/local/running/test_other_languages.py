"""A tool written in something else than Python, described in `services/*.toml`, and how little it is given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ivcap_client._local import secrets_kept, standing
from ivcap_client._local.job_output import output
from ivcap_client._local.secrets_kept import Secret
from tests.local.running.desk import Desk, secret_of

TOOLS = Path(__file__).parent.parent / "tools"


def test_a_shell_script_is_a_tool(desk: Desk) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the script asks with curl")
    services = desk.base / "services"
    services.mkdir(parents=True)
    (services / "shell.toml").write_text(f'command = ["sh", "{TOOLS / "batch_tool.sh"}"]\nkind = "batch"\n')
    (spec,) = standing.trusted(desk.base)
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


@pytest.mark.parametrize("secret", ["a plain secret", 'with "quotes" and ümlaut'])
def test_what_a_tool_was_told_in_confidence_is_kept_nowhere(desk: Desk, secret: str) -> None:
    secrets_kept.keep(desk.base.resolve(), Secret("key", secret))
    keen = desk.service("keen", secrets=("key",))
    large, small, failed = (desk.run(keen, do="slip", **asked) for asked in ({"times": 40}, {}, {"fail": True}))
    assert len(desk.result(large)) == 40  # 2.6 MB, stored as they come
    assert {one.rpartition("x")[2] for one in desk.result(large) + desk.result(small)} == {"***"}
    assert failed.error_message == "RuntimeError: ***"
    told = [event["Data"]["name"] for event in desk.store.jobs.events(small) if "name" in event["Data"]]
    assert told == ["***"]
    seen = [path for path in desk.base.rglob("*") if path.is_file()]
    spelled = {secret.encode(), json.dumps(secret)[1:-1].encode()}
    assert [path for path in seen if any(word in path.read_bytes() for word in spelled)] == []
    assert (desk.base / ".ivcap" / "logs" / "keen.log").read_text().count("***") == 3
