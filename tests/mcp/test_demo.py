"""The main job from end to end: the same walk over stdio and over HTTP, in both protocol eras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ivcap_client.platform import stop_platform
from ivcap_mcp import examples
from ivcap_mcp.cli import demo
from tests.mcp.clients import Served
from tests.mcp.commands import ivcap_mcp

CO2 = str(examples.path("co2_trend.py"))
ROOT = str(examples.path(demo.DATA).parent)


@pytest.fixture
def co2(base: Path, tmp_path: Path) -> Served:
    return Served(base, tmp_path, [CO2])


@pytest.mark.anyio
async def test_the_walk_over_stdio(co2: Served, mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with co2.stdio(mode, "--allow-root", ROOT) as client:
        found = await demo.walk(client, tmp_path)
    assert found["seasonal_maximum_month"] == "May"
    assert (tmp_path / "co2_trend.png").read_bytes().startswith(b"\x89PNG")
    assert "Drawing the plot" in capsys.readouterr().out


@pytest.mark.anyio
async def test_a_walk_over_http_cannot_upload_by_path_and_uploads_text_instead(
    co2: Served, mode: str, tmp_path: Path
) -> None:
    co2.extra.clear()  # no files of this machine over HTTP
    async with co2.http(mode) as client:
        await demo._tools(client)
        refused = await client.call_tool("upload_artifact", {"path": str(examples.path(demo.DATA))})
        assert refused.is_error
        text = examples.path(demo.DATA).read_text()
        made = await client.call_tool("upload_artifact", {"name": "co2.csv", "text": text})
        series = made.structured_content["artifact"]
        steps: list[float] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            steps.append(progress)

        result = await client.call_tool("co2_trend", {"series": series}, progress_callback=on_progress)
        found = await demo._finished(client, result, on_progress)
        assert found["points_missing"] == 59
        assert steps == sorted(set(steps))
        assert len(steps) > 3
        plot = await client.read_resource(found["plot"])
        assert plot.contents[0].mime_type == "image/png"


def test_the_command_runs_every_step_and_ends_with_0(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ivcap_mcp", "demo", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        env=dict(os.environ),
    )
    stop_platform(tmp_path / "out" / "store", force=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for number in range(1, 9):
        assert f"\n{number}. " in ran.stdout
    assert '"mcpServers"' in ran.stdout
    assert ran.stderr == ""


def test_a_demo_that_cannot_do_a_step_says_so_and_ends_with_1(tmp_path: Path) -> None:
    blocked = tmp_path / "out"
    blocked.mkdir()
    (blocked / "store").write_text("a file where the store should be")
    ran = ivcap_mcp("demo", "--out", str(blocked))
    assert ran.returncode == 1
    assert "The demo stopped" in ran.stderr
    assert "Traceback" not in ran.stderr
