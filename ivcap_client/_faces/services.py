"""Services and agents: find them, describe them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ivcap_client._core.pages import Listing
from ivcap_client._core.port import run
from ivcap_client._faces.face import Face
from ivcap_client.later import later
from ivcap_client.paging import Pager
from ivcap_client.urns import identifier

if TYPE_CHECKING:
    from ivcap_client import agent, service
    from ivcap_client._core import services
else:
    agent = later("ivcap_client.agent")
    service = later("ivcap_client.service")
    services = later("ivcap_client._core.services")


class Services(Face):
    """The part of `IVCAP` that finds and defines services."""

    def list_services(
        self,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = False,
        at_time: datetime | None = None,
    ) -> Pager[service.Service]:
        """Services, page by page as they are needed.

        Args:
            filter: Expression in the platform's grammar: `name ~= 'co2%'`.
            limit: How many in all; `None`: every one.
            order_by: Name of a field.
            order_desc: Largest first.
            at_time: The list as it was then.

        Examples:
            >>> [service.name for service in ivcap.list_services(filter="name ~= 'pl%'", limit=5)]
            ['plain']
        """
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: services.list_page(port, asked, None, size, at), self._service, limit)

    def search_services(self, text: str, *, limit: int | None = 10) -> Pager[service.Service]:
        """Services that fit a description in words, best first, where the platform can search.

        Examples:
            >>> from ivcap_client.exception import IvcapError
            >>> try:
            ...     found = [service.name for service in ivcap.search_services("echo what I say", limit=3)]
            ... except IvcapError:
            ...     found = []  # a platform that cannot search says so
            >>> len(found) <= 3
            True
        """
        return self._pager(
            lambda port, size, at: services.list_page(port, Listing(), text, size, at), self._service, limit
        )

    def get_service(self, service_id: str) -> service.Service:
        """Handle of a service; nothing is asked until it is used.

        Raises:
            InvalidInput: That is neither a URN nor a UUID.

        Examples:
            >>> service = ivcap.get_service(ivcap.get_service_by_name("plain").id)
            >>> service.refresh().name
            'plain'
        """
        return self._service(services.ServiceRecord(identifier(service_id, "get service")))

    def get_service_by_name(self, name: str) -> service.Service:
        """The one service with exactly this name.

        Raises:
            ResourceNotFound: None has it.
            AmbiguousRequest: Several have; the message has their URNs.

        Examples:
            >>> service = ivcap.get_service_by_name("plain")
            >>> service.name
            'plain'
        """
        return self._service(run(services.by_name(self._port, name)))

    async def get_service_by_name_async(self, name: str) -> service.Service:
        """`get_service_by_name` for async code."""
        return self._service(await services.by_name(self._async_port, name))

    def get_agent(self, agent_id: str) -> agent.Agent:
        """Handle of an agent, which is a service; nothing is asked until it is used.

        Raises:
            InvalidInput: That is not the URN of a service.

        Examples:
            >>> agent = ivcap.get_agent(ivcap.get_service_by_name("plain").id)
            >>> agent.exec_agent({"do": "echo"}).succeeded
            True
        """
        return agent.Agent(self._whole, agent_id)

    def create_service(
        self,
        *,
        id: str,
        description: str,
        controller_schema: str,
        controller: Mapping[str, Any],
        policy: str,
        parameters: Iterable[Mapping[str, Any]] = (),
        name: str | None = None,
        tags: Iterable[str] = (),
    ) -> service.Service:
        """Define a service. (Tools that publish theirs state two aspects instead; see the guide to services.)

        Args:
            id: URN it shall have.
            description: What it does.
            controller_schema: URN that says which kind of service it is.
            controller: How it is run, as that schema wants it.
            policy: URN of the policy that governs who may use it.
            parameters: What it takes, as the platform spells parameters.
            name: Its name.
            tags: Tags to find it by.

        Raises:
            Conflict: There is a service with this URN.

        The local platform lists what is defined here and never runs it: its tools are `LocalIVCAP(services=…)`.

        Examples:
            >>> adder = ivcap.create_service(
            ...     id="urn:ivcap:service:00000000-0000-0000-0000-00000000000a",
            ...     name="adder",
            ...     description="Adds numbers",
            ...     controller_schema="urn:ivcap:schema.service.rest.1",
            ...     controller={"path": "/"},
            ...     policy="urn:ivcap:policy:ivcap.base.service",
            ...     parameters=[{"name": "first-number", "type": "int"}],
            ... )
            >>> list(adder.parameters)
            ['first_number']
        """
        made = services.ServiceDefinition(
            id, description, controller_schema, controller, policy, parameters, name, tags
        )
        return self._service(run(services.create(self._port, made)))

    async def create_service_async(
        self,
        *,
        id: str,
        description: str,
        controller_schema: str,
        controller: Mapping[str, Any],
        policy: str,
        parameters: Iterable[Mapping[str, Any]] = (),
        name: str | None = None,
        tags: Iterable[str] = (),
    ) -> service.Service:
        """`create_service` for async code."""
        made = services.ServiceDefinition(
            id, description, controller_schema, controller, policy, parameters, name, tags
        )
        return self._service(await services.create(self._async_port, made))

    def update_service(
        self,
        id: str,
        *,
        description: str,
        controller_schema: str,
        controller: Mapping[str, Any],
        policy: str,
        parameters: Iterable[Mapping[str, Any]] = (),
        name: str | None = None,
        tags: Iterable[str] = (),
        force_create: bool = False,
    ) -> service.Service:
        """Define a service anew: what `create_service` takes replaces all of it.

        Args:
            id: Its URN.
            description: As for `create_service`, and so on.
            controller_schema: The same.
            controller: The same.
            policy: The same.
            parameters: The same.
            name: The same.
            tags: The same.
            force_create: Create it where it does not exist.

        Raises:
            ResourceNotFound: There is none, and `force_create` is off.

        Examples:
            >>> changed = ivcap.update_service(
            ...     "urn:ivcap:service:00000000-0000-0000-0000-00000000000b",
            ...     description="Adds more numbers",
            ...     controller_schema="urn:ivcap:schema.service.rest.1",
            ...     controller={"path": "/"},
            ...     policy="urn:ivcap:policy:ivcap.base.service",
            ...     force_create=True,
            ... )
            >>> changed.description
            'Adds more numbers'
        """
        made = services.ServiceDefinition(
            id, description, controller_schema, controller, policy, parameters, name, tags
        )
        return self._service(run(services.update(self._port, made, force_create)))

    async def update_service_async(
        self,
        id: str,
        *,
        description: str,
        controller_schema: str,
        controller: Mapping[str, Any],
        policy: str,
        parameters: Iterable[Mapping[str, Any]] = (),
        name: str | None = None,
        tags: Iterable[str] = (),
        force_create: bool = False,
    ) -> service.Service:
        """`update_service` for async code."""
        made = services.ServiceDefinition(
            id, description, controller_schema, controller, policy, parameters, name, tags
        )
        return self._service(await services.update(self._async_port, made, force_create))

    def delete_service(self, service_id: str) -> None:
        """Remove a service's definition. Its jobs and what they made stay.

        Examples:
            >>> from ivcap_client.exception import ResourceNotFound
            >>> try:
            ...     ivcap.delete_service("urn:ivcap:service:00000000-0000-0000-0000-00000000000c")
            ... except ResourceNotFound:
            ...     print("there is none")
            there is none
        """
        run(services.delete(self._port, service_id))

    async def delete_service_async(self, service_id: str) -> None:
        """`delete_service` for async code."""
        await services.delete(self._async_port, service_id)

    def _service(self, record: services.ServiceRecord) -> service.Service:
        return service.Service(self._whole, record)
