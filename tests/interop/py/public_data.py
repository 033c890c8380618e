# It runs with the public client; type checkers do not find what lies beside it.
# mypy: disable-error-code="import-not-found, untyped-decorator"
"""The public client's calls for artifacts, aspects and collections. Each claim runs on its own."""

import io
import tarfile
from pathlib import Path
from typing import Any

from public_client import NOWHERE, claim, ivcap, judge, status_of

from ivcap_client import TarMember

SCHEMA = "urn:ivcap-mcp:schema:judged.1"


@claim
def a_file_is_uploaded_and_read_back_in_every_way() -> None:
    data = bytes(range(256)) * 5000
    Path("data.bin").write_bytes(data)
    sent = ivcap.upload_artifact(name="data.bin", file_path="data.bin", content_type="application/octet-stream")
    assert sent.id.startswith("urn:ivcap:artifact:")
    artifact = ivcap.get_artifact(sent.id)
    assert (artifact.name, artifact.size, artifact.mime_type) == ("data.bin", len(data), "application/octet-stream")
    assert artifact.status == "ready"
    with artifact.open() as file:
        assert file.read() == data
    assert b"".join(artifact.as_stream(100_000)) == data
    assert artifact.as_local_file(Path("again.bin")).read_bytes() == data
    with artifact.as_local_file() as path:
        assert path.read_bytes() == data
    assert artifact.etag


@claim
def a_file_that_was_uploaded_is_known_again() -> None:
    Path("known.csv").write_text("a,b\n1,2\n")
    first = ivcap.upload_artifact(name="known.csv", file_path="known.csv")
    assert first.mime_type == "text/csv"
    assert ivcap.upload_artifact(name="known.csv", file_path="known.csv").id == first.id
    known = ivcap.artifact_for_file("known.csv")
    assert known is not None
    assert known.id == first.id
    assert ivcap.upload_artifact(name="known.csv", file_path="known.csv", force_upload=True).id != first.id


@claim
def a_file_is_uploaded_in_chunks() -> None:
    Path("chunks.bin").write_bytes(b"0123456789" * 50_000)
    sent = ivcap.upload_artifact(file_path="chunks.bin", content_type="application/octet-stream", chunk_size=100_000)
    assert b"".join(ivcap.get_artifact(sent.id).as_stream()) == b"0123456789" * 50_000


@claim
def a_stream_is_uploaded() -> None:
    data = b"x,y\n1,2\n"
    sent = ivcap.upload_artifact(
        name="s.csv", io_stream=io.BytesIO(data), content_type="text/csv", content_size=len(data)
    )
    assert ivcap.get_artifact(sent.id).open().read() == data
    assert ivcap.get_artifact(sent.id).as_data_url().startswith("data:text/csv;base64,")


@claim
def a_tar_archive_is_uploaded_as_it_is_written_and_unpacked_again() -> None:
    Path("one.txt").write_text("one")
    members = [TarMember.from_file("one.txt"), TarMember.from_bytes(b"two", "deep/two.txt")]
    sent = ivcap.upload_tar_artifact(members, name="both.tgz")
    artifact = ivcap.get_artifact(sent.id)
    assert artifact.status == "ready"
    assert artifact.is_tar_file
    with tarfile.open(fileobj=io.BytesIO(artifact.open().read())) as archive:
        assert sorted(archive.getnames()) == ["deep/two.txt", "one.txt"]
    place = artifact.untar(Path("unpacked"))
    assert (place / "deep" / "two.txt").read_text() == "two"


def small(name: str) -> Any:
    """An artifact of one byte."""
    return ivcap.upload_artifact(name=name, io_stream=io.BytesIO(b"1"), content_type="text/plain", content_size=1)


@claim
def artifacts_are_listed() -> None:
    sent = {small(f"many-{number}").id for number in range(3)}
    assert sent <= {one.id for one in ivcap.list_artifacts(limit=None)}
    assert len(list(ivcap.list_artifacts(limit=2))) == 2
    assert {one.id for one in ivcap.list_artifacts(filter="name~='many-%'", limit=None)} == sent


@claim
def an_artifact_carries_metadata() -> None:
    artifact = ivcap.get_artifact(small("m").id)
    artifact.add_metadata({"$schema": SCHEMA, "quality": "good"})
    stated = [one for one in artifact.metadata if one.schema == SCHEMA]
    assert [one.content["quality"] for one in stated] == ["good"]


@claim
def an_artifact_is_uploaded_into_a_collection() -> None:
    urn, data = "urn:ivcap:collection:22222222-0000-4000-8000-000000000001", b"kept"
    sent = ivcap.upload_artifact(
        name="c", io_stream=io.BytesIO(data), content_type="text/plain", content_size=len(data), collection=urn
    )
    assert ivcap.get_artifact(sent.id).open().read() == data


@claim
def an_unknown_artifact_is_404() -> None:
    assert status_of(lambda: ivcap.get_artifact(f"urn:ivcap:artifact:{NOWHERE}")) == 404


@claim
def an_aspect_is_added_read_and_retracted() -> None:
    entity = "urn:ivcap-mcp:judged:1"
    added = ivcap.add_aspect(entity, {"$schema": SCHEMA, "n": 1})
    assert added.id.startswith("urn:ivcap:aspect:")
    (found,) = ivcap.list_aspects(entity=entity, schema=SCHEMA)
    assert (found.id, found.entity, found.schema) == (added.id, entity, SCHEMA)
    assert found.content["n"] == 1
    again = found.refresh()
    assert again.content["n"] == 1
    assert again.valid_from
    assert again.asserter
    added.retract()
    assert list(ivcap.list_aspects(entity=entity, schema=SCHEMA)) == []


@claim
def an_update_takes_the_place_of_what_held() -> None:
    entity = "urn:ivcap-mcp:judged:2"
    ivcap.add_aspect(entity, {"n": 1}, schema=SCHEMA)
    updated = ivcap.update_aspect(entity, {"n": 2}, schema=SCHEMA)
    (found,) = ivcap.list_aspects(entity=entity, schema=SCHEMA)
    assert found.id == updated.id
    assert found.content["n"] == 2


@claim
def aspects_are_found_by_pattern_path_and_page() -> None:
    entity = "urn:ivcap-mcp:judged:3"
    for number in range(60):
        ivcap.add_aspect(entity, {"number": number}, schema=f"{SCHEMA}.{number % 2}")
    assert len(list(ivcap.list_aspects(entity=entity, schema=f"{SCHEMA}.%", limit=None))) == 60
    assert len(list(ivcap.list_aspects(entity=entity, limit=7))) == 7
    large = ivcap.list_aspects(entity=entity, content_path="$.number ? (@ >= 58)", limit=None)
    assert sorted(one.content["number"] for one in large) == [58, 59]
    oldest = ivcap.list_aspects(entity=entity, order_by="valid_from", order_direction="ASC", limit=1)
    assert next(iter(oldest)).content["number"] == 0
    bare = next(iter(ivcap.list_aspects(entity=entity, include_content=False, limit=1)))
    assert "number" in bare.content


@claim
def an_aspect_is_filtered() -> None:
    entity = "urn:ivcap-mcp:judged:4"
    ivcap.add_aspect(entity, {"n": 1}, schema=SCHEMA)
    assert len(list(ivcap.list_aspects(filter=f"entity='{entity}'"))) == 1


@claim
def a_collection_is_made_filled_listed_emptied_and_retracted() -> None:
    urn = "urn:ivcap:collection:11111111-0000-4000-8000-000000000001"
    items = [f"urn:ivcap-mcp:judged:item:{n}" for n in range(3)]
    made = ivcap.create_collection(urn, "Judged", description="By others")
    assert (made.urn, made.name) == (urn, "Judged")
    for item in items:
        assert ivcap.add_to_collection(urn, item) is not None
    assert ivcap.add_to_collection(urn, items[0]) is None
    found = ivcap.get_collection(urn)
    assert found.description == "By others"
    assert sorted(one.item for one in found.items(limit=None)) == items
    assert urn in [one.urn for one in ivcap.list_collections(limit=None)]
    for kind in ('== "Judged"', 'starts with "Jud"', 'like_regex ".*dged" flag "i"'):
        assert [one.urn for one in ivcap.list_collections(name_filter=kind)] == [urn]
    assert ivcap.remove_from_collection(urn, items[0]) is True
    assert ivcap.remove_from_collection(urn, items[0]) is False
    assert sorted(one.item for one in found.items(limit=None)) == items[1:]
    assert ivcap.retract_collection(urn) >= 2
    assert urn not in [one.urn for one in ivcap.list_collections(limit=None)]


if __name__ == "__main__":
    judge()
