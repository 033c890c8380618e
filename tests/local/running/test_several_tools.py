"""A program with several tools: each is a service of its own, and all share one process."""

from __future__ import annotations

from ivcap_client._local import descriptions, launch
from ivcap_client._local.specs import ServiceSpec, service_urn
from tests.local.running.desk import Desk, until
from tests.local.running.test_gateway import Client, serving


def test_each_tool_is_a_service_and_all_share_one_process(desk: Desk) -> None:
    both = desk.service("pair", env={"PLAIN_TOOL": "two"})
    first, second = both.urn, service_urn("pair-other-one")
    with serving(desk) as found:
        client = Client(found)
        launch.register(desk.base, [both])

        def listed() -> set[str]:
            return {one["name"] for one in client.ask("GET", "/1/services2")[1]["items"] if one["name"] != "plain"}

        until(lambda: listed() == {"pair", "pair-other-one"})
        told = []
        for service in (first, second, first):
            status, said = client.ask("POST", f"/1/services2/{service}/jobs", {"do": "echo"}, Timeout="20")
            assert status == 200, said
            told.append((said["path"], said["pid"]))
        assert [path for path, _ in told] == ["/", "/other", "/"]
        assert len({pid for _, pid in told}) == 1
        query = f"/1/aspects?entity={second}&schema=urn:sd-core:schema.ai-tool.1&include-content=true"
        (aspect,) = client.ask("GET", query)[1]["items"]
        assert (aspect["content"]["name"], aspect["content"]["service-id"]) == ("other_one", second)
        for schema, answer in (("urn:sd-core:schema.ai-tool.1", 403), ("urn:example:schema:note.1", 200)):
            stated = client.ask("POST", f"/1/aspects?entity={second}&schema={schema}", {"name": "mine"})
            assert stated[0] == answer, "its program alone says what a tool is; anybody may speak of it"
        assert client.ask("DELETE", f"/1/aspects/{aspect['id']}")[0] == 403
        _, read = client.ask("GET", f"/1/services2/{second}")
        assert (read["status"], read["controller"]["path"]) == ("active", "/other")
        # A client that knew the tool before the file changed: the job says so, and nothing else is run instead.
        gone = desk.service("single")
        part = ServiceSpec(
            **{
                **{name: getattr(gone, name) for name in gone.__slots__},
                "name": "single-x",
                "whole": "single",
                "path": "/x",
            }
        )
        job = desk.run(part, do="echo")
        assert job.status == "error"
        assert "has no tool at /x any more" in (job.error_message or "")


def test_names_of_further_tools_are_told_apart() -> None:
    spec = ServiceSpec("urn:s", "s", ("x",))
    assert descriptions.part_name(spec, {"name": "Do_It"}, "/a", ()) == "s-do-it"
    assert descriptions.part_name(spec, {"name": "Do_It"}, "/a/b", {"s-do-it"}) == "s-a-b"
    assert descriptions.part_name(spec, None, "/a", {"s-a"}).startswith("s-a")
    assert descriptions.tool_paths({"paths": {"/p": {"post": {}}, "/p/jobs/{job_id}": {}, "/q": {"post": {}}}}) == [
        "/p"
    ]
    assert descriptions.tool_paths(None) == ["/"]
