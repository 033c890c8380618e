"""State something, correct it, look at what held before."""

from datetime import UTC, datetime

from ivcap_client import LocalIVCAP

SITE, SCHEMA = "urn:example:site:42", "urn:example:schema:survey.1"

with LocalIVCAP("study") as ivcap:
    first = ivcap.add_aspect(SITE, {"depth_m": 12}, schema=SCHEMA)
    before = datetime.now(UTC)
    ivcap.update_aspect(SITE, {"depth_m": 14}, schema=SCHEMA)  # closes the first

    now, then = ivcap.list_aspects(entity=SITE), ivcap.list_aspects(entity=SITE, at_time=before)
    print([aspect.content["depth_m"] for aspect in now])
    print([aspect.content["depth_m"] for aspect in then])

    deep = ivcap.list_aspects(schema="urn:example:%", content_path="$.depth_m ? (@ > 13)")
    for aspect in deep:
        print(f"{aspect.entity} replaces the first: {aspect.refresh().replaces == first.urn}")
        aspect.retract()
    print(ivcap.list_aspects(entity=SITE).has_next())
