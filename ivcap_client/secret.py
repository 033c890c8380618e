"""Secrets: values that services are given by name, and nobody can read back."""

from __future__ import annotations

from datetime import UTC, datetime

from ivcap_client._core.port import run
from ivcap_client._core.secrets import SecretRecord, read, secret_record
from ivcap_client.handle import Handle

__all__ = ["Secret", "SecretRecord"]


class Secret(Handle[SecretRecord]):
    """Handle of one secret. Its value is a hash: enough to see whether it changed.

    Examples:
        >>> ivcap.set_secret("weather-key", "s3cret").secret_name
        'weather-key'
        >>> [secret.secret_name for secret in ivcap.list_secrets()]
        ['weather-key']
    """

    _read_record = staticmethod(secret_record)

    @property
    def secret_name(self) -> str:
        """Its name."""
        return self._record.name

    @property
    def secret_value(self) -> str:
        """A hash of the value, never the value. Fetched where a listing left it out."""
        if self._record.value is None:
            self.refresh()
        return self._record.value or ""

    async def secret_value_async(self) -> str:
        """`secret_value` for async code."""
        if self._record.value is None:
            await self.refresh_async()
        return self._record.value or ""

    @property
    def expiry_time(self) -> int:
        """When it ends to be, in seconds since 1970; 0: never."""
        return self._record.expiry_time

    @property
    def expires_at(self) -> datetime | None:
        """The same as a moment; `None`: never."""
        return datetime.fromtimestamp(self._record.expiry_time, UTC) if self._record.expiry_time else None

    @property
    def secret_type(self) -> str | None:
        """Its kind, where the platform says it."""
        return self._record.kind

    def refresh(self) -> Secret:
        """Read it again."""
        self._record = run(read(self._port, self._record.name, self._record.kind))
        return self

    async def refresh_async(self) -> Secret:
        """`refresh` for async code."""
        self._record = await read(self._async_port, self._record.name, self._record.kind)
        return self
