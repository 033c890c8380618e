"""Group things, keep a secret for services, pass messages on."""

from datetime import UTC, datetime

from ivcap_client import LocalIVCAP

SURVEY = "urn:example:collection:survey-42"

with LocalIVCAP("study") as ivcap:
    survey = ivcap.create_collection(SURVEY, "Survey 42", description="Depths of the lagoon")
    survey.add_item("urn:example:site:1")
    print(survey.add_item("urn:example:site:1"))  # it is there already
    print([one.item for one in survey.items(limit=None)])
    print([one.name for one in ivcap.list_collections(name_filter='starts with "Survey"')])

    until = datetime(2099, 1, 1, tzinfo=UTC)
    kept = ivcap.set_secret("weather-key", "s3cret", expiry_time=until)
    print(
        f"{kept.secret_name} holds until {kept.expires_at:%Y}; its value is {len(kept.secret_value)} digits of a hash"
    )

    alerts = ivcap.create_queue("alerts")
    for depth in (12, 40):
        alerts.enqueue({"depth_m": depth})
    print([message.content["depth_m"] for message in alerts.dequeue(limit=10)], alerts.refresh().total_messages)
