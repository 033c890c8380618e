"""An agent: a service that is asked and answers, under the names the documented contract gives it."""

from __future__ import annotations

import ivcap_client
from ivcap_client._core.services import ServiceRecord
from ivcap_client.exception import InvalidInput
from ivcap_client.job import Job
from ivcap_client.service import Service

__all__ = ["Agent"]


class Agent(Service):
    """Handle of one agent.

    Args:
        ivcap: The client.
        id: URN of its service.

    Raises:
        InvalidInput: That is not the URN of a service.

    Examples:
        >>> agent = ivcap.get_agent(ivcap.get_service_by_name("plain").id)
        >>> agent.exec_agent({"do": "echo", "n": 1}).result["n"]
        1
    """

    def __init__(self, ivcap: ivcap_client.IVCAP, id: str) -> None:
        if not isinstance(id, str) or not id.startswith("urn:ivcap:service:"):
            raise InvalidInput(f"get agent: the URN of a service (urn:ivcap:service:…) is wanted, {id!r} was given")
        super().__init__(ivcap, ServiceRecord(id))

    def exec_agent(self, data: object, timeout: float | None = 0) -> Job:
        """Give it a request.

        Args:
            data: As for `Service.request_job`.
            timeout: Seconds to wait for its end; 0, the default, and `None` wait without limit.

        Returns:
            The job; after a `timeout` it may not have ended.
        """
        return self.request_job(data, timeout or None)

    async def exec_agent_async(self, data: object, timeout: float | None = 0) -> Job:
        """`exec_agent` for async code."""
        return await self._ordered_async(data, timeout or None)
