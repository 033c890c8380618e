"""`python -m release.sbom [--out DIR]`: what runs in the package, as CycloneDX, in the locked versions."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from release.bundle import ABOUT, ROOT

UV = (sys.executable, "-m", "uv")


def build(out: Path) -> Path:
    """Write the bill of materials; return its place."""
    out.mkdir(parents=True, exist_ok=True)
    found = out / f"{ABOUT['name']}-{ABOUT['version']}.cdx.json"
    with tempfile.TemporaryDirectory() as place:
        needed = Path(place) / "requirements.txt"
        # Only what runs: the lock file has the developers' tools too, and gives the versions.
        pick = ["pip", "compile", "-q", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
        pick += ["--constraint", "requirements.lock", "pyproject.toml", "-o", str(needed)]
        subprocess.run([*UV, *pick], cwd=ROOT, check=True)
        tell = ["tool", "run", "--quiet", "--from", "cyclonedx-bom>=7", "cyclonedx-py", "requirements", str(needed)]
        tell += ["--pyproject", "pyproject.toml", "--mc-type", "application", "--output-reproducible", "-o", str(found)]
        subprocess.run([*UV, *tell], cwd=ROOT, check=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.sbom", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "dist")
    print(build(parser.parse_args().out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
