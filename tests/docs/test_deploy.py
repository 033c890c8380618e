"""The files in `docs/deploy` name only what there is, agree with each other, and keep what the page promises."""

from __future__ import annotations

import re
import shlex

import pytest

from ivcap_client import __version__
from ivcap_mcp.cli.main import parser
from tests.docs.pages import DOCS, ROOT

DEPLOY = DOCS / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
KUBERNETES = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
UNIT = (DEPLOY / "ivcap-mcp.service").read_text(encoding="utf-8")
PAGE = (DOCS / "guides" / "deploy.md").read_text(encoding="utf-8")


def entry() -> list[str]:
    (found,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", DOCKERFILE, re.MULTILINE)
    return re.findall(r'"([^"]+)"', found)[1:]


def commands() -> dict[str, list[str]]:
    """The command lines, without the program."""
    arguments = re.findall(r"^            - (--\S+)$", KUBERNETES, re.MULTILINE)
    (composed,) = re.findall(r"^    command: \[(.*)\]$", COMPOSE, re.MULTILINE)
    (started,) = re.findall(r"^ExecStart=\S+ (.*)$", UNIT, re.MULTILINE)
    return {
        "image": entry(),
        "kubernetes": [*entry(), *arguments],
        "compose": [*entry(), *re.findall(r'"([^"]+)"', composed)],
        "systemd": shlex.split(started),
    }


@pytest.mark.parametrize("name", commands())
def test_a_command_line_is_one_that_the_server_takes(name: str) -> None:
    given = parser().parse_args(commands()[name])
    assert given.command == "serve"
    assert given.transport == "http"
    assert given.port == 8000


def test_every_variable_is_one_that_is_read() -> None:
    known = set(re.findall(r"^\| `(IVCAP_[A-Z_]+)` \|", (DOCS / "reference" / "cli.md").read_text(), re.MULTILINE))
    for text in (DOCKERFILE, KUBERNETES, COMPOSE, UNIT):
        assert set(re.findall(r"\b(IVCAP_[A-Z_]+)\b", text)) <= known


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    (uid,) = set(re.findall(r"\b(\d{5})\b", re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)[0]))
    assert set(re.findall(r"runAs(?:User|Group): (\d+)", KUBERNETES)) == {uid}
    assert f"fsGroup: {uid}" in KUBERNETES
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/healthz" in DOCKERFILE
    assert "latest" not in DOCKERFILE + KUBERNETES + COMPOSE


@pytest.mark.parametrize(
    "kept",
    [
        "readOnlyRootFilesystem: true", "runAsNonRoot: true", "allowPrivilegeEscalation: false", "drop: [ALL]",
        "seccompProfile: {type: RuntimeDefault}", "automountServiceAccountToken: false", "livenessProbe:",
        "readinessProbe:", "startupProbe:", "limits: {cpu:", "kind: NetworkPolicy", "kind: PodDisruptionBudget",
        "policyTypes: [Ingress, Egress]",
    ],
)  # fmt: skip
def test_the_manifest_keeps(kept: str) -> None:
    assert kept in KUBERNETES


def test_what_is_written_to_is_what_is_mounted() -> None:
    written = set(re.findall(r"IVCAP_(?:STATE|CACHE|CONFIG)_DIR=(/[\w-]+/[\w-]+/[\w-]+)", DOCKERFILE))
    assert written == {"/var/lib/ivcap-mcp"}
    assert "mountPath: /var/lib/ivcap-mcp}" in KUBERNETES
    assert "state:/var/lib/ivcap-mcp" in COMPOSE
    assert "read_only: true" in COMPOSE


def test_the_image_holds_the_versions_of_the_lock_file() -> None:
    assert "requirements.lock" in DOCKERFILE
    lines = (ROOT / "requirements.lock").read_text().splitlines()[:4]
    for line in lines:  # as the image's `sed` leaves it
        bare = re.sub(r"\s*\\$", "", re.sub(r"\s*--hash=[^ ]*", "", line))
        assert re.fullmatch(r"[\w.-]+==[^ ]+( ;.*)?|\s*|\s+#.*", bare), bare


def test_the_version_is_the_one_of_the_package() -> None:
    named = set(re.findall(r"ivcap-mcp:(\d+\.\d+\.\d+)", KUBERNETES + COMPOSE + PAGE))
    assert named == {__version__}


@pytest.mark.parametrize("name", ["Dockerfile", "kubernetes.yaml", "compose.yaml", "ivcap-mcp.service"])
def test_the_page_includes_the_file(name: str) -> None:
    assert f'--8<-- "docs/deploy/{name}"' in PAGE
