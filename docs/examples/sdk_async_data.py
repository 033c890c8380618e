"""Data in async code: every method has a twin, every listing is for `async for`."""

import asyncio
import io

from ivcap_client import LocalIVCAP


async def main() -> None:
    async with LocalIVCAP("study") as ivcap:
        names = ("a.txt", "b.txt")
        made = await asyncio.gather(
            *(ivcap.upload_artifact_async(name=name, io_stream=io.BytesIO(name.encode())) for name in names)
        )
        for artifact in made:
            await artifact.add_metadata_async({"unit": "m"}, schema="urn:example:schema:unit.1")
        async for artifact in ivcap.list_artifacts(order_by="name", limit=None):
            pieces = [piece async for piece in artifact.as_stream_async(chunk_size=3)]
            print(artifact.name, pieces)
        print([aspect.content["unit"] async for aspect in ivcap.list_aspects(schema="urn:example:schema:unit.1")])


asyncio.run(main())
