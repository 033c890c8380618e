"""Local mode: what the public SDK gets wrong, and what we do."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.exception import IvcapError, NotInLocalMode, ResourceNotFound

SCHEMA = "urn:a:schema:thing.1"


def test_l1_local_mode_takes_the_arguments_of_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVCAP_LOCAL_DIR", str(tmp_path))
    for name in ("IVCAP_URL", "IVCAP_BASE_URL", "IVCAP_JWT"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(IVCAP(url=None), LocalIVCAP)
    assert isinstance(IVCAP(account_id="urn:ivcap:account:1"), LocalIVCAP)
    assert isinstance(IVCAP(url=None, token=None), LocalIVCAP)


def test_l2_what_works_locally_works_and_the_rest_says_what_to_do(local: LocalIVCAP) -> None:
    assert list(local.list_services()) == []
    assert list(local.list_artifacts()) == []
    assert list(local.list_jobs()) == []
    with pytest.raises(NotInLocalMode, match="deployment"):
        local.search("?- true.")
    with pytest.raises(ResourceNotFound):
        local.get_service("urn:ivcap:service:00000000-0000-0000-0000-000000000001").refresh()


def test_l3_an_update_replaces(local: LocalIVCAP) -> None:
    for number in range(3):
        local.update_aspect("urn:a:b", {"n": number}, schema=SCHEMA)
    assert [one.content["n"] for one in local.list_aspects(entity="urn:a:b")] == [2]


def test_l4_a_listing_takes_everything_that_is_documented(local: LocalIVCAP) -> None:
    for number in range(3):
        local.add_aspect("urn:a:b", {"n": number}, schema=f"{SCHEMA}.{number}")
    time.sleep(0.002)
    now = datetime.now(UTC)
    local.add_aspect("urn:a:b", {"n": 3}, schema="urn:other:1")

    def found(**how: object) -> list[int]:
        return [one.content["n"] for one in local.list_aspects(entity="urn:a:b", **how)]  # type: ignore[arg-type]

    assert found(schema=f"{SCHEMA}.%", order_direction="ASC") == [0, 1, 2]
    assert found(order_by="schema", order_direction="DESC", limit=1) == [3]
    assert found(at_time=now, order_direction="ASC") == [0, 1, 2]
    assert found(content_path="$.n ? (@ > 1)", order_direction="ASC") == [2, 3]
    assert found(filter="schema='urn:other:1'") == [3]
    listing = local.list_aspects(entity="urn:a:b", include_content=False, limit=1)
    assert listing.has_next()
    assert next(listing).record.content is None


def test_l5_a_local_aspect_has_what_every_aspect_has(local: LocalIVCAP) -> None:
    aspect = local.add_aspect("urn:a:b", {"n": 1}, schema=SCHEMA).refresh()
    assert (aspect.valid_from is not None, aspect.asserter is not None, aspect.valid_to) == (True, True, None)
    assert aspect.retract().valid_to is not None
    assert list(local.list_aspects(entity="urn:a:b")) == []


def test_l6_an_artifact_is_found_under_each_of_its_names(local: LocalIVCAP) -> None:
    made = local.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"x"))
    for name in (made.urn, made.id, made.urn.rsplit(":", 1)[1]):
        assert local.get_artifact(name).as_bytes() == b"x"
    with pytest.raises(ResourceNotFound):
        local.get_artifact("urn:ivcap:artifact:00000000-0000-0000-0000-000000000001")


def test_l7_a_word_nobody_knows_is_an_error(local: LocalIVCAP) -> None:
    with pytest.raises(TypeError, match="colour"):
        local.upload_artifact(name="a", io_stream=io.BytesIO(b"x"), colour="red")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="colour"):
        LocalIVCAP(local.base_dir, colour="red")
    assert issubclass(NotInLocalMode, IvcapError)
