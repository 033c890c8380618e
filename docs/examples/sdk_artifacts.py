"""Store bytes, read them back whole, in pieces or in part."""

import io

from ivcap_client import LocalIVCAP

SCHEMA = "urn:example:schema:survey.1"

with LocalIVCAP("study") as ivcap:
    table = b"site,depth_m\nA,12\nB,40\n" * 50_000
    stream = io.BytesIO(table)
    stored = ivcap.upload_artifact(name="depths.csv", io_stream=stream, content_type="text/csv")
    print(f"{stored.name}: {stored.size} bytes, {stored.mime_type}")

    pieces = sum(1 for _ in stored.as_stream(chunk_size=256 * 1024))
    print(f"read in {pieces} pieces; the head is {stored.part(0, 12)!r}")

    with stored.as_local_file() as path:  # of a deployment a temporary file, deleted at the end of the block
        print(f"as a file: {path.stat().st_size == len(table)}")

    stored.add_metadata({"vessel": "Investigator"}, schema=SCHEMA)
    again = ivcap.get_artifact(stored.urn)
    print([one.content["vessel"] for one in again.metadata if one.schema == SCHEMA])

    for artifact in ivcap.list_artifacts(filter="name~='%.csv'", limit=5):
        print(artifact.name)
