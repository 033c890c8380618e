# It runs with the public client and with ours; type checkers find ours under that name.
"""The documented operations, one after the other, said so that both clients understand it.

Before each a request is made that marks where it begins; what each came to is printed at the end.
"""

import contextlib
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ivcap_client import IVCAP

ASKED = json.loads(os.environ["JUDGE"])
URL, WHO = ASKED["url"], ASKED["who"]
ivcap: Any = IVCAP(url=URL, token="any")
SCHEMA, ENTITY = "urn:both:schema:thing.1", f"urn:both:{WHO}"
COLLECTION = f"urn:both:collection:{WHO}"
kept: dict[str, Any] = {}
steps: dict[str, Callable[[], Any]] = {}


def step(work: Callable[[], Any]) -> Callable[[], Any]:
    steps[work.__name__] = work
    return work


@step
def list_services() -> Any:
    return [one.name for one in ivcap.list_services(limit=5, order_by="name")]


@step
def get_service_by_name() -> Any:
    kept["service"] = ivcap.get_service_by_name("plain")
    return kept["service"].id


@step
def service_refresh() -> Any:
    return kept["service"].refresh().name


@step
def service_parameters() -> Any:
    return sorted(kept["service"].parameters), sorted(kept["service"].mandatory_parameters)


@step
def request_model() -> Any:
    return sorted(kept["service"].request_model.model_fields)


@step
def request_job() -> Any:
    kept["job"] = kept["service"].request_job(io.StringIO(json.dumps({"do": "echo", "n": 1})), timeout=15)
    return kept["job"].result["n"]


@step
def job_refresh() -> Any:
    job = kept["job"].refresh()
    return job.finished, str(job.status(refresh=False)).rpartition(".")[2].lower(), job.request_content_type


@step
def upload_artifact() -> Any:
    data = io.BytesIO(b"0123456789")
    kept["artifact"] = ivcap.upload_artifact(
        name="both.bin", io_stream=data, content_type="application/octet-stream", content_size=10
    )
    return kept["artifact"].size, kept["artifact"].mime_type


@step
def upload_empty_artifact() -> Any:
    return ivcap.upload_artifact(name="e.txt", io_stream=io.BytesIO(), content_type="text/plain", content_size=0).size


@step
def get_artifact() -> Any:
    kept["artifact"] = ivcap.get_artifact(kept["artifact"].id)
    return kept["artifact"].name, kept["artifact"].size


@step
def as_local_file() -> Any:
    return kept["artifact"].as_local_file(Path("both.bin")).read_bytes().decode()


@step
def as_stream() -> Any:
    return b"".join(kept["artifact"].as_stream()).decode()


@step
def list_artifacts() -> Any:
    return [one.name for one in ivcap.list_artifacts(filter="name~='both.bin'", limit=1)]


@step
def add_metadata() -> Any:
    kept["artifact"].add_metadata({"$schema": SCHEMA, "quality": "good"})
    return [one.content["quality"] for one in ivcap.list_aspects(entity=kept["artifact"].id, schema=SCHEMA)]


@step
def add_aspect() -> Any:
    kept["aspect"] = ivcap.add_aspect(ENTITY, {"n": 1}, schema=SCHEMA)
    return kept["aspect"].id.startswith("urn:ivcap:aspect:")


@step
def update_aspect() -> Any:
    kept["aspect"] = ivcap.update_aspect(ENTITY, {"n": 2}, schema=SCHEMA)
    return True


@step
def list_aspects() -> Any:
    found = ivcap.list_aspects(entity=ENTITY, schema=SCHEMA, content_path="$.n ? (@ == 2)", limit=3)
    return [one.content["n"] for one in found]


@step
def aspect_refresh() -> Any:
    return kept["aspect"].refresh().content["n"]


@step
def retract_aspect() -> Any:
    kept["aspect"].retract()
    return len(list(ivcap.list_aspects(entity=ENTITY)))


@step
def create_collection() -> Any:
    return ivcap.create_collection(COLLECTION, "Both", description="d").name


@step
def add_to_collection() -> Any:
    return ivcap.add_to_collection(COLLECTION, "urn:both:item").item


@step
def get_collection() -> Any:
    found = ivcap.get_collection(COLLECTION)
    return found.name, [one.item for one in found.items()]


@step
def remove_from_collection() -> Any:
    return ivcap.remove_from_collection(COLLECTION, "urn:both:item")


@step
def retract_collection() -> Any:
    return ivcap.retract_collection(COLLECTION)


@step
def unknown_artifact() -> Any:
    try:
        ivcap.get_artifact("urn:ivcap:artifact:00000000-0000-4000-8000-000000000000")
    except Exception as error:
        return error.status_code  # type: ignore[attr-defined]
    return "found"


def main() -> None:
    told: dict[str, Any] = {}
    for name, work in steps.items():
        with contextlib.suppress(urllib.error.HTTPError):  # nothing is there, but it was seen
            urllib.request.urlopen(f"{URL}/both/{name}", timeout=20)
        try:
            told[name] = work()
        except Exception as error:
            told[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(told))


if __name__ == "__main__":
    main()
