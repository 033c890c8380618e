"""Services: what they take, agents, several jobs at once, the same on every way to a platform."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ivcap_client import gather, gather_async
from ivcap_client.exception import InvalidInput, JobTimeout
from ivcap_client.parameters import parameters_of, schema_of
from ivcap_client.service import SERVICE_SCHEMA, TOOL_SCHEMA, POption, PType, Service
from tests.congruence.legs import LONG, Leg, Legs

PARAMETERS = [
    {"name": "max-depth", "type": "int", "description": "how deep", "default": "3", "options": []},
    {"name": "series", "type": "artifact", "description": "what", "label": "Series"},
    {
        "name": "how",
        "type": "option",
        "description": "in which way",
        "options": [{"value": "fast"}, {"value": "well", "description": "slowly"}],
        "optional": True,
    },
    {"name": "odd", "type": "float", "description": "", "unit": "rad", "constant": True, "unary": True},
]


def plain(leg: Leg) -> Service:
    found: Service = leg.do(leg.ivcap, "get_service_by_name", "plain")
    return found


def read(leg: Leg, thing: Any, name: str) -> Any:
    """A documented property, or its async twin."""
    if leg.runner is None:
        return getattr(thing, name)
    return leg.do(thing, name)


def published(leg: Leg, schema: str, content: dict[str, Any]) -> Service:
    """A service that only an aspect speaks of."""
    urn = f"urn:ivcap:service:{uuid.uuid4()}"
    leg.do(leg.ivcap, "add_aspect", urn, content, schema=schema)
    return leg.ivcap.get_service(urn)


def stated(leg: Leg) -> Service:
    told = {"name": f"s-{uuid.uuid4()}", "description": "d", "controller-schema": "urn:ivcap:schema.service.rest.1"}
    return published(leg, SERVICE_SCHEMA, {**told, "controller": {}, "parameters": PARAMETERS})


def test_the_request_model_of_a_tool_is_its_schema(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        service = plain(leg)
        model = read(leg, service, "request_model")
        assert read(leg, service, "request_model") is model
        with pytest.raises(ValueError, match="Field required"):
            model()
        result = leg.do(service, "run", model(do="echo", more=[1]), timeout=LONG)
        return model.__name__, model.model_json_schema(), result["more"]

    name, schema, more = legs.same(behaviour)
    assert (name, more) == ("Plain", [1])
    assert schema == {"type": "object", "properties": {"do": {"type": "string"}}, "required": ["do"]}


def test_the_newest_description_of_its_own_counts(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        def tool(name: str, **more: Any) -> dict[str, Any]:
            return {"name": "t", "fn_schema": {"type": "object", "properties": {name: {"type": "integer"}}}, **more}

        service = published(leg, TOOL_SCHEMA, tool("old"))
        leg.do(leg.ivcap, "add_aspect", service.id, tool("new", **{"service-id": service.id}), schema=TOOL_SCHEMA)
        other = tool("foreign", **{"service-id": "urn:ivcap:service:other"})
        leg.do(leg.ivcap, "add_aspect", service.id, other, schema=TOOL_SCHEMA)
        return list(read(leg, service, "request_model").model_fields)

    assert legs.same(behaviour) == ["new"]


def test_parameters_have_names_for_python_and_say_what_they_take(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        service = stated(leg)
        return read(leg, service, "parameters"), read(leg, service, "mandatory_parameters")

    found, mandatory = legs.same(behaviour)
    assert list(found) == ["max_depth", "series", "how", "odd"]
    assert mandatory == {"series", "odd"}
    depth, series, how, odd = found.values()
    assert (depth.name, depth.type, depth.default, depth.is_optional) == ("max-depth", PType.INT, "3", True)
    assert (series.label, series.is_optional, series.options) == ("Series", False, [])
    assert how.options == [POption("fast"), POption("well", "slowly")]
    assert (odd.type, odd.unit, odd.is_constant, odd.is_unary) == (PType.FLOAT, "rad", True, True)


def test_parameters_make_a_request_model_too(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        model = read(leg, stated(leg), "request_model")
        made = model(series="urn:ivcap:artifact:x", how="well", odd=3, max_depth=5)
        with pytest.raises(ValueError, match="not one of"):
            model(series="urn:x", odd=1, how="badly")
        return made.model_dump(by_alias=True, exclude_unset=True)

    assert legs.same(behaviour) == {"series": "urn:ivcap:artifact:x", "how": "well", "odd": 3, "max-depth": 5}


def test_a_service_that_publishes_nothing_has_no_request_model(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        told = {"name": "silent", "description": "d", "controller-schema": "urn:x:y", "controller": {}}
        return read(leg, published(leg, SERVICE_SCHEMA, told), "request_model")

    kind, told = legs.error(behaviour)
    assert kind == "ResourceNotFound"
    assert "publishes neither a schema nor parameters" in told


@pytest.mark.parametrize(
    ("name", "good", "bad", "wanted"),
    [
        ("max_depth", 3, True, "a whole number"),
        ("max_depth", 3.0, 3.5, "a whole number"),
        ("series", "urn:ivcap:artifact:1", "there.csv", "an artifact's URN"),
        ("how", "fast", "slow", "one of fast, well"),
        ("odd", 1, "1", "a number"),
    ],
)
def test_values_of_parameters_are_verified(legs: Legs, name: str, good: Any, bad: Any, wanted: str) -> None:
    parameter = stated(next(iter(legs))).parameters[name]
    parameter.verify(good)
    with pytest.raises(InvalidInput, match=wanted):
        parameter.verify(bad)


def test_an_agent_is_asked_and_waited_for(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        agent = leg.ivcap.get_agent(plain(leg).id)
        job = leg.do(agent, "exec_agent", {"do": "echo", "n": 7})
        late = leg.do(agent, "exec_agent", {"do": "sleep", "seconds": 5}, timeout=0.2)
        leg.do(late, "cancel")
        model = read(leg, agent, "request_model")
        return job.ended, job.result["n"], model.__name__, leg.do(agent, "status").value, agent.id == plain(leg).id

    assert legs.same(behaviour) == (True, 7, "Plain", "active", True)


@pytest.mark.parametrize("wrong", ["", "urn:ivcap:job:1", "plain"])
def test_what_is_no_agent_is_refused(legs: Legs, wrong: str) -> None:
    assert legs.error(lambda leg: leg.ivcap.get_agent(wrong))[0] == "InvalidInput"


def gathered(leg: Leg, *jobs: Any, **how: Any) -> Any:
    return gather(*jobs, **how) if leg.runner is None else leg.runner.run(gather_async(*jobs, **how))


def test_several_jobs_are_waited_for_at_once(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        asked: list[dict[str, Any]] = [{"do": "echo", "n": 1}, {"do": "boom"}, {"do": "sleep", "seconds": 0.2}]
        jobs = [plain(leg).request_job(one) for one in asked]
        told: list[str] = []
        ended = gathered(leg, *jobs, timeout=LONG, on_progress=lambda job, event: told.append(job.urn))
        assert ended == jobs
        assert set(told) <= {job.urn for job in jobs}
        return [job.status(refresh=False).value for job in ended], gathered(leg)

    assert legs.same(behaviour) == (["succeeded", "failed", "succeeded"], [])


def test_gathering_ends_in_time_and_names_who_was_late(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        quick, slow = plain(leg).request_job({"do": "echo"}), plain(leg).request_job({"do": "sleep", "seconds": 9})
        quick.wait(timeout=LONG)
        with pytest.raises(JobTimeout) as caught:
            gathered(leg, quick, slow, timeout=0.1)
        leg.do(slow, "cancel")
        return caught.value.job == slow

    assert legs.same(behaviour) is True


def test_a_listing_of_all_jobs_refuses_what_it_cannot_do(legs: Legs) -> None:
    assert legs.error(lambda leg: leg.ivcap.list_jobs(filter="name~='x'"))[0] == "InvalidInput"
    assert legs.error(lambda leg: leg.ivcap.list_jobs(order_by="name"))[0] == "InvalidInput"


def test_jobs_are_listed_from_either_end(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        leg.do(plain(leg), "run", {"do": "echo"}, timeout=LONG)
        newest = [job.requested_at for job in leg.all(leg.ivcap.list_jobs(limit=None))]
        oldest = [job.requested_at for job in leg.all(leg.ivcap.list_jobs(limit=None, order_desc=False))]
        return len(newest) == len(oldest) > 1, newest[0] != oldest[0]

    assert legs.same(behaviour) == (True, True)


def test_a_missing_service_has_no_parameters(legs: Legs) -> None:
    nobody = f"urn:ivcap:service:{uuid.UUID(int=7)}"
    assert legs.error(lambda leg: read(leg, leg.ivcap.get_service(nobody), "parameters"))[0] == "ResourceNotFound"


def test_kinds_of_parameters_we_do_not_know_take_anything() -> None:
    (odd,) = parameters_of([{"name": "odd", "type": "quaternion"}, {"type": "int"}]).values()
    assert odd.type is PType.UNKNOWN
    odd.verify(object())
    assert schema_of([odd])["properties"] == {"odd": {}}
