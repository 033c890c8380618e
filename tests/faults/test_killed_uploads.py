"""Uploads whose process is killed go on in another one, and end byte by byte as they should."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.trial import Ground

SIZE = 9 * 1024 * 1024 + 17
"""Two chunks and a little."""

UPLOAD = """
import io, sys, time
from ivcap_client import IVCAP, Artifact

class Held(io.FileIO):
    '''A file that stops giving bytes at a place, and says so.'''
    def read(self, size=-1):
        if self.tell() + max(size, 0) > stop >= 0:
            size = max(stop - self.tell(), 0)
            if not size:
                print("now", flush=True)
                time.sleep(600)
        return super().read(size)

url, urn, path, size, stop = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
told = []
with IVCAP(url, "token") as ivcap, Held(path) as file:
    artifact = Artifact(ivcap, id=urn).fill(file, size=size)
    print(artifact.record.status, artifact.size, flush=True)
"""


def command(ground: Ground, urn: str, file: Path, stop: int) -> list[str]:
    return [sys.executable, "-c", UPLOAD, ground.direct.url, urn, str(file), str(SIZE), str(stop)]


@pytest.mark.parametrize("seed", range(3))
def test_an_upload_whose_process_is_killed_goes_on_in_another(ground: Ground, tmp_path: Path, seed: int) -> None:
    data = random.Random(seed).randbytes(SIZE)
    file = tmp_path / "data.bin"
    file.write_bytes(data)
    artifact = ground.direct.create_artifact(name=f"killed{seed}.bin", size=SIZE)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    for stop in sorted(random.Random(seed).sample(range(SIZE), 2)):
        with subprocess.Popen(
            command(ground, artifact.urn, file, stop), stdout=subprocess.PIPE, text=True, env=environment
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "now\n"
            child.kill()
        arrived = artifact.refresh().record.status
        assert arrived in ("pending", "partial")
    done = subprocess.run(
        command(ground, artifact.urn, file, -1), capture_output=True, text=True, timeout=60, env=environment
    )
    assert (done.stdout, done.stderr) == (f"ready {SIZE}\n", "")
    assert artifact.refresh().as_bytes() == data
