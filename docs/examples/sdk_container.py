"""What a job's own code does: read its input, leave a result and say where it came from."""

import io

from ivcap_client import IVCAP


def work(ivcap: IVCAP, series: str) -> str:
    """Store the longest line of an artifact; its URN."""
    with ivcap.get_artifact(series).open() as lines:
        longest = max(lines, key=len)
    stream = io.BytesIO(longest)
    made = ivcap.upload_artifact(name="longest.txt", io_stream=stream, content_type="text/plain")
    made.add_metadata({"made-from": series}, schema="urn:example:schema:made-from.1")
    return made.urn


# In a container the platform sets IVCAP_BASE_URL; on your machine the same line is a directory.
with IVCAP() as ivcap:
    given = ivcap.upload_artifact(name="lines.txt", io_stream=io.BytesIO(b"a\nbbb\ncc\n"))
    print(ivcap.get_artifact(work(ivcap, given.urn)).as_bytes())
    print(ivcap.get_artifact(work(ivcap, "data:,x%0Alonger")).as_bytes())
