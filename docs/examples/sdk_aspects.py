"""State something, correct it, look at what held before."""

from datetime import UTC, datetime

from ivcap_client import LocalIVCAP

SITE, SCHEMA = "urn:example:site:42", "urn:example:schema:survey.1"

with LocalIVCAP("study") as ivcap:
    first = ivcap.add_aspect(SITE, {"depth_m": 12}, schema=SCHEMA)
    before = datetime.now(UTC)
    ivcap.update_aspect(SITE, {"depth_m": 14}, schema=SCHEMA)  # a new aspect, which closes the first

    print([aspect.content["depth_m"] for aspect in ivcap.list_aspects(entity=SITE)])
    print([aspect.content["depth_m"] for aspect in ivcap.list_aspects(entity=SITE, at_time=before)])

    deep = ivcap.list_aspects(schema="urn:example:%", content_path="$.depth_m ? (@ > 13)")
    for aspect in deep:
        print(f"{aspect.entity} replaces the first: {aspect.refresh().replaces == first.urn}")
        aspect.retract()
    print(ivcap.list_aspects(entity=SITE).has_next())
