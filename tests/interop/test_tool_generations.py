"""Tools of both library generations on our platform: what they may use, how they end, several in one program, batch."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import IVCAP
from tests.interop.place import DESCRIBE, NEWEST, OLD, REHEARSAL, place, started
from tests.interop.venvs import SCRIPTS
from tests.local.running.test_real_tool import BATCH

GENERATIONS = {"new": NEWEST, "old": OLD}
COLLECTION = "urn:ivcap:collection:66666666-0000-4000-8000-000000000001"
LIMIT = 100.0


@pytest.fixture(scope="module")
def ivcap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IVCAP]:
    """A platform with each program in both generations."""
    home: Path = tmp_path_factory.mktemp("generations")
    services, names = [], []
    sources = {"rehearsal": REHEARSAL.read_text(), "pair": (SCRIPTS / "pair_tool.py").read_text(), "double": BATCH}
    for generation, needs in GENERATIONS.items():
        for name, text in sources.items():
            assert NEWEST in text
            script = home / f"{name}-{generation}.py"
            script.write_text(text.replace(NEWEST, needs))
            services.append(f"{name}-{generation}={script}")
            names.append(f"{name}-{generation}")
    with ExitStack() as stack:
        found = stack.enter_context(place(home, *services))
        said = stack.enter_context(
            started(found.command("platform", "--port", "0"), found.env, r"serves (http://\S+?);", stream="stdout")
        )
        client = stack.enter_context(IVCAP(url=said[1], token="any"))
        for name in names:
            described(client, name)
        yield client


def described(ivcap: IVCAP, name: str) -> None:
    """Wait until a service has been described: its environment may have to be built first."""
    limit = time.monotonic() + DESCRIBE
    while not any(one.name == name and str(one.status()) == "active" for one in ivcap.list_services(limit=None)):
        assert time.monotonic() < limit, f"{name} was not described within {DESCRIBE} s"
        time.sleep(0.2)


def ended(ivcap: IVCAP, service: str, given: dict[str, Any]) -> Any:
    job = ivcap.get_service_by_name(service).request_job(given)
    return job.wait(timeout=LIMIT)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_tool_uses_its_secret_its_inputs_what_it_makes_and_another_service(ivcap: IVCAP, generation: str) -> None:
    def upload(name: str, data: bytes) -> str:
        sent = ivcap.upload_artifact(name=name, io_stream=io.BytesIO(data), content_type="text/plain")
        return str(sent.id)

    given, item, hidden = upload("given", b"given"), upload("item", b"item"), upload("hidden", b"hidden")
    ivcap.update_aspect(COLLECTION, {"name": "c"}, schema="urn:ivcap:schema:collection.1")
    ivcap.update_aspect(
        COLLECTION, {"collection": COLLECTION, "item": item}, schema="urn:ivcap:schema:collection-item.1"
    )
    set_secret(ivcap)
    other = ivcap.get_service_by_name(f"pair-{generation}-some-bytes")
    asked = {"artifact": given, "collection": COLLECTION, "other": other.id, "hidden": [hidden[:30], hidden[30:]]}
    job = ended(ivcap, f"pair-{generation}", asked)
    assert job.succeeded, job.error
    result = job.result
    assert (result["secret"], result["text"], result["items"], result["notes"]) == (6, "given", ["item"], [2])
    assert result["answer"].endswith("SUCCEEDED")
    assert len(result["refused"]) == 2
    stated = {one.schema for one in ivcap.list_aspects(entity=result["made"], limit=None)}
    assert {"urn:ivcap:schema.artifact.1", "urn:test:schema:note.1"} <= stated
    used = ivcap.list_aspects(entity=given, schema="urn:ivcap:schema:artifact-usedBy-order.1")
    assert job.id in [one.content["job"] for one in used]
    (child,) = [one for one in ivcap.list_jobs(limit=50) if str(one.service) == other.id][:1]
    assert child.succeeded


def set_secret(ivcap: IVCAP) -> None:
    import httpx

    told = {"secret-name": "judged-key", "secret-value": "sesame", "expiry-time": 0}
    assert httpx.post(f"{ivcap.url}/1/secrets", json=told, timeout=LIMIT).status_code == 204


@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_tool_of_a_program_is_a_service(ivcap: IVCAP, generation: str) -> None:
    job = ended(ivcap, f"pair-{generation}-some-bytes", {"count": 2})
    assert job.succeeded, job.error
    made = ivcap.list_aspects(entity=job.id, schema="urn:ivcap:schema:order-produced-artifact.1")
    (artifact,) = [ivcap.get_artifact(one.content["artifact"]) for one in made]
    assert artifact.mime_type == "application/octet-stream"
    assert b"".join(artifact.as_stream()) == b"\x00\xff\x00\xff"


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        ("value_error", "failed", "the input was refused, as asked"),
        ("exception", "failed", "the job failed, as asked"),
        ("none", "failed", "result"),
        ("falsy", "failed", "result"),
        ("die", "error", "exit code 9"),
        ("unheard-of", "failed", "outcome"),
        ("text", "succeeded", ""),
        ("bytes", "succeeded", ""),
        ("image", "succeeded", ""),
        ("list", "succeeded", ""),
        ("number", "succeeded", ""),
        ("artifact", "succeeded", ""),
    ],
)
def test_a_tool_ends_as_the_contract_says(ivcap: IVCAP, generation: str, outcome: str, status: str, told: str) -> None:
    job = ended(ivcap, f"rehearsal-{generation}", {"outcome": outcome, "size_mb": 0.01})
    assert job.status(refresh=False).value == status
    assert told in str(job.error or "")
    assert "Traceback" not in str(job.error or "")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_batch_program_fetches_its_job(ivcap: IVCAP, generation: str) -> None:
    assert ended(ivcap, f"double-{generation}", {"number": 4}).result["doubled"] == 8
    assert "unlucky" in str(ended(ivcap, f"double-{generation}", {"number": 13}).error)
